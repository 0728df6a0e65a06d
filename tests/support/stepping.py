"""A naive twin of the clocks: it walks from minute to minute, and looks only at the minute it is in.

It shares no arithmetic with the rules. Its calendar is one flag a minute, by the local time of that minute; a clock
that stands still is put off by a minute each minute; business time is counted minute by minute. Events lie on whole
minutes, no two on the same one but a resume and a pause.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from support.rules.policy import Obligation
from support.states import CallEventKind, DueStatus

Kind = CallEventKind
DAYS = 45


class Minutes:
    """Forty-five days of a zone by the minute: the local day and wall time of each, and whether it is open."""

    def __init__(self, zone, windows, closed, start: date):
        self.start = datetime(start.year, start.month, start.day, tzinfo=UTC)
        self.day, self.wall, self.is_open = [], [], bytearray()
        for minute in range(DAYS * 1440):
            local = (self.start + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
            wall = local.hour * 60 + local.minute
            self.day.append(local.toordinal())
            self.wall.append(wall)
            self.is_open.append(
                local.date() not in closed
                and any(
                    each.weekday == local.weekday() and each.opens <= wall < each.closes for each in windows
                )
            )
        has_window = {each.weekday for each in windows}
        self.business = {
            day
            for day in set(self.day)
            if date.fromordinal(day) not in closed and (day - 1) % 7 in has_window
        }

    def index(self, at):
        """The minute of an instant."""
        return (at - self.start) // timedelta(minutes=1)

    def instant(self, minute):
        """The instant of a minute."""
        return None if minute is None else self.start + timedelta(minutes=minute)

    def at_wall(self, day, wall):
        """The first minute of a local day with this wall time; an hour later where the day has none."""
        minute = self.day.index(day)
        while self.day[minute] == day:
            if self.wall[minute] == wall:
                return minute
            minute += 1
        return self.at_wall(day, wall + 60)

    def intake(self, minute):
        """The first open minute from this one on."""
        while not self.is_open[minute]:
            minute += 1
        return minute

    def business_days_later(self, minute, count):
        """The wall time of the intake, so many business days later."""
        minute = self.intake(minute)
        day = self.day[minute]
        while count:
            day += 1
            count -= day in self.business
        return self.at_wall(day, self.wall[minute])

    def spend(self, minute, left):
        """The minute after so many open ones."""
        while left:
            left -= self.is_open[minute]
            minute += 1
        return minute


class Clock:
    """One obligation, minute by minute."""

    def __init__(self, obligation: Obligation, minutes: Minutes, other):
        self.obligation, self.minutes, self.other = obligation, minutes, other
        self.start = self.goal = self.left = self.floor = None
        self.is_held = self.was_owed = self.is_stopped = False
        self.ended = self.missed = self.last_missed = None
        self.acts, self.result = [], []

    def begin(self, minute):
        """Count from this minute on."""
        self.anchor = self.before = minute
        self.periods, self.is_held = 1, False
        self.goal = self.nominal(1)

    def nominal(self, periods):
        """So many periods after the anchor, without pauses."""
        said = self.obligation
        if said.elapsed is not None:
            return self.anchor + periods * (said.elapsed // timedelta(minutes=1))
        if said.business_days is not None:
            return self.minutes.business_days_later(self.anchor, periods * said.business_days)
        day = self.minutes.day[self.anchor] + periods * said.calendar_days
        return self.minutes.at_wall(day, self.minutes.wall[self.anchor])

    def shown(self, minute):
        """When it is due, or what is left of it while it stands still."""
        if not self.is_held:
            return self.goal, None
        return None, self.goal - minute if self.left is None else self.left

    def is_due_at(self, call):
        """Whether the priority is its own."""
        return self.obligation.of_priority in (None, call.priority)

    def is_owed(self, call):
        """Whether it is owed in this minute."""
        return self.start is not None and not call.closed and not self.is_stopped and self.is_due_at(call)

    def is_idle(self, minute):
        """Whether nothing can happen to it in a minute without events."""
        if self.start is None:
            return self.other is None or self.other.start is None or self.other.goal > minute
        return not self.is_held and minute != self.goal

    def step(self, minute, call, happened, is_last):
        """Live through one minute."""
        said = self.obligation
        if self.start is None:
            self.start_at(minute, call)
            if self.start is None:
                return
        is_still = call.closed or (said.is_pausable and call.paused)
        if self.is_held and not is_still:
            if self.left is not None:
                self.goal, self.left = max(self.goal, self.minutes.spend(minute, self.left)), None
            self.is_held = False
        if happened:
            self.take(minute, call, happened)
        if not is_last and not self.is_held and minute in (self.goal, self.floor):
            self.fall_due(minute, call)
        if is_still and not self.is_held and minute < self.goal:
            self.is_held = True
            if said.business_days is not None:
                self.left = sum(self.minutes.is_open[minute : self.goal])
        if self.is_held and self.left is None and not is_last:
            self.goal += 1
        self.was_owed = self.is_owed(call)

    def start_at(self, minute, call):
        """Start where what starts it is there."""
        said = self.obligation
        if self.other is not None:
            is_there = self.other.start is not None and not self.other.is_held and self.other.goal <= minute
        else:
            is_there = said.anchor in call.seen
        if is_there and (said.of_priority is None or call.worst <= said.of_priority):
            self.start = minute
            self.begin(minute)

    def take(self, minute, call, happened):
        """Take in what happened in this minute."""
        said = self.obligation
        for event in happened:
            if event.kind in said.stopped_by - {Kind.RESOLVED, Kind.WITHDRAWN, Kind.PRIORITY}:
                self.is_stopped = True
            if event.kind is Kind.REOPENED:
                self.acts = [act for act in self.acts if act[3] is not Kind.RESOLVED]
        now = self.is_owed(call)
        is_new = self.start == minute and self.is_due_at(call) and not call.was_closed
        before = self.was_owed or is_new
        either = before or now
        if before and not now:
            self.ended = (minute, call.ender, *self.shown(minute))
        if now and not self.was_owed and not said.repeats:
            self.come_back(minute)
        for event in happened:
            if event.kind in said.met_by and (event.kind is not Kind.RESOLVED or event is call.resolution):
                if said.repeats:
                    self.act_again(minute, event, either)
                else:
                    self.acts.append((*self.shown(minute), event.number, event.kind, either))

    def come_back(self, minute):
        """Be owed again, or for the first time."""
        if self.missed is None and not self.is_held and self.goal < minute:
            self.floor = minute
        if self.acts and not self.acts[0][4]:
            due, left, number, kind, _ = self.acts[0]
            self.acts[0] = (None if due is None else max(due, minute), left, number, kind, True)

    def act_again(self, minute, event, either):
        """Be done, and count from there."""
        if self.last_missed is not None:
            self.result[self.last_missed][1] = DueStatus.LATE
            self.result[self.last_missed][4] = event.number
        elif either:
            self.tell(DueStatus.MET, *self.shown(minute), event.number)
        if not either:
            self.withdraw()
        self.last_missed = self.ended = None
        self.begin(minute)

    def withdraw(self):
        """Be owed no more, where it was owed since it was done last."""
        if self.ended is not None and self.ended[0] > self.before:
            _, number, due, left = self.ended
            self.tell(DueStatus.WITHDRAWN, due, left, number)

    def tell(self, status, due, left, number):
        """Keep a verdict."""
        repeat = len(self.result) + 1 if self.obligation.repeats else 0
        self.result.append([repeat, status, due, left, number])

    def fall_due(self, minute, call):
        """Be due in this minute, and not done."""
        now = self.is_owed(call)
        if not self.obligation.repeats:
            if now and self.missed is None and not self.acts:
                self.missed = minute
            return
        if now:
            self.last_missed = len(self.result)
            self.tell(DueStatus.MISSED, minute, None, None)
        else:
            self.withdraw()
        self.before, shift = minute, self.goal - self.nominal(self.periods)
        self.periods += 1
        self.goal = self.nominal(self.periods) + shift

    def verdicts(self, minute, call):
        """Everything that became of it, seen from this minute."""
        now = self.is_owed(call)
        if self.start is None:
            return self.ahead(call)
        due, left = self.shown(minute)
        if self.obligation.repeats:
            if now:
                self.tell(DueStatus.PAUSED if self.is_held else DueStatus.PENDING, due, left, None)
            else:
                self.withdraw()
            return self.result
        act = self.acts[0] if self.acts else None
        if self.missed is not None:
            status, number = (DueStatus.MISSED, None) if act is None else (DueStatus.LATE, act[2])
            self.tell(status, self.missed, None, number)
        elif act is not None and act[4]:
            self.tell(DueStatus.MET, act[0], act[1], act[2])
        elif now:
            status = DueStatus.PAUSED if self.is_held else DueStatus.PENDING
            self.tell(status, due if self.floor is None or due is None else max(due, self.floor), left, None)
        elif self.ended is not None:
            self.tell(DueStatus.WITHDRAWN, self.ended[2], self.ended[3], self.ended[1])
        return self.result

    def ahead(self, call):
        """What starts at the end of a period that is known already."""
        if self.other is not None and self.other.start is not None and not self.other.is_held:
            self.start = self.other.goal
            if self.is_owed(call):
                self.begin(self.start)
                self.tell(DueStatus.PENDING, self.goal, None, None)
        return self.result


class Call:
    """Where the call stands in the minute it is in."""

    def __init__(self):
        self.closed = self.was_closed = self.paused = False
        self.priority = self.resolution = self.ender = None
        self.worst, self.seen = "9", set()
        self.pages = False

    def take(self, event):
        """Take in an event."""
        kind = event.kind
        is_again = kind is Kind.OPENED and kind in self.seen
        self.seen.add(kind)
        self.ender = None
        if kind in {Kind.OPENED, Kind.PRIORITY}:
            if event.priority is not None and event.priority is not self.priority and not is_again:
                self.priority, self.ender = event.priority, event.number
                self.worst = min(self.worst, event.priority)
        elif kind is Kind.REOPENED:
            self.closed, self.resolution = False, None
        elif kind in {Kind.RESOLVED, Kind.WITHDRAWN}:
            if not self.closed:
                self.closed, self.paused, self.ender = True, False, event.number
                self.resolution = event if kind is Kind.RESOLVED else None
        elif kind is Kind.PAUSED:
            self.paused = self.paused or not self.closed
        elif kind is Kind.RESUMED:
            self.paused = False
        else:
            self.ender = event.number


def step(policy, minutes, happenings, as_of):
    """Every obligation as (key, repeat, status, due, left, decided by), whether it pages, and when it is looked at."""
    known = [each for each in happenings if each.happened_at <= as_of]
    for each in sorted(known, key=lambda event: -event.number):
        if each in known and each.voids is not None:
            known = [other for other in known if other.number != each.voids]
    by_minute = {}
    for each in sorted(known, key=lambda event: (event.happened_at, event.number)):
        by_minute.setdefault(minutes.index(each.happened_at), []).append(each)
    clocks, call, last = {}, Call(), minutes.index(as_of)
    for obligation in policy.obligations:
        anchor = obligation.anchor
        other = clocks[anchor[1]] if isinstance(anchor, tuple) else None
        clocks[obligation.key] = Clock(obligation, minutes, other)
    walking = tuple(clocks.values())
    bad = policy.pages_out_of_hours_at
    for minute in range(min(by_minute, default=last), last + 1):
        happened = by_minute.get(minute, ())
        if happened:
            was_bad = not call.closed and bad is not None and (call.priority or "9") <= bad
            call.was_closed = call.closed
            for each in happened:
                if each.kind is not Kind.CORRECTED:
                    call.take(each)
            is_bad = not call.closed and bad is not None and (call.priority or "9") <= bad
            call.pages = is_bad and (call.pages or not was_bad)
        if call.pages and minutes.is_open[minute]:
            call.pages = False
        for clock in walking:
            if not happened and clock.is_idle(minute):
                continue
            clock.step(minute, call, happened, minute == last)
    found = []
    for key, clock in clocks.items():
        for repeat, status, due, left, number in clock.verdicts(last, call):
            span = None if left is None else timedelta(minutes=left)
            found.append((key, repeat, status, minutes.instant(due), span, number))
    return found, call.pages, minutes.instant(last if call.pages else minutes.intake(last))
