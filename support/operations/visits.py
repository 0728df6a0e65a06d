"""Planning a visit: a slot of an agreement gets its date. What is shared by all that happens to visits later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.operations.mails import tell_account, tell_dealer
from quotes.operations.placed_orders import guard_key
from quotes.rules.content import request_digest
from quotes.rules.mails import MailText
from referral.db import locked
from referral.errors import Refusal
from referral.ids import PublicNumber, new_id
from referral.models import Company
from referral.operations.records import guard_permission, next_number, record_event
from referral.permissions import Permission, Viewer
from referral.text import say_day
from support.models.agreements import Agreement, AgreementSite
from support.models.visits import ServiceVisit
from support.operations.uses import agreement_ref, locked_binding
from support.queries.agreement_facts import agreement_facts
from support.queries.seen import visit_by_ref
from support.queries.systems import systems_at
from support.queries.visit_hours import service_hours
from support.queries.visits_facts import VisitFacts, planned_details, visit_facts
from support.queries.visits_to_plan import sites_of
from support.rules import visit_mails as mails
from support.rules.calendar import wall_time
from support.rules.entitlement import why_not
from support.rules.slots import Slot, is_taken
from support.rules.visit_hours import minute_of, say_span, why_closed
from support.states import VisitState
from warranty.models.sources import Site

_KIND = "V"


@dataclass(frozen=True)
class Date:
    """When and where a visit is, and for what: checked against its slot."""

    site: Site
    account_id: UUID
    starts_at: datetime
    ends_at: datetime
    purposes: tuple[str, ...]


def plan_visit(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    grant_key: str,
    contract_year: int | None,
    slot: int | None,
    site_id: UUID,
    day: date,
    starts: time,
    ends: time,
    purposes: Sequence[str],
    words: str,
    idempotency_key: str,
) -> ServiceVisit:
    """A slot of the agreement has a date at one of its sites; both sides are told by mail.

    `grant_key` names a visit grant, or a schedule of the offer. `contract_year` and `slot` say which one: None
    is the year of the day, and the first that is free. `starts` and `ends` are wall times of the site on that
    day. The same key and content answers with the same visit. Raises Refusal(forbidden), (not_found),
    (idempotency_key_missing), (idempotency_key_reused), (agreement_not_active), (not_granted), (slot_taken),
    (no_slot_left), (outside_hours), (invalid_input). Program rules, section 10.
    """
    guard_permission(actor, Permission.VISIT_PLAN)
    key = guard_key(idempotency_key)
    agreement = locked_binding(tx, actor, ref)
    said = request_digest(
        {
            "agreement": ref,
            "slot": [grant_key, contract_year, slot],
            "site": str(site_id),
            "day": day.isoformat(),
            "times": [starts.isoformat(), ends.isoformat()],
            "purposes": list(purposes),
            "words": words,
        }
    )
    before = tx.scalars(
        sa.select(ServiceVisit).where(
            ServiceVisit.dealer_id == agreement.dealer_id, ServiceVisit.idempotency_key == key
        )
    ).one_or_none()
    if before is not None:
        if before.request_digest != said:
            raise Refusal("idempotency_key_reused")
        return before
    facts = visit_facts(tx, [agreement])[agreement.id]
    guard_term(facts, day)
    free = _free_slot(facts, grant_key, contract_year, slot, day)
    dated = guard_date(
        tx, actor, at, facts, free, site_id=site_id, day=day, starts=starts, ends=ends, purposes=purposes
    )
    visit = ServiceVisit(
        dealer_id=agreement.dealer_id,
        id=new_id(),
        number=next_number(tx, agreement.dealer_id, _KIND),
        idempotency_key=key,
        request_digest=said,
        agreement_id=agreement.id,
        account_id=dated.account_id,
        grant_key=free.grant_key,
        contract_year=free.contract_year,
        slot=free.number,
        site_id=dated.site.id,
        state=VisitState.DATED,
        starts_at=dated.starts_at,
        ends_at=dated.ends_at,
        purposes=list(dated.purposes),
        words=words,
        sequence=0,
        made_by=actor.user_id,
        made_at=at,
        changed_at=at,
        closing_words="",
        report="",
        checked=[],
        signed_name="",
    )
    tx.add(visit)
    tx.flush()
    told = mail_words(tx, visit, free.name)
    record_visit(tx, actor, at, visit, "visit.planned", planned_details(visit, told.agreement))
    tell_both(tx, at, visit, mails.planned(told, by=actor.name))
    return visit


# shared by what happens to a visit later ----------------------------------------------------------


def locked_visit(tx: Session, actor: Viewer, ref: str) -> tuple[Agreement, ServiceVisit]:
    """Return the visit the actor sees, locked after its agreement. Raises Refusal(not_found)."""
    seen = tx.scalars(visit_by_ref(tx, actor, ref)).one_or_none()
    if seen is None:
        raise Refusal("not_found")
    agreement = locked(
        tx,
        sa.select(Agreement).where(Agreement.dealer_id == seen.dealer_id, Agreement.id == seen.agreement_id),
    )
    visit = locked(tx, visit_by_ref(tx, actor, ref))
    if agreement is None or visit is None:
        raise Refusal("not_found")
    return agreement, visit


def guard_sequence(visit: ServiceVisit, sequence: int | None) -> None:
    """Guard: the visit is as it was read. None says it was not read. Raises Refusal(stale_visit)."""
    if sequence is not None and sequence != visit.sequence:
        raise Refusal("stale_visit")


def guard_term(facts: VisitFacts, day: date) -> None:
    """Guard: the agreement holds on the day. Raises Refusal(agreement_not_active)."""
    term = facts.term
    if not term.years or not term.starts_on <= day <= term.years[-1].last_on:
        last_on = term.years[-1].last_on if term.years else term.last_on
        raise Refusal(
            "agreement_not_active",
            f"This agreement covers {say_day(term.starts_on)} through {say_day(last_on)}, not {say_day(day)}.",
            "day",
        )


def guard_date(
    tx: Session,
    actor: Viewer,
    at: datetime,
    facts: VisitFacts,
    slot: Slot,
    *,
    site_id: UUID,
    day: date,
    starts: time,
    ends: time,
    purposes: Sequence[str],
) -> Date:
    """Guard: the slot can be dated so. Raises Refusal(outside_hours), (not_eligible), (invalid_input)."""
    site, account_id = _site(tx, actor, facts.agreement, site_id)
    if not slot.first_on <= day <= slot.last_on:
        which = "comes" if slot.is_scheduled else f"is of contract year {slot.contract_year}:"
        raise Refusal(
            "invalid_input",
            f"This visit {which} {say_day(slot.first_on)} through {say_day(slot.last_on)}.",
            "day",
        )
    chosen = _purposes(slot, purposes)
    _guard_eligible(tx, facts, slot, site, day, at)
    starts_at, ends_at = (wall_time(day, minute_of(each), site.time_zone) for each in (starts, ends))
    if ends_at <= starts_at or ends <= starts:
        raise Refusal("invalid_input", "It ends after it starts, on the same day.", "ends")
    ((_, hours),) = service_hours(
        tx, facts.agreement, facts.term, [site], day=day, at=at, is_remote=slot.is_remote
    )
    closed = why_closed(hours, starts_at, ends_at, site.time_zone)
    if closed:
        raise Refusal("outside_hours", closed, "day")
    return Date(site, account_id, starts_at, ends_at, chosen)


def slot_of(facts: VisitFacts, visit: ServiceVisit) -> Slot:
    """Return the slot of a visit. Raises Refusal(no_slot_left) where the agreement has it no more."""
    found = facts.slot(visit.grant_key, visit.contract_year, visit.slot)
    if found is None:
        raise Refusal("no_slot_left", "The agreement does not have this visit any more.")
    return found


def mail_words(tx: Session, visit: ServiceVisit, what: str) -> mails.VisitWords:
    """Return what mails say of a visit; `what` is the name of its grant or schedule."""
    site = tx.get_one(Site, (visit.dealer_id, visit.site_id))
    agreement = tx.get_one(Agreement, (visit.dealer_id, visit.agreement_id))
    return mails.VisitWords(
        ref=visit_ref(tx, visit),
        when=say_span(visit.starts_at, visit.ends_at, site.time_zone),
        what=what,
        purposes=tuple(visit.purposes),
        site=site.name,
        agreement=agreement_ref(tx, agreement),
        words=visit.words,
    )


def visit_ref(tx: Session, visit: ServiceVisit) -> str:
    """Return the visit's public number."""
    code = tx.scalars(sa.select(Company.code).where(Company.id == visit.dealer_id)).one()
    return str(PublicNumber(_KIND, code, visit.number))


def tell_both(tx: Session, at: datetime, visit: ServiceVisit, text: MailText) -> None:
    """The dealer and the account of the site are owed this mail."""
    tell_dealer(tx, at, visit.dealer_id, text)
    tell_account(tx, at, visit.account_id, text)


def record_visit(
    tx: Session, actor: Viewer, at: datetime, visit: ServiceVisit, event: str, details: dict[str, object]
) -> None:
    """The audit trail tells what happened to a visit."""
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=visit.dealer_id,
        event=event,
        subject=visit_ref(tx, visit),
        details=details,
    )


def _site(tx: Session, actor: Viewer, agreement: Agreement, site_id: UUID) -> tuple[Site, UUID]:
    """Return a site of the agreement with its account; an account plans at its own sites alone."""
    found = tx.execute(
        sa.select(Site, AgreementSite.account_id)
        .join(
            AgreementSite,
            sa.and_(AgreementSite.dealer_id == Site.dealer_id, AgreementSite.site_id == Site.id),
        )
        .where(
            AgreementSite.dealer_id == agreement.dealer_id,
            AgreementSite.agreement_id == agreement.id,
            AgreementSite.site_id == site_id,
            sites_of(actor),
        )
    ).one_or_none()
    if found is None:
        raise Refusal("invalid_input", "Choose a site of this agreement.", "site_id")
    return found.Site, found.account_id


def _guard_eligible(tx: Session, facts: VisitFacts, slot: Slot, site: Site, day: date, at: datetime) -> None:
    """Guard: the site has the systems that the visit's grant is for. Raises Refusal(not_eligible), (not_confirmed)."""
    grant = facts.term.offer.grant(slot.grant_key)
    if grant is None or not (grant.platforms or grant.needs_remote_access or grant.needs_confirmation):
        return
    (known,) = agreement_facts(tx, [facts.agreement])
    systems = systems_at(tx, site.dealer_id, site.id, day=day, as_of=at)
    refused = why_not(grant, known, day, site.name, systems)
    if refused is not None:
        raise Refusal(*refused, "site_id")


def _purposes(slot: Slot, purposes: Sequence[str]) -> tuple[str, ...]:
    """Return the purposes in the grant's order. A follow-up has its own."""
    if slot.is_scheduled:
        return slot.purposes
    if set(purposes) - set(slot.purposes):
        raise Refusal("invalid_input", f"{slot.name} is not for that. Choose from the list.", "purposes")
    if slot.purposes and not purposes:
        raise Refusal("invalid_input", "Choose what the visit is for.", "purposes")
    return tuple(each for each in slot.purposes if each in purposes)


def _free_slot(
    facts: VisitFacts, grant_key: str, contract_year: int | None, number: int | None, day: date
) -> Slot:
    """Return the slot that is asked for. Raises Refusal(not_granted), (slot_taken), (no_slot_left)."""
    _guard_granted(facts, grant_key)
    candidates = [slot for slot in facts.undated if slot.grant_key == grant_key]
    if contract_year is None and not any(slot.is_scheduled for slot in candidates):
        candidates = [slot for slot in candidates if slot.first_on <= day <= slot.last_on]
    elif contract_year is not None:
        candidates = [slot for slot in candidates if slot.contract_year == contract_year]
    if number is None:
        if not candidates:
            raise Refusal("no_slot_left")
        return candidates[0]
    for slot in candidates:
        if slot.number == number:
            return slot
    year = contract_year or next(
        (each.number for each in facts.term.years if each.first_on <= day <= each.last_on), 0
    )
    if is_taken((grant_key, year, number), facts.visits):
        raise Refusal("slot_taken")
    raise Refusal("no_slot_left")


def _guard_granted(facts: VisitFacts, grant_key: str) -> None:
    """Guard: there is such a visit at all. Raises Refusal(not_granted) with what can be done instead."""
    offer = facts.term.offer
    if not facts.slots:
        raise Refusal(
            "not_granted",
            f"{offer.name} has no visits. Buy an additional day for this contract year first.",
            details={"offer": offer.key},
        )
    known = {slot.grant_key for slot in facts.slots} | {schedule.key for schedule in offer.schedules}
    if grant_key not in known | {grant.key for grant in facts.grants}:
        raise Refusal("not_granted", "This agreement has no visit of that kind.", "grant_key")
