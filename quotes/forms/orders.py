"""Entering and cancelling an order."""

from __future__ import annotations

from wtforms.widgets import HiddenInput

from quotes.forms.lines import PerLineField
from referral.formkit import HouseForm, LineField, ParagraphField, QuantityField

KEY_LENGTH = 64
PURCHASE_ORDER_LENGTH = 60
REASON_LENGTH = 500


class PlaceOrderForm(HouseForm):
    """Units of approved lines. `check` only works out what they earn; `place` enters the order."""

    idempotency_key = LineField("Order key", longest=KEY_LENGTH, widget=HiddenInput())
    purchase_order = LineField("Purchase order number", optional=True, longest=PURCHASE_ORDER_LENGTH)
    quantity = PerLineField("Quantities", QuantityField("Quantity", optional=True, minimum=0))


class CancelOrderForm(HouseForm):
    """Units to cancel and why. `cancel_these` and `cancel_all` say the effect; `confirm` does it."""

    idempotency_key = LineField("Cancellation key", longest=KEY_LENGTH, widget=HiddenInput())
    reason = ParagraphField("Reason", longest=REASON_LENGTH)
    quantity = PerLineField("Quantities", QuantityField("Quantity", optional=True, minimum=0))


class ConfirmCancellationForm(HouseForm):
    """What the confirmation shows, to be sent back unchanged as a CancelOrderForm."""

    idempotency_key = LineField("Cancellation key", longest=KEY_LENGTH, widget=HiddenInput())
    reason = ParagraphField("Reason", longest=REASON_LENGTH, widget=HiddenInput())
    quantity = PerLineField(
        "Quantities", QuantityField("Quantity", optional=True, minimum=0, widget=HiddenInput())
    )
