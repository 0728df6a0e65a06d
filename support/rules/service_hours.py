"""What a calendar of the catalogue says: its windows, its zone, and the days it is closed.

The closed days are counted out of the rules once, when a version is loaded, and kept with it: no later rule and no
later list of days changes what an earlier version says (program rules, section 11).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from support.rules.calendar import Calendar, Window
from support.rules.holidays import HolidayRule, Observed, holidays_of

SITE_ZONE = "site"
"""The zone of a calendar whose hours are in the zone of the site it is used for."""
YEARS = range(2000, 2100)
"""The years whose holidays a version keeps: those that a day can be recorded of."""


def minute_of(wall: str) -> int:
    """Return the minute of the day of a wall time such as 08:00; 24:00 is the end of the day."""
    hours, _, minutes = wall.partition(":")
    return int(hours) * 60 + int(minutes)


def windows_of(content: Mapping[str, Any]) -> tuple[Window, ...]:
    """Return the weekly windows of a calendar's content."""
    return tuple(
        Window(weekday, minute_of(each["opens"]), minute_of(each["closes"]))
        for each in content["windows"]
        for weekday in each["weekdays"]
    )


def closed_days(
    rules: Sequence[HolidayRule], observed: Observed, dates: Iterable[tuple[date, str]]
) -> dict[str, str]:
    """Return the days a calendar is closed, as ISO dates with their names, in order.

    They come of its rules in YEARS and of its own dates. A date of its own on a holiday has both names.
    """
    days = holidays_of(rules, observed, YEARS)
    for day, name in dates:
        days[day] = f"{days[day]}; {name}" if day in days else name
    return {day.isoformat(): days[day] for day in sorted(days) if day.year in YEARS}


def calendar_of(content: Mapping[str, Any], site_zone: str) -> Calendar:
    """Return the calendar of an entry's content, for a site in this zone where it has none of its own."""
    closed = {date.fromisoformat(day): name for day, name in content["closed"].items()}
    return Calendar(zone_of(content, site_zone), windows_of(content), closed)


def zone_of(content: Mapping[str, Any], site_zone: str) -> str:
    """Return the zone that a calendar's hours are in, at a site in this zone."""
    zone = str(content["zone"])
    return site_zone if zone == SITE_ZONE else zone


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""The days of the week as they are said; a window names them by number, 0 is Monday."""
