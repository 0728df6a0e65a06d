"""Service calls in words: kinds of events, states, named reasons, instants in a zone, and how long is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from support.rules.offers import Requirement
from support.states import CallEventKind, CallState, DueStatus, Priority

_Kind = CallEventKind
EVENT_WORDS: Mapping[CallEventKind, str] = MappingProxyType(
    {
        _Kind.OPENED: "Opened",
        _Kind.CONFIRMED: "Problem confirmed",
        _Kind.PRIORITY: "Priority changed",
        _Kind.RESPONDED: "Responded",
        _Kind.PAUSED: "Paused",
        _Kind.RESUMED: "Resumed",
        _Kind.NOTIFIED: "Account management told",
        _Kind.ESCALATED: "Escalated to the account manager",
        _Kind.FOLLOWED_UP: "Customer called",
        _Kind.UPDATED: "Customer updated",
        _Kind.PROGRESS_STOPPED: "No progress for now",
        _Kind.NOTED: "Note",
        _Kind.RESOLVED: "Resolved",
        _Kind.REOPENED: "Reopened",
        _Kind.WITHDRAWN: "Withdrawn",
        _Kind.CORRECTED: "Correction",
    }
)
"""What happened, as a history says it."""
DO_WORDS: Mapping[CallEventKind, str] = MappingProxyType(
    {
        _Kind.CONFIRMED: "Confirm the problem",
        _Kind.RESPONDED: "We are on it",
        _Kind.NOTIFIED: "Account management told",
        _Kind.ESCALATED: "Escalated",
        _Kind.FOLLOWED_UP: "Customer called",
        _Kind.UPDATED: "Customer updated",
        _Kind.PRIORITY: "Change the priority",
        _Kind.NOTED: "Write a note",
        _Kind.PAUSED: "Pause",
        _Kind.RESUMED: "Resume",
        _Kind.PROGRESS_STOPPED: "No progress for now",
        _Kind.RESOLVED: "Resolve",
        _Kind.REOPENED: "Reopen",
        _Kind.WITHDRAWN: "Withdraw",
    }
)
"""What people record, as a button or a choice says it, in the order they are offered."""
STATE_WORDS: Mapping[CallState, str] = MappingProxyType(
    {
        CallState.OPEN: "Open",
        CallState.PAUSED: "Paused",
        CallState.RESOLVED: "Resolved",
        CallState.WITHDRAWN: "Withdrawn",
    }
)
PRIORITY_WORDS: Mapping[Priority, str] = MappingProxyType(
    {
        Priority.ONE: "Priority 1: completely unavailable, no workaround",
        Priority.TWO: "Priority 2: a major function does not work, there is a workaround",
        Priority.THREE: "Priority 3: limited, work goes on",
    }
)
STATUS_WORDS: Mapping[DueStatus, str] = MappingProxyType(
    {
        DueStatus.PENDING: "Due",
        DueStatus.PAUSED: "Paused",
        DueStatus.MET: "In time",
        DueStatus.LATE: "Late",
        DueStatus.MISSED: "Missed",
        DueStatus.WITHDRAWN: "Not owed any more",
    }
)
PAUSE_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "facility": "The facility or its staff are not available",
        "customer": "Waiting for the customer",
    }
)
"""Why a call can be paused, by key (support plans, "around availability of facility and staff")."""
REQUIREMENT = "requirement:"
"""Begins the key of a pause for a requirement of the agreement that is not met."""


def pause_reasons(requirements: Sequence[Requirement]) -> dict[str, str]:
    """Return the named reasons a call can be paused for, by key: the usual ones, and each unmet requirement."""
    unmet = {f"{REQUIREMENT}{each.key}": f"A requirement is not met: {each.name}" for each in requirements}
    return dict(PAUSE_REASONS) | unmet


def say_reason(kind: CallEventKind, reason: str, requirements: Sequence[Requirement]) -> str:
    """Return the reason of an event as people read it: the words of a named one, else as it was typed."""
    return pause_reasons(requirements).get(reason, reason) if kind is _Kind.PAUSED else reason


def say_at(at: datetime | None, zone: str) -> str:
    """Return an instant as a zone's clocks show it, as Mon 21 Nov 2026, 4:05 PM EST; '' of none."""
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y}, {local.hour % 12 or 12}:{local:%M %p} {local.tzname()}"


def say_span(span: timedelta) -> str:
    """Return a length of time by its two largest parts: 3 days 4 h, 2 h 5 min, 40 s; without its sign."""
    seconds = int(abs(span).total_seconds())
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    if days:
        said = f"{days:,} day{'' if days == 1 else 's'}"
        return f"{said} {hours} h" if hours else said
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def say_left(due_at: datetime, at: datetime) -> str:
    """Return how long is left until an instant, or how long it is over: 2 h 5 min left, 3 min over."""
    return f"{say_span(due_at - at)} {'left' if due_at >= at else 'over'}"
