"""Moving a visit, and cancelling it: its slot is free again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from uuid import UUID

from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.operations.records import guard_permission, guard_reason
from referral.permissions import Permission, Viewer
from referral.states import next_state
from support.models.visits import ServiceVisit
from support.operations.visits import (
    guard_date,
    guard_sequence,
    guard_term,
    locked_visit,
    mail_words,
    record_visit,
    slot_of,
    tell_both,
)
from support.queries.visits_facts import planned_details, visit_facts
from support.rules import visit_mails as mails
from support.states import VISIT_MOVES, VisitState


def move_visit(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    sequence: int | None,
    site_id: UUID,
    day: date,
    starts: time,
    ends: time,
    purposes: Sequence[str],
    words: str,
) -> ServiceVisit:
    """A dated visit is at another time, place, or for something else; it keeps its slot. Both sides are told.

    `sequence` is what it was read with; None does not ask. What is so already stays so, and tells nobody. Raises
    Refusal(forbidden), (not_found), (not_pending), (stale_visit), (agreement_not_active), (outside_hours),
    (invalid_input) for another day than of its contract year, and for a site of another account.
    """
    guard_permission(actor, Permission.VISIT_PLAN)
    agreement, visit = locked_visit(tx, actor, ref)
    state = next_state(VISIT_MOVES, "move", visit.state, "not_pending")
    facts = visit_facts(tx, [agreement])[agreement.id]
    guard_term(facts, day)
    slot = slot_of(facts, visit)
    dated = guard_date(
        tx, actor, at, facts, slot, site_id=site_id, day=day, starts=starts, ends=ends, purposes=purposes
    )
    if dated.account_id != visit.account_id:
        words_of_site = "Another account takes care of this site: cancel the visit, and plan it there."
        raise Refusal("invalid_input", words_of_site, "site_id")
    said = (dated.site.id, dated.starts_at, dated.ends_at, list(dated.purposes), words)
    if said == (visit.site_id, visit.starts_at, visit.ends_at, list(visit.purposes), visit.words):
        return visit
    guard_sequence(visit, sequence)
    before = mail_words(tx, visit, slot.name).when
    visit.site_id, visit.starts_at, visit.ends_at = dated.site.id, dated.starts_at, dated.ends_at
    visit.purposes, visit.words = list(dated.purposes), words
    visit.state = next_state(VISIT_MOVES, "move", state, "not_pending")
    visit.sequence += 1
    visit.changed_at = at
    tx.flush()
    told = mail_words(tx, visit, slot.name)
    record_visit(tx, actor, at, visit, "visit.moved", planned_details(visit, told.agreement))
    tell_both(tx, at, visit, mails.moved(told, by=actor.name, before=before))
    return visit


def cancel_visit(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, sequence: int | None, reason: str
) -> ServiceVisit:
    """A dated visit does not take place; its slot is free again. Both sides are told.

    The same cancellation twice is one. Raises Refusal(forbidden), (not_found), (reason_required), (not_pending),
    (stale_visit).
    """
    guard_permission(actor, Permission.VISIT_PLAN)
    why = guard_reason(reason)
    agreement, visit = locked_visit(tx, actor, ref)
    if visit.state is VisitState.CANCELLED and visit.closing_words == why:
        return visit
    state = next_state(VISIT_MOVES, "cancel", visit.state, "not_pending")
    guard_sequence(visit, sequence)
    slot = visit_facts(tx, [agreement])[agreement.id].slot(visit.grant_key, visit.contract_year, visit.slot)
    visit.closing_words = why
    visit.sequence += 1
    visit.changed_at = at
    visit.state = next_state(VISIT_MOVES, "cancel", visit.state, "not_pending")
    tx.flush()
    record_visit(tx, actor, at, visit, f"visit.{state.value}", {"reason": why})
    told = mail_words(tx, visit, slot.name if slot else "Visit")
    tell_both(tx, at, visit, mails.cancelled(told, by=actor.name, reason=why))
    return visit
