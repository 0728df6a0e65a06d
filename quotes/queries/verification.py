"""Recomputing what stands behind the ledger: revisions, approvals, orders and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerEntry
from ledger.states import EntryKind
from quotes.models.orders import Cancellation, CancellationLine, Order, OrderLine
from quotes.models.price_lists import PriceList
from quotes.models.quotes import Approval, Quote, Revision
from quotes.models.returns import OrderReturn, OrderReturnLine
from quotes.models.shipments import Shipment, ShipmentLine
from quotes.queries.content import content_lines, revision_digests
from quotes.queries.order_digests import (
    cancellation_digest,
    order_digest,
    return_digest,
    shipment_digest,
)
from quotes.queries.order_lines import LineStanding, LineTable, credit_of
from quotes.queries.replacements import replacement_faults
from quotes.queries.service_verification import service_faults
from quotes.states import ORDER_MOVES, OrderState, RevisionState, order_verb
from referral.models import ExchangeRate


def quote_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each fault: digests, approvals, units and credit of each line, entries without source."""
    yield from _revision_faults(tx)
    yield from service_faults(tx)
    yield from _order_faults(tx)
    yield from _cancellation_faults(tx)
    yield from _shipment_faults(tx)
    yield from _return_faults(tx)
    yield from replacement_faults(tx)
    yield from _unit_faults(tx)
    yield from _entry_faults(tx)


def _revision_faults(tx: Session) -> Iterator[str]:
    rows = tx.execute(
        sa.select(Revision, Quote, PriceList)
        .join(Quote, sa.and_(Quote.dealer_id == Revision.dealer_id, Quote.id == Revision.quote_id))
        .join(PriceList, PriceList.id == Revision.price_list_id)
        .where(Revision.state != RevisionState.DRAFT)
        .order_by(Revision.dealer_id, Revision.quote_id, Revision.number)
    ).all()
    for revision, quote, price_list in rows:
        digests = revision_digests(tx, quote, revision, price_list, content_lines(tx, quote, revision.number))
        place = f"revision {revision.number} of quote {quote.dealer_id}/{quote.number}"
        if (digests.products, digests.services, digests.both) != (
            revision.products_digest,
            revision.services_digest,
            revision.digest,
        ):
            yield f"{place}: content does not recompute to its digest"
        approval = tx.get(Approval, (quote.dealer_id, quote.id, revision.number))
        if approval is not None and approval.digest != revision.digest:
            yield f"{place}: approved with another digest"


def _order_faults(tx: Session) -> Iterator[str]:
    rates = {
        tuple(row)
        for row in tx.execute(sa.select(ExchangeRate.currency, ExchangeRate.valid_from, ExchangeRate.rate))
    }
    for order in tx.scalars(sa.select(Order).order_by(Order.dealer_id, Order.number)).all():
        place = f"order {order.dealer_id}/{order.number}"
        lines = list(
            tx.scalars(
                sa.select(OrderLine).where(
                    OrderLine.dealer_id == order.dealer_id, OrderLine.order_id == order.id
                )
            )
        )
        approval = tx.get_one(Approval, (order.dealer_id, order.quote_id, order.revision_number))
        if order.digest != order_digest(order, lines, approval):
            yield f"{place}: order, lines or approval do not recompute to its digest"
        if (
            order.exchange_rate_on
            and (order.currency, order.exchange_rate_on, order.exchange_rate) not in rates
        ):
            yield f"{place}: its exchange rate was never set"
        for line in lines:
            if line.credit_cents != credit_of(line, order):
                yield f"{place} line {line.line_id}: credit does not recompute"
        if order.credit_cents != sum(line.credit_cents for line in lines):
            yield f"{place}: credit is not the sum of its lines"
        yield from _source_faults(tx, place, order, order.credit_cents, EntryKind.ORDER)


def _cancellation_faults(tx: Session) -> Iterator[str]:
    rows = tx.scalars(
        sa.select(Cancellation).order_by(Cancellation.dealer_id, Cancellation.order_id, Cancellation.number)
    ).all()
    for cancellation in rows:
        place = f"cancellation {cancellation.number} of order {cancellation.order_id}"
        lines = list(
            tx.scalars(
                sa.select(CancellationLine).where(
                    CancellationLine.dealer_id == cancellation.dealer_id,
                    CancellationLine.order_id == cancellation.order_id,
                    CancellationLine.cancellation_number == cancellation.number,
                )
            )
        )
        if cancellation.digest != cancellation_digest(cancellation, lines):
            yield f"{place}: does not recompute to its digest"
        if cancellation.credit_cents != sum(line.credit_cents for line in lines):
            yield f"{place}: credit is not the sum of its lines"
        yield from _source_faults(tx, place, cancellation, -cancellation.credit_cents, EntryKind.CANCELLATION)


def _shipment_faults(tx: Session) -> Iterator[str]:
    rows = tx.scalars(
        sa.select(Shipment).order_by(Shipment.dealer_id, Shipment.order_id, Shipment.number)
    ).all()
    for shipment in rows:
        lines = list(
            tx.scalars(
                sa.select(ShipmentLine).where(
                    ShipmentLine.dealer_id == shipment.dealer_id,
                    ShipmentLine.order_id == shipment.order_id,
                    ShipmentLine.shipment_number == shipment.number,
                )
            )
        )
        if shipment.digest != shipment_digest(shipment, lines):
            yield f"shipment {shipment.number} of order {shipment.order_id}: does not recompute to its digest"


def _return_faults(tx: Session) -> Iterator[str]:
    rows = tx.scalars(
        sa.select(OrderReturn).order_by(OrderReturn.dealer_id, OrderReturn.order_id, OrderReturn.number)
    ).all()
    for returned in rows:
        place = f"return {returned.number} of order {returned.order_id}"
        lines = list(
            tx.scalars(
                sa.select(OrderReturnLine).where(
                    OrderReturnLine.dealer_id == returned.dealer_id,
                    OrderReturnLine.order_id == returned.order_id,
                    OrderReturnLine.return_number == returned.number,
                )
            )
        )
        if returned.digest != return_digest(returned, lines):
            yield f"{place}: does not recompute to its digest"
        if returned.credit_cents != sum(line.credit_cents for line in lines):
            yield f"{place}: credit is not the sum of its lines"
        yield from _source_faults(tx, place, returned, -returned.credit_cents, EntryKind.RETURN)


# units ------------------------------------------------------------------------------------------


def _unit_faults(tx: Session) -> Iterator[str]:
    """Yield what is wrong with the units of each order: more than there are, credit not theirs, another state."""
    for _, rows in groupby(_standings(tx), key=lambda row: row[0].id):
        found = list(rows)
        order: Order = found[0][0]
        place = f"order {order.dealer_id}/{order.number}"
        for _, line_id, line in found:
            if line.open_quantity < 0 or line.returnable_quantity < 0:
                yield f"{place} line {line_id}: more is cancelled, shipped or returned than there is"
            elif line.taken_back_cents(0, order.credit_rate, order.exchange_rate):
                yield f"{place} line {line_id}: what was taken back is not the credit of its units"
        if order.state is not _state_of([line for _, _, line in found]):
            yield f"{place}: its state is not what its units say"


def _state_of(lines: list[LineStanding]) -> OrderState:
    """Return the state that an order with these lines stands in."""
    shipped = sum(line.shipped_quantity for line in lines)
    if not shipped and not any(line.cancelled_quantity for line in lines):
        return OrderState.ENTERED
    verb = order_verb(
        open_units=sum(line.open_quantity for line in lines),
        shipped_units=shipped,
        returned_units=sum(line.returned_quantity for line in lines),
    )
    return ORDER_MOVES[verb][1]


def _standings(tx: Session) -> Iterator[tuple[Order, Any, LineStanding]]:
    """Yield every order line with what became of its units, by dealer and order, streamed."""
    cancelled, shipped, returned = (
        _sums(table) for table in (CancellationLine, ShipmentLine, OrderReturnLine)
    )
    statement = (
        sa.select(
            Order,
            OrderLine,
            *(
                sa.func.coalesce(column, 0)
                for column in (
                    cancelled.c.units, shipped.c.units, returned.c.units, cancelled.c.cents, returned.c.cents
                )
            ),
        )
        .join(OrderLine, sa.and_(OrderLine.dealer_id == Order.dealer_id, OrderLine.order_id == Order.id))
        .order_by(Order.dealer_id, Order.id, OrderLine.line_id)
        .execution_options(yield_per=500)
    )  # fmt: skip
    for sums in (cancelled, shipped, returned):
        statement = statement.outerjoin(
            sums,
            sa.and_(
                sums.c.dealer_id == OrderLine.dealer_id,
                sums.c.order_id == OrderLine.order_id,
                sums.c.line_id == OrderLine.line_id,
            ),
        )
    for order, line, *numbers in tx.execute(statement):
        units = list(map(int, numbers))
        yield (
            order,
            line.line_id,
            LineStanding(
                quantity=line.quantity,
                cancelled_quantity=units[0],
                shipped_quantity=units[1],
                returned_quantity=units[2],
                list_price_cents=line.list_price_cents,
                amount_cents=line.amount_cents,
                is_creditable=line.is_creditable,
                credit_cents=line.credit_cents,
                reversed_cents=units[3] + units[4],
            ),
        )


def _sums(table: LineTable) -> sa.Subquery:
    """Return the units and the credit of each order line in a table; shipments move no credit."""
    cents = getattr(table, "credit_cents", sa.literal(0))
    return (
        sa.select(
            table.dealer_id,
            table.order_id,
            table.line_id,
            sa.func.sum(table.quantity).label("units"),
            sa.func.sum(cents).label("cents"),
        )
        .group_by(table.dealer_id, table.order_id, table.line_id)
        .subquery()
    )


# the ledger -------------------------------------------------------------------------------------


def _source_faults(
    tx: Session, place: str, source: Order | Cancellation | OrderReturn, amount_cents: int, kind: EntryKind
) -> Iterator[str]:
    if amount_cents == 0 and source.entry_id is None:
        return
    entry = None if source.entry_id is None else tx.get(LedgerEntry, (source.dealer_id, source.entry_id))
    if entry is None:
        yield f"{place}: its credit is not in the ledger"
    elif (entry.kind, entry.amount_cents, entry.source_digest) != (kind, amount_cents, source.digest):
        yield f"{place}: the ledger says otherwise"


def _entry_faults(tx: Session) -> Iterator[str]:
    sourced = sa.union_all(
        sa.select(Order.dealer_id, Order.entry_id),
        sa.select(Cancellation.dealer_id, Cancellation.entry_id),
        sa.select(OrderReturn.dealer_id, OrderReturn.entry_id),
    ).subquery()
    kinds = [EntryKind.ORDER, EntryKind.CANCELLATION, EntryKind.RETURN]
    orphans = tx.scalars(
        sa.select(LedgerEntry)
        .outerjoin(
            sourced,
            sa.and_(sourced.c.dealer_id == LedgerEntry.dealer_id, sourced.c.entry_id == LedgerEntry.id),
        )
        .where(LedgerEntry.kind.in_(kinds), sourced.c.entry_id.is_(None))
        .order_by(LedgerEntry.dealer_id, LedgerEntry.id)
    )
    for entry in orphans:
        yield f"entry {entry.id} of dealer {entry.dealer_id}: no order, cancellation or return stands behind it"
