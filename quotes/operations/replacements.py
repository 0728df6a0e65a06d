"""Ordering units in place of failed ones under warranty. Nothing is approved for it and nothing is earned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from quotes.models.replacements import Replacement, ReplacementLine
from quotes.operations.followers import tell_followers
from quotes.operations.mails import tell_dealer
from quotes.operations.orders import said_quantities
from quotes.operations.placed_orders import chosen_lines, guard_key, locked_order, next_number_of
from quotes.queries.order_digests import replacement_digest
from quotes.queries.order_lines import OrderLineRow, order_lines
from quotes.rules import mails
from quotes.rules.content import request_digest
from referral.errors import Refusal
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today
from referral.text import say_day


def order_replacement(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    quantities: Mapping[UUID, int],
    reason: str,
    failed_on: date | None,
    idempotency_key: str,
) -> Replacement:
    """Units of the order are sent anew for failed ones, without approval, order state or ledger entry.

    `quantities` maps line ids to units, each at most what shipped and is not back; a unit that replaced
    another may fail too, so that earlier replacements count for nothing. The account owes them after its
    qualification ended as well. `failed_on` is None where the day is unknown. The same key and content
    answers with the same replacement. Raises Refusal(forbidden), (not_found), (reason_required),
    (idempotency_key_missing), (idempotency_key_reused), (invalid_input) for a day before the order or still
    to come, (not_on_revision), (exceeds_returnable), (empty_order). Program rules, section 6.
    """
    guard_permission(actor, Permission.ORDER_ENTER)
    why = guard_reason(reason)
    key = guard_key(idempotency_key)
    order = locked_order(tx, actor, ref)
    said = request_digest(
        {
            "order": ref,
            "reason": why,
            "failed_on": None if failed_on is None else failed_on.isoformat(),
            "lines": said_quantities(quantities),
        }
    )
    before = tx.scalars(
        sa.select(Replacement).where(
            Replacement.dealer_id == order.dealer_id, Replacement.idempotency_key == key
        )
    ).one_or_none()
    if before is not None:
        if before.request_digest != said:
            raise Refusal("idempotency_key_reused")
        return before
    day = today(tx, at)
    _guard_day(order, failed_on, day)
    lines = order_lines(tx, order)
    left = {line.line_id: line.returnable_quantity for line in lines}
    if not any(left.values()):
        raise Refusal("exceeds_returnable", "Nothing of this order has shipped and is not back.")
    chosen = chosen_lines(lines, left, quantities, "exceeds_returnable")
    replacement = Replacement(
        dealer_id=order.dealer_id,
        order_id=order.id,
        number=next_number_of(tx, order, Replacement),
        idempotency_key=key,
        request_digest=said,
        reason=why,
        failed_on=failed_on,
        ordered_by=actor.user_id,
        ordered_at=at,
        ordered_on=day,
    )
    _add(tx, replacement, chosen)
    units = sum(quantity for _, quantity in chosen)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=order.dealer_id,
        event="order.replaced",
        subject=ref,
        details={"replacement": replacement.number, "units": units, "reason": why},
    )
    tell_dealer(tx, at, order.dealer_id, mails.replaced(ref, units=units, reason=why))
    tell_followers(tx, actor=actor, at=at, order=order)
    return replacement


def _add(tx: Session, replacement: Replacement, chosen: list[tuple[OrderLineRow, int]]) -> None:
    """The replacement and its lines are kept, under a digest of both."""
    rows = [
        ReplacementLine(
            dealer_id=replacement.dealer_id,
            order_id=replacement.order_id,
            replacement_number=replacement.number,
            line_id=line.line_id,
            quantity=quantity,
        )
        for line, quantity in chosen
    ]
    replacement.digest = replacement_digest(replacement, rows)
    tx.add(replacement)
    tx.flush()
    tx.add_all(rows)


def _guard_day(order: Order, failed_on: date | None, day: date) -> None:
    """Guard: the day is neither before the order nor still to come. Raises Refusal(invalid_input)."""
    if failed_on is None:
        return
    if failed_on > day:
        raise Refusal("invalid_input", "This day is still to come.", "failed_on")
    if failed_on < order.entered_on:
        raise Refusal("invalid_input", f"The order was entered on {say_day(order.entered_on)}.", "failed_on")
