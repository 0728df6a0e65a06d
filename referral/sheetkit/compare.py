"""Comparing a workbook that was written earlier with what would be written now, row by row, in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

from referral.errors import Refusal
from referral.sheetkit import values as read
from referral.sheetkit.cellcheck import cell_value, is_same, shown, units
from referral.sheetkit.cellwriter import Changes, Column, Fact, Kind, Value
from referral.sheetkit.stream import Book
from referral.sheetkit.table import Row
from referral.sheetkit.writer import Sheet, SheetPart, SheetReceipt

AHEAD = 1_000
"""How many rows are looked through, on both sides, for where a changed row goes on."""
TOTAL = "Total"
HEADINGS = Fact("Item", "Value")

Item = TypeVar("Item")


@dataclass(slots=True)
class Tally:
    """What the comparison of one workbook has counted; complete when all differences are taken."""

    rows: int = 0
    cells: int = 0
    changes: Changes = field(default_factory=Changes)
    receipts: list[SheetReceipt] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of the workbook: where it stands and what it holds, as long as the columns."""

    sheet: str
    number: int
    values: tuple[read.Value, ...]
    surplus: tuple[read.Value, ...]

    def __str__(self) -> str:
        return f"{self.sheet} row {self.number}"


def table_differences(book: Book, sheet: Sheet, tally: Tally) -> Iterator[str]:
    """Yield what differs between a table of `book`, over all its parts, and `sheet`, as sentences.

    `sheet` holds what would be written now. A row is found again by its key. Raises Refusal
    (file_too_large_or_not_a_workbook) where the file is damaged.
    """
    names = _parts(book, sheet.name)
    if not names:
        yield f"The sheet {sheet.name} is missing."
        return
    counted = _Counted(sheet.columns)
    problems: list[str] = []
    lines = _Ahead(
        (_key(line.values, sheet.key), line) for line in _lines(book, names, sheet, counted, problems)
    )
    expected = _Ahead(
        (_key(cells, sheet.key), (cells, row)) for cells, row in _expected(sheet, tally.changes)
    )
    for words in _merged(lines, expected, sheet, tally):
        yield from _drained(problems)
        yield words
    yield from _drained(problems)
    yield from counted.differences(sheet)
    tally.receipts.append(counted.receipt(sheet.name))


def control_differences(book: Book, name: str, facts: Iterable[Fact]) -> Iterator[str]:
    """Yield what differs between the sheet of facts `name` of `book` and `facts`, as sentences."""
    try:
        found = control_values(book, name)
    except Refusal as refusal:
        yield refusal.message
        return
    for fact in (HEADINGS, *facts):
        number, value = found.pop(fact.item, (0, None))
        expected = cell_value(fact.value, fact.kind, Changes())
        if not number:
            yield f"{name}: the line “{fact.item}” is missing."
        elif fact.lasting and not is_same(value, expected):
            yield (
                f"{name} row {number}, {fact.item}: workbook {shown(value, fact.kind)}, "
                f"ledger {shown(expected, fact.kind)}"
            )
    for item, (number, _) in found.items():
        yield f"{name} row {number}: the line “{item}” does not belong there."


def control_values(book: Book, name: str) -> dict[str, tuple[int, read.Value]]:
    """Return the facts of the sheet `name` by item, its headings too: the number of the row, and the value.

    Raises Refusal (file_has_errors) where the sheet is missing or names an item twice.
    """
    if name not in book.sheets:
        raise Refusal("file_has_errors", f"The sheet {name} is missing: this is no export of the ledger.")
    found: dict[str, tuple[int, read.Value]] = {}
    for row in book.rows(name):
        item, value, *beside = (*row.values, None, None)
        if any(other is not None for other in beside):
            value = read.Unreadable("is followed by another one")
        if str(item) in found:
            raise Refusal(
                "file_has_errors", f"{name} row {row.number}: the line “{item}” stands there twice."
            )
        found[str(item)] = (row.number, value)
    return found


def foreign_sheets(book: Book, known: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each sheet of `book` that is no part of the tables `known`."""
    ours = {part for name in known for part in _parts(book, name)}
    yield from (f"The sheet {name} does not belong there." for name in book.sheets if name not in ours)


class _Ahead(Generic[Item]):
    """An iterator of keys and items that can look ahead, as far as AHEAD."""

    def __init__(self, items: Iterator[tuple[object, Item]]) -> None:
        self._items = items
        self._waiting: deque[tuple[object, Item]] = deque(islice(items, 1))

    @property
    def is_over(self) -> bool:
        return not self._waiting

    @property
    def key(self) -> object:
        return self._waiting[0][0]

    def take(self) -> Item:
        item = self._waiting.popleft()[1]
        if not self._waiting:
            self._waiting.extend(islice(self._items, 1))
        return item

    @property
    def first(self) -> Item:
        return self._waiting[0][1]

    def distance(self, key: object) -> int | None:
        """Return how many rows stand before the one of this key; None where it is not near."""
        self._waiting.extend(islice(self._items, AHEAD - len(self._waiting)))
        return next((at for at, (other, _) in enumerate(self._waiting) if other == key), None)


Cells = tuple[read.Value, ...]
Pair = tuple[Cells, Sequence[Value]]


def _merged(lines: _Ahead[_Line], expected: _Ahead[Pair], sheet: Sheet, tally: Tally) -> Iterator[str]:
    """Walk along both sides, find where they go on together, and yield what differs."""
    while not (lines.is_over and expected.is_over):
        if lines.is_over:
            yield from _missing(expected.take(), sheet, "at the end")
        elif expected.is_over:
            yield _surplus(lines.take(), sheet)
        elif lines.key == expected.key:
            yield from _changed(lines.take(), expected.take(), sheet, tally)
        elif sheet.may_lack is not None and sheet.may_lack(expected.first[1]):
            expected.take()
        elif (gone := expected.distance(lines.key)) is not None:
            for _ in range(gone):
                yield from _missing(expected.take(), sheet, f"before row {lines.first.number}")
        elif (added := lines.distance(expected.key)) is not None:
            for _ in range(added):
                yield _surplus(lines.take(), sheet)
        else:
            yield from _changed(lines.take(), expected.take(), sheet, tally)


def _missing(pair: Pair, sheet: Sheet, where: str) -> Iterator[str]:
    cells, row = pair
    if sheet.may_lack is None or not sheet.may_lack(row):
        yield f"{sheet.name}: the ledger's row {_named(cells, sheet)} is missing {where}."


def _surplus(line: _Line, sheet: Sheet) -> str:
    return f"{line}: the ledger has no row {_named(line.values, sheet)} there."


def _named(cells: Cells, sheet: Sheet) -> str:
    return " · ".join(
        shown(cell, column.kind) for cell, column in zip(cells, sheet.columns[: sheet.key], strict=False)
    )


def _changed(line: _Line, pair: Pair, sheet: Sheet, tally: Tally) -> Iterator[str]:
    cells, _ = pair
    tally.rows += 1
    tally.cells += len(cells)
    if line.values == cells and not line.surplus and list(map(type, line.values)) == list(map(type, cells)):
        return
    for column, found, wanted in zip(sheet.columns, line.values, cells, strict=True):
        if column.lasting and not is_same(found, wanted):
            yield (
                f"{line}, {column.title}: workbook {shown(found, column.kind)}, "
                f"ledger {shown(wanted, column.kind)}"
            )
    if any(value is not None for value in line.surplus):
        yield f"{line}: a cell right of the last column is not empty."


def _expected(sheet: Sheet, changes: Changes) -> Iterator[Pair]:
    kinds = [column.kind for column in sheet.columns]
    for row in sheet.rows:
        yield (
            tuple(cell_value(value, kind, changes) for value, kind in zip(row, kinds, strict=True)),
            row,
        )


def _key(cells: Cells, length: int) -> object:
    return tuple((type(cell) is read.Unreadable, cell) for cell in cells[:length])


def _parts(book: Book, name: str) -> list[str]:
    """Return the sheets of a table in their order: Postings, Postings 2, Postings 3."""
    return [
        sheet
        for sheet in book.sheets
        if sheet == name or (sheet.startswith(f"{name} ") and sheet[len(name) + 1 :].isdecimal())
    ]


def _lines(
    book: Book, names: Sequence[str], sheet: Sheet, counted: _Counted, problems: list[str]
) -> Iterator[_Line]:
    """Yield the rows below the headings of all parts; the totals go to `counted`, what is odd to `problems`."""
    for name in names:
        counted.begin(name)
        before: _Line | None = None
        try:
            for line in _read(book, name, sheet, problems):
                if before is not None:
                    counted.add(before)
                    yield before
                before = line
        except Refusal as refusal:
            if refusal.code != "file_has_errors":
                raise
            problems.append(refusal.message)
        if before is not None and not (name == names[-1] and counted.is_total(before)):
            counted.add(before)
            yield before


def _read(book: Book, name: str, sheet: Sheet, problems: list[str]) -> Iterator[_Line]:
    titles = tuple(column.title for column in sheet.columns)
    number = 0
    for row in book.rows(name):
        if row.number > number + 1:
            problems.append(f"{name} row {number + 1} is empty.")
        number = row.number
        line = _line(name, row, len(titles))
        if number > 1:
            yield line
        elif line.values != titles or line.surplus:
            problems.append(f"{name} row 1: the headings are not those of the export.")
    if not number:
        problems.append(f"{name} is empty.")


def _line(name: str, row: Row, width: int) -> _Line:
    filled = row.values + (None,) * (width - len(row.values))
    return _Line(name, row.number, filled[:width], filled[width:])


def _drained(problems: list[str]) -> list[str]:
    taken = problems[:]
    problems.clear()
    return taken


class _Counted:
    """The rows of each part and the sums of a table, as the workbook itself has them."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._added = [(at, column) for at, column in enumerate(columns) if column.total]
        self._label = next((at for at, column in enumerate(columns) if column.kind is Kind.TEXT), 0)
        self._sums = {column.title: 0 for _, column in self._added}
        self._parts: dict[str, int] = {}
        self._total: _Line | None = None

    def begin(self, name: str) -> None:
        self._name = name
        self._parts[name] = 0

    def add(self, line: _Line) -> None:
        self._parts[self._name] += 1
        for at, column in self._added:
            self._sums[column.title] += units(line.values[at], column.kind)

    def is_total(self, line: _Line) -> bool:
        """Tell whether this last row holds the totals, and keep it if so."""
        if not self._added or line.values[self._label] != TOTAL:
            return False
        self._total = line
        return True

    def differences(self, sheet: Sheet) -> Iterator[str]:
        """Yield where the row of totals is not the sum of the rows above it."""
        if self._added and self._total is None:
            yield f"{sheet.name}: the row of totals is missing."
        if self._total is None:
            return
        wanted: dict[int, read.Value] = {self._label: TOTAL}
        for at, column in self._added:
            wanted[at] = cell_value(self._sums[column.title], column.kind, Changes())
        for at, (column, found) in enumerate(zip(self._columns, self._total.values, strict=True)):
            if not is_same(found, wanted.get(at)):
                yield (
                    f"{self._total}, {column.title}: workbook {shown(found, column.kind)}, "
                    f"the rows above {shown(wanted.get(at), column.kind)}"
                )

    def receipt(self, name: str) -> SheetReceipt:
        """Return what the control sheet has to say about this table."""
        sums: Mapping[str, int] = self._sums
        parts = tuple(SheetPart(part, rows) for part, rows in self._parts.items())
        return SheetReceipt(name, sum(self._parts.values()), sums, parts)
