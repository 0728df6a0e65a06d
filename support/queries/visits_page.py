"""The page of a visit, and what is needed to plan one or to move it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.clock import business_day
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import AuditEvent, Company, User
from referral.permissions import Permission, Viewer
from referral.queries.settings import today
from support.models.agreements import Agreement, AgreementSite, QuotaUse
from support.models.calls import ServiceCall
from support.models.visits import ServiceVisit
from support.queries.catalogue import content_of, entry_for
from support.queries.seen import agreement_by_ref, visit_by_ref
from support.queries.visit_hours import service_hours
from support.queries.visits import VisitRow, found_by, row_of
from support.queries.visits_facts import VisitFacts, visit_facts
from support.queries.visits_to_plan import sites_of
from support.rules.slots import Slot, SlotKey, points_of
from support.rules.visit_hours import say_hours, say_span
from support.states import BINDING_STATES, EntryKind, VisitState
from warranty.models.sources import Site

HOLIDAYS_SHOWN = 8
EVENT_WORDS = {
    "visit.planned": "Planned",
    "visit.moved": "Changed",
    "visit.cancelled": "Cancelled",
    "visit.converted": "Changed for a remote session",
    "visit.done": "Signed off",
}


@dataclass(frozen=True)
class VisitEvent:
    """Something that happened to a visit."""

    what: str
    at: datetime
    by: str
    note: str


@dataclass(frozen=True)
class VisitPage:
    """A visit with what the viewer can do about it."""

    row: VisitRow
    visit: ServiceVisit
    slot: Slot | None
    """None where the agreement has it no more."""
    offer_name: str
    points: tuple[str, ...]
    """What is checked for its purposes."""
    history: tuple[VisitEvent, ...]
    call_ref: str
    """The remote session it became; '' otherwise."""
    is_billable: bool
    """It was used beyond what the agreement had left."""
    ends_with: date
    """The last day of its agreement."""
    may_plan: bool
    may_convert: bool
    session_words: str
    """What is promised of a remote session in its place; '' where it can become none."""
    is_begun: bool
    is_over: bool

    @property
    def is_dated(self) -> bool:
        """Whether it can be moved, cancelled and signed off."""
        return self.visit.state is VisitState.DATED

    @property
    def local(self) -> tuple[datetime, datetime]:
        """From when to when, as it is at the site."""
        zone = ZoneInfo(self.row.time_zone)
        return self.visit.starts_at.astimezone(zone), self.visit.ends_at.astimezone(zone)

    @property
    def is_after_the_end(self) -> bool:
        """Whether its agreement ends before it."""
        return self.is_dated and self.row.day > self.ends_with


@dataclass(frozen=True)
class SiteChoice:
    """A site where a visit can be, with its service hours."""

    id: UUID
    words: str
    time_zone: str
    today: date
    hours: tuple[str, ...]
    """Of each week, in the zone of the hours; empty is any time."""
    hours_zone: str
    """The site's own for visits, the desk's for remote sessions."""
    waiting: tuple[str, ...]
    """Options that are granted, and not confirmed yet."""
    closed: tuple[tuple[date, str], ...]
    """The next days on which nobody comes."""


@dataclass(frozen=True)
class SlotPage:
    """What is needed to give a slot its date, or another one."""

    agreement_ref: str
    customer: str
    offer_name: str
    starts_on: date
    last_on: date
    slot: Slot | None
    """None where none is left, or none was granted."""
    others: tuple[Slot, ...]
    """The other slots without a date."""
    sites: tuple[SiteChoice, ...]
    has_visits: bool
    """Whether the agreement has any visits, dated or not."""
    row: VisitRow | None = None
    """The visit that is moved."""


def visit_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> VisitPage:
    """Return a visit the viewer may see. Raises Refusal(not_found)."""
    visit, agreement, row = _found(tx, viewer, ref)
    facts = visit_facts(tx, [agreement])[agreement.id]
    offer = facts.term.offer
    grant = offer.grant(visit.grant_key)
    may_plan = viewer.may(Permission.VISIT_PLAN)
    may_convert = (
        may_plan
        and viewer.may(Permission.CALL_OPEN)
        and visit.state is VisitState.DATED
        and at < visit.ends_at
        and grant is not None
        and grant.policy is not None
    )
    policy = entry_for(tx, EntryKind.POLICY, str(grant.policy), at=at) if grant and may_convert else None
    return VisitPage(
        row=row,
        visit=visit,
        slot=facts.slot(visit.grant_key, visit.contract_year, visit.slot),
        offer_name=offer.name,
        points=points_of(offer.checklists, visit.purposes),
        history=_history(tx, visit, row),
        call_ref=_call_ref(tx, visit, row),
        is_billable=_is_billable(tx, visit),
        ends_with=facts.term.years[-1].last_on if facts.term.years else agreement.last_on,
        may_plan=may_plan,
        may_convert=may_convert,
        session_words="" if policy is None else str(content_of(policy)["words"]),
        is_begun=at >= visit.starts_at,
        is_over=at >= visit.ends_at,
    )


def plan_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str, key: SlotKey | None) -> SlotPage:
    """Return what is needed to date a slot of an agreement: the one that is named, else the first.

    Raises Refusal(not_found), (agreement_not_active) for an agreement that was not accepted.
    """
    agreement = tx.scalars(agreement_by_ref(tx, viewer, ref)).one_or_none()
    if agreement is None:
        raise Refusal("not_found")
    if agreement.state not in BINDING_STATES:
        raise Refusal("agreement_not_active", "Its visits can be planned once this agreement is accepted.")
    facts = visit_facts(tx, [agreement])[agreement.id]
    day = today(tx, at)
    open_slots = [slot for slot in facts.undated if slot.last_on >= day]
    named = next((slot for slot in facts.undated if slot.key == key), None)
    slot = named or next(iter(open_slots), None)
    others = tuple(each for each in open_slots if slot is None or each.key != slot.key)
    return _slot_page(tx, viewer, at, ref, facts, slot, others)


def move_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> SlotPage:
    """Return what is needed to give a visit another date. Raises Refusal(not_found)."""
    visit, agreement, row = _found(tx, viewer, ref)
    facts = visit_facts(tx, [agreement])[agreement.id]
    slot = facts.slot(visit.grant_key, visit.contract_year, visit.slot)
    return _slot_page(tx, viewer, at, row.agreement_ref, facts, slot, (), row, visit.account_id)


def _found(tx: Session, viewer: Viewer, ref: str) -> tuple[ServiceVisit, Agreement, VisitRow]:
    wanted = tx.scalars(visit_by_ref(tx, viewer, ref)).one_or_none()
    if wanted is None:
        raise Refusal("not_found")
    found = tx.execute(
        found_by(viewer).where(ServiceVisit.dealer_id == wanted.dealer_id, ServiceVisit.id == wanted.id)
    ).one()
    return found[0], found[1], row_of(found)


def _slot_page(
    tx: Session,
    viewer: Viewer,
    at: datetime,
    ref: str,
    facts: VisitFacts,
    slot: Slot | None,
    others: tuple[Slot, ...],
    row: VisitRow | None = None,
    account_id: UUID | None = None,
) -> SlotPage:
    agreement = facts.agreement
    statement = (
        sa.select(Site)
        .join(
            AgreementSite,
            sa.and_(AgreementSite.dealer_id == Site.dealer_id, AgreementSite.site_id == Site.id),
        )
        .where(
            AgreementSite.dealer_id == agreement.dealer_id,
            AgreementSite.agreement_id == agreement.id,
            sites_of(viewer),
        )
        .order_by(Site.name, Site.id)
    )
    if account_id is not None:
        statement = statement.where(AgreementSite.account_id == account_id)
    sites = tx.scalars(statement).all()
    return SlotPage(
        agreement_ref=ref,
        customer=agreement.customer,
        offer_name=facts.term.offer.name,
        starts_on=facts.term.starts_on,
        last_on=facts.term.years[-1].last_on if facts.term.years else agreement.last_on,
        slot=slot,
        others=others,
        sites=() if slot is None else _choices(tx, facts, sites, slot, at),
        has_visits=bool(facts.slots),
        row=row,
    )


def _choices(
    tx: Session, facts: VisitFacts, sites: Sequence[Site], slot: Slot, at: datetime
) -> tuple[SiteChoice, ...]:
    """Return the sites to choose from. The hours are read once: they differ by their zone alone."""
    choices = []
    for site, hours in service_hours(
        tx, facts.agreement, facts.term, sites, day=None, at=at, is_remote=slot.is_remote
    ):
        calendar = hours.widened
        here = business_day(at, site.time_zone)
        first = max(slot.first_on, here)
        closed = (
            ()
            if calendar is None
            else tuple(
                (day, name) for day, name in sorted(calendar.closed.items()) if first <= day <= slot.last_on
            )
        )
        choices.append(
            SiteChoice(
                id=site.id,
                words=site.name if site.place in {"", site.name} else f"{site.name}, {site.place}",
                time_zone=site.time_zone,
                today=here,
                hours=() if calendar is None else say_hours(calendar),
                hours_zone="" if calendar is None else calendar.zone,
                waiting=tuple(each.name for each in hours.widenings if not each.is_confirmed),
                closed=closed[:HOLIDAYS_SHOWN],
            )
        )
    return tuple(choices)


def _history(tx: Session, visit: ServiceVisit, row: VisitRow) -> tuple[VisitEvent, ...]:
    """Return what the audit trail tells of the visit, oldest first."""
    # Ids carry their milliseconds in front: nothing about a visit is older than the visit.
    first_id = UUID(int=visit.id.int >> 80 << 80)
    events = tx.execute(
        sa.select(AuditEvent, User.name, Company.name.label("company"))
        .outerjoin(User, User.id == AuditEvent.actor_id)
        .outerjoin(Company, Company.id == User.company_id)
        .where(
            AuditEvent.company_id == visit.dealer_id,
            AuditEvent.id >= first_id,
            AuditEvent.subject == row.ref,
            AuditEvent.event.in_(EVENT_WORDS),
        )
        .order_by(AuditEvent.at, AuditEvent.id)
    ).all()
    told = []
    for event, name, company in events:
        details = event.details
        note = str(details.get("reason") or details.get("problem") or "")
        if "starts_at" in details:
            starts_at, ends_at = (
                datetime.fromisoformat(str(details[key])) for key in ("starts_at", "ends_at")
            )
            note = say_span(starts_at, ends_at, row.time_zone)
        told.append(VisitEvent(EVENT_WORDS[event.event], event.at, f"{name}, {company}", note))
    return tuple(told)


def _call_ref(tx: Session, visit: ServiceVisit, row: VisitRow) -> str:
    number = tx.scalars(
        sa.select(ServiceCall.number).where(
            ServiceCall.dealer_id == visit.dealer_id, ServiceCall.visit_id == visit.id
        )
    ).first()
    return "" if number is None else str(PublicNumber("S", row.dealer_code, number))


def _is_billable(tx: Session, visit: ServiceVisit) -> bool:
    billable = tx.scalars(
        sa.select(QuotaUse.billable).where(
            QuotaUse.dealer_id == visit.dealer_id,
            QuotaUse.agreement_id == visit.agreement_id,
            QuotaUse.visit_id == visit.id,
            QuotaUse.reverses.is_(None),
        )
    ).first()
    return bool(billable)
