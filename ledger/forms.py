"""Forms of the ledger: what a person types when credit is posted by hand or levels are set."""

from __future__ import annotations

from typing import Any

from wtforms import FieldList, Form, FormField, SelectField
from wtforms.validators import InputRequired
from wtforms.widgets import HiddenInput

from ledger.rules import LevelStep
from referral.formkit import CentsField, DayField, HouseForm, LineField, ParagraphField
from referral.money import MAX_CENTS
from referral.text import clean_line

LEVELS_MAX = 8
"""Levels that one year can have."""


class IdempotencyKeyField(LineField):
    """The key made when the page was drawn: sending the same page twice posts once."""

    widget = HiddenInput()

    def __init__(self, **kwargs: Any) -> None:
        """Take at most 64 characters."""
        super().__init__("Key", longest=64, **kwargs)


def dealer_field() -> SelectField:
    """Return the choice of a dealer; the operation says whether there is such a one."""
    return SelectField(
        "Dealer",
        coerce=clean_line,
        validate_choice=False,
        validators=[InputRequired("Choose a dealer.")],
    )


class RecordOtherPurchaseForm(HouseForm):
    """A purchase outside referrals."""

    dealer_code = dealer_field()
    purchased_on = DayField("Day of the purchase")
    amount_cents = CentsField("Amount", minimum=-MAX_CENTS)
    document = LineField("Document", longest=80)
    reason = ParagraphField("Reason", longest=500)
    idempotency_key = IdempotencyKeyField()


class AdjustCreditForm(HouseForm):
    """An adjustment of a dealer's sales credit."""

    dealer_code = dealer_field()
    effective_on = DayField("Effective day")
    amount_cents = CentsField("Amount", minimum=-MAX_CENTS)
    reason = ParagraphField("Reason", longest=500)
    idempotency_key = IdempotencyKeyField()


class LevelForm(Form):
    """One level: its name and the total from which it is reached; both or neither."""

    name = LineField("Name", optional=True, longest=40)
    threshold_cents = CentsField("From a total of", optional=True)

    def validate(self, extra_validators: Any = None) -> bool:
        """Ask for the half that is missing."""
        if not super().validate(extra_validators):
            return False
        name, threshold = self.name.data, self.threshold_cents.data
        if name and threshold is None:
            self.threshold_cents.errors = ["Type the total from which this level is reached."]
        elif not name and threshold is not None:
            self.name.errors = ["Name this level."]
        return not (self.name.errors or self.threshold_cents.errors)


class SetLevelsForm(HouseForm):
    """The levels of a level year, base first; rows left empty are no levels."""

    levels = FieldList(FormField(LevelForm), min_entries=LEVELS_MAX, max_entries=LEVELS_MAX)
    reason = ParagraphField("Reason", longest=500)
    source = LineField("Source")

    def steps(self) -> list[LevelStep]:
        """Return the levels that were filled in, in their order."""
        return [
            LevelStep(row.form.name.data, row.form.threshold_cents.data)
            for row in self.levels.entries
            if row.form.name.data
        ]
