"""What the worker does for installed sources: reads them with newer terms, makes those of earlier orders."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from quotes.models.quotes import Quote
from referral.db import locked
from referral.models import DealerCounter
from referral.permissions import Viewer
from referral.text import fold
from warranty.models.sources import InstalledSource
from warranty.models.terms import TermReading, WarrantyTerm
from warranty.operations.following import follow_order
from warranty.operations.recording import refresh
from warranty.queries.jobs import ORDERS_AT_ONCE, SOURCES_AT_ONCE, orders_to_follow
from warranty.queries.terms import newest_term_at


def read_terms(tx: Session, *, actor: Viewer | None, at: datetime, dealer_id: UUID) -> int:  # noqa: ARG001
    """The dealer's next sources are read with the newest terms; returns how many came out otherwise.

    It goes on where the last one stopped, SOURCES_AT_ONCE by their numbers, and does nothing where nothing is
    left. The dealer's counter is locked, so that a source being made meanwhile is not missed.
    """
    counter = sa.select(DealerCounter).where(DealerCounter.dealer_id == dealer_id, DealerCounter.kind == "U")
    newest = newest_term_at(tx) if locked(tx, counter) is not None else None
    if newest is None:
        return 0
    reading = tx.get(TermReading, dealer_id, populate_existing=True)
    if reading is None:
        reading = TermReading(dealer_id=dealer_id, read_at=None, reading=None, through_number=0)
        tx.add(reading)
    if reading.read_at is not None and reading.read_at >= newest:
        return 0
    reading.reading = reading.reading or newest
    rows = tx.execute(
        sa.select(InstalledSource.id, InstalledSource.number, InstalledSource.family)
        .where(InstalledSource.dealer_id == dealer_id, InstalledSource.number > reading.through_number)
        .order_by(InstalledSource.number)
        .limit(SOURCES_AT_ONCE)
    ).all()
    families = _families_since(tx, reading.read_at)
    changed = refresh(
        tx, dealer_id=dealer_id, source_ids=[row.id for row in rows if fold(row.family) in families]
    )
    if len(rows) == SOURCES_AT_ONCE:
        reading.through_number = rows[-1].number
    else:
        reading.read_at, reading.reading, reading.through_number = reading.reading, None, 0
    tx.flush()
    return changed


def follow_orders(tx: Session, *, actor: Viewer | None, at: datetime, dealer_id: UUID) -> int:
    """The dealer's next orders that are not followed yet are; returns how many sources were made or voided.

    Every order is locked behind its quote before the first is followed. What another worker did is not done
    again.
    """
    orders = []
    for order_id, quote_id in orders_to_follow(tx, dealer_id, limit=ORDERS_AT_ONCE):
        locked(tx, sa.select(Quote).where(Quote.dealer_id == dealer_id, Quote.id == quote_id))
        order = locked(tx, sa.select(Order).where(Order.dealer_id == dealer_id, Order.id == order_id))
        if order is not None:
            orders.append(order)
    return sum(follow_order(tx, actor=actor, at=at, order=order) for order in orders)


def _families_since(tx: Session, at: datetime | None) -> set[str]:
    """Return the folded names of the families that terms were recorded of after an instant; of all without one."""
    statement = sa.select(WarrantyTerm.family_key).distinct()
    return set(tx.scalars(statement if at is None else statement.where(WarrantyTerm.set_at > at)))
