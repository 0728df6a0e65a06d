"""Revisions and referrals as work: what is under way, how long it is valid, what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ledger.rules.credit import line_credit_cents
from quotes.models.orders import CancellationLine, OrderLine
from quotes.models.quotes import Quote, Revision, RevisionLine
from quotes.models.recalls import PriceRecall
from quotes.rules.content import shown_state
from quotes.states import RevisionState
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.queries.exchange_rates import Exchange, exchanges_on, program_currency
from referral.queries.settings import creditable_categories, whole_number_setting
from referral.rules import standing_on
from referral.states import ReferralState

SOON_DAYS = 7
"""A revision with this many days left or fewer is expiring soon."""


@dataclass(frozen=True)
class WorkRow:
    """A revision on a start page; the amounts are of what is not yet ordered of it and can be.

    Lines at a recalled price cannot: they are in none of the amounts, only counted apart.
    """

    dealer_id: UUID
    ref: str
    revision: int
    is_newest: bool
    state: str
    project_name: str
    place: str
    dealer_name: str
    account_name: str
    submitted_at: datetime | None
    expires_on: date | None
    days_left: int | None
    decision_reason: str
    remaining_units: int
    recalled_units: int
    """Units left to order whose price is recalled."""
    exchange: Exchange
    """The currency of its products, and how they become credit today."""
    products_cents: int
    credit_cents: int
    """In the program's currency; 0 where no rate holds."""

    @property
    def is_expiring_soon(self) -> bool:
        """Say whether its last day is near."""
        return self.days_left is not None and 0 <= self.days_left <= SOON_DAYS


@dataclass(frozen=True)
class ReferralWork:
    """A referral on a start page."""

    ref: str
    state: ReferralState
    """As it stands on the day: expired where nobody answered in time."""
    project_name: str
    place: str
    dealer_name: str
    account_name: str
    wanted_on: date | None
    opened_at: datetime
    expires_on: date | None


# referrals --------------------------------------------------------------------------------------


def has_quote(*, submitted: bool) -> sa.Exists:
    """Return the condition that the referral has a quote, or one with a submitted revision."""
    statement = sa.select(Quote.id).where(
        Quote.dealer_id == Referral.dealer_id, Quote.referral_id == Referral.id
    )
    if submitted:
        statement = statement.join(
            Revision, sa.and_(Revision.dealer_id == Quote.dealer_id, Revision.quote_id == Quote.id)
        ).where(Revision.state != RevisionState.DRAFT)
    return statement.exists()


def referral_work(
    tx: Session, day: date, conditions: Sequence[sa.ColumnElement[bool]]
) -> tuple[ReferralWork, ...]:
    """Return the referrals that meet the conditions as they stand on the day, newest first."""
    dealer, account = aliased(Company), aliased(Company)
    rows = tx.execute(
        sa.select(Referral, dealer, account.name)
        .join(dealer, dealer.id == Referral.dealer_id)
        .join(account, account.id == Referral.account_id)
        .where(*conditions)
        .order_by(Referral.opened_at.desc(), Referral.id.desc())
    )
    return tuple(
        ReferralWork(
            ref=str(PublicNumber("R", company.code, referral.number)),
            state=standing_on(referral.state, referral.expires_on, day),
            project_name=referral.project_name,
            place=referral.place,
            dealer_name=company.name,
            account_name=account_name,
            wanted_on=referral.wanted_on,
            opened_at=referral.opened_at,
            expires_on=referral.expires_on,
        )
        for referral, company, account_name in rows
    )


# revisions --------------------------------------------------------------------------------------


def work_rows(
    tx: Session, day: date, conditions: Sequence[sa.ColumnElement[bool]], limit: int | None = None
) -> tuple[WorkRow, ...]:
    """Return the revisions that meet the conditions, oldest submission first, in seven statements at most."""
    dealer, account = aliased(Company), aliased(Company)
    found = tx.execute(
        sa.select(Revision, Quote, Referral, dealer, account.name)
        .join(Quote, sa.and_(Quote.dealer_id == Revision.dealer_id, Quote.id == Revision.quote_id))
        .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
        .join(dealer, dealer.id == Quote.dealer_id)
        .join(account, account.id == Quote.account_id)
        .where(*conditions)
        .order_by(
            sa.func.coalesce(Revision.submitted_at, Revision.created_at), Revision.quote_id, Revision.number
        )
        .limit(limit)
    ).all()
    own = program_currency(tx, day)
    currencies = {
        (revision.quote_id, revision.number): revision.currency or company.currency or own
        for revision, _, _, company, _ in found
    }
    exchanges = exchanges_on(tx, currencies.values(), day)
    by_revision = {key: exchanges[currency] for key, currency in currencies.items()}
    worth = _worth(tx, day, [row[0] for row in found], by_revision)
    return tuple(
        WorkRow(
            dealer_id=revision.dealer_id,
            ref=str(PublicNumber("Q", company.code, quote.number)),
            revision=revision.number,
            is_newest=revision.number == quote.latest_revision,
            state=shown_state(revision.state, revision.expires_on, day),
            project_name=referral.project_name,
            place=referral.place,
            dealer_name=company.name,
            account_name=account_name,
            submitted_at=revision.submitted_at,
            expires_on=revision.expires_on,
            days_left=None if revision.expires_on is None else (revision.expires_on - day).days,
            decision_reason=revision.decision_reason,
            remaining_units=worth[revision.quote_id, revision.number].units,
            recalled_units=worth[revision.quote_id, revision.number].recalled_units,
            exchange=by_revision[revision.quote_id, revision.number],
            products_cents=worth[revision.quote_id, revision.number].products_cents,
            credit_cents=worth[revision.quote_id, revision.number].credit_cents,
        )
        for revision, quote, referral, company, account_name in found
    )


@dataclass
class _Worth:
    units: int = 0
    recalled_units: int = 0
    products_cents: int = 0
    credit_cents: int = 0


def _worth(
    tx: Session,
    day: date,
    revisions: Sequence[Revision],
    exchanges: Mapping[tuple[UUID, int], Exchange],
) -> dict[tuple[UUID, int], _Worth]:
    """Return what can still be ordered of each revision, and the credit it earns today, line by line."""
    worth = {(revision.quote_id, revision.number): _Worth() for revision in revisions}
    if not worth:
        return worth
    rate = whole_number_setting(tx, "credit_rate", day)
    creditable = creditable_categories(tx, day.year)
    dealer_ids = {revision.dealer_id for revision in revisions}
    quote_ids = {revision.quote_id for revision in revisions}
    ordered = _ordered_units(tx, dealer_ids, quote_ids)
    recalled = _recalled(tx, revisions)
    lines = tx.execute(
        sa.select(
            RevisionLine.quote_id,
            RevisionLine.revision_number,
            RevisionLine.line_id,
            RevisionLine.model_number,
            RevisionLine.category,
            RevisionLine.quantity,
            RevisionLine.list_price_cents,
        ).where(RevisionLine.dealer_id.in_(dealer_ids), RevisionLine.quote_id.in_(quote_ids))
    )
    for quote_id, number, line_id, model_number, category, quantity, list_price_cents in lines:
        sums = worth.get((quote_id, number))
        if sums is None:
            continue
        left = max(quantity - ordered.get((quote_id, line_id), 0), 0)
        if (quote_id, number, model_number) in recalled:
            sums.recalled_units += left
            continue
        sums.units += left
        sums.products_cents += left * list_price_cents
        if category.value in creditable:
            sums.credit_cents += line_credit_cents(
                list_price_cents, left, rate, exchanges[quote_id, number].rate
            )
    return worth


def _recalled(tx: Session, revisions: Sequence[Revision]) -> set[tuple[UUID, int, str]]:
    """Return (quote, revision, model number) of the prices of these revisions that are recalled."""
    by_list: dict[UUID, list[Revision]] = {}
    for revision in revisions:
        if revision.price_list_id is not None:
            by_list.setdefault(revision.price_list_id, []).append(revision)
    found = tx.execute(
        sa.select(PriceRecall.price_list_id, PriceRecall.model_number).where(
            PriceRecall.price_list_id.in_(by_list)
        )
    )
    return {
        (revision.quote_id, revision.number, model_number)
        for price_list_id, model_number in found
        for revision in by_list[price_list_id]
    }


def _ordered_units(tx: Session, dealer_ids: set[UUID], quote_ids: set[UUID]) -> dict[tuple[UUID, UUID], int]:
    """Return what is ordered and not cancelled, by quote and line, over all revisions."""
    of_quotes = [OrderLine.dealer_id.in_(dealer_ids), OrderLine.quote_id.in_(quote_ids)]
    ordered = {
        (quote_id, line_id): int(quantity)
        for quote_id, line_id, quantity in tx.execute(
            sa.select(OrderLine.quote_id, OrderLine.line_id, sa.func.sum(OrderLine.quantity))
            .where(*of_quotes)
            .group_by(OrderLine.quote_id, OrderLine.line_id)
        )
    }
    cancelled = tx.execute(
        sa.select(OrderLine.quote_id, OrderLine.line_id, sa.func.sum(CancellationLine.quantity))
        .join(
            CancellationLine,
            sa.and_(
                CancellationLine.dealer_id == OrderLine.dealer_id,
                CancellationLine.order_id == OrderLine.order_id,
                CancellationLine.line_id == OrderLine.line_id,
            ),
        )
        .where(*of_quotes)
        .group_by(OrderLine.quote_id, OrderLine.line_id)
    )
    for quote_id, line_id, quantity in cancelled:
        ordered[quote_id, line_id] -= int(quantity)
    return ordered
