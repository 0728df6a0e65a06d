"""Cancelling what has not shipped of an order, wholly or in part, and taking its credit back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.operations.entries import Source
from ledger.operations.evidence import witness
from ledger.states import EntryKind, EvidenceKind
from quotes.models.orders import Cancellation, CancellationLine, Order
from quotes.operations.mails import tell_dealer
from quotes.operations.orders import said_quantities
from quotes.operations.placed_orders import (
    chosen_lines,
    guard_key,
    guard_something_open,
    locked_order,
    move_order,
    next_number_of,
    reversal_day,
    take_back_credit,
)
from quotes.queries.order_digests import cancellation_digest
from quotes.queries.order_lines import OrderLineRow, order_lines
from quotes.rules import mails
from quotes.rules.content import request_digest
from referral.errors import Problem, Refusal
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer


def cancel_order(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    quantities: Mapping[UUID, int] | None,
    reason: str,
    idempotency_key: str,
) -> Cancellation:
    """The units that have not shipped are cancelled and their credit is taken back.

    It goes back to the year it was given in while that is open, else to the present one. `quantities` maps
    line ids to units; None cancels everything that is left. The same key and content answers with the same
    cancellation. Raises Refusal(forbidden), (not_found), (reason_required), (idempotency_key_missing),
    (idempotency_key_reused), (already_cancelled), (already_shipped), (not_on_revision),
    (exceeds_ordered_qty), (empty_order).
    """
    guard_permission(actor, Permission.ORDER_ENTER)
    words = guard_reason(reason)
    key = guard_key(idempotency_key)
    order = locked_order(tx, actor, ref)
    said = request_digest({"order": ref, "reason": words, "lines": said_quantities(quantities)})
    before = tx.scalars(
        sa.select(Cancellation).where(
            Cancellation.dealer_id == order.dealer_id, Cancellation.idempotency_key == key
        )
    ).one_or_none()
    if before is not None:
        if before.request_digest != said:
            raise Refusal("idempotency_key_reused")
        return before
    lines = order_lines(tx, order)
    guard_something_open(order, lines)
    _guard_not_shipped(lines, quantities)
    left = {line.line_id: line.open_quantity for line in lines}
    chosen = chosen_lines(lines, left, quantities, "exceeds_ordered_qty")
    cancellation, rows = _make_cancellation(tx, actor, at, order, chosen)
    cancellation.idempotency_key, cancellation.request_digest = key, said
    cancellation.reason = words
    cancellation.digest = cancellation_digest(cancellation, rows)
    cancellation.entry_id = take_back_credit(
        tx,
        actor=actor,
        at=at,
        order=order,
        kind=EntryKind.CANCELLATION,
        credit_cents=cancellation.credit_cents,
        effective_on=cancellation.cancelled_on,
        idempotency_key=f"cancellation:{order.number}.{cancellation.number}",
        source=Source(ref, cancellation.digest, words),
    )
    tx.add(cancellation)
    tx.flush()
    tx.add_all(rows)
    units = sum(quantity for _, quantity in chosen)
    move_order(order, lines, cancelled_units=units)
    witness(
        tx,
        actor=actor,
        at=at,
        dealer_id=order.dealer_id,
        kind=EvidenceKind.CANCELLATION,
        subject=f"{ref}.{cancellation.number}",
        content_digest=cancellation.digest,
    )
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=order.dealer_id,
        event="order.cancelled",
        subject=ref,
        details={"credit_cents": cancellation.credit_cents, "reason": words},
    )
    is_whole = units == sum(line.quantity - line.cancelled_quantity for line in lines)
    tell_dealer(tx, at, order.dealer_id, mails.cancelled(ref, is_whole=is_whole, reason=words))
    return cancellation


def _guard_not_shipped(lines: tuple[OrderLineRow, ...], quantities: Mapping[UUID, int] | None) -> None:
    """Guard: no line wants units cancelled that have shipped. Raises Refusal(already_shipped)."""
    wanted = {} if quantities is None else quantities
    problems = tuple(
        Problem(
            "already_shipped",
            f"{line.shipped_quantity} of this line have shipped; {line.open_quantity} can be cancelled.",
            f"quantity-{line.line_id}",
        )
        for line in lines
        if line.open_quantity < wanted.get(line.line_id, 0) <= line.open_quantity + line.shipped_quantity
    )
    if problems:
        raise Refusal("already_shipped", field=problems[0].field, problems=problems)


def _make_cancellation(
    tx: Session, actor: Viewer, at: datetime, order: Order, chosen: list[tuple[OrderLineRow, int]]
) -> tuple[Cancellation, list[CancellationLine]]:
    """Return the next cancellation of the order and its rows, with the credit they take back."""
    cancellation = Cancellation(
        dealer_id=order.dealer_id,
        order_id=order.id,
        number=next_number_of(tx, order, Cancellation),
        products_cents=sum(line.list_price_cents * quantity for line, quantity in chosen),
        cancelled_by=actor.user_id,
        cancelled_at=at,
        cancelled_on=reversal_day(tx, at, order),
    )
    rows = [
        CancellationLine(
            dealer_id=order.dealer_id,
            order_id=order.id,
            cancellation_number=cancellation.number,
            line_id=line.line_id,
            quantity=quantity,
            credit_cents=line.taken_back_cents(quantity, order.credit_rate, order.exchange_rate),
        )
        for line, quantity in chosen
    ]
    cancellation.credit_cents = sum(row.credit_cents for row in rows)
    return cancellation, rows
