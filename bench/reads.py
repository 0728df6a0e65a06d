"""Reading on PostgreSQL: balance and level, for a day and as known at an instant, statement pages; short and long."""

from __future__ import annotations

import statistics
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.common import Plan, Row, Server, times_ms
from bench.filling import BEGIN, DAYS, fill
from bench.ground import YEAR, dealer_id, house_on, make_postgres_ground
from bench.posting import disk_of_entry
from ledger.queries.levels import credit_year
from ledger.queries.statements import statement_page
from ledger.rules.as_of import AsOf
from ledger.states import AccountKind
from referral.db import read
from referral.permissions import Role, Viewer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

SHORT, MIDDLE, LONG = 0, 1, 2
"""Dealers: 1,000 entries, 10,000 entries, and all the rest of the large ledger."""
TIMES = 200


def counts_of(postings: int) -> dict[int, int]:
    """Return how many entries each dealer has; an entry is two postings."""
    return {SHORT: 1_000, MIDDLE: 10_000, LONG: max(20_000, postings // 2 - 11_000)}


def make_large(server: Server, plan: Plan) -> None:
    """Make the databases `small` (one dealer with 1,000 entries) and `large`."""
    for name, counts in (("small", {SHORT: 1_000}), ("large", counts_of(plan.postings))):
        make_postgres_ground(server, name, 3)
        fill(server, name, counts)


def run(server: Server, plan: Plan) -> list[Row]:
    """Measure reads on the databases that `make_large` made."""
    counts = counts_of(plan.postings)
    middle = AsOf(on=date(YEAR, 7, 1), known_at=BEGIN + DAYS * (BEGIN.resolution * 86_400_000_000) / 2)
    small = _medians(server, "small", {"level": _level(SHORT, AsOf())})
    last = counts[LONG] - 20
    large = _medians(
        server,
        "large",
        {
            "level": _level(LONG, AsOf()),
            "effective": _level(MIDDLE, AsOf(on=date(YEAR, 7, 1))),
            "known": _level(MIDDLE, AsOf(known_at=middle.known_at)),
            "both": _level(MIDDLE, middle),
            "both, long": _level(LONG, middle),
            "first page": _page(LONG, 0),
            "middle page": _page(LONG, counts[LONG] // 2),
            "last page": _page(LONG, last - 200),
        },
    )
    total = 2 * sum(counts.values())
    disk = {name: disk_of_entry(server, name)[1] for name in ("small", "large")}
    return [
        Row(f"disk of an entry, PostgreSQL, {total:,} postings", disk["large"], "B", limit=700, is_ceiling=True),
        Row(
            f"disk of an entry, PostgreSQL, {total:,} postings", disk["large"], "B", "1,000 entries", disk["small"],
            limit=1.1, is_ceiling=True,
        ),
        Row(
            f"balance and level with {total:,} postings", large["level"], "ms", "1,000 postings", small["level"],
            limit=1.3, is_ceiling=True,
        ),
        Row("level for a day, 10,000 postings in the dealer-year", large["effective"], "ms", limit=2, is_ceiling=True),
        Row("level as known at an instant, 10,000 postings", large["known"], "ms", limit=2, is_ceiling=True),
        Row("level for a day as known at an instant, 10,000 postings", large["both"], "ms", limit=2, is_ceiling=True),
        Row(f"level for a day as known at an instant, {counts[LONG]:,} postings", large["both, long"], "ms"),
        Row(
            f"statement page in the middle of {counts[LONG]:,} lines", large["middle page"], "ms", "the first page",
            large["first page"], limit=1.3, is_ceiling=True,
        ),
        Row(
            f"statement page at the end of {counts[LONG]:,} lines", large["last page"], "ms", "the first page",
            large["first page"], limit=1.3, is_ceiling=True,
        ),
    ]  # fmt: skip


def _medians(server: Server, name: str, acts: dict[str, Callable[[Session], Any]]) -> dict[str, float]:
    """Return the median milliseconds of each, taking turns inside one read-only snapshot."""

    def measured(tx: Session) -> dict[str, float]:
        taken: dict[str, list[float]] = {key: [] for key in acts}
        for act in acts.values():
            times_ms(partial(act, tx), 20)
        for _ in range(TIMES // 20):
            for key, act in acts.items():
                taken[key] += times_ms(partial(act, tx), 20)
        return {key: statistics.median(each) for key, each in taken.items()}

    with house_on(server.uri(name)):
        return read(measured)


def _level(number: int, as_of: AsOf) -> Callable[[Session], Any]:
    def act(tx: Session) -> Any:
        return credit_year(tx, dealer_id=dealer_id(number), program_year=YEAR, as_of=as_of)

    return act


def _page(number: int, after: int) -> Callable[[Session], Any]:
    viewer = Viewer(
        user_id=dealer_id(number),
        name="Person",
        email="person@d.example",
        company_id=dealer_id(number),
        company_code=f"D{number:06}",
        company_name="Dealer",
        roles=frozenset({Role.DEALER_APPROVER}),
    )

    def act(tx: Session) -> Any:
        return statement_page(
            tx,
            viewer=viewer,
            dealer_code=f"D{number:06}",
            program_year=YEAR,
            account_kind=AccountKind.SALES_CREDIT,
            after=after,
        )

    return act
