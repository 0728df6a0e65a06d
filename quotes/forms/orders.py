"""Entering an order, shipping, cancelling, returning and replacing units of it."""

from __future__ import annotations

from wtforms import SelectChoice, SelectField
from wtforms.validators import InputRequired
from wtforms.widgets import HiddenInput

from quotes.forms.lines import PerLineField
from quotes.states import RETURN_WORDS
from referral.formkit import DayField, HouseForm, LineField, ParagraphField, QuantityField

KEY_LENGTH = 64
PURCHASE_ORDER_LENGTH = 60
REASON_LENGTH = 500
CARRIER_LENGTH = 60
TRACKING_LENGTH = 60


class PlaceOrderForm(HouseForm):
    """Units of approved lines. `check` only works out what they earn; `place` enters the order."""

    idempotency_key = LineField("Order key", longest=KEY_LENGTH, widget=HiddenInput())
    purchase_order = LineField("Purchase order number", optional=True, longest=PURCHASE_ORDER_LENGTH)
    wanted_on = DayField("Wanted on site by", optional=True)
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


class ShipOrderForm(HouseForm):
    """Units that shipped, when and how."""

    idempotency_key = LineField("Shipment key", longest=KEY_LENGTH, widget=HiddenInput())
    shipped_on = DayField("Shipped on")
    carrier = LineField("Carrier", optional=True, longest=CARRIER_LENGTH)
    tracking_number = LineField("Tracking number", optional=True, longest=TRACKING_LENGTH)
    quantity = PerLineField("Quantities", QuantityField("Quantity", optional=True, minimum=0))


class ReturnOrderForm(HouseForm):
    """Units that came back and why. `return_these` and `return_all` say the effect; `confirm` does it."""

    idempotency_key = LineField("Return key", longest=KEY_LENGTH, widget=HiddenInput())
    reason = SelectField(
        "Reason",
        [InputRequired("Choose a reason.")],
        choices=[
            SelectChoice("", "Choose a reason"),
            *(SelectChoice(reason.value, words) for reason, words in RETURN_WORDS.items()),
        ],
    )
    words = ParagraphField("In your own words", optional=True, longest=REASON_LENGTH)
    quantity = PerLineField("Quantities", QuantityField("Quantity", optional=True, minimum=0))


class ConfirmReturnForm(HouseForm):
    """What the confirmation shows, to be sent back unchanged as a ReturnOrderForm."""

    idempotency_key = LineField("Return key", longest=KEY_LENGTH, widget=HiddenInput())
    reason = LineField("Reason", widget=HiddenInput())
    words = ParagraphField("In your own words", optional=True, longest=REASON_LENGTH, widget=HiddenInput())
    quantity = PerLineField(
        "Quantities", QuantityField("Quantity", optional=True, minimum=0, widget=HiddenInput())
    )


class OrderReplacementForm(HouseForm):
    """Units that failed, how and when. The button says what is sent; `confirm` orders it."""

    idempotency_key = LineField("Replacement key", longest=KEY_LENGTH, widget=HiddenInput())
    reason = ParagraphField("What is wrong with them", longest=REASON_LENGTH)
    failed_on = DayField("Failed on", optional=True)
    quantity = PerLineField("Quantities", QuantityField("Quantity", optional=True, minimum=0))


class ConfirmReplacementForm(HouseForm):
    """What the confirmation shows, to be sent back unchanged as an OrderReplacementForm."""

    idempotency_key = LineField("Replacement key", longest=KEY_LENGTH, widget=HiddenInput())
    reason = ParagraphField("What is wrong with them", longest=REASON_LENGTH, widget=HiddenInput())
    failed_on = DayField("Failed on", optional=True, widget=HiddenInput())
    quantity = PerLineField(
        "Quantities", QuantityField("Quantity", optional=True, minimum=0, widget=HiddenInput())
    )
