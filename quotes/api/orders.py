"""The JSON API of orders and what becomes of them: shipments, cancellations, returns, replacements."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from flask import current_app, url_for

from ledger.queries.statements import sees_credit_of
from quotes.api.blueprint import ORDER, REVISION, Answer, Headers, Said, blueprint
from quotes.operations.cancellations import cancel_order as cancel_order_operation
from quotes.operations.orders import place_order as place_order_operation
from quotes.operations.replacements import order_replacement as order_replacement_operation
from quotes.operations.returns import return_order as return_order_operation
from quotes.operations.shipments import ship_order as ship_order_operation
from quotes.queries.order_page import order_page
from quotes.queries.orders import OrderRow, orders_page
from quotes.queries.receipts import order_receipt
from quotes.schemas import orders as order_schemas
from referral.apikit import idempotency_key
from referral.clock import now
from referral.db import write
from referral.ids import parse_public_number
from referral.permissions import Permission
from referral.signing import load_signer
from referral.webkit import ask, current_viewer, needs


@blueprint.post(f"{REVISION}/orders")
@needs(Permission.ORDER_ENTER)
@blueprint.arguments(order_schemas.PlaceOrderSchema)
@blueprint.response(201, order_schemas.PlacedOrderSchema)
@blueprint.refuses(
    "referral_closed",
    "idempotency_key_missing",
    "idempotency_key_reused",
    "stale_revision",
    "revision_not_approved",
    "quote_expired",
    "services_not_agreed",
    "account_not_qualified",
    "account_number_missing",
    "account_number_unknown_for_dealer",
    "not_on_revision",
    "exceeds_approved_qty",
    "price_recalled",
    "invalid_input",
    "empty_order",
    "amount_too_large",
    "exchange_rate_missing",
    keyed=True,
)
def place_order(said: Said, ref: str, revision_number: int) -> tuple[Answer, Headers]:
    """Order approved lines; the dealer's sales credit is posted with it."""
    order, number = write(
        place_order_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        idempotency_key=idempotency_key(),
        **said,
    )
    parsed = parse_public_number(number, "O")
    receipt = ask(order_receipt, viewer=current_viewer(), ref=number)
    answer = {
        "id": number,
        "quote": ref,
        "dealer": parsed.dealer_code if parsed else "",
        "order": order,
        "receipt": receipt and receipt.signed(load_signer(Path(current_app.config["SIGNING_KEY"]))),
    }
    return answer, {"Location": url_for("quotes_api.show_order", ref=number)}


def _with_credit_shown(row: OrderRow) -> Answer:
    """Return an order's row, without its credit where the viewer does not see that."""
    credit = row.credit_cents if sees_credit_of(current_viewer(), row.dealer_code) else None
    return {**vars(row), "credit_cents": credit}


@blueprint.get("/orders")
@needs(Permission.ORDER_VIEW)
@blueprint.arguments(order_schemas.ListOrdersSchema, location="query")
@blueprint.response(200, order_schemas.OrdersSchema)
@blueprint.refuses()
def list_orders(said: Said) -> Answer:
    """List orders, newest first."""
    page = ask(orders_page, viewer=current_viewer(), **said)
    return {"items": [_with_credit_shown(row) for row in page.rows], "next": page.after}


@blueprint.get(ORDER)
@needs(Permission.ORDER_VIEW)
@blueprint.response(200, order_schemas.OrderSchema)
@blueprint.refuses()
def show_order(ref: str) -> Answer:
    """See an order with its lines, shipments, cancellations, returns and warranty replacements."""
    page = ask(order_page, viewer=current_viewer(), ref=ref)
    hidden: Answer = {} if page.shows_credit else {"credit_cents": None, "reversed_cents": None}
    return {
        **_with_credit_shown(page.row),
        "account_number": page.order.account_number,
        "digest": page.order.digest,
        "price_list": page.price_list.version,
        "entered_by": page.entered_by,
        "approved_by": page.approved_by,
        "lines": [asdict(line) | {"open_quantity": line.open_quantity} | hidden for line in page.lines],
        "shipments": page.shipments,
        "cancellations": [asdict(cancellation) | hidden for cancellation in page.cancellations],
        "returns": [asdict(returned) | hidden for returned in page.returns],
        "replacements": page.replacements,
    }


@blueprint.post(f"{ORDER}/shipments")
@needs(Permission.ORDER_ENTER)
@blueprint.arguments(order_schemas.ShipOrderSchema)
@blueprint.response(201, order_schemas.PlacedShipmentSchema)
@blueprint.refuses(
    "idempotency_key_missing",
    "idempotency_key_reused",
    "already_cancelled",
    "already_shipped",
    "invalid_input",
    "not_on_revision",
    "exceeds_ordered_qty",
    "empty_order",
    keyed=True,
)
def ship_order(said: Said, ref: str) -> tuple[Answer, Headers]:
    """Record that ordered units shipped; the dealer's sales credit stays as it is."""
    shipment = write(
        ship_order_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        idempotency_key=idempotency_key(),
        **said,
    )
    return {"order": ref, "shipment": shipment}, {"Location": url_for("quotes_api.show_order", ref=ref)}


@blueprint.post(f"{ORDER}/returns")
@needs(Permission.ORDER_ENTER)
@blueprint.arguments(order_schemas.ReturnOrderSchema)
@blueprint.response(201, order_schemas.PlacedReturnSchema)
@blueprint.refuses(
    "reason_required",
    "idempotency_key_missing",
    "idempotency_key_reused",
    "not_on_revision",
    "exceeds_returnable",
    "empty_order",
    keyed=True,
)
def return_order(said: Said, ref: str) -> tuple[Answer, Headers]:
    """Take back units that shipped; their credit is taken back in the year it was given."""
    returned = write(
        return_order_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        idempotency_key=idempotency_key(),
        **said,
    )
    return {"order": ref, "returned": returned}, {"Location": url_for("quotes_api.show_order", ref=ref)}


@blueprint.post(f"{ORDER}/replacements")
@needs(Permission.ORDER_ENTER)
@blueprint.arguments(order_schemas.OrderReplacementSchema)
@blueprint.response(201, order_schemas.PlacedReplacementSchema)
@blueprint.refuses(
    "reason_required",
    "idempotency_key_missing",
    "idempotency_key_reused",
    "invalid_input",
    "not_on_revision",
    "exceeds_returnable",
    "empty_order",
    keyed=True,
)
def order_replacement(said: Said, ref: str) -> tuple[Answer, Headers]:
    """Order units in place of failed ones under warranty; it needs no approval and earns nothing."""
    replacement = write(
        order_replacement_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        idempotency_key=idempotency_key(),
        **said,
    )
    return {"order": ref, "replacement": replacement}, {"Location": url_for("quotes_api.show_order", ref=ref)}


@blueprint.post(f"{ORDER}/cancellations")
@needs(Permission.ORDER_ENTER)
@blueprint.arguments(order_schemas.CancelOrderSchema)
@blueprint.response(201, order_schemas.PlacedCancellationSchema)
@blueprint.refuses(
    "reason_required",
    "idempotency_key_missing",
    "idempotency_key_reused",
    "already_cancelled",
    "already_shipped",
    "not_on_revision",
    "exceeds_ordered_qty",
    "empty_order",
    keyed=True,
)
def cancel_order(said: Said, ref: str) -> tuple[Answer, Headers]:
    """Cancel units that have not shipped; their credit is taken back in the year it was given."""
    cancellation = write(
        cancel_order_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        idempotency_key=idempotency_key(),
        **said,
    )
    return {"order": ref, "cancellation": cancellation}, {
        "Location": url_for("quotes_api.show_order", ref=ref)
    }
