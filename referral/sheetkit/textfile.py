"""Delimited text: its encoding, its delimiter, its rows."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from referral.errors import Refusal
from referral.sheetkit.guard import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, MAX_TEXT, refuse, refuse_content
from referral.sheetkit.table import Row, Table, column_letters
from referral.sheetkit.values import read_text

SPREADSHEET_ROWS = 1_048_576
MAX_LINE = 1_000_000
"""Characters: more than the widest row of the longest cells."""
DELIMITERS = (",", ";", "\t")
_SAMPLE_RECORDS = 50
_SAMPLE_CHARACTERS = 65_536
_WESTERN = "cp1252"


def read_text_table(content: bytes, sha256: str) -> Table:
    """Read comma, semicolon or tab separated text; every value is text, character by character.

    UTF-8, UTF-16 with its mark, otherwise Windows-1252, which is noted. Raises Refusal as `read_table` does.
    """
    text = open_text(io.BytesIO(content), ends=True)
    return Table("", tuple(_within_limits(iter(text))), notes=text.notes, sha256=sha256)


@dataclass(frozen=True, slots=True)
class TextRows:
    """Delimited text of any length: iterating reads it from its start, one row at a time.

    Raises Refusal (file_has_errors) at the row that cannot be read.
    """

    source: BinaryIO
    encoding: str
    delimiter: str
    ends: bool
    """Whether a blank row past the last one of a spreadsheet is refused, so that nothing is read for ever."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the preview."""
        note = "The text was read as Windows-1252 (Western European); check accents and symbols."
        return (note,) if self.encoding == _WESTERN else ()

    def __iter__(self) -> Iterator[Row]:
        """Give the rows that are not blank, with the numbers a spreadsheet shows."""
        for number, record in enumerate(_records(self.source, self.encoding, self.delimiter), start=1):
            while record and not record[-1].strip():
                record.pop()
            if len(record) > MAX_COLUMNS:
                _refuse_place(number, len(record))
            if not record and self.ends and number > SPREADSHEET_ROWS:
                _refuse_place(number, 1)
            if record:
                yield Row(number, tuple([read_text(text, coded=False) if text else None for text in record]))


def open_text(source: BinaryIO, *, ends: bool = False) -> TextRows:
    """Find encoding and delimiter of a seekable file. Raises Refusal (file_too_large_or_not_a_workbook)."""
    encoding = _encoding(source)
    return TextRows(source, encoding, _delimiter(source, encoding), ends)


def _encoding(source: BinaryIO) -> str:
    """Return the first encoding that fits all bytes."""
    source.seek(0)
    marked = source.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    for encoding in ("utf-16",) if marked else ("utf-8-sig", _WESTERN):
        decoder = codecs.getincrementaldecoder(encoding)()
        source.seek(0)
        try:
            while piece := source.read(_SAMPLE_CHARACTERS):
                if not marked and b"\0" in piece:
                    refuse(
                        "This file holds bytes that no text has. Save the table as .xlsx or .csv and upload that."
                    )
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        else:
            return encoding
    raise Refusal(
        "file_too_large_or_not_a_workbook",
        "The characters of this file cannot be read. Save it as CSV UTF-8 and upload that.",
    )


def _delimiter(source: BinaryIO, encoding: str) -> str:
    """Return the delimiter that cuts most of the first records into the same number of cells; a comma in doubt."""
    source.seek(0)
    reader = io.TextIOWrapper(source, encoding=encoding, newline="")
    text = reader.read(_SAMPLE_CHARACTERS)
    reader.detach()

    def score(delimiter: str) -> int:
        widths: Counter[int] = Counter()
        try:
            for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
                widths[len(record)] += 1
                if widths.total() == _SAMPLE_RECORDS:
                    break
        except csv.Error:
            return 0
        return max(((width - 1) * count for width, count in widths.items()), default=0)

    return max(DELIMITERS, key=score)


def _records(source: BinaryIO, encoding: str, delimiter: str) -> Iterator[list[str]]:
    """Give the records; a broken quotation or an endless cell is refused with its row."""
    number = 0
    source.seek(0)
    text = io.TextIOWrapper(source, encoding=encoding, newline="")
    try:
        for record in csv.reader(_lines(text), delimiter=delimiter, strict=True):
            number += 1
            yield record
    except csv.Error as error:
        refuse_content(
            f"Row {number + 1} cannot be read: {error}. Check the quotation marks.", f"A{number + 1}"
        )
    finally:
        if not source.closed:  # where the rest was never asked for, the file may be closed first
            text.detach()


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            refuse("One line of this file is far too long for a table. Save it as .xlsx or .csv again.")
        yield line


def _within_limits(rows: Iterator[Row]) -> Iterator[Row]:
    cells_left, text_left = MAX_CELLS, MAX_TEXT
    for row in rows:
        if row.number > MAX_ROWS:
            _refuse_place(row.number, len(row.values))
        cells_left -= len(row.values)
        text_left -= sum(len(value) for value in row.values if isinstance(value, str))
        if cells_left < 0 or text_left < 0:
            refuse("This file holds more than can be read at once. Split it into smaller ones.")
        yield row


def _refuse_place(row: int, column: int) -> NoReturn:
    address = f"{column_letters(column)}{row}"
    refuse(f"{address} lies outside the first {MAX_ROWS:,} rows and {MAX_COLUMNS} columns that are read.")
