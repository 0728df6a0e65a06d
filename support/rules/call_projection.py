"""What is read off a call's timeline for lists and for the worker: what waits, until when, and what is to be told.

Everything here is worked out from the call's events and notices as of an instant, so that verification finds
the same again: the instant is that of the last event recorded or notice told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from support.rules.calendar import Calendar
from support.rules.call_moves import standing
from support.rules.course import Happening
from support.rules.policy import Policy
from support.rules.timeline import Due, Timeline, timeline
from support.states import CallEventKind, CallState, DueStatus

END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
"""Until when a call waits that has nothing due: it stands last in a list by the next due instant."""
LONGEST_LEAD = timedelta(hours=2)
LEAD_PART = 4
"""Somebody is told ahead by so little of the time there is: a quarter, and not more than LONGEST_LEAD."""
DUE, MISSED, PAGE, OPENED = "due", "missed", "page", "opened"
"""Kinds of notices: it is due soon; it was missed; it pages; the desk is open, and it pages no more."""
PAGE_KEY = "page"
_MOMENT = timedelta(microseconds=1)
_UNTOUCHED = frozenset({CallEventKind.OPENED, CallEventKind.PRIORITY, CallEventKind.NOTED})
"""What happens to a call before anybody looks at it."""
_PAGED_FOR = frozenset({CallEventKind.OPENED, CallEventKind.REOPENED, CallEventKind.PRIORITY})

Told: TypeAlias = tuple[str, str, datetime]
"""What a notice is of: its kind, the key of the obligation, and the due instant."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A notice that is to be told from `since` on."""

    kind: str
    key: str
    due_at: datetime
    since: datetime
    name: str

    @property
    def told(self) -> Told:
        """What it is of."""
        return self.kind, self.key, self.due_at


@dataclass(frozen=True, slots=True)
class CallFacts:
    """A call as the rules read it, with its versions of policy and calendar as of when it was opened."""

    policy: Policy
    calendar: Calendar
    happenings: Sequence[Happening]

    def timeline(self, as_of: datetime) -> Timeline:
        """Return where the call stands at an instant."""
        return timeline(self.policy, self.calendar, self.happenings, as_of)

    @property
    def has_priorities(self) -> bool:
        """Say whether the policy tells priorities apart."""
        return has_priorities(self.policy)


def has_priorities(policy: Policy) -> bool:
    """Say whether a policy tells priorities apart: its calls are opened with one."""
    return policy.pages_out_of_hours_at is not None or any(
        each.of_priority is not None for each in policy.obligations
    )


def waiting(line: Timeline, happenings: Sequence[Happening]) -> list[Due]:
    """Return what is still to be done, pending, or missed and owed all the same: the earliest first, targets last.

    A target is no promise: missed, it must not stand before what is owed next.
    """
    if line.state in {CallState.RESOLVED, CallState.WITHDRAWN}:
        return []
    last = {due.key: due for due in line.obligations}
    stood = standing(happenings)
    found = [
        due
        for due in line.obligations
        if due.due_at is not None
        and (
            due.status is DueStatus.PENDING
            or (
                due.status is DueStatus.MISSED
                and due.started_at == last[due.key].started_at
                and due.obligation.of_priority in {None, line.priority}
                and not any(
                    each.kind in due.obligation.stopped_by and each.happened_at > due.due_at for each in stood
                )
            )
        )
    ]
    return sorted(found, key=lambda due: (due.is_soft, due.due_at or END_OF_TIME))


def looked_at_by(facts: CallFacts, line: Timeline) -> datetime | None:
    """Return when the desk looks first at a call that nobody touched: at once where it pages, else in its hours."""
    stood = standing(facts.happenings)
    if line.state is not CallState.OPEN or any(each.kind not in _UNTOUCHED for each in stood):
        return None
    opened_at = stood[0].happened_at
    return opened_at if line.pages_now else facts.calendar.intake(opened_at)


def projected(facts: CallFacts, told: Collection[Told], as_of: datetime) -> dict[str, Any]:
    """Return the columns of a call that are read off its events and notices, by name."""
    line = facts.timeline(as_of)
    is_closed = line.state in {CallState.RESOLVED, CallState.WITHDRAWN}
    todo = waiting(line, facts.happenings)
    attention_at = looked_at_by(facts, line)
    first = todo[0] if todo else None
    until = END_OF_TIME if first is None else first.due_at
    if first is None and attention_at is not None:
        until = attention_at
    notices = [each.since for each in owed(facts, line, told, as_of)]
    return {
        "event_count": max(each.number for each in facts.happenings),
        "state": line.state,
        "priority": line.priority,
        "waits_until": None if is_closed else until,
        "due_name": "" if first is None else first.name,
        "notice_at": min(notices, default=None),
        "attention_at": attention_at,
        "is_paging": line.pages_now,
        "missed_count": sum(
            due.status in {DueStatus.MISSED, DueStatus.LATE} and not due.is_soft for due in line.obligations
        ),
    }


def owed(facts: CallFacts, line: Timeline, told: Collection[Told], as_of: datetime) -> list[Owed]:
    """Return the notices that are still to be told of a call that stands so, now or later, the earliest first."""
    if line.state in {CallState.RESOLVED, CallState.WITHDRAWN}:
        return []
    known = set(told)
    found = [each for each in _notices(facts, line, told, as_of) if each.told not in known]
    return sorted(found, key=lambda each: (each.since, each.kind, each.key))


def _notices(facts: CallFacts, line: Timeline, told: Collection[Told], as_of: datetime) -> Iterator[Owed]:
    yield from _pages(facts, line, told, as_of)
    for due in waiting(line, facts.happenings):
        if due.due_at is None:
            continue
        if due.status is DueStatus.PENDING:
            lead = min(LONGEST_LEAD, (due.due_at - due.started_at) / LEAD_PART)
            yield Owed(DUE, due.key, due.due_at, due.due_at - max(lead, timedelta(0)), due.name)
        if not due.is_soft:
            yield Owed(MISSED, due.key, due.due_at, due.due_at + _MOMENT, due.name)


def _pages(facts: CallFacts, line: Timeline, told: Collection[Told], as_of: datetime) -> Iterator[Owed]:
    """Yield what is told of a call that pages; and once the desk is open, that it paged and is as bad still."""
    at = facts.policy.pages_out_of_hours_at
    if at is None or line.priority is None or line.priority > at:
        return
    if line.pages_now:
        paged_at = max(
            each.happened_at
            for each in standing(facts.happenings)
            if each.kind in _PAGED_FOR and each.happened_at <= as_of
        )
        yield Owed(PAGE, PAGE_KEY, paged_at, paged_at, "")
    else:
        paged_at = max((due_at for kind, _, due_at in told if kind == PAGE), default=as_of)
    opens_at = facts.calendar.intake(paged_at)
    if line.pages_now or paged_at < opens_at <= as_of:
        yield Owed(OPENED, PAGE_KEY, opens_at, opens_at, "")
