"""The course of a call as its events tell it: open, paused and closed spans, priorities, and when what is owed.

What counts where events contradict each other is said in support.rules.timeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import TypeAlias

from support.rules.calendar import as_utc
from support.rules.due import Span, joined
from support.rules.policy import Obligation
from support.states import CallEventKind, CallState, Priority

_OPENED, _PRIORITY = CallEventKind.OPENED, CallEventKind.PRIORITY
_PAUSED, _RESUMED = CallEventKind.PAUSED, CallEventKind.RESUMED
_RESOLVED, _WITHDRAWN = CallEventKind.RESOLVED, CallEventKind.WITHDRAWN
_REOPENED, _CORRECTED = CallEventKind.REOPENED, CallEventKind.CORRECTED
_MOVES = frozenset({_PAUSED, _RESUMED, _RESOLVED, _WITHDRAWN, _REOPENED})
"""What changes whether a call is open."""
_CLOSING = frozenset({_RESOLVED, _WITHDRAWN})
_ENDED_ANYWAY = _CLOSING | {_PRIORITY}
"""Stops that the course itself knows."""
_PRIORITIES = tuple(Priority)
_IN_ORDER = attrgetter("happened_at", "number")
Piece: TypeAlias = tuple[datetime, datetime | None, int | None]
"""A span in which something is owed, and the number of the event that ended it."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a call as the rules read it; see support.models.calls.CallEvent. Raises ValueError without a zone."""

    number: int
    kind: CallEventKind
    happened_at: datetime
    recorded_at: datetime
    priority: Priority | None = None
    """Said by an opening and by a change of priority."""
    voids: int | None = None
    """The number of the earlier event that a correction takes out."""
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "happened_at", as_utc(self.happened_at))


@dataclass(slots=True)
class Course:
    """What the events of a call say together; made by `course_of`."""

    happenings: Sequence[Happening]
    priority: Priority | None = None
    first: dict[CallEventKind, datetime] = field(default_factory=dict)
    """When each kind happened first."""
    by_kind: dict[CallEventKind, list[Happening]] = field(default_factory=dict)
    at_least: dict[Priority, datetime] = field(default_factory=dict)
    """The first instant at a priority or a worse one."""
    paused: list[Span] = field(default_factory=list)
    closed: list[tuple[datetime, datetime | None, int]] = field(default_factory=list)
    """Spans in which it was closed, and the numbers of the events that closed it."""
    priorities: list[tuple[datetime, int, Priority]] = field(default_factory=list)
    """Its changes of priority: when, by which event, to which."""
    stints: dict[Priority, list[Piece]] = field(default_factory=dict)
    """The spans at just each priority."""
    resolution: Happening | None = None
    """The one that lasts."""
    reopened_at: datetime | None = None
    held_for: dict[bool, tuple[Span, ...]] = field(default_factory=dict)

    @property
    def is_closed(self) -> bool:
        """Resolved or withdrawn, and not reopened."""
        return bool(self.closed) and self.closed[-1][1] is None

    @property
    def state(self) -> CallState:
        """Where it stands after its events."""
        if self.is_closed:
            return CallState.WITHDRAWN if self.resolution is None else CallState.RESOLVED
        return CallState.PAUSED if self.paused and self.paused[-1][1] is None else CallState.OPEN

    def held(self, is_pausable: bool) -> tuple[Span, ...]:
        """Return the spans that clocks stand still in: closed ones, and for what is pausable the pauses too."""
        spans = self.held_for.get(is_pausable)
        if spans is None:
            closed: list[Span] = [(since, until) for since, until, _ in self.closed]
            spans = joined([*closed, *self.paused] if is_pausable else closed)
            self.held_for[is_pausable] = spans
        return spans

    def this_bad_since(self, priority: Priority) -> datetime:
        """Return since when an open call is at a priority or a worse one, or since when it is open again."""
        since = self.priorities[0][0]
        for index, (at, _, now) in enumerate(self.priorities):
            if now <= priority and (index == 0 or self.priorities[index - 1][2] > priority):
                since = at
        return since if self.reopened_at is None else max(since, self.reopened_at)

    def acts(self, kinds: frozenset[CallEventKind], since: datetime) -> list[Happening]:
        """Return what was done of these kinds from an instant on, in order. A resolution counts where it lasts."""
        found = [
            each
            for kind in kinds
            if kind in self.by_kind and kind is not _RESOLVED
            for each in self.by_kind[kind]
            if each.happened_at >= since
        ]
        if _RESOLVED in kinds and self.resolution is not None and self.resolution.happened_at >= since:
            found.append(self.resolution)
        return sorted(found, key=_IN_ORDER) if len(found) > 1 else found

    def owed(self, obligation: Obligation, start: datetime) -> list[Piece]:
        """Return the spans in which an obligation is owed from its start on: at its priority, open, not stopped."""
        stints: Sequence[Piece] = ((start, None, None),)
        if obligation.of_priority is not None:
            stints = self.stints.get(obligation.of_priority, ())
        pieces = []
        for since, until, ender in stints:
            if until is None or until > start:
                pieces += self._open_in(max(since, start), until, ender, start)
        stop = self._stop(obligation, start)
        if stop is not None:
            at, number = stop
            pieces = [
                (since, until, ender) if until is not None and until <= at else (since, at, number)
                for since, until, ender in pieces
                if since < at or since == at == start
            ]
        return pieces

    def _open_in(
        self, since: datetime, until: datetime | None, ender: int | None, start: datetime
    ) -> list[Piece]:
        """What is left of a span without those in which the call was closed."""
        if not self.closed:
            return [(since, until, ender)]
        pieces: list[Piece] = []
        for closed, reopened, number in self.closed:
            if until is not None and closed >= until:
                break
            if reopened is not None and reopened <= since:
                continue
            if closed > since or closed == since == start:
                pieces.append((since, closed, number))
            if reopened is None or (until is not None and reopened >= until):
                return pieces
            since = reopened
        return [*pieces, (since, until, ender)]

    def _stop(self, obligation: Obligation, start: datetime) -> tuple[datetime, int] | None:
        """What ends an obligation for good: an event that stops it, other than closing the call."""
        if obligation.stopped_by <= _CLOSING:
            return None
        stops = [
            (each.happened_at, each.number)
            for kind in obligation.stopped_by
            if kind in self.by_kind and kind not in _ENDED_ANYWAY
            for each in self.by_kind[kind]
            if each.happened_at >= start
        ]
        if obligation.of_priority is None and _PRIORITY in obligation.stopped_by:
            stops += [(at, number) for at, number, _ in self.priorities[1:] if at > start]
        return min(stops, default=None)


def counting(happenings: Iterable[Happening], as_of: datetime) -> list[Happening]:
    """Return the events that count at an instant, in order: those that happened by then and were not corrected.

    A correction that was itself corrected takes nothing out.
    """
    known = sorted([each for each in happenings if each.happened_at <= as_of], key=_IN_ORDER)
    corrections = [each for each in known if each.voids is not None]
    if not corrections:
        return known
    wrong: set[int] = set()
    for each in sorted(corrections, key=attrgetter("number"), reverse=True):
        if each.voids is not None and each.voids < each.number and each.number not in wrong:
            wrong.add(each.voids)
    return [each for each in known if each.number not in wrong and each.kind is not _CORRECTED]


def course_of(happenings: Sequence[Happening]) -> Course:
    """Return the course of a call whose events are given in order, those that count."""
    course = Course(happenings)
    by_kind, first = course.by_kind, course.first
    paused_at: datetime | None = None
    for each in happenings:
        kind, at = each.kind, each.happened_at
        if kind not in first:
            first[kind] = at
            by_kind[kind] = [each]
        else:
            by_kind[kind].append(each)
            if kind is _OPENED:
                continue
        if kind is _PRIORITY or kind is _OPENED:
            if each.priority is not None and each.priority is not course.priority:
                _change_priority(course, each, each.priority)
        elif kind not in _MOVES:
            continue
        elif course.is_closed:
            if kind is _REOPENED:
                _reopen(course, at)
        elif kind is _RESOLVED or kind is _WITHDRAWN:
            if paused_at is not None:
                course.paused.append((paused_at, at))
                paused_at = None
            course.closed.append((at, None, each.number))
            course.resolution = each if kind is _RESOLVED else None
        elif kind is _PAUSED and paused_at is None:
            paused_at = at
        elif kind is _RESUMED and paused_at is not None:
            course.paused.append((paused_at, at))
            paused_at = None
    if paused_at is not None:
        course.paused.append((paused_at, None))
    return course


def _change_priority(course: Course, event: Happening, priority: Priority) -> None:
    at = event.happened_at
    if course.priority is not None:
        stints = course.stints[course.priority]
        since, _, _ = stints.pop()
        if at > since:
            stints.append((since, at, event.number))
    course.stints.setdefault(priority, []).append((at, None, None))
    course.priorities.append((at, event.number, priority))
    course.priority = priority
    for each in _PRIORITIES:
        if priority <= each and each not in course.at_least:
            course.at_least[each] = at


def _reopen(course: Course, at: datetime) -> None:
    since, _, number = course.closed.pop()
    if at > since:
        course.closed.append((since, at, number))
    course.resolution, course.reopened_at = None, at
