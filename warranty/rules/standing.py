"""What the events of an installed source say together, as they were known at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from warranty.states import SourceEventKind, Standing

_Kind = SourceEventKind
_REACHED = (
    (_Kind.COMMISSIONED, Standing.COMMISSIONED),
    (_Kind.DELIVERED, Standing.DELIVERED),
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event as the rules read it; see warranty.models.sources.SourceEvent."""

    number: int
    kind: SourceEventKind
    happened_on: date
    recorded_at: datetime
    quantity: int = 0
    site_id: UUID | None = None
    room: str = ""
    serial: str = ""
    other_id: UUID | None = None
    voids: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """A source as its standing events describe it. Days are the site's."""

    standing: Standing
    quantity: int
    serial: str
    site_id: UUID | None
    """Where it is last; None where no event says so."""
    room: str
    shipped_on: date | None
    delivered_on: date | None
    commissioned_on: date | None
    gone_on: date | None
    """The day it was replaced or retired; None while it is there."""
    replaced_by: UUID | None
    replaces: UUID | None
    replaces_on: date | None
    """The day it took the other's place."""
    voided_on: date | None
    void_reason: str


def known_at(events: Iterable[Event], as_of: datetime) -> tuple[Event, ...]:
    """Return the events that were recorded by then."""
    return tuple(event for event in events if event.recorded_at <= as_of)


def standing_events(events: Sequence[Event]) -> tuple[Event, ...]:
    """Return the events that no correction takes out, in the order they were recorded in.

    The events are given in order of number. A correction that was itself corrected takes nothing out.
    """
    wrong: set[int] = set()
    for event in reversed(events):
        if event.voids is not None and event.number not in wrong:
            wrong.add(event.voids)
    return tuple(event for event in events if event.number not in wrong and event.kind is not _Kind.CORRECTED)


def stand(events: Sequence[Event]) -> SourceStanding:
    """Return where a source stands after its events, given in order of number.

    Of one kind the event recorded last counts; of moves the one of the latest day, recorded last. Corrections
    are of days, places and names, never of how many units there are.
    """
    last: dict[SourceEventKind, Event] = {}
    quantity = sum(-event.quantity if event.kind is _Kind.SPLIT else event.quantity for event in events)
    move: Event | None = None
    for event in standing_events(events):
        last[event.kind] = event
        if event.kind is _Kind.MOVED and (move is None or event.happened_on >= move.happened_on):
            move = event
    gone = last.get(_Kind.REPLACED) or last.get(_Kind.RETIRED)
    voided = last.get(_Kind.VOIDED)
    replaces = last.get(_Kind.REPLACES)
    replaced = last.get(_Kind.REPLACED)
    identified = last.get(_Kind.IDENTIFIED)
    return SourceStanding(
        standing=_reached(last),
        quantity=quantity,
        serial="" if identified is None else identified.serial,
        site_id=None if move is None else move.site_id,
        room="" if move is None else move.room,
        shipped_on=_day_of(last.get(_Kind.SHIPPED)),
        delivered_on=_day_of(last.get(_Kind.DELIVERED)),
        commissioned_on=_day_of(last.get(_Kind.COMMISSIONED)),
        gone_on=_day_of(gone),
        replaced_by=None if replaced is None else replaced.other_id,
        replaces=None if replaces is None else replaces.other_id,
        replaces_on=_day_of(replaces),
        voided_on=_day_of(voided),
        void_reason="" if voided is None else voided.reason,
    )


def moves_of(events: Sequence[Event]) -> list[Event]:
    """Return the moves that stand, by day, those of one day as they were recorded."""
    moves = [event for event in standing_events(events) if event.kind is _Kind.MOVED]
    return sorted(moves, key=lambda event: (event.happened_on, event.number))


def site_on(events: Sequence[Event], day: date) -> tuple[UUID | None, str]:
    """Return site and room on a day: where the last move by then put it; before the first move, where that did."""
    moves = moves_of(events)
    if not moves:
        return None, ""
    there = [event for event in moves if event.happened_on <= day]
    move = there[-1] if there else moves[0]
    return move.site_id, move.room


def _reached(last: dict[SourceEventKind, Event]) -> Standing:
    if _Kind.VOIDED in last:
        return Standing.VOIDED
    if _Kind.REPLACED in last:
        return Standing.REPLACED
    if _Kind.RETIRED in last:
        return Standing.RETIRED
    return next((standing for kind, standing in _REACHED if kind in last), Standing.SHIPPED)


def _day_of(event: Event | None) -> date | None:
    return None if event is None else event.happened_on
