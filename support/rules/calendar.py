"""Service hours: when a desk is open, and counting business days and business time by it.

Program rules, section 11. A calendar is weekly windows of the local day in one time zone, and closed days. Windows are
half-open: at its opening it is open, at its closing closed. Instants are aware and come out in UTC; what passes
between two of them is real time, whatever the clocks of the zone do. A wall time that a clock change leaves out is
moved forward by the gap, and of a doubled one the first is meant.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from warranty.rules.months import last_day_of, same_day_months_later

DAY_MINUTES = 1440
LONGEST_CLOSED_DAYS = 3660
"""A calendar that does not open for ten years never opens."""
FARTHEST_DAYS = 36600
"""Nothing is counted over more than a century."""
KEPT_DAYS = 4000
"""How many days of opened windows a calendar keeps ready."""
_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Open hours of a weekday, in minutes of its local day; `closes` itself is closed."""

    weekday: int
    """0 is Monday."""
    opens: int
    closes: int
    """At most 1440, the end of the day."""

    def __post_init__(self) -> None:
        if not 0 <= self.weekday <= 6:
            raise ValueError(f"a weekday is 0 (Monday) to 6, not {self.weekday}")
        if not 0 <= self.opens < self.closes <= DAY_MINUTES:
            raise ValueError(
                f"a window opens before it closes within its day, not {self.opens} to {self.closes}"
            )


@dataclass(frozen=True, slots=True)
class Counted:
    """What lies between two instants: open spans, cut to them, and closed days that would have been open."""

    windows: tuple[tuple[datetime, datetime], ...]
    closed: tuple[tuple[date, str], ...]

    @property
    def business_time(self) -> timedelta:
        """How long it was open."""
        return sum((until - since for since, until in self.windows), _NOTHING)


@dataclass(frozen=True, slots=True)
class _Opened:
    """The open spans and business days of the local days from `first` to before `last` (ordinals), in order.

    Spans that adjoin are one. `spent` is the business time before each span, `spent_after` that after it.
    """

    first: int
    last: int
    since: list[datetime]
    until: list[datetime]
    spent: list[timedelta]
    spent_after: list[timedelta]
    days: list[int]

    def spent_at(self, at: datetime) -> timedelta:
        """Business time from the first day to an instant."""
        index = bisect_right(self.since, at) - 1
        if index < 0:
            return _NOTHING
        return self.spent[index] + (min(at, self.until[index]) - self.since[index])


class _Kept:
    """The days a calendar has opened so far; replaced as a whole, so that threads may share a calendar."""

    __slots__ = ("opened",)

    def __init__(self) -> None:
        self.opened: _Opened | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Weekly windows in a zone, and the days it is closed, with their names.

    Windows of a day that overlap or adjoin are joined, also over midnight. Raises ValueError without a window or
    for a zone that nobody knows. What is asked of it raises ValueError where it never opens (in ten years), for
    instants without a zone, and over more than a century.
    """

    zone: str
    windows: tuple[Window, ...]
    closed: Mapping[date, str] = field(default_factory=dict, hash=False)
    _kept: _Kept = field(default_factory=_Kept, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _zone(self.zone)
        if not self.windows:
            raise ValueError("a calendar without a window never opens")
        object.__setattr__(self, "windows", _joined(self.windows))
        object.__setattr__(self, "closed", MappingProxyType(dict(self.closed)))

    def with_windows(self, extra: Iterable[Window]) -> Calendar:
        """Return this calendar widened by more windows; its closed days stay closed."""
        return Calendar(self.zone, (*self.windows, *extra), self.closed)

    def is_open(self, at: datetime) -> bool:
        """True from an opening to before its closing."""
        at = as_utc(at)
        opened = self._covering(at, at)
        index = bisect_right(opened.since, at) - 1
        return index >= 0 and at < opened.until[index]

    def intake(self, at: datetime) -> datetime:
        """Return when something that arrives is taken in: now inside a window, else at the next opening."""
        at = as_utc(at)
        opened = self._reaching(at, lambda opened: bool(opened.until) and opened.until[-1] > at)
        index = bisect_right(opened.since, at) - 1
        if index >= 0 and at < opened.until[index]:
            return at
        opens = opened.since[index + 1]
        if opens.toordinal() - at.toordinal() > LONGEST_CLOSED_DAYS:
            raise ValueError(f"the calendar does not open for ten years after {at.date().isoformat()}")
        return opens

    def plus_business_days(self, at: datetime, count: int) -> datetime:
        """Return the wall time of the intake of `at`, that many business days after its day.

        A business day has a window and is not closed. None of them is the intake itself.
        """
        if count < 0:
            raise ValueError("business days are counted forward")
        start = self.intake(at)
        if count == 0:
            return start
        zone = _zone(self.zone)
        local = start.astimezone(zone)
        today = local.toordinal()

        def _has_days(opened: _Opened) -> bool:
            return bisect_right(opened.days, today) + count <= len(opened.days)

        opened = self._reaching(start, _has_days)
        day = date.fromordinal(opened.days[bisect_right(opened.days, today) + count - 1])
        return _instant(day, local.time(), zone)

    def business_time_between(self, since: datetime, until: datetime) -> timedelta:
        """Return for how long it is open between two instants. Raises ValueError where they are in wrong order."""
        since, until = as_utc(since), as_utc(until)
        if until < since:
            raise ValueError("the end is before the start")
        opened = self._covering(since, until)
        return opened.spent_at(until) - opened.spent_at(since)

    def advance(self, at: datetime, business_time: timedelta) -> datetime:
        """Return the first instant at which so much business time has passed since `at`.

        What ends exactly at a closing ends at that closing, and none ends at once.
        """
        at = as_utc(at)
        if business_time < _NOTHING:
            raise ValueError("business time is counted forward")
        if not business_time:
            return at

        def _is_spent(opened: _Opened) -> bool:
            return bool(opened.spent_after) and opened.spent_after[-1] - opened.spent_at(at) >= business_time

        opened = self._reaching(self.intake(at), _is_spent)
        goal = opened.spent_at(at) + business_time
        index = bisect_left(opened.spent_after, goal)
        return opened.since[index] + (goal - opened.spent[index])

    def counted(self, since: datetime, until: datetime) -> Counted:
        """Return what was counted and what was passed over between two instants, to say why an instant is what it is.

        A closed day counts as passed over where its weekday has a window, on the local days of both ends and between.
        """
        since, until = as_utc(since), as_utc(until)
        opened, zone = self._covering(since, until), _zone(self.zone)
        first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
        weekdays = {window.weekday for window in self.windows}
        return Counted(
            windows=tuple(
                (max(start, since), min(end, until))
                for start, end in zip(opened.since, opened.until, strict=True)
                if start < until and end > since
            ),
            closed=tuple(
                (day, name)
                for day, name in sorted(self.closed.items())
                if first <= day <= last and day.weekday() in weekdays
            ),
        )

    def _reaching(self, at: datetime, is_enough: Callable[[_Opened], bool]) -> _Opened:
        """Open days from `at` on until there are enough of them. Raises ValueError where there never are."""
        start = at.toordinal()
        opened = self._covering(at, at)
        while not is_enough(opened):
            if opened.last - start > FARTHEST_DAYS or opened.last >= _LAST_DAY:
                raise ValueError(
                    f"the calendar is not open enough in the century after {at.date().isoformat()}"
                )
            opened = self._spread(start - 2, opened.last + (opened.last - opened.first))
        return opened

    def _covering(self, since: datetime, until: datetime) -> _Opened:
        """Open the local days around two instants, and the year after them, or find them open already."""
        first, last = since.toordinal() - 2, until.toordinal() + 2
        opened = self._kept.opened
        if opened is not None and opened.first <= first and last <= opened.last:
            return opened
        if last - first > FARTHEST_DAYS:
            raise ValueError("more than a century of business days")
        return self._spread(first, last)

    def _spread(self, first: int, last: int) -> _Opened:
        """Open days with some to spare, joined to those already open where that does not become too many."""
        first, last = max(first - 30, _FIRST_DAY), min(last + 370, _LAST_DAY)
        opened = self._kept.opened
        if opened is not None and max(last, opened.last) - min(first, opened.first) <= KEPT_DAYS:
            first, last = min(first, opened.first), max(last, opened.last)
        opened = self._open(first, last)
        if last - first <= KEPT_DAYS:
            self._kept.opened = opened
        return opened

    def _open(self, first: int, last: int) -> _Opened:
        zone, closed = _zone(self.zone), {day.toordinal() for day in self.closed}
        by_weekday: list[list[Window]] = [[] for _ in range(7)]
        for window in self.windows:
            by_weekday[window.weekday].append(window)
        days = [each for each in range(first, last) if by_weekday[(each - 1) % 7] and each not in closed]
        spans = []
        for each in days:
            day = date.fromordinal(each)
            for window in by_weekday[(each - 1) % 7]:
                start, end = _minute(day, window.opens, zone), _minute(day, window.closes, zone)
                if start < end:
                    spans.append((start, end))
        since: list[datetime] = []
        until: list[datetime] = []
        for start, end in sorted(spans):
            if until and start <= until[-1]:
                until[-1] = max(until[-1], end)
            else:
                since.append(start)
                until.append(end)
        spent, total = [_NOTHING], _NOTHING
        for start, end in zip(since, until, strict=True):
            total += end - start
            spent.append(total)
        return _Opened(first, last, since, until, spent[:-1], spent[1:], days)


def wall_time(day: date, minute: int, zone: str) -> datetime:
    """Return the instant of a minute of a local day, in UTC; 1440 is the midnight that ends it."""
    if not 0 <= minute <= DAY_MINUTES:
        raise ValueError(f"a day has minutes 0 to {DAY_MINUTES}, not {minute}")
    return _minute(day, minute, _zone(zone))


def plus_days(at: datetime, count: int, zone: str) -> datetime:
    """Return the same wall time that many calendar days later. None of them is the instant itself."""
    at = as_utc(at)
    if count < 0:
        raise ValueError("days are counted forward")
    if count == 0:
        return at
    place = _zone(zone)
    local = at.astimezone(place)
    return _instant(local.date() + timedelta(days=count), local.time(), place)


def plus_months(day: date, count: int) -> date:
    """Return the same day that many months later; where it does not exist, the month's last."""
    if count < 0:
        raise ValueError("months are counted forward")
    return same_day_months_later(day, count) or last_day_of(day, count)


_FIRST_DAY, _LAST_DAY = date.min.toordinal() + 2, date.max.toordinal() - 2


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as unknown:
        raise ValueError(f"no such time zone: {name!r}") from unknown


def as_utc(at: datetime) -> datetime:
    """Return an instant in UTC. Raises ValueError where it has no time zone."""
    if at.tzinfo is UTC:
        return at
    if at.tzinfo is None:
        raise ValueError("an instant without a time zone")
    return at.astimezone(UTC)


def _minute(day: date, minute: int, zone: ZoneInfo) -> datetime:
    if minute == DAY_MINUTES:
        day, minute = day + timedelta(days=1), 0
    return _instant(day, time(minute // 60, minute % 60), zone)


def _instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The instant of a wall time: by the offset before a gap it moves forward, and of two it is the first."""
    first = wall.replace(fold=0) if wall.fold else wall
    return datetime.combine(day, first, tzinfo=zone).astimezone(UTC)


def _joined(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Windows in order of the week, those of one day joined where they overlap or adjoin."""
    joined = sorted(windows)
    at = 1
    while at < len(joined):
        before, after = joined[at - 1], joined[at]
        if before.weekday == after.weekday and after.opens <= before.closes:
            joined[at - 1 : at + 1] = [Window(before.weekday, before.opens, max(before.closes, after.closes))]
        else:
            at += 1
    return tuple(joined)
