"""What an account submitted and ordered on days on which, as is known now, it was not qualified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from quotes.models.orders import Order
from quotes.models.quotes import Quote, Revision
from referral.db import Instant
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Continuation, Qualification
from referral.queries.companies import company_by_code

MOST_ROWS = 200
"""Rows of each kind on the page, the newest; it says where there are more."""


@dataclass(frozen=True)
class UnqualifiedRow:
    """A submission or an order to review; nothing of it was changed."""

    ref: str
    """Of the quote or the order."""
    revision: int
    dealer_name: str
    done_on: date
    done_at: datetime


@dataclass(frozen=True)
class UnqualifiedPage:
    """What there is to review of one account, newest first."""

    code: str
    name: str
    submissions: tuple[UnqualifiedRow, ...]
    orders: tuple[UnqualifiedRow, ...]
    is_cut: bool


def unqualified_page(tx: Session, *, code: str) -> UnqualifiedPage:
    """Return what an account did on days without a qualification, nor let go on with the project.

    A qualification that is ended on a day in the past makes such days. Raises Refusal(not_found) also for a
    company that is no account.
    """
    account = company_by_code(tx, code)
    if not account.is_account:
        raise Refusal("not_found")
    submissions = _submissions(tx, account)
    orders = _orders(tx, account)
    return UnqualifiedPage(
        code=account.code,
        name=account.name,
        submissions=tuple(submissions[:MOST_ROWS]),
        orders=tuple(orders[:MOST_ROWS]),
        is_cut=max(len(submissions), len(orders)) > MOST_ROWS,
    )


def _is_unqualified(account: Company, done_on: sa.ColumnElement[date]) -> sa.ColumnElement[bool]:
    """Return the condition that no qualification covers the day, nor a grant for the quote's project."""
    qualified = sa.select(Qualification.id).where(
        Qualification.company_id == account.id,
        Qualification.valid_from <= done_on,
        sa.or_(Qualification.valid_to.is_(None), Qualification.valid_to >= done_on),
    )
    continued = sa.select(Continuation.id).where(
        Continuation.dealer_id == Quote.dealer_id,
        Continuation.referral_id == Quote.referral_id,
        Continuation.last_on >= done_on,
    )
    return sa.and_(~qualified.exists(), ~continued.exists())


def _submissions(tx: Session, account: Company) -> list[UnqualifiedRow]:
    dealer = aliased(Company)
    day: sa.ColumnElement[date] = sa.type_coerce(Revision.submitted_on, sa.Date())
    instant: sa.ColumnElement[datetime] = sa.type_coerce(Revision.submitted_at, Instant())
    rows = tx.execute(
        sa.select(Revision.number, day, instant, Quote.number, dealer)
        .join(Quote, sa.and_(Quote.dealer_id == Revision.dealer_id, Quote.id == Revision.quote_id))
        .join(dealer, dealer.id == Quote.dealer_id)
        .where(
            Quote.account_id == account.id,
            Revision.submitted_on.is_not(None),
            _is_unqualified(account, day),
        )
        .order_by(Revision.submitted_at.desc(), Revision.dealer_id, Revision.quote_id, Revision.number)
        .limit(MOST_ROWS + 1)
    )
    return [
        UnqualifiedRow(
            ref=str(PublicNumber("Q", company.code, number)),
            revision=revision,
            dealer_name=company.name,
            done_on=done_on,
            done_at=done_at,
        )
        for revision, done_on, done_at, number, company in rows
    ]


def _orders(tx: Session, account: Company) -> list[UnqualifiedRow]:
    dealer = aliased(Company)
    rows = tx.execute(
        sa.select(Order, dealer)
        .join(Quote, sa.and_(Quote.dealer_id == Order.dealer_id, Quote.id == Order.quote_id))
        .join(dealer, dealer.id == Order.dealer_id)
        .where(
            Order.account_id == account.id,
            _is_unqualified(account, sa.type_coerce(Order.entered_on, sa.Date())),
        )
        .order_by(Order.entered_at.desc(), Order.dealer_id, Order.id)
        .limit(MOST_ROWS + 1)
    )
    return [
        UnqualifiedRow(
            ref=str(PublicNumber("O", company.code, order.number)),
            revision=order.revision_number,
            dealer_name=company.name,
            done_on=order.entered_on,
            done_at=order.entered_at,
        )
        for order, company in rows
    ]
