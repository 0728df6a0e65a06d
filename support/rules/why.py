"""Why something is due at its instant, in sentences: the start, the intake, what was counted, and the pauses."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from referral.text import say_day
from support.rules.calendar import Calendar
from support.rules.due import Held, end_of, holds
from support.rules.policy import Obligation
from support.rules.timeline import Due, StartedBy
from support.states import CallEventKind, Priority

_Kind = CallEventKind
_WINDOWS_SHOWN = 8
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_STARTS = {
    _Kind.OPENED: "when the call was opened",
    _Kind.CONFIRMED: "when the problem was confirmed",
    _Kind.PRIORITY: "when the priority was changed",
    _Kind.RESPONDED: "when somebody responded",
    _Kind.NOTIFIED: "when the account management was told",
    _Kind.ESCALATED: "when it was escalated",
    _Kind.FOLLOWED_UP: "when the customer was called",
    _Kind.UPDATED: "when the customer was told how it stands",
    _Kind.PROGRESS_STOPPED: "when no progress could be made",
}


def explain(due: Due, calendar: Calendar) -> tuple[str, ...]:
    """Return why it is due at its instant: where its clock started, what was counted, what was passed over.

    `calendar` is the one that the timeline was made with; instants are said in its zone.
    """
    obligation, start = due.obligation, due.started_at
    end = end_of(obligation, calendar, start, due.periods)
    said = [f"The clock starts on {say_instant(start, calendar.zone)}, {_reason(due)}."]
    if obligation.business_days is None:
        day_and_night = ", day and night" if obligation.elapsed is not None else ""
        length = f"{_length(obligation, due.periods)} later{day_and_night}"
        said.append(f"{length}: {say_instant(end, calendar.zone)}.")
        said += _shifted(start, end, calendar.zone) if obligation.calendar_days is not None else []
    else:
        said += _business_days(obligation, calendar, start, end, due.periods)
    for held in holds(obligation, calendar, start, due.held, due.periods, due.decided_at):
        said.append(_pause(held, calendar, in_business_time=obligation.business_days is not None))
        if held.due_at is not None and obligation.business_days is not None:
            said += _counted(calendar, held.until or held.since, held.due_at)
    if due.not_before is not None:
        said.append(
            f"That was over when it changed on {say_instant(due.not_before, calendar.zone)}, "
            "and nothing is due before the change."
        )
    return tuple(said)


def say_instant(at: datetime, zone: str) -> str:
    """Return an instant in a zone, such as Mon 23 Nov 2026, 08:00 EST."""
    local = at.astimezone(ZoneInfo(zone))
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{_WEEKDAYS[local.weekday()]} {say_day(local.date())}, {clock} {local.tzname()}"


def say_length(length: timedelta) -> str:
    """Return a length in hours and minutes, such as 26 h 30 min; seconds where there are any."""
    seconds = length // timedelta(seconds=1)
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 min"


def _reason(due: Due) -> str:
    anchor, priority = due.obligation.anchor, due.obligation.of_priority
    if due.started_by is StartedBy.ACT:
        return "when it was done the last time"
    if due.started_by is StartedBy.PRIORITY and priority is not None:
        worse = "" if priority is Priority.ONE else " or worse"
        return f"when the call first had priority {priority.value}{worse}"
    if due.after is not None:
        return f"at the end of the first {_length(due.after, 1)} of: {due.after.name}"
    return "" if isinstance(anchor, tuple) else _STARTS[anchor]


def _length(obligation: Obligation, periods: int) -> str:
    times = f"{periods} times " if periods > 1 else ""
    if obligation.elapsed is not None:
        return f"{times}{say_length(obligation.elapsed)}"
    days, kind = (obligation.business_days, "business") if obligation.business_days else (None, "calendar")
    count = days or obligation.calendar_days or 0
    return f"{times}{count} {kind} {'day' if count == 1 else 'days'}"


def _business_days(
    obligation: Obligation, calendar: Calendar, start: datetime, end: datetime, periods: int
) -> list[str]:
    intake, said = calendar.intake(start), []
    if intake != start:
        said.append(f"That is outside service hours: it counts from {say_instant(intake, calendar.zone)}.")
    later = say_instant(end, calendar.zone)
    said.append(f"{_length(obligation, periods)} later, at the same time of day: {later}.")
    return said + _shifted(intake, end, calendar.zone) + _counted(calendar, start, end)


def _shifted(start: datetime, end: datetime, zone: str) -> list[str]:
    """Say that a clock change moved the time of day."""
    wall, other = start.astimezone(ZoneInfo(zone)).time(), end.astimezone(ZoneInfo(zone)).time()
    moved = "That time of day does not exist on this day, for the clocks go forward: it moves with them."
    return [moved] if wall != other else []


def _counted(calendar: Calendar, since: datetime, until: datetime) -> list[str]:
    counted, said = calendar.counted(since, until), []
    shown = [_span(start, end, calendar.zone) for start, end in counted.windows[:_WINDOWS_SHOWN]]
    if shown:
        more = len(counted.windows) - len(shown)
        said.append(f"Service hours counted: {'; '.join(shown)}{f'; and {more} more' if more else ''}.")
    if counted.closed:
        days = "; ".join(f"{name} ({say_day(day)})" for day, name in counted.closed)
        said.append(f"Closed, and not counted: {days}.")
    return said


def _span(start: datetime, end: datetime, zone: str) -> str:
    first, last = start.astimezone(ZoneInfo(zone)), end.astimezone(ZoneInfo(zone))
    until = f"{last:%H:%M}" if first.date() == last.date() else say_instant(end, zone)
    return f"{_WEEKDAYS[first.weekday()]} {say_day(first.date())}, {first:%H:%M} to {until}"


def _pause(held: Held, calendar: Calendar, *, in_business_time: bool) -> str:
    since = say_instant(held.since, calendar.zone)
    left = f"{say_length(held.left)}{' of service hours' if in_business_time else ''}"
    if held.until is None or held.due_at is None:
        return f"It stands still since {since}: {left} remain."
    until, due = say_instant(held.until, calendar.zone), say_instant(held.due_at, calendar.zone)
    return f"It stood still from {since} to {until}; the {left} that remained run from then on: {due}."
