"""Recomputing what stands behind the ledger: revisions, approvals, orders, cancellations."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models import LedgerEntry
from ledger.states import EntryKind
from quotes.models import (
    Approval,
    Cancellation,
    CancellationLine,
    Order,
    OrderLine,
    PriceList,
    Quote,
    Revision,
)
from quotes.queries.orders import cancellation_digest, credit_of, order_digest
from quotes.queries.quotes import content_lines, revision_digests
from quotes.states import RevisionState


def quote_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each fault: digests, approvals, credit of each line, entries without source."""
    yield from _revision_faults(tx)
    yield from _order_faults(tx)
    yield from _cancellation_faults(tx)
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
        for line in lines:
            if line.credit_cents != credit_of(line, order.credit_rate):
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


def _source_faults(
    tx: Session, place: str, source: Order | Cancellation, amount_cents: int, kind: EntryKind
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
        sa.select(Order.dealer_id, Order.entry_id), sa.select(Cancellation.dealer_id, Cancellation.entry_id)
    ).subquery()
    orphans = tx.scalars(
        sa.select(LedgerEntry)
        .outerjoin(
            sourced,
            sa.and_(sourced.c.dealer_id == LedgerEntry.dealer_id, sourced.c.entry_id == LedgerEntry.id),
        )
        .where(LedgerEntry.kind.in_([EntryKind.ORDER, EntryKind.CANCELLATION]), sourced.c.entry_id.is_(None))
        .order_by(LedgerEntry.dealer_id, LedgerEntry.id)
    )
    for entry in orphans:
        yield f"entry {entry.id} of dealer {entry.dealer_id}: no order or cancellation stands behind it"
