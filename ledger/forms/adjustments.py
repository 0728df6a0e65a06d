"""What a person types when credit is posted by hand."""

from __future__ import annotations

from typing import Any

from wtforms import SelectField
from wtforms.validators import InputRequired
from wtforms.widgets import HiddenInput

from referral.formkit import CentsField, DayField, HouseForm, LineField, ParagraphField
from referral.money import MAX_CENTS
from referral.text import clean_line


class IdempotencyKeyField(LineField):
    """The key made when the page was drawn: sending the same page twice posts once."""

    widget = HiddenInput()

    def __init__(self, **kwargs: Any) -> None:
        """Take at most 64 characters."""
        super().__init__("Key", longest=64, **kwargs)


def dealer_field(label: str = "Dealer") -> SelectField:
    """Return the choice of a dealer; the operation says whether there is such a one."""
    return SelectField(
        label,
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
