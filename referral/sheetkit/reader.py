"""Reading what people upload: one function for .xlsx and delimited text."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from referral.sheetkit.guard import MAX_UPLOAD_BYTES, Package, is_workbook, refuse
from referral.sheetkit.table import HEADER_ROWS_TRIED, Columns, Row, Table
from referral.sheetkit.textfile import open_text, read_text_table
from referral.sheetkit.workbook import read_workbook_table

MAX_HEAD_BYTES = 1_000_000
"""How much of a file is looked at to tell what it is."""


def read_table(source: bytes | BinaryIO, *, filename: str, sheet: str | None = None) -> Table:
    """Read one sheet of an .xlsx workbook, or a CSV or tab-separated file, completely.

    The content decides, not the name; `filename` only serves to tell a mislabelled file. Of a workbook the visible
    sheet named `sheet` is read, without a name the first visible one that is not blank; `Table.other_sheets` and
    `Table.notes` say what was not read. Blank rows are left out, row numbers stay those the spreadsheet shows.

    Cells that cannot be read faithfully (error values, formulas without a saved result, impossible dates, numbers of
    too many digits, all but the first of merged cells) hold Unreadable and raise when their text is asked for.

    Raises Refusal: file_too_large_or_not_a_workbook when the file as a whole cannot be read or passes a limit of
    `referral.sheetkit.guard`; file_has_errors, with the address as its field, when the layout of the sheet cannot be
    trusted.
    """
    content = source if isinstance(source, bytes) else source.read(MAX_UPLOAD_BYTES + 1)
    if len(content) > MAX_UPLOAD_BYTES:
        refuse(f"This file is larger than {MAX_UPLOAD_BYTES // 1_000_000} MB. Split it into smaller ones.")
    sha256 = hashlib.sha256(content).hexdigest()
    if is_workbook(content, filename):
        return read_workbook_table(Package(io.BytesIO(content)), sheet, sha256)
    return read_text_table(content, sha256)


@dataclass(frozen=True, slots=True)
class OpenTable:
    """A table whose columns are found: `rows` gives the rows below the headings, from the first one again each time."""

    columns: Columns
    rows: Callable[[], Iterable[Row]]
    sha256: str


def open_table(
    source: BinaryIO,
    *,
    filename: str,
    required: Mapping[str, Sequence[str]],
    optional: Mapping[str, Sequence[str]],
) -> OpenTable:
    """Find the columns of a seekable file; delimited text is then read row by row, however long it is.

    A workbook is read completely, within the limits of `read_table`. Raises Refusal as `read_table` and
    `Table.columns` do; `rows` raises file_has_errors at a row of text that cannot be read.
    """
    source.seek(0)
    if is_workbook(source.read(MAX_HEAD_BYTES), filename):
        source.seek(0)
        table = read_table(source, filename=filename)
        found = table.columns(required, optional)
        return OpenTable(found, lambda: table.rows[found.header_index + 1 :], table.sha256)
    sha256 = _sha256(source)
    text = open_text(source)
    first = tuple(islice(text, HEADER_ROWS_TRIED))
    found = Table("", first, notes=text.notes, sha256=sha256).columns(required, optional)
    heading = first[found.header_index].number
    return OpenTable(found, lambda: (row for row in text if row.number > heading), sha256)


def _sha256(source: BinaryIO) -> str:
    digest = hashlib.sha256()
    source.seek(0)
    while piece := source.read(MAX_HEAD_BYTES):
        digest.update(piece)
    return digest.hexdigest()
