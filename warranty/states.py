"""Kinds of events, where an installed source stands, when a warranty starts, and the moves of a claim."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from quotes.states import Category

KETRA = frozenset({Category.LIGHT_SOURCE, Category.ACCESSORY})
"""The categories whose units are installed sources: all Ketra light sources and accessories (program sheet)."""


class SourceEventKind(enum.StrEnum):
    """What can be recorded of an installed source. Nothing recorded is changed: an event is voided."""

    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMMISSIONED = "commissioned"
    MOVED = "moved"
    """It is at this site and in this room from the day on."""
    IDENTIFIED = "identified"
    """It bears this serial number."""
    SPLIT = "split"
    """Units of the group are recorded apart from now on, as another installed source."""
    REPLACED = "replaced"
    """It was taken out, and another source took its place that day."""
    REPLACES = "replaces"
    """It took the place of another source that day."""
    RETIRED = "retired"
    """It was taken out, and nothing took its place."""
    VOIDED = "voided"
    """It is no installed source any more: it went back with a return of its order."""
    CORRECTED = "corrected"
    """The named event of this source was wrong, and counts no more."""


class Standing(enum.StrEnum):
    """Where an installed source stands, as its standing events say."""

    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMMISSIONED = "commissioned"
    REPLACED = "replaced"
    RETIRED = "retired"
    VOIDED = "voided"


IN_PLACE = frozenset({Standing.SHIPPED, Standing.DELIVERED, Standing.COMMISSIONED})
"""Those that are still there, or on their way."""


class StartRule(enum.StrEnum):
    """The event that a warranty starts with."""

    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMMISSIONED = "commissioned"


class Verdict(enum.StrEnum):
    """The answer to whether a failure is covered."""

    COVERED = "covered"
    NOT_COVERED = "not_covered"
    UNDETERMINED = "undetermined"


class Lacking(enum.StrEnum):
    """What an undetermined answer waits for."""

    TERMS = "terms"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMMISSIONED = "commissioned"
    REPLACES = "replaces"
    """Which source a warranty replacement took the place of, and when."""


class ClaimState(enum.StrEnum):
    """Where a claim stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FULFILLED = "fulfilled"
    WITHDRAWN = "withdrawn"


CLAIM_MOVES: Mapping[str, tuple[frozenset[ClaimState], ClaimState]] = MappingProxyType(
    {
        "accept": (frozenset({ClaimState.OPEN}), ClaimState.ACCEPTED),
        "refuse": (frozenset({ClaimState.OPEN}), ClaimState.REFUSED),
        "fulfil": (frozenset({ClaimState.ACCEPTED}), ClaimState.FULFILLED),
        "withdraw": (frozenset({ClaimState.OPEN, ClaimState.ACCEPTED}), ClaimState.WITHDRAWN),
    }
)
LIVE_CLAIM_STATES = frozenset({ClaimState.OPEN, ClaimState.ACCEPTED})
