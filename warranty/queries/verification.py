"""Recomputing installed sources: events, what is read off them, splits, serial numbers, units of each order line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.models import AuditEvent, Company
from referral.text import fold
from warranty.models.sources import InstalledSource, SerialNumber, SourceEvent
from warranty.models.terms import WarrantyTerm
from warranty.queries.digests import event_columns, event_digest
from warranty.queries.facts import facts_of, terms_of
from warranty.queries.readings import values_of
from warranty.queries.terms import dealers_to_read
from warranty.queries.unit_verification import unit_faults
from warranty.rules.coverage import SourceFacts, term_for
from warranty.rules.terms import TERM_SET, told_of_term
from warranty.states import SourceEventKind

BATCH = 500
"""Sources that are recomputed together: what is held of them is let go before the next ones."""
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
_BY_TERMS = frozenset({"starts_on", "ends_on", "lacking"})


def warranty_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each fault of the installed sources, their terms and serial numbers.

    Checked: terms as the audit trail tells them; of each source, its events in sequence and with their digests,
    every column that is read off events and terms, the events it has from its group, the units it gave away,
    its serial number; of each order line, that sources stand for exactly what shipped. Claims have a check of
    their own.
    """
    yield from _term_faults(tx)
    unread = {dealer.dealer_id for dealer in dealers_to_read(tx)}
    for dealer_id, code in tx.execute(
        sa.select(Company.id, Company.code).where(Company.is_dealer).order_by(Company.code)
    ).all():
        last = 0
        while rows := _next_sources(tx, dealer_id, last):
            yield from _batch_faults(tx, code, rows, may_be_unread=dealer_id in unread)
            last = rows[-1].number
            tx.expunge_all()
    yield from _stray_serials(tx)
    yield from unit_faults(tx)


def _next_sources(tx: Session, dealer_id: UUID, last: int) -> Sequence[InstalledSource]:
    return tx.scalars(
        sa.select(InstalledSource)
        .where(InstalledSource.dealer_id == dealer_id, InstalledSource.number > last)
        .order_by(InstalledSource.number)
        .limit(BATCH)
    ).all()


def _batch_faults(
    tx: Session, code: str, rows: Sequence[InstalledSource], *, may_be_unread: bool
) -> Iterator[str]:
    dealer_id, ids = rows[0].dealer_id, [row.id for row in rows]
    events = _events(tx, dealer_id, SourceEvent.source_id.in_(ids))
    facts = facts_of(tx, dealer_id, ids)
    groups = {row.split_from_id for row in rows if row.split_from_id is not None}
    of_group = SourceEvent.source_id.in_(groups) & (
        (SourceEvent.kind != SourceEventKind.SPLIT) | SourceEvent.other_id.in_(ids)
    )
    shared = _events(tx, dealer_id, of_group) if groups else {}
    given = [event for each in events.values() for event in each if _is_given(event)]
    parts = _parts(tx, dealer_id, [event.other_id for event in given if event.other_id is not None])
    serials = _serials(tx, dealer_id, ids)
    for row in rows:
        place = f"installed source U-{code}-{row.number}"
        own = events.get(row.id, [])
        if [event.number for event in own] != list(range(1, row.event_count + 1)):
            yield f"{place}: its events are not numbered on"
        yield from (
            f"{place}: event {event.number} does not recompute to its digest"
            for event in own
            if event.digest != event_digest(event_columns(event))
        )
        if row.id in facts and not _is_as_read(tx, row, facts[row.id], len(own), may_be_unread=may_be_unread):
            yield f"{place}: what is read off its events does not recompute"
        yield from _split_faults(place, row, own, shared, parts)
        if serials.get(row.id, []) != ([row.serial] if row.serial else []):
            yield f"{place}: its serial number is not the one on record"


def _events(tx: Session, dealer_id: UUID, condition: sa.ColumnElement[bool]) -> dict[UUID, list[SourceEvent]]:
    found: dict[UUID, list[SourceEvent]] = defaultdict(list)
    for event in tx.scalars(
        sa.select(SourceEvent)
        .where(SourceEvent.dealer_id == dealer_id, condition)
        .order_by(SourceEvent.source_id, SourceEvent.number)
    ):
        found[event.source_id].append(event)
    return found


# what is read off the events ----------------------------------------------------------------------


def _is_as_read(
    tx: Session, row: InstalledSource, facts: SourceFacts, count: int, *, may_be_unread: bool
) -> bool:
    """Say whether the columns are as the events and terms say; while the worker reads new terms, as of the old."""
    wrong = {name for name, value in values_of(facts, count).items() if getattr(row, name) != value}
    if not wrong or not (may_be_unread and wrong <= _BY_TERMS):
        return not wrong
    keys = _families(facts)
    instants = {term.set_at for terms in terms_of(tx, keys).values() for term in terms}
    return any(
        all(
            getattr(row, name) == value
            for name, value in values_of(_as_of(tx, facts, instant), count).items()
        )
        for instant in sorted({_LONG_AGO, *instants})
    )


def _families(facts: SourceFacts) -> set[str]:
    return {facts.family} | (_families(facts.original) if facts.original else set())


def _as_of(tx: Session, facts: SourceFacts, instant: datetime) -> SourceFacts:
    """Return the same source with the terms that were recorded by an instant."""
    terms = terms_of(tx, {facts.family})[fold(facts.family)]
    original = None if facts.original is None else _as_of(tx, facts.original, instant)
    return replace(facts, term=term_for(terms, facts.ordered_on, instant), original=original)


# splits -------------------------------------------------------------------------------------------


def _is_given(event: SourceEvent) -> bool:
    """Say whether units left with the event: of a split, the group's side of it."""
    return event.kind is SourceEventKind.SPLIT and event.quantity > 0


def _parts(tx: Session, dealer_id: UUID, ids: Collection[UUID]) -> dict[UUID, tuple[UUID | None, int]]:
    """Return of sources the group they were part of, and how many units they began with."""
    named = sorted(ids, key=lambda source_id: source_id.hex)
    return {
        source_id: (group_id, quantity)
        for start in range(0, len(named), BATCH)
        for source_id, group_id, quantity in tx.execute(
            sa.select(InstalledSource.id, InstalledSource.split_from_id, SourceEvent.quantity)
            .join(
                SourceEvent,
                sa.and_(
                    SourceEvent.dealer_id == InstalledSource.dealer_id,
                    SourceEvent.source_id == InstalledSource.id,
                    SourceEvent.number == 1,
                ),
            )
            .where(
                InstalledSource.dealer_id == dealer_id, InstalledSource.id.in_(named[start : start + BATCH])
            )
        )
    }


def _split_faults(
    place: str,
    row: InstalledSource,
    own: Sequence[SourceEvent],
    shared: Mapping[UUID, Sequence[SourceEvent]],
    parts: Mapping[UUID, tuple[UUID | None, int]],
) -> Iterator[str]:
    for event in own:
        if _is_given(event) and (
            event.other_id is None or parts.get(event.other_id) != (row.id, event.quantity)
        ):
            yield f"{place}: the units of its event {event.number} are no source of their own"
    inherited = [event for event in own if event.is_inherited]
    if row.split_from_id is None:
        if inherited:
            yield f"{place}: it has events of a group it was never part of"
        return
    group = shared.get(row.split_from_id, [])
    leaving = [event for event in group if _is_given(event) and event.other_id == row.id]
    if len(leaving) != 1 or not own or leaving[0].quantity != own[0].quantity:
        yield f"{place}: its group does not say that its units left"
        return
    before = [event for event in group if event.number < leaving[0].number and not _is_given(event)]
    before = [event for event in before if event.kind is not SourceEventKind.SPLIT]
    if own[: len(inherited)] != inherited or _contents(before) != _contents(inherited):
        yield f"{place}: the events of its group are not those it was part of"


def _contents(events: Sequence[SourceEvent]) -> list[tuple[object, ...]]:
    """Return what events say, without the units they are about, numbered on."""
    place_of = {event.number: place for place, event in enumerate(events)}
    return [
        (
            event.kind, event.happened_on, event.site_id, event.room, event.serial, event.other_id,
            None if event.voids is None else place_of.get(event.voids), event.reason, event.recorded_by,
            event.recorded_at,
        )
        for event in events
    ]  # fmt: skip


# serial numbers -----------------------------------------------------------------------------------


def _serials(tx: Session, dealer_id: UUID, ids: Collection[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    for serial, source_id in tx.execute(
        sa.select(SerialNumber.serial, SerialNumber.source_id).where(
            SerialNumber.dealer_id == dealer_id, SerialNumber.source_id.in_(ids)
        )
    ):
        found[source_id].append(serial)
    return found


def _stray_serials(tx: Session) -> Iterator[str]:
    there = sa.exists().where(
        InstalledSource.dealer_id == SerialNumber.dealer_id, InstalledSource.id == SerialNumber.source_id
    )
    for serial in tx.scalars(sa.select(SerialNumber.serial).where(~there).order_by(SerialNumber.serial)):
        yield f"serial number {serial}: no installed source bears it"


# terms --------------------------------------------------------------------------------------------


def _term_faults(tx: Session) -> Iterator[str]:
    """Yield what is recorded of terms otherwise than the audit trail tells, and what is on one side only."""
    told = {
        str(event.details["term"]): (event.subject, event.actor_id, event.details)
        for event in tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == TERM_SET))
    }
    kept = {
        str(term.id): (term.family, term.set_by, told_of_term(term))
        for term in tx.scalars(sa.select(WarrantyTerm))
    }
    folded = tx.execute(sa.select(WarrantyTerm.id, WarrantyTerm.family, WarrantyTerm.family_key))
    wrong = {str(term_id) for term_id, family, key in folded if fold(family) != key}
    for term_id in sorted(kept.keys() | told.keys()):
        if kept.get(term_id) != told.get(term_id) or term_id in wrong:
            yield f"warranty terms {term_id}: are not what the audit trail tells"
