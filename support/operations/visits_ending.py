"""How a visit ends: it is signed off, or changed for a remote session. Its slot is used up either way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.operations.records import guard_permission, guard_reason
from referral.permissions import Permission, Viewer
from referral.states import next_state
from referral.text import clean_line
from support.models.agreements import Agreement
from support.models.visits import ServiceVisit
from support.operations.call_records import call_ref
from support.operations.calls import open_call
from support.operations.uses import draw_use
from support.operations.visits import (
    guard_sequence,
    locked_visit,
    mail_words,
    record_visit,
    slot_of,
    tell_both,
)
from support.queries.call_ways import site_ref_of
from support.queries.visits_facts import VisitFacts, day_of_visit, visit_facts
from support.rules import visit_mails as mails
from support.rules.slots import Slot, points_of
from support.rules.visit_hours import say_span
from support.states import VISIT_MOVES, VisitState
from warranty.models.sources import Site


def sign_off_visit(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    sequence: int | None,
    report: str,
    checked: Sequence[str],
    signed_name: str,
) -> ServiceVisit:
    """A visit took place: its report, what was checked, and who signed for the customer stand for ever.

    It uses its slot on its day, in that day's contract year. The same again of the same person is one. Raises
    Refusal(forbidden), (not_found), (reason_required) without a report, (not_pending), (stale_visit),
    (agreement_not_active), (invalid_input) before it starts, without a name, or for a point that its purposes
    do not have.
    """
    guard_permission(actor, Permission.VISIT_PLAN)
    told = guard_reason(report, "report")
    name = clean_line(signed_name)
    if not name:
        raise Refusal("invalid_input", "Say who signed for the customer.", "signed_name")
    agreement, visit = locked_visit(tx, actor, ref)
    said = (told, sorted(checked), name, actor.user_id)
    if visit.state is VisitState.DONE and said == (
        visit.report,
        sorted(visit.checked),
        visit.signed_name,
        visit.done_by,
    ):
        return visit
    state = next_state(VISIT_MOVES, "sign_off", visit.state, "not_pending")
    guard_sequence(visit, sequence)
    facts = visit_facts(tx, [agreement])[agreement.id]
    site = tx.get_one(Site, (visit.dealer_id, visit.site_id))
    if at < visit.starts_at:
        when = say_span(visit.starts_at, visit.ends_at, site.time_zone)
        raise Refusal("invalid_input", f"This visit is still to come: {when}.", "report")
    points = points_of(facts.term.offer.checklists, visit.purposes)
    if set(checked) - set(points):
        raise Refusal("invalid_input", "Tick points of the list.", "checked")
    _draw(tx, actor, at, agreement, visit, slot_of(facts, visit), site, told)
    visit.report, visit.signed_name = told, name
    visit.checked = [point for point in points if point in checked]
    visit.done_at, visit.done_by = at, actor.user_id
    visit.sequence += 1
    visit.changed_at = at
    visit.state = next_state(VISIT_MOVES, "sign_off", visit.state, "not_pending")
    tx.flush()
    details: dict[str, object] = {"report": told, "checked": list(visit.checked), "signed_name": name}
    record_visit(tx, actor, at, visit, f"visit.{state.value}", details)
    return visit


def convert_visit(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, sequence: int | None, problem: str
) -> ServiceVisit:
    """In an emergency a dated visit that is not over becomes a remote session: a service call is open for it.

    The call runs under the policy that the visit's grant names, from now on. The visit's slot is used up on the
    day it was planned for; both sides are told. The same conversion twice is one. Raises Refusal(forbidden),
    (not_found), (reason_required), (not_pending) without a dated visit and after it, (stale_visit),
    (not_granted) where the agreement lets no visit become a session, (agreement_not_active).
    """
    guard_permission(actor, Permission.VISIT_PLAN)
    why = guard_reason(problem, "problem")
    agreement, visit = locked_visit(tx, actor, ref)
    if visit.state is VisitState.CONVERTED and visit.closing_words == why:
        return visit
    state = next_state(VISIT_MOVES, "convert", visit.state, "not_pending")
    site = tx.get_one(Site, (visit.dealer_id, visit.site_id))
    if at >= visit.ends_at:
        when = say_span(visit.starts_at, visit.ends_at, site.time_zone)
        raise Refusal("not_pending", f"This visit is over: it was {when}. Sign it off, or cancel it.")
    guard_sequence(visit, sequence)
    facts = visit_facts(tx, [agreement])[agreement.id]
    _guard_convertible(facts, visit)
    slot = slot_of(facts, visit)
    told = mail_words(tx, visit, slot.name)
    call = open_call(
        tx,
        actor=actor,
        at=at,
        source_ref="",
        site_ref=site_ref_of(tx, visit.dealer_id, visit.site_id),
        platform=None,
        under=f"{told.agreement}/{visit.grant_key}",
        problem=why,
        priority=None,
        happened_at=None,
        idempotency_key=f"visit-{visit.id}",
        visit_id=visit.id,
    )
    number = call_ref(tx, call)
    _draw(tx, actor, at, agreement, visit, slot, site, f"{told.ref} became {number}", call_id=call.id)
    visit.closing_words = why
    visit.sequence += 1
    visit.changed_at = at
    visit.state = next_state(VISIT_MOVES, "convert", visit.state, "not_pending")
    tx.flush()
    record_visit(tx, actor, at, visit, f"visit.{state.value}", {"problem": why, "call": number})
    tell_both(tx, at, visit, mails.converted(told, by=actor.name, problem=why, call=number))
    return visit


def _guard_convertible(facts: VisitFacts, visit: ServiceVisit) -> None:
    """Guard: the visit's grant names the policy of a session in its place. Raises Refusal(not_granted)."""
    grant = facts.term.offer.grant(visit.grant_key)
    if grant is None or grant.policy is None:
        raise Refusal("not_granted", "This agreement does not let this visit become a remote session.")


def _draw(
    tx: Session,
    actor: Viewer,
    at: datetime,
    agreement: Agreement,
    visit: ServiceVisit,
    slot: Slot,
    site: Site,
    words: str,
    *,
    call_id: UUID | None = None,
) -> None:
    """The slot is used up on the visit's day; scheduled work has no quota."""
    if slot.is_scheduled:
        return
    draw_use(
        tx,
        actor=actor,
        at=at,
        agreement=agreement,
        grant_key=visit.grant_key,
        used_on=day_of_visit(visit.starts_at, site.time_zone),
        asked=1,
        words=words,
        site_id=visit.site_id,
        visit_id=visit.id,
        call_id=call_id,
        idempotency_key=f"visit-{visit.id}",
    )
