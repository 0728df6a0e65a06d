"""What the rules need of service calls: their events, the notices told, and their versions of policy and calendar."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.rules.digests import digest_of
from support.models.calls import CallEvent, CallNotice, ServiceCall
from support.models.catalogue import CatalogueEntry
from support.rules.calendar import Calendar, Window
from support.rules.call_projection import CallFacts, Told, projected
from support.rules.course import Happening
from support.rules.policy import Policy
from support.rules.service_hours import calendar_of

CHUNK = 500
"""Ids that one statement names."""
NOTHING_PROMISED = Policy("none", "Nothing is promised by an instant")
"""The policy of a call that was opened without one."""
EVENT_COLUMNS = (
    "dealer_id",
    "call_id",
    "number",
    "kind",
    "happened_at",
    "priority",
    "voids",
    "reason",
    "words",
    "recorded_by",
    "recorded_at",
)
"""Every column of an event but its digest, in the order they are digested."""
_DAY_MINUTES = 1440


def call_event_digest(columns: Mapping[str, Any]) -> str:
    """Return the digest over an event's columns, given by name."""
    return digest_of("call_event", *(columns[name] for name in EVENT_COLUMNS))


def call_event_columns(event: CallEvent) -> dict[str, Any]:
    """Return a stored event's columns by name, without its digest."""
    return {name: getattr(event, name) for name in EVENT_COLUMNS}


def happening_of(event: CallEvent) -> Happening:
    """Return an event as the rules read it."""
    return Happening(
        number=event.number,
        kind=event.kind,
        happened_at=event.happened_at,
        recorded_at=event.recorded_at,
        priority=event.priority,
        voids=event.voids,
        reason=event.reason,
    )


def call_facts(tx: Session, call: ServiceCall) -> CallFacts:
    """Return what the rules need of a call."""
    return facts_of_calls(tx, [call])[call.dealer_id, call.id]


def facts_of_calls(tx: Session, calls: Sequence[ServiceCall]) -> dict[tuple[UUID, UUID], CallFacts]:
    """Return what the rules need of calls, by dealer and id; the statements grow by CHUNK calls of a dealer."""
    entries = entries_by_id(
        tx, {each for call in calls for each in (call.policy_id, call.calendar_id) if each}
    )
    events = events_of_calls(tx, calls)
    return {
        (call.dealer_id, call.id): CallFacts(
            policy_of_entry(entries.get(call.policy_id) if call.policy_id else None),
            calendar_of_entry(entries.get(call.calendar_id) if call.calendar_id else None, call.time_zone),
            tuple(happening_of(event) for event in events[call.dealer_id, call.id]),
        )
        for call in calls
    }


def values_of_call(facts: CallFacts, told: Collection[Told], as_of: datetime) -> dict[str, Any]:
    """Return the columns of a call that are read off its events and notices, as of an instant."""
    return projected(facts, told, as_of)


def events_of_calls(tx: Session, calls: Sequence[ServiceCall]) -> dict[tuple[UUID, UUID], list[CallEvent]]:
    """Return the events of calls, by dealer and id, in the order they were recorded."""
    found: dict[tuple[UUID, UUID], list[CallEvent]] = defaultdict(list)
    for dealer_id, ids in _by_dealer(calls):
        for event in tx.scalars(
            sa.select(CallEvent)
            .where(CallEvent.dealer_id == dealer_id, CallEvent.call_id.in_(ids))
            .order_by(CallEvent.call_id, CallEvent.number)
        ):
            found[event.dealer_id, event.call_id].append(event)
    return found


def told_of_calls(tx: Session, calls: Sequence[ServiceCall]) -> dict[tuple[UUID, UUID], dict[Told, datetime]]:
    """Return what was told of calls, by dealer and id: each notice with the instant it was told."""
    found: dict[tuple[UUID, UUID], dict[Told, datetime]] = defaultdict(dict)
    for dealer_id, ids in _by_dealer(calls):
        for call_id, kind, key, due_at, told_at in tx.execute(
            sa.select(
                CallNotice.call_id,
                CallNotice.kind,
                CallNotice.obligation_key,
                CallNotice.due_at,
                CallNotice.told_at,
            ).where(CallNotice.dealer_id == dealer_id, CallNotice.call_id.in_(ids))
        ):
            found[dealer_id, call_id][kind, key, due_at] = told_at
    return found


def entries_by_id(tx: Session, ids: Collection[UUID]) -> dict[UUID, CatalogueEntry]:
    """Return entries of the catalogue."""
    if not ids:
        return {}
    rows = tx.scalars(sa.select(CatalogueEntry).where(CatalogueEntry.id.in_(ids)))
    return {row.id: row for row in rows}


def policy_of_entry(entry: CatalogueEntry | None) -> Policy:
    """Return the policy of a version; of none the one that promises nothing."""
    return NOTHING_PROMISED if entry is None else _policy(entry.content)


def calendar_of_entry(entry: CatalogueEntry | None, time_zone: str) -> Calendar:
    """Return the calendar of a version for a site in this zone; of none one that is always open."""
    return _always_open(time_zone) if entry is None else _calendar(entry.content, time_zone)


@lru_cache(maxsize=256)
def _policy(content: str) -> Policy:
    return Policy.from_data(json.loads(content))


@lru_cache(maxsize=256)
def _calendar(content: str, time_zone: str) -> Calendar:
    return calendar_of(json.loads(content), time_zone)


@lru_cache(maxsize=256)
def _always_open(time_zone: str) -> Calendar:
    return Calendar(time_zone, tuple(Window(weekday, 0, _DAY_MINUTES) for weekday in range(7)))


def _by_dealer(calls: Sequence[ServiceCall]) -> list[tuple[UUID, list[UUID]]]:
    ids: dict[UUID, list[UUID]] = defaultdict(list)
    for call in calls:
        ids[call.dealer_id].append(call.id)
    return [
        (dealer_id, some[start : start + CHUNK])
        for dealer_id, some in ids.items()
        for start in range(0, len(some), CHUNK)
    ]
