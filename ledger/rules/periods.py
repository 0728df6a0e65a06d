"""Periods of statements: their days, their names, their instants in a zone, and how long they can be disputed."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_NAME = re.compile(r"\A(20[0-9]{2})(?:-(0[1-9]|1[0-2])|-Q([1-4]))?\Z", re.ASCII)
_MONTHS_OF_QUARTER = 3
_QUARTERS = ("First", "Second", "Third", "Fourth")


class PeriodKind(enum.StrEnum):
    """How long a period is."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_MONTHS = {PeriodKind.MONTH: 1, PeriodKind.QUARTER: _MONTHS_OF_QUARTER, PeriodKind.YEAR: 12}


@dataclass(frozen=True)
class Period:
    """Whole months of a calendar year; `first_on` is its first day."""

    kind: PeriodKind
    first_on: date

    @property
    def last_on(self) -> date:
        """Its last day."""
        return _first_after(self.first_on, _MONTHS[self.kind]) - timedelta(days=1)

    @property
    def year(self) -> int:
        """The calendar year it lies in."""
        return self.first_on.year

    @property
    def quarter(self) -> int:
        """The quarter its first day lies in, from 1 to 4."""
        return (self.first_on.month - 1) // _MONTHS_OF_QUARTER + 1

    @property
    def name(self) -> str:
        """How it stands in an address: 2026-11, 2026-Q4 or 2026."""
        if self.kind is PeriodKind.MONTH:
            return f"{self.year}-{self.first_on.month:02}"
        return f"{self.year}-Q{self.quarter}" if self.kind is PeriodKind.QUARTER else str(self.year)

    @property
    def words(self) -> str:
        """How people call it: November 2026, Fourth quarter 2026 or Year 2026."""
        if self.kind is PeriodKind.MONTH:
            return f"{self.first_on:%B} {self.year}"
        return (
            f"{_QUARTERS[self.quarter - 1]} quarter {self.year}"
            if self.kind is PeriodKind.QUARTER
            else f"Year {self.year}"
        )

    @property
    def months(self) -> tuple[Period, ...]:
        """Its months, first one first."""
        return tuple(
            Period(PeriodKind.MONTH, _first_after(self.first_on, number))
            for number in range(_MONTHS[self.kind])
        )

    def is_over(self, today: date) -> bool:
        """Say whether its last day is past."""
        return self.last_on < today

    def has_begun(self, today: date) -> bool:
        """Say whether its first day has come."""
        return self.first_on <= today

    def bounds(self, zone: str) -> tuple[datetime, datetime]:
        """Return its first instant and the first one after it, in UTC, by the days of the zone."""
        return start_of(self.first_on, zone), start_of(self.last_on + timedelta(days=1), zone)


def start_of(day: date, zone: str) -> datetime:
    """Return the first instant of a day in the zone, in UTC.

    Where clocks skip midnight it is the instant of the jump; where they show it twice, the first of both.
    """
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def period_of(day: date, kind: PeriodKind) -> Period:
    """Return the period of this kind that the day lies in."""
    month = (day.month - 1) // _MONTHS[kind] * _MONTHS[kind] + 1
    return Period(kind, date(day.year, month, 1))


def parse_period(text: str) -> Period | None:
    """Read 2026-11, 2026-Q4 or 2026; None for anything else."""
    match = _NAME.match(text)
    if match is None:
        return None
    year = int(match[1])
    if match[2]:
        return Period(PeriodKind.MONTH, date(year, int(match[2]), 1))
    if match[3]:
        return Period(PeriodKind.QUARTER, date(year, (int(match[3]) - 1) * _MONTHS_OF_QUARTER + 1, 1))
    return Period(PeriodKind.YEAR, date(year, 1, 1))


def periods_of_year(year: int) -> tuple[Period, ...]:
    """Return the year's months, its quarters, and the year itself."""
    whole = Period(PeriodKind.YEAR, date(year, 1, 1))
    quarters = tuple(
        Period(PeriodKind.QUARTER, month.first_on) for month in whole.months[::_MONTHS_OF_QUARTER]
    )
    return (*whole.months, *quarters, whole)


def last_day_of_month(day: date) -> date:
    """Return the last day of the month a day lies in."""
    return period_of(day, PeriodKind.MONTH).last_on


def last_day_to_dispute(posted_on: date, window_days: int) -> date:
    """Return the last day on which a posting of that business day can be disputed.

    The window begins after the last day of the month in which it was posted (program rules, section 7).
    """
    return last_day_of_month(posted_on) + timedelta(days=window_days)


def _first_after(first_on: date, months: int) -> date:
    """Return the first day of the month that many months later."""
    years, month = divmod(first_on.month - 1 + months, 12)
    return date(first_on.year + years, month + 1, 1)
