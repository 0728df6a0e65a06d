"""What an offer grants, and what an agreement chose of it: data in, frozen values out.

An offer is versioned data (support plans, custom plan, software maintenance, support packages). It includes
other offers, and says of each grant whether it belongs to it, is counted or is ticked. What was sold never
changes: a changed offer is another version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from support.states import Choice, GrantKind, Platform, QuotaUnit

BLOCK_MINUTES = 240
"""A remote session is sold in blocks of four hours, and a started one counts whole (custom plan, remote services)."""
MINUTES_OF_HOUR = 60

Choices: TypeAlias = Mapping[str, int | bool | None]
"""What an agreement says of the grants that are to be chosen, by grant key: a count, None for unlimited, or a tick."""


@dataclass(frozen=True, slots=True)
class SubLimit:
    """A limit within a quota, in words that people check: such as one day on site of a yearly visit."""

    name: str
    amount: int


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of a grant there is in a contract year; nothing is carried over."""

    unit: QuotaUnit
    amount: int | None
    """Units of `unit`; None is unlimited. Of a grant that is counted, the agreement says it."""
    limits: tuple[SubLimit, ...] = ()
    """Within each one that is used."""

    @property
    def minutes_of_unit(self) -> int | None:
        """Minutes of one unit, for quotas of time."""
        return {QuotaUnit.HOUR: MINUTES_OF_HOUR, QuotaUnit.BLOCK: BLOCK_MINUTES}.get(self.unit)


@dataclass(frozen=True, slots=True)
class Grant:
    """One thing that an offer grants."""

    key: str
    kind: GrantKind
    name: str
    words: str
    """What the text of the offer says of it."""
    chart: str
    """The chart or part of the text it stands in: a heading of the builder."""
    choice: Choice = Choice.ALWAYS
    families: tuple[str, ...] = ()
    """Keys of the families whose parts are covered, or to whose systems it is limited; empty is all."""
    platforms: tuple[Platform, ...] = ()
    """The kinds of systems it is for; empty is all."""
    needs_remote_access: bool = False
    """Only for a system that is connected and configured for remote access."""
    needs_confirmation: bool = False
    """Only where its availability at the site's place is confirmed."""
    quota: Quota | None = None
    """None is without a count."""
    policy: str | None = None
    """The key of the policy that its calls run under."""
    purposes: tuple[str, ...] = ()
    """What a visit or session can be for."""
    windows: str | None = None
    """The key of the calendar whose windows are added to those of the site, for delivery only."""
    place: str = ""
    """The only place where it is given."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something the customer sees to; unmet it is a reason to pause or decline a call."""

    key: str
    name: str
    is_ground_to_decline: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """Work that comes due by itself a while after something: after the start, or after a kind of visit."""

    key: str
    name: str
    after: str
    """`start`, or the key of the visit grant whose done visit it follows."""
    days: int = 0
    months: int = 0
    is_remote: bool = True


@dataclass(frozen=True, slots=True)
class Checklist:
    """What is checked on a visit for a purpose, point by point."""

    purpose: str
    """A purpose of visit grants, in the same words."""
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be sold: a version of it."""

    key: str
    version: int
    name: str
    words: str
    source: str
    """The text it comes from."""
    grants: tuple[Grant, ...]
    """Its own first, then those it includes."""
    includes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    """What it names as not included."""
    requirements: tuple[Requirement, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    checklists: tuple[Checklist, ...] = ()
    calendar: str = ""
    """The key of the calendar its calls run on."""
    policies: tuple[str, ...] = ()
    """The keys of the policies that its calls can be opened under where no grant names one."""
    longest_months: int = 120
    whole_years: bool = False
    """Sold for whole years only."""
    platforms: tuple[Platform, ...] = ()
    """Sold only for sites with one of these systems; empty is any."""
    above_cents: int | None = None
    """Sold only where licenses are worth more than this; None is any."""
    is_sold: bool = True
    """False: not sold by itself (any more); others may include it, and agreements keep what they have."""

    def grant(self, key: str) -> Grant | None:
        """Return the grant of this key."""
        return next((each for each in self.grants if each.key == key), None)


def offer_of(content: Mapping[str, Any], version: int, included: Sequence[Offer] = ()) -> Offer:
    """Return the offer of an entry's content, with the grants of the offers it includes.

    A grant of its own takes the place of an included one with the same key, and its response that of every
    included response: the better commitment is the one it names (support plans, "include the Silver features").
    Requirements and schedules are included too, its own first.
    """
    own = tuple(grant_of(each) for each in content["grants"])
    keys = {grant.key for grant in own}
    has_response = any(grant.kind is GrantKind.RESPONSE for grant in own)
    grants = list(own)
    for other in included:
        for grant in other.grants:
            if grant.key not in keys and not (has_response and grant.kind is GrantKind.RESPONSE):
                keys.add(grant.key)
                grants.append(grant)
    return Offer(
        key=content["key"],
        version=version,
        name=content["name"],
        words=content["words"],
        source=content["source"],
        grants=tuple(grants),
        includes=tuple(content["includes"]),
        excluded=tuple(content["excluded"]),
        requirements=_joined(
            (Requirement(**each) for each in content["requirements"]),
            [each.requirements for each in included],
        ),
        schedules=_joined(
            (Schedule(**each) for each in content["schedules"]), [each.schedules for each in included]
        ),
        checklists=_checklists_of(content, included),
        calendar=content["calendar"],
        policies=tuple(content["policies"]),
        longest_months=content["longest_months"],
        whole_years=content["whole_years"],
        platforms=tuple(Platform(each) for each in content["platforms"]),
        above_cents=content["above_cents"],
        is_sold=content["is_sold"],
    )


_Keyed = TypeVar("_Keyed", Requirement, Schedule)


def _joined(own: Iterable[_Keyed], included: Iterable[Sequence[_Keyed]]) -> tuple[_Keyed, ...]:
    """Return what an offer says itself, then what the others say under other keys."""
    found = {each.key: each for each in own}
    for others in included:
        for each in others:
            found.setdefault(each.key, each)
    return tuple(found.values())


def _checklists_of(content: Mapping[str, Any], included: Sequence[Offer]) -> tuple[Checklist, ...]:
    """Return the checklists of an offer; its own of a purpose takes the place of an included one."""
    found = {
        each["purpose"]: Checklist(each["purpose"], tuple(each["points"]))
        for each in content.get("checklists", ())
    }
    for other in included:
        for checklist in other.checklists:
            found.setdefault(checklist.purpose, checklist)
    return tuple(found.values())


def grant_of(content: Mapping[str, Any]) -> Grant:
    """Return a grant of an entry's content, which was checked when it was loaded."""
    quota = content["quota"]
    return Grant(
        key=content["key"],
        kind=GrantKind(content["kind"]),
        name=content["name"],
        words=content["words"],
        chart=content["chart"],
        choice=Choice(content["choice"]),
        families=tuple(content["families"]),
        platforms=tuple(Platform(each) for each in content["platforms"]),
        needs_remote_access=content["needs_remote_access"],
        needs_confirmation=content["needs_confirmation"],
        quota=None
        if quota is None
        else Quota(
            QuotaUnit(quota["unit"]),
            quota["amount"],
            tuple(SubLimit(each["name"], each["amount"]) for each in quota["limits"]),
        ),
        policy=content["policy"],
        purposes=tuple(content["purposes"]),
        windows=content["windows"],
        place=content["place"],
    )


def granted(offer: Offer, choices: Choices) -> tuple[Grant, ...]:
    """Return the grants that hold under an agreement: those always there, those ticked, those counted above none.

    The quota of a counted grant is the count that was chosen. What is not chosen is not granted.
    """
    grants = []
    for grant in offer.grants:
        if grant.choice is Choice.ALWAYS:
            grants.append(grant)
        elif grant.choice is Choice.TICK:
            if choices.get(grant.key) is True:
                grants.append(grant)
        elif grant.key in choices and choices[grant.key] != 0 and grant.quota is not None:
            amount = choices[grant.key]
            quota = replace(grant.quota, amount=None if amount is None else int(amount))
            grants.append(replace(grant, quota=quota))
    return tuple(grants)
