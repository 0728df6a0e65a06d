"""Reading the rows of one sheet: each cell in its place, in order, whole, or the sheet is refused."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

from referral.sheetkit.guard import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_DEPTH,
    MAX_ROWS,
    UPLOAD,
    Limits,
    refuse,
    refuse_content,
)
from referral.sheetkit.table import Row, Table, column_letters
from referral.sheetkit.values import Unreadable, Value, read_iso, read_moment, read_number, read_text

_NAMESPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_TAGS = {
    f"{namespace} {tag}": tag
    for namespace in _NAMESPACES
    for tag in ("worksheet", "sheetData", "row", "c", "v", "f", "is", "t", "r", "mergeCell", "extLst", "col")
}
_PARENTS = {"sheetData": "worksheet", "row": "sheetData", "c": "row", "v": "c", "f": "c", "is": "c"}
_STRICT_PARENTS = frozenset({"sheetData", "row", "c"})
_AREA = re.compile(r"([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_LAST_ROW = 1_048_576
_LAST_COLUMN = 16_384


@lru_cache(maxsize=_LAST_COLUMN)
def column_number(letters: str) -> int:
    """Return the number of a column, A is 1; 0 where there is no such column."""
    if not (letters.isascii() and letters.isalpha() and letters.isupper()):
        return 0
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number if number <= _LAST_COLUMN else 0


class SheetScan:
    """Takes the tags of one sheet in their order and builds its rows."""

    def __init__(
        self,
        sheet: str,
        strings: Sequence[str],
        kinds: Sequence[str],
        epoch_1904: bool,
        *,
        limits: Limits = UPLOAD,
        takes_formulas: bool = True,
    ) -> None:
        """Prepare for one sheet: `sheet` names it in addresses, `kinds` are the number formats by cell style.

        Where it takes no formulas, a cell with one is Unreadable, whatever result was saved with it.
        """
        self.hidden_rows = 0
        self.hidden_columns: list[str] = []
        self._limits, self._takes_formulas = limits, takes_formulas
        self._named = Table(sheet, (), has_sheets=bool(sheet))
        self._strings = strings
        self._kinds = kinds
        self._epoch_1904 = epoch_1904
        self._rows: list[Row] = []
        self._merged: list[str] = []
        self._path: list[str] = []
        self._row = self._column = 0
        self._row_text = "0"
        self._row_hidden = False
        self._values: list[Value] = []
        self._cells_left = limits.cells
        self._text_left = limits.text
        self._type = self._style = ""
        self._stored: str | None = None
        self._is_formula = self._is_inline = False
        self._reading = False
        self._pieces: list[str] = []
        self._length = 0

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        """Take an opening tag. Raises Refusal for a layout that cannot be trusted."""
        tag = _TAGS.get(name, "")
        parent = self._path[-1] if self._path else ""
        self._path.append(tag)
        if not self._fits(tag, parent):
            self._distrust("is followed by something that Excel does not write there")
        if tag == "c":
            self._open_cell(attributes)
        elif tag == "row":
            self._open_row(attributes)
        elif tag in {"v", "is"}:
            self._open_value(tag)
        elif tag == "f":
            self._is_formula = True
        elif tag == "t":
            self._reading = self._is_inline and parent in {"is", "r"}
        elif tag == "mergeCell":
            self._merged.append(attributes.get("ref", ""))
        elif tag == "col" and attributes.get("hidden") in {"1", "true"}:
            self._note_hidden(attributes)

    def _note_hidden(self, attributes: dict[str, str]) -> None:
        """Remember a hidden column or several side by side, as far as columns are read."""
        places = [attributes.get(name, "") for name in ("min", "max")]
        if all(text.isascii() and text.isdigit() and len(text) <= len("16384") for text in places):
            first, last = int(places[0]), min(int(places[1]), MAX_COLUMNS)
            if 0 < first <= last and len(self.hidden_columns) < MAX_COLUMNS:
                letters = column_letters(first), column_letters(last)
                self.hidden_columns.append(letters[0] if first == last else ":".join(letters))

    def closed(self, _name: str) -> None:
        """Take a closing tag."""
        tag = self._path.pop()
        if tag == "v":
            self._stored, self._reading = "".join(self._pieces), False
        elif tag == "t":
            self._reading = False
        elif tag == "c":
            self._close_cell()
        elif tag == "row" and self._values:
            self._rows.append(Row(self._row, tuple(self._values)))
            self.hidden_rows += self._row_hidden

    def said(self, text: str) -> None:
        """Take a piece of text."""
        if self._reading and self._length <= self._limits.cell_text:
            self._pieces.append(text)
            self._length += len(text)

    @property
    def merged(self) -> Sequence[str]:
        """The areas of merged cells, which stand behind all rows."""
        return self._merged

    def take(self) -> list[Row]:
        """Return the rows read since the last call, for a sheet that is read in a stream."""
        rows, self._rows = self._rows, []
        return rows

    def finish(self) -> tuple[Row, ...]:
        """Return the rows, with all but the first cell of merged areas marked. Raises Refusal for too many areas."""
        marks_left = MAX_CELLS
        numbers = [row.number for row in self._rows]
        for area in self._merged:
            match = _AREA.fullmatch(area)
            left, right = (column_number(match[1]), column_number(match[3])) if match else (0, 0)
            if match is None or not 0 < left <= right:
                refuse_content(f"The merged cells “{area}” are not an area of a sheet.")
            right = min(right, MAX_COLUMNS)
            start, end = bisect_left(numbers, int(match[2])), bisect_left(numbers, int(match[4]) + 1)
            marks_left -= 1 + max(0, end - start) * max(0, right - left + 1)
            if marks_left < 0:
                refuse("This workbook merges more cells than can be read. Unmerge them and upload it again.")
            words = Unreadable(f"is one of the merged cells {area}; unmerge them and fill each one")
            for index in range(start, end):
                row = self._rows[index]
                first = left + (row.number == int(match[2]))
                values = [*row.values, *[None] * (right - len(row.values))]
                values[first - 1 : right] = [words] * max(0, right - first + 1)
                self._rows[index] = Row(row.number, tuple(values))
        return tuple(self._rows)

    def _address(self) -> str:
        return self._named.address(self._row or 1, self._column or 1)

    def _fits(self, tag: str, parent: str) -> bool:
        """Tell whether Excel writes `tag` there, as far as rows and cells go."""
        depth = len(self._path)
        if tag in _PARENTS:
            return parent == _PARENTS[tag]
        if parent in _STRICT_PARENTS:
            return tag == "extLst"
        return depth <= MAX_DEPTH and len(self._merged) <= MAX_ROWS and (depth > 1 or tag == "worksheet")

    def _distrust(self, words: str) -> None:
        refuse_content(
            f"{self._address()} {words}. Open the file in Excel, save it, upload it again.", self._address()
        )

    def _open_row(self, attributes: dict[str, str]) -> None:
        before, self._column, self._values = self._row, 0, []
        stated = attributes.get("r", "")
        self._row = (
            int(stated) if stated.isascii() and stated.isdigit() and len(stated) <= len("1048576") else 0
        )
        if not stated:
            self._row = before + 1
        self._row_text = str(self._row)
        if not before < self._row <= _LAST_ROW:
            self._row = before
            self._distrust("is followed by a row that is out of order")
        self._row_hidden = attributes.get("hidden") in {"1", "true"}

    def _open_cell(self, attributes: dict[str, str]) -> None:
        before, stated = self._column, attributes.get("r")
        if stated is None:
            self._column = before + 1
        else:
            letters = stated.rstrip("0123456789")
            fits = len(letters) <= len("XFD") and stated[len(letters) :] == self._row_text
            self._column = column_number(letters) if fits else 0
        if not before < self._column <= _LAST_COLUMN:
            self._column = before
            self._distrust("is followed by a cell that is out of order")
        self._type, self._style = attributes.get("t", "n"), attributes.get("s", "")
        self._stored, self._is_formula, self._is_inline = None, False, False

    def _open_value(self, tag: str) -> None:
        if self._stored is not None or self._is_inline:
            self._distrust("holds two values")
        self._pieces, self._length = [], 0
        self._is_inline, self._reading = tag == "is", tag == "v"

    def _close_cell(self) -> None:
        value = self._value()
        if value is None:
            return
        if self._column > MAX_COLUMNS or self._row > self._limits.rows:
            refuse_content(
                f"{self._address()} lies outside the first {self._limits.rows:,} rows and {MAX_COLUMNS} columns that are read.",
                self._address(),
            )
        gap = self._column - len(self._values) - 1
        self._values += [None] * gap
        self._values.append(value)
        self._cells_left -= gap + 1
        if self._type != "s" and isinstance(value, str):
            self._text_left -= len(value)
        if self._cells_left < 0 or self._text_left < 0:
            refuse("This sheet holds more than can be read at once. Split it into smaller ones.")

    def _value(self) -> Value:
        """Return what the cell that just ended holds."""
        stored, kind = self._stored, self._type
        if self._is_formula and not self._takes_formulas:
            value: Value = Unreadable("holds a formula")
        elif self._is_inline:
            value = self._text("".join(self._pieces))
        elif not stored and not (kind == "str" and stored is not None):
            value = None
            if self._is_formula:
                value = Unreadable(
                    "holds a formula without a saved result; open the file in Excel and save it"
                )
        else:
            value = self._stored_value(stored or "", kind)
        return value

    def _stored_value(self, stored: str, kind: str) -> Value:
        plain = stored.strip()
        if kind == "n":
            value = self._number(plain)
        elif kind == "s":
            value = self._shared(plain)
        elif kind == "str":
            value = self._text(stored)
        elif kind == "b" and plain in {"0", "1"}:
            value = plain == "1"
        elif kind == "d":
            value = read_iso(plain)
        else:
            value = Unreadable(
                f"holds the error {plain[:20]}" if kind == "e" else "holds something of an unknown kind"
            )
        return value

    def _text(self, stored: str) -> Value:
        return read_text(stored, coded=True, longest=self._limits.cell_text) or None

    def _number(self, stored: str) -> Value:
        style = self._style
        shown = "number"
        if style.isascii() and style.isdigit() and int(style) < len(self._kinds):
            shown = self._kinds[int(style)]
        if shown == "moment":
            return read_moment(stored, self._epoch_1904)
        if shown == "length":
            return Unreadable("holds a length of time; type it as a plain number or as text")
        return read_number(stored)

    def _shared(self, stored: str) -> Value:
        index = int(stored) if stored.isascii() and stored.isdigit() and len(stored) <= len("1000000") else -1
        if not 0 <= index < len(self._strings):
            return Unreadable("points to a text that is not in the file")
        return self._strings[index] or None
