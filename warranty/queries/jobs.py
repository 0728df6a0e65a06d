"""What the worker has to do for installed sources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import ceil
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order, OrderLine
from quotes.models.quotes import RevisionLine
from quotes.models.replacements import ReplacementLine
from quotes.models.returns import OrderReturnLine
from quotes.models.shipments import ShipmentLine
from warranty.models.sources import InstalledSource
from warranty.queries.terms import dealers_to_read
from warranty.states import KETRA, Standing

SOURCES_AT_ONCE = 2_000
"""Sources that one transaction reads with new terms."""
ORDERS_AT_ONCE = 50
"""Orders that one transaction follows."""


def terms_due(tx: Session, *, at: datetime) -> Sequence[UUID]:  # noqa: ARG001 - a job's due takes the instant
    """Return the dealers whose sources are to be read with newer terms, each as often as there is work at once."""
    return [
        dealer.dealer_id
        for dealer in dealers_to_read(tx)
        for _ in range(max(1, ceil((dealer.left + 1) / SOURCES_AT_ONCE)))
    ]


def orders_due(tx: Session, *, at: datetime) -> Sequence[UUID]:  # noqa: ARG001 - a job's due takes the instant
    """Return the dealers with orders that are not followed, each as often as there is work at once."""
    orders = _unfollowed().subquery()
    rows = tx.execute(
        sa.select(orders.c.dealer_id, sa.func.count(orders.c.order_id.distinct()))
        .group_by(orders.c.dealer_id)
        .order_by(orders.c.dealer_id)
    )
    return [dealer_id for dealer_id, count in rows for _ in range(ceil(count / ORDERS_AT_ONCE))]


def orders_to_follow(tx: Session, dealer_id: UUID, *, limit: int) -> Sequence[sa.Row[UUID, UUID]]:
    """Return (order id, quote id) of the dealer's first orders that are not followed, in order of the quote."""
    orders = _unfollowed(dealer_id).subquery()
    return tx.execute(
        sa.select(Order.id, Order.quote_id)
        .where(
            Order.dealer_id == dealer_id,
            Order.id.in_(sa.select(orders.c.order_id)),
        )
        .order_by(Order.quote_id, Order.id)
        .limit(limit)
    ).all()


def ketra_line(line: type[ShipmentLine | ReplacementLine | OrderReturnLine]) -> sa.ColumnElement[bool]:
    """Return the condition that a line of an order's shipment, replacement or return is of a Ketra category."""
    return (
        sa.exists()
        .where(
            OrderLine.dealer_id == line.dealer_id,
            OrderLine.order_id == line.order_id,
            OrderLine.line_id == line.line_id,
            RevisionLine.dealer_id == OrderLine.dealer_id,
            RevisionLine.quote_id == OrderLine.quote_id,
            RevisionLine.revision_number == OrderLine.revision_number,
            RevisionLine.line_id == OrderLine.line_id,
            RevisionLine.category.in_(KETRA),
        )
        .correlate(line)
    )


def _unfollowed(dealer_id: UUID | None = None) -> sa.CompoundSelect[UUID, UUID]:
    """Return (dealer, order) of what shipped or was replaced without sources, or came back without being voided."""

    def _of_dealer(
        statement: sa.Select[UUID, UUID], line: type[ShipmentLine | ReplacementLine | OrderReturnLine]
    ) -> sa.Select[UUID, UUID]:
        return statement if dealer_id is None else statement.where(line.dealer_id == dealer_id)

    def _without_source(
        line: type[ShipmentLine | ReplacementLine], *same: sa.ColumnElement[bool]
    ) -> sa.Select[UUID, UUID]:
        source = sa.exists().where(
            InstalledSource.dealer_id == line.dealer_id,
            InstalledSource.order_id == line.order_id,
            InstalledSource.line_id == line.line_id,
            *same,
        )
        return _of_dealer(sa.select(line.dealer_id, line.order_id).where(~source, ketra_line(line)), line)

    voided = (
        sa.select(sa.func.coalesce(sa.func.sum(InstalledSource.quantity), 0))
        .where(
            InstalledSource.dealer_id == OrderReturnLine.dealer_id,
            InstalledSource.order_id == OrderReturnLine.order_id,
            InstalledSource.line_id == OrderReturnLine.line_id,
            InstalledSource.shipment_number.is_not(None),
            InstalledSource.standing == Standing.VOIDED,
        )
        .correlate(OrderReturnLine)
        .scalar_subquery()
    )
    returned = (
        sa.select(OrderReturnLine.dealer_id, OrderReturnLine.order_id)
        .where(ketra_line(OrderReturnLine))
        .group_by(OrderReturnLine.dealer_id, OrderReturnLine.order_id, OrderReturnLine.line_id)
        .having(sa.func.sum(OrderReturnLine.quantity) > voided)
    )

    return sa.union(
        _without_source(ShipmentLine, InstalledSource.shipment_number == ShipmentLine.shipment_number),
        _without_source(
            ReplacementLine, InstalledSource.replacement_number == ReplacementLine.replacement_number
        ),
        _of_dealer(returned, OrderReturnLine),
    )
