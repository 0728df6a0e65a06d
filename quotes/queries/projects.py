"""Projects as both sides see them: their plan, how late they are, their trades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from quotes.models.projects import MilestoneEntry, Trade
from quotes.queries.completeness import Completeness, completeness_of
from quotes.rules.projects import MILESTONE_WORDS, Days, Timeline, timeline_of
from quotes.states import MilestoneKind
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral, User
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.records import PAGE_ROWS, page_key
from referral.queries.referrals import dealer_of_number, referrals_seen_by
from referral.queries.settings import today
from referral.states import ReferralState


@dataclass(frozen=True)
class MilestoneRow:
    """A milestone as it was said last; `number` 0 is one of which nothing was said."""

    kind: MilestoneKind
    words: str
    number: int
    days: Days
    owner: str
    slip_reason: str
    standing: str
    """How it stands today, in words."""
    days_late: int

    @property
    def is_done(self) -> bool:
        """Say whether it has an actual day."""
        return self.days.actual_on is not None


@dataclass(frozen=True)
class SaidRow:
    """What somebody said of a milestone at an instant, newest first on the page."""

    words: str
    number: int
    days: Days
    owner: str
    slip_reason: str
    said_by: str
    company: str
    said_at: datetime


@dataclass(frozen=True)
class TradeRow:
    """A trade of a project."""

    id: UUID
    trade: str
    name: str
    contact: str
    scope: str
    agreed_on: date | None
    done_on: date | None
    version: int
    changed_by: str
    changed_at: datetime
    is_late: bool
    """Whether the agreed day is over and the part is not done."""


@dataclass(frozen=True)
class ProjectPage:
    """A project with all that both sides see of it."""

    ref: str
    project_name: str
    place: str
    state: ReferralState
    dealer_name: str
    account_name: str
    today: date
    milestones: tuple[MilestoneRow, ...]
    """All five, in their order."""
    timeline: Timeline | None
    history: tuple[SaidRow, ...]
    trades: tuple[TradeRow, ...]
    completeness: Completeness
    is_plannable: bool
    """Whether the viewer may change the plan now."""

    @property
    def late(self) -> tuple[MilestoneRow, ...]:
        """The milestones that are late and not done."""
        return tuple(row for row in self.milestones if row.days_late and not row.is_done)

    def milestone(self, kind: MilestoneKind) -> MilestoneRow:
        """Return one of the milestones."""
        return next(row for row in self.milestones if row.kind is kind)

    def trade(self, trade_id: UUID) -> TradeRow:
        """Return one of the trades. Raises Refusal(not_found)."""
        found = next((row for row in self.trades if row.id == trade_id), None)
        if found is None:
            raise Refusal("not_found")
        return found


def project_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> ProjectPage:
    """Return a project. Raises Refusal(not_found), also for another company's."""
    dealer_id, number = dealer_of_number(tx, ref, "R")
    referral = tx.scalars(
        referrals_seen_by(viewer).where(Referral.dealer_id == dealer_id, Referral.number == number)
    ).one_or_none()
    if referral is None:
        raise Refusal("not_found")
    day = today(tx, at)
    dealer = tx.get_one(Company, referral.dealer_id)
    said = _said(tx, referral)
    newest = {entry.kind: entry for entry, _, _ in reversed(said)}
    milestones = tuple(_milestone(kind, newest.get(kind), day) for kind in MilestoneKind)
    return ProjectPage(
        ref=str(PublicNumber("R", dealer.code, referral.number)),
        project_name=referral.project_name,
        place=referral.place,
        state=referral.state,
        dealer_name=dealer.name,
        account_name=tx.get_one(Company, referral.account_id).name,
        today=day,
        milestones=milestones,
        timeline=timeline_of([row.days for row in milestones], day),
        history=tuple(
            SaidRow(
                words=MILESTONE_WORDS[entry.kind],
                number=entry.number,
                days=_days(entry),
                owner=entry.owner,
                slip_reason=entry.slip_reason,
                said_by=name,
                company=company,
                said_at=entry.said_at,
            )
            for entry, name, company in said
        ),
        trades=_trades(tx, referral, day),
        completeness=completeness_of(tx, viewer=viewer, referral=referral, dealer_code=dealer.code, day=day),
        is_plannable=viewer.may(Permission.PROJECT_PLAN) and referral.state is ReferralState.ACCEPTED,
    )


def _days(entry: MilestoneEntry) -> Days:
    return Days(entry.planned_on, entry.forecast_on, entry.actual_on)


def _milestone(kind: MilestoneKind, entry: MilestoneEntry | None, day: date) -> MilestoneRow:
    days = Days() if entry is None else _days(entry)
    return MilestoneRow(
        kind=kind,
        words=MILESTONE_WORDS[kind],
        number=0 if entry is None else entry.number,
        days=days,
        owner="" if entry is None else entry.owner,
        slip_reason="" if entry is None else entry.slip_reason,
        standing=days.words(day),
        days_late=days.days_late(day),
    )


def _said(tx: Session, referral: Referral) -> Sequence[tuple[MilestoneEntry, str, str]]:
    """Return all that was said of the milestones, newest first; of one milestone, by its number."""
    found = tx.execute(
        sa.select(MilestoneEntry, User.name, Company.name)
        .join(User, User.id == MilestoneEntry.said_by)
        .join(Company, Company.id == User.company_id)
        .where(MilestoneEntry.dealer_id == referral.dealer_id, MilestoneEntry.referral_id == referral.id)
        .order_by(MilestoneEntry.said_at.desc(), MilestoneEntry.number.desc(), MilestoneEntry.kind)
    )
    return [(entry, name, company) for entry, name, company in found]


def _trades(tx: Session, referral: Referral, day: date) -> tuple[TradeRow, ...]:
    found = tx.execute(
        sa.select(Trade, User.name)
        .join(User, User.id == Trade.changed_by)
        .where(Trade.dealer_id == referral.dealer_id, Trade.referral_id == referral.id)
        .order_by(sa.func.coalesce(Trade.agreed_on, date.max), Trade.id)
    )
    return tuple(
        TradeRow(
            id=row.id,
            trade=row.trade,
            name=row.name,
            contact=row.contact,
            scope=row.scope,
            agreed_on=row.agreed_on,
            done_on=row.done_on,
            version=row.version,
            changed_by=name,
            changed_at=row.changed_at,
            is_late=row.agreed_on is not None and row.done_on is None and row.agreed_on < day,
        )
        for row, name in found
    )


# lists ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProjectRow:
    """A project in a list."""

    key: str
    ref: str
    project_name: str
    place: str
    other_name: str
    """The other side; for the program both."""
    next_words: str
    """The next milestone that is planned and not done; '' where there is none."""
    next_on: date | None
    late_words: str
    """The milestone that is latest, in words; '' where none is late."""
    is_planned: bool


@dataclass(frozen=True)
class ProjectsPage:
    """A page of accepted projects, newest first."""

    rows: tuple[ProjectRow, ...]
    after: str | None
    late_count: int
    """Late projects the viewer sees, whatever the page shows."""


def newest_entries() -> sa.ColumnElement[bool]:
    """Return the condition that a milestone's entry is the one that holds."""
    newer = aliased(MilestoneEntry)
    return ~(
        sa.exists()
        .where(
            newer.dealer_id == MilestoneEntry.dealer_id,
            newer.referral_id == MilestoneEntry.referral_id,
            newer.kind == MilestoneEntry.kind,
            newer.number > MilestoneEntry.number,
        )
        .correlate(MilestoneEntry)
    )


def is_late_on(day: date) -> sa.ColumnElement[bool]:
    """Return the condition that a project has a milestone that is late and not done, as `Days` reckons it."""
    return (
        sa.exists()
        .where(
            MilestoneEntry.dealer_id == Referral.dealer_id,
            MilestoneEntry.referral_id == Referral.id,
            MilestoneEntry.actual_on.is_(None),
            sa.or_(MilestoneEntry.planned_on < day, MilestoneEntry.forecast_on > MilestoneEntry.planned_on),
            newest_entries(),
        )
        .correlate(Referral)
    )


def accepted_projects(viewer: Viewer) -> sa.Select[Referral]:
    """Return the projects that are under way, of those the viewer may see."""
    return referrals_seen_by(viewer).where(Referral.state == ReferralState.ACCEPTED)


def count_late_projects(tx: Session, *, viewer: Viewer, day: date) -> int:
    """Return how many of the viewer's projects have a late milestone."""
    late = accepted_projects(viewer).where(is_late_on(day)).with_only_columns(Referral.id).subquery()
    return tx.scalar(sa.select(sa.func.count()).select_from(late)) or 0


def projects_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    is_late: bool = False,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> ProjectsPage:
    """Return the projects that are under way, newest first; only those with a late milestone if asked.

    Raises Refusal(not_found) where `after` is no key.
    """
    day = today(tx, at)
    dealer, account = aliased(Company), aliased(Company)
    statement = accepted_projects(viewer).order_by(Referral.id.desc()).limit(limit + 1)
    if is_late:
        statement = statement.where(is_late_on(day))
    if after is not None:
        statement = statement.where(Referral.id < page_key(after))
    found = tx.execute(
        statement.add_columns(dealer, account)
        .join(dealer, dealer.id == Referral.dealer_id)
        .join(account, account.id == Referral.account_id)
    ).all()
    shown = found[:limit]
    plans = _plans(tx, [row[0] for row in shown], day)
    rows = tuple(
        _project_row(viewer, referral, dealer_row, account_row, plans.get(referral.id, []), day)
        for referral, dealer_row, account_row in shown
    )
    return ProjectsPage(
        rows=rows,
        after=rows[-1].key if len(found) > limit else None,
        late_count=count_late_projects(tx, viewer=viewer, day=day),
    )


def _plans(tx: Session, referrals: Sequence[Referral], day: date) -> dict[UUID, list[MilestoneRow]]:
    plans: dict[UUID, list[MilestoneRow]] = {}
    entries = tx.scalars(
        sa.select(MilestoneEntry).where(
            MilestoneEntry.dealer_id.in_({row.dealer_id for row in referrals}),
            MilestoneEntry.referral_id.in_([row.id for row in referrals]),
            newest_entries(),
        )
    )
    for entry in entries:
        plans.setdefault(entry.referral_id, []).append(_milestone(entry.kind, entry, day))
    return plans


def _project_row(
    viewer: Viewer,
    referral: Referral,
    dealer: Company,
    account: Company,
    plan: Sequence[MilestoneRow],
    day: date,
) -> ProjectRow:
    to_do = [row for row in plan if not row.is_done]
    order = list(MilestoneKind)
    following = min(to_do, key=lambda row: (row.days.end_on or day, order.index(row.kind)), default=None)
    latest = max(to_do, key=lambda row: (row.days_late, -order.index(row.kind)), default=None)
    is_dealer = viewer.acts_as(CompanyKind.DEALER) and referral.dealer_id == viewer.company_id
    both = f"{dealer.name}, {account.name}"
    other = account.name if is_dealer else dealer.name
    return ProjectRow(
        key=str(referral.id),
        ref=str(PublicNumber("R", dealer.code, referral.number)),
        project_name=referral.project_name,
        place=referral.place,
        other_name=both if viewer.acts_as(CompanyKind.PROGRAM) else other,
        next_words="" if following is None else following.words,
        next_on=None if following is None else following.days.end_on,
        late_words="" if latest is None or not latest.days_late else f"{latest.words}: {latest.standing}",
        is_planned=bool(plan),
    )
