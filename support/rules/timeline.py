"""What a call owes, and what became of it: one pure function of its policy, its calendar and its events.

Program rules, section 11. It reads no clock and no database. Events count in the order they happened in, those of one
instant by number, in whatever order they were recorded. Where the rules are silent:

- An act at the due instant is in time. What is due at the instant of a stop (resolved, withdrawn, another priority) is
  not owed any more. An act before its clock starts meets nothing.
- The first opening, and the first event that starts a clock, count. A pause in a pause, a resume without one, a call
  closed twice and a reopening of an open call change nothing; closing ends a pause, and a closed call is not paused.
- A call that is closed owes nothing. Reopened, its clocks run on as after a pause, for what never pauses too. A
  resolution that did not last met nothing; what was missed before it stays missed.
- An obligation of a priority that comes back is owed on its old clock, but not before the change. What is repeated is
  owed on its old grid, from the first of its instants at or after the change.
- A repeat is one act: done after it was missed it is late, and the next one counts from the act. Of several missed in
  a row the last one is late, the others stay missed. An act while it is not owed is a new anchor all the same.
- A correction that was corrected takes nothing out. What happens after `as_of` is not known, corrections neither.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from support.rules.calendar import Calendar, as_utc
from support.rules.course import Course, Happening, counting, course_of
from support.rules.due import Span, due_of
from support.rules.policy import Obligation, Policy
from support.states import CallState, DueStatus, Priority

_PENDING, _PAUSED, _WITHDRAWN = DueStatus.PENDING, DueStatus.PAUSED, DueStatus.WITHDRAWN
_MET, _LATE, _MISSED = DueStatus.MET, DueStatus.LATE, DueStatus.MISSED


class StartedBy(enum.StrEnum):
    """Why a clock runs from the instant it runs from."""

    ANCHOR = "anchor"
    """The event that starts it."""
    PRIORITY = "priority"
    """From then on the call was at this priority, or a worse one."""
    AFTER = "after"
    """The first period of another obligation ended."""
    ACT = "act"
    """It was done the last time."""


class _Clock(NamedTuple):
    start: datetime
    by: StartedBy
    periods: int


class Due(NamedTuple):
    """One thing that is or was owed. `support.rules.why.explain` says why it is due at its instant."""

    obligation: Obligation
    repeat: int
    """Which of its repeats, from 1; 0 for what is owed once."""
    status: DueStatus
    started_at: datetime
    """Where its clock started: for repeats the last act. May be later than the instant that is asked for."""
    started_by: StartedBy
    due_at: datetime | None
    """None where a pause holds it, or held it when it was decided."""
    remaining: timedelta | None
    """What remains where a pause holds it: business time for business days, else real time."""
    decided_by: int | None
    """The number of the event that decided it; None where time did, or nothing yet."""
    decided_at: datetime | None
    periods: int = 1
    """How many periods after its start it is due."""
    held: tuple[Span, ...] = ()
    """Its pauses, and the spans in which the call was closed."""
    not_before: datetime | None = None
    """The change that it is due at, because its clock had run out before."""
    after: Obligation | None = None
    """The obligation whose first period's end starts its clock."""

    @property
    def key(self) -> str:
        """The key of its obligation."""
        return self.obligation.key

    @property
    def name(self) -> str:
        """The name of its obligation, in plain words."""
        return self.obligation.name

    @property
    def is_soft(self) -> bool:
        """A miss is shown, and is no breach."""
        return self.obligation.is_soft

    @property
    def notify(self) -> tuple[str, ...]:
        """Who is told of it."""
        return self.obligation.notify


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where a call stands at an instant."""

    state: CallState
    priority: Priority | None
    is_paused: bool
    obligations: tuple[Due, ...]
    """In the order of the policy, repeats in order of time."""
    next_due: Due | None
    """The pending one that is due first; of one instant the first of the policy."""
    pages_now: bool
    """It came, came back or became this bad outside the desk's hours, and the desk has not opened since."""
    attention_at: datetime
    """When somebody of the desk looks: now where it pages, else when the desk is open next."""


def timeline(
    policy: Policy, calendar: Calendar, happenings: Iterable[Happening], as_of: datetime
) -> Timeline:
    """Return what a call owes and what became of it, as of an instant. Raises ValueError of a calendar that never opens."""
    as_of = as_utc(as_of)
    course = course_of(counting(happenings, as_of))
    obligations: list[Due] = []
    starts: dict[str, datetime] = {}
    for obligation in policy.obligations:
        after = policy.by_key[obligation.anchor[1]] if isinstance(obligation.anchor, tuple) else None
        started = _start(obligation, calendar, course, after, starts)
        if started is not None:
            starts[obligation.key] = started[0]
            reckoning = _Reckoning(obligation, calendar, course, started, after, as_of)
            obligations.extend(reckoning.repeated() if obligation.repeats else reckoning.once())
    pending = [due for due in obligations if due.status is DueStatus.PENDING]
    pages_now, state = _pages(policy, calendar, course, as_of), course.state
    return Timeline(
        state=state,
        priority=course.priority,
        is_paused=state is CallState.PAUSED,
        obligations=tuple(obligations),
        next_due=min(pending, key=attrgetter("due_at"), default=None),
        pages_now=pages_now,
        attention_at=as_of if pages_now else calendar.intake(as_of),
    )


def _start(
    obligation: Obligation,
    calendar: Calendar,
    course: Course,
    other: Obligation | None,
    starts: dict[str, datetime],
) -> tuple[datetime, StartedBy] | None:
    """When its clock starts; None where it has not, or the end it starts at is not known while it is paused."""
    by = StartedBy.ANCHOR
    at: datetime | None
    if other is not None:
        if other.key not in starts:
            return None
        at, _ = due_of(other, calendar, starts[other.key], course.held(other.is_pausable))
        by = StartedBy.AFTER
    else:
        at = None if isinstance(obligation.anchor, tuple) else course.first.get(obligation.anchor)
    if at is None or obligation.of_priority is None:
        return None if at is None else (at, by)
    since = course.at_least.get(obligation.of_priority)
    if since is None:
        return None
    return (since, StartedBy.PRIORITY) if since > at else (at, by)


def _pages(policy: Policy, calendar: Calendar, course: Course, as_of: datetime) -> bool:
    """Whether the call pages: what the desk took in within its hours it works on without a page, also at night."""
    at = policy.pages_out_of_hours_at
    if at is None or course.priority is None or course.priority > at or course.is_closed:
        return False
    since = course.this_bad_since(at)
    return not calendar.is_open(since) and as_of < calendar.intake(since)


class _Reckoning:
    """One obligation of one call: its clock, when it is owed, and the acts that meet it."""

    __slots__ = ("acts", "after", "as_of", "calendar", "held", "obligation", "pieces", "start", "started_by")

    def __init__(
        self,
        obligation: Obligation,
        calendar: Calendar,
        course: Course,
        started: tuple[datetime, StartedBy],
        after: Obligation | None,
        as_of: datetime,
    ) -> None:
        self.obligation, self.calendar, self.as_of = obligation, calendar, as_of
        self.start, self.started_by = started
        self.after = after
        self.held = course.held(obligation.is_pausable)
        self.pieces = course.owed(obligation, self.start)
        self.acts = course.acts(obligation.met_by, self.start)

    def once(self) -> list[Due]:
        """What became of something that is owed once; nothing where it never was owed."""
        act = self.acts[0] if self.acts else None
        withdrawn: list[Due] = []
        clock = _Clock(self.start, self.started_by, 1)
        for since, until, ender in self.pieces:
            is_done = act is not None and (until is None or act.happened_at <= until)
            due, left = self._due(clock, act.happened_at if act is not None and is_done else until)
            floor = since if due is not None and due < since else None
            due = floor or due
            if act is not None and is_done:
                status, number, at = _met_or_late(due, act), act.number, act.happened_at
            elif until is None and (due is None or due >= self.as_of):
                status, number, at = _PAUSED if due is None else _PENDING, None, None
            elif due is not None and (until is None or due < until):
                status, number, at = _MISSED, None, due
                if act is not None:
                    status, number, at = _LATE, act.number, act.happened_at
            else:
                withdrawn = [self._say(clock, due, left, _WITHDRAWN, ender, until)]
                continue
            return [self._say(clock, due, left, status, number, at, not_before=floor)]
        return withdrawn

    def repeated(self) -> list[Due]:
        """What became of something that is owed again and again, on a grid from its start and from each act."""
        result: list[Due] = []
        anchor, by = self.start, self.started_by
        for act in (*self.acts, None) if self.pieces else ():
            self._follow_grid(result, anchor, by, act)
            if act is not None:
                anchor, by = act.happened_at, StartedBy.ACT
        return result

    def _follow_grid(self, result: list[Due], anchor: datetime, by: StartedBy, act: Happening | None) -> None:
        """Add what became of a grid from its anchor through the next act, or through now."""
        at, now = (None, self.as_of) if act is None else (act.happened_at, act.happened_at)
        over = self.pieces[-1][1]
        before, missed, clock = anchor, None, _Clock(anchor, by, 1)
        due, left = self._due(clock, at)
        while due is not None and due < now and (over is None or before < over):
            if self._is_owed(due):
                missed = len(result)
                result.append(self._say(clock, due, None, _MISSED, None, due, repeat=missed + 1))
            else:
                self._withdraw(result, clock, before, due)
            before, clock = due, _Clock(anchor, by, clock.periods + 1)
            due, left = self._due(clock, at)
        if act is not None and missed is not None:
            late, of = result[missed], _Clock(anchor, by, result[missed].periods)
            result[missed] = self._say(
                of, late.due_at, None, _LATE, act.number, act.happened_at, repeat=missed + 1
            )
        repeat = len(result) + 1
        if act is not None and self._is_owed(now, through=True):
            if missed is None:
                result.append(self._say(clock, due, left, _MET, act.number, now, repeat=repeat))
        elif act is None and over is None:
            result.append(self._say(clock, due, left, _PAUSED if due is None else _PENDING, repeat=repeat))
        else:
            self._withdraw(result, clock, before, now)

    def _withdraw(self, result: list[Due], clock: _Clock, before: datetime, until: datetime) -> None:
        """Add a repeat as withdrawn where it was owed next when something ended it, by `until` at the latest."""
        ends = [(end, by) for _, end, by in self.pieces if end is not None and before < end <= until]
        if ends:
            end, by = ends[-1]
            due, left = self._due(clock, end)
            result.append(self._say(clock, due, left, _WITHDRAWN, by, end, repeat=len(result) + 1))

    def _is_owed(self, at: datetime, *, through: bool = False) -> bool:
        """True while it is owed; with `through` at the instant that ends it too, for an act then is in time."""
        for since, until, _ in self.pieces:
            if since <= at and (until is None or at < until or (through and at == until)):
                return True
        return False

    def _due(self, clock: _Clock, at: datetime | None) -> tuple[datetime | None, timedelta | None]:
        return due_of(self.obligation, self.calendar, clock.start, self.held, clock.periods, at)

    def _say(
        self,
        clock: _Clock,
        due: datetime | None,
        left: timedelta | None,
        status: DueStatus,
        number: int | None = None,
        at: datetime | None = None,
        *,
        repeat: int = 0,
        not_before: datetime | None = None,
    ) -> Due:
        return Due(
            self.obligation,
            repeat,
            status,
            clock.start,
            clock.by,
            due,
            left,
            number,
            at,
            clock.periods,
            self.held,
            not_before,
            self.after,
        )


def _met_or_late(due: datetime | None, act: Happening) -> DueStatus:
    return _MET if due is None or act.happened_at <= due else _LATE
