"""A table that was read: rows of cells with their addresses, and columns found by their headings."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache

from referral.errors import Problem
from referral.sheetkit.guard import refuse_content
from referral.sheetkit.values import Number, Unreadable, Value

HEADER_ROWS_TRIED = 20
"""The heading row is looked for among this many rows from the top; titles may stand above it."""


@cache
def column_letters(column: int) -> str:
    """Return the letters of a column counted from 1: 1 is A, 28 is AB."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its address, `B7` or `Prices!B7` where the workbook has several sheets, and its value."""

    address: str
    value: Value = None

    @property
    def is_blank(self) -> bool:
        """True for an empty cell and for one that holds white space only."""
        return self.value is None or (isinstance(self.value, str) and not self.value.strip())

    @property
    def is_number(self) -> bool:
        """True where the file stores a number; a number typed as text is text."""
        return isinstance(self.value, Number)

    @property
    def problem(self) -> Problem | None:
        """Why the cell cannot be read, as a sentence with its address; None when it can."""
        if not isinstance(self.value, Unreadable):
            return None
        return Problem("file_has_errors", f"{self.address} {self.value}.", self.address)

    @property
    def text(self) -> str:
        """The value as text, for one parser per kind: `0012`, `19.99`, `2026-01-31`, `TRUE`, `` for an empty cell.

        Text is exact, spaces included. Raises Refusal (file_has_errors) when the cell has a problem.
        """
        value = self.value
        if isinstance(value, Unreadable):
            refuse_content(f"{self.address} {value}.", self.address)
        if isinstance(value, bool):
            return str(value).upper()
        if isinstance(value, datetime):
            return value.isoformat(" ")
        if isinstance(value, date | time):
            return value.isoformat()
        return value or ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row that is not blank: its number as the spreadsheet shows it, and its values from column A on."""

    number: int
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One row below the headings, its cells by field name."""

    number: int
    cells: Mapping[str, Cell]
    problems: tuple[Problem, ...]
    """What could not be read in the mapped columns, and what stands in columns without a heading."""

    def __getitem__(self, field: str) -> Cell:
        """Return the cell of a mapped field (KeyError for any other); blank where an optional column is missing."""
        return self.cells[field]


@dataclass(frozen=True, slots=True)
class Table:
    """One sheet, read completely; nothing of it is left out without a word in `notes`."""

    sheet: str
    """Name of the sheet; `` for a text file."""
    rows: tuple[Row, ...]
    other_sheets: tuple[str, ...] = ()
    """Visible sheets that were not read."""
    notes: tuple[str, ...] = ()
    """Sentences for the preview: what was not read, and what is easily overlooked."""
    sha256: str = ""
    """Of the whole file, in hexadecimal, so that what is applied is what was previewed."""
    has_sheets: bool = False
    """Whether addresses name the sheet."""

    def address(self, row: int, column: int) -> str:
        """Return the address of a cell, rows and columns counted from 1."""
        plain = f"{column_letters(column)}{row}"
        if not self.has_sheets:
            return plain
        name = self.sheet if self.sheet.isalnum() else "'" + self.sheet.replace("'", "''") + "'"
        return f"{name}!{plain}"

    def cells(self, row: Row) -> tuple[Cell, ...]:
        """Return all cells of a row from column A to its last one."""
        return tuple(
            Cell(self.address(row.number, at), value) for at, value in enumerate(row.values, start=1)
        )

    def columns(
        self, required: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]] | None = None
    ) -> Columns:
        """Find the heading row and the column of each field.

        `required` and `optional` map a field name to the headings it may have; upper case, spaces and punctuation make
        no difference. The heading row is the first of the first 20 rows that has all required columns.

        Raises Refusal (file_has_errors) naming every missing heading, or a field that fits two columns.
        """
        wanted = {**required, **(optional or {})}
        best: tuple[int, dict[str, list[int]]] = (0, {})
        for index, row in enumerate(self.rows[:HEADER_ROWS_TRIED]):
            found = _find_fields(row, wanted)
            if len(found.keys() & required.keys()) > len(best[1].keys() & required.keys()):
                best = (index, found)
            if required.keys() <= found.keys():
                break
        index, found = best
        missing = [aliases[0] for field, aliases in required.items() if field not in found]
        if not self.rows:
            refuse_content("This file has no rows.")
        if missing:
            refuse_content(
                "No column has the heading " + ", nor ".join(f"“{name}”" for name in missing) + "."
            )
        header = self.rows[index]
        for field, places in found.items():
            if len(places) > 1:
                cells = " and ".join(
                    f"{self.address(header.number, at)} “{header.values[at - 1]}”" for at in places
                )
                refuse_content(
                    f"{cells} both fit “{wanted[field][0]}”. Rename one of them.", cells.partition(" ")[0]
                )
        return Columns(self, index, {field: places[0] for field, places in found.items()}, tuple(wanted))


@dataclass(frozen=True, slots=True)
class Columns:
    """The mapped table: iterating gives one Record per row below the headings that is not blank."""

    table: Table
    header_index: int
    found: Mapping[str, int]
    """Field name to column, counted from 1; optional fields without a column are missing here."""
    fields: tuple[str, ...]

    @property
    def header(self) -> tuple[Cell, ...]:
        """The cells of the heading row."""
        return self.table.cells(self.table.rows[self.header_index])

    @property
    def unused(self) -> tuple[Cell, ...]:
        """Headings that fit no field: their columns are not read, and the preview should say so."""
        used = set(self.found.values())
        return tuple(
            cell for at, cell in enumerate(self.header, start=1) if at not in used and not _is_nameless(cell)
        )

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.table.rows) - self.header_index - 1

    def __iter__(self) -> Iterator[Record]:
        """Give the records in the order of the rows."""
        yield from self.records(self.table.rows[self.header_index + 1 :])

    def records(self, rows: Iterable[Row]) -> Iterator[Record]:
        """Give the records of rows that stand below the headings."""
        named = {at for at, cell in enumerate(self.header, start=1) if not _is_nameless(cell)}
        for row in rows:
            cells = {field: self._cell(row, self.found.get(field)) for field in self.fields}
            problems = [cell.problem for cell in cells.values() if cell.problem]
            strays = [
                _stray(self._cell(row, at).address)
                for at, value in enumerate(row.values, start=1)
                if at not in named and not Cell("", value).is_blank
            ]
            yield Record(row.number, cells, (*problems, *strays))

    def _cell(self, row: Row, at: int | None) -> Cell:
        if at is None:
            return Cell(f"row {row.number}")
        return Cell(self.table.address(row.number, at), row.values[at - 1] if at <= len(row.values) else None)


def _stray(address: str) -> Problem:
    return Problem("file_has_errors", f"{address} holds something, but its column has no heading.", address)


def _is_nameless(cell: Cell) -> bool:
    return cell.is_blank or isinstance(cell.value, Unreadable)


def _heading(text: str) -> str:
    """Return the letters and digits of a heading, in the form in which two headings are compared."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in plain if character.isalnum()) or plain.strip()


def _find_fields(row: Row, wanted: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for at, value in enumerate(row.values, start=1):
        if isinstance(value, str) and not isinstance(value, Unreadable) and value.strip():
            places.setdefault(_heading(value), []).append(at)
    found = {
        field: sorted({at for alias in aliases for at in places.get(_heading(alias), ())})
        for field, aliases in wanted.items()
    }
    return {field: at for field, at in found.items() if at}
