"""Kinds of calls' events, priorities, the units of quotas, and the moves of agreements and visits."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType


class EntryKind(enum.StrEnum):
    """What one entry of the service catalogue is."""

    FAMILY = "family"
    """A family of systems, as parts are covered by: lighting, shades, Ketra, Limelight."""
    CALENDAR = "calendar"
    """Service hours in a time zone, with closed days."""
    POLICY = "policy"
    """What a call is owed, and when."""
    OFFER = "offer"
    """A plan, an agreement or a package that can be sold: a list of grants."""


class GrantKind(enum.StrEnum):
    """What a grant of an offer is for."""

    LABOR = "labor"
    """Troubleshooting and diagnosis, on site or remote."""
    PARTS = "parts"
    """Replacement, shipment and analysis of parts of its families."""
    RESPONSE = "response"
    """Troubleshooting visits within a commitment."""
    VISIT = "visit"
    """Planned days on site, for its purposes."""
    REMOTE = "remote"
    """Remote sessions, in hours or blocks."""
    SERVICE = "service"
    """A counted service, such as a class or hours of help."""
    CHANNEL = "channel"
    """A way to reach the support desk."""
    HOURS = "hours"
    """Windows that widen when work is delivered."""
    BENEFIT = "benefit"
    """Something that is promised without a count."""


class QuotaUnit(enum.StrEnum):
    """What a quota counts, per contract year."""

    VISIT = "visit"
    HOUR = "hour"
    """Counted in minutes."""
    BLOCK = "block"
    """Blocks of four hours; a started one counts whole."""
    TIME = "time"
    """How often."""


class Choice(enum.StrEnum):
    """What an agreement says of a grant."""

    ALWAYS = "always"
    """Nothing: it belongs to the offer."""
    COUNT = "count"
    """How many a year; may be none."""
    TICK = "tick"
    """Yes or no."""


class Platform(enum.StrEnum):
    """The kinds of systems at a site that grants depend on."""

    QUANTUM = "quantum"
    ATHENA = "athena"
    VIVE = "vive"
    KETRA = "ketra"
    OTHER = "other"


class AgreementState(enum.StrEnum):
    """Where an agreement stands."""

    DRAFT = "draft"
    OFFERED = "offered"
    """It has its prices and waits for acceptance."""
    ACCEPTED = "accepted"
    """Its terms are accepted: active from its first through its last day."""
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    TERMINATED = "terminated"
    """It was accepted, and ended before its last day."""


AGREEMENT_MOVES: Mapping[str, tuple[frozenset[AgreementState], AgreementState]] = MappingProxyType(
    {
        "offer": (frozenset({AgreementState.DRAFT}), AgreementState.OFFERED),
        "revise": (frozenset({AgreementState.OFFERED, AgreementState.DECLINED}), AgreementState.DRAFT),
        "accept": (frozenset({AgreementState.OFFERED}), AgreementState.ACCEPTED),
        "decline": (frozenset({AgreementState.OFFERED}), AgreementState.DECLINED),
        "withdraw": (
            frozenset({AgreementState.DRAFT, AgreementState.OFFERED, AgreementState.DECLINED}),
            AgreementState.WITHDRAWN,
        ),
        "terminate": (frozenset({AgreementState.ACCEPTED}), AgreementState.TERMINATED),
    }
)
BINDING_STATES = frozenset({AgreementState.ACCEPTED, AgreementState.TERMINATED})
"""Agreements that cover something, on the days from their start to their end."""


class VisitState(enum.StrEnum):
    """Where a dated visit stands. A slot without a date has no row."""

    DATED = "dated"
    DONE = "done"
    CONVERTED = "converted"
    """It became a remote session; the slot is used up."""
    CANCELLED = "cancelled"
    """The slot is free again."""


VISIT_MOVES: Mapping[str, tuple[frozenset[VisitState], VisitState]] = MappingProxyType(
    {
        "move": (frozenset({VisitState.DATED}), VisitState.DATED),
        "sign_off": (frozenset({VisitState.DATED}), VisitState.DONE),
        "convert": (frozenset({VisitState.DATED}), VisitState.CONVERTED),
        "cancel": (frozenset({VisitState.DATED}), VisitState.CANCELLED),
    }
)


class Priority(enum.StrEnum):
    """How badly a fault of software hinders work; 1 is worst (support policy, priority levels)."""

    ONE = "1"
    """Completely unavailable, no workaround."""
    TWO = "2"
    """A major function does not work; there is a temporary workaround."""
    THREE = "3"
    """Limited, without impairing the work."""


class CallState(enum.StrEnum):
    """Where a service call stands, read off its events."""

    OPEN = "open"
    PAUSED = "paused"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"


class CallEventKind(enum.StrEnum):
    """What can be recorded of a service call. Nothing recorded is changed: an event is corrected."""

    OPENED = "opened"
    CONFIRMED = "confirmed"
    """The desk confirmed that the problem exists."""
    PRIORITY = "priority"
    """It has this priority from now on."""
    RESPONDED = "responded"
    """Somebody is there, on site or remotely."""
    PAUSED = "paused"
    """Nothing can be done, for a named reason."""
    RESUMED = "resumed"
    NOTIFIED = "notified"
    """The account management was told."""
    ESCALATED = "escalated"
    """It was handed to the account manager."""
    FOLLOWED_UP = "followed_up"
    """The customer was called."""
    UPDATED = "updated"
    """The customer was told how it stands."""
    PROGRESS_STOPPED = "progress_stopped"
    """No reasonable progress can be made for now, for a named reason; what is owed goes on."""
    NOTED = "noted"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    WITHDRAWN = "withdrawn"
    CORRECTED = "corrected"
    """The named event of this call was wrong, and counts no more."""


class DueStatus(enum.StrEnum):
    """What became of something that was owed by an instant."""

    PENDING = "pending"
    PAUSED = "paused"
    """There is no due instant while the call is paused, only what remains."""
    MET = "met"
    LATE = "late"
    """Done, after it was due."""
    MISSED = "missed"
    """Not done, and the due instant is over."""
    WITHDRAWN = "withdrawn"
    """Not owed any more: resolved, or another priority before it was due."""
