"""The orders of a program year for the year's workbook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from ledger.queries.year_state import YearDealer, YearState
from quotes.queries.orders import OrderRow, year_orders
from quotes.states import OrderState
from referral.sheetkit.cellwriter import Column, Kind, Value
from referral.sheetkit.writer import Sheet

STATE_WORDS = {
    OrderState.ENTERED: "Ordered",
    OrderState.PART_CANCELLED: "Partly cancelled",
    OrderState.CANCELLED: "Cancelled",
    OrderState.PART_SHIPPED: "Partly shipped",
    OrderState.SHIPPED: "Shipped",
    OrderState.PART_RETURNED: "Partly returned",
    OrderState.RETURNED: "Returned",
}
COLUMNS = (
    Column("Order", width=18),
    Column("Quote", width=18),
    Column("Revision", Kind.INTEGER),
    Column("Order day", Kind.DATE),
    Column("Entered at", Kind.INSTANT),
    Column("Dealer", width=12),
    Column("Dealer name", width=30),
    Column("Qualified account", width=30),
    Column("Project", width=34),
    Column("Purchase order", width=18),
    Column("Products", Kind.CENTS, total=True),
    Column("Products, other currency", Kind.CENTS, width=24),
    Column("Currency", width=10),
    Column("Exchange rate", Kind.EXCHANGE_RATE),
    Column("Credit earned", Kind.CENTS, total=True),
)
ENTERED_AT = [column.title for column in COLUMNS].index("Entered at")
STATE = Column("State", width=18, lasting=False)


def order_sheets(tx: Session, *, state: YearState) -> Iterator[Sheet]:
    """Yield the sheet Orders: what was ordered and the credit it earned, before what was taken back.

    Products of another currency stand in a column of their own, so that one currency is added up.
    Where an order stands today is said only while the year is open: a closed year says the same for ever.
    """

    def had_not_settled(row: Sequence[Value]) -> bool:
        entered_at = row[ENTERED_AT]
        return isinstance(entered_at, datetime) and state.had_not_settled(entered_at)

    yield Sheet(
        "Orders",
        COLUMNS if state.is_closed else (*COLUMNS, STATE),
        (
            _order_row(order, dealer, state)
            for dealer in state.dealers
            for order in year_orders(tx, dealer_id=dealer.dealer_id, program_year=state.program_year)
            if not state.began_later(order.entered_at)
        ),
        may_lack=had_not_settled,
    )


def _order_row(order: OrderRow, dealer: YearDealer, state: YearState) -> tuple[Value, ...]:
    row = (
        order.ref,
        order.quote_ref,
        order.revision,
        order.entered_on,
        order.entered_at,
        dealer.code,
        dealer.name,
        order.account_name,
        order.project_name,
        order.purchase_order,
        None if order.foreign else order.products_cents,
        order.products_cents if order.foreign else None,
        order.currency,
        order.exchange_rate,
        order.credit_cents,
    )
    return row if state.is_closed else (*row, STATE_WORDS[order.state])
