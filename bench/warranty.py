"""Warranty: lists and a project's page over 5,000 and 500,000 units, the coverage function, an import of serials."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import sqlalchemy as sa

from bench.common import Plan, Row, Server, rate_of_one_core
from bench.growth import DATABASES, growth, houses
from bench.installed import Ground, make_installed
from bench.memory import MEGABYTE, peak_bytes
from quotes.operations.quotes import LineInput
from quotes.queries.quotes import quote_page
from referral.db import read
from tests.applications import let_go, make_test_app, migrate, open_tx
from tests.factories import AT, make_world
from warranty.forms.serials import open_serial_sheet
from warranty.models.sources import SerialNumber
from warranty.operations.serial_imports import go_on_with_serials, start_serial_import
from warranty.queries.coverage import coverage_of
from warranty.queries.ending import EndingPage, ending_page
from warranty.queries.listings import SourceFilter
from warranty.queries.projects import project_sources
from warranty.queries.serials import check_serials, serial_progress
from warranty.rules.coverage import SourceFacts, Term, decide
from warranty.rules.standing import SourceStanding
from warranty.states import Standing, StartRule

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from referral.permissions import Viewer

FEW, MANY = 5_000, 500_000
"""Units of the two databases."""
QUICK_MANY = 20_000
DAYS = 180
DECISIONS = 20_000
"""The limit: so many answers a second on one core."""
SERIALS = 50_000
QUICK_SERIALS = 5_000
SMALL = 1_000
"""Serial numbers of a first import, after which the process holds what any import needs."""
MEGABYTES = 200
"""The limit on what an import of SERIALS adds to the memory of its process."""

# pages over few and many units ------------------------------------------------------------------


def acts_of(ground: Ground) -> dict[str, Callable[[Session], object]]:
    """Return what is read: lists of what ends soon as each side sees them, and a project's page."""
    asked = SourceFilter()

    def ending(viewer: Viewer, after: str | None = None) -> Callable[[Session], EndingPage]:
        return partial(ending_page, viewer=viewer, at=AT, days=DAYS, asked=asked, after=after)

    last = read(ending(ground.account)).rows[-1]
    after = f"{last.ends_on}.{last.ref}"
    return {
        f"ending in {DAYS} days, as the account": ending(ground.account),
        f"ending in {DAYS} days, as the account, page 2": ending(ground.account, after),
        f"ending in {DAYS} days, as the dealer": ending(ground.dealer),
        f"ending in {DAYS} days, as the program": ending(ground.program),
        "a project's page": partial(project_sources, viewer=ground.account, at=AT, ref=ground.project),
        "an answer for a unit": partial(coverage_of, viewer=ground.account, at=AT, ref=ground.source),
    }


def pages(server: Server, plan: Plan, units: int) -> list[Row]:
    """Measure on both databases."""
    rows: list[Row] = []
    for database in DATABASES:
        with houses(server, database, "units", (FEW, units), make_installed) as pair:
            rows += growth(database, pair, acts_of, plan)
    return rows


# the coverage function --------------------------------------------------------------------------


def questions() -> list[Callable[[], object]]:
    """Return failures to decide on: covered, late, ended, without a day, without terms, of a replaced replacement."""
    day = date(2025, 1, 31)
    term = Term("D3", date(2020, 1, 1), 37, StartRule.COMMISSIONED, 90, True, True, 30, 90, AT)
    standing = SourceStanding(
        standing=Standing.COMMISSIONED, quantity=1, serial="", site_id=None, room="", shipped_on=day,
        delivered_on=None, commissioned_on=day + timedelta(days=20), gone_on=None, replaced_by=None,
        replaces=None, replaces_on=None, voided_on=None, void_reason="",
    )  # fmt: skip
    unit = SourceFacts("U-HARBOR-1", "D3", "Glow Works", day, standing, term)
    without_day = replace(
        unit, standing=replace(standing, commissioned_on=None), term=replace(term, cap_days=None)
    )
    second = replace(
        unit,
        is_replacement=True,
        original=unit,
        standing=replace(standing, replaces_on=day + timedelta(days=400)),
    )
    third = replace(
        second, original=second, standing=replace(standing, replaces_on=day + timedelta(days=500))
    )
    ended = date(2028, 3, 19)
    asked = [
        (unit, date(2026, 6, 1), date(2026, 6, 2)),
        (unit, ended, ended + timedelta(days=12)),
        (unit, ended + timedelta(days=40), ended + timedelta(days=41)),
        (unit, None, date(2026, 6, 2)),
        (without_day, date(2026, 6, 1), date(2026, 6, 2)),
        (replace(unit, term=None), date(2026, 6, 1), date(2026, 6, 2)),
        (second, date(2026, 6, 1), date(2026, 6, 2)),
        (third, date(2026, 6, 1), date(2026, 6, 2)),
    ]
    return [partial(decide, facts, failed_on=failed, reported_on=told) for facts, failed, told in asked]


# the import of serials --------------------------------------------------------------------------


def serials_file(count: int) -> bytes:
    """Return a file that names each of so many units, with its room and the day it was commissioned."""
    rows = ["Model number,Room,Serial number,Commissioned"]
    rows += [f"D3-LIGHT,Kitchen,SN{number:08},{AT.date()}" for number in range(count)]
    return "\n".join(rows).encode()


def import_rows(server: Server, count: int) -> list[Row]:
    """Take a file in on PostgreSQL, in a process of its own: what it holds is the same on SQLite."""
    server.create("serials")
    with tempfile.NamedTemporaryFile() as file:
        file.write(serials_file(count))
        file.flush()
        said = subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, "-m", "bench.warranty", server.uri("serials"), file.name, str(count)],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[1],
        )
    seconds, megabytes = json.loads(said.stdout.splitlines()[-1])
    name = f"import of {count:,} serial numbers"
    return [
        Row(f"{name}, a second", count / seconds, "/s"),
        Row(f"{name}, memory", megabytes, "MB", limit=MEGABYTES, is_ceiling=True),
    ]


def import_serials(uri: str, place: str, count: int) -> tuple[float, float]:
    """Take the file in as the page does; return seconds, and megabytes above what a first small file left."""
    migrate(uri)
    app = make_test_app(uri)
    with app.app_context(), open_tx() as tx:
        world = make_world(tx)
        refs = []
        for units in (SMALL, count):
            lines = [LineInput("D3-LIGHT", units, "Kitchen")]
            quote = world.approve(world.submit(lines=lines))
            refs.append(quote_page(tx, viewer=world.account, at=AT, ref=quote).referral_ref)
            world.ship(world.order(quote)[1])
        tx.commit()
        first = serials_file(SMALL).replace(b",SN", b",FIRST")
        _take_in(world.account, refs[0], BytesIO(first))
        before, begun = peak_bytes(), time.perf_counter()
        with Path(place).open("rb") as file:
            _take_in(world.account, refs[1], file)
        seconds = time.perf_counter() - begun
        megabytes = (peak_bytes() - before) / MEGABYTE
        named = tx.scalar(sa.select(sa.func.count()).select_from(SerialNumber))
    let_go(app)
    if named != count + SMALL:
        raise RuntimeError(f"{named} units bear a serial number")
    return seconds, megabytes


def _take_in(actor: Viewer, ref: str, content: BinaryIO) -> None:
    """Check the file, then take it in slice by slice, each as one request of the page."""
    file = open_serial_sheet(content, "serials.csv").file
    checked = read(check_serials, viewer=actor, at=AT, ref=ref, file=file)
    is_over = start_serial_import(
        actor=actor, clock=lambda: AT, ref=ref, file=file, checked=checked, good_only=False
    )
    while not is_over:
        progress = read(serial_progress, viewer=actor, ref=ref, sha256=file.sha256)
        if progress is None:
            raise RuntimeError("the import is not there")
        is_over = go_on_with_serials(
            actor=actor, clock=lambda: AT, ref=ref, file=file, walked=progress.walked_count
        )


# all of it --------------------------------------------------------------------------------------


def run(server: Server, plan: Plan) -> list[Row]:
    """Measure pages on both databases, the coverage function, and an import in a process of its own."""
    is_full = plan.postings >= Plan.postings
    rows = pages(server, plan, MANY if is_full else QUICK_MANY)
    rate = rate_of_one_core(questions(), plan)
    rows.append(Row("coverage decided, a second of one core", rate, "/s", limit=DECISIONS))
    return rows + import_rows(server, SERIALS if is_full else QUICK_SERIALS)


if __name__ == "__main__":
    print(json.dumps(import_serials(sys.argv[1], sys.argv[2], int(sys.argv[3]))))  # noqa: T201 - what the parent reads
