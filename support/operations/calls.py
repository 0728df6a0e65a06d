"""Opening a service call: what it is entitled to is worked out once, and kept with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.operations.placed_orders import guard_key
from quotes.rules.content import request_digest
from referral.errors import Refusal
from referral.ids import PublicNumber, new_id
from referral.operations.records import guard_permission, guard_reason, next_number, record_event
from referral.permissions import Permission, Viewer
from support.models.calls import ServiceCall
from support.operations.call_records import KIND, SaidEvent, mail_words, tell_both, write_call_event
from support.queries.call_verification import opened_call_details
from support.queries.call_ways import CallPlace, call_place, way_under, ways_at
from support.rules import call_mails as mails
from support.rules.call_projection import END_OF_TIME
from support.rules.call_ways import Way, entitlement_json
from support.rules.call_words import say_at
from support.states import CallEventKind, CallState, Platform, Priority
from warranty.operations.sources import guard_in_place

LONGEST_AGO = timedelta(days=30)
"""How long ago a call may have come that is recorded now."""


def open_call(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    source_ref: str,
    site_ref: str,
    platform: Platform | None,
    under: str,
    problem: str,
    priority: Priority | None,
    happened_at: datetime | None,
    idempotency_key: str,
    visit_id: UUID | None = None,
) -> ServiceCall:
    """Help is asked for: of a unit (`source_ref`), or at a site (`site_ref`, as R-HARBOR-3/1) and a kind of system.

    `under` picks what it is opened under: an agreement's number, with a grant after a slash; `warranty`;
    `billable`; '' takes the best. `happened_at` is when it came, now where it is None. What it is entitled to
    and the versions of its policy and calendar are kept as they are at that instant; later ones change nothing.
    `visit_id` is the visit that is converted into it. The same key and content answers with the same call.
    Raises Refusal(forbidden), (not_found), (reason_required), (idempotency_key_missing),
    (idempotency_key_reused), (not_in_place), (agreement_not_active), (not_granted), (invalid_input).
    """
    guard_permission(actor, Permission.CALL_OPEN)
    words = guard_reason(problem, "problem")
    key = guard_key(idempotency_key)
    place = call_place(tx, actor, source_ref=source_ref, site_ref=site_ref, platform=platform)
    said = request_digest(
        {
            "source": source_ref,
            "site": site_ref,
            "platform": None if platform is None else platform.value,
            "under": under,
            "problem": words,
            "priority": None if priority is None else priority.value,
            "happened_at": None if happened_at is None else happened_at.astimezone(UTC).isoformat(),
            "visit": None if visit_id is None else str(visit_id),
        }
    )
    before = tx.scalars(
        sa.select(ServiceCall).where(
            ServiceCall.dealer_id == place.dealer_id, ServiceCall.idempotency_key == key
        )
    ).one_or_none()
    if before is not None:
        if before.request_digest != said:
            raise Refusal("idempotency_key_reused")
        return before
    opened_at = at if happened_at is None else happened_at
    _guard_opened(place, opened_at, at)
    ways = ways_at(tx, place, opened_at=opened_at, as_of=at)
    way = way_under(tx, place, ways, under, opened_at=opened_at)
    _guard_priority(way, priority)
    call = ServiceCall(
        dealer_id=place.dealer_id,
        id=new_id(),
        number=next_number(tx, place.dealer_id, KIND),
        idempotency_key=key,
        request_digest=said,
        account_id=place.account_id,
        handler_id=way.handler_id,
        site_id=place.site.id,
        source_id=None if place.source is None else place.source.id,
        platform=place.platform,
        agreement_id=way.agreement_id,
        grant_key=way.grant_key,
        visit_id=visit_id,
        policy_id=way.policy_id,
        calendar_id=way.calendar_id,
        time_zone=way.time_zone or place.site.time_zone,
        problem=words,
        entitlement=entitlement_json(way, as_of=at),
        opened_by=actor.user_id,
        opened_at=opened_at,
        event_count=0,
        state=CallState.OPEN,
        priority=priority,
        waits_until=END_OF_TIME,
        due_name="",
        notice_at=None,
        attention_at=None,
        is_paging=False,
        missed_count=0,
    )
    tx.add(call)
    tx.flush()
    _record_opened(tx, actor, at, call, place, way)
    return call


def _guard_opened(place: CallPlace, opened_at: datetime, at: datetime) -> None:
    """Guard: it came at an instant that is over and not long ago, at a unit in place. Raises Refusal(invalid_input)."""
    if place.source is not None:
        guard_in_place(place.source)
    guard_happened(opened_at, at, at - LONGEST_AGO, f"{LONGEST_AGO.days} days ago", place.site.time_zone)


def guard_happened(happened_at: datetime, at: datetime, since: datetime, what: str, zone: str) -> None:
    """Guard: an instant lies from `since`, which is `what` in words, until now. Raises Refusal(invalid_input)."""
    if happened_at > at:
        words = f"This is still to come: at the site it is {say_at(at, zone)}."
        raise Refusal("invalid_input", words, "happened_on")
    if happened_at < since:
        words = f"This is before {what}: {say_at(since, zone)}."
        raise Refusal("invalid_input", words, "happened_on")


def _guard_priority(way: Way, priority: Priority | None) -> None:
    """Guard: a priority is said just where the policy tells them apart. Raises Refusal(invalid_input)."""
    if way.has_priorities and priority is None:
        raise Refusal("invalid_input", "Say how badly it hinders the work.", "priority")
    if priority is not None and not way.has_priorities:
        raise Refusal("invalid_input", "Calls opened under this have no priority: leave it out.", "priority")


def _record_opened(
    tx: Session, actor: Viewer, at: datetime, call: ServiceCall, place: CallPlace, way: Way
) -> None:
    ref = str(PublicNumber(KIND, place.dealer_code, call.number))
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=call.dealer_id,
        event="call.opened",
        subject=ref,
        details=opened_call_details(call),
    )
    event = SaidEvent(
        CallEventKind.OPENED, call.opened_at, actor.user_id, at, priority=call.priority, words=call.problem
    )
    write_call_event(tx, actor=actor, at=at, call=call, said=event, subject=ref)
    zone = place.site.time_zone
    due = f"Due next, {say_at(call.waits_until, zone)}: {call.due_name}." if call.due_name else ""
    said = mail_words(tx, call, ref)
    tell_both(
        tx,
        at,
        call,
        to_dealer=mails.opened(said, by=actor.name, handler=way.handler, works=False, due=due),
        to_desk=mails.opened(said, by=actor.name, handler=way.handler, works=True, due=due),
    )
