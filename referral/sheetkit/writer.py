"""Writing exports: workbooks of any length in constant memory, and CSV.

openpyxl makes the shell (styles, names, theme, relationships); the rows are streamed past it into the same package.
The same content gives the same bytes.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import BinaryIO

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from referral.sheetkit.cellwriter import (
    NUMBER_FORMATS,
    Changes,
    Column,
    Fact,
    Kind,
    Value,
    clean_text,
    delimited_text,
    plain_text,
)
from referral.sheetkit.sheetwriter import FactRows, Rows, Styles, safe_sheet_name

ROWS_PER_SHEET = 1_000_000
CONTROL_SHEET = "Control"
_HEADING_FILL = "FF1F3A4D"
_RULE = "FF5B6B76"
_MEMBER_DATE = (1980, 1, 1, 0, 0, 0)
_CORE = "docProps/core.xml"
_PROPERTIES = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dc:title>{title}</dc:title>{times}</cp:coreProperties>'
)
_NUMBERS = frozenset({Kind.INTEGER, Kind.CENTS, Kind.RATE, Kind.PERCENT})


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table to write: `rows` may be a generator, each row as long as `columns`."""

    name: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Value]]


@dataclass(frozen=True, slots=True)
class SheetReceipt:
    """What was written of one table: rows, and by column title what was added up (cents or units)."""

    name: str
    rows: int
    totals: Mapping[str, int]


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
    row. Sheet names are made to fit Excel. Numbers are exact decimals; those Excel could not keep are written as
    text. `made_at` (aware) is the only time in the file; without it there is none.

    Raises TypeError for a value that does not fit its column's kind, ValueError for a row of another length.
    """
    changes = Changes()
    receipts: list[SheetReceipt] = []
    control = [Fact("Title", title), Fact("Made at", made_at, Kind.INSTANT), *facts]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as package:
        book = _Book(package, title)
        for sheet in sheets:
            rows = Rows(sheet.columns, iter(sheet.rows), book.styles, changes)
            book.write(sheet.name, rows, rows_per_sheet)
            receipts.append(SheetReceipt(sheet.name, rows.count, rows.totals))
            control.append(Fact(f"{sheet.name}: rows", rows.count, Kind.INTEGER))
            control += [
                Fact(f"{sheet.name}: total of {column.title}", rows.totals[column.title], column.kind)
                for column in sheet.columns
                if column.total
            ]
        control += [
            Fact("Control characters removed", changes.characters_removed, Kind.INTEGER),
            Fact("Texts cut at 32,767 characters", changes.texts_cut, Kind.INTEGER),
            Fact("Numbers kept exact as text", changes.kept_as_text, Kind.INTEGER),
        ]
        book.write(CONTROL_SHEET, FactRows(control, book.styles, Changes()), ROWS_PER_SHEET)
        book.finish(made_at)
    return Receipt(tuple(receipts), changes)


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
    """The package that is being written and the openpyxl workbook that becomes its shell."""

    def __init__(self, package: zipfile.ZipFile, title: str) -> None:
        self._package = package
        self._title = clean_text(title, Changes())
        self._shell = Workbook()
        self._shell.remove(self._shell.worksheets[0])
        self.styles = _make_styles(self._shell)

    def write(self, name: str, rows: Rows, limit: int) -> None:
        """Write one table into as many sheets as it needs, at least one."""
        while True:
            taken = self._shell.sheetnames
            shell_sheet = self._shell.create_sheet(safe_sheet_name(name, taken))
            with self._package.open(_member(f"xl/worksheets/sheet{len(taken) + 1}.xml"), "w") as member:
                area = rows.write(member, title=self._title, is_first=not taken, limit=limit)
            shell_sheet.auto_filter.ref = area
            shell_sheet.print_title_rows = "1:1"
            if not rows.has_more:
                return

    def finish(self, made_at: datetime | None) -> None:
        """Add everything but the sheets: styles, names, relationships, properties."""
        saved = io.BytesIO()
        self._shell.save(saved)
        with zipfile.ZipFile(saved) as shell:
            for name in shell.namelist():
                if not name.startswith("xl/worksheets/"):
                    content = self._properties(made_at) if name == _CORE else shell.read(name)
                    self._package.writestr(_member(name), content)

    def _properties(self, made_at: datetime | None) -> str:
        """Return the document properties: openpyxl's would carry the time of day."""
        times = ""
        if made_at is not None:
            instant = plain_text(made_at.replace(microsecond=0), Kind.INSTANT)
            times = "".join(
                f'<dcterms:{name} xsi:type="dcterms:W3CDTF">{instant}</dcterms:{name}>'
                for name in ("created", "modified")
            )
        return _PROPERTIES.format(title=escape(self._title), times=times)


def _member(name: str) -> zipfile.ZipInfo:
    """Return a member that carries no time and no trace of the machine."""
    member = zipfile.ZipInfo(name, _MEMBER_DATE)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.create_system = 0
    return member


def _make_styles(book: Workbook) -> Styles:
    """Define all cell styles in the shell and return their numbers."""
    sheet = book.create_sheet()

    def number_of(kind: Kind, role: str) -> int:
        cell = sheet.cell(sheet.max_row + 1, 1)
        side = "right" if kind in _NUMBERS and role != "fact" else "left"
        cell.number_format = "@" if role == "heading" else NUMBER_FORMATS[kind]
        cell.font = Font(
            name="Calibri",
            size=11,
            bold=role in {"heading", "total"},
            color="FFFFFFFF" if role == "heading" else None,
        )
        cell.fill = PatternFill("solid", fgColor=_HEADING_FILL) if role == "heading" else PatternFill()
        cell.border = (
            Border(top=Side("thin", _RULE), bottom=Side("double", _RULE)) if role == "total" else Border()
        )
        cell.alignment = Alignment(
            horizontal=side, indent=1, vertical="center" if role == "heading" else "top"
        )
        return int(cell.style_id)

    styles = Styles(
        *({kind: number_of(kind, role) for kind in Kind} for role in ("heading", "cell", "total", "fact"))
    )
    book.remove(sheet)
    return styles
