"""Entering an order with its sales credit, and cancelling it: both sides or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.operations.entries import Source, post_entry
from ledger.rules import line_credit_cents, reversal_cents
from ledger.states import AccountKind, EntryKind
from quotes.models import Approval, Cancellation, CancellationLine, Order, OrderLine, Quote, Revision
from quotes.operations.quotes import guard_account_side, locked_quote, locked_revision
from quotes.queries.orders import (
    OrderLineRow,
    cancellation_digest,
    order_by_ref,
    order_digest,
    order_lines,
)
from quotes.queries.quotes import content_lines, ordered_quantities
from quotes.rules import ContentLine, is_expired, request_digest
from quotes.states import ORDER_MOVES, SETTLED_SERVICES, OrderState, RevisionState
from referral.db import locked
from referral.errors import Problem, Refusal
from referral.ids import PublicNumber, new_id
from referral.models import Company, Referral
from referral.operations.records import (
    guard_permission,
    guard_reason,
    next_number,
    queue_mail_to_role,
    record_event,
)
from referral.permissions import CompanyKind, Permission, Role, Viewer
from referral.queries.companies import check_account_number, is_qualified_on
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import creditable_categories, today, whole_number_setting
from referral.states import next_state


def place_order(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    revision_number: int,
    quantities: Mapping[UUID, int] | None,
    purchase_order: str,
    idempotency_key: str,
) -> tuple[Order, str]:
    """The approved lines are ordered and the dealer has the credit, together; returns order and number.

    `quantities` maps line ids to units; None orders everything that remains. The same key and content
    answers with the same order. Raises Refusal(forbidden), (not_found), (idempotency_key_missing),
    (idempotency_key_reused), (stale_revision), (revision_not_approved), (quote_expired),
    (services_not_agreed), (account_not_qualified), (account_number_unknown_for_dealer),
    (not_on_revision), (exceeds_approved_qty), (empty_order). Program rules, section 6.
    """
    guard_permission(actor, Permission.ORDER_ENTER)
    if not idempotency_key.strip():
        raise Refusal("idempotency_key_missing", field="idempotency_key")
    quote = locked_quote(tx, actor, ref)
    guard_account_side(actor, quote)
    said = request_digest(
        {
            "quote": ref,
            "revision": revision_number,
            "purchase_order": purchase_order,
            "lines": None
            if quantities is None
            else {line_id.hex: quantity for line_id, quantity in quantities.items() if quantity},
        }
    )
    dealer = tx.get_one(Company, quote.dealer_id)
    before = tx.scalars(
        sa.select(Order).where(Order.dealer_id == quote.dealer_id, Order.idempotency_key == idempotency_key.strip())
    ).one_or_none()
    if before is not None:
        if before.request_digest != said or before.account_id != quote.account_id:
            raise Refusal("idempotency_key_reused")
        return before, str(PublicNumber("O", dealer.code, before.number))
    revision = locked_revision(tx, quote, revision_number)
    day = today(tx, at)
    _guard_orderable(tx, quote, revision, at)
    lines = content_lines(tx, quote, revision_number)
    chosen = _chosen(lines, ordered_quantities(tx, quote), quantities)
    rate = whole_number_setting(tx, "credit_rate", day)
    creditable = creditable_categories(tx, day.year)
    order = Order(
        dealer_id=quote.dealer_id,
        id=new_id(),
        number=next_number(tx, quote.dealer_id, "O"),
        account_id=quote.account_id,
        quote_id=quote.id,
        revision_number=revision_number,
        state=OrderState.ENTERED,
        idempotency_key=idempotency_key.strip(),
        request_digest=said,
        purchase_order=purchase_order,
        account_number=revision.account_number,
        currency=revision.currency,
        program_year=day.year,
        credit_rate=rate,
        products_cents=sum(line.list_price_cents * quantity for line, quantity in chosen),
        entered_by=actor.user_id,
        entered_at=at,
        entered_on=day,
    )
    rows = [_order_line(order, line, quantity, rate, creditable) for line, quantity in chosen]
    order.credit_cents = sum(row.credit_cents for row in rows)
    approval = tx.get_one(Approval, (quote.dealer_id, quote.id, revision_number))
    order.digest = order_digest(order, rows, approval)
    number = str(PublicNumber("O", dealer.code, order.number))
    referral = tx.get_one(Referral, (quote.dealer_id, quote.referral_id))
    if order.credit_cents:
        order.entry_id = post_entry(
            tx,
            actor=actor,
            at=at,
            dealer_id=order.dealer_id,
            program_year=order.program_year,
            account_kind=AccountKind.SALES_CREDIT,
            kind=EntryKind.ORDER,
            amount_cents=order.credit_cents,
            effective_on=day,
            idempotency_key=f"order:{order.id.hex}",
            source=Source(number, order.digest, referral.project_name),
        ).id
    tx.add(order)
    tx.flush()
    tx.add_all(rows)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=order.dealer_id,
        event="order.placed",
        subject=number,
        details={"quote": ref, "revision": revision_number, "credit_cents": order.credit_cents},
    )
    queue_mail_to_role(
        tx,
        at=at,
        company_id=order.dealer_id,
        role=Role.DEALER_APPROVER,
        subject=f"{number} is ordered: {referral.project_name}",
        body=f"Order {number} of quote {ref} is entered; its sales credit is on your statement.\n",
    )
    return order, number


def _guard_orderable(tx: Session, quote: Quote, revision: Revision, at: datetime) -> None:
    day = today(tx, at)
    if revision.state is RevisionState.SUPERSEDED:
        raise Refusal("stale_revision")
    if revision.state is not RevisionState.APPROVED:
        raise Refusal("revision_not_approved")
    if is_expired(revision.expires_on, day):
        raise Refusal("quote_expired")
    if revision.services_state not in SETTLED_SERVICES:
        raise Refusal("services_not_agreed")
    if not is_qualified_on(tx, quote.account_id, day):
        raise Refusal("account_not_qualified")
    check_account_number(tx, dealer_id=quote.dealer_id, number=revision.account_number, day=day)


def _chosen(
    lines: tuple[ContentLine, ...], ordered: Mapping[UUID, int], quantities: Mapping[UUID, int] | None
) -> list[tuple[ContentLine, int]]:
    """Return the lines with the units to order, each within what is approved and not yet ordered."""
    left = {line.line_id: line.quantity - ordered.get(line.line_id, 0) for line in lines}
    wanted = (
        {line_id: rest for line_id, rest in left.items() if rest > 0}
        if quantities is None
        else {line_id: quantity for line_id, quantity in quantities.items() if quantity}
    )
    if not wanted.keys() <= left.keys():
        raise Refusal("not_on_revision")
    problems = tuple(
        Problem("exceeds_approved_qty", f"{max(left[line_id], 0)} can still be ordered.", f"quantity-{line_id}")
        for line_id, quantity in wanted.items()
        if not 0 < quantity <= left[line_id]
    )
    if problems:
        raise Refusal("exceeds_approved_qty", field=problems[0].field, problems=problems)
    if not wanted:
        raise Refusal("empty_order")
    return [(line, wanted[line.line_id]) for line in lines if line.line_id in wanted]


def _order_line(order: Order, line: ContentLine, quantity: int, rate: int, creditable: frozenset[str]) -> OrderLine:
    is_creditable = line.category.value in creditable
    return OrderLine(
        dealer_id=order.dealer_id,
        order_id=order.id,
        line_id=line.line_id,
        quote_id=order.quote_id,
        revision_number=order.revision_number,
        quantity=quantity,
        list_price_cents=line.list_price_cents,
        amount_cents=line.list_price_cents * quantity,
        is_creditable=is_creditable,
        credit_cents=line_credit_cents(line.list_price_cents, quantity, rate) if is_creditable else 0,
    )


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
            "lines": None
            if quantities is None
            else {line_id.hex: quantity for line_id, quantity in quantities.items() if quantity},
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
    earlier = tx.scalar(
        sa.select(sa.func.max(Cancellation.number)).where(
            Cancellation.dealer_id == order.dealer_id, Cancellation.order_id == order.id
        )
    )
    cancellation = Cancellation(
        dealer_id=order.dealer_id,
        order_id=order.id,
        number=(earlier or 0) + 1,
        idempotency_key=idempotency_key.strip(),
        request_digest=said,
        reason=reason.strip(),
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
            credit_cents=_taken_back(line, quantity, order.credit_rate),
        )
        for line, quantity in chosen
    ]
    cancellation.credit_cents = sum(row.credit_cents for row in rows)
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
            source=Source(ref, cancellation.digest, reason.strip()),
            related_entry_id=order.entry_id,
        ).id
    tx.add(cancellation)
    tx.flush()
    tx.add_all(rows)
    is_rest = sum(line.open_quantity for line in lines) == sum(quantity for _, quantity in chosen)
    order.state = next_state(ORDER_MOVES, "cancel_rest" if is_rest else "cancel_part", order.state, "already_cancelled")
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=order.dealer_id,
        event="order.cancelled",
        subject=ref,
        details={"credit_cents": cancellation.credit_cents, "reason": reason.strip()},
    )
    queue_mail_to_role(
        tx,
        at=at,
        company_id=order.dealer_id,
        role=Role.DEALER_APPROVER,
        subject=f"{ref}: {'the order' if is_rest else 'a part of the order'} is cancelled",
        body=f"Reason: {reason.strip()}. The credit of what is cancelled is taken back on your statement.\n",
    )
    return cancellation


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
    left = {line.line_id: line.open_quantity for line in lines}
    wanted = (
        {line_id: rest for line_id, rest in left.items() if rest > 0}
        if quantities is None
        else {line_id: quantity for line_id, quantity in quantities.items() if quantity}
    )
    if not wanted.keys() <= left.keys():
        raise Refusal("not_on_revision")
    problems = tuple(
        Problem("exceeds_ordered_qty", f"{left[line_id]} can still be cancelled.", f"quantity-{line_id}")
        for line_id, quantity in wanted.items()
        if not 0 < quantity <= left[line_id]
    )
    if problems:
        raise Refusal("exceeds_ordered_qty", field=problems[0].field, problems=problems)
    if not wanted:
        raise Refusal("empty_order")
    return [(line, wanted[line.line_id]) for line in lines if line.line_id in wanted]


def _taken_back(line: OrderLineRow, quantity: int, credit_rate: int) -> int:
    """Return what a partial reversal takes back of a line, so that the last one ends at 0."""
    if not line.is_creditable:
        return 0
    return reversal_cents(
        line.list_price_cents,
        line.open_quantity - quantity,
        credit_rate,
        line.credit_cents - line.reversed_cents,
    )
