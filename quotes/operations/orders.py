"""Entering an order together with its sales credit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.operations.entries import Source, post_entry
from ledger.operations.evidence import witness
from ledger.states import AccountKind, EntryKind, EvidenceKind
from quotes.models.orders import Order, OrderLine
from quotes.models.quotes import Approval, Quote, Revision
from quotes.operations.mails import project_of, tell_dealer
from quotes.operations.quotes import (
    guard_account_side,
    guard_may_go_on,
    locked_quote,
    locked_revision,
)
from quotes.operations.recalls import guard_not_recalled
from quotes.queries.content import content_lines, ordered_quantities
from quotes.queries.order_digests import ORDER_DIGEST_VERSION, order_digest
from quotes.queries.order_lines import credit_of
from quotes.rules import mails
from quotes.rules.content import ContentLine, is_expired, request_digest
from quotes.states import SETTLED_SERVICES, OrderState, RevisionState
from referral.db import copy_rows
from referral.errors import Problem, Refusal
from referral.ids import PublicNumber, new_id
from referral.models import Company
from referral.operations.records import (
    guard_permission,
    next_number,
    record_event,
)
from referral.permissions import Permission, Viewer
from referral.queries.companies import check_account_number
from referral.queries.exchange_rates import Exchange, exchange_on
from referral.queries.settings import creditable_categories, today, whole_number_setting
from referral.text import say_day


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
    wanted_on: date | None = None,
) -> tuple[Order, str]:
    """The approved lines are ordered and the dealer has the credit, together; returns order and number.

    `quantities` maps line ids to units; None orders everything that remains. `wanted_on` is the day by which
    the account wants them on site, if it says one. The same key and content answers with the same order.
    Raises Refusal(forbidden), (not_found), (idempotency_key_missing), (idempotency_key_reused),
    (stale_revision), (revision_not_approved), (quote_expired), (services_not_agreed), (referral_closed),
    (account_not_qualified), (account_number_unknown_for_dealer), (not_on_revision), (exceeds_approved_qty),
    (empty_order), (amount_too_large), (exchange_rate_missing), (invalid_input) for a wanted day that is over,
    and (price_recalled) with one problem for each chosen line at a recalled price; the others can be ordered.
    Program rules, sections 2 and 6.
    """
    guard_permission(actor, Permission.ORDER_ENTER)
    if not idempotency_key.strip():
        raise Refusal("idempotency_key_missing", field="idempotency_key")
    quote = locked_quote(tx, actor, ref)
    guard_account_side(actor, quote)
    said = _said(ref, revision_number, purchase_order, quantities, wanted_on)
    dealer = tx.get_one(Company, quote.dealer_id)
    before = tx.scalars(
        sa.select(Order).where(
            Order.dealer_id == quote.dealer_id, Order.idempotency_key == idempotency_key.strip()
        )
    ).one_or_none()
    if before is not None:
        if before.request_digest != said or before.account_id != quote.account_id:
            raise Refusal("idempotency_key_reused")
        return before, str(PublicNumber("O", dealer.code, before.number))
    revision = locked_revision(tx, quote, revision_number)
    _guard_orderable(tx, quote, revision, at)
    if wanted_on is not None and wanted_on < today(tx, at):
        raise Refusal("invalid_input", "This day is over.", "wanted_on")
    lines = content_lines(tx, quote, revision_number)
    chosen = _chosen(lines, ordered_quantities(tx, quote), quantities)
    guard_not_recalled(
        tx,
        price_list_id=revision.price_list_id,
        lines=[line for line, _ in chosen],
        field=lambda _, line: f"quantity-{line.line_id}",
        advice="Leave it out of this order; it can be ordered from a next revision, at the price that then holds.",
    )
    order, rows = _make_order(tx, actor, at, quote, revision, chosen)
    order.idempotency_key, order.request_digest = idempotency_key.strip(), said
    order.purchase_order, order.wanted_on = purchase_order, wanted_on
    approval = tx.get_one(Approval, (quote.dealer_id, quote.id, revision_number))
    order.digest = order_digest(order, rows, approval)
    number = str(PublicNumber("O", dealer.code, order.number))
    project = project_of(tx, quote)
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
            effective_on=order.entered_on,
            idempotency_key=f"order:{order.number}",
            source=Source(number, order.digest, project.name),
        ).entry_id
    tx.add(order)
    tx.flush()
    columns = [column.key for column in sa.inspect(OrderLine).columns]
    copy_rows(tx, OrderLine, [{name: getattr(row, name) for name in columns} for row in rows])
    witness(
        tx,
        actor=actor,
        at=at,
        dealer_id=order.dealer_id,
        kind=EvidenceKind.ORDER,
        subject=number,
        content_digest=order.digest,
    )
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=order.dealer_id,
        event="order.placed",
        subject=number,
        details={"quote": ref, "revision": revision_number, "credit_cents": order.credit_cents},
    )
    tell_dealer(tx, at, order.dealer_id, mails.ordered(number, ref, project))
    return order, number


def _make_order(
    tx: Session,
    actor: Viewer,
    at: datetime,
    quote: Quote,
    revision: Revision,
    chosen: list[tuple[ContentLine, int]],
) -> tuple[Order, list[OrderLine]]:
    """Return the order of these lines and its rows, with the credit at the rates of the day."""
    day = today(tx, at)
    exchange = _exchange(tx, revision, day)
    creditable = creditable_categories(tx, day.year)
    order = Order(
        dealer_id=quote.dealer_id,
        id=new_id(),
        number=next_number(tx, quote.dealer_id, "O"),
        account_id=quote.account_id,
        quote_id=quote.id,
        revision_number=revision.number,
        state=OrderState.ENTERED,
        account_number=revision.account_number,
        currency=revision.currency,
        program_year=day.year,
        credit_rate=whole_number_setting(tx, "credit_rate", day),
        exchange_rate=exchange.rate,
        exchange_rate_on=exchange.valid_from,
        digest_version=ORDER_DIGEST_VERSION,
        products_cents=sum(line.list_price_cents * quantity for line, quantity in chosen),
        entered_by=actor.user_id,
        entered_at=at,
        entered_on=day,
    )
    rows = [_order_line(order, line, quantity, creditable) for line, quantity in chosen]
    order.credit_cents = sum(row.credit_cents for row in rows)
    return order, rows


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
    guard_may_go_on(tx, quote, day)
    check_account_number(tx, dealer_id=quote.dealer_id, number=revision.account_number, day=day)


def _chosen(
    lines: tuple[ContentLine, ...], ordered: Mapping[UUID, int], quantities: Mapping[UUID, int] | None
) -> list[tuple[ContentLine, int]]:
    """Return the lines with the units to order, each within what is approved and not yet ordered."""
    left = {line.line_id: max(line.quantity - ordered.get(line.line_id, 0), 0) for line in lines}
    wanted = within(left, quantities, "exceeds_approved_qty")
    return [(line, wanted[line.line_id]) for line in lines if line.line_id in wanted]


def _said(
    ref: str,
    revision_number: int,
    purchase_order: str,
    quantities: Mapping[UUID, int] | None,
    wanted_on: date | None,
) -> str:
    """Return the digest of what a request says; without a wanted day it is what it was before there were any."""
    wanted = {} if wanted_on is None else {"wanted_on": wanted_on.isoformat()}
    return request_digest(
        {
            "quote": ref,
            "revision": revision_number,
            "purchase_order": purchase_order,
            **wanted,
            "lines": said_quantities(quantities),
        }
    )


def said_quantities(quantities: Mapping[UUID, int] | None) -> dict[str, int] | None:
    """Return what a request says of quantities, for its digest; None is everything that is left."""
    if quantities is None:
        return None
    return {line_id.hex: quantity for line_id, quantity in quantities.items() if quantity}


def within(
    left: Mapping[UUID, int], quantities: Mapping[UUID, int] | None, refusal: str
) -> Mapping[UUID, int]:
    """Return the wanted units of each line, all that is left by default.

    Raises Refusal(not_on_revision) for a line that is not in `left`, the named one with a problem for each
    line that wants more than is left, (empty_order) where nothing is wanted.
    """
    asked = left if quantities is None else quantities
    wanted = {line_id: quantity for line_id, quantity in asked.items() if quantity}
    if not wanted.keys() <= left.keys():
        raise Refusal("not_on_revision")
    problems = tuple(
        Problem(refusal, f"{left[line_id]} are left of this line.", f"quantity-{line_id}")
        for line_id, quantity in wanted.items()
        if not 0 < quantity <= left[line_id]
    )
    if problems:
        raise Refusal(refusal, field=problems[0].field, problems=problems)
    if not wanted:
        raise Refusal("empty_order")
    return wanted


def _exchange(tx: Session, revision: Revision, day: date) -> Exchange:
    """Return how the revision's currency becomes the program's on the order's day."""
    currency = str(revision.currency)
    exchange = exchange_on(tx, currency, day)
    if exchange.is_missing:
        raise Refusal("exchange_rate_missing", f"No exchange rate of {currency} holds on {say_day(day)}.")
    return exchange


def _order_line(order: Order, line: ContentLine, quantity: int, creditable: frozenset[str]) -> OrderLine:
    row = OrderLine(
        dealer_id=order.dealer_id,
        order_id=order.id,
        line_id=line.line_id,
        quote_id=order.quote_id,
        revision_number=order.revision_number,
        quantity=quantity,
        list_price_cents=line.list_price_cents,
        amount_cents=line.list_price_cents * quantity,
        is_creditable=line.category.value in creditable,
    )
    row.credit_cents = credit_of(row, order)
    return row
