"""Forms of a bill's import and of design files: paste or upload, how it is read, what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import PurePath
from typing import Any

from flask_wtf.file import FileField, FileRequired
from werkzeug.datastructures import FileStorage, MultiDict
from wtforms import BooleanField, RadioField, SelectChoice, SelectField, TextAreaField, ValidationError
from wtforms.widgets import HiddenInput

from quotes.forms.bill_files import Reading, SaidReading, file_columns, headings_of
from quotes.forms.builder import LARGEST_VERSION, MODEL_NUMBER_LENGTH, number_of
from quotes.queries.bills import CheckedBill
from quotes.rules.bills import COLUMN_WORDS, NEEDED, BillColumn, RefusedRow
from referral.formkit import HouseForm, LineField, QuantityField
from referral.sheetkit.cellwriter import Column, Kind
from referral.sheetkit.table import HEADER_ROWS_TRIED, Table
from referral.text import clean_line, fold_model_number

SHA256_LENGTH = 64
PASTED = "pasted.tsv"
"""The name under which pasted text is kept."""
LONGEST_NAME = 200
LONGEST_SHEET = 100
LONGEST_NUMBER = 7
CHOICES = 60
"""Model numbers chosen instead of unknown ones that one preview keeps: they stand in its address."""
APPEND, REPLACE = "append", "replace"

REFUSED_COLUMNS = (
    *(Column(words, Kind.TEXT) for words in COLUMN_WORDS.values()),
    Column("Row", Kind.INTEGER),
    Column("Refusal", Kind.TEXT),
    Column("Reason", Kind.TEXT),
)
"""Of the file of refused rows: it can be mended and imported as it is."""

_USE = re.compile(r"use-([0-9]{1,7})", re.ASCII)


def plain_filename(text: str | None) -> str:
    """Return the name of an uploaded file without folders."""
    return clean_line(PurePath((text or "").replace("\\", "/")).name)[:LONGEST_NAME] or "file"


def _taken(sent: FileStorage) -> tuple[str, bytes]:
    """Return the name and the bytes of what was sent, and let go of its temporary file."""
    with closing(sent):
        return plain_filename(sent.filename), sent.read()


def refused_cells(row: RefusedRow) -> tuple[int | str, ...]:
    """Return a refused row as the file of refused rows has it."""
    codes = dict.fromkeys(problem.code for problem in row.problems)
    reasons = [problem.message for problem in row.problems]
    return (*row.said, row.number, " ".join(codes), " ".join(reasons))


class PastedField(TextAreaField):
    """Rows as they were pasted, tabs and all; shown again without characters that no page has."""

    def _value(self) -> str:
        return "".join(filter(_is_shown, str(self.data or "")))


def _is_shown(character: str) -> bool:
    return character in "\t\n" or character.isprintable() or (character.isspace() and ord(character) > 0x9F)


class UploadBillForm(HouseForm):
    """Rows pasted out of a spreadsheet, or a file."""

    pasted = PastedField("Paste rows from Excel")
    file = FileField("Or a file")

    def validate_file(self, checked: FileField) -> None:
        """Take one of the two."""
        if checked.data and self.has_text:
            raise ValidationError("Paste rows or choose a file, not both.")
        if not checked.data and not self.has_text:
            raise ValidationError("Paste rows above, or choose a file.")

    @property
    def has_text(self) -> bool:
        """Whether something is pasted."""
        return bool((self.pasted.data or "").strip())

    def content(self) -> tuple[str, bytes]:
        """Return the name and the bytes of what is to be read."""
        if self.has_text:
            return PASTED, str(self.pasted.data).encode("utf-8", "replace")
        return _taken(self.file.data)


class AttachDesignFileForm(HouseForm):
    """A design file to attach."""

    file = FileField("File", validators=[FileRequired("Choose a file.")])

    def content(self) -> tuple[str, bytes]:
        """Return the name and the bytes of the file."""
        return _taken(self.file.data)


class ReadBillForm(HouseForm):
    """How a kept file is read; it stands in the preview's address."""

    class Meta:
        """A form that only reads carries no token."""

        csrf = False

    sheet = SelectField("Sheet", validate_choice=False)
    heading = SelectField("Headings", validate_choice=False)
    model_number = SelectField(COLUMN_WORDS[BillColumn.MODEL_NUMBER], validate_choice=False)
    quantity = SelectField(COLUMN_WORDS[BillColumn.QUANTITY], validate_choice=False)
    room = SelectField(COLUMN_WORDS[BillColumn.ROOM], validate_choice=False)
    list_price = SelectField(COLUMN_WORDS[BillColumn.LIST_PRICE], validate_choice=False)
    add_up = BooleanField("Add up rows of the same model number in the same room")
    columns_of = LineField("Columns of", optional=True, widget=HiddenInput())
    """The sheet and heading row that the chosen columns are of: another sheet has other columns."""

    def offer(self, table: Table, reading: Reading) -> None:
        """Offer the sheets, rows and columns that this file has, and choose those it is read by."""
        self.sheet.choices = [SelectChoice(name, name) for name in (table.sheet, *table.other_sheets)]
        self.sheet.data = table.sheet
        rows = table.rows[:HEADER_ROWS_TRIED]
        self.heading.choices = [SelectChoice("0", "There are none: the first row is a line")]
        for row in rows:
            texts = [text for text in headings_of(table, row.number) if text]
            self.heading.choices.append(
                SelectChoice(str(row.number), f"Row {row.number}: {', '.join(texts)[:60]}")
            )
        self.heading.data = str(reading.heading)
        columns = [
            SelectChoice(str(column.at), column.words) for column in file_columns(table, reading.heading)
        ]
        for name in BillColumn:
            first = "Choose the column" if name in NEEDED else "There is none"
            field = self[name.value]
            field.choices = [SelectChoice("", first), *columns]
            field.data = str(reading.columns.get(name, ""))
        self.columns_of.data = _columns_of(table, reading.heading)


def _columns_of(table: Table, heading: int) -> str:
    return clean_line(f"{heading} {table.sheet}")[:LONGEST_NAME]


class ChosenBill:
    """What the address of a preview, or its form sent back, says about a file."""

    def __init__(self, fields: MultiDict[str, str]) -> None:
        """Read the fields; what cannot be read is as if it were not there."""
        self.sheet = "".join(filter(_is_plain, fields.get("sheet", "")))[:LONGEST_SHEET]
        self.add_up = fields.get("add_up", "") not in {"", "false", "0"}
        self.uses: dict[int, str] = {}
        """Row to the model number that is meant."""
        self._heading = _number(fields.get("heading"))
        self._columns_of = clean_line(fields.get("columns_of", ""))
        self._columns = {
            column: at
            for column in BillColumn
            if (at := _number(fields.get(column.value))) is not None and at > 0
        }
        self._is_said = any(column.value in fields for column in BillColumn)
        for name, text in fields.items():
            match = _USE.fullmatch(name)
            number = fold_model_number(clean_line(text))
            if match and 0 < len(number) <= MODEL_NUMBER_LENGTH and len(self.uses) < CHOICES:
                self.uses[int(match[1])] = number

    def said(self, table: Table) -> SaidReading:
        """Return what is said of this sheet's headings and columns."""
        rows = {0, *(row.number for row in table.rows[:HEADER_ROWS_TRIED])}
        heading = self._heading if self._heading in rows else None
        if not self._is_said or heading is None:
            return SaidReading(heading)
        is_of_this = self._columns_of in {"", _columns_of(table, heading)}
        return SaidReading(heading, self._columns if is_of_this else None)

    def query(self, reading: Reading, table: Table) -> dict[str, str]:
        """Return the fields that give this preview again, with the columns as they are read."""
        said: dict[str, str] = {"sheet": table.sheet} if table.sheet else {}
        said |= {"heading": str(reading.heading), "columns_of": _columns_of(table, reading.heading)}
        said |= {column.value: str(reading.columns.get(column, "")) for column in BillColumn}
        if self.add_up:
            said["add_up"] = "y"
        return said | self.use_fields

    @property
    def use_fields(self) -> dict[str, str]:
        """The chosen model numbers as fields."""
        return {f"use-{row}": number for row, number in self.uses.items()}


def _is_plain(character: str) -> bool:
    """Keep the spaces of a sheet's name as they are: it is looked up by them."""
    return character.isprintable() or character == "\u00a0"


def _number(text: str | None) -> int | None:
    text = text or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else None


class ImportBillForm(HouseForm):
    """What was previewed, sent back: the file's digest, the draft's version, where the lines go."""

    sha256 = LineField("File", longest=SHA256_LENGTH, widget=HiddenInput())
    revision_number = QuantityField("Revision", maximum=LARGEST_VERSION, widget=HiddenInput())
    draft_version = QuantityField("Version of the draft", maximum=LARGEST_VERSION, widget=HiddenInput())
    placement = RadioField(
        "Where the lines go", choices=[SelectChoice(APPEND, ""), SelectChoice(REPLACE, "")]
    )
    good_only = BooleanField("Import the good rows and leave the refused ones out")
    attach = BooleanField("Attach this file to the draft as a design file")

    def validate_draft_version(self, checked: QuantityField) -> None:
        """Refuse a version of blanks: a draft is not saved over unread."""
        number_of(checked)

    def validate_revision_number(self, checked: QuantityField) -> None:
        """Refuse a number of blanks."""
        number_of(checked)

    def offer(self, checked: CheckedBill) -> None:
        """Say what the choices mean for this draft."""
        count = checked.draft.line_count
        lines = "the one line" if count == 1 else f"the {count:,} lines"
        self.placement.choices = [
            SelectChoice(APPEND, f"Add them after {lines} of the draft"),
            SelectChoice(REPLACE, f"Replace {lines} of the draft; what is ordered already stays ordered"),
        ]


def import_data(checked: CheckedBill, sha256: str) -> Mapping[str, Any]:
    """Return what the import's form says at first."""
    return {
        "sha256": sha256,
        "revision_number": checked.draft.revision_number,
        "draft_version": checked.draft.draft_version,
        "placement": APPEND,
    }
