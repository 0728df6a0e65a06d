"""Reading what people upload: one function for .xlsx and delimited text."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from referral.sheetkit.guard import MAX_UPLOAD_BYTES, Package, is_workbook, refuse
from referral.sheetkit.table import Table
from referral.sheetkit.textfile import read_text_table
from referral.sheetkit.workbook import read_workbook_table


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
        return read_workbook_table(Package(content), sheet, sha256)
    return read_text_table(content, sha256)
