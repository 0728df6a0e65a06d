"""What a person types to take back an entry or to move credit between dealers."""

from __future__ import annotations

from wtforms.widgets import HiddenInput

from ledger.forms.adjustments import IdempotencyKeyField, dealer_field
from ledger.states import ACCOUNT_WORDS, TOTAL_KINDS
from referral.formkit import CentsField, DayField, HouseForm, LineField, ParagraphField, choice_field


class ReverseEntryForm(HouseForm):
    """The day from which the reversal counts, and why."""

    effective_on = DayField("Effective day")
    reason = ParagraphField("Reason", longest=500)
    idempotency_key = IdempotencyKeyField()


class TransferCreditForm(HouseForm):
    """From whom to whom, what and how much."""

    from_dealer_code = dealer_field("From")
    to_dealer_code = dealer_field("To")
    account_kind = choice_field("What", {kind: ACCOUNT_WORDS[kind] for kind in TOTAL_KINDS})
    amount_cents = CentsField("Amount", minimum=1)
    effective_on = DayField("Effective day")
    reason = ParagraphField("Reason", longest=500)
    idempotency_key = IdempotencyKeyField()


class ConfirmTransferForm(HouseForm):
    """The same, as it was read, sent back."""

    from_dealer_code = LineField("From", longest=8, widget=HiddenInput())
    to_dealer_code = LineField("To", longest=8, widget=HiddenInput())
    account_kind = LineField("What", longest=40, widget=HiddenInput())
    amount_cents = CentsField("Amount", widget=HiddenInput())
    effective_on = DayField("Effective day", widget=HiddenInput())
    reason = ParagraphField("Reason", longest=500, widget=HiddenInput())
    idempotency_key = IdempotencyKeyField()
