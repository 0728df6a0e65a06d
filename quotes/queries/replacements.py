"""Warranty replacements of an order: which there are, and whether their digests hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from quotes.models.replacements import Replacement, ReplacementLine
from quotes.queries.order_digests import replacement_digest
from quotes.queries.order_lines import order_lines
from referral.models import User


@dataclass(frozen=True)
class ReplacementRow:
    """A warranty replacement of an order's units."""

    number: int
    units: int
    reason: str
    failed_on: date | None
    ordered_by: str
    ordered_at: datetime
    ordered_on: date


def replacements_of(tx: Session, order: Order) -> tuple[ReplacementRow, ...]:
    """Return the warranty replacements of an order, in the order they were made."""
    units: dict[int, int] = {
        number: int(quantity)
        for number, quantity in tx.execute(
            sa.select(ReplacementLine.replacement_number, sa.func.sum(ReplacementLine.quantity))
            .where(ReplacementLine.dealer_id == order.dealer_id, ReplacementLine.order_id == order.id)
            .group_by(ReplacementLine.replacement_number)
        )
    }
    rows = tx.execute(
        sa.select(Replacement, User.name)
        .join(User, User.id == Replacement.ordered_by)
        .where(Replacement.dealer_id == order.dealer_id, Replacement.order_id == order.id)
        .order_by(Replacement.number)
    )
    return tuple(
        ReplacementRow(
            number=row.number,
            units=units[row.number],
            reason=row.reason,
            failed_on=row.failed_on,
            ordered_by=name,
            ordered_at=row.ordered_at,
            ordered_on=row.ordered_on,
        )
        for row, name in rows
    )


def replacement_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each replacement whose digest does not hold, or that is of more than shipped."""
    rows = tx.execute(
        sa.select(Replacement, Order)
        .join(Order, sa.and_(Order.dealer_id == Replacement.dealer_id, Order.id == Replacement.order_id))
        .order_by(Replacement.dealer_id, Replacement.order_id, Replacement.number)
    ).all()
    for replacement, order in rows:
        place = f"replacement {replacement.number} of order {order.dealer_id}/{order.number}"
        lines = list(
            tx.scalars(
                sa.select(ReplacementLine).where(
                    ReplacementLine.dealer_id == replacement.dealer_id,
                    ReplacementLine.order_id == replacement.order_id,
                    ReplacementLine.replacement_number == replacement.number,
                )
            )
        )
        if replacement.digest != replacement_digest(replacement, lines):
            yield f"{place}: does not recompute to its digest"
        shipped = {line.line_id: line.shipped_quantity for line in order_lines(tx, order)}
        if any(line.quantity > shipped.get(line.line_id, 0) for line in lines):
            yield f"{place}: more is replaced than has shipped"
