"""Recomputing service calls: what is read off them, what they were opened with, and each event they consist of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.ids import PublicNumber
from referral.models import AuditEvent, Company
from support.models.calls import CallEvent, ServiceCall
from support.models.catalogue import CatalogueEntry
from support.queries.call_facts import (
    CHUNK,
    call_event_columns,
    call_event_digest,
    entries_by_id,
    events_of_calls,
    facts_of_calls,
    told_of_calls,
    values_of_call,
)
from support.rules.call_moves import misfit_of
from support.rules.call_projection import CallFacts, Told
from support.rules.call_ways import read_entitlement
from support.states import CallEventKind, EntryKind


def opened_call_details(call: ServiceCall) -> dict[str, object]:
    """Return what the audit trail tells of a call that is opened: all that it was opened with."""
    return {
        "digest": call.request_digest,
        "site": str(call.site_id),
        "source": _text(call.source_id),
        "account": str(call.account_id),
        "handler": str(call.handler_id),
        "platform": None if call.platform is None else call.platform.value,
        "agreement": _text(call.agreement_id),
        "grant": call.grant_key,
        "visit": _text(call.visit_id),
        "policy": _text(call.policy_id),
        "calendar": _text(call.calendar_id),
        "time_zone": call.time_zone,
        "problem": call.problem,
        "entitlement": call.entitlement,
        "opened_at": call.opened_at.astimezone(UTC).isoformat(),
    }


def call_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each call that is not what was recorded of it, or does not recompute.

    Checked: each event has its digest, stands in the audit trail with it and has its place in the order, and
    none is missing; what the call was opened with is what the trail tells; its entitlement can be read and
    names its versions; policy and calendar were there when it was opened; every column that is read off events
    and notices is what they say.
    """
    for dealer in tx.scalars(sa.select(Company).where(Company.is_dealer).order_by(Company.id)).all():
        told = _trail(tx, dealer.id)
        there: set[str] = set()
        after = 0
        while True:
            calls = tx.scalars(
                sa.select(ServiceCall)
                .where(ServiceCall.dealer_id == dealer.id, ServiceCall.number > after)
                .order_by(ServiceCall.number)
                .limit(CHUNK)
            ).all()
            if not calls:
                break
            after = calls[-1].number
            there |= {str(PublicNumber("S", dealer.code, call.number)) for call in calls}
            yield from _faults_of_calls(tx, dealer, calls, told)
        for ref in sorted(ref for ref, events in told.items() if 0 in events and ref not in there):
            yield f"call {ref}: is in the audit trail, but not there"


def _faults_of_calls(
    tx: Session, dealer: Company, calls: Sequence[ServiceCall], told: Mapping[str, Mapping[int, AuditEvent]]
) -> Iterator[str]:
    events = events_of_calls(tx, calls)
    notices = told_of_calls(tx, calls)
    entries = entries_by_id(
        tx, {each for call in calls for each in (call.policy_id, call.calendar_id) if each}
    )
    whole = [call for call in calls if _is_whole(events[call.dealer_id, call.id])]
    facts = facts_of_calls(tx, whole)
    for call in calls:
        ref = str(PublicNumber("S", dealer.code, call.number))
        key = (call.dealer_id, call.id)
        found = [
            *_opened_faults(call, entries, told.get(ref, {})),
            *_event_faults(events[key], told.get(ref, {})),
        ]
        if key in facts:
            found += _projection_faults(call, facts[key], events[key], notices[key])
        yield from (f"call {ref}: {fault}" for fault in found)


def _trail(tx: Session, dealer_id: UUID) -> dict[str, dict[int, AuditEvent]]:
    """Return what the audit trail tells of calls, by their number: the opening as 0, then each event by its number."""
    rows = tx.scalars(
        sa.select(AuditEvent)
        .where(AuditEvent.company_id == dealer_id, AuditEvent.event.in_(("call.opened", "call.recorded")))
        .order_by(AuditEvent.id)
    )
    told: dict[str, dict[int, AuditEvent]] = {}
    for row in rows:
        number = 0 if row.event == "call.opened" else int(str(row.details["event"]))
        told.setdefault(row.subject, {})[number] = row
    return told


def _is_whole(events: Sequence[CallEvent]) -> bool:
    """Say whether there is something to recompute from: an opening, and what follows it."""
    return bool(events) and events[0].kind is CallEventKind.OPENED


def _opened_faults(
    call: ServiceCall, entries: Mapping[UUID, CatalogueEntry], told: Mapping[int, AuditEvent]
) -> Iterator[str]:
    opened = told.get(0)
    if opened is None or (opened.actor_id, opened.details) != (call.opened_by, opened_call_details(call)):
        yield "was opened otherwise than the audit trail tells"
    said = {}
    for name, kind, entry_id in (
        ("policy", EntryKind.POLICY, call.policy_id),
        ("calendar", EntryKind.CALENDAR, call.calendar_id),
    ):
        entry = None if entry_id is None else entries[entry_id]
        said[name] = "" if entry is None else f"{entry.key} {entry.version}"
        if entry is not None and (entry.kind is not kind or entry.loaded_at > call.opened_at):
            yield f"its {name} is none that was there when it was opened"
    try:
        kept = read_entitlement(call.entitlement)
    except ValueError as error:
        yield f"its entitlement cannot be read: {error}"
        return
    if (kept.policy, kept.calendar, kept.grant) != (said["policy"], said["calendar"], call.grant_key):
        yield "its entitlement is not about this call"


def _event_faults(events: Sequence[CallEvent], told: Mapping[int, AuditEvent]) -> Iterator[str]:
    if not _is_whole(events):
        yield "does not begin with its opening"
    if [event.number for event in events] != list(range(1, len(events) + 1)):
        yield "an event is missing"
    for event in events:
        digest = call_event_digest(call_event_columns(event))
        if event.digest != digest:
            yield f"event {event.number} does not recompute to its digest"
        heard = told.get(event.number)
        if heard is None or (heard.details["digest"], heard.actor_id) != (event.digest, event.recorded_by):
            yield f"event {event.number} is not what the audit trail tells"
        if event.happened_at > event.recorded_at:
            yield f"event {event.number} was recorded before it happened"
    for number in sorted(set(told) - {event.number for event in events} - {0}):
        yield f"event {number} is in the audit trail, but not there"


def _projection_faults(
    call: ServiceCall, facts: CallFacts, events: Sequence[CallEvent], told: Mapping[Told, datetime]
) -> Iterator[str]:
    misfit = misfit_of(facts.happenings)
    if misfit is not None:
        yield f"event {misfit.number} does not fit those before it"
    as_of = max([*(event.recorded_at for event in events), *told.values()])
    for name, value in values_of_call(facts, list(told), as_of).items():
        if getattr(call, name) != value:
            yield f"{name} is {_said(getattr(call, name))}, but its events say {_said(value)}"


def _said(value: object) -> str:
    return "nothing" if value is None or value == "" else str(value)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
