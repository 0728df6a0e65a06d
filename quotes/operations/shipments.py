"""Recording what shipped of an order. Credit does not move: it was posted when the order was entered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from quotes.models.shipments import Shipment, ShipmentLine
from quotes.operations.followers import tell_followers
from quotes.operations.mails import tell_dealer
from quotes.operations.orders import said_quantities
from quotes.operations.placed_orders import (
    chosen_lines,
    guard_key,
    guard_something_open,
    locked_order,
    move_order,
    next_number_of,
)
from quotes.queries.order_digests import shipment_digest
from quotes.queries.order_lines import order_lines
from quotes.rules import mails
from quotes.rules.content import request_digest
from referral.errors import Refusal
from referral.operations.records import guard_permission, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today
from referral.text import say_day


def ship_order(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    quantities: Mapping[UUID, int] | None,
    shipped_on: date,
    carrier: str,
    tracking_number: str,
    idempotency_key: str,
) -> Shipment:
    """The units have shipped on that day; they can be returned, and cancelled no more.

    `quantities` maps line ids to units; None ships everything that is left. The same key and content answers
    with the same shipment. Raises Refusal(forbidden), (not_found), (idempotency_key_missing),
    (idempotency_key_reused), (already_cancelled), (already_shipped), (invalid_input) for a day before the
    order or still to come, (not_on_revision), (exceeds_ordered_qty), (empty_order).
    """
    guard_permission(actor, Permission.ORDER_ENTER)
    key = guard_key(idempotency_key)
    order = locked_order(tx, actor, ref)
    said = request_digest(
        {
            "order": ref,
            "shipped_on": shipped_on.isoformat(),
            "carrier": carrier.strip(),
            "tracking_number": tracking_number.strip(),
            "lines": said_quantities(quantities),
        }
    )
    before = tx.scalars(
        sa.select(Shipment).where(Shipment.dealer_id == order.dealer_id, Shipment.idempotency_key == key)
    ).one_or_none()
    if before is not None:
        if before.request_digest != said:
            raise Refusal("idempotency_key_reused")
        return before
    lines = order_lines(tx, order)
    guard_something_open(order, lines)
    _guard_day(tx, at, order, shipped_on)
    left = {line.line_id: line.open_quantity for line in lines}
    chosen = chosen_lines(lines, left, quantities, "exceeds_ordered_qty")
    shipment = Shipment(
        dealer_id=order.dealer_id,
        order_id=order.id,
        number=next_number_of(tx, order, Shipment),
        idempotency_key=key,
        request_digest=said,
        shipped_on=shipped_on,
        carrier=carrier.strip(),
        tracking_number=tracking_number.strip(),
        recorded_by=actor.user_id,
        recorded_at=at,
    )
    rows = [
        ShipmentLine(
            dealer_id=order.dealer_id,
            order_id=order.id,
            shipment_number=shipment.number,
            line_id=line.line_id,
            quantity=quantity,
        )
        for line, quantity in chosen
    ]
    shipment.digest = shipment_digest(shipment, rows)
    tx.add(shipment)
    tx.flush()
    tx.add_all(rows)
    units = sum(quantity for _, quantity in chosen)
    move_order(order, lines, shipped_units=units)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=order.dealer_id,
        event="order.shipped",
        subject=ref,
        details={"shipment": shipment.number, "units": units, "shipped_on": shipped_on.isoformat()},
    )
    text = mails.shipped(
        ref,
        units=units,
        day=shipped_on,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
    )
    tell_dealer(tx, at, order.dealer_id, text)
    tell_followers(tx, actor=actor, at=at, order=order)
    return shipment


def _guard_day(tx: Session, at: datetime, order: Order, shipped_on: date) -> None:
    """Guard: the day is neither before the order nor still to come. Raises Refusal(invalid_input)."""
    if shipped_on > today(tx, at):
        raise Refusal("invalid_input", "This day is still to come.", "shipped_on")
    if shipped_on < order.entered_on:
        raise Refusal("invalid_input", f"The order was entered on {say_day(order.entered_on)}.", "shipped_on")
