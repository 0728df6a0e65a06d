"""Correcting what was recorded of an installed source: the wrong event stays, and counts no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.operations.records import guard_reason, record_event
from referral.permissions import Viewer
from warranty.models.sources import InstalledSource, SerialNumber, SourceEvent
from warranty.operations.guards import guard_count, local_day, site_of
from warranty.operations.recording import Said, record_events
from warranty.operations.sources import source_to_record
from warranty.queries.facts import events_of
from warranty.rules.standing import Event, standing_events
from warranty.states import SourceEventKind

_Kind = SourceEventKind
SWAP = {_Kind.REPLACED: _Kind.REPLACES, _Kind.REPLACES: _Kind.REPLACED}
CORRECTABLE = frozenset(
    {_Kind.DELIVERED, _Kind.COMMISSIONED, _Kind.MOVED, _Kind.IDENTIFIED, _Kind.RETIRED, *SWAP}
)
"""What people record. That it shipped, was split off or went back comes from its order and stays."""


def correct_event(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, event_count: int | None, number: int, reason: str
) -> InstalledSource:
    """The event of that number was wrong and counts no more; a serial number it named is free again.

    Of a swap both events are corrected together. Correcting an event again changes nothing. Raises
    Refusal(forbidden), (not_found), (stale_source), (reason_required), (event_fixed).
    """
    source, other = _locked_sources(tx, actor, ref, number)
    ids = [source.id] if other is None else [source.id, other.id]
    events = events_of(tx, source.dealer_id, ids)
    wrong = next((event for event in events[source.id] if event.number == number), None)
    if wrong is None:
        raise Refusal("not_found")
    why = guard_reason(reason)
    if any(event.voids == number for event in events[source.id]):
        return source
    guard_count(source, event_count)
    if not is_correctable(events[source.id], wrong):
        raise Refusal("event_fixed")
    said = {source.id: [_correction(tx, actor, at, source, wrong, why)]}
    counts = {source.id: source.event_count}
    if other is not None:
        pair = next(
            (
                event
                for event in standing_events(events[other.id])
                if event.kind is SWAP[wrong.kind] and event.other_id == source.id
            ),
            None,
        )
        if pair is None:
            raise Refusal("event_fixed")
        said[other.id] = [_correction(tx, actor, at, other, pair, why)]
        counts[other.id] = other.event_count
    record_events(tx, dealer_id=source.dealer_id, said=said, counts=counts)
    tx.refresh(source)
    if wrong.kind is _Kind.IDENTIFIED and source.serial != wrong.serial:
        _free_serial(tx, source, wrong.serial)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=source.dealer_id,
        event="source.corrected",
        subject=ref,
        details={"event": number, "kind": wrong.kind.value, "reason": why},
    )
    return source


def is_correctable(events: Sequence[Event], event: Event) -> bool:
    """Say whether people may correct this event. Where a source came to first stays: it is from its order."""
    if event.kind not in CORRECTABLE:
        return False
    first = next((known.number for known in events if known.kind is _Kind.MOVED), None)
    return event.number != first


def _locked_sources(
    tx: Session, actor: Viewer, ref: str, number: int
) -> tuple[InstalledSource, InstalledSource | None]:
    """Lock the source, of a swap also the other one, in order of id. Raises as source_to_record."""
    source = source_to_record(tx, actor, ref)
    other_id = tx.scalars(
        sa.select(SourceEvent.other_id).where(
            SourceEvent.dealer_id == source.dealer_id,
            SourceEvent.source_id == source.id,
            SourceEvent.number == number,
            SourceEvent.kind.in_(list(SWAP)),
        )
    ).one_or_none()
    if other_id is None:
        return source, None
    other = locked(
        tx,
        sa.select(InstalledSource).where(
            InstalledSource.dealer_id == source.dealer_id, InstalledSource.id == other_id
        ),
    )
    return source, other


def _correction(
    tx: Session, actor: Viewer, at: datetime, source: InstalledSource, wrong: Event, why: str
) -> Said:
    day = local_day(site_of(tx, source), at)
    return Said(_Kind.CORRECTED, day, actor.user_id, at, voids=wrong.number, reason=why)


def _free_serial(tx: Session, source: InstalledSource, serial: str) -> None:
    row = tx.get(SerialNumber, serial)
    if row is not None and (row.dealer_id, row.source_id) == (source.dealer_id, source.id):
        tx.delete(row)
        tx.flush()
