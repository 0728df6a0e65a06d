"""When a milestone is late and by how much, and where its days stand in the timeline picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from quotes.states import MilestoneKind

MILESTONE_WORDS: Mapping[MilestoneKind, str] = MappingProxyType(
    {
        MilestoneKind.SPECIFY: "Specify",
        MilestoneKind.PRE_WIRE: "Pre-wire",
        MilestoneKind.INSTALL: "Install",
        MilestoneKind.COMMISSIONING: "Commissioning",
        MilestoneKind.PROGRAMMING: "Programming",
    }
)
MOST_TICKS = 5
"""Months that the timeline names at most, so that their names fit on a phone."""


@dataclass(frozen=True)
class Days:
    """What is said of a milestone: the day planned first, the one expected now, the one it was done."""

    planned_on: date | None = None
    forecast_on: date | None = None
    actual_on: date | None = None

    @property
    def end_on(self) -> date | None:
        """The day it was done, or is expected to be."""
        return self.actual_on or self.forecast_on or self.planned_on

    def days_late(self, day: date) -> int:
        """Return by how many calendar days it is late on a day; 0 where it is not.

        One that is not done is at least as late as the day itself: a forecast that has passed excuses nothing.
        On the planned day it is in time.
        """
        if self.planned_on is None or self.end_on is None:
            return 0
        end_on = self.end_on if self.actual_on else max(self.end_on, day)
        return max((end_on - self.planned_on).days, 0)

    def words(self, day: date) -> str:
        """Say how it stands on a day, the same for both sides."""
        late = self.days_late(day)
        by = "1 day" if late == 1 else f"{late} days"
        if self.planned_on is None:
            return "Not planned"
        if self.actual_on is not None:
            return f"Done {by} late" if late else "Done in time"
        return f"{by} late" if late else "In time"

    def needs_reason(self, before: Days | None) -> bool:
        """Say whether this has to be explained: later than planned, or planned anew after `before`."""
        is_replanned = before is not None and before.planned_on not in {None, self.planned_on}
        is_later = self.planned_on is not None and (self.end_on or self.planned_on) > self.planned_on
        return is_replanned or is_later

    def slips_by(self, before: Days | None) -> int:
        """Return by how many days it ends later than was said last, or than planned where nothing was."""
        was_on = (before and before.end_on) or self.planned_on
        return 0 if was_on is None or self.end_on is None else max((self.end_on - was_on).days, 0)


@dataclass(frozen=True)
class Tick:
    """A first day of a month in the timeline."""

    day: date
    place: str
    """Where it stands, as a part of the width such as 41.7%."""


@dataclass(frozen=True)
class Timeline:
    """The scale of the picture: whole months from the first day to the last."""

    first_on: date
    last_on: date
    ticks: tuple[Tick, ...]

    def place(self, day: date) -> str:
        """Return where a day stands, as a part of the width such as 41.7%; outside it is at the edge."""
        whole = (self.last_on - self.first_on).days
        mille = min(max((day - self.first_on).days, 0), whole) * 1000 // whole
        return f"{mille // 10}.{mille % 10}%"

    def shows(self, day: date) -> bool:
        """Say whether the day lies in the picture."""
        return self.first_on <= day <= self.last_on


def timeline_of(milestones: Iterable[Days], day: date) -> Timeline | None:
    """Return the scale on which all these days stand, and `day` while something is to do; None without days."""
    rows = list(milestones)
    said = [each for row in rows for each in (row.planned_on, row.forecast_on, row.actual_on) if each]
    if not said:
        return None
    if any(row.planned_on and row.actual_on is None for row in rows):
        said.append(day)
    first, last = _first_of_month(min(said)), _next_month(max(said))
    bare = Timeline(first, last, ())
    return Timeline(first, last, tuple(Tick(each, bare.place(each)) for each in _months(first, last)))


def _months(first: date, last: date) -> Sequence[date]:
    """Return every n-th month from the first on, MOST_TICKS at most."""
    months = [first]
    while (following := _next_month(months[-1])) < last:
        months.append(following)
    return months[:: -(-len(months) // MOST_TICKS)]


def _first_of_month(day: date) -> date:
    return day.replace(day=1)


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
