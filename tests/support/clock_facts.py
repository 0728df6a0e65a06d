"""Calendars, policies and events for the tests of the clocks, with nothing behind them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from support.rules.calendar import Calendar, Window
from support.rules.course import Happening
from support.rules.policy import AFTER, Obligation, Policy
from support.rules.timeline import Due, Timeline, timeline
from support.states import CallEventKind, Priority

Kind = CallEventKind
ONE, TWO, THREE = Priority
NEW_YORK, PACIFIC = "America/New_York", "America/Los_Angeles"
THANKSGIVING = {date(2026, 11, 26): "Thanksgiving Day"}
CLOSING = frozenset({Kind.RESOLVED, Kind.WITHDRAWN})


def weekdays(opens: int, closes: int, days: Iterable[int] = range(5)) -> tuple[Window, ...]:
    """Windows of whole hours on weekdays, Monday to Friday unless others are named."""
    return tuple(Window(day, opens * 60, closes * 60) for day in days)


SITE = Calendar(NEW_YORK, weekdays(8, 17), THANKSGIVING)
DESK = Calendar(PACIFIC, weekdays(6, 17), THANKSGIVING)
AFTER_HOURS, SATURDAY = weekdays(14, 22), weekdays(8, 17, [5])


def response(days: int) -> Policy:
    """A response in so many business days."""
    return Policy(
        f"response-{days}",
        "Response",
        (
            Obligation(
                "response",
                "Somebody is there",
                None,
                Kind.OPENED,
                business_days=days,
                met_by=frozenset({Kind.RESPONDED}),
                stopped_by=CLOSING,
                is_pausable=True,
            ),
        ),
    )


FIRST_AVAILABLE = Policy("first-available", "First available")
SOFTWARE = Policy(
    "software",
    "Software support by priority",
    (
        Obligation(
            "notice",
            "Account management is told",
            ONE,
            Kind.CONFIRMED,
            elapsed=timedelta(minutes=15),
            met_by=frozenset({Kind.NOTIFIED}),
            stopped_by=CLOSING | {Kind.PRIORITY},
            notify=("account_management",),
        ),
        Obligation(
            "follow-up",
            "The customer is called",
            ONE,
            Kind.CONFIRMED,
            elapsed=timedelta(hours=2),
            repeats=True,
            met_by=frozenset({Kind.FOLLOWED_UP}),
            stopped_by=CLOSING | {Kind.PRIORITY},
        ),
        Obligation(
            "target",
            "Resolved within 2 business days",
            TWO,
            Kind.OPENED,
            business_days=2,
            met_by=frozenset({Kind.RESOLVED}),
            stopped_by=frozenset({Kind.WITHDRAWN}),
            is_pausable=True,
            is_soft=True,
        ),
        Obligation(
            "escalation",
            "Escalated to the account manager",
            TWO,
            Kind.OPENED,
            elapsed=timedelta(hours=24),
            met_by=frozenset({Kind.ESCALATED}),
            stopped_by=CLOSING,
            is_pausable=True,
        ),
        Obligation(
            "update",
            "The customer is told how it stands",
            TWO,
            (AFTER, "escalation"),
            calendar_days=1,
            repeats=True,
            met_by=frozenset({Kind.UPDATED}),
            stopped_by=CLOSING,
        ),
    ),
    ONE,
)


def ny(day: int, hour: int, minute: int = 0, *, month: int = 11, year: int = 2026) -> datetime:
    """An instant by the clocks of New York, in November 2026 unless another month is named."""
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(NEW_YORK)).astimezone(UTC)


def pacific(day: int, hour: int, minute: int = 0, *, month: int = 11, year: int = 2026) -> datetime:
    """An instant by the clocks of the Pacific coast, in November 2026 unless another month is named."""
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(PACIFIC)).astimezone(UTC)


def events(*said: tuple) -> list[Happening]:
    """Events in the order they were recorded in: (kind, instant), or (kind, instant, priority or what it corrects)."""
    made = []
    for number, (kind, at, *more) in enumerate(said, start=1):
        extra = {"voids" if isinstance(more[0], int) else "priority": more[0]} if more else {}
        made.append(Happening(number, kind, at, at, **extra))
    return made


def line(policy: Policy, calendar: Calendar, as_of: datetime, *said: tuple) -> Timeline:
    """The timeline of events as `events` takes them."""
    return timeline(policy, calendar, events(*said), as_of)


def owed(found: Timeline, key: str) -> list[Due]:
    """What a timeline says of one obligation."""
    return [due for due in found.obligations if due.key == key]


def told(found: Timeline, key: str) -> list[tuple]:
    """What a timeline says of one obligation in short: status and due instant of each."""
    return [(due.status, due.due_at) for due in owed(found, key)]
