"""Timelines of any calls: a twin that walks from minute to minute says the same, and order and splitting change nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from random import Random

import pytest

from support.rules.calendar import Calendar, Window
from support.rules.course import Happening
from support.rules.policy import Obligation, Policy
from support.rules.timeline import timeline
from support.states import CallEventKind, DueStatus, Priority
from tests.support.clock_facts import CLOSING, SOFTWARE, response, weekdays
from tests.support.stepping import Minutes, step

Kind = CallEventKind
MINUTE = timedelta(minutes=1)
NIGHTS = tuple(
    window for day in range(5) for window in (Window(day, 1320, 1440), Window((day + 1) % 7, 0, 360))
)
PLACES = (
    ("America/New_York", weekdays(8, 17), {date(2026, 11, 26): "Thanksgiving Day"}, date(2026, 11, 21)),
    ("America/Los_Angeles", weekdays(6, 17), {}, date(2026, 10, 28)),
    (
        "America/New_York",
        (*weekdays(8, 17), *weekdays(14, 22), *weekdays(8, 17, [5])),
        {date(2026, 3, 9): "Closed"},
        date(2026, 3, 4),
    ),
    ("Europe/Berlin", weekdays(0, 24, range(7)), {}, date(2026, 10, 22)),
    ("Europe/Berlin", weekdays(0, 24, range(7)), {}, date(2026, 3, 26)),
    ("Asia/Kolkata", NIGHTS, {date(2027, 1, 1): "New Year's Day"}, date(2026, 12, 28)),
)
"""Zone, windows, closed days, and the day its minutes begin: both clock changes, Thanksgiving and the turn of the year."""
MIXED = Policy(
    "mixed",
    "Everything that the others do not have",
    (
        Obligation(
            "answer",
            "Answered or resolved",
            None,
            Kind.OPENED,
            business_days=1,
            met_by=frozenset({Kind.RESPONDED, Kind.RESOLVED}),
            is_pausable=True,
        ),
        Obligation(
            "rounds",
            "A round every five hours of work",
            None,
            Kind.CONFIRMED,
            elapsed=timedelta(hours=5),
            repeats=True,
            met_by=frozenset({Kind.UPDATED}),
            stopped_by=CLOSING | {Kind.ESCALATED},
            is_pausable=True,
        ),
        Obligation(
            "report",
            "A report the next day",
            TWO := Priority.TWO,
            Kind.OPENED,
            calendar_days=1,
            met_by=frozenset({Kind.NOTIFIED}),
            is_pausable=True,
        ),
        Obligation(
            "daily",
            "A call every day",
            TWO,
            ("after", "report"),
            calendar_days=1,
            repeats=True,
            met_by=frozenset({Kind.FOLLOWED_UP}),
        ),
        Obligation(
            "handover",
            "Handed over",
            Priority.THREE,
            Kind.OPENED,
            elapsed=timedelta(hours=9),
            met_by=frozenset({Kind.ESCALATED}),
            stopped_by=frozenset({Kind.RESPONDED}),
        ),
    ),
    TWO,
)
POLICIES = (SOFTWARE, SOFTWARE, SOFTWARE, MIXED, MIXED, response(1), response(2))
KINDS = (
    *[Kind.PAUSED, Kind.RESUMED] * 3,
    *[Kind.PRIORITY, Kind.RESOLVED, Kind.REOPENED] * 2,
    *[Kind.CONFIRMED, Kind.FOLLOWED_UP, Kind.UPDATED, Kind.NOTIFIED, Kind.ESCALATED, Kind.RESPONDED],
    *[Kind.NOTED, Kind.WITHDRAWN, Kind.PROGRESS_STOPPED],
)
GAPS = (1, 2, 7, 15, 40, 60, 120, 180, 300, 540, 900)


@cache
def places():
    return tuple(
        (Calendar(zone, windows, closed), Minutes(zone, windows, closed, start))
        for zone, windows, closed, start in PLACES
    )


def chances(seed):
    """Chances that are the same every time."""
    return Random(seed)  # noqa: S311 - nothing secret


def any_call(chance: Random):
    """A policy, a calendar with its minutes, events on minutes of their own, and an instant to look from."""
    policy = chance.choice(POLICIES)
    calendar, minutes = chance.choice(places())
    at = minutes.start + chance.randrange(2 * 1440, 6 * 1440) * MINUTE
    happenings = [Happening(1, Kind.OPENED, at, at, chance.choice(tuple(Priority)))]
    for number in range(2, chance.randrange(3, 14)):
        at += (chance.choice(GAPS) if chance.random() < 0.6 else chance.randrange(1, 600)) * MINUTE
        kind = Kind.CONFIRMED if number == 2 and chance.random() < 0.5 else chance.choice(KINDS)
        priority = chance.choice(tuple(Priority)) if kind is Kind.PRIORITY else None
        happenings.append(Happening(number, kind, at, at, priority))
    as_of = at + (chance.choice(GAPS) if chance.random() < 0.5 else chance.randrange(0, 2400)) * MINUTE
    return policy, calendar, minutes, happenings, as_of


def corrected(chance: Random, happenings, as_of):
    """The events, and now and then corrections of some, even of a correction."""
    made = list(happenings)
    while len(made) > 1 and chance.random() < 0.3:
        wrong = chance.randrange(2, len(made) + 1)
        made.append(Happening(len(made) + 1, Kind.CORRECTED, as_of, as_of, voids=wrong))
    return made


def short(found, names=None):
    """What a timeline says, with the numbers of events as `names` calls them."""
    return [
        (
            due.key,
            due.repeat,
            due.status,
            due.due_at,
            due.remaining,
            (names or {}).get(due.decided_by, due.decided_by),
        )
        for due in found.obligations
    ]


@pytest.mark.parametrize("seed", range(4))
def test_a_twin_that_walks_from_minute_to_minute_says_the_same(seed):
    chance = chances(seed)
    seen = set()
    for _ in range(500):
        policy, calendar, minutes, happenings, as_of = any_call(chance)
        happenings = corrected(chance, happenings, as_of)
        found = timeline(policy, calendar, happenings, as_of)
        walked, pages, looked_at = step(policy, minutes, happenings, as_of)
        assert short(found) == walked, (calendar.zone, policy.key, happenings, as_of)
        assert (found.pages_now, found.attention_at) == (pages, looked_at), (happenings, as_of)
        seen |= {(due.key, due.status) for due in found.obligations}
    assert {status for _, status in seen} == set(DueStatus)


def test_what_is_opened_later_is_never_due_earlier():
    """But for the hour of a clock change: a wall time that it leaves out moves past those that follow it, and the
    second time of a doubled hour counts as the first.
    """
    chance = chances(6)
    compared = 0
    for _ in range(1600):
        policy, calendar, _, happenings, as_of = any_call(chance)
        first, *others = happenings
        room = (others[0].happened_at if others else as_of) - first.happened_at
        later = replace(first, happened_at=first.happened_at + chance.random() * room // MINUTE * MINUTE)
        before = timeline(policy, calendar, happenings, as_of)
        after = {
            due.key: due
            for due in timeline(policy, calendar, [later, *others], as_of).obligations
            if not due.repeat
        }
        for due in before.obligations:
            other = after.get(due.key)
            if due.repeat or other is None or due.due_at is None or other.due_at is None:
                continue
            compared += other.due_at > due.due_at
            is_round_the_clock = calendar.windows == weekdays(0, 24, range(7))
            keeps_wall_time = due.obligation.calendar_days is not None or (
                due.obligation.business_days is not None and is_round_the_clock
            )
            slack = timedelta(hours=1) if keeps_wall_time else timedelta(0)
            assert other.due_at >= due.due_at - slack, (due.key, happenings, later, as_of)
    assert compared > 500


def test_splitting_a_pause_changes_nothing():
    chance = chances(7)
    split = 0
    for _ in range(1600):
        policy, calendar, _, happenings, as_of = any_call(chance)
        state_before = timeline(policy, calendar, happenings, as_of)
        pauses = [each for each in happenings if each.kind is Kind.PAUSED]
        if not pauses:
            continue
        pause = chance.choice(pauses)
        others = [each for each in happenings if each.happened_at > pause.happened_at]
        until = others[0].happened_at if others else as_of
        at = pause.happened_at + chance.random() * (until - pause.happened_at)
        is_paused = timeline(policy, calendar, happenings, at).is_paused
        kinds = (Kind.RESUMED, Kind.PAUSED) if is_paused else (Kind.PAUSED, Kind.RESUMED)
        more = [Happening(90 + index, kind, at, as_of) for index, kind in enumerate(kinds)]
        split += is_paused
        assert short(timeline(policy, calendar, [*happenings, *more], as_of)) == short(state_before)
    assert split > 400


def test_replay_in_any_order_of_recording_gives_one_timeline():
    chance = chances(8)
    for _ in range(1600):
        policy, calendar, _, happenings, as_of = any_call(chance)
        once = timeline(policy, calendar, happenings, as_of)
        shuffled = chance.sample(happenings, len(happenings))
        assert timeline(policy, calendar, shuffled, as_of) == once
        recorded = [replace(each, number=number) for number, each in enumerate(shuffled, start=1)]
        names = {now.number: then.number for now, then in zip(recorded, shuffled, strict=True)}
        assert short(timeline(policy, calendar, recorded, as_of), names) == short(once)


def test_what_happens_later_is_not_known_and_verdicts_of_time_stand():
    chance = chances(9)
    for _ in range(800):
        policy, calendar, _, happenings, as_of = any_call(chance)
        at = happenings[0].happened_at + chance.random() * (as_of - happenings[0].happened_at)
        then = timeline(policy, calendar, happenings, at)
        assert then == timeline(policy, calendar, [each for each in happenings if each.happened_at <= at], at)
        missed = {(due.key, due.due_at) for due in then.obligations if due.status is DueStatus.MISSED}
        now = timeline(policy, calendar, happenings, as_of)
        over = {
            (due.key, due.due_at)
            for due in now.obligations
            if due.status in {DueStatus.MISSED, DueStatus.LATE}
        }
        assert missed <= over


def test_advancing_by_the_business_time_between_two_instants_comes_back():
    chance = chances(10)
    for _ in range(2000):
        calendar, minutes = chance.choice(places())
        since = minutes.start + chance.random() * timedelta(days=20)
        until = since + chance.random() * timedelta(days=9)
        spent = calendar.business_time_between(since, until)
        end = calendar.advance(since, spent)
        assert end <= until
        assert calendar.business_time_between(since, end) == spent
        assert calendar.business_time_between(end, until) == timedelta(0)
        if calendar.is_open(until):
            assert calendar.intake(until) == until
        opens = calendar.intake(until)
        assert calendar.is_open(opens)
        assert calendar.business_time_between(until, opens) == timedelta(0)
        assert calendar.counted(since, until).business_time == spent
