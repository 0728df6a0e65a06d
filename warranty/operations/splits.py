"""Taking units out of a counted group, to be recorded apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.operations.records import record_event
from referral.permissions import Viewer
from warranty.models.sources import InstalledSource, SourceEvent
from warranty.operations.guards import guard_count, guard_no_claim, local_day, site_of
from warranty.operations.recording import NewSource, Said, inherited, make_sources, origin_of, record_events
from warranty.operations.sources import guard_in_place, source_to_record
from warranty.queries.facts import CHUNK
from warranty.states import SourceEventKind


@dataclass(frozen=True)
class Apart:
    """Units to be taken out of a locked group on a day, each part with what is recorded of it besides."""

    source: InstalledSource
    quantities: Sequence[int]
    day: date
    more: Sequence[Sequence[Said]] = ()
    """Events of each part, after those of the group; nothing for all parts where empty."""
    rest: Sequence[Said] = field(default=())
    """Events of the group itself, after the units left it."""


def split_units(
    tx: Session,
    *,
    source: InstalledSource,
    quantities: list[int],
    day: date,
    by: UUID | None,
    at: datetime,
) -> list[InstalledSource]:
    """Sources of these quantities are recorded apart from the locked group, which keeps the rest, at least one unit.

    What was recorded of the group before holds for each. Raises Refusal(invalid_input) where nothing is left.
    """
    ids = split_groups(tx, groups=[Apart(source, quantities, day)], by=by, at=at)
    tx.refresh(source)
    found = {
        row.id: row
        for start in range(0, len(ids), CHUNK)
        for row in tx.scalars(
            sa.select(InstalledSource).where(
                InstalledSource.dealer_id == source.dealer_id,
                InstalledSource.id.in_(ids[start : start + CHUNK]),
            )
        )
    }
    return [found[source_id] for source_id in ids]


def split_groups(tx: Session, *, groups: Sequence[Apart], by: UUID | None, at: datetime) -> list[UUID]:
    """As split_units for many groups of one dealer at once; returns the ids of all parts, in order.

    The number of statements does not depend on how many groups or parts there are, beyond one for each CHUNK.
    Raises Refusal(invalid_input).
    """
    for group in groups:
        taken, quantity = sum(group.quantities), group.source.quantity
        if group.quantities and (min(group.quantities) < 1 or taken >= quantity):
            words = f"Of {quantity} units, fewer can be taken out."
            raise Refusal("invalid_input", words if quantity > 1 else "This is one unit.", "quantity")
    if not groups:
        return []
    dealer_id = groups[0].source.dealer_id
    events = _events_to_inherit(tx, dealer_id, [group.source.id for group in groups if group.quantities])
    parts = [
        (group, quantity, group.more[at_] if group.more else ())
        for group in groups
        for at_, quantity in enumerate(group.quantities)
    ]
    ids = make_sources(
        tx,
        dealer_id=dealer_id,
        at=at,
        sources=[
            NewSource(
                origin_of(group.source) | {"split_from_id": group.source.id},
                [
                    *inherited(events[group.source.id], quantity),
                    Said(SourceEventKind.SPLIT, group.day, by, at, other_id=group.source.id),
                    *more,
                ],
            )
            for group, quantity, more in parts
        ],
    )
    said: dict[UUID, list[Said]] = {group.source.id: [] for group in groups}
    for source_id, (group, quantity, _) in zip(ids, parts, strict=True):
        gone = Said(SourceEventKind.SPLIT, group.day, by, at, quantity=quantity, other_id=source_id)
        said[group.source.id].append(gone)
    for group in groups:
        said[group.source.id].extend(group.rest)
    record_events(
        tx,
        dealer_id=dealer_id,
        said=said,
        counts={group.source.id: group.source.event_count for group in groups},
    )
    return ids


def _events_to_inherit(
    tx: Session, dealer_id: UUID, source_ids: Sequence[UUID]
) -> dict[UUID, list[SourceEvent]]:
    """Return the events of these groups without their splits, of which a group may have very many."""
    found: dict[UUID, list[SourceEvent]] = defaultdict(list)
    for start in range(0, len(source_ids), CHUNK):
        rows = tx.scalars(
            sa.select(SourceEvent)
            .where(
                SourceEvent.dealer_id == dealer_id,
                SourceEvent.source_id.in_(source_ids[start : start + CHUNK]),
                SourceEvent.kind != SourceEventKind.SPLIT,
            )
            .order_by(SourceEvent.source_id, SourceEvent.number)
        )
        for row in rows:
            found[row.source_id].append(row)
    return found


def split_source(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    event_count: int | None,
    quantity: int,
    room: str,
) -> InstalledSource:
    """So many units of the group are an installed source of their own, in another room where one is said.

    `event_count` is that of the group as it was read; None where it was not. Returns the new source. Raises
    Refusal(forbidden), (not_found), (not_in_place), (stale_source), (claim_open), (invalid_input).
    """
    source = source_to_record(tx, actor, ref)
    guard_in_place(source)
    guard_count(source, event_count)
    guard_no_claim(tx, source)
    day = local_day(site_of(tx, source), at)
    more = []
    if room and room != source.room:
        more.append(Said(SourceEventKind.MOVED, day, actor.user_id, at, site_id=source.site_id, room=room))
    (part_id,) = split_groups(tx, groups=[Apart(source, [quantity], day, [more])], by=actor.user_id, at=at)
    tx.refresh(source)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=source.dealer_id,
        event="source.split",
        subject=ref,
        details={"units": quantity, "room": room},
    )
    return tx.get_one(InstalledSource, (source.dealer_id, part_id))
