"""What was approved and never ordered, over all projects: the same list for both sides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from quotes.models.orders import CancellationLine, OrderLine
from quotes.models.quotes import Approval, Quote, Revision, RevisionLine
from quotes.queries.quotes import quotes_seen_by
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import Viewer
from referral.queries.exchange_rates import program_currency
from referral.queries.records import PAGE_ROWS, page_key
from referral.queries.settings import today


@dataclass(frozen=True)
class NeverOrderedRow:
    """A quote of which something was approved and not ordered, by its newest approval."""

    key: str
    ref: str
    revision: int
    referral_ref: str
    project_name: str
    place: str
    dealer_name: str
    account_name: str
    currency: str
    units: int
    cents: int
    """At list price."""
    expires_on: date | None
    is_expired: bool
    """Whether a new revision is needed before the rest can be ordered."""


@dataclass(frozen=True)
class NeverOrderedPage:
    """A page of such quotes, newest first, with the sums of all that fit the filter."""

    rows: tuple[NeverOrderedRow, ...]
    after: str | None
    quote_count: int
    units: int
    cents: tuple[tuple[str, int], ...]
    """(currency, cents) at list price."""


def never_ordered(viewer: Viewer) -> sa.Subquery:
    """Return what is approved and not ordered, one row for each quote the viewer sees, by its newest approval."""
    newer = aliased(Approval)
    newest = (
        sa.select(sa.func.max(newer.revision_number))
        .where(newer.dealer_id == Quote.dealer_id, newer.quote_id == Quote.id)
        .correlate(Quote)
        .scalar_subquery()
    )
    ordered = (
        sa.select(sa.func.coalesce(sa.func.sum(OrderLine.quantity), 0))
        .where(
            OrderLine.dealer_id == RevisionLine.dealer_id,
            OrderLine.quote_id == RevisionLine.quote_id,
            OrderLine.line_id == RevisionLine.line_id,
        )
        .correlate(RevisionLine)
        .scalar_subquery()
    )
    cancelled = (
        sa.select(sa.func.coalesce(sa.func.sum(CancellationLine.quantity), 0))
        .join(
            OrderLine,
            sa.and_(
                OrderLine.dealer_id == CancellationLine.dealer_id,
                OrderLine.order_id == CancellationLine.order_id,
                OrderLine.line_id == CancellationLine.line_id,
            ),
        )
        .where(
            OrderLine.dealer_id == RevisionLine.dealer_id,
            OrderLine.quote_id == RevisionLine.quote_id,
            OrderLine.line_id == RevisionLine.line_id,
        )
        .correlate(RevisionLine)
        .scalar_subquery()
    )
    left = (
        quotes_seen_by(viewer)
        .with_only_columns(
            Quote.dealer_id,
            Quote.id.label("quote_id"),
            RevisionLine.revision_number,
            RevisionLine.list_price_cents,
            (RevisionLine.quantity - ordered + cancelled).label("units"),
        )
        .join(
            RevisionLine,
            sa.and_(
                RevisionLine.dealer_id == Quote.dealer_id,
                RevisionLine.quote_id == Quote.id,
                RevisionLine.revision_number == newest,
            ),
        )
        .subquery()
    )
    return (
        sa.select(
            left.c.dealer_id,
            left.c.quote_id,
            left.c.revision_number,
            sa.func.sum(left.c.units).label("units"),
            sa.func.sum(left.c.units * left.c.list_price_cents).label("cents"),
        )
        .where(left.c.units > 0)
        .group_by(left.c.dealer_id, left.c.quote_id, left.c.revision_number)
        .subquery()
    )


def count_never_ordered(tx: Session, *, viewer: Viewer) -> int:
    """Return of how many quotes the viewer sees something is approved and not ordered, expired or not."""
    return tx.scalar(sa.select(sa.func.count()).select_from(never_ordered(viewer))) or 0


def never_ordered_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    is_expired: bool | None = None,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> NeverOrderedPage:
    """Return what was approved and never ordered, newest quotes first, with the sums of the whole filter.

    `is_expired` narrows to approvals past their last day, or to the others. Three statements, whatever
    there is. Raises Refusal(not_found) where `after` is no key.
    """
    day = today(tx, at)
    own = program_currency(tx, day)
    left = never_ordered(viewer)
    dealer, account = aliased(Company), aliased(Company)
    conditions: list[sa.ColumnElement[bool]] = []
    if is_expired is not None:
        is_past = sa.func.coalesce(Revision.expires_on, date.max) < day
        conditions.append(is_past if is_expired else ~is_past)
    joined = sa.and_(
        Revision.dealer_id == left.c.dealer_id,
        Revision.quote_id == left.c.quote_id,
        Revision.number == left.c.revision_number,
    )
    currency = sa.func.coalesce(Revision.currency, own)
    sums = tx.execute(
        sa.select(currency, sa.func.count(), sa.func.sum(left.c.units), sa.func.sum(left.c.cents))
        .select_from(left)
        .join(Revision, joined)
        .where(*conditions)
        .group_by(currency)
        .order_by(currency)
    ).all()
    statement = (
        sa.select(
            left, Revision.expires_on, currency.label("currency"), Quote, Referral, dealer, account.name
        )
        .select_from(left)
        .join(Revision, joined)
        .join(Quote, sa.and_(Quote.dealer_id == left.c.dealer_id, Quote.id == left.c.quote_id))
        .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
        .join(dealer, dealer.id == Quote.dealer_id)
        .join(account, account.id == Quote.account_id)
        .where(*conditions)
        .order_by(Quote.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(Quote.id < page_key(after))
    found = tx.execute(statement).all()
    rows = tuple(
        NeverOrderedRow(
            key=str(quote.id),
            ref=str(PublicNumber("Q", company.code, quote.number)),
            revision=revision,
            referral_ref=str(PublicNumber("R", company.code, referral.number)),
            project_name=referral.project_name,
            place=referral.place,
            dealer_name=company.name,
            account_name=account_name,
            currency=code,
            units=int(units),
            cents=int(cents),
            expires_on=expires_on,
            is_expired=expires_on is not None and expires_on < day,
        )
        for _, _, revision, units, cents, expires_on, code, quote, referral, company, account_name in found[
            :limit
        ]
    )
    return NeverOrderedPage(
        rows=rows,
        after=rows[-1].key if len(found) > limit else None,
        quote_count=sum(row[1] for row in sums),
        units=sum(int(row[2]) for row in sums),
        cents=tuple((row[0], int(row[3])) for row in sums),
    )
