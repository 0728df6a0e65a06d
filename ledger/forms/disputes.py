"""What a person types about a dispute."""

from __future__ import annotations

from wtforms import RadioField, SelectChoice
from wtforms.validators import InputRequired

from ledger.forms.adjustments import IdempotencyKeyField
from ledger.states import DisputeOutcome
from referral.formkit import CentsField, DayField, HouseForm, ParagraphField
from referral.money import MAX_CENTS

REASON_LENGTH = 1_000
OUTCOMES = (
    SelectChoice(DisputeOutcome.UPHELD.value, "Uphold it: post a correction"),
    SelectChoice(DisputeOutcome.DISMISSED.value, "Dismiss it: the posting stands as it is"),
)
"""How the program can end a dispute."""


class OpenDisputeForm(HouseForm):
    """A dispute of one posting."""

    claimed_cents = CentsField("What it should have been", optional=True, minimum=-MAX_CENTS)
    reason = ParagraphField("What is wrong", longest=REASON_LENGTH)
    idempotency_key = IdempotencyKeyField()


class AnswerDisputeForm(HouseForm):
    """The program's answer to a dispute; amount and day belong to upholding it."""

    outcome = RadioField("Answer", choices=OUTCOMES, validators=[InputRequired("Choose how it ends.")])
    amount_cents = CentsField("Amount of the correction", optional=True, minimum=-MAX_CENTS)
    effective_on = DayField("Day from which it counts", optional=True)
    words = ParagraphField("Why", longest=REASON_LENGTH)


class WithdrawDisputeForm(HouseForm):
    """The dealer takes a dispute back."""

    words = ParagraphField("Why", optional=True, longest=REASON_LENGTH)
