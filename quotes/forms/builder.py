"""The builder's grid: product lines, services, the dealer's account number, a note."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, FieldList, Form, FormField, ValidationError
from wtforms.widgets import HiddenInput

from quotes.operations.quotes import LineInput, ServiceInput
from quotes.queries.quotes import QuotePage
from quotes.rules.content import MAX_LINES
from quotes.states import ServiceKind, ServicesState
from referral.formkit import (
    CentsField,
    HouseForm,
    LineField,
    ModelNumberField,
    ParagraphField,
    QuantityField,
    choice_field,
)
from referral.text import clean_line, fold_model_number

SERVICE_WORDS = {
    ServiceKind.DESIGN: "Design",
    ServiceKind.PRE_WIRE: "Pre-wire",
    ServiceKind.INSTALL: "Install",
    ServiceKind.COMMISSIONING: "Commissioning",
    ServiceKind.PROGRAMMING: "Programming",
    ServiceKind.OTHER: "Other labor",
}
MODEL_NUMBER_LENGTH = 60
ROOM_LENGTH = 80
DESCRIPTION_LENGTH = 200
NOTE_LENGTH = 2_000
ACCOUNT_NUMBER_LENGTH = 40
LARGEST_VERSION = 999_999_999
MAX_SERVICES = 100
EMPTY_LINES = 3
MORE_LINES = 10
MAX_EMPTY_LINES = 100
EMPTY_SERVICES = 3
FAULTS_SAID = 3
"""Faults that the status line names."""

_PICTURE = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u20e3]")
_ACCOUNT_NUMBER = re.compile(r"[\w .\-\u00a0\u2010-\u2013]*")


def has_pictures(text: str) -> bool:
    """Say whether a text holds emoji."""
    return _PICTURE.search(text) is not None


def without_pictures(_form: object, checked: Field) -> None:
    """Refuse emoji: quotes are printed, exported and compared as text."""
    if has_pictures(checked.data or ""):
        raise ValidationError("Use letters, digits and punctuation; pictures are not kept.")


def number_of(checked: CentsField | QuantityField) -> int:
    """Return the number of a field that is needed. Raises ValidationError where there is none."""
    if checked.data is None:
        raise ValidationError("This is needed.")
    return int(checked.data)


class DraftLineForm(Form):
    """One product line. `list_price` is never asked for: whoever sends it must send the list's."""

    line_id = LineField("Line", optional=True, longest=36, widget=HiddenInput())
    model_number = ModelNumberField("Model number", longest=MODEL_NUMBER_LENGTH)
    room = LineField("Room", optional=True, longest=ROOM_LENGTH)
    quantity = QuantityField("Quantity")
    list_price = CentsField("List price", optional=True)
    remove = BooleanField("Remove")

    validate_room = without_pictures

    def validate_quantity(self, checked: QuantityField) -> None:
        """Refuse a quantity of blanks."""
        if not checked.process_errors:
            number_of(checked)

    def said(self) -> LineInput:
        """Return the line as the operation takes it."""
        return LineInput(
            model_number=self.model_number.data,
            quantity=number_of(self.quantity),
            room=self.room.data,
            line_id=_line_id(self.line_id.data),
            list_price_cents=self.list_price.data,
        )


def _line_id(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


class DraftServiceForm(Form):
    """One service or labor line."""

    kind = choice_field("Kind", SERVICE_WORDS)
    description = LineField("Description", optional=True, longest=DESCRIPTION_LENGTH)
    amount = CentsField("Amount")
    remove = BooleanField("Remove")

    validate_description = without_pictures

    def validate_amount(self, checked: CentsField) -> None:
        """Refuse an amount of blanks."""
        if not checked.process_errors:
            number_of(checked)

    def said(self) -> ServiceInput:
        """Return the service as the operation takes it."""
        return ServiceInput(ServiceKind(self.kind.data), self.description.data, number_of(self.amount))


class SaveDraftForm(HouseForm):
    """The whole grid of a draft, with the version that was read."""

    revision_number = QuantityField("Revision", maximum=LARGEST_VERSION, widget=HiddenInput())
    draft_version = QuantityField("Version of the draft", maximum=LARGEST_VERSION, widget=HiddenInput())
    account_number = LineField("Dealer's account number", optional=True, longest=ACCOUNT_NUMBER_LENGTH)
    lines = FieldList(FormField(DraftLineForm), "Products")
    services = FieldList(FormField(DraftServiceForm), "Services and labor")
    has_no_services = BooleanField("No services or labor on this quote")
    note = ParagraphField("Note to the dealer", optional=True, longest=NOTE_LENGTH)

    validate_note = without_pictures

    def validate_draft_version(self, checked: QuantityField) -> None:
        """Refuse a version of blanks: without one a draft could be saved over unread."""
        number_of(checked)

    def validate_revision_number(self, checked: QuantityField) -> None:
        """Refuse a number of blanks."""
        number_of(checked)

    def validate_account_number(self, checked: Field) -> None:
        """Take what an account number can be; whether it is the dealer's is checked on submission."""
        if not _ACCOUNT_NUMBER.fullmatch(checked.data):
            raise ValidationError("An account number has letters, digits, spaces and hyphens.")

    def validate_has_no_services(self, checked: Field) -> None:
        """Refuse to say both: a tick would throw the typed services away."""
        if checked.data and len(self.services):
            raise ValidationError("There are services below. Remove them, or take this tick away.")

    def validate_services(self, checked: Field) -> None:
        """Refuse more services than a quote has."""
        if len(checked) > MAX_SERVICES:
            raise ValidationError(f"A quote has at most {MAX_SERVICES} services.")

    def line_inputs(self) -> list[LineInput]:
        """Return the product lines in order."""
        return [entry.form.said() for entry in self.lines]

    def service_inputs(self) -> list[ServiceInput]:
        """Return the services in order."""
        return [entry.form.said() for entry in self.services]

    def add_empty_rows(self, lines: int) -> None:
        """Offer rows to type into, after everything that is there. For showing, not for saving."""
        for _ in range(lines):
            self.lines.append_entry()
        for _ in range(EMPTY_SERVICES):
            self.services.append_entry()


class SubmitRevisionForm(HouseForm):
    """The version of the draft that was read before it is submitted."""

    draft_version = QuantityField("Version of the draft", maximum=LARGEST_VERSION, widget=HiddenInput())

    def validate_draft_version(self, checked: QuantityField) -> None:
        """Refuse a version of blanks: a draft is not submitted unread."""
        number_of(checked)


# rows before they are a form --------------------------------------------------------------------

_CELL = re.compile(
    r"\A(lines|services)-([0-9]{1,6})-"
    r"(line_id|model_number|room|quantity|list_price|kind|description|amount|remove)\Z",
    re.ASCII,
)


@dataclass
class Row:
    """One row as it came in: its number on the page and its cells as typed."""

    index: int
    cells: dict[str, str] = field(default_factory=dict)

    def typed(self, *names: str) -> bool:
        """Say whether something stands in one of these cells."""
        return any(self.cells.get(name, "").strip() for name in names)


@dataclass
class Grid:
    """The rows of the builder as they came in, and everything else of its form."""

    lines: list[Row]
    services: list[Row]
    others: list[tuple[str, str]]

    def drop_removed(self) -> None:
        """Leave out ticked rows, emptied lines and rows nobody typed into; number the rest from 0."""
        self.lines = [
            row
            for row in self.lines
            if not row.cells.get("remove")
            and (row.typed("model_number") or (not row.typed("line_id") and row.typed("room", "quantity")))
        ]
        self.services = [
            row for row in self.services if not row.cells.get("remove") and row.typed("description", "amount")
        ]
        for rows in (self.lines, self.services):
            for index, row in enumerate(rows):
                row.index = index

    def add_line(self, model_number: str, units: int = 1) -> None:
        """Add a line in the room of the line before it."""
        room = self.lines[-1].cells.get("room", "") if self.lines else ""
        cells = {"model_number": model_number, "room": room, "quantity": str(units)}
        self.lines.append(Row(len(self.lines), cells))

    def move_line(self, index: int, step: int) -> int:
        """Move a line up (-1) or down (1) as far as there is room; returns where it is then."""
        there = index + step
        if 0 <= index < len(self.lines) and 0 <= there < len(self.lines):
            rows = self.lines
            rows[index].index, rows[there].index = there, index
            rows[index], rows[there] = rows[there], rows[index]
            return there
        return index

    def model_numbers(self) -> list[str]:
        """Return the typed model numbers, folded, those that can be on a list at all."""
        numbers = (fold_model_number(clean_line(row.cells.get("model_number", ""))) for row in self.lines)
        return [number for number in numbers if 0 < len(number) <= MODEL_NUMBER_LENGTH]

    def fields(self) -> MultiDict[str, str]:
        """Return the grid as a form reads it."""
        pairs = list(self.others)
        for name, rows in (("lines", self.lines), ("services", self.services)):
            pairs += [
                (f"{name}-{row.index}-{cell}", text) for row in rows for cell, text in row.cells.items()
            ]
        return MultiDict(pairs)


def read_grid(fields: MultiDict[str, str]) -> Grid:
    """Sort what came in into rows, in the order of their numbers.

    At most one line more than a revision takes is read, so that the operation says that there are too many.
    """
    rows: dict[str, dict[int, Row]] = {"lines": {}, "services": {}}
    others: list[tuple[str, str]] = []
    for name, text in fields.items(multi=True):
        match = _CELL.match(name)
        if match is None:
            if not name.startswith(("lines-", "services-")):
                others.append((name, text))
            continue
        index = int(match[2])
        rows[match[1]].setdefault(index, Row(index)).cells[match[3]] = text
    return Grid(
        lines=[rows["lines"][index] for index in sorted(rows["lines"])][: MAX_LINES + 1],
        services=[rows["services"][index] for index in sorted(rows["services"])][: MAX_SERVICES + 1],
        others=others,
    )


def saved_draft(page: QuotePage) -> dict[str, Any]:
    """Return a saved draft as the form shows it."""
    revision = page.revision
    return {
        "revision_number": revision.number,
        "draft_version": revision.draft_version,
        "account_number": revision.account_number,
        "note": revision.note,
        "has_no_services": revision.services_state is ServicesState.NONE,
        "lines": [
            {
                "line_id": str(row.line.line_id),
                "model_number": row.line.model_number,
                "room": row.line.room,
                "quantity": row.line.quantity,
            }
            for row in page.lines
        ],
        "services": [
            {"kind": row.kind.value, "description": row.description, "amount": row.amount_cents}
            for row in page.services
        ],
    }


def row_errors(form: SaveDraftForm) -> list[tuple[str, str, str]]:
    """Return (control's id, what and where, sentences) for each cell that is wrong, in order."""
    found: list[tuple[str, str, str]] = []
    for rows, word in ((form.lines, "Line"), (form.services, "Service")):
        for number, entry in enumerate(rows, 1):
            found += [
                (_shown_id(cell), f"{word} {number}, {cell.label.text.lower()}", " ".join(cell.errors))
                for cell in entry.form
                if cell.errors
            ]
    return found


def _shown_id(cell: Field) -> str:
    """Return the control to go to: a price has none, its line's model number stands for it."""
    name: str = cell.id
    for hidden in ("list_price", "line_id"):
        name = re.sub(rf"-{hidden}\Z", "-model_number", name)
    return name


def service_cents(rows: Iterable[Any]) -> int:
    """Return the sum of the amounts that can be read."""
    return sum(entry.form.amount.data or 0 for entry in rows)


def read_addition(text: str) -> tuple[str, int]:
    """Read what a button adds: a model number, or a model number and how many units, as "PS-96 4"."""
    number, _, units = clean_line(text).rpartition(" ")
    if number and units.isascii() and units.isdigit() and len(units) < 7:
        return number, max(int(units), 1)
    return clean_line(text), 1


def faults(form: SaveDraftForm, shown_at: Sequence[int]) -> str:
    """Return in one sentence what keeps a form from being saved; `shown_at` is each line's row on the page."""
    said = list(form.form_errors)
    for number, entry in zip(shown_at, form.lines, strict=False):
        for cell in entry.form:
            if cell.errors:
                missing = not (cell.raw_data and str(cell.raw_data[0]).strip())
                what = cell.label.text.lower()
                said.append(
                    f"line {number + 1} has no {what}"
                    if missing
                    else f"line {number + 1}, {what}: {' '.join(cell.errors)}"
                )
    if not said:
        said = [
            f"service {number}, {cell.label.text.lower()}: {' '.join(cell.errors)}"
            for number, entry in enumerate(form.services, 1)
            for cell in entry.form
            if cell.errors
        ] or [f"{field.label.text}: {' '.join(map(str, field.errors))}" for field in form if field.errors]
    more = len(said) - FAULTS_SAID
    return "; ".join(said[:FAULTS_SAID]) + (f"; and {more} more" if more > 0 else "")
