"""What an order or a cancellation would do to the dealer's credit, said before it is confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from ledger.rules import line_credit_cents
from quotes.queries.orders import OrderLineRow, OrderPage
from quotes.queries.quotes import LineRow, QuotePage


@dataclass(frozen=True)
class PreviewLine:
    """An approved line with the units to order, their amount and credit."""

    row: LineRow
    quantity: int
    amount_cents: int
    credit_cents: int


@dataclass(frozen=True)
class OrderPreview:
    """What entering these units earns the dealer, and in which year."""

    lines: tuple[PreviewLine, ...]
    products_cents: int
    credit_cents: int
    program_year: int

    @property
    def level_year(self) -> int:
        """The year whose level the credit counts toward (program rules, section 7)."""
        return self.program_year + 1


def order_preview(page: QuotePage, quantities: Mapping[UUID, int]) -> OrderPreview:
    """Return what ordering these units would do today; more than what remains counts as what remains."""
    lines = []
    for row in page.lines:
        quantity = min(quantities.get(row.line.line_id, 0), row.remaining_quantity)
        price = row.line.list_price_cents
        credit = line_credit_cents(price, quantity, page.credit_rate) if row.is_creditable else 0
        lines.append(PreviewLine(row, quantity, price * quantity, credit))
    return OrderPreview(
        lines=tuple(lines),
        products_cents=sum(line.amount_cents for line in lines),
        credit_cents=sum(line.credit_cents for line in lines),
        program_year=page.program_year,
    )


@dataclass(frozen=True)
class CancelledLine:
    """An ordered line with the units to cancel, their amount, and the credit that is taken back."""

    row: OrderLineRow
    quantity: int
    amount_cents: int
    credit_cents: int


@dataclass(frozen=True)
class CancellationPreview:
    """What cancelling these units takes back, from the year that the order's credit was given in."""

    lines: tuple[CancelledLine, ...]
    units: int
    products_cents: int
    credit_cents: int
    program_year: int


def cancellation_preview(page: OrderPage, quantities: Mapping[UUID, int] | None) -> CancellationPreview:
    """Return what cancelling these units would do; None is everything that is left.

    More than what is left counts as what is left.
    """
    lines = []
    for row in page.lines:
        wanted = row.open_quantity if quantities is None else quantities.get(row.line_id, 0)
        quantity = min(wanted, row.open_quantity)
        credit = row.taken_back_cents(quantity, page.order.credit_rate)
        lines.append(CancelledLine(row, quantity, row.list_price_cents * quantity, credit))
    return CancellationPreview(
        lines=tuple(lines),
        units=sum(line.quantity for line in lines),
        products_cents=sum(line.amount_cents for line in lines),
        credit_cents=sum(line.credit_cents for line in lines),
        program_year=page.order.program_year,
    )
