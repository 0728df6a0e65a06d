"""What programs send and get of orders, shipments, cancellations, returns and replacements."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, validate, validates_schema

from quotes.rules.content import MAX_LINES
from quotes.schemas.quotes import guard_lines_once
from quotes.states import OrderState, ReturnReason
from referral.money import MAX_QUANTITY
from referral.schemakit import (
    ID_CURSOR,
    Amount,
    AnswerSchema,
    Choice,
    Cursor,
    Day,
    ExchangeRate,
    HouseSchema,
    Id,
    Line,
    Paragraph,
    QuerySchema,
    WholeNumber,
    make_limit,
)

PURCHASE_ORDER_LENGTH = 60
REASON_LENGTH = 500
CARRIER_LENGTH = 60
TRACKING_LENGTH = 60

# entering, shipping, cancelling, returning -------------------------------------------------------------


class LineQuantitySchema(HouseSchema):
    """How many units of which line."""

    line_id = Id()
    quantity = WholeNumber(minimum=1, maximum=MAX_QUANTITY)


class _ChosenLinesSchema(HouseSchema):
    """Lines with their quantities; without `lines`, everything that is left."""

    lines = fields.List(
        fields.Nested(LineQuantitySchema), load_default=None, validate=validate.Length(max=MAX_LINES)
    )

    @validates_schema
    def each_once(self, said: dict[str, Any], **_kwargs: object) -> None:
        """Refuse a line that stands twice."""
        guard_lines_once(said["lines"] or [], "lines")

    @post_load
    def by_line(self, said: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        """Return the quantities by line, None for everything that is left."""
        lines = said.pop("lines")
        quantities = None if lines is None else {row["line_id"]: row["quantity"] for row in lines}
        return {**said, "quantities": quantities}


class PlaceOrderSchema(_ChosenLinesSchema):
    """An order of lines with their quantities; without `lines`, of everything that is left."""

    purchase_order = Line(optional=True, longest=PURCHASE_ORDER_LENGTH)
    wanted_on = Day(optional=True)


class CancelOrderSchema(_ChosenLinesSchema):
    """A cancellation of lines with their quantities; without `lines`, of everything that is left."""

    reason = Paragraph(optional=True, longest=REASON_LENGTH)


class ShipOrderSchema(_ChosenLinesSchema):
    """A shipment of lines with their quantities; without `lines`, of everything that is left."""

    shipped_on = Day()
    carrier = Line(optional=True, longest=CARRIER_LENGTH)
    tracking_number = Line(optional=True, longest=TRACKING_LENGTH)


class ReturnOrderSchema(_ChosenLinesSchema):
    """A return of lines with their quantities; without `lines`, of everything that shipped and is not back."""

    reason = Choice(ReturnReason)
    words = Paragraph(optional=True, longest=REASON_LENGTH)


class OrderReplacementSchema(_ChosenLinesSchema):
    """Units that failed under warranty, by line, and why; `failed_on` is null where the day is unknown."""

    lines = fields.List(
        fields.Nested(LineQuantitySchema), required=True, validate=validate.Length(min=1, max=MAX_LINES)
    )
    reason = Paragraph(optional=True, longest=REASON_LENGTH)
    failed_on = Day(optional=True)


class ReceiptSchema(AnswerSchema):
    """Where an order's credit stands in the ledger, signed; keep it: `flask ledger check-receipt` proves it."""

    order = fields.String()
    dealer = fields.String(attribute="dealer_code")
    program_year = fields.Integer()
    account = fields.String(attribute="account_kind")
    sequence = fields.Integer()
    amount = Amount(attribute="amount_cents")
    digest = fields.String(attribute="posting_digest")
    public_key = fields.String()
    signature = fields.String()


class PlacedOrderSchema(AnswerSchema):
    """The order as it was entered, the same whenever the request is sent again."""

    id = fields.String()
    key = fields.String(attribute="order.idempotency_key")
    quote = fields.String()
    revision = fields.Integer(attribute="order.revision_number")
    dealer = fields.String()
    amount = Amount(attribute="order.products_cents")
    currency = fields.String(attribute="order.currency")
    purchase_order = fields.String(attribute="order.purchase_order")
    wanted_on = fields.Date(attribute="order.wanted_on", allow_none=True)
    account_number = fields.String(attribute="order.account_number")
    program_year = fields.Integer(attribute="order.program_year")
    entered_at = fields.AwareDateTime(attribute="order.entered_at")
    digest = fields.String(attribute="order.digest")
    receipt = fields.Nested(ReceiptSchema, allow_none=True)


class PlacedCancellationSchema(AnswerSchema):
    """The cancellation as it was entered, the same whenever the request is sent again."""

    order = fields.String()
    number = fields.Integer(attribute="cancellation.number")
    key = fields.String(attribute="cancellation.idempotency_key")
    reason = fields.String(attribute="cancellation.reason")
    amount = Amount(attribute="cancellation.products_cents")
    cancelled_at = fields.AwareDateTime(attribute="cancellation.cancelled_at")
    digest = fields.String(attribute="cancellation.digest")


class PlacedShipmentSchema(AnswerSchema):
    """The shipment as it was recorded, the same whenever the request is sent again."""

    order = fields.String()
    number = fields.Integer(attribute="shipment.number")
    key = fields.String(attribute="shipment.idempotency_key")
    shipped_on = fields.Date(attribute="shipment.shipped_on")
    carrier = fields.String(attribute="shipment.carrier")
    tracking_number = fields.String(attribute="shipment.tracking_number")
    recorded_at = fields.AwareDateTime(attribute="shipment.recorded_at")
    digest = fields.String(attribute="shipment.digest")


class PlacedReturnSchema(AnswerSchema):
    """The return as it was recorded, the same whenever the request is sent again."""

    order = fields.String()
    number = fields.Integer(attribute="returned.number")
    key = fields.String(attribute="returned.idempotency_key")
    reason = fields.Enum(ReturnReason, by_value=True, attribute="returned.reason")
    words = fields.String(attribute="returned.words")
    amount = Amount(attribute="returned.products_cents")
    returned_at = fields.AwareDateTime(attribute="returned.returned_at")
    digest = fields.String(attribute="returned.digest")


class PlacedReplacementSchema(AnswerSchema):
    """The replacement as it was ordered, the same whenever the request is sent again; it earns nothing."""

    order = fields.String()
    number = fields.Integer(attribute="replacement.number")
    key = fields.String(attribute="replacement.idempotency_key")
    reason = fields.String(attribute="replacement.reason")
    failed_on = fields.Date(attribute="replacement.failed_on", allow_none=True)
    ordered_at = fields.AwareDateTime(attribute="replacement.ordered_at")
    digest = fields.String(attribute="replacement.digest")


# reading ----------------------------------------------------------------------------------------


class ListOrdersSchema(QuerySchema):
    """Which orders."""

    after = Cursor(ID_CURSOR)
    limit = make_limit()


class OrderRowSchema(AnswerSchema):
    """An order; `credit` is what it earned, null unless it is your own dealer's, or you the program.

    Amounts are in `currency`; they became credit at `exchange_rate`, which held from `exchange_rate_on` (null in
    the program's own currency).
    """

    id = fields.String(attribute="ref")
    key = fields.String(attribute="idempotency_key")
    quote = fields.String(attribute="quote_ref")
    revision = fields.Integer()
    state = fields.Enum(OrderState, by_value=True)
    dealer = fields.String(attribute="dealer_code")
    dealer_name = fields.String()
    account_name = fields.String()
    project_name = fields.String()
    purchase_order = fields.String()
    wanted_on = fields.Date(allow_none=True)
    currency = fields.String()
    exchange_rate = ExchangeRate()
    exchange_rate_on = fields.Date(allow_none=True)
    amount = Amount(attribute="products_cents")
    credit = Amount(attribute="credit_cents", allow_none=True)
    program_year = fields.Integer()
    entered_at = fields.AwareDateTime()


class OrdersSchema(AnswerSchema):
    """Orders, newest first."""

    items = fields.List(fields.Nested(OrderRowSchema))
    next = fields.String(allow_none=True)


class OrderedLineSchema(AnswerSchema):
    """An ordered line; `credit` and `reversed` are null where the order's credit is."""

    line_id = fields.UUID()
    model_number = fields.String()
    description = fields.String()
    room = fields.String()
    quantity = fields.Integer()
    shipped = fields.Integer(attribute="shipped_quantity")
    cancelled = fields.Integer(attribute="cancelled_quantity")
    returned = fields.Integer(attribute="returned_quantity")
    open = fields.Integer(attribute="open_quantity")
    list_price = Amount(attribute="list_price_cents")
    amount = Amount(attribute="amount_cents")
    is_creditable = fields.Boolean()
    credit = Amount(attribute="credit_cents", allow_none=True)
    reversed = Amount(attribute="reversed_cents", allow_none=True)


class CancellationSchema(AnswerSchema):
    """A cancellation; `credit` is what it took back, null where the order's credit is."""

    number = fields.Integer()
    reason = fields.String()
    amount = Amount(attribute="products_cents")
    credit = Amount(attribute="credit_cents", allow_none=True)
    cancelled_by = fields.String()
    cancelled_at = fields.AwareDateTime()


class ShipmentSchema(AnswerSchema):
    """A shipment."""

    number = fields.Integer()
    units = fields.Integer()
    shipped_on = fields.Date()
    carrier = fields.String()
    tracking_number = fields.String()
    recorded_by = fields.String()
    recorded_at = fields.AwareDateTime()


class ReturnSchema(AnswerSchema):
    """A return; `credit` is what it took back, null where the order's credit is."""

    number = fields.Integer()
    reason = fields.Enum(ReturnReason, by_value=True)
    words = fields.String()
    amount = Amount(attribute="products_cents")
    credit = Amount(attribute="credit_cents", allow_none=True)
    returned_by = fields.String()
    returned_at = fields.AwareDateTime()


class ReplacementSchema(AnswerSchema):
    """A warranty replacement; it earned nothing."""

    number = fields.Integer()
    units = fields.Integer()
    reason = fields.String()
    failed_on = fields.Date(allow_none=True)
    ordered_by = fields.String()
    ordered_at = fields.AwareDateTime()


class OrderSchema(OrderRowSchema):
    """An order with its lines, what became of them, and who approved what it stands on."""

    account_number = fields.String()
    price_list = fields.Integer()
    digest = fields.String()
    entered_by = fields.String()
    approved_by = fields.String()
    lines = fields.List(fields.Nested(OrderedLineSchema))
    shipments = fields.List(fields.Nested(ShipmentSchema))
    cancellations = fields.List(fields.Nested(CancellationSchema))
    returns = fields.List(fields.Nested(ReturnSchema))
    replacements = fields.List(fields.Nested(ReplacementSchema))
