"""Taking back what shipped of an order, wholly or in part, with its credit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.operations.entries import Source
from ledger.operations.evidence import witness
from ledger.states import EntryKind, EvidenceKind
from quotes.models.orders import Order
from quotes.models.returns import OrderReturn, OrderReturnLine
from quotes.operations.followers import tell_followers
from quotes.operations.mails import tell_dealer
from quotes.operations.orders import said_quantities
from quotes.operations.placed_orders import (
    chosen_lines,
    guard_key,
    locked_order,
    move_order,
    next_number_of,
    reversal_day,
    take_back_credit,
)
from quotes.queries.order_digests import return_digest
from quotes.queries.order_lines import OrderLineRow, order_lines
from quotes.rules import mails
from quotes.rules.content import request_digest
from quotes.states import ReturnReason, return_words
from referral.errors import Refusal
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer


def return_order(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    quantities: Mapping[UUID, int] | None,
    reason: ReturnReason,
    words: str,
    idempotency_key: str,
) -> OrderReturn:
    """The shipped units came back and their credit is taken back, exactly as a cancellation takes it.

    It goes back to the year it was given in while that is open, else to the present one. `quantities` maps
    line ids to units; None returns everything that shipped and is not back. The same key and content answers
    with the same return. Raises Refusal(forbidden), (not_found), (reason_required) for another reason
    without words, (idempotency_key_missing), (idempotency_key_reused), (not_on_revision),
    (exceeds_returnable), (empty_order).
    """
    guard_permission(actor, Permission.ORDER_ENTER)
    said_words = guard_reason(words, "words") if reason is ReturnReason.OTHER else words.strip()
    key = guard_key(idempotency_key)
    order = locked_order(tx, actor, ref)
    said = request_digest(
        {"order": ref, "reason": reason.value, "words": said_words, "lines": said_quantities(quantities)}
    )
    before = tx.scalars(
        sa.select(OrderReturn).where(
            OrderReturn.dealer_id == order.dealer_id, OrderReturn.idempotency_key == key
        )
    ).one_or_none()
    if before is not None:
        if before.request_digest != said:
            raise Refusal("idempotency_key_reused")
        return before
    lines = order_lines(tx, order)
    left = {line.line_id: line.returnable_quantity for line in lines}
    if not any(left.values()):
        raise Refusal("exceeds_returnable", "Nothing of this order has shipped and is not back.")
    chosen = chosen_lines(lines, left, quantities, "exceeds_returnable")
    returned, rows = _make_return(tx, actor, at, order, chosen)
    returned.idempotency_key, returned.request_digest = key, said
    returned.reason, returned.words = reason, said_words
    returned.digest = return_digest(returned, rows)
    because = return_words(reason, said_words)
    returned.entry_id = take_back_credit(
        tx,
        actor=actor,
        at=at,
        order=order,
        kind=EntryKind.RETURN,
        credit_cents=returned.credit_cents,
        effective_on=returned.returned_on,
        idempotency_key=f"return:{order.number}.{returned.number}",
        source=Source(ref, returned.digest, because),
    )
    tx.add(returned)
    tx.flush()
    tx.add_all(rows)
    units = sum(quantity for _, quantity in chosen)
    move_order(order, lines, returned_units=units)
    witness(
        tx,
        actor=actor,
        at=at,
        dealer_id=order.dealer_id,
        kind=EvidenceKind.RETURN,
        subject=f"{ref}.{returned.number}",
        content_digest=returned.digest,
    )
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=order.dealer_id,
        event="order.returned",
        subject=ref,
        details={"credit_cents": returned.credit_cents, "reason": reason.value, "words": said_words},
    )
    tell_dealer(tx, at, order.dealer_id, mails.returned(ref, units=units, reason=because))
    tell_followers(tx, actor=actor, at=at, order=order)
    return returned


def _make_return(
    tx: Session, actor: Viewer, at: datetime, order: Order, chosen: list[tuple[OrderLineRow, int]]
) -> tuple[OrderReturn, list[OrderReturnLine]]:
    """Return the next return of the order and its rows, with the credit they take back."""
    returned = OrderReturn(
        dealer_id=order.dealer_id,
        order_id=order.id,
        number=next_number_of(tx, order, OrderReturn),
        products_cents=sum(line.list_price_cents * quantity for line, quantity in chosen),
        returned_by=actor.user_id,
        returned_at=at,
        returned_on=reversal_day(tx, at, order),
    )
    rows = [
        OrderReturnLine(
            dealer_id=order.dealer_id,
            order_id=order.id,
            return_number=returned.number,
            line_id=line.line_id,
            quantity=quantity,
            credit_cents=line.taken_back_cents(quantity, order.credit_rate, order.exchange_rate),
        )
        for line, quantity in chosen
    ]
    returned.credit_cents = sum(row.credit_cents for row in rows)
    return returned, rows
