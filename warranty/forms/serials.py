"""Files of serial numbers as people send them: the forms, and the rows of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import BinaryIO

from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField
from wtforms.widgets import HiddenInput

from referral.errors import Problem, Refusal
from referral.formkit import EARLIEST_DAY, LATEST_DAY, HouseForm, LineField
from referral.sheetkit.cellwriter import Column, Kind
from referral.sheetkit.reader import OpenTable, open_table
from referral.sheetkit.table import Cell, Columns, Row
from referral.sheetkit.values import Unreadable, Value
from referral.text import clean_line, fold_model_number
from warranty.rules.serials import RefusedSerial, SerialFile, SerialLine

SHA256_LENGTH = 64
PAGE_ROWS = 100_000
"""Rows of a file at most."""

REQUIRED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "model_number": (
            "Model number", "Model", "Model no", "Model #", "Item", "Item number", "Part number", "Part no",
        ),
        "serial": ("Serial number", "Serial", "Serial no", "Serial #", "S/N", "SN"),
    }
)  # fmt: skip
OPTIONAL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "order": ("Order", "Order number", "Order no", "Order #"),
        "room": ("Room", "Space", "Area", "Location"),
        "delivered_on": ("Delivered", "Delivered on", "Delivery date", "Date delivered"),
        "commissioned_on": ("Commissioned", "Commissioned on", "Commissioning date", "Date commissioned"),
    }
)
FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "order": "Order",
        "model_number": "Model number",
        "room": "Room",
        "serial": "Serial number",
        "delivered_on": "Delivered",
        "commissioned_on": "Commissioned",
    }
)
_LONGEST = {"order": 30, "model_number": 60, "room": 100, "serial": 100}

REFUSED_COLUMNS = (
    *(Column(words, Kind.TEXT) for words in FIELDS.values()),
    Column("Row", Kind.INTEGER),
    Column("Refusal", Kind.TEXT),
    Column("Reason", Kind.TEXT),
)
"""Of the file of refused rows: it can be mended and imported as it is."""


class UploadSerialsForm(HouseForm):
    """A file of serial numbers."""

    file = FileField("File", validators=[FileRequired("Choose a file.")])


class ImportSerialsForm(HouseForm):
    """What was previewed, sent back: the file's digest, and whether refused rows are left out."""

    sha256 = LineField("File", longest=SHA256_LENGTH, widget=HiddenInput())
    good_only = BooleanField("Import the good rows and leave the refused ones out")


class ContinueSerialImportForm(HouseForm):
    """Nothing but the wish to go on."""


def refused_cells(line: RefusedSerial) -> tuple[int | str, ...]:
    """Return a refused row as the file of refused rows has it."""
    codes = dict.fromkeys(problem.code for problem in line.problems)
    reasons = [problem.message for problem in line.problems]
    return (*line.said, line.row, " ".join(codes), " ".join(reasons))


@dataclass(frozen=True)
class SerialSheet:
    """A file whose columns are found."""

    filename: str
    table: OpenTable

    @property
    def found(self) -> tuple[tuple[str, str], ...]:
        """What each column is, with the cell and the text of its heading."""
        header = self.table.columns.header
        return tuple(
            (FIELDS[name], f"{header[at - 1].address} “{header[at - 1].text}”")
            for name, at in self.table.columns.found.items()
        )

    @property
    def unused(self) -> tuple[str, ...]:
        """Headings of columns that are not read."""
        return tuple(f"{cell.address} “{cell.text}”" for cell in self.table.columns.unused)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the preview."""
        return self.table.columns.table.notes

    @property
    def file(self) -> SerialFile:
        """The file as it is imported."""
        return SerialFile(self.filename, self.table.sha256, self.lines)

    def lines(self) -> Iterator[SerialLine | RefusedSerial]:
        """Yield what each row says, from the first one. Raises Refusal(file_has_errors) at one that cannot be read."""
        reader = _LineReader(self.table.columns)
        return map(reader.read, self.table.rows())


def open_serial_sheet(source: BinaryIO, filename: str) -> SerialSheet:
    """Find the columns of a seekable file. The rows of delimited text are read one by one.

    Raises Refusal (file_too_large_or_not_a_workbook) or (file_has_errors) where the file as a whole cannot
    be read, with the file as its field.
    """
    try:
        table = open_table(source, filename=filename, required=REQUIRED, optional=OPTIONAL)
    except Refusal as refusal:
        raise Refusal(refusal.code, refusal.message, "file") from refusal
    return SerialSheet(filename, table)


class _LineReader:
    """Reads one row after the other."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._width = len(columns.header)
        self._has_nameless = any(cell.is_blank or cell.problem for cell in columns.header)
        self._at = {name: columns.found.get(name, 0) for name in FIELDS}

    def read(self, row: Row) -> SerialLine | RefusedSerial:
        """Return what a row says, or what cannot be read in it."""
        values = row.values
        problems: list[Problem] = []
        if (
            len(values) > self._width
            or self._has_nameless
            or any(type(value) is Unreadable for value in values)
        ):
            problems += next(iter(self._columns.records([row]))).problems
            if problems:
                return self._refused(row, problems)
        texts = {name: self._text(row, name, problems) for name in _LONGEST}
        delivered_on = self._day(row, "delivered_on", problems)
        commissioned_on = self._day(row, "commissioned_on", problems)
        if problems:
            return self._refused(row, problems)
        return SerialLine(
            row=row.number,
            order=texts["order"].upper(),
            model_number=fold_model_number(texts["model_number"]),
            room=texts["room"],
            serial=fold_model_number(texts["serial"]),
            delivered_on=delivered_on,
            commissioned_on=commissioned_on,
            address=self._address,
        )

    def _value(self, row: Row, name: str) -> Value:
        at = self._at[name]
        return row.values[at - 1] if 0 < at <= len(row.values) else None

    def _text(self, row: Row, name: str, problems: list[Problem]) -> str:
        value = self._value(row, name)
        text = "" if value is None else clean_line(value if isinstance(value, str) else Cell("", value).text)
        if not text and name in REQUIRED:
            problems.append(self._problem(row, name, f"the {FIELDS[name].lower()} is missing"))
        if len(text) > _LONGEST[name]:
            words = f"{FIELDS[name].lower()} longer than {_LONGEST[name]} characters"
            problems.append(self._problem(row, name, words))
        return text

    def _day(self, row: Row, name: str, problems: list[Problem]) -> date | None:
        value = self._value(row, name)
        if isinstance(value, datetime):
            day: date | None = value.date()
        elif isinstance(value, date):
            day = value
        else:
            text = clean_line(Cell("", value).text)
            if not text:
                return None
            try:
                day = date.fromisoformat(text) if len(text) == len("2026-01-31") else None
            except ValueError:
                day = None
        if day is None or not EARLIEST_DAY <= day <= LATEST_DAY:
            words = f"“{clean_line(Cell('', value).text)[:40]}” is no day; use a date cell, or type it as 2026-01-31"
            problems.append(self._problem(row, name, words))
            return None
        return day

    def _address(self, name: str, row: int) -> str:
        at = self._at[name]
        return self._columns.table.address(row, at) if at else f"row {row}"

    def _problem(self, row: Row, name: str, words: str) -> Problem:
        address = self._address(name, row.number)
        return Problem("file_has_errors", f"{address}: {words}.", address)

    def _refused(self, row: Row, problems: list[Problem]) -> RefusedSerial:
        said = []
        for name in FIELDS:
            value = self._value(row, name)
            said.append(f"({value})" if isinstance(value, Unreadable) else Cell("", value).text)
        return RefusedSerial(row.number, tuple(problems), tuple(said))
