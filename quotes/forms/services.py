"""Answers to an offer for services: agreeing to it, or another offer."""

from __future__ import annotations

from typing import Any

from wtforms import Field, FieldList, FormField, ValidationError
from wtforms.widgets import HiddenInput

from quotes.forms.builder import MAX_SERVICES, DraftServiceForm, number_of, without_pictures
from quotes.operations.quotes import ServiceInput
from quotes.queries.services import OfferRow
from referral.formkit import HouseForm, ParagraphField, QuantityField

NOTE_LENGTH = 1_000
LARGEST_NUMBER = 999_999
EMPTY_ROWS = 2


def _offer_number() -> QuantityField:
    return QuantityField("Offer you read", maximum=LARGEST_NUMBER, widget=HiddenInput())


class AgreeServicesForm(HouseForm):
    """The number of the offer that was read."""

    offer_number = _offer_number()

    def validate_offer_number(self, checked: QuantityField) -> None:
        """Refuse a number of blanks."""
        number_of(checked)


class CounterServicesForm(HouseForm):
    """Another offer: every service with its price, a note, and the number of the offer that was read."""

    offer_number = _offer_number()
    services = FieldList(FormField(DraftServiceForm), "Services and labor")
    note = ParagraphField("Note to the other side", optional=True, longest=NOTE_LENGTH)

    validate_note = without_pictures

    def validate_offer_number(self, checked: QuantityField) -> None:
        """Refuse a number of blanks."""
        number_of(checked)

    def validate_services(self, checked: Field) -> None:
        """Refuse more services than a quote has."""
        if len(checked) > MAX_SERVICES:
            raise ValidationError(f"An offer has at most {MAX_SERVICES} services.")

    def service_inputs(self) -> list[ServiceInput]:
        """Return the services in order."""
        return [entry.form.said() for entry in self.services]

    def row_errors(self) -> list[str]:
        """Return a sentence for each cell that is wrong, with its row."""
        return [
            f"Service {number}, {cell.label.text.lower()}: {' '.join(cell.errors)}"
            for number, entry in enumerate(self.services, 1)
            for cell in entry.form
            if cell.errors
        ]

    def add_empty_rows(self) -> None:
        """Offer rows to type into, after everything that is there. For showing, not for saving."""
        for _ in range(EMPTY_ROWS):
            self.services.append_entry()


def offer_to_change(offer: OfferRow) -> dict[str, Any]:
    """Return the newest offer as the form of the next one shows it."""
    return {
        "offer_number": offer.number,
        "services": [
            {"kind": row.kind.value, "description": row.description, "amount": row.amount_cents}
            for row in offer.services
        ],
    }
