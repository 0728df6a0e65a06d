"""What became of each line of an order, and the credit that is still its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.rules.credit import line_credit_cents, reversal_cents
from quotes.models.orders import CancellationLine, Order, OrderLine
from quotes.models.quotes import RevisionLine
from quotes.models.returns import OrderReturnLine
from quotes.models.shipments import ShipmentLine

LineTable: TypeAlias = type[CancellationLine] | type[ShipmentLine] | type[OrderReturnLine]


@dataclass(frozen=True)
class LineStanding:
    """What became of an ordered line's units, and the credit that is still its own, in its parts."""

    quantity: int
    cancelled_quantity: int
    shipped_quantity: int
    returned_quantity: int
    list_price_cents: int
    amount_cents: int
    is_creditable: bool
    credit_cents: int
    reversed_cents: int
    """The credit that cancellations and returns took back."""

    @property
    def open_quantity(self) -> int:
        """What is ordered and neither cancelled nor shipped: what can be shipped or cancelled."""
        return self.quantity - self.cancelled_quantity - self.shipped_quantity

    @property
    def returnable_quantity(self) -> int:
        """What shipped and did not come back."""
        return self.shipped_quantity - self.returned_quantity

    @property
    def kept_quantity(self) -> int:
        """What is neither cancelled nor returned: what still earns."""
        return self.quantity - self.cancelled_quantity - self.returned_quantity

    def taken_back_cents(self, quantity: int, credit_rate: int, exchange_rate: int) -> int:
        """Return the credit that cancelling or returning these units takes back, the last one to exactly 0.

        The rates are those of its order, whatever they are today.
        """
        if not self.is_creditable:
            return 0
        return reversal_cents(
            self.list_price_cents,
            self.kept_quantity - quantity,
            credit_rate,
            self.credit_cents - self.reversed_cents,
            exchange_rate,
        )


@dataclass(frozen=True)
class OrderLineRow(LineStanding):
    """An ordered line as it was quoted, with what became of it."""

    line_id: UUID
    model_number: str
    description: str
    room: str


def _units(tx: Session, order: Order, table: LineTable) -> dict[UUID, int]:
    """Return how many units of each of the order's lines the rows of this table hold together."""
    found = tx.execute(
        sa.select(table.line_id, sa.func.sum(table.quantity))
        .where(table.dealer_id == order.dealer_id, table.order_id == order.id)
        .group_by(table.line_id)
    )
    return {line_id: int(quantity) for line_id, quantity in found}


def _taken_back(tx: Session, order: Order) -> dict[UUID, int]:
    """Return the credit of each of the order's lines that cancellations and returns took back, in cents."""
    parts = sa.union_all(
        *(
            sa.select(table.line_id, table.credit_cents).where(
                table.dealer_id == order.dealer_id, table.order_id == order.id
            )
            for table in (CancellationLine, OrderReturnLine)
        )
    ).subquery()
    found = tx.execute(
        sa.select(parts.c.line_id, sa.func.sum(parts.c.credit_cents)).group_by(parts.c.line_id)
    )
    return {line_id: int(cents) for line_id, cents in found}


def order_lines(tx: Session, order: Order) -> tuple[OrderLineRow, ...]:
    """Return an order's lines in the revision's order, with what became of the units of each."""
    cancelled, shipped, returned = (
        _units(tx, order, table) for table in (CancellationLine, ShipmentLine, OrderReturnLine)
    )
    taken_back = _taken_back(tx, order)
    rows = tx.execute(
        sa.select(OrderLine, RevisionLine)
        .join(
            RevisionLine,
            sa.and_(
                RevisionLine.dealer_id == OrderLine.dealer_id,
                RevisionLine.quote_id == OrderLine.quote_id,
                RevisionLine.revision_number == OrderLine.revision_number,
                RevisionLine.line_id == OrderLine.line_id,
            ),
        )
        .where(OrderLine.dealer_id == order.dealer_id, OrderLine.order_id == order.id)
        .order_by(RevisionLine.position, RevisionLine.line_id)
    )
    return tuple(
        OrderLineRow(
            line_id=line.line_id,
            model_number=quoted.model_number,
            description=quoted.description,
            room=quoted.room,
            quantity=line.quantity,
            cancelled_quantity=cancelled.get(line.line_id, 0),
            shipped_quantity=shipped.get(line.line_id, 0),
            returned_quantity=returned.get(line.line_id, 0),
            list_price_cents=line.list_price_cents,
            amount_cents=line.amount_cents,
            is_creditable=line.is_creditable,
            credit_cents=line.credit_cents,
            reversed_cents=taken_back.get(line.line_id, 0),
        )
        for line, quoted in rows
    )


def credit_of(line: OrderLine, order: Order) -> int:
    """Return the credit a line must have earned at the rates of its order, in cents."""
    if not line.is_creditable:
        return 0
    return line_credit_cents(line.list_price_cents, line.quantity, order.credit_rate, order.exchange_rate)
