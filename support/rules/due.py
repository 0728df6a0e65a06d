"""When one thing is due: a length of time from its start, and what pauses do to it.

Program rules, section 11. A pause charges nothing, in the obligation's own time: what runs in real time moves by the
overlap, what runs in business days keeps the business time that remained and spends it from the resume on. No pause
brings a due instant nearer: one that falls into closed hours alone leaves it where it is. A pause at or after the due
instant changes nothing. Pauses that meet or overlap are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from support.rules.calendar import Calendar, plus_days
from support.rules.policy import Obligation

Span: TypeAlias = tuple[datetime, datetime | None]
"""From an instant to before another; None is not over yet."""


@dataclass(frozen=True, slots=True)
class Held:
    """What one pause did to a clock: what remained when it began, and when it is due since; None while it lasts."""

    since: datetime
    until: datetime | None
    left: timedelta
    due_at: datetime | None


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans in order, those that meet or overlap as one, those without any length left out."""
    result: list[Span] = []
    for since, until in sorted(spans, key=_start_of):
        if until is not None and until <= since:
            continue
        last = result[-1] if result else None
        if last is None or (last[1] is not None and last[1] < since):
            result.append((since, until))
        elif last[1] is not None and (until is None or until > last[1]):
            result[-1] = (last[0], until)
    return tuple(result)


def end_of(obligation: Obligation, calendar: Calendar, start: datetime, periods: int = 1) -> datetime:
    """Return the end of so many periods from a start, without pauses.

    Days keep the wall time of the start, or of its intake, however many periods there are.
    """
    if obligation.elapsed is not None:
        return start + obligation.elapsed * periods
    if obligation.business_days is not None:
        return calendar.plus_business_days(start, obligation.business_days * periods)
    return plus_days(start, (obligation.calendar_days or 0) * periods, calendar.zone)


def due_of(
    obligation: Obligation,
    calendar: Calendar,
    start: datetime,
    spans: Sequence[Span],
    periods: int = 1,
    at: datetime | None = None,
) -> tuple[datetime | None, timedelta | None]:
    """Return when it is due and None, or None and what remains where a pause holds it.

    With `at` it is asked as it was right before that instant: later pauses are not known, and one that lasted
    then had no end.
    """
    due = end_of(obligation, calendar, start, periods)
    for since, until in spans:
        if since >= due or (at is not None and since >= at):
            break
        if until is None or until > start:
            left, due_again = _hold(obligation, calendar, max(since, start), until, due, at)
            if due_again is None:
                return None, left
            due = due_again
    return due, None


def holds(
    obligation: Obligation,
    calendar: Calendar,
    start: datetime,
    spans: Sequence[Span],
    periods: int = 1,
    at: datetime | None = None,
) -> Iterator[Held]:
    """Go through what the pauses did to a due instant, in order; see due_of."""
    due = end_of(obligation, calendar, start, periods)
    for since, until in spans:
        if since >= due or (at is not None and since >= at):
            return
        if until is None or until > start:
            begin = max(since, start)
            left, due_again = _hold(obligation, calendar, begin, until, due, at)
            yield Held(begin, None if due_again is None else until, left, due_again)
            if due_again is None:
                return
            due = due_again


def _hold(
    obligation: Obligation,
    calendar: Calendar,
    since: datetime,
    until: datetime | None,
    due: datetime,
    at: datetime | None,
) -> tuple[timedelta, datetime | None]:
    """What remains when a pause begins, and when it is due once it is over; None while it lasts."""
    is_over = until is not None and (at is None or until <= at)
    if obligation.business_days is None:
        left = due - since
        return left, until + left if until is not None and is_over else None
    left = calendar.business_time_between(since, due)
    return left, max(due, calendar.advance(until, left)) if until is not None and is_over else None


def _start_of(span: Span) -> datetime:
    return span[0]
