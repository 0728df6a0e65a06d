"""Whether installed sources stand for exactly the Ketra units that shipped, and came from where they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order, OrderLine
from quotes.models.quotes import Quote, RevisionLine
from quotes.models.replacements import ReplacementLine
from quotes.models.returns import OrderReturnLine
from quotes.models.shipments import ShipmentLine
from warranty.models.sources import InstalledSource
from warranty.queries.jobs import ketra_line
from warranty.states import KETRA, Standing

STREAM = 500


def unit_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each shipment, replacement and order line whose units are not exactly its sources."""
    yield from _arrival_faults(
        tx, "shipment", ShipmentLine, ShipmentLine.shipment_number, InstalledSource.shipment_number
    )
    yield from _arrival_faults(
        tx,
        "replacement",
        ReplacementLine,
        ReplacementLine.replacement_number,
        InstalledSource.replacement_number,
    )
    yield from _return_faults(tx)
    yield from _origin_faults(tx)


def _arrival_faults(
    tx: Session,
    what: str,
    line: type[ShipmentLine | ReplacementLine],
    number: sa.orm.InstrumentedAttribute[int],
    source_number: sa.orm.InstrumentedAttribute[int | None],
) -> Iterator[str]:
    sums = (
        sa.select(
            InstalledSource.dealer_id,
            InstalledSource.order_id,
            InstalledSource.line_id,
            source_number.label("number"),
            sa.func.sum(InstalledSource.quantity).label("units"),
        )
        .where(source_number.is_not(None))
        .group_by(InstalledSource.dealer_id, InstalledSource.order_id, InstalledSource.line_id, source_number)
        .subquery()
    )
    units = sa.func.coalesce(sums.c.units, 0)
    rows = _streamed(
        tx,
        sa.select(line.order_id, line.line_id, number, line.quantity, units)
        .outerjoin(
            sums,
            sa.and_(
                sums.c.dealer_id == line.dealer_id,
                sums.c.order_id == line.order_id,
                sums.c.line_id == line.line_id,
                sums.c.number == number,
            ),
        )
        .where(units != line.quantity, ketra_line(line))
        .order_by(line.dealer_id, line.order_id, number, line.line_id),
    )
    for order_id, line_id, count, quantity, found in rows:
        yield (
            f"{what} {count} of order {order_id} line {line_id}: {quantity} units, {int(found)} of them in "
            "installed sources (flask warranty follow makes what is missing)"
        )


def _return_faults(tx: Session) -> Iterator[str]:
    """Yield lines with other units voided than came back."""
    voided = (
        sa.select(
            InstalledSource.dealer_id,
            InstalledSource.order_id,
            InstalledSource.line_id,
            sa.func.sum(InstalledSource.quantity).label("units"),
        )
        .where(InstalledSource.standing == Standing.VOIDED, InstalledSource.shipment_number.is_not(None))
        .group_by(InstalledSource.dealer_id, InstalledSource.order_id, InstalledSource.line_id)
        .subquery()
    )
    returned = (
        sa.select(
            OrderReturnLine.dealer_id,
            OrderReturnLine.order_id,
            OrderReturnLine.line_id,
            sa.func.sum(OrderReturnLine.quantity).label("units"),
        )
        .where(ketra_line(OrderReturnLine))
        .group_by(OrderReturnLine.dealer_id, OrderReturnLine.order_id, OrderReturnLine.line_id)
        .subquery()
    )
    back, gone = (sa.func.coalesce(column, 0) for column in (returned.c.units, voided.c.units))
    joined = sa.and_(
        voided.c.dealer_id == OrderLine.dealer_id,
        voided.c.order_id == OrderLine.order_id,
        voided.c.line_id == OrderLine.line_id,
    )
    rows = _streamed(
        tx,
        sa.select(OrderLine.order_id, OrderLine.line_id, back, gone)
        .outerjoin(voided, joined)
        .outerjoin(
            returned,
            sa.and_(
                returned.c.dealer_id == OrderLine.dealer_id,
                returned.c.order_id == OrderLine.order_id,
                returned.c.line_id == OrderLine.line_id,
            ),
        )
        .where(gone != back)
        .order_by(OrderLine.dealer_id, OrderLine.order_id, OrderLine.line_id),
    )
    for order_id, line_id, quantity, found in rows:
        yield f"order {order_id} line {line_id}: {int(quantity)} units came back, {int(found)} are voided"


def _origin_faults(tx: Session) -> Iterator[str]:
    """Yield sources that say another account, project, item or day than their order and its approved line."""
    same = (
        (InstalledSource.account_id, Order.account_id),
        (InstalledSource.referral_id, Quote.referral_id),
        (InstalledSource.ordered_on, Order.entered_on),
        (InstalledSource.model_number, RevisionLine.model_number),
        (InstalledSource.description, RevisionLine.description),
        (InstalledSource.family, RevisionLine.family),
        (InstalledSource.category, RevisionLine.category),
    )
    rows = _streamed(
        tx,
        sa.select(InstalledSource.dealer_id, InstalledSource.number)
        .join(
            OrderLine,
            sa.and_(
                OrderLine.dealer_id == InstalledSource.dealer_id,
                OrderLine.order_id == InstalledSource.order_id,
                OrderLine.line_id == InstalledSource.line_id,
            ),
        )
        .join(Order, sa.and_(Order.dealer_id == OrderLine.dealer_id, Order.id == OrderLine.order_id))
        .join(Quote, sa.and_(Quote.dealer_id == Order.dealer_id, Quote.id == Order.quote_id))
        .join(
            RevisionLine,
            sa.and_(
                RevisionLine.dealer_id == OrderLine.dealer_id,
                RevisionLine.quote_id == OrderLine.quote_id,
                RevisionLine.revision_number == OrderLine.revision_number,
                RevisionLine.line_id == OrderLine.line_id,
            ),
        )
        .where(
            sa.or_(
                *(said.is_distinct_from(true) for said, true in same), InstalledSource.category.not_in(KETRA)
            )
        )
        .order_by(InstalledSource.dealer_id, InstalledSource.number),
    )
    for dealer_id, number in rows:
        yield f"installed source {number} of dealer {dealer_id}: it is not what its order says"


def _streamed(tx: Session, statement: sa.Executable) -> Iterator[Any]:
    """Yield the rows; whoever stops early lets go of the cursor."""
    with tx.execute(statement.execution_options(yield_per=STREAM)) as rows:
        yield from rows
