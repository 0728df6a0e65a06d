"""Writing events of installed sources, and what is read off them, together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import copy_rows
from referral.ids import new_id
from referral.operations.records import next_numbers
from warranty.models.sources import InstalledSource, SourceEvent
from warranty.queries.digests import event_digest
from warranty.queries.facts import CHUNK, facts_of
from warranty.queries.readings import values_of
from warranty.states import SourceEventKind, Standing


@dataclass(frozen=True)
class Said:
    """An event to be recorded of one source, by somebody at an instant; see SourceEvent."""

    kind: SourceEventKind
    happened_on: date
    by: UUID | None
    at: datetime
    quantity: int = 0
    site_id: UUID | None = None
    room: str = ""
    serial: str = ""
    other_id: UUID | None = None
    voids: int | None = None
    reason: str = ""
    is_inherited: bool = False


@dataclass(frozen=True)
class NewSource:
    """A source to be made, with its first events. `origin` holds the columns of ORIGIN."""

    origin: Mapping[str, Any]
    events: Sequence[Said]


ORIGIN = (
    "account_id",
    "referral_id",
    "order_id",
    "line_id",
    "shipment_number",
    "replacement_number",
    "split_from_id",
    "model_number",
    "description",
    "family",
    "category",
    "ordered_on",
)
"""The columns of a source that say where it came from; they never change."""


def origin_of(source: InstalledSource) -> dict[str, Any]:
    """Return where a source came from."""
    return {name: getattr(source, name) for name in ORIGIN}


def make_sources(tx: Session, *, dealer_id: UUID, at: datetime, sources: Sequence[NewSource]) -> list[UUID]:
    """The sources are there, numbered on, each with its first events; returns their ids in order.

    The first of a source's events gives its quantity, and one of them says where it is.
    """
    if not sources:
        return []
    first = next_numbers(tx, dealer_id, "U", len(sources))
    ids = [new_id() for _ in sources]
    rows = [
        {
            "dealer_id": dealer_id,
            "id": source_id,
            "number": first + place,
            **source.origin,
            "made_at": at,
            **_blank(source.events),
        }
        for place, (source_id, source) in enumerate(zip(ids, sources, strict=True))
    ]
    copy_rows(tx, InstalledSource, rows)
    said = {source_id: source.events for source_id, source in zip(ids, sources, strict=True)}
    record_events(tx, dealer_id=dealer_id, said=said, counts=dict.fromkeys(ids, 0))
    return ids


def record_events(
    tx: Session, *, dealer_id: UUID, said: Mapping[UUID, Sequence[Said]], counts: Mapping[UUID, int]
) -> None:
    """The events are recorded after those there are, and everything read off them is as they say.

    `counts` is the number of the last event of each source, read under its lock.
    """
    rows = [
        _row(dealer_id, source_id, number, event)
        for source_id, events in said.items()
        for number, event in enumerate(events, counts[source_id] + 1)
    ]
    if rows:
        copy_rows(tx, SourceEvent, rows)
        refresh(tx, dealer_id=dealer_id, source_ids=said.keys())


def inherited(events: Sequence[SourceEvent], quantity: int) -> list[Said]:
    """Return the events of a group as those of `quantity` units split off it: whoever recorded them, then as well.

    Splits stay with the group. Corrections name the events by their new numbers.
    """
    kept = [event for event in events if event.kind is not SourceEventKind.SPLIT]
    renumbered = {event.number: number for number, event in enumerate(kept, 1)}
    said = [
        Said(
            kind=event.kind,
            happened_on=event.happened_on,
            by=event.recorded_by,
            at=event.recorded_at,
            site_id=event.site_id,
            room=event.room,
            serial=event.serial,
            other_id=event.other_id,
            voids=None if event.voids is None else renumbered[event.voids],
            reason=event.reason,
            is_inherited=True,
        )
        for event in kept
    ]
    return [replace(said[0], quantity=quantity), *said[1:]]


def refresh(tx: Session, *, dealer_id: UUID, source_ids: Iterable[UUID]) -> int:
    """What is read off the events and terms of these sources is as they say; returns how many changed.

    Sources that replaced one of them are read again too, for they inherit from it.
    """
    tx.flush()
    todo, seen, changed = set(source_ids), set[UUID](), 0
    while todo:
        seen |= todo
        changed += _refresh(tx, dealer_id, todo)
        todo = _replacements_of(tx, dealer_id, todo) - seen
    return changed


def _refresh(tx: Session, dealer_id: UUID, source_ids: Collection[UUID]) -> int:
    rows = _rows_of(tx, dealer_id, source_ids)
    facts = facts_of(tx, dealer_id, source_ids)
    counts = _event_counts(tx, dealer_id, source_ids)
    changes = []
    for source_id, said in facts.items():
        values = values_of(said, counts[source_id])
        if any(getattr(rows[source_id], name) != value for name, value in values.items()):
            changes.append({"dealer_id": dealer_id, "id": source_id, **values})
    if changes:
        tx.execute(sa.update(InstalledSource), changes)
    return len(changes)


def _chunks(source_ids: Collection[UUID]) -> list[list[UUID]]:
    ids = sorted(source_ids, key=lambda source_id: source_id.hex)
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def _rows_of(tx: Session, dealer_id: UUID, source_ids: Collection[UUID]) -> dict[UUID, InstalledSource]:
    """Return the sources, locked: what is read off them next holds until it is written."""
    return {
        row.id: row
        for ids in _chunks(source_ids)
        for row in tx.scalars(
            sa.select(InstalledSource)
            .where(InstalledSource.dealer_id == dealer_id, InstalledSource.id.in_(ids))
            .order_by(InstalledSource.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }


def _event_counts(tx: Session, dealer_id: UUID, source_ids: Collection[UUID]) -> dict[UUID, int]:
    return {
        source_id: number
        for ids in _chunks(source_ids)
        for source_id, number in tx.execute(
            sa.select(SourceEvent.source_id, sa.func.max(SourceEvent.number))
            .where(SourceEvent.dealer_id == dealer_id, SourceEvent.source_id.in_(ids))
            .group_by(SourceEvent.source_id)
        )
    }


def _replacements_of(tx: Session, dealer_id: UUID, source_ids: Collection[UUID]) -> set[UUID]:
    return {
        source_id
        for ids in _chunks(source_ids)
        for source_id in tx.scalars(
            sa.select(InstalledSource.id).where(
                InstalledSource.dealer_id == dealer_id, InstalledSource.replaces_id.in_(ids)
            )
        )
    }


def _row(dealer_id: UUID, source_id: UUID, number: int, said: Said) -> dict[str, Any]:
    """Return an event's columns by name, with its digest. A mapping: imports record many thousands at once."""
    columns = {
        "dealer_id": dealer_id,
        "source_id": source_id,
        "number": number,
        "kind": said.kind,
        "happened_on": said.happened_on,
        "quantity": said.quantity,
        "site_id": said.site_id,
        "room": said.room,
        "serial": said.serial,
        "other_id": said.other_id,
        "voids": said.voids,
        "reason": said.reason,
        "is_inherited": said.is_inherited,
        "recorded_by": said.by,
        "recorded_at": said.at,
    }
    return columns | {"digest": event_digest(columns)}


def _blank(events: Sequence[Said]) -> dict[str, Any]:
    """Return what stands in a new source until its events are read: where it is, and of how many units."""
    site_id = next(event.site_id for event in events if event.site_id is not None)
    return {
        "event_count": 0,
        "quantity": events[0].quantity,
        "standing": Standing.SHIPPED,
        "serial": "",
        "site_id": site_id,
        "room": "",
        "shipped_on": None,
        "delivered_on": None,
        "commissioned_on": None,
        "gone_on": None,
        "replaces_id": None,
        "starts_on": None,
        "ends_on": None,
        "lacking": None,
    }
