"""The orders of a program year for the year's workbook."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from quotes.queries.orders import OrderRow, year_orders
from quotes.states import OrderState
from referral.permissions import Viewer
from referral.sheetkit.cellwriter import Column, Kind, Value
from referral.sheetkit.writer import Sheet

STATE_WORDS = {
    OrderState.ENTERED: "Ordered",
    OrderState.PART_CANCELLED: "Partly cancelled",
    OrderState.CANCELLED: "Cancelled",
}


def order_sheets(tx: Session, *, viewer: Viewer, program_year: int, dealer_code: str) -> Iterator[Sheet]:
    """Yield the sheet Orders: what was ordered and the credit it earned, before what cancellations took back."""
    yield Sheet(
        "Orders",
        (
            Column("Order", width=18),
            Column("Quote", width=18),
            Column("Revision", Kind.INTEGER),
            Column("State", width=18),
            Column("Order day", Kind.DATE),
            Column("Entered at", Kind.INSTANT),
            Column("Dealer", width=12),
            Column("Dealer name", width=30),
            Column("Qualified account", width=30),
            Column("Project", width=34),
            Column("Purchase order", width=18),
            Column("Products", Kind.CENTS, total=True),
            Column("Credit earned", Kind.CENTS, total=True),
        ),
        (
            _order_row(order)
            for order in year_orders(tx, viewer=viewer, program_year=program_year, dealer_code=dealer_code)
        ),
    )


def _order_row(order: OrderRow) -> tuple[Value, ...]:
    return (
        order.ref,
        order.quote_ref,
        order.revision,
        STATE_WORDS[order.state],
        order.entered_on,
        order.entered_at,
        order.dealer_code,
        order.dealer_name,
        order.account_name,
        order.project_name,
        order.purchase_order,
        order.products_cents,
        order.credit_cents,
    )
