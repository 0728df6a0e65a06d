"""Whether a visit fits into the service hours of its site, and in words why not; days and times as people say them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from referral.text import say_day
from support.rules.calendar import DAY_MINUTES, Calendar, Window
from support.rules.service_hours import WEEKDAYS

_HOUR = 60


@dataclass(frozen=True, slots=True)
class Widening:
    """A granted option that widens the hours of delivery, and why it does not count where it does not."""

    name: str
    windows: tuple[Window, ...]
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class ServiceHours:
    """When somebody can come to a site: its calendar, widened by what is confirmed. None: at any time."""

    calendar: Calendar | None
    widenings: tuple[Widening, ...] = ()

    @property
    def widened(self) -> Calendar | None:
        """The calendar with the windows of the confirmed options."""
        extra = [window for each in self.widenings if each.is_confirmed for window in each.windows]
        return self.calendar.with_windows(extra) if self.calendar is not None and extra else self.calendar


def minute_of(at: time) -> int:
    """Return a time of day as minutes."""
    return at.hour * _HOUR + at.minute


def why_closed(hours: ServiceHours, starts_at: datetime, ends_at: datetime, site_zone: str) -> str:
    """Return the sentence that says why a visit cannot be then; '' where it can. A visit lies within one window."""
    calendar = hours.widened
    if calendar is None:
        return ""
    local, end = (at.astimezone(ZoneInfo(calendar.zone)) for at in (starts_at, ends_at))
    day = local.date()
    if day in calendar.closed:
        return f"{say_day(day)} is closed: {calendar.closed[day]}. Nobody comes on a holiday."
    first, last = minute_of(local.time()), minute_of(end.time())
    if end.date() > day:
        last += DAY_MINUTES
    if _holds(calendar.windows, day, first, last):
        return ""
    name = WEEKDAYS[day.weekday()]
    spans = [say_window(window) for window in calendar.windows if window.weekday == day.weekday()]
    place = "as it is at the site" if calendar.zone == site_zone else f"in {calendar.zone}"
    said = (
        f"On a {name} the service hours are {' and '.join(spans)}, {place}."
        if spans
        else f"There are no service hours on a {name}."
    )
    return f"{said}{_unconfirmed(hours, day, first, last)}"


def say_window(window: Window) -> str:
    """Return the hours of a window: 08:00 to 17:00."""
    return f"{say_minute(window.opens)} to {say_minute(window.closes)}"


def say_minute(minute: int) -> str:
    """Return a minute of the day as 08:00; the end of the day is 24:00."""
    return f"{minute // _HOUR:02}:{minute % _HOUR:02}"


def say_hours(calendar: Calendar) -> tuple[str, ...]:
    """Return the windows of a week in words, alike days together: Monday to Friday 08:00 to 17:00."""
    by_day = {
        weekday: " and ".join(say_window(each) for each in calendar.windows if each.weekday == weekday)
        for weekday in range(7)
    }
    said: list[str] = []
    weekday = 0
    while weekday < len(WEEKDAYS):
        last = weekday
        while last + 1 < len(WEEKDAYS) and by_day[last + 1] == by_day[weekday]:
            last += 1
        if by_day[weekday]:
            days = WEEKDAYS[weekday] if last == weekday else f"{WEEKDAYS[weekday]} to {WEEKDAYS[last]}"
            said.append(f"{days} {by_day[weekday]}")
        weekday = last + 1
    return tuple(said)


def say_span(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """Return when a visit is, as it is at its site: Tue 12 May 2026, 09:00 to 12:00 EDT."""
    first, last = (at.astimezone(ZoneInfo(zone)) for at in (starts_at, ends_at))
    return f"{WEEKDAYS[first.weekday()][:3]} {say_day(first.date())}, {first:%H:%M} to {last:%H:%M} {last.tzname()}"


def _holds(windows: Sequence[Window], day: date, first: int, last: int) -> bool:
    return any(
        window.weekday == day.weekday() and window.opens <= first and last <= window.closes
        for window in windows
    )


def _unconfirmed(hours: ServiceHours, day: date, first: int, last: int) -> str:
    """Return which options would allow it once they are confirmed."""
    if hours.calendar is None:
        return ""
    waiting = [each for each in hours.widenings if not each.is_confirmed]
    confirmed = [window for each in hours.widenings if each.is_confirmed for window in each.windows]
    names = [
        each.name
        for each in waiting
        if _holds(hours.calendar.with_windows([*confirmed, *each.windows]).windows, day, first, last)
    ]
    if not names:
        return ""
    return f" The option “{names[0]}” would allow it, once its availability at the site is confirmed."
