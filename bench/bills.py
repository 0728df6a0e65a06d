"""Previewing a bill of 10,000 rows through HTTP: seconds, and what it adds to the memory of the process."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import openpyxl

from bench.common import Plan, Row
from bench.memory import MEGABYTE, peak_bytes
from quotes.queries.price_lists import NewItem
from quotes.states import Category
from referral.operations.records import keep_upload
from tests.applications import make_test_app, migrate, open_tx
from tests.factories import AT, make_price_list, make_world, user_of
from tests.pages import AGENT, PageClient

BILL_ROWS = 10_000
LIST_ITEMS = 5_000
SECONDS = 5
MEGABYTES = 200


def run(plan: Plan) -> list[Row]:
    """Preview a workbook and a text, good rows and unknown ones, each in a process of its own."""
    del plan  # one preview each: it is no matter of turns
    rows: list[Row] = []
    for kind in ("xlsx", "csv"):
        for words in ("known", "unknown"):
            seconds, megabytes = _measured(kind, bill(kind, words))
            name = f"preview of a bill of 10,000 {words} models, {kind}"
            rows.append(Row(name, seconds, "s", limit=SECONDS, is_ceiling=True))
            rows.append(Row(f"{name}, memory", megabytes, "MB", limit=MEGABYTES, is_ceiling=True))
    return rows


def _measured(kind: str, content: bytes) -> tuple[float, float]:
    """Hand the file over on disk: what making it took is no matter of the process that is measured."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        said = subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, "-m", "bench.bills", kind, file.name],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[1],
        )
    seconds, megabytes = json.loads(said.stdout.splitlines()[-1])
    return seconds, megabytes


def bill(kind: str, words: str) -> bytes:
    """Return a bill; unknown model numbers are near to those of the list, none twice."""
    rows = [("Room", "SKU", "Description", "Qty")]
    for at in range(BILL_ROWS):
        number = f"DM-{at % LIST_ITEMS:05}-W" + ("" if words == "known" else f"{at:05}")
        rows.append((f"Room {at % 300}", number, f"Downlight of {at} lumens", str(at % 90 + 1)))
    if kind == "csv":
        return "\n".join(",".join(row) for row in rows).encode()
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def preview(kind: str, place: str) -> tuple[float, float]:
    """Preview a bill once; return seconds and megabytes above what the process held before."""
    content = Path(place).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/bill.sqlite"
        migrate(uri)
        app = make_test_app(uri)
        with app.app_context(), open_tx() as tx:
            world = make_world(tx)
            items = [
                NewItem(
                    f"DM-{at:05}-W", f"Downlight {at} white", "DM", Category.LIGHT_SOURCE, "each", 100 + at
                )
                for at in range(LIST_ITEMS)
            ]
            make_price_list(tx, world.program, items=items, valid_from=AT.date())
            ref = world.draft(lines=[])
            upload = keep_upload(
                tx, actor=world.account, at=AT, purpose="bill", filename=f"bill.{kind}", content=content
            )
            tx.flush()
            client = PageClient(app, before=tx.commit, after=tx.expire_all).sign_in(
                user_of(tx, world.account)
            )
            tx.commit()
            client.flask.get("/quotes")
            before, begun = peak_bytes(), time.perf_counter()
            page = client.flask.get(
                f"/quotes/{ref}/bill/{upload.id}", headers={"User-Agent": AGENT}, buffered=True
            )
            seconds = time.perf_counter() - begun
            if page.status_code != 200:
                raise RuntimeError(page.status)
            return seconds, (peak_bytes() - before) / MEGABYTE


if __name__ == "__main__":
    print(json.dumps(preview(*sys.argv[1:3])))  # noqa: T201 - what the parent reads
