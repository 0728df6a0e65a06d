"""States and moves: the table of verbs is the only way a state changes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from referral.errors import Refusal


class ReferralState(enum.StrEnum):
    """Where a referral stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    PARKED = "parked"
    """Another account has this project already: the dealer or the program chooses between them."""
    EXPIRED = "expired"
    """Nobody answered in time, and the project was referred again."""
    CLOSED = "closed"
    """Another account was chosen; what was ordered stays."""


ReferralMoves = Mapping[str, tuple[frozenset[ReferralState], ReferralState]]
REFERRAL_MOVES: ReferralMoves = MappingProxyType(
    {
        "accept": (frozenset({ReferralState.OPEN}), ReferralState.ACCEPTED),
        "refuse": (frozenset({ReferralState.OPEN}), ReferralState.REFUSED),
        "withdraw": (frozenset({ReferralState.OPEN, ReferralState.PARKED}), ReferralState.WITHDRAWN),
        "expire": (frozenset({ReferralState.OPEN}), ReferralState.EXPIRED),
        "choose": (frozenset({ReferralState.PARKED}), ReferralState.OPEN),
        "pass_over": (frozenset({ReferralState.PARKED}), ReferralState.CLOSED),
        "close": (frozenset({ReferralState.OPEN, ReferralState.ACCEPTED}), ReferralState.CLOSED),
    }
)
"""verb: (states it starts from, state it ends in)."""

LIVE_REFERRAL_STATES = (ReferralState.OPEN, ReferralState.ACCEPTED)
"""While a referral is in one of these, its project cannot be referred again by the same dealer."""

S = TypeVar("S", bound=enum.StrEnum)


def next_state(moves: Mapping[str, tuple[frozenset[S], S]], verb: str, state: S, refusal: str) -> S:
    """Return the state after `verb`; raises the named Refusal where the table has no such move."""
    sources, target = moves[verb]
    if state not in sources:
        raise Refusal(refusal, details={"state": state.value, "verb": verb})
    return target
