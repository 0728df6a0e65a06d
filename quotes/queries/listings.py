"""Lists of quotes, by the newest revision the viewer may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from quotes.models.orders import CancellationLine, OrderLine
from quotes.models.quotes import Quote, Revision, RevisionLine
from quotes.queries.quotes import quotes_seen_by
from quotes.rules import shown_state
from quotes.states import RevisionState
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import CompanyKind, Viewer
from referral.queries.exchange_rates import program_currency
from referral.queries.records import PAGE_ROWS, page_key
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import creditable_categories, today


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
    foreign: str | None
    """The currency of its amounts where it is not the program's."""
    products_cents: int
    creditable_cents: int
    submitted_at: datetime | None
    expires_on: date | None
    days_left: int | None
    key: str


@dataclass(frozen=True)
class QuotesPage:
    """A page of quotes, newest first; `after` continues the list."""

    rows: tuple[QuoteRow, ...]
    after: str | None


def quotes_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    states: Sequence[RevisionState] = (),
    is_expired: bool | None = None,
    referral_ref: str = "",
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> QuotesPage:
    """Return quotes by their newest visible revision; `states` narrows to those.

    `is_expired` narrows to revisions past their last day, or to the others. The number of statements does
    not depend on the number of quotes or lines, and only the lines of this page are added up.
    """
    day = today(tx, at)
    dealer, account = aliased(Company), aliased(Company)
    statement = (
        sa.select(Quote, Revision, Referral, dealer, account)
        .select_from(Quote)
        .where(Quote.id.in_(quotes_seen_by(viewer).with_only_columns(Quote.id)))
        .join(
            Revision,
            sa.and_(
                Revision.dealer_id == Quote.dealer_id,
                Revision.quote_id == Quote.id,
                Revision.number == _newest_visible(viewer),
            ),
        )
        .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
        .join(dealer, dealer.id == Quote.dealer_id)
        .join(account, account.id == Quote.account_id)
        .order_by(Quote.id.desc())
        .limit(limit + 1)
    )
    if states:
        statement = statement.where(Revision.state.in_(states))
    if is_expired is not None:
        is_past = sa.and_(Revision.expires_on.is_not(None), Revision.expires_on < day)
        statement = statement.where(is_past if is_expired else sa.not_(is_past))
    if referral_ref:
        dealer_id, number = dealer_of_number(tx, referral_ref, "R")
        statement = statement.where(Referral.dealer_id == dealer_id, Referral.number == number)
    if after is not None:
        statement = statement.where(Quote.id < page_key(after))
    found = tx.execute(statement).all()
    shown = found[:limit]
    sums = _sums(tx, [row[0].id for row in shown], creditable_categories(tx, day.year))
    own = program_currency(tx, day)
    rows = tuple(_quote_row(day, own, *row, sums) for row in shown)
    return QuotesPage(rows=rows, after=rows[-1].key if len(found) > limit else None)


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


@dataclass(frozen=True)
class _Sums:
    """What the lines of a revision add up to."""

    products_cents: int = 0
    creditable_cents: int = 0
    units: int = 0
    ordered_units: int = 0


def _sums(
    tx: Session, quote_ids: Sequence[UUID], creditable: frozenset[str]
) -> Mapping[tuple[UUID, int], _Sums]:
    amount = RevisionLine.quantity * RevisionLine.list_price_cents
    ordered: dict[UUID, int] = {}
    for sign, table in ((1, OrderLine), (-1, CancellationLine)):
        units = sa.select(OrderLine.quote_id, sa.func.sum(table.quantity)).where(
            OrderLine.quote_id.in_(quote_ids)
        )
        if table is CancellationLine:
            units = units.join(
                CancellationLine,
                sa.and_(
                    CancellationLine.dealer_id == OrderLine.dealer_id,
                    CancellationLine.order_id == OrderLine.order_id,
                    CancellationLine.line_id == OrderLine.line_id,
                ),
            )
        for quote_id, quantity in tx.execute(units.group_by(OrderLine.quote_id)):
            ordered[quote_id] = ordered.get(quote_id, 0) + sign * int(quantity)
    rows = tx.execute(
        sa.select(
            RevisionLine.quote_id,
            RevisionLine.revision_number,
            sa.func.sum(amount),
            sa.func.sum(sa.case((RevisionLine.category.in_(sorted(creditable)), amount), else_=0)),
            sa.func.sum(RevisionLine.quantity),
        )
        .where(RevisionLine.quote_id.in_(quote_ids))
        .group_by(RevisionLine.quote_id, RevisionLine.revision_number)
    )
    return {
        (quote_id, number): _Sums(int(products), int(credit), int(units), ordered.get(quote_id, 0))
        for quote_id, number, products, credit, units in rows
    }


def _quote_row(
    day: date,
    own_currency: str,
    quote: Quote,
    revision: Revision,
    referral: Referral,
    dealer: Company,
    account: Company,
    sums: Mapping[tuple[UUID, int], _Sums],
) -> QuoteRow:
    sum_ = sums.get((quote.id, revision.number), _Sums())
    currency = revision.currency or dealer.currency or own_currency
    is_ordered = revision.state is RevisionState.APPROVED and sum_.ordered_units >= sum_.units > 0
    return QuoteRow(
        ref=str(PublicNumber("Q", dealer.code, quote.number)),
        revision=revision.number,
        state="ordered" if is_ordered else shown_state(revision.state, revision.expires_on, day),
        project_name=referral.project_name,
        place=referral.place,
        dealer_name=dealer.name,
        account_name=account.name,
        foreign=None if currency == own_currency else currency,
        products_cents=sum_.products_cents,
        creditable_cents=sum_.creditable_cents,
        submitted_at=revision.submitted_at,
        expires_on=revision.expires_on,
        days_left=None if revision.expires_on is None else (revision.expires_on - day).days,
        key=str(quote.id),
    )
