"""One sheet on the way out: its XML from the first tag to the last, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO

from referral.sheetkit.cellwriter import (
    WIDTHS,
    Changes,
    Column,
    Fact,
    Kind,
    Value,
    clean_text,
    inline_text,
    make_cell_writer,
)
from referral.sheetkit.columnwriter import make_column_writer
from referral.sheetkit.table import column_letters

BYTES_PER_SHEET = 1_500_000_000
"""Past this size the next sheet begins, whatever the number of rows: a package keeps no part of 2 GiB."""

_PIECE_ROWS = 256
_NAME_LENGTH = 31
_NOT_IN_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\", "-"))
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>'
    '<sheetViews><sheetView {selected}workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft"'
    ' state="frozen"/><selection pane="bottomLeft" activeCell="A2" sqref="A2"/></sheetView></sheetViews>'
    '<sheetFormatPr defaultRowHeight="15"/><cols>{columns}</cols><sheetData>'
)
_TAIL = (
    '</sheetData><autoFilter ref="{area}"/>'
    '<pageMargins left="0.5" right="0.5" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>'
    '<pageSetup orientation="landscape" fitToHeight="0"/>'
    "<headerFooter><oddHeader>&amp;L{title}&amp;R&amp;A</oddHeader>"
    "<oddFooter>&amp;RPage &amp;P of &amp;N</oddFooter></headerFooter></worksheet>"
)


@dataclass(frozen=True, slots=True)
class Styles:
    """Numbers of the cell styles that the shell of the workbook defines."""

    heading: Mapping[Kind, int]
    cell: Mapping[Kind, int]
    total: Mapping[Kind, int]
    fact: Mapping[Kind, int]


class Rows:
    """The rows of one table, taken piece by piece into as many sheets as they need, counted and added up."""

    def __init__(
        self, columns: Sequence[Column], rows: Iterator[Sequence[Value]], styles: Styles, changes: Changes
    ) -> None:
        """Prepare the writers of all columns; `changes` counts what could not be kept as it was."""
        self.count = 0
        self.totals = {column.title: 0 for column in columns if column.total}
        self._columns, self._rows, self._styles, self._changes = columns, rows, styles, changes
        self._letters = [column_letters(at) for at in range(1, len(columns) + 1)]
        self._writers = [
            make_column_writer(column.kind, styles.cell[column.kind], letters, changes)
            for column, letters in zip(columns, self._letters, strict=True)
        ]
        self._added = [(at, column.title) for at, column in enumerate(columns) if column.total]
        self._ahead = list(islice(rows, _PIECE_ROWS))

    @property
    def has_more(self) -> bool:
        """Whether a row is left."""
        return bool(self._ahead)

    def write(self, member: IO[bytes], *, title: str, is_first: bool, limit: int) -> str:
        """Write one sheet of at most `limit` rows into `member`; return the area of its headings and rows.

        Raises TypeError for a value that does not fit its column, ValueError for a row of another length.
        """
        columns = "".join(
            f'<col min="{at}" max="{at}" width="{column.width or WIDTHS[column.kind]}" customWidth="1"/>'
            for at, column in enumerate(self._columns, start=1)
        )
        head = _HEAD.format(selected='tabSelected="1" ' * is_first, columns=columns)
        size = member.write((head + self._headings()).encode())
        number = 1
        while self._ahead and number <= limit and size < BYTES_PER_SHEET:
            piece = self._take(limit + 1 - number)
            size += member.write(self._lines(piece, number + 1).encode())
            number += len(piece)
        total = "" if self._ahead or not self.totals else self._total_line(number + 1)
        area = f"A1:{self._letters[-1]}{number}"
        header = inline_text(clean_text(title, self._changes).replace("&", "&&"))
        member.write((total + _TAIL.format(area=area, title=header)).encode())
        return area

    def _take(self, most: int) -> list[Sequence[Value]]:
        """Return the next rows, `most` at most, and look ahead for further ones."""
        piece, self._ahead = self._ahead[:most], self._ahead[most:]
        self._ahead = self._ahead or list(islice(self._rows, _PIECE_ROWS))
        return piece

    def _lines(self, rows: Sequence[Sequence[Value]], first: int) -> str:
        """Return the XML of some rows, `first` being the number of the first of them."""
        for at, row in enumerate(rows, start=self.count + 1):
            if len(row) != len(self._columns):
                raise ValueError(f"row {at} has {len(row)} values for {len(self._columns)} columns")
        columns = list(zip(*rows, strict=True))
        numbers = [str(number) for number in range(first, first + len(rows))]
        cells = [write(column, numbers) for write, column in zip(self._writers, columns, strict=True)]
        for at, title in self._added:
            self.totals[title] += sum(value for value in columns[at] if isinstance(value, int))
        self.count += len(rows)
        starts = [f'<row r="{number}">' for number in numbers]
        return "</row>".join(map("".join, zip(starts, *cells, strict=True))) + "</row>"

    def _headings(self) -> str:
        cells = [
            make_cell_writer(Kind.TEXT, self._styles.heading[column.kind], self._changes)(
                column.title, f"{letters}1"
            )
            for column, letters in zip(self._columns, self._letters, strict=True)
        ]
        return f'<row r="1" ht="24" customHeight="1">{"".join(cells)}</row>'

    def _total_line(self, number: int) -> str:
        label: Value = "Total"
        cells = []
        for column, letters in zip(self._columns, self._letters, strict=True):
            value: Value = self.totals.get(column.title) if column.total else None
            kind = column.kind
            if label and kind is Kind.TEXT:
                value, label = label, None
            write = make_cell_writer(kind, self._styles.total[kind], self._changes)
            address = f"{letters}{number}"
            cells.append(write(value, address) or f'<c r="{address}" s="{self._styles.total[kind]}"/>')
        return f'<row r="{number}">{"".join(cells)}</row>'


class FactRows(Rows):
    """The rows of the control sheet: an item and its value, each value of its own kind."""

    def __init__(self, facts: Sequence[Fact], styles: Styles, changes: Changes) -> None:
        """Take all facts at once; there are few."""
        columns = (Column("Item", width=44), Column("Value", width=80))
        super().__init__(columns, ((fact.item, fact.value) for fact in facts), styles, changes)
        self._write_item = make_cell_writer(Kind.TEXT, styles.cell[Kind.TEXT], changes)
        self._write_value = {
            kind: make_cell_writer(kind, style, changes) for kind, style in styles.fact.items()
        }
        self._kinds = [fact.kind for fact in facts]

    def _lines(self, rows: Sequence[Sequence[Value]], first: int) -> str:
        kinds = self._kinds[self.count : self.count + len(rows)]
        self.count += len(rows)
        return "".join(
            f'<row r="{at}">{self._write_item(item, f"A{at}")}{self._write_value[kind](value, f"B{at}")}</row>'
            for at, ((item, value), kind) in enumerate(zip(rows, kinds, strict=True), start=first)
        )


def safe_sheet_name(name: str, taken: Sequence[str]) -> str:
    r"""Return `name` as Excel accepts it: at most 31 characters, none of []:*?/\, and unlike all `taken` ones."""
    plain = " ".join(clean_text(name, Changes()).translate(_NOT_IN_NAMES).split()).strip("'") or "Sheet"
    plain = "History -" if plain.casefold() == "history" else plain
    used = {other.casefold() for other in taken}
    number, candidate = 1, _short(plain, "")
    while candidate.casefold() in used:
        number += 1
        candidate = _short(plain, f" {number}")
    return candidate


def _short(name: str, ending: str) -> str:
    units = (_NAME_LENGTH - len(ending)) * 2
    return name.encode("utf-16-le")[:units].decode("utf-16-le", "ignore").rstrip(" '") + ending
