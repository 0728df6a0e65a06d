"""What every change of a placed order shares: its lock, its units, its state, the credit taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.operations.entries import Source, post_entry, posting_year
from ledger.states import AccountKind, EntryKind
from quotes.models.orders import Cancellation, Order
from quotes.models.quotes import Quote
from quotes.models.replacements import Replacement
from quotes.models.returns import OrderReturn
from quotes.models.shipments import Shipment
from quotes.operations.orders import within
from quotes.queries.order_lines import OrderLineRow
from quotes.queries.orders import order_by_ref
from quotes.states import ORDER_MOVES, OrderState, order_verb
from referral.db import locked
from referral.errors import Refusal
from referral.permissions import CompanyKind, Viewer
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import today
from referral.states import next_state


def locked_order(tx: Session, actor: Viewer, ref: str) -> Order:
    """Lock the order's quote first, as every write about it does, then the order.

    Raises Refusal(not_found), (forbidden) for anyone but the order's account.
    """
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


def guard_key(idempotency_key: str) -> str:
    """Guard: a key is given. Returns it; raises Refusal(idempotency_key_missing)."""
    if not idempotency_key.strip():
        raise Refusal("idempotency_key_missing", field="idempotency_key")
    return idempotency_key.strip()


def next_number_of(
    tx: Session, order: Order, table: type[Cancellation | Shipment | OrderReturn | Replacement]
) -> int:
    """Return the next number of a cancellation, shipment, return or replacement of the locked order."""
    earlier = tx.scalar(
        sa.select(sa.func.max(table.number)).where(
            table.dealer_id == order.dealer_id, table.order_id == order.id
        )
    )
    return (earlier or 0) + 1


def chosen_lines(
    lines: tuple[OrderLineRow, ...],
    left: Mapping[UUID, int],
    quantities: Mapping[UUID, int] | None,
    refusal: str,
) -> list[tuple[OrderLineRow, int]]:
    """Return the lines with the units that are wanted of each, within what is left; None is all of it."""
    wanted = within(left, quantities, refusal)
    return [(line, wanted[line.line_id]) for line in lines if line.line_id in wanted]


def guard_something_open(order: Order, lines: tuple[OrderLineRow, ...]) -> None:
    """Guard: some unit is neither cancelled nor shipped. Raises Refusal(already_cancelled), (already_shipped)."""
    if not any(line.open_quantity for line in lines):
        raise Refusal(
            "already_cancelled" if order.state is OrderState.CANCELLED else "already_shipped",
            details={"state": order.state.value},
        )


def move_order(
    order: Order,
    lines: tuple[OrderLineRow, ...],
    *,
    cancelled_units: int = 0,
    shipped_units: int = 0,
    returned_units: int = 0,
) -> None:
    """The order's state is what its units say, after these units more are cancelled, shipped or returned."""
    verb = order_verb(
        open_units=sum(line.open_quantity for line in lines) - cancelled_units - shipped_units,
        shipped_units=sum(line.shipped_quantity for line in lines) + shipped_units,
        returned_units=sum(line.returned_quantity for line in lines) + returned_units,
    )
    order.state = next_state(ORDER_MOVES, verb, order.state, "already_cancelled")


def reversal_day(tx: Session, at: datetime, order: Order) -> date:
    """Return the day on which credit is taken back: today, never before the day it was given."""
    return max(today(tx, at), order.entered_on)


def take_back_credit(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    order: Order,
    kind: EntryKind,
    credit_cents: int,
    effective_on: date,
    idempotency_key: str,
    source: Source,
) -> UUID | None:
    """The credit is taken back in the order's program year while that is open, else in the present one.

    There the memo names the year it was given in. Returns the entry's id; None where these units earned
    nothing. Program rules, section 7.
    """
    if not credit_cents:
        return None
    year = posting_year(tx, dealer_id=order.dealer_id, program_year=order.program_year, at=at)
    if year != order.program_year:
        source = replace(source, memo=f"Credit of {order.program_year}, which is closed. {source.memo}")
    return post_entry(
        tx,
        actor=actor,
        at=at,
        dealer_id=order.dealer_id,
        program_year=year,
        account_kind=AccountKind.SALES_CREDIT,
        kind=kind,
        amount_cents=-credit_cents,
        effective_on=effective_on,
        idempotency_key=idempotency_key,
        source=source,
        related_entry_id=order.entry_id,
    ).entry_id
