"""Recomputing visits: each is what the audit trail tells, in a slot that its agreement has, and used it once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.ids import PublicNumber
from referral.models import AuditEvent, Company
from support.models.agreements import Agreement, AgreementSite, QuotaUse
from support.models.calls import ServiceCall
from support.models.visits import ServiceVisit
from support.queries.visits_facts import VisitFacts, day_of_visit, planned_details, visit_facts
from support.rules.slots import points_of
from support.states import BINDING_STATES, VisitState
from warranty.models.sources import Site

_EVENTS = ("visit.planned", "visit.moved", "visit.cancelled", "visit.converted", "visit.done")
_USED = frozenset({VisitState.DONE, VisitState.CONVERTED})


@dataclass(frozen=True)
class _Book:
    """What belongs to the visits of one dealer."""

    dealer: Company
    facts: Mapping[UUID, VisitFacts]
    zones: Mapping[UUID, str]
    accounts: Mapping[tuple[UUID, UUID], UUID]
    uses: Mapping[UUID, list[QuotaUse]]
    calls: Mapping[UUID, list[ServiceCall]]
    told: Mapping[str, list[AuditEvent]]


def visit_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each visit that is not what was recorded of it.

    Checked: its state fits its columns; what was planned, moved and ended is what the audit trail tells, each
    change counted; its slot is one that its agreement has, or had with what was used of it; it is on a day of
    its slot, at a site of its agreement, for purposes of its grant, and only points of their checklists were
    checked; one that is done or converted used its slot once on its day, others never; a converted one has its
    service call, others none. Agreements that were not accepted have no visits.
    """
    for dealer in tx.scalars(sa.select(Company).where(Company.is_dealer).order_by(Company.id)).all():
        visits = tx.scalars(
            sa.select(ServiceVisit).where(ServiceVisit.dealer_id == dealer.id).order_by(ServiceVisit.number)
        ).all()
        book = _book(tx, dealer, visits)
        for visit in visits:
            ref = str(PublicNumber("V", dealer.code, visit.number))
            facts = book.facts[visit.agreement_id]
            faults = [
                *_state_faults(visit),
                *_slot_faults(visit, facts, book),
                *_use_faults(visit, facts, book),
                *_trail_faults(visit, ref, book),
            ]
            yield from (f"visit {ref}: {fault}" for fault in faults)
        there = {str(PublicNumber("V", dealer.code, visit.number)) for visit in visits}
        for ref in sorted(set(book.told) - there):
            yield f"visit {ref}: is in the audit trail, but not there"


def _book(tx: Session, dealer: Company, visits: Sequence[ServiceVisit]) -> _Book:
    here = sa.select(ServiceVisit.agreement_id).where(ServiceVisit.dealer_id == dealer.id)
    agreements = tx.scalars(
        sa.select(Agreement).where(Agreement.dealer_id == dealer.id, Agreement.id.in_(here))
    ).all()
    sites = tx.execute(
        sa.select(AgreementSite).where(
            AgreementSite.dealer_id == dealer.id, AgreementSite.agreement_id.in_(here)
        )
    ).scalars()
    zones = {
        row.id: row.time_zone
        for row in tx.execute(sa.select(Site.id, Site.time_zone).where(Site.dealer_id == dealer.id))
    }
    return _Book(
        dealer=dealer,
        facts=visit_facts(tx, agreements),
        zones=zones if visits else {},
        accounts={(each.agreement_id, each.site_id): each.account_id for each in sites},
        uses=_by_visit(
            tx.scalars(
                sa.select(QuotaUse)
                .where(
                    QuotaUse.dealer_id == dealer.id,
                    QuotaUse.visit_id.is_not(None),
                    QuotaUse.reverses.is_(None),
                )
                .order_by(QuotaUse.agreement_id, QuotaUse.number)
            )
        ),
        calls=_by_visit(
            tx.scalars(
                sa.select(ServiceCall)
                .where(ServiceCall.dealer_id == dealer.id, ServiceCall.visit_id.is_not(None))
                .order_by(ServiceCall.number)
            )
        ),
        told=_told(tx, dealer),
    )


def _by_visit(rows: Any) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = {}
    for row in rows:
        found.setdefault(row.visit_id, []).append(row)
    return found


def _told(tx: Session, dealer: Company) -> dict[str, list[AuditEvent]]:
    rows = tx.scalars(
        sa.select(AuditEvent)
        .where(AuditEvent.company_id == dealer.id, AuditEvent.event.in_(_EVENTS))
        .order_by(AuditEvent.at, AuditEvent.id)
    )
    found: dict[str, list[AuditEvent]] = {}
    for row in rows:
        found.setdefault(row.subject, []).append(row)
    return found


def _state_faults(visit: ServiceVisit) -> Iterator[str]:
    """Say which columns do not fit the state."""
    is_done = visit.state is VisitState.DONE
    has_report = bool(visit.report and visit.signed_name and visit.done_at and visit.done_by)
    has_anything = bool(visit.report or visit.signed_name or visit.done_at or visit.done_by or visit.checked)
    if has_report is not is_done or (has_anything and not is_done):
        yield "its report does not fit its state"
    if bool(visit.closing_words) is not (visit.state in {VisitState.CANCELLED, VisitState.CONVERTED}):
        yield "its closing words do not fit its state"


def _slot_faults(visit: ServiceVisit, facts: VisitFacts, book: _Book) -> Iterator[str]:
    """Say what is not of its agreement: slot, day, site, purposes, points."""
    if facts.agreement.state not in BINDING_STATES:
        yield "its agreement is not accepted"
    if book.accounts.get((visit.agreement_id, visit.site_id)) != visit.account_id:
        yield "is not at a site of its agreement and account"
        return
    slot = facts.slot(visit.grant_key, visit.contract_year, visit.slot)
    if slot is None:
        if visit.state in _USED:
            yield "its agreement does not have this slot"
        return
    day = day_of_visit(visit.starts_at, book.zones[visit.site_id])
    if visit.state in _USED and not slot.first_on <= day <= slot.last_on:
        yield "is not on a day of its slot"
    if set(visit.purposes) - set(slot.purposes):
        yield "is for something that its grant is not for"
    if set(visit.checked) - set(points_of(facts.term.offer.checklists, visit.purposes)):
        yield "has checked points that its checklists do not have"


def _use_faults(visit: ServiceVisit, facts: VisitFacts, book: _Book) -> Iterator[str]:
    """Say where the slot is not used as its state says."""
    uses, calls = book.uses.get(visit.id, []), book.calls.get(visit.id, [])
    is_scheduled = any(schedule.key == visit.grant_key for schedule in facts.term.offer.schedules)
    wanted = int(visit.state in _USED and not is_scheduled)
    if len(uses) != wanted:
        yield f"used its slot {len(uses)} times instead of {wanted}"
    for use in uses:
        day = day_of_visit(visit.starts_at, book.zones.get(visit.site_id, "UTC"))
        if (use.agreement_id, use.grant_key, use.used_on, use.amount) != (
            visit.agreement_id,
            visit.grant_key,
            day,
            1,
        ):
            yield "its use is not of its slot and day"
    if len(calls) != int(visit.state is VisitState.CONVERTED):
        yield f"has {len(calls)} service calls"


def _trail_faults(visit: ServiceVisit, ref: str, book: _Book) -> Iterator[str]:
    """Say where the audit trail tells otherwise."""
    told = book.told.get(ref, [])
    agreement = str(PublicNumber("A", book.dealer.code, book.facts[visit.agreement_id].agreement.number))
    if not told or (told[0].event, told[0].actor_id, told[0].at) != (
        "visit.planned",
        visit.made_by,
        visit.made_at,
    ):
        yield "was planned otherwise than the audit trail tells"
        return
    if visit.sequence != len(told) - 1 or visit.changed_at != told[-1].at:
        yield "was changed otherwise than the audit trail tells"
    dated = [event for event in told if event.event in {"visit.planned", "visit.moved"}]
    if dated[-1].details != planned_details(visit, agreement):
        yield "is dated otherwise than the audit trail tells"
    ended = {"visit.cancelled": VisitState.CANCELLED, "visit.converted": VisitState.CONVERTED}
    ended |= {"visit.done": VisitState.DONE}
    if ended.get(told[-1].event, VisitState.DATED) is not visit.state:
        yield "ended otherwise than the audit trail tells"
        return
    details = told[-1].details
    words: Mapping[VisitState, dict[str, object]] = {
        VisitState.CANCELLED: {"reason": visit.closing_words},
        VisitState.CONVERTED: {"problem": visit.closing_words},
        VisitState.DONE: {
            "report": visit.report,
            "checked": list(visit.checked),
            "signed_name": visit.signed_name,
        },
    }
    if any(details.get(key) != value for key, value in words.get(visit.state, {}).items()):
        yield "ended otherwise than the audit trail tells"
