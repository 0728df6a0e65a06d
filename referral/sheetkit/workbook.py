"""Reading an .xlsx package: which sheet, which strings, which formats, which rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from referral.errors import Refusal
from referral.sheetkit.guard import (
    MAX_DEPTH,
    MAX_PARTS,
    Limits,
    Package,
    refuse,
)
from referral.sheetkit.sheetscan import SheetScan
from referral.sheetkit.table import Table
from referral.sheetkit.values import format_kind, read_text

_RELATIONSHIPS = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships id",
    "http://purl.oclc.org/ooxml/officeDocument/relationships id",
)


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """A sheet as the workbook lists it; `part` is empty for a chart."""

    name: str
    part: str
    is_visible: bool


def read_workbook_table(package: Package, wanted: str | None, sha256: str) -> Table:
    """Read one sheet, as `referral.sheetkit.reader.read_table` says."""
    book = workbook_part(package)
    epoch_1904, sheets, targets = contents(package, book)
    if len(sheets) > MAX_PARTS:
        refuse("This workbook has more sheets than can be read. Copy the table into a new workbook.")
    strings: list[str] = []
    read_strings(package, targets.get("sharedStrings"), strings.append)
    kinds = format_kinds(package, targets.get("styles"))
    readable = [sheet for sheet in sheets if sheet.is_visible and sheet.part]
    tried = [sheet for sheet in readable if wanted is None or sheet.name.casefold() == wanted.casefold()]
    for sheet in tried:
        scan = SheetScan(sheet.name if len(sheets) > 1 else "", strings, kinds, epoch_1904)
        package.scan(sheet.part, scan)
        rows = scan.finish()
        if rows or sheet is tried[-1]:
            others = tuple(other.name for other in sheets if other.is_visible and other is not sheet)
            hidden = [other.name for other in sheets if not other.is_visible]
            notes = _notes(sheet, others, hidden, scan)
            return Table(sheet.name, rows, others, notes, sha256, has_sheets=len(sheets) > 1)
    raise Refusal(
        "file_has_errors", "This workbook has no visible sheet" + (f" named “{wanted}”." if wanted else ".")
    )


def _notes(
    sheet: SheetEntry, others: Sequence[str], hidden: Sequence[str], scan: SheetScan
) -> tuple[str, ...]:
    notes = [f"The sheet “{other}” was not read, only “{sheet.name}”." for other in others]
    notes += [f"The hidden sheet “{other}” was not read." for other in hidden]
    if scan.hidden_rows:
        notes.append(f"{scan.hidden_rows:,} hidden rows were read like the others.")
    if scan.hidden_columns:
        notes.append(f"The hidden columns {', '.join(scan.hidden_columns)} were read like the others.")
    return tuple(notes)


def workbook_part(package: Package) -> str:
    """Return the name of the part that lists the sheets."""
    parts = [part for kind, part in package.targets("").values() if kind == "officeDocument"]
    if not parts:
        refuse("This is not an Excel workbook. Open it where it was made, save it as .xlsx and upload that.")
    return parts[0]


def contents(package: Package, book: str) -> tuple[bool, list[SheetEntry], dict[str, str]]:
    """Return whether days count from 1904, the sheets in their order, and the parts by kind."""
    if book.endswith(".bin"):
        refuse("This is a binary workbook (.xlsb). Save it as .xlsx and upload that.")
    targets = package.targets(book)
    epoch_1904 = False
    sheets: list[SheetEntry] = []
    for local, attributes in package.elements(book, "workbookPr", "sheet"):
        if local == "workbookPr":
            epoch_1904 = attributes.get("date1904") in {"1", "true"}
            continue
        link = next((attributes[name] for name in _RELATIONSHIPS if name in attributes), "")
        kind, part = targets.get(link, ("", ""))
        state = attributes.get("state", "visible")
        sheets.append(
            SheetEntry(attributes.get("name", ""), part if kind == "worksheet" else "", state == "visible")
        )
    return epoch_1904, sheets, dict(targets.values())


def format_kinds(package: Package, styles: str | None) -> tuple[str, ...]:
    """Return for each cell style what its number format shows; see `format_kind`."""
    if styles is None:
        return ()
    codes: dict[int, str] = {}
    used: list[int] = []
    in_cell_styles = False
    for local, attributes in package.elements(styles, "numFmt", "cellStyleXfs", "cellXfs", "xf"):
        if local == "numFmt":
            codes.setdefault(_number_format(attributes), attributes.get("formatCode", ""))
        elif local == "xf" and in_cell_styles:
            used.append(_number_format(attributes))
        elif local != "xf":
            in_cell_styles = local == "cellXfs"
    return tuple(format_kind(number, codes.get(number)) for number in used)


def _number_format(attributes: dict[str, str]) -> int:
    stated = attributes.get("numFmtId", "0")
    if not (stated.isascii() and stated.isdigit() and len(stated) < 10):
        refuse("The styles of this workbook are damaged. Open it in Excel, save it and upload it again.")
    return int(stated)


def read_strings(package: Package, part: str | None, keep: Callable[[str], object]) -> None:
    """Hand the shared strings to `keep` in their order."""
    if part is not None:
        package.scan(part, _Strings(keep, package.limits))


class _Strings:
    """Reads shared strings: plain ones and the runs of formatted ones, without their phonetic hints."""

    def __init__(self, keep: Callable[[str], object], limits: Limits) -> None:
        self._keep, self._limits = keep, limits
        self._path: list[str] = []
        self._pieces: list[str] = []
        self._length = 0
        self._is_text = False
        self._text_left, self._strings_left = limits.text, limits.strings

    def opened(self, name: str, _attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "si":
            self._pieces, self._length = [], 0
        self._is_text = local == "t" and self._path[-1:] in (["si"], ["r"])
        self._path.append(local)
        if len(self._path) > MAX_DEPTH:
            refuse("This workbook is not laid out as Excel does it. Copy the table into a new workbook.")

    def closed(self, _name: str) -> None:
        self._is_text = False
        if self._path.pop() != "si":
            return
        self._keep(read_text("".join(self._pieces), coded=True, longest=self._limits.cell_text))
        self._strings_left -= 1
        self._text_left -= self._length
        if self._text_left < 0 or self._strings_left < 0:
            refuse("This workbook holds more text than can be read at once. Split it into smaller ones.")

    def said(self, text: str) -> None:
        if self._is_text and self._length <= self._limits.cell_text:
            self._pieces.append(text)
            self._length += len(text)
