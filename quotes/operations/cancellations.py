"""Cancelling an order, wholly or in part, and taking its credit back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.operations.entries import Source, post_entry
from ledger.states import AccountKind, EntryKind
from quotes.models import Cancellation, CancellationLine, Order, Quote
from quotes.operations.orders import said_quantities, within
from quotes.queries.orders import OrderLineRow, cancellation_digest, order_by_ref, order_lines
from quotes.rules import request_digest
from quotes.states import ORDER_MOVES, OrderState
from referral.db import locked
from referral.errors import Refusal
from referral.operations.records import guard_permission, guard_reason, queue_mail_to_role, record_event
from referral.permissions import CompanyKind, Permission, Role, Viewer
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import today
from referral.states import next_state


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
    """The ordered units are cancelled and their credit is taken back in the year it was given.

    `quantities` maps line ids to units; None cancels everything that is left. The same key and content
    answers with the same cancellation. Raises Refusal(forbidden), (not_found), (reason_required),
    (idempotency_key_missing), (idempotency_key_reused), (already_cancelled), (not_on_revision),
    (exceeds_ordered_qty), (empty_order).
    """
    guard_permission(actor, Permission.ORDER_ENTER)
    guard_reason(reason)
    if not idempotency_key.strip():
        raise Refusal("idempotency_key_missing", field="idempotency_key")
    order = _locked_order(tx, actor, ref)
    said = request_digest(
        {
            "order": ref,
            "reason": reason.strip(),
            "lines": said_quantities(quantities),
        }
    )
    before = tx.scalars(
        sa.select(Cancellation).where(
            Cancellation.dealer_id == order.dealer_id,
            Cancellation.idempotency_key == idempotency_key.strip(),
        )
    ).one_or_none()
    if before is not None:
        if before.request_digest != said:
            raise Refusal("idempotency_key_reused")
        return before
    if order.state is OrderState.CANCELLED:
        raise Refusal("already_cancelled")
    lines = order_lines(tx, order)
    chosen = _cancelled(lines, quantities)
    cancellation, rows = _make_cancellation(tx, actor, at, order, chosen)
    cancellation.idempotency_key, cancellation.request_digest = idempotency_key.strip(), said
    cancellation.reason = reason.strip()
    cancellation.digest = cancellation_digest(cancellation, rows)
    if cancellation.credit_cents:
        cancellation.entry_id = post_entry(
            tx,
            actor=actor,
            at=at,
            dealer_id=order.dealer_id,
            program_year=order.program_year,
            account_kind=AccountKind.SALES_CREDIT,
            kind=EntryKind.CANCELLATION,
            amount_cents=-cancellation.credit_cents,
            effective_on=cancellation.cancelled_on,
            idempotency_key=f"cancellation:{order.id.hex}:{cancellation.number}",
            source=Source(ref, cancellation.digest, cancellation.reason),
            related_entry_id=order.entry_id,
        ).id
    tx.add(cancellation)
    tx.flush()
    tx.add_all(rows)
    is_rest = sum(line.open_quantity for line in lines) == sum(quantity for _, quantity in chosen)
    order.state = next_state(
        ORDER_MOVES, "cancel_rest" if is_rest else "cancel_part", order.state, "already_cancelled"
    )
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=order.dealer_id,
        event="order.cancelled",
        subject=ref,
        details={"credit_cents": cancellation.credit_cents, "reason": cancellation.reason},
    )
    queue_mail_to_role(
        tx,
        at=at,
        company_id=order.dealer_id,
        role=Role.DEALER_APPROVER,
        subject=f"{ref}: {'the order' if is_rest else 'a part of the order'} is cancelled",
        body=f"Reason: {cancellation.reason}. Its credit is taken back on your statement.\n",
    )
    return cancellation


def _make_cancellation(
    tx: Session, actor: Viewer, at: datetime, order: Order, chosen: list[tuple[OrderLineRow, int]]
) -> tuple[Cancellation, list[CancellationLine]]:
    """Return the next cancellation of the order and its rows, with the credit they take back."""
    earlier = tx.scalar(
        sa.select(sa.func.max(Cancellation.number)).where(
            Cancellation.dealer_id == order.dealer_id, Cancellation.order_id == order.id
        )
    )
    cancellation = Cancellation(
        dealer_id=order.dealer_id,
        order_id=order.id,
        number=(earlier or 0) + 1,
        products_cents=sum(line.list_price_cents * quantity for line, quantity in chosen),
        cancelled_by=actor.user_id,
        cancelled_at=at,
        cancelled_on=today(tx, at),
    )
    rows = [
        CancellationLine(
            dealer_id=order.dealer_id,
            order_id=order.id,
            cancellation_number=cancellation.number,
            line_id=line.line_id,
            quantity=quantity,
            credit_cents=line.taken_back_cents(quantity, order.credit_rate),
        )
        for line, quantity in chosen
    ]
    cancellation.credit_cents = sum(row.credit_cents for row in rows)
    return cancellation, rows


def _locked_order(tx: Session, actor: Viewer, ref: str) -> Order:
    """Lock the order's quote first, as every write about it does, then the order."""
    dealer_id, number = dealer_of_number(tx, ref, "O")
    seen = tx.scalars(order_by_ref(actor, dealer_id, number)).one_or_none()
    if seen is None:
        raise Refusal("not_found")
    if seen.account_id != actor.company_id or not actor.acts_as(CompanyKind.ACCOUNT):
        raise Refusal("forbidden")
    locked(tx, sa.select(Quote).where(Quote.dealer_id == dealer_id, Quote.id == seen.quote_id))
    order = locked(tx, order_by_ref(actor, dealer_id, number))
    if order is None:
        raise Refusal("not_found")
    return order


def _cancelled(
    lines: tuple[OrderLineRow, ...], quantities: Mapping[UUID, int] | None
) -> list[tuple[OrderLineRow, int]]:
    """Return the lines with the units to cancel, each within what is ordered and not cancelled."""
    wanted = within({line.line_id: line.open_quantity for line in lines}, quantities, "exceeds_ordered_qty")
    return [(line, wanted[line.line_id]) for line in lines if line.line_id in wanted]
