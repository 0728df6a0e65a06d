"""Time: the one place that reads the clock, and the turning of instants into business days."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def now() -> datetime:
    """Return the present instant, aware and in UTC. Doors call this; nothing below them does."""
    return datetime.now(UTC)


def unix_milliseconds() -> int:
    """Return milliseconds since 1970, for time-ordered ids only: no rule reads it."""
    return time.time_ns() // 1_000_000


def business_day(at: datetime, zone: str) -> date:
    """Return the calendar day of `at` in the program's time zone (an IANA name).

    All business dates are in that zone (program rules, section 2).
    """
    return at.astimezone(ZoneInfo(zone)).date()


def start_of_day(day: date, zone: str) -> datetime:
    """Return the first instant of `day` in the zone, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
