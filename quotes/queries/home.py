"""The start page of each kind of user: what waits for them, and what they get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.queries.disputes import OpenDisputes, open_disputes
from ledger.queries.levels import CreditYear, credit_year
from ledger.queries.statements import DealerYearRow, StatementLine, statement_lines, year_summary
from ledger.rules.credit import standing
from ledger.states import AccountKind
from quotes.models.orders import Order
from quotes.models.quotes import Quote, Revision
from quotes.queries.home_panels import HomePanel, PanelProvider
from quotes.queries.never_ordered import count_never_ordered
from quotes.queries.outlook import LIVE_REVISIONS, live_work, outlook_of
from quotes.queries.projects import count_late_projects
from quotes.queries.work import ReferralWork, WorkRow, has_quote, referral_work, work_rows
from quotes.states import RevisionState
from referral.models import Qualification, Referral
from referral.permissions import CompanyKind, Viewer
from referral.queries.companies import is_qualified_on
from referral.queries.exchange_rates import program_currency
from referral.queries.referrals import is_running
from referral.queries.settings import today
from referral.states import LIVE_REFERRAL_STATES, ReferralState

LAST_POSTINGS = 5
"""Postings a dealer's start page shows."""
OLDEST_WAITING = 8
"""Waiting quotes the program's start page shows."""
EXPIRED_DAYS = 30
"""How long an expired revision stays on the account's start page."""


@dataclass(frozen=True)
class DealerHome:
    """What a dealer must do and what it gets."""

    waiting: tuple[WorkRow, ...]
    """Quotes to decide on, the oldest first."""
    approved: tuple[WorkRow, ...]
    """Approved and not fully ordered, the one that expires first first."""
    to_choose: tuple[ReferralWork, ...]
    """Parked: another account has the project, and the dealer chooses."""
    referrals: tuple[ReferralWork, ...]
    """Live referrals without a quote yet, newest first."""
    year: CreditYear
    currency: str
    committed_cents: int
    """The credit of what is approved and not yet ordered; never part of a total."""
    hoped_cents: int
    """The level total if all that is approved and all that waits is ordered in this year."""
    hoped_level: str
    """The level of that total; '' where no levels are set."""
    postings: tuple[StatementLine, ...]
    is_new: bool
    """Whether this dealer never opened a referral."""


@dataclass(frozen=True)
class AccountHome:
    """What a qualified account must do next."""

    is_qualified: bool
    qualification_ended_on: date | None
    qualification_ends_on: date | None
    to_answer: tuple[ReferralWork, ...]
    to_quote: tuple[ReferralWork, ...]
    drafts: tuple[WorkRow, ...]
    sent_back: tuple[WorkRow, ...]
    to_order: tuple[WorkRow, ...]
    waiting: tuple[WorkRow, ...]
    expired: tuple[WorkRow, ...]
    currency: str

    @property
    def is_idle(self) -> bool:
        """Say whether nothing at all is under way."""
        work = (
            self.to_answer,
            self.to_quote,
            self.drafts,
            self.sent_back,
            self.to_order,
            self.waiting,
            self.expired,
        )
        return not any(work)


@dataclass(frozen=True)
class ProgramHome:
    """Where the program stands: this year's totals, and what waits for whom."""

    program_year: int
    currency: str
    sales_credit_cents: int
    other_purchases_cents: int
    order_count: int
    ordered_cents: int
    """At list price in the program's currency."""
    ordered_elsewhere: tuple[tuple[str, int], ...]
    """(currency, cents) of what is ordered at list price in other currencies."""
    dealers: tuple[DealerYearRow, ...]
    """The largest totals of the year first."""
    dealer_count: int
    qualified_account_count: int
    open_referral_count: int
    waiting_count: int
    waiting: tuple[WorkRow, ...]
    """The oldest of them, OLDEST_WAITING at most."""


@dataclass(frozen=True)
class HomePage:
    """The start page: a part for each kind of company the viewer acts for."""

    today: date
    dealer: DealerHome | None
    account: AccountHome | None
    program: ProgramHome | None
    disputes: OpenDisputes
    """Open disputes of the viewer's company, or of all dealers for the program."""
    late_projects: int
    """Projects of the viewer's company, or of all, that have a late milestone."""
    never_ordered: int
    """Quotes of which something is approved and not ordered, expired or not."""
    panels: tuple[HomePanel, ...] = ()
    """What upper floors put here."""

    @property
    def panel_tasks(self) -> int:
        """How many things of upper floors wait for the viewer's company."""
        return sum(len(panel.rows) for panel in self.panels if panel.is_to_do)


def home_page(
    tx: Session, *, viewer: Viewer, at: datetime, providers: Sequence[PanelProvider] = ()
) -> HomePage:
    """Return the viewer's start page. The number of statements does not grow with what there is."""
    day = today(tx, at)
    return HomePage(
        today=day,
        dealer=dealer_home(tx, viewer=viewer, day=day) if viewer.acts_as(CompanyKind.DEALER) else None,
        account=account_home(tx, viewer=viewer, day=day) if viewer.acts_as(CompanyKind.ACCOUNT) else None,
        program=program_home(tx, viewer=viewer, day=day) if viewer.acts_as(CompanyKind.PROGRAM) else None,
        disputes=open_disputes(tx, viewer=viewer, day=day),
        late_projects=count_late_projects(tx, viewer=viewer, day=day),
        never_ordered=count_never_ordered(tx, viewer=viewer),
        panels=tuple(panel for provide in providers for panel in provide(tx, viewer=viewer, at=at)),
    )


def dealer_home(tx: Session, *, viewer: Viewer, day: date) -> DealerHome:
    """Return the start page of the viewer's company as a dealer."""
    live = live_work(tx, day=day, dealer_ids=[viewer.company_id])
    approved = [row for row in live if row.state == "approved" and row.remaining_units]
    waiting = [row for row in live if row.state == "submitted"]
    outlook = outlook_of(live)
    committed_cents = outlook.committed.credit_cents
    year = credit_year(tx, dealer_id=viewer.company_id, program_year=day.year)
    hoped_cents = year.total_cents + committed_cents + outlook.forecast.credit_cents
    hoped_level = standing(hoped_cents, year.levels).level
    return DealerHome(
        waiting=tuple(waiting),
        approved=tuple(sorted(approved, key=lambda row: (row.expires_on or day, row.ref))),
        to_choose=referral_work(
            tx, day, [Referral.dealer_id == viewer.company_id, Referral.state == ReferralState.PARKED]
        ),
        referrals=referral_work(
            tx,
            day,
            [
                Referral.dealer_id == viewer.company_id,
                Referral.state.in_(LIVE_REFERRAL_STATES),
                ~has_quote(submitted=True),
            ],
        ),
        year=year,
        currency=program_currency(tx, day),
        committed_cents=committed_cents,
        hoped_cents=hoped_cents,
        hoped_level="" if hoped_level is None else hoped_level.name,
        postings=tuple(
            statement_lines(
                tx,
                dealer_id=viewer.company_id,
                program_year=day.year,
                account_kind=AccountKind.SALES_CREDIT,
                limit=LAST_POSTINGS,
                newest_first=True,
            )
        ),
        is_new=tx.scalars(
            sa.select(Referral.id).where(Referral.dealer_id == viewer.company_id).limit(1)
        ).first()
        is None,
    )


def account_home(tx: Session, *, viewer: Viewer, day: date) -> AccountHome:
    """Return the start page of the viewer's company as a qualified account."""
    work = work_rows(
        tx,
        day,
        [
            Quote.account_id == viewer.company_id,
            Referral.state == ReferralState.ACCEPTED,
            sa.or_(
                Revision.state == RevisionState.DRAFT,
                sa.and_(
                    Revision.state.in_(LIVE_REVISIONS),
                    Revision.expires_on >= day - timedelta(days=EXPIRED_DAYS),
                ),
                sa.and_(
                    Revision.state == RevisionState.CHANGES_REQUESTED,
                    Revision.number == Quote.latest_revision,
                ),
            ),
        ],
    )
    referrals = referral_work(
        tx,
        day,
        [
            Referral.account_id == viewer.company_id,
            is_running(day),
            ~has_quote(submitted=False),
        ],
    )
    last_day = tx.scalars(
        sa.select(Qualification.valid_to)
        .where(Qualification.company_id == viewer.company_id, Qualification.valid_from <= day)
        .order_by(sa.func.coalesce(Qualification.valid_to, date.max).desc(), Qualification.id)
        .limit(1)
    ).first()
    is_qualified = is_qualified_on(tx, viewer.company_id, day)
    return AccountHome(
        is_qualified=is_qualified,
        qualification_ended_on=None if is_qualified else last_day,
        qualification_ends_on=last_day if is_qualified else None,
        to_answer=tuple(row for row in referrals if row.state is ReferralState.OPEN),
        to_quote=tuple(row for row in referrals if row.state is ReferralState.ACCEPTED),
        drafts=_in_state(work, "draft"),
        sent_back=_in_state(work, "changes_requested"),
        to_order=tuple(row for row in _in_state(work, "approved") if row.remaining_units),
        waiting=_in_state(work, "submitted"),
        expired=tuple(row for row in _in_state(work, "expired") if row.is_newest and row.remaining_units),
        currency=program_currency(tx, day),
    )


def program_home(tx: Session, *, viewer: Viewer, day: date) -> ProgramHome:
    """Return the start page of the program."""
    waits = [Revision.state == RevisionState.SUBMITTED, Revision.expires_on >= day]
    dealers = year_summary(tx, viewer=viewer, program_year=day.year)
    currency = program_currency(tx, day)
    ordered = tx.execute(
        sa.select(Order.currency, sa.func.count(), sa.func.sum(Order.products_cents))
        .where(Order.program_year == day.year)
        .group_by(Order.currency)
        .order_by(Order.currency)
    ).all()
    cents = {code: int(amount) for code, _, amount in ordered}
    return ProgramHome(
        program_year=day.year,
        currency=currency,
        sales_credit_cents=sum(row.year.sales_credit_cents for row in dealers),
        other_purchases_cents=sum(row.year.other_purchases_cents for row in dealers),
        order_count=sum(count for _, count, _ in ordered),
        ordered_cents=cents.get(currency, 0),
        ordered_elsewhere=tuple(pair for pair in cents.items() if pair[0] != currency),
        dealers=tuple(sorted(dealers, key=lambda row: (-row.year.total_cents, row.dealer_code))),
        dealer_count=len(dealers),
        qualified_account_count=_count(
            tx,
            sa.select(Qualification.company_id)
            .where(
                Qualification.valid_from <= day,
                sa.or_(Qualification.valid_to.is_(None), Qualification.valid_to >= day),
            )
            .distinct(),
        ),
        open_referral_count=_count(
            tx, sa.select(Referral.id).where(Referral.state == ReferralState.OPEN, is_running(day))
        ),
        waiting_count=_count(tx, sa.select(Revision.number).where(*waits)),
        waiting=work_rows(tx, day, waits, limit=OLDEST_WAITING),
    )


def _count(tx: Session, statement: sa.Select[Any]) -> int:
    return tx.scalar(sa.select(sa.func.count()).select_from(statement.subquery())) or 0


def _in_state(rows: Sequence[WorkRow], state: str) -> tuple[WorkRow, ...]:
    return tuple(row for row in rows if row.state == state)
