"""Orders as each side sees them: which there are, in lists and for the year's workbook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from quotes.models.orders import Order
from quotes.models.quotes import Quote
from quotes.states import OrderState
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import CompanyKind, Viewer
from referral.queries.records import PAGE_ROWS, page_key
from referral.queries.referrals import dealer_of_number


def orders_seen_by(viewer: Viewer) -> sa.Select[Order]:
    """Return the orders the viewer may see: as dealer, as account, or all for the program."""
    statement = sa.select(Order)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    sides: list[sa.ColumnElement[bool]] = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(Order.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(Order.account_id == viewer.company_id)
    return statement.where(sa.or_(sa.false(), *sides))


def order_by_ref(viewer: Viewer, dealer_id: UUID, number: int) -> sa.Select[Order]:
    """Return the statement for one visible order, for reads and locks alike."""
    return orders_seen_by(viewer).where(Order.dealer_id == dealer_id, Order.number == number)


@dataclass(frozen=True)
class OrderRow:
    """An order in a list. Credit fields are None for viewers who do not see the dealer's credit."""

    ref: str
    quote_ref: str
    referral_ref: str
    revision: int
    idempotency_key: str
    state: OrderState
    project_name: str
    dealer_code: str
    dealer_name: str
    account_name: str
    purchase_order: str
    wanted_on: date | None
    """The day by which the account wants the units on site."""
    currency: str
    """Of its products; the credit is in the program's."""
    exchange_rate: int
    exchange_rate_on: date | None
    products_cents: int
    credit_cents: int
    entered_at: datetime
    entered_on: date
    program_year: int
    key: str

    @property
    def foreign(self) -> str | None:
        """The currency of its products where it is not the program's."""
        return None if self.exchange_rate_on is None else self.currency


@dataclass(frozen=True)
class OrdersPage:
    """A page of orders, newest first; `after` continues the list."""

    rows: tuple[OrderRow, ...]
    after: str | None


def order_rows(statement: sa.Select[Order]) -> sa.Select[Order, Quote, Referral, Company, Company]:
    """Return the statement of orders with their quote, referral, dealer and account."""
    dealer, account = aliased(Company), aliased(Company)
    return (
        statement.join(Quote, sa.and_(Quote.dealer_id == Order.dealer_id, Quote.id == Order.quote_id))
        .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
        .join(dealer, dealer.id == Order.dealer_id)
        .join(account, account.id == Order.account_id)
        .add_columns(Quote, Referral, dealer, account)
    )


def order_row(order: Order, quote: Quote, referral: Referral, dealer: Company, account: Company) -> OrderRow:
    """Return the row of a list, out of what `order_rows` finds."""
    return OrderRow(
        ref=str(PublicNumber("O", dealer.code, order.number)),
        quote_ref=str(PublicNumber("Q", dealer.code, quote.number)),
        referral_ref=str(PublicNumber("R", dealer.code, referral.number)),
        revision=order.revision_number,
        idempotency_key=order.idempotency_key,
        state=order.state,
        project_name=referral.project_name,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        account_name=account.name,
        purchase_order=order.purchase_order,
        wanted_on=order.wanted_on,
        currency=order.currency,
        exchange_rate=order.exchange_rate,
        exchange_rate_on=order.exchange_rate_on,
        products_cents=order.products_cents,
        credit_cents=order.credit_cents,
        entered_at=order.entered_at,
        entered_on=order.entered_on,
        program_year=order.program_year,
        key=str(order.id),
    )


def orders_page(
    tx: Session,
    *,
    viewer: Viewer,
    quote_ref: str = "",
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> OrdersPage:
    """Return orders the viewer may see, newest first; of one quote where `quote_ref` is given."""
    statement = order_rows(orders_seen_by(viewer)).order_by(Order.id.desc()).limit(limit + 1)
    if quote_ref:
        dealer_id, number = dealer_of_number(tx, quote_ref, "Q")
        statement = statement.where(Quote.dealer_id == dealer_id, Quote.number == number)
    if after is not None:
        statement = statement.where(Order.id < page_key(after))
    found = tx.execute(statement).all()
    rows = tuple(order_row(*row) for row in found[:limit])
    return OrdersPage(rows=rows, after=rows[-1].key if len(found) > limit else None)


def year_orders(tx: Session, *, dealer_id: UUID, program_year: int) -> Iterator[OrderRow]:
    """Yield a dealer's orders of a program year for the export, by number, streamed."""
    statement = (
        order_rows(sa.select(Order))
        .where(Order.dealer_id == dealer_id, Order.program_year == program_year)
        .order_by(Order.number)
        .execution_options(yield_per=500)
    )
    for row in tx.execute(statement):
        yield order_row(*row)
