"""Visits as each side sees them, in lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.clock import start_of_day
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import Viewer
from referral.queries.records import PAGE_ROWS, holds_words
from referral.queries.referrals import dealer_of_number
from support.models.agreements import Agreement
from support.models.visits import ServiceVisit
from support.queries.seen import visits_seen_by
from support.queries.visits_facts import day_of_visit
from support.rules.calendar import plus_months
from support.rules.visit_hours import say_span
from support.states import VisitState
from warranty.models.sources import Site

VISIT_STATE_WORDS: Mapping[VisitState, str] = MappingProxyType(
    {
        VisitState.DATED: "Planned",
        VisitState.DONE: "Done",
        VisitState.CONVERTED: "Remote session",
        VisitState.CANCELLED: "Cancelled",
    }
)
"""The states of a visit as lists say them."""
_Dealer, _Account = aliased(Company), aliased(Company)
_SPLIT = "_"
EARLIEST_YEAR, LATEST_YEAR = 2000, 2100
"""A list continues after an instant of these years."""


@dataclass(frozen=True)
class VisitRow:
    """A visit in a list."""

    ref: str
    state: VisitState
    agreement_ref: str
    customer: str
    grant_key: str
    contract_year: int
    slot: int
    purposes: tuple[str, ...]
    site_name: str
    place: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    day: date
    """As it is at the site."""
    referral_ref: str
    project_name: str
    dealer_code: str
    dealer_name: str
    account_code: str
    account_name: str
    sequence: int

    @property
    def when(self) -> str:
        """The day and the times, as it is at the site."""
        return say_span(self.starts_at, self.ends_at, self.time_zone)


@dataclass(frozen=True)
class VisitFilter:
    """What a list of visits is narrowed to; what is empty narrows nothing."""

    state: VisitState | None = None
    month: date | None = None
    """Its first day; the month of the visit as it is at the site."""
    project: str = ""
    """Words of the project, its site and the customer."""


@dataclass(frozen=True)
class VisitList:
    """A page of visits: those that are planned the next first, others the last first. `after` continues it."""

    rows: tuple[VisitRow, ...]
    after: str | None


def visits_page(
    tx: Session,
    *,
    viewer: Viewer,
    asked: VisitFilter | None = None,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> VisitList:
    """Return the visits the viewer may see, `limit` at a time. Raises Refusal(not_found)."""
    narrow = asked or VisitFilter()
    statement = found_by(viewer).where(
        *holds_words(narrow.project, Agreement.customer, Site.name, Site.place, folded=Referral.project_key)
    )
    if narrow.state is not None:
        statement = statement.where(ServiceVisit.state == narrow.state)
    if narrow.month is not None:
        statement = statement.where(_in_month(tx, narrow.month))
    order = (ServiceVisit.starts_at, ServiceVisit.dealer_id, ServiceVisit.number)
    is_next_first = narrow.state is VisitState.DATED
    if after is not None:
        place, here = sa.tuple_(*_place(tx, after)), sa.tuple_(*order)
        statement = statement.where(here > place if is_next_first else here < place)
    ordered = [column.asc() if is_next_first else column.desc() for column in order]
    found = tx.execute(statement.order_by(*ordered).limit(limit + 1)).all()
    rows = tuple(row_of(row) for row in found[:limit])
    then = f"{rows[-1].starts_at.isoformat()}{_SPLIT}{rows[-1].ref}" if len(found) > limit else None
    return VisitList(rows, then)


def found_by(viewer: Viewer) -> sa.Select[Any]:
    """Return the statement of visible visits with agreement, site, project, dealer and account, as `row_of` takes them."""
    return (
        visits_seen_by(viewer)
        .add_columns(Agreement, Site, Referral, _Dealer, _Account)
        .join(
            Agreement,
            sa.and_(Agreement.dealer_id == ServiceVisit.dealer_id, Agreement.id == ServiceVisit.agreement_id),
        )
        .join(Site, sa.and_(Site.dealer_id == ServiceVisit.dealer_id, Site.id == ServiceVisit.site_id))
        .join(Referral, sa.and_(Referral.dealer_id == Site.dealer_id, Referral.id == Site.referral_id))
        .join(_Dealer, _Dealer.id == ServiceVisit.dealer_id)
        .join(_Account, _Account.id == ServiceVisit.account_id)
    )


def row_of(found: Any) -> VisitRow:
    """Return a visit as lists show it."""
    visit, agreement, site, project, dealer, account = found
    return VisitRow(
        ref=str(PublicNumber("V", dealer.code, visit.number)),
        state=visit.state,
        agreement_ref=str(PublicNumber("A", dealer.code, agreement.number)),
        customer=agreement.customer,
        grant_key=visit.grant_key,
        contract_year=visit.contract_year,
        slot=visit.slot,
        purposes=tuple(visit.purposes),
        site_name=site.name,
        place=site.place,
        time_zone=site.time_zone,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        day=day_of_visit(visit.starts_at, site.time_zone),
        referral_ref=str(PublicNumber("R", dealer.code, project.number)),
        project_name=project.project_name,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        account_code=account.code,
        account_name=account.name,
        sequence=visit.sequence,
    )


def _in_month(tx: Session, month: date) -> sa.ColumnElement[bool]:
    """Return the condition that a visit is in this month, as it is at its site: one range for each time zone."""
    zones = tx.scalars(sa.select(Site.time_zone).distinct().order_by(Site.time_zone)).all()
    first_on, next_on = month.replace(day=1), plus_months(month.replace(day=1), 1)
    return sa.or_(
        sa.false(),
        *(
            sa.and_(
                Site.time_zone == zone,
                ServiceVisit.starts_at >= start_of_day(first_on, zone),
                ServiceVisit.starts_at < start_of_day(next_on, zone),
            )
            for zone in zones
        ),
    )


def _place(tx: Session, after: str) -> tuple[datetime, UUID, int]:
    said, _, ref = after.partition(_SPLIT)
    try:
        at = datetime.fromisoformat(said)
    except ValueError as error:
        raise Refusal("not_found") from error
    if at.tzinfo is None or not EARLIEST_YEAR <= at.year <= LATEST_YEAR:
        raise Refusal("not_found")
    return (at, *dealer_of_number(tx, ref, "V"))
