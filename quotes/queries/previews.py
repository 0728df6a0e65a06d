"""What an order, a cancellation or a return would do to the dealer's credit, said before it is confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from ledger.rules.credit import line_credit_cents
from quotes.queries.order_lines import OrderLineRow
from quotes.queries.order_page import OrderPage
from quotes.queries.quotes import LineRow, QuotePage
from quotes.rules.rooms import by_room


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
    for row in by_room(page.lines, lambda row: row.line.room):
        quantity = min(quantities.get(row.line.line_id, 0), row.remaining_quantity)
        price = row.line.list_price_cents
        earned = line_credit_cents(price, quantity, page.credit_rate, page.exchange.rate)
        lines.append(PreviewLine(row, quantity, price * quantity, earned if row.is_creditable else 0))
    return OrderPreview(
        lines=tuple(lines),
        products_cents=sum(line.amount_cents for line in lines),
        credit_cents=sum(line.credit_cents for line in lines),
        program_year=page.program_year,
    )


@dataclass(frozen=True)
class TakenBackLine:
    """An ordered line with the units to cancel or return, their amount, and the credit that is taken back."""

    row: OrderLineRow
    quantity: int
    amount_cents: int
    credit_cents: int


@dataclass(frozen=True)
class TakenBackPreview:
    """What cancelling or returning these units takes back of the credit of the order's program year."""

    lines: tuple[TakenBackLine, ...]
    units: int
    products_cents: int
    credit_cents: int
    program_year: int


def cancellation_preview(page: OrderPage, quantities: Mapping[UUID, int] | None) -> TakenBackPreview:
    """Return what cancelling these units would do; None is everything that is left.

    More than what is left counts as what is left.
    """
    return _preview(page, quantities, {row.line_id: row.open_quantity for row in page.lines})


def return_preview(page: OrderPage, quantities: Mapping[UUID, int] | None) -> TakenBackPreview:
    """Return what taking these units back would do; None is everything that shipped and is not back.

    More than that counts as that.
    """
    return _preview(page, quantities, {row.line_id: row.returnable_quantity for row in page.lines})


def _preview(
    page: OrderPage, quantities: Mapping[UUID, int] | None, left: Mapping[UUID, int]
) -> TakenBackPreview:
    wanted = left if quantities is None else quantities
    lines = []
    for row in page.lines:
        quantity = min(wanted.get(row.line_id, 0), left[row.line_id])
        credit = row.taken_back_cents(quantity, page.order.credit_rate, page.order.exchange_rate)
        lines.append(TakenBackLine(row, quantity, row.list_price_cents * quantity, credit))
    return TakenBackPreview(
        lines=tuple(lines),
        units=sum(line.quantity for line in lines),
        products_cents=sum(line.amount_cents for line in lines),
        credit_cents=sum(line.credit_cents for line in lines),
        program_year=page.order.program_year,
    )
