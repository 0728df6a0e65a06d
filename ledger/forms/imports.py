"""Files of other purchases or earlier credit as people send them: the forms, and the rows of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import BinaryIO

from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField
from wtforms.widgets import HiddenInput

from ledger.rules.imports import CreditFile, CreditLine, RefusedLine
from ledger.states import EntryKind
from referral.errors import Problem, Refusal
from referral.formkit import HouseForm, LineField, ParagraphField, choice_field
from referral.money import MAX_CENTS, NotANumber, parse_cents
from referral.sheetkit.cellwriter import Column, Kind
from referral.sheetkit.reader import OpenTable, open_table
from referral.sheetkit.table import Cell, Columns, Row
from referral.sheetkit.values import Number, Unreadable, Value
from referral.text import clean_line

SHA256_LENGTH = 64
PAGE_ROWS = 20_000
"""Rows that a page imports; the command line takes files of any length."""

REQUIRED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "day": ("Day", "Date", "Purchase date", "Invoice date", "Document date", "Effective day", "Effective date"),
        "amount": ("Amount", "Amount USD", "Amount (USD)", "Amount ($)", "Net amount", "Total"),
        "document": (
            "Document", "Document number", "Document no", "Invoice", "Invoice number", "Invoice no", "Reference",
        ),
    }
)  # fmt: skip
OPTIONAL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dealer": ("Dealer", "Dealer code", "Code"),
        "account_number": (
            "Account number", "Account no", "Account #", "Account", "Lutron account number", "Customer number",
        ),
        "memo": ("Memo", "Note", "Notes", "Description", "Comment"),
    }
)  # fmt: skip
FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "dealer": "Dealer",
        "account_number": "Account number",
        "day": "Day",
        "amount": "Amount",
        "document": "Document",
        "memo": "Memo",
    }
)
_LONGEST: Mapping[str, int] = MappingProxyType(
    {"dealer": 60, "account_number": 60, "document": 80, "memo": 300}
)

IMPORT_WORDS = {
    EntryKind.OTHER_PURCHASE: "Other purchases",
    EntryKind.OPENING_CREDIT: "Earlier sales credit",
}

REFUSED_COLUMNS = (
    Column("Row", Kind.INTEGER),
    Column("Refusal", Kind.TEXT),
    Column("Reason", Kind.TEXT),
    *(Column(words, Kind.TEXT) for words in FIELDS.values()),
)
"""Of the file of refused rows: it can be mended and imported as it is."""


class UploadCreditImportForm(HouseForm):
    """A file, and what its rows are."""

    file = FileField("File", validators=[FileRequired("Choose a file.")])
    kind = choice_field("What the rows are", IMPORT_WORDS)


class PostCreditImportForm(HouseForm):
    """What was previewed, sent back: the file's digest, what its rows are, why."""

    sha256 = LineField("File", longest=SHA256_LENGTH, widget=HiddenInput())
    kind = LineField("What the rows are", longest=40, widget=HiddenInput())
    reason = ParagraphField("Reason", longest=300)
    good_only = BooleanField("Post the good rows and leave the refused ones out")


def import_kind(text: str) -> EntryKind:
    """Read the kind of an import. Raises Refusal(not_found)."""
    for kind in IMPORT_WORDS:
        if kind.value == text:
            return kind
    raise Refusal("not_found")


def refused_cells(line: RefusedLine) -> tuple[int | str, ...]:
    """Return a refused row as the file of refused rows has it."""
    codes = dict.fromkeys(problem.code for problem in line.problems)
    reasons = [problem.message for problem in line.problems]
    return (line.row, " ".join(codes), " ".join(reasons), *line.said)


@dataclass(frozen=True)
class CreditSheet:
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
    def file(self) -> CreditFile:
        """The file as it is imported."""
        return CreditFile(self.filename, self.table.sha256, self.lines)

    def lines(self) -> Iterator[CreditLine | RefusedLine]:
        """Yield what each row says, from the first one. Raises Refusal(file_has_errors) at one that cannot be read."""
        reader = _LineReader(self.table.columns)
        return map(reader.read, self.table.rows())


def open_credit_sheet(source: BinaryIO, filename: str) -> CreditSheet:
    """Find the columns of a seekable file. The rows of delimited text are read one by one.

    Raises Refusal (file_too_large_or_not_a_workbook) or (file_has_errors) where the file as a whole cannot
    be read, with the file as its field.
    """
    try:
        table = open_table(source, filename=filename, required=REQUIRED, optional=OPTIONAL)
    except Refusal as refusal:
        raise Refusal(refusal.code, refusal.message, "file") from refusal
    if not table.columns.found.keys() & {"dealer", "account_number"}:
        words = "No column has the heading “Dealer” nor “Account number”."
        raise Refusal("file_has_errors", words, "file")
    return CreditSheet(filename, table)


class _LineReader:
    """Reads one row after the other; what is usual takes the short way."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._width = len(columns.header)
        self._has_nameless = any(cell.is_blank or cell.problem for cell in columns.header)
        self._at = {name: columns.found.get(name, 0) - 1 for name in FIELDS}

    def read(self, row: Row) -> CreditLine | RefusedLine:
        """Return what a row says, or what cannot be read in it."""
        values = row.values
        if (
            len(values) > self._width
            or self._has_nameless
            or any(type(value) is Unreadable for value in values)
        ):
            record = next(iter(self._columns.records([row])))
            if record.problems:
                return self._refused(row, list(record.problems))
        problems: list[Problem] = []
        texts = {name: self._text(row, name, problems) for name in _LONGEST}
        day = self._day(row, problems)
        amount_cents = self._amount(row, problems)
        if not texts["document"]:
            problems.append(self._problem(row, "document", "the document is missing"))
        if problems or day is None or amount_cents is None:
            return self._refused(row, problems)
        return CreditLine(row.number, day=day, amount_cents=amount_cents, address=self._address, **texts)

    def _value(self, row: Row, name: str) -> Value:
        at = self._at[name]
        return row.values[at] if 0 <= at < len(row.values) else None

    def _text(self, row: Row, name: str, problems: list[Problem]) -> str:
        value = self._value(row, name)
        text = "" if value is None else clean_line(value if isinstance(value, str) else Cell("", value).text)
        if len(text) > _LONGEST[name]:
            words = f"{FIELDS[name].lower()} longer than {_LONGEST[name]} characters"
            problems.append(self._problem(row, name, words))
        return text

    def _day(self, row: Row, problems: list[Problem]) -> date | None:
        value = self._value(row, "day")
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        text = value.strip() if isinstance(value, str) and not isinstance(value, Number) else ""
        if len(text) == len("2026-01-31"):
            try:
                return date.fromisoformat(text)
            except ValueError:
                pass
        said = clean_line(Cell("", value).text)[:40]
        words = (
            f"“{said}” is no day; use a date cell, or type it as 2026-01-31" if said else "the day is missing"
        )
        problems.append(self._problem(row, "day", words))
        return None

    def _amount(self, row: Row, problems: list[Problem]) -> int | None:
        value = self._value(row, "amount")
        text = value if isinstance(value, str) else Cell("", value).text
        if not text.strip():
            problems.append(self._problem(row, "amount", "the amount is missing"))
            return None
        try:
            return parse_cents(text, minimum=-MAX_CENTS)
        except NotANumber as error:
            said = f"“{clean_line(text)[:40]}” is no amount. {error}"
            problems.append(self._problem(row, "amount", said.rstrip(".")))
            return None

    def _address(self, name: str, row: int) -> str:
        at = self._at[name]
        return self._columns.table.address(row, at + 1) if at >= 0 else f"row {row}"

    def _problem(self, row: Row, name: str, words: str) -> Problem:
        address = self._address(name, row.number)
        return Problem("file_has_errors", f"{address}: {words}.", address)

    def _refused(self, row: Row, problems: list[Problem]) -> RefusedLine:
        said = []
        for name in FIELDS:
            value = self._value(row, name)
            said.append(f"({value})" if isinstance(value, Unreadable) else Cell("", value).text)
        return RefusedLine(row.number, tuple(problems), tuple(said))
