"""Delimited text: its encoding, its delimiter, its rows."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator

from referral.errors import Refusal
from referral.sheetkit.guard import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, MAX_TEXT, refuse, refuse_content
from referral.sheetkit.table import Row, Table, column_letters
from referral.sheetkit.values import Value, read_text

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
    encoding = _encoding(content)
    delimiter = _delimiter(content, encoding)
    rows = tuple(_rows(_records(content, encoding, delimiter)))
    notes = ["The text was read as Windows-1252 (Western European); check accents and symbols."]
    return Table("", rows, notes=tuple(notes) if encoding == _WESTERN else (), sha256=sha256)


def _encoding(content: bytes) -> str:
    """Return the first encoding that fits all bytes."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not marked and b"\0" in content:
        refuse("This file holds bytes that no text has. Save the table as .xlsx or .csv and upload that.")
    for encoding in ("utf-16",) if marked else ("utf-8-sig", _WESTERN):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            for start in range(0, len(content), _SAMPLE_CHARACTERS):
                decoder.decode(content[start : start + _SAMPLE_CHARACTERS])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        else:
            return encoding
    raise Refusal(
        "file_too_large_or_not_a_workbook",
        "The characters of this file cannot be read. Save it as CSV UTF-8 and upload that.",
    )


def _delimiter(content: bytes, encoding: str) -> str:
    """Return the delimiter that cuts most of the first records into the same number of cells; a comma in doubt."""

    def score(delimiter: str) -> int:
        widths: Counter[int] = Counter()
        text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="").read(_SAMPLE_CHARACTERS)
        try:
            for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
                widths[len(record)] += 1
                if widths.total() == _SAMPLE_RECORDS:
                    break
        except csv.Error:
            return 0
        return max(((width - 1) * count for width, count in widths.items()), default=0)

    return max(DELIMITERS, key=score)


def _records(content: bytes, encoding: str, delimiter: str) -> Iterator[list[str]]:
    """Give the records; a broken quotation or an endless cell is refused with its row."""
    number = 0
    try:
        text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="")
        for record in csv.reader(_lines(text), delimiter=delimiter, strict=True):
            number += 1
            yield record
    except csv.Error as error:
        refuse_content(
            f"Row {number + 1} cannot be read: {error}. Check the quotation marks.", f"A{number + 1}"
        )


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            refuse("One line of this file is far too long for a table. Save it as .xlsx or .csv again.")
        yield line


def _rows(records: Iterator[list[str]]) -> Iterator[Row]:
    cells_left, text_left = MAX_CELLS, MAX_TEXT
    for number, record in enumerate(records, start=1):
        while record and not record[-1].strip():
            record.pop()
        if not record and number <= SPREADSHEET_ROWS:
            continue
        if len(record) > MAX_COLUMNS or number > MAX_ROWS:
            address = f"{column_letters(len(record) or 1)}{number}"
            refuse(
                f"{address} lies outside the first {MAX_ROWS:,} rows and {MAX_COLUMNS} columns that are read."
            )
        cells_left -= len(record)
        text_left -= sum(map(len, record))
        if cells_left < 0 or text_left < 0:
            refuse("This file holds more than can be read at once. Split it into smaller ones.")
        values: list[Value] = [read_text(text, coded=False) if text else None for text in record]
        yield Row(number, tuple(values))
