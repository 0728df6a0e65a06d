"""Lists of quotes, by the newest revision the viewer may see: filtered, added up, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import ge, le
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from quotes.models.orders import CancellationLine, OrderLine
from quotes.models.quotes import Quote, Revision, RevisionLine
from quotes.queries.quotes import quotes_seen_by
from quotes.rules.content import shown_state
from quotes.states import RevisionState
from referral.ids import PublicNumber, parse_public_number
from referral.models import Company, Referral
from referral.permissions import CompanyKind, Viewer
from referral.queries.exchange_rates import program_currency
from referral.queries.records import PAGE_ROWS, holds_words, page_key
from referral.queries.settings import creditable_categories, today

ORDERED, EXPIRED = "ordered", "expired"
QUOTE_STATE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "draft": "Draft",
        "submitted": "Waiting for approval",
        "changes_requested": "Changes asked for",
        "approved": "Approved",
        ORDERED: "Ordered",
        "declined": "Declined",
        EXPIRED: "Expired",
    }
)
"""The states as lists show them, one for each quote; superseded is never the newest revision."""
WORKBOOK_ROWS = 500
"""Rows that are read at once for a workbook."""


@dataclass(frozen=True)
class QuoteFilter:
    """What a list of quotes is narrowed to; what is empty narrows nothing."""

    state: str = ""
    """As shown: one of QUOTE_STATE_WORDS."""
    revision_states: Sequence[RevisionState] = ()
    referral_ref: str = ""
    project: str = ""
    """Words of the project's name or place."""
    company: str = ""
    """Words of the dealer's or the account's name, or a code."""
    model: str = ""
    """Part of the model number of a line."""
    since: date | None = None
    """Submitted on this day or later."""
    until: date | None = None
    least_cents: int | None = None
    """Of the products; in whatever currency each quote is."""
    most_cents: int | None = None


@dataclass(frozen=True)
class QuoteRow:
    """A quote in a list, by the newest revision the viewer may see."""

    ref: str
    revision: int
    state: str
    """As shown: past its last day a waiting or approved revision is `expired`, all ordered it is `ordered`."""
    project_name: str
    place: str
    dealer_name: str
    account_name: str
    currency: str
    foreign: str | None
    """The currency of its amounts where it is not the program's."""
    products_cents: int
    creditable_cents: int
    submitted_at: datetime | None
    submitted_on: date | None
    expires_on: date | None
    days_left: int | None
    key: str


@dataclass(frozen=True)
class QuoteTotal:
    """What the quotes of one currency add up to."""

    currency: str
    count: int
    products_cents: int
    creditable_cents: int


@dataclass(frozen=True)
class QuotesPage:
    """A page of quotes, newest first; `after` continues the list."""

    rows: tuple[QuoteRow, ...]
    after: str | None


@dataclass(frozen=True)
class QuoteList:
    """A page of a filtered list, and what the whole of it adds up to."""

    page: QuotesPage
    totals: tuple[QuoteTotal, ...]
    own_currency: str

    @property
    def count(self) -> int:
        """How many quotes fit the filters, on all pages."""
        return sum(total.count for total in self.totals)


def quotes_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    states: Sequence[RevisionState] = (),
    asked: QuoteFilter | None = None,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> QuotesPage:
    """Return quotes by their newest visible revision; `states` or `asked` narrows.

    The number of statements does not depend on the number of quotes or lines, and only the lines of this
    page are added up.
    """
    wanted = asked or QuoteFilter(revision_states=tuple(states))
    return _page(tx, _Scope(tx, viewer, at), wanted, after, limit)


def quote_list(
    tx: Session, *, viewer: Viewer, at: datetime, asked: QuoteFilter, after: str | None = None
) -> QuoteList:
    """Return a page of the filtered list with the totals of all that is filtered, one for each currency."""
    scope = _Scope(tx, viewer, at)
    return QuoteList(_page(tx, scope, asked, after, PAGE_ROWS), quote_totals(tx, scope, asked), scope.own)


def quote_rows(
    tx: Session, *, viewer: Viewer, at: datetime, asked: QuoteFilter
) -> tuple[Iterator[QuoteRow], tuple[QuoteTotal, ...]]:
    """Return every row of the filtered list, read piece by piece while they are taken, and the totals."""
    scope = _Scope(tx, viewer, at)
    return _all_rows(tx, scope, asked), quote_totals(tx, scope, asked)


def _all_rows(tx: Session, scope: _Scope, asked: QuoteFilter) -> Iterator[QuoteRow]:
    page = _page(tx, scope, asked, None, WORKBOOK_ROWS)
    yield from page.rows
    while page.after:
        tx.expunge_all()
        page = _page(tx, scope, asked, page.after, WORKBOOK_ROWS)
        yield from page.rows


class _Scope:
    """The quotes a viewer may see on a day, with what a list is made of, as columns to choose from."""

    def __init__(self, tx: Session, viewer: Viewer, at: datetime) -> None:
        self.day = today(tx, at)
        self.own = program_currency(tx, self.day)
        self.newest, self.dealer, self.account = aliased(Revision), aliased(Company), aliased(Company)
        self.currency = sa.func.coalesce(self.newest.currency, self.dealer.currency, self.own)
        creditable = sorted(creditable_categories(tx, self.day.year))
        amount = RevisionLine.quantity * RevisionLine.list_price_cents
        self.products = self._of_lines(amount)
        self.creditable = self._of_lines(sa.case((RevisionLine.category.in_(creditable), amount), else_=0))
        self.units = self._of_lines(RevisionLine.quantity)
        self.ordered = self._ordered()
        self.statement = (
            quotes_seen_by(viewer)
            .select_from(Quote)
            .join(
                self.newest,
                sa.and_(
                    self.newest.dealer_id == Quote.dealer_id,
                    self.newest.quote_id == Quote.id,
                    self.newest.number == _newest_visible(viewer),
                ),
            )
            .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
            .join(self.dealer, self.dealer.id == Quote.dealer_id)
            .join(self.account, self.account.id == Quote.account_id)
        )

    def is_line(self) -> sa.ColumnElement[bool]:
        """Whether a line belongs to the newest visible revision."""
        return sa.and_(
            RevisionLine.dealer_id == self.newest.dealer_id,
            RevisionLine.quote_id == self.newest.quote_id,
            RevisionLine.revision_number == self.newest.number,
        )

    def _of_lines(self, value: Any) -> sa.ScalarSelect[Any]:
        return _alone(sa.select(sa.func.coalesce(sa.func.sum(value), 0)).where(self.is_line()), self.newest)

    def _ordered(self) -> sa.ColumnElement[Any]:
        """The units of the quote that are ordered and not cancelled, over all its orders."""
        of_quote = (OrderLine.dealer_id == Quote.dealer_id, OrderLine.quote_id == Quote.id)
        ordered = sa.select(sa.func.coalesce(sa.func.sum(OrderLine.quantity), 0)).where(*of_quote)
        cancelled = (
            sa.select(sa.func.coalesce(sa.func.sum(CancellationLine.quantity), 0))
            .select_from(OrderLine)
            .join(
                CancellationLine,
                sa.and_(
                    CancellationLine.dealer_id == OrderLine.dealer_id,
                    CancellationLine.order_id == OrderLine.order_id,
                    CancellationLine.line_id == OrderLine.line_id,
                ),
            )
            .where(*of_quote)
        )
        return _alone(ordered, Quote) - _alone(cancelled, Quote)

    def is_in(self, state: str) -> sa.ColumnElement[bool]:
        """Whether a quote is shown in this state."""
        newest = self.newest
        wholly = sa.and_(newest.state == RevisionState.APPROVED, self.units > 0, self.ordered >= self.units)
        past = sa.and_(newest.expires_on.is_not(None), newest.expires_on < self.day)
        if state == ORDERED:
            return wholly
        if state == EXPIRED:
            live = newest.state.in_((RevisionState.SUBMITTED, RevisionState.APPROVED))
            return sa.and_(live, past, sa.not_(wholly))
        stands = newest.state == RevisionState(state)
        if state == RevisionState.SUBMITTED:
            return sa.and_(stands, sa.not_(past))
        return sa.and_(stands, sa.not_(past), sa.not_(wholly)) if state == RevisionState.APPROVED else stands


def _alone(statement: sa.Select[Any], outer: Any) -> sa.ScalarSelect[Any]:
    return statement.correlate(outer).scalar_subquery()


def _newest_visible(viewer: Viewer) -> sa.ScalarSelect[int]:
    """Return the number of the newest revision the viewer may see: drafts are the account's alone."""
    inner = aliased(Revision)
    sees = inner.state != RevisionState.DRAFT
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sees = sa.or_(sees, Quote.account_id == viewer.company_id)
    return (
        sa.select(sa.func.max(inner.number))
        .where(inner.dealer_id == Quote.dealer_id, inner.quote_id == Quote.id, sees)
        .correlate(Quote)
        .scalar_subquery()
    )


def _narrowed(scope: _Scope, asked: QuoteFilter) -> sa.Select[Any]:
    """Return the statement of the quotes that fit the filters."""
    newest, dealer, account = scope.newest, scope.dealer, scope.account
    statement: sa.Select[Any] = scope.statement
    if asked.state:
        statement = statement.where(scope.is_in(asked.state))
    if asked.revision_states:
        statement = statement.where(newest.state.in_(asked.revision_states))
    if asked.referral_ref:
        number = parse_public_number(asked.referral_ref.upper(), "R")
        statement = statement.where(
            sa.false()
            if number is None
            else sa.and_(dealer.code == number.dealer_code, Referral.number == number.number)
        )
    statement = statement.where(
        *holds_words(asked.project, folded=Referral.project_key),
        *holds_words(asked.company, dealer.name, dealer.code, account.name, account.code),
    )
    if asked.model:
        holds = RevisionLine.model_number.contains(asked.model, autoescape=True)
        statement = statement.where(sa.exists().where(scope.is_line(), holds).correlate(newest))
    for column, compare, value in (
        (newest.submitted_on, ge, asked.since),
        (newest.submitted_on, le, asked.until),
        (scope.products, ge, asked.least_cents),
        (scope.products, le, asked.most_cents),
    ):
        if value is not None:
            statement = statement.where(compare(column, value))
    return statement


def quote_totals(tx: Session, scope: _Scope, asked: QuoteFilter) -> tuple[QuoteTotal, ...]:
    """Return what the filtered quotes add up to, one for each currency: amounts of several are never added."""
    each = (
        _narrowed(scope, asked)
        .with_only_columns(
            scope.currency.label("currency"),
            scope.products.label("products"),
            scope.creditable.label("creditable"),
        )
        .subquery()
    )
    rows = tx.execute(
        sa.select(
            each.c.currency, sa.func.count(), sa.func.sum(each.c.products), sa.func.sum(each.c.creditable)
        )
        .group_by(each.c.currency)
        .order_by(each.c.currency)
    )
    return tuple(
        QuoteTotal(currency, count, int(products), int(credit)) for currency, count, products, credit in rows
    )


def _page(tx: Session, scope: _Scope, asked: QuoteFilter, after: str | None, limit: int) -> QuotesPage:
    """Return a page in two statements: which quotes, then what they hold."""
    keys = _narrowed(scope, asked).with_only_columns(Quote.dealer_id, Quote.id)
    if after is not None:
        keys = keys.where(Quote.id < page_key(after))
    found = tx.execute(keys.order_by(Quote.id.desc()).limit(limit + 1)).all()
    shown = found[:limit]
    held = tx.execute(
        scope.statement.add_columns(
            scope.newest,
            Referral,
            scope.dealer,
            scope.account,
            scope.products,
            scope.creditable,
            scope.units,
            scope.ordered,
        )
        .where(
            Quote.dealer_id.in_({dealer_id for dealer_id, _ in shown}),
            Quote.id.in_([quote_id for _, quote_id in shown]),
        )
        .order_by(Quote.id.desc())
    )
    rows = tuple(_quote_row(scope, *row) for row in held)
    return QuotesPage(rows=rows, after=rows[-1].key if len(found) > limit else None)


def _quote_row(
    scope: _Scope,
    quote: Quote,
    revision: Revision,
    referral: Referral,
    dealer: Company,
    account: Company,
    products: int,
    creditable: int,
    units: int,
    ordered: int,
) -> QuoteRow:
    currency = revision.currency or dealer.currency or scope.own
    is_ordered = revision.state is RevisionState.APPROVED and ordered >= units > 0
    return QuoteRow(
        ref=str(PublicNumber("Q", dealer.code, quote.number)),
        revision=revision.number,
        state=ORDERED if is_ordered else shown_state(revision.state, revision.expires_on, scope.day),
        project_name=referral.project_name,
        place=referral.place,
        dealer_name=dealer.name,
        account_name=account.name,
        currency=currency,
        foreign=None if currency == scope.own else currency,
        products_cents=int(products),
        creditable_cents=int(creditable),
        submitted_at=revision.submitted_at,
        submitted_on=revision.submitted_on,
        expires_on=revision.expires_on,
        days_left=None if revision.expires_on is None else (revision.expires_on - scope.day).days,
        key=str(quote.id),
    )
