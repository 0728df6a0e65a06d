"""How a service call can be opened: under an agreement's commitment, in warranty, or as billable work."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from quotes.rules.content import canonical_json
from support.rules.entitlement import NO_PROMISE
from support.rules.policy import Policy
from support.states import CallEventKind


class WayKind(enum.StrEnum):
    """Who owes the work of a call."""

    AGREEMENT = "agreement"
    WARRANTY = "warranty"
    BILLABLE = "billable"


BILLABLE_NAME = "Billable work"
WARRANTY_NAME = "In warranty"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to open a call. Versions are those of the instant it is opened at."""

    kind: WayKind
    handler_id: UUID
    handler: str
    """The company whose desk works on it."""
    name: str
    """As a choice says it."""
    reasons: tuple[str, ...] = ()
    agreement_id: UUID | None = None
    agreement_ref: str = ""
    agreement_name: str = ""
    grant_key: str = ""
    policy_id: UUID | None = None
    policy_key: str = ""
    policy_version: int = 0
    policy_name: str = ""
    calendar_id: UUID | None = None
    calendar_key: str = ""
    calendar_version: int = 0
    time_zone: str = ""
    """The zone that the calendar's hours are in at the site; '' without a calendar."""
    has_priorities: bool = False
    covered: int = 0
    """Of the one response that is asked for; 0 where nothing is left."""
    billable: int = 0
    promise: timedelta = NO_PROMISE

    @property
    def under(self) -> str:
        """The word that picks it: warranty, billable, or an agreement's number with its grant."""
        if self.kind is not WayKind.AGREEMENT:
            return self.kind.value
        return f"{self.agreement_ref}/{self.grant_key}" if self.grant_key else self.agreement_ref


def promise_of(policy: Policy) -> timedelta:
    """Return how long after its opening a call's first obligation is due at the latest; NO_PROMISE without one."""
    lengths = [
        each.elapsed or timedelta(days=each.business_days or each.calendar_days or 0)
        for each in policy.obligations
        if each.anchor is CallEventKind.OPENED and not each.repeats and each.of_priority is None
    ]
    return min(lengths, default=NO_PROMISE)


def best_first(ways: Iterable[Way]) -> tuple[Way, ...]:
    """Return ways, the one that is taken where none is picked first.

    The shortest commitment with anything left, then the warranty, then commitments with nothing left, of which
    the response is billable, then billable work.
    """
    places = {WayKind.WARRANTY: 1, WayKind.BILLABLE: 3}
    return tuple(
        sorted(
            ways,
            key=lambda way: (places.get(way.kind, 0 if way.covered else 2), way.promise, way.agreement_ref),
        )
    )


@dataclass(frozen=True, slots=True)
class FrozenEntitlement:
    """What a call was entitled to when it was opened, as it was kept."""

    kind: WayKind
    name: str
    handler: str
    agreement: str
    grant: str
    policy: str
    calendar: str
    covered: int
    billable: int
    reasons: tuple[str, ...]
    as_of: datetime


def entitlement_json(way: Way, *, as_of: datetime) -> str:
    """Return what a call is entitled to as canonical JSON, to be kept with it."""
    return canonical_json(
        {
            "kind": way.kind.value,
            "name": way.name,
            "handler": way.handler,
            "agreement": way.agreement_ref,
            "grant": way.grant_key,
            "policy": _version(way.policy_key, way.policy_version),
            "calendar": _version(way.calendar_key, way.calendar_version),
            "covered": way.covered,
            "billable": way.billable,
            "reasons": list(way.reasons),
            "as_of": as_of.isoformat(),
        }
    )


def read_entitlement(text: str) -> FrozenEntitlement:
    """Return a kept entitlement. Raises ValueError where it cannot be read."""
    try:
        said: Mapping[str, Any] = json.loads(text)
        return FrozenEntitlement(
            kind=WayKind(said["kind"]),
            name=str(said["name"]),
            handler=str(said["handler"]),
            agreement=str(said["agreement"]),
            grant=str(said["grant"]),
            policy=str(said["policy"]),
            calendar=str(said["calendar"]),
            covered=int(said["covered"]),
            billable=int(said["billable"]),
            reasons=tuple(str(each) for each in said["reasons"]),
            as_of=datetime.fromisoformat(said["as_of"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"no entitlement: {error}") from error


def _version(key: str, version: int) -> str:
    return f"{key} {version}" if key else ""
