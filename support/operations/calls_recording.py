"""Recording what happens to a service call, and correcting it. Nothing recorded is ever changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from quotes.operations.mails import tell_dealer
from referral.clock import business_day
from referral.db import locked
from referral.errors import Refusal
from referral.operations.records import guard_permission, guard_reason
from referral.permissions import CompanyKind, Permission, Viewer
from support.models.calls import CallEvent, ServiceCall
from support.operations.call_records import (
    SaidEvent,
    call_ref,
    locked_call,
    mail_words,
    tell_desk,
    write_call_event,
)
from support.operations.calls import guard_happened
from support.operations.uses import draw_use
from support.queries.call_agreement import agreement_of_call, requirements_of_call
from support.queries.call_facts import call_facts
from support.rules import call_mails as mails
from support.rules.call_moves import NEEDS_WORDS, PEOPLE_RECORD, Misfit, misfit_of
from support.rules.call_projection import CallFacts
from support.rules.call_words import EVENT_WORDS, pause_reasons
from support.rules.course import Happening
from support.states import CallEventKind, Priority
from warranty.models.sources import Site

_Kind = CallEventKind
ANYBODY_RECORDS = frozenset({_Kind.NOTED, _Kind.WITHDRAWN, _Kind.REOPENED})
"""What the side that asked for help records as well: the rest is for the desk that works on it."""
_TELLS_DEALER = {_Kind.RESOLVED: "resolved", _Kind.REOPENED: "reopened", _Kind.WITHDRAWN: "withdrawn"}


@dataclass(frozen=True)
class Used:
    """What was used of a grant of the call's agreement: minutes of hours and blocks, else units."""

    grant_key: str
    asked: int


def record_call_event(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    event_count: int,
    kind: CallEventKind,
    happened_at: datetime | None = None,
    priority: Priority | None = None,
    reason: str = "",
    words: str = "",
    used: Used | None = None,
) -> ServiceCall:
    """It happened to the call, now or at an earlier instant; everything due is worked out anew.

    What is recorded late is judged by how the call stood when it happened, and by what happened later. A
    resolution can say what was `used` of the agreement's quotas. `event_count` is that of the call as it was
    read; the same event of the same person sent twice is one. Raises Refusal(forbidden), (not_found),
    (stale_call), (reason_required), (invalid_input), (call_closed), (call_paused), (call_not_paused),
    (never_paused), (not_pending), (event_fixed) and what drawing from a quota refuses.
    """
    guard_permission(actor, Permission.CALL_OPEN)
    call = locked_call(tx, actor, ref)
    _guard_side(actor, call, kind)
    if kind not in PEOPLE_RECORD:
        raise Refusal("event_fixed", "This is not recorded by people.")
    facts = call_facts(tx, call)
    site = tx.get_one(Site, (call.dealer_id, call.site_id))
    why, said = _words_of(tx, call, kind, reason, words)
    if _is_repeat(tx, call, actor, event_count, (kind, priority, why, said)):
        return call
    if event_count != call.event_count:
        raise Refusal("stale_call")
    opened_at = facts.happenings[0].happened_at
    when = at if happened_at is None else happened_at
    guard_happened(when, at, opened_at, "the call came", site.time_zone)
    if (kind is _Kind.PRIORITY) is (priority is None):
        raise Refusal("invalid_input", "Say the new priority.", "priority")
    if kind is _Kind.PRIORITY and not facts.has_priorities:
        raise Refusal("invalid_input", "This call has no priorities.", "priority")
    if used is not None and kind is not _Kind.RESOLVED:
        raise Refusal("invalid_input", "What was used is said with the resolution.", "used")
    event = Happening(call.event_count + 1, kind, when, at, priority=priority)
    _guard_fits(facts, event)
    write_call_event(
        tx,
        actor=actor,
        at=at,
        call=call,
        said=SaidEvent(kind, when, actor.user_id, at, priority=priority, reason=why, words=said),
        subject=ref,
    )
    if used is not None:
        _draw(tx, actor, at, call, used, when, site, said)
    _tell(tx, actor, at, call, kind, said)
    return call


def correct_call_event(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, event_count: int, number: int, reason: str
) -> ServiceCall:
    """The event of that number was wrong and counts no more; everything due is worked out without it.

    Correcting an event again changes nothing. What was used of a quota stays: it is taken back on the agreement.
    Raises Refusal(forbidden), (not_found), (stale_call), (reason_required), (event_fixed) for the opening, for a
    correction, and for an event that a later one rests on.
    """
    guard_permission(actor, Permission.CALL_WORK)
    call = locked_call(tx, actor, ref)
    if actor.company_id != call.handler_id:
        raise Refusal("forbidden")
    why = guard_reason(reason)
    facts = call_facts(tx, call)
    wrong = next((each for each in facts.happenings if each.number == number), None)
    if wrong is None:
        raise Refusal("not_found")
    if any(each.voids == number for each in facts.happenings):
        return call
    if event_count != call.event_count:
        raise Refusal("stale_call")
    if wrong.kind in {_Kind.OPENED, _Kind.CORRECTED}:
        raise Refusal("event_fixed", f"“{EVENT_WORDS[wrong.kind]}” stays as it is recorded.")
    correction = Happening(call.event_count + 1, _Kind.CORRECTED, at, at, voids=number)
    misfit = misfit_of([*facts.happenings, correction])
    if misfit is not None:
        rests = next(each for each in facts.happenings if each.number == misfit.number)
        words = f"“{EVENT_WORDS[rests.kind]}” (event {rests.number}) rests on it: correct that first."
        raise Refusal("event_fixed", words)
    write_call_event(
        tx,
        actor=actor,
        at=at,
        call=call,
        said=SaidEvent(_Kind.CORRECTED, at, actor.user_id, at, voids=number, reason=why),
        subject=ref,
    )
    return call


def _guard_side(actor: Viewer, call: ServiceCall, kind: CallEventKind) -> None:
    """Guard: the desk that works on the call records what it does; those who asked, what is theirs."""
    if actor.company_id == call.handler_id and actor.may(Permission.CALL_WORK):
        return
    is_party = actor.company_id in {call.dealer_id, call.account_id} or actor.acts_as(CompanyKind.PROGRAM)
    if not is_party or kind not in ANYBODY_RECORDS:
        raise Refusal("forbidden")


def _words_of(
    tx: Session, call: ServiceCall, kind: CallEventKind, reason: str, words: str
) -> tuple[str, str]:
    """Return (reason, words) as they are kept: a pause needs a named reason. Raises Refusal(reason_required)."""
    said = guard_reason(words, "words") if kind in NEEDS_WORDS else words.strip()
    if kind is _Kind.PROGRESS_STOPPED:
        return said, ""
    if kind is not _Kind.PAUSED:
        return "", said
    why = guard_reason(reason)
    if why not in pause_reasons(requirements_of_call(tx, call)):
        raise Refusal("invalid_input", "Choose a reason of the list.", "reason")
    return why, said


def _is_repeat(
    tx: Session, call: ServiceCall, actor: Viewer, event_count: int, said: tuple[object, ...]
) -> bool:
    """Say whether just this was recorded by the same person as the call was read: it was sent twice."""
    if event_count != call.event_count - 1:
        return False
    last = tx.get_one(CallEvent, (call.dealer_id, call.id, call.event_count))
    is_same = (last.kind, last.priority, last.reason, last.words) == said
    return is_same and last.recorded_by == actor.user_id


def _guard_fits(facts: CallFacts, event: Happening) -> None:
    """Guard: the event fits those before it, and those after it still fit. Raises the refusal that says why not."""
    misfit = misfit_of([*facts.happenings, event], event.number)
    if misfit is None:
        return
    if misfit.number == event.number:
        words = ""
        if misfit.code == "not_pending":
            is_open = event.kind is _Kind.REOPENED
            words = "This call is open." if is_open else "The problem is confirmed already."
        raise Refusal(misfit.code, words)
    raise Refusal(misfit.code, _says_later(facts, misfit), "happened_on")


def _says_later(facts: CallFacts, misfit: Misfit) -> str:
    later = next(each for each in facts.happenings if each.number == misfit.number)
    return (
        f"With this, “{EVENT_WORDS[later.kind]}” (event {later.number}) would not fit any more. "
        "Correct that first, or say another time."
    )


def _draw(
    tx: Session,
    actor: Viewer,
    at: datetime,
    call: ServiceCall,
    used: Used,
    when: datetime,
    site: Site,
    words: str,
) -> None:
    """What was used is drawn from the agreement's quota, on the site's day of the resolution."""
    agreement = locked(tx, agreement_of_call(call))
    if agreement is None:
        raise Refusal("not_granted", "This call is under no agreement.", "used")
    draw_use(
        tx,
        actor=actor,
        at=at,
        agreement=agreement,
        grant_key=used.grant_key,
        used_on=business_day(when, site.time_zone),
        asked=used.asked,
        words=words,
        site_id=call.site_id,
        call_id=call.id,
    )


def _tell(
    tx: Session, actor: Viewer, at: datetime, call: ServiceCall, kind: CallEventKind, words: str
) -> None:
    """Both sides are told of what closes or reopens the call; the desk of what others recorded."""
    how = _TELLS_DEALER.get(kind)
    is_desk = actor.company_id == call.handler_id
    if how is None and is_desk:
        return
    said = mail_words(tx, call, call_ref(tx, call))
    text = mails.closed(said, by=actor.name, how=how or "noted", words=words)
    if how is not None:
        tell_dealer(tx, at, call.dealer_id, text)
    if not is_desk:
        tell_desk(tx, at, [call.handler_id], text)
