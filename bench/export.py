"""What a workbook of many rows costs: processor time beside openpyxl and XlsxWriter, and memory.

Each workbook is written by a process of its own, `python -m bench.export WRITER ROWS FILE`, which prints what it took.
All three write the same rows with the same number formats, alignment, heading, widths, frozen heading and filter.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.common import Row
from bench.memory import MEGABYTE, peak_bytes
from referral.sheetkit.cellwriter import WIDTHS, Column, Kind, Value
from referral.sheetkit.writer import Sheet, write_workbook

ROWS = 200_000
MANY_ROWS = 1_000_000
COLUMNS = (
    Column("Dealer", width=12),
    Column("Account", width=18),
    Column("Sequence", Kind.INTEGER),
    Column("Effective day", Kind.DATE, width=14),
    Column("Posted at", Kind.INSTANT),
    Column("Kind", width=16),
    Column("Source", width=20),
    Column("Takes back", width=20),
    Column("Memo", width=40),
    Column("Amount", Kind.CENTS),
    Column("Balance", Kind.CENTS),
    Column("Digest", width=68),
)
FORMATS = {
    Kind.TEXT: "@",
    Kind.INTEGER: "#,##0",
    Kind.CENTS: "#,##0.00",
    Kind.DATE: "yyyy-mm-dd",
    Kind.INSTANT: 'yyyy-mm-dd hh:mm:ss" UTC"',
}
NUMBERS = frozenset({Kind.INTEGER, Kind.CENTS})
LAST_COLUMN = "L"

Line = tuple[Value, ...]


@dataclass(frozen=True)
class Cost:
    """What one workbook took: seconds of the processor, bytes of memory of the whole process, bytes of the file."""

    seconds: float
    memory: int
    size: int


def lines(rows: int) -> Iterator[Line]:
    """Yield postings as the ledger's export has them: some memos with signs to escape, most cells filled."""
    first_day, first = date(2026, 1, 1), datetime(2026, 1, 1, 8, 0, 0, 123_456, tzinfo=UTC)
    days = [first_day + timedelta(days=day) for day in range(365)]
    digests = [f"{(7919 * at + 1) ** 25 % 2**256:064x}" for at in range(4096)]
    balance = 0
    for at in range(rows):
        amount = at * 7919 % 1_000_000 - 50_000
        balance += amount
        yield (
            f"DEALER{at % 500:03d}",
            "Sales credit",
            at + 1,
            days[at % 365],
            first + timedelta(seconds=at * 31, microseconds=at),
            "Order",
            f"O-2026-{at:07d}/1",
            None if at % 10 else f"O-2026-{at // 2:07d}",
            "Credit for an order <& its services>"
            if at % 50 == 0
            else "Credit for an order of light sources",
            amount,
            balance,
            digests[at % 4096],
        )


def write_ours(rows: int, path: Path) -> None:
    """Write by the application's own writer."""
    with path.open("wb") as out:
        write_workbook(out, [Sheet("Postings", COLUMNS, lines(rows))], title="Sales credit 2026")


def write_openpyxl(rows: int, path: Path) -> None:
    """Write by openpyxl's write-only mode; the styles are made once and shared by reference."""
    openpyxl, styles = importlib.import_module("openpyxl"), importlib.import_module("openpyxl.styles")
    make_cell = importlib.import_module("openpyxl.cell").WriteOnlyCell
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Postings")
    heading = styles.NamedStyle("heading of ours", number_format="@")
    heading.font = styles.Font(bold=True, color="FFFFFFFF")
    heading.fill = styles.PatternFill("solid", fgColor="FF1F3A4D")
    shared = {}
    for kind, code in FORMATS.items():
        side = "right" if kind in NUMBERS else "left"
        style = styles.NamedStyle(f"cell of {kind}", number_format=code)
        style.alignment = styles.Alignment(horizontal=side, indent=1, vertical="top")
        book.add_named_style(style)
        cell = make_cell(sheet)
        cell.style = style.name
        shared[kind] = cell._style  # noqa: SLF001 - the cheapest way it has, so the comparison is fair
    for at, column in enumerate(COLUMNS):
        sheet.column_dimensions[chr(65 + at)].width = column.width or WIDTHS[column.kind]
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{LAST_COLUMN}{rows + 1}"
    headings = [make_cell(sheet, column.title) for column in COLUMNS]
    for cell in headings:
        cell.style = heading
    sheet.append(headings)
    for line in lines(rows):
        cells = []
        for value, column in zip(line, COLUMNS, strict=True):
            cell = make_cell(sheet, _plain(value, column.kind))
            cell._style = shared[column.kind]  # noqa: SLF001 - as above
            cells.append(cell)
        sheet.append(cells)
    book.save(path)


def write_xlsxwriter(rows: int, path: Path) -> None:
    """Write by XlsxWriter in constant memory, each value by the method of its kind."""
    book = importlib.import_module("xlsxwriter").Workbook(str(path), {"constant_memory": True})
    sheet = book.add_worksheet("Postings")
    heading = book.add_format(
        {"num_format": "@", "bold": True, "font_color": "#FFFFFF", "bg_color": "#1F3A4D"}
    )
    formats = {
        kind: book.add_format(
            {
                "num_format": code,
                "align": "right" if kind in NUMBERS else "left",
                "indent": 1,
                "valign": "top",
            }
        )
        for kind, code in FORMATS.items()
    }
    writers = {
        Kind.TEXT: sheet.write_string,
        Kind.INTEGER: sheet.write_number,
        Kind.CENTS: sheet.write_number,
        Kind.DATE: sheet.write_datetime,
        Kind.INSTANT: sheet.write_datetime,
    }
    for at, column in enumerate(COLUMNS):
        sheet.set_column(at, at, column.width or WIDTHS[column.kind])
        sheet.write_string(0, at, column.title, heading)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, rows, len(COLUMNS) - 1)
    for number, line in enumerate(lines(rows), start=1):
        for at, (value, column) in enumerate(zip(line, COLUMNS, strict=True)):
            if value is not None:
                writers[column.kind](number, at, _plain(value, column.kind), formats[column.kind])
    book.close()


def _plain(value: Value, kind: Kind) -> Any:
    """Return what the peers take: amounts with two places, instants without a zone."""
    if kind is Kind.CENTS and isinstance(value, int):
        return Decimal(value).scaleb(-2)
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


WRITERS: dict[str, Callable[[int, Path], None]] = {
    "ours": write_ours,
    "openpyxl": write_openpyxl,
    "XlsxWriter": write_xlsxwriter,
}
MODULES = {"ours": "referral", "openpyxl": "openpyxl.styles", "XlsxWriter": "xlsxwriter"}


def run() -> list[Row]:
    """Return the rows of the table: processor time beside both peers, memory, and memory at five times the rows."""
    cost = {name: measure(name, ROWS) for name in WRITERS}
    many = measure("ours", MANY_ROWS)
    ours = cost["ours"]
    what = f"export of {ROWS:,} rows × {len(COLUMNS)} columns"
    return [
        Row(f"{what}, processor time", ours.seconds, "s", "openpyxl, write-only", cost["openpyxl"].seconds,
            limit=1 / 5, is_ceiling=True),
        Row(f"{what}, processor time", ours.seconds, "s", "XlsxWriter, constant memory",
            cost["XlsxWriter"].seconds, limit=1 / 3.5, is_ceiling=True),
        Row(f"{what}, peak memory", ours.memory / MEGABYTE, "MB", limit=64, is_ceiling=True),
        Row(f"export of {MANY_ROWS:,} rows, peak memory", many.memory / MEGABYTE, "MB",
            f"{ROWS:,} rows", ours.memory / MEGABYTE, limit=1.1, is_ceiling=True),
        Row(f"{what}, size of the file", ours.size / MEGABYTE, "MB", "XlsxWriter",
            cost["XlsxWriter"].size / MEGABYTE),
    ]  # fmt: skip


def measure(writer: str, rows: int) -> Cost:
    """Write one workbook in a process of its own and return what it took."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "bench.export",
            writer,
            str(rows),
            str(Path(folder) / "workbook.xlsx"),
        ]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours
    return Cost(**json.loads(said))


def _write(writer: str, rows: int, path: Path) -> Cost:
    importlib.import_module(MODULES[writer])
    began = time.process_time()
    WRITERS[writer](rows, path)
    return Cost(time.process_time() - began, peak_bytes(), path.stat().st_size)


if __name__ == "__main__":
    print(json.dumps(asdict(_write(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))))  # noqa: T201 - the answer
