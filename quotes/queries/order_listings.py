"""Lists of orders: filtered, added up net of what was cancelled and returned, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from operator import ge, le
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ledger.queries.credit import currency_of
from ledger.queries.statements import sees_credit_of
from quotes.models.orders import Cancellation, Order, OrderLine
from quotes.models.quotes import Quote, RevisionLine
from quotes.models.returns import OrderReturn
from quotes.queries.orders import OrderRow, order_row, orders_seen_by
from quotes.states import OrderState
from referral.models import Company, Referral
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.records import PAGE_ROWS, holds_words, page_key
from referral.queries.referrals import dealer_of_number

ORDER_STATE_WORDS: Mapping[OrderState, str] = MappingProxyType(
    {
        OrderState.ENTERED: "Ordered",
        OrderState.PART_CANCELLED: "Partly cancelled",
        OrderState.CANCELLED: "Cancelled",
        OrderState.PART_SHIPPED: "Partly shipped",
        OrderState.SHIPPED: "Shipped",
        OrderState.PART_RETURNED: "Partly returned",
        OrderState.RETURNED: "Returned",
    }
)
WORKBOOK_ROWS = 500
"""Rows that are read at once for a workbook."""


@dataclass(frozen=True)
class OrderFilter:
    """What a list of orders is narrowed to; what is empty narrows nothing."""

    state: str = ""
    quote_ref: str = ""
    project: str = ""
    """Words of the project's name or place."""
    company: str = ""
    """Words of the dealer's or the account's name, or a code."""
    purchase: str = ""
    """Words of the purchase order."""
    model: str = ""
    """Part of the model number of a line."""
    since: date | None = None
    """Entered on this day or later."""
    until: date | None = None
    least_cents: int | None = None
    """Of the products that stand; in whatever currency each order is."""
    most_cents: int | None = None


@dataclass(frozen=True)
class ListedOrder:
    """An order in a list, with what of it was cancelled and returned."""

    row: OrderRow
    taken_products_cents: int
    taken_credit_cents: int
    shows_credit: bool

    @property
    def products_cents(self) -> int:
        """The products that stand, at list price."""
        return self.row.products_cents - self.taken_products_cents

    @property
    def credit_cents(self) -> int | None:
        """The credit that stands; None where the viewer does not see the dealer's credit."""
        return self.row.credit_cents - self.taken_credit_cents if self.shows_credit else None


@dataclass(frozen=True)
class OrderTotal:
    """What the orders of one currency add up to, of products that stand."""

    currency: str
    count: int
    products_cents: int


@dataclass(frozen=True)
class CreditTotal:
    """The credit that stands of all filtered orders whose credit the viewer sees, in one currency of the program."""

    currency: str
    credit_cents: int


@dataclass(frozen=True)
class OrderTotals:
    """What the filtered orders add up to: products by their currency, credit by the program's of each year."""

    products: tuple[OrderTotal, ...]
    credit: tuple[CreditTotal, ...]

    @property
    def count(self) -> int:
        """How many orders fit the filters, on all pages."""
        return sum(total.count for total in self.products)


@dataclass(frozen=True)
class OrderList:
    """A page of a filtered list, newest first, and what the whole of it adds up to; `after` continues it."""

    rows: tuple[ListedOrder, ...]
    after: str | None
    totals: OrderTotals


def order_list(tx: Session, *, viewer: Viewer, asked: OrderFilter, after: str | None = None) -> OrderList:
    """Return a page of the filtered list with the totals of all that is filtered.

    Raises Refusal(not_found) for a quote that there is not, or a key that is none.
    """
    scope = _Scope(viewer)
    narrowed = _narrowed(tx, scope, asked)
    rows, then = _page(tx, scope, narrowed, after, PAGE_ROWS)
    return OrderList(rows, then, _totals(tx, scope, narrowed))


def order_list_rows(
    tx: Session, *, viewer: Viewer, asked: OrderFilter
) -> tuple[Iterator[ListedOrder], OrderTotals]:
    """Return every row of the filtered list, read piece by piece while they are taken, and the totals."""
    scope = _Scope(viewer)
    narrowed = _narrowed(tx, scope, asked)
    return _all_rows(tx, scope, narrowed), _totals(tx, scope, narrowed)


def _all_rows(tx: Session, scope: _Scope, narrowed: sa.Select[Any]) -> Iterator[ListedOrder]:
    rows, after = _page(tx, scope, narrowed, None, WORKBOOK_ROWS)
    yield from rows
    while after:
        tx.expunge_all()
        rows, after = _page(tx, scope, narrowed, after, WORKBOOK_ROWS)
        yield from rows


class _Scope:
    """The orders a viewer may see, with what a list is made of, as columns to choose from."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.dealer, self.account = aliased(Company), aliased(Company)
        self.taken_products = _taken("products_cents")
        self.taken_credit = _taken("credit_cents")
        self.statement = (
            orders_seen_by(viewer)
            .select_from(Order)
            .join(Quote, sa.and_(Quote.dealer_id == Order.dealer_id, Quote.id == Order.quote_id))
            .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
            .join(self.dealer, self.dealer.id == Order.dealer_id)
            .join(self.account, self.account.id == Order.account_id)
        )

    def sees_credit(self) -> sa.ColumnElement[bool]:
        """Whether the viewer sees an order's credit, as `sees_credit_of` decides it."""
        if not self.viewer.may(Permission.CREDIT_VIEW):
            return sa.false()
        if self.viewer.acts_as(CompanyKind.PROGRAM):
            return sa.true()
        is_dealer = self.viewer.acts_as(CompanyKind.DEALER)
        return Order.dealer_id == self.viewer.company_id if is_dealer else sa.false()


def _taken(name: str) -> sa.ColumnElement[Any]:
    """What cancellations and returns took of an order: its products or its credit."""
    sums = [
        sa.select(sa.func.coalesce(sa.func.sum(getattr(table, name)), 0))
        .where(table.dealer_id == Order.dealer_id, table.order_id == Order.id)
        .correlate(Order)
        .scalar_subquery()
        for table in (Cancellation, OrderReturn)
    ]
    return sums[0] + sums[1]


def _narrowed(tx: Session, scope: _Scope, asked: OrderFilter) -> sa.Select[Any]:
    """Return the statement of the orders that fit the filters. Raises Refusal(not_found)."""
    dealer, account = scope.dealer, scope.account
    statement: sa.Select[Any] = scope.statement.where(
        *holds_words(asked.project, folded=Referral.project_key),
        *holds_words(asked.company, dealer.name, dealer.code, account.name, account.code),
        *holds_words(asked.purchase, Order.purchase_order),
    )
    if asked.state:
        statement = statement.where(Order.state == OrderState(asked.state))
    if asked.quote_ref:
        dealer_id, number = dealer_of_number(tx, asked.quote_ref, "Q")
        statement = statement.where(Quote.dealer_id == dealer_id, Quote.number == number)
    if asked.model:
        statement = statement.where(_has_model(asked.model))
    stands = Order.products_cents - scope.taken_products
    for column, compare, value in (
        (Order.entered_on, ge, asked.since),
        (Order.entered_on, le, asked.until),
        (stands, ge, asked.least_cents),
        (stands, le, asked.most_cents),
    ):
        if value is not None:
            statement = statement.where(compare(column, value))
    return statement


def _has_model(model: str) -> sa.ColumnElement[bool]:
    """Whether a line of the order is of such a model number."""
    return (
        sa.select(OrderLine.line_id)
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
            OrderLine.dealer_id == Order.dealer_id,
            OrderLine.order_id == Order.id,
            RevisionLine.model_number.contains(model, autoescape=True),
        )
        .correlate(Order)
        .exists()
    )


def _totals(tx: Session, scope: _Scope, narrowed: sa.Select[Any]) -> OrderTotals:
    """Add up what is filtered, by currency and program year: the program's currency is that of the year."""
    stands = Order.credit_cents - scope.taken_credit
    each = narrowed.with_only_columns(
        Order.currency.label("currency"),
        Order.program_year.label("program_year"),
        (Order.products_cents - scope.taken_products).label("products"),
        sa.case((scope.sees_credit(), stands), else_=0).label("credit"),
    ).subquery()
    rows = tx.execute(
        sa.select(
            each.c.currency,
            each.c.program_year,
            sa.func.count(),
            sa.func.sum(each.c.products),
            sa.func.sum(each.c.credit),
        )
        .group_by(each.c.currency, each.c.program_year)
        .order_by(each.c.currency, each.c.program_year)
    ).all()
    products: dict[str, OrderTotal] = {}
    credit: dict[str, int] = {}
    for currency, year, count, products_cents, credit_cents in rows:
        before = products.get(currency, OrderTotal(currency, 0, 0))
        products[currency] = OrderTotal(
            currency, before.count + count, before.products_cents + int(products_cents)
        )
        if scope.viewer.may(Permission.CREDIT_VIEW):
            into = currency_of(tx, year)
            credit[into] = credit.get(into, 0) + int(credit_cents)
    return OrderTotals(tuple(products.values()), tuple(CreditTotal(*pair) for pair in sorted(credit.items())))


def _page(
    tx: Session, scope: _Scope, narrowed: sa.Select[Any], after: str | None, limit: int
) -> tuple[tuple[ListedOrder, ...], str | None]:
    """Return a page in two statements: which orders, then what they hold."""
    keys = narrowed.with_only_columns(Order.dealer_id, Order.id)
    if after is not None:
        keys = keys.where(Order.id < page_key(after))
    found = tx.execute(keys.order_by(Order.id.desc()).limit(limit + 1)).all()
    shown = found[:limit]
    held = tx.execute(
        scope.statement.add_columns(
            Quote, Referral, scope.dealer, scope.account, scope.taken_products, scope.taken_credit
        )
        .where(
            Order.dealer_id.in_({dealer_id for dealer_id, _ in shown}),
            Order.id.in_([order_id for _, order_id in shown]),
        )
        .order_by(Order.id.desc())
    )
    rows = tuple(
        ListedOrder(
            row=order_row(order, quote, referral, dealer, account),
            taken_products_cents=int(products),
            taken_credit_cents=int(credit),
            shows_credit=sees_credit_of(scope.viewer, dealer.code),
        )
        for order, quote, referral, dealer, account, products, credit in held
    )
    return rows, rows[-1].row.key if len(found) > limit else None
