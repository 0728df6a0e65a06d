"""Writing exports: workbooks of any length in constant memory, and CSV.

Rows are taken in small pieces and go through the packer into the file at once. The same content gives the same
bytes: no time but the one that is given, no trace of the machine, nothing from a library but the packing itself.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, BinaryIO

from referral.sheetkit.cellwriter import Changes, Column, Fact, Kind, Value, clean_text, delimited_text
from referral.sheetkit.sheetwriter import FactRows, Rows, safe_sheet_name
from referral.sheetkit.shell import STYLES, WrittenSheet, sheet_part, shell_parts

ROWS_PER_SHEET = 1_000_000
"""Excel ends at row 1,048,576; the headings and the totals stand there too."""
CONTROL_SHEET = "Control"
_LEVEL = 2
"""As quick as 1 and a twentieth smaller; 6 takes three times as long for a tenth."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table to write: `rows` may be a generator, each row as long as `columns`."""

    name: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Value]]
    key: int = 1
    """How many columns, from the first on, tell a row from all others."""
    may_lack: Callable[[Sequence[Value]], bool] | None = None
    """For a later comparison: which of the rows a workbook may lack without fault."""


@dataclass(frozen=True, slots=True)
class SheetPart:
    """One sheet of a table, by the name it has in the workbook, and how many of the rows it holds."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class SheetReceipt:
    """What was written of one table: rows, and by column title what was added up (cents or units)."""

    name: str
    rows: int
    totals: Mapping[str, int]
    parts: tuple[SheetPart, ...]
    """The sheets it stands in, in their order; a long table takes several."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was written, for the audit record; the control sheet says the same."""

    sheets: tuple[SheetReceipt, ...]
    changes: Changes


def write_workbook(
    out: BinaryIO,
    sheets: Iterable[Sheet],
    *,
    title: str,
    facts: Sequence[Fact] = (),
    made_at: datetime | None = None,
    rows_per_sheet: int = ROWS_PER_SHEET,
) -> Receipt:
    """Write `sheets` and a control sheet as .xlsx into `out`, a binary file, and say what was written.

    A table of more than `rows_per_sheet` rows goes on in further, numbered sheets; its totals stand below the last
    row, and the control sheet counts the rows of each part and of the whole. Sheet names are made to fit Excel. Numbers are exact decimals; those Excel could not keep are written as
    text. `made_at` (aware) is the only time in the file; without it there is none.

    Raises TypeError for a value that does not fit its column's kind, ValueError for a row of another length.
    """
    changes = Changes()
    receipts: list[SheetReceipt] = []
    control = [Fact("Title", title)]
    if made_at is not None:
        control.append(Fact("Made at", made_at, Kind.INSTANT))
    control += facts
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as package:
        book = _Book(package, title)
        for sheet in sheets:
            rows = Rows(sheet.columns, iter(sheet.rows), STYLES, changes)
            parts = book.write(sheet.name, rows, rows_per_sheet)
            receipts.append(SheetReceipt(sheet.name, rows.count, rows.totals, parts))
            control += count_facts(receipts[-1], sheet.columns)
        control += change_facts(changes)
        book.write(CONTROL_SHEET, FactRows(control, STYLES, Changes()), ROWS_PER_SHEET)
        book.finish(made_at)
    return Receipt(tuple(receipts), changes)


def count_facts(receipt: SheetReceipt, columns: Sequence[Column]) -> list[Fact]:
    """Return what the control sheet says about a table: its rows, those of each part where it has several, totals."""
    facts = [Fact(f"{receipt.name}: rows", receipt.rows, Kind.INTEGER)]
    if len(receipt.parts) > 1:
        facts += [
            Fact(f"{receipt.name}: rows in the sheet {part.name}", part.rows, Kind.INTEGER)
            for part in receipt.parts
        ]
    facts += [
        Fact(f"{receipt.name}: total of {column.title}", receipt.totals[column.title], column.kind)
        for column in columns
        if column.total
    ]
    return facts


def change_facts(changes: Changes) -> list[Fact]:
    """Return what the control sheet says about values that could not be kept as they were."""
    return [
        Fact("Control characters removed", changes.characters_removed, Kind.INTEGER),
        Fact("Texts cut at 32,767 characters", changes.texts_cut, Kind.INTEGER),
        Fact("Numbers kept exact as text", changes.kept_as_text, Kind.INTEGER),
    ]


def write_csv(out: BinaryIO, columns: Sequence[Column], rows: Iterable[Sequence[Value]]) -> Changes:
    """Write one table as CSV into `out`: UTF-8 with its mark, commas, CRLF; amounts as 1234.50, instants in UTC.

    A text that a spreadsheet would take for a formula gets an apostrophe in front; the result counts them.

    Raises TypeError for a value that does not fit its column's kind, ValueError for a row of another length.
    """
    changes = Changes()
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([delimited_text(column.title, Kind.TEXT, changes) for column in columns])
    for row in rows:
        writer.writerow(
            [delimited_text(value, column.kind, changes) for value, column in zip(row, columns, strict=True)]
        )
    text.detach()
    return changes


class _Book:
    """The package that is being written."""

    def __init__(self, package: zipfile.ZipFile, title: str) -> None:
        self._package = package
        self._title = clean_text(title, Changes())
        self._sheets: list[WrittenSheet] = []

    def write(self, name: str, rows: Rows, limit: int) -> tuple[SheetPart, ...]:
        """Write one table into as many sheets as it needs, at least one."""
        parts: list[SheetPart] = []
        while rows.has_more or not parts:
            taken = [sheet.name for sheet in self._sheets]
            safe_name, before = safe_sheet_name(name, taken), rows.count
            with self._open(sheet_part(len(taken) + 1)) as member:
                area = rows.write(member, title=self._title, is_first=not taken, limit=limit)
            self._sheets.append(WrittenSheet(safe_name, area))
            parts.append(SheetPart(safe_name, rows.count - before))
        return tuple(parts)

    def finish(self, made_at: datetime | None) -> None:
        """Add everything but the sheets."""
        for name, content in shell_parts(self._sheets, title=self._title, made_at=made_at):
            with self._open(name) as member:
                member.write(content.encode())

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a part for writing; it carries no time (a part has the first day of 1980) and no trace of the machine."""
        with self._package.open(name, "w") as member:
            yield member
        self._package.getinfo(name).create_system = 0
