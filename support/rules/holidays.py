"""Closed days of a calendar out of rules: fixed days, the nth or last weekday of a month, and where they are observed.

Program rules, section 11. The rules are data of a reviewed file. What comes out are days with names, which a version of
a calendar keeps: no later rule changes it.
"""

from __future__ import annotations

import calendar
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from support.rules.reviewed import Reviewed

_SATURDAY = 5


class HolidayKind(enum.StrEnum):
    """How a holiday finds its day in a year."""

    FIXED = "fixed"
    """This day of the month; in a year without it, there is none."""
    NTH_WEEKDAY = "nth_weekday"
    """The first, second, third or fourth such weekday of the month."""
    LAST_WEEKDAY = "last_weekday"
    """The last such weekday of the month."""


class Observed(enum.StrEnum):
    """Which other day is closed for a holiday on a weekend. The day itself is closed in any case."""

    NONE = "none"
    """No other day."""
    NEAREST_WEEKDAY = "nearest_weekday"
    """The Friday before a Saturday, the Monday after a Sunday."""
    NEXT_WEEKDAY = "next_weekday"
    """The next day from Monday on that is not closed already."""


@dataclass(frozen=True, slots=True)
class HolidayRule:
    """A holiday of every year. Raises ValueError where it can have no day."""

    name: str
    kind: HolidayKind
    month: int
    day: int = 0
    """Of the month, for a fixed one."""
    weekday: int = 0
    """0 is Monday, for the others."""
    nth: int = 0
    """1 to 4, for the nth weekday."""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("name: a holiday has one")
        if not 1 <= self.month <= 12:
            raise ValueError(f"month: 1 to 12, not {self.month}")
        # A leap year, for a holiday may be 29 February.
        if self.kind is HolidayKind.FIXED and not 1 <= self.day <= calendar.monthrange(2000, self.month)[1]:
            raise ValueError(f"day: no month {self.month} has a day {self.day}")
        if not 0 <= self.weekday <= 6:
            raise ValueError(f"weekday: 0 (Monday) to 6, not {self.weekday}")
        if self.kind is HolidayKind.NTH_WEEKDAY and not 1 <= self.nth <= 4:
            raise ValueError(f"nth: 1 to 4, not {self.nth}; the fifth of a month is `last_weekday`")

    @classmethod
    def from_data(cls, content: Mapping[str, object], path: str = "holiday") -> HolidayRule:
        """Read a rule of a reviewed file. Raises ValueError naming the place of what is wrong."""
        said = Reviewed(content, path)
        kind = said.choice("kind", HolidayKind)
        wanted = {
            HolidayKind.FIXED: ("day",),
            HolidayKind.NTH_WEEKDAY: ("weekday", "nth"),
            HolidayKind.LAST_WEEKDAY: ("weekday",),
        }[kind]
        said.only("name", "kind", "month", *wanted)
        with said.naming():
            found = {key: said.whole(key) for key in wanted}
            return cls(
                name=said.line("name"),
                kind=kind,
                month=said.whole("month"),
                day=found.get("day", 0),
                weekday=found.get("weekday", 0),
                nth=found.get("nth", 0),
            )

    def to_data(self) -> dict[str, object]:
        """Return the rule as a reviewed file says it."""
        told: dict[str, object] = {"name": self.name, "kind": self.kind.value, "month": self.month}
        if self.kind is HolidayKind.FIXED:
            return told | {"day": self.day}
        told["weekday"] = self.weekday
        return told | {"nth": self.nth} if self.kind is HolidayKind.NTH_WEEKDAY else told

    def day_in(self, year: int) -> date | None:
        """Return its day in a year; None for 29 February in a year without it."""
        last = calendar.monthrange(year, self.month)[1]
        if self.kind is HolidayKind.FIXED:
            return date(year, self.month, self.day) if self.day <= last else None
        if self.kind is HolidayKind.LAST_WEEKDAY:
            end = date(year, self.month, last)
            return end - timedelta(days=(end.weekday() - self.weekday) % 7)
        first = date(year, self.month, 1)
        return first + timedelta(days=(self.weekday - first.weekday()) % 7 + 7 * (self.nth - 1))


def holidays_of(rules: Sequence[HolidayRule], observed: Observed, years: Iterable[int]) -> dict[date, str]:
    """Return the closed days that belong to the years or fall in them, in order, with their names.

    A holiday on a weekend closes its day and the day it is observed on, which is named so. That day may lie in the
    year before: 1 January on a Saturday closes 31 December as well. Days that two holidays share have both names.
    """
    wanted = set(years)
    around = {near for year in wanted for near in (year - 1, year, year + 1) if 1 <= near <= 9999}
    days: dict[date, list[tuple[int, str]]] = {}
    for year in sorted(around):
        for rule in rules:
            day = rule.day_in(year)
            if day is not None:
                days.setdefault(day, []).append((year, rule.name))
    for day, named in sorted(days.items()):
        other = _observed_on(day, observed, days)
        if other is not None:
            days.setdefault(other, []).extend((year, f"{name} (observed)") for year, name in named)
    closed = {
        day: "; ".join(name for year, name in named if day.year in wanted or year in wanted)
        for day, named in sorted(days.items())
    }
    return {day: names for day, names in closed.items() if names}


def _observed_on(day: date, observed: Observed, closed: Mapping[date, object]) -> date | None:
    past_friday = day.weekday() - _SATURDAY
    if past_friday < 0 or observed is Observed.NONE:
        return None
    if observed is Observed.NEAREST_WEEKDAY:
        return day + timedelta(days=1 if past_friday else -1)
    later = day + timedelta(days=2 - past_friday)
    while later in closed:
        later += timedelta(days=1)
    return later
