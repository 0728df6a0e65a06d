"""What an agreement entitles to on a day at a site: how much is covered, how much is billable, and why.

Pure: agreements, systems and uses are brought as they were known at the instant that is asked for, so that the
same question has the same answer for ever (program rules, sections 9 and 10). What the warranty covers comes
first, then agreements by their start; what none covers is billable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from referral.text import say_day
from support.rules.offers import Choices, Grant, Offer, granted
from support.rules.quotas import (
    ContractYear,
    Meter,
    TopUp,
    Use,
    contract_year_of,
    contract_years,
    count_use,
    counted_grants,
    meter_of,
    say_amount,
    say_meter,
    say_year,
    split_use,
)
from support.states import GrantKind, Platform
from warranty.rules.coverage import WARRANTY, Cover, Coverage

NO_PROMISE = timedelta.max
"""The length of a commitment that promises nothing by an instant: it comes last."""
PLATFORM_WORDS: Mapping[Platform, str] = MappingProxyType(
    {
        Platform.QUANTUM: "Quantum",
        Platform.ATHENA: "Athena",
        Platform.VIVE: "Vive",
        Platform.KETRA: "Ketra",
        Platform.OTHER: "other",
    }
)
KIND_WORDS: Mapping[GrantKind, str] = MappingProxyType(
    {
        GrantKind.LABOR: "labor",
        GrantKind.PARTS: "parts",
        GrantKind.RESPONSE: "response within a commitment",
        GrantKind.VISIT: "visits",
        GrantKind.REMOTE: "remote sessions",
        GrantKind.SERVICE: "counted services",
        GrantKind.CHANNEL: "support lines",
        GrantKind.HOURS: "longer service hours",
        GrantKind.BENEFIT: "benefits",
    }
)
"""What a grant of a kind grants."""
CONFIRMED = "confirmed:"
"""A requirement with this before a grant's key says that the grant is available at the sites."""


@dataclass(frozen=True, slots=True)
class System:
    """A system that is at a site; see support.models.agreements.SiteSystem."""

    platform: Platform
    has_remote_access: bool
    """It is connected and configured for remote access."""
    since_on: date


@dataclass(frozen=True, slots=True)
class Mark:
    """A requirement is met, or not any more, from a day on."""

    number: int
    key: str
    is_met: bool
    since_on: date


@dataclass(frozen=True, slots=True)
class AgreementFacts:
    """An agreement that was accepted, as it was known at an instant."""

    dealer_id: UUID
    id: UUID
    ref: str
    offer: Offer
    choices: Choices
    provider: str
    """Who owes what it grants: the program."""
    site_ids: frozenset[UUID]
    starts_on: date
    months: int
    last_on: date
    """The last day covered: of the term, or the day it was terminated as far as that was known."""
    accepted_at: datetime | None = None
    """None for one that is only asked about."""
    is_terminated: bool = False
    uses: tuple[Use, ...] = ()
    top_ups: tuple[TopUp, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def name(self) -> str:
        """The agreement as answers name it."""
        return f"{self.offer.name} {self.ref}"

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What holds of the offer under this agreement."""
        return granted(self.offer, self.choices)

    @property
    def years(self) -> tuple[ContractYear, ...]:
        """The contract years of its term."""
        return contract_years(self.starts_on, self.months, self.last_on)

    def year_of(self, day: date) -> ContractYear | None:
        """Return the contract year of a day; None outside of the term."""
        return contract_year_of(day, self.starts_on, self.months, self.last_on)

    def meters(self, year: int) -> tuple[Meter, ...]:
        """Return the meters of a contract year, of all that is granted with a quota or was bought."""
        meters = (
            meter_of(grant, year, self.uses, self.top_ups)
            for grant in counted_grants(self.offer, self.choices)
        )
        return tuple(meter for meter in meters if meter.whole != 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to know, or to have."""

    kind: GrantKind
    day: date
    """Of the site."""
    site_id: UUID
    site_name: str
    amount: int = 1
    """Minutes of remote sessions and hours, else units."""
    family: str = ""
    """For parts: the key of their family."""
    platform: Platform | None = None
    """The kind of system it is about; None is any that is there."""
    grant_key: str = ""
    """The grant that was picked; '' takes the best."""
    within: Mapping[str, int] = field(default_factory=dict)
    """What it holds of the things that the grant limits each time."""


@dataclass(frozen=True, slots=True)
class Option:
    """A grant of an agreement that could serve, and what of it would be covered."""

    agreement_id: UUID
    agreement_ref: str
    agreement_name: str
    provider: str
    grant_key: str
    grant_name: str
    policy: str | None
    year: ContractYear
    meter: Meter | None
    """None where it is granted without a count."""
    amount: int
    covered: int
    billable: int


@dataclass(frozen=True, slots=True)
class Entitlement:
    """The answer: what is covered of it, by what, and why, in order."""

    asked: Asked
    amount: int
    """What it counts for."""
    covered: int
    billable: int
    by: Option | None
    """The grant that serves; it may have nothing left. None where none does, or something else covers it."""
    cover: Cover | None
    """What covers the unit's parts or labor: its warranty, before all plans."""
    others: tuple[Option, ...]
    reasons: tuple[str, ...]

    @property
    def is_covered(self) -> bool:
        """Whether anything of it is covered."""
        return self.covered > 0


def entitle(
    asked: Asked,
    agreements: Iterable[AgreementFacts],
    systems: Sequence[System],
    promises: Mapping[str, timedelta],
    coverage: Coverage | None = None,
) -> Entitlement:
    """Return what is covered of what is asked.

    `systems` are those at the site on that day, `promises` how long each response policy takes by its key, and
    `coverage` what warranty.rules.coverage.decide says of the unit, plans included: of its parts and labor it alone
    decides, with the limit of ten years. A response takes the best commitment with anything left, or the grant
    that was picked.
    """
    reasons: list[str] = []
    cover = None
    if coverage is not None and asked.kind in {GrantKind.PARTS, GrantKind.LABOR}:
        cover = _cover_of(coverage, asked.kind)
        reasons += coverage.reasons
        if cover is None:
            reasons.append(f"Nothing covers {KIND_WORDS[asked.kind]} of this unit on {say_day(asked.day)}.")
            return Entitlement(asked, asked.amount, 0, asked.amount, None, None, (), tuple(reasons))
    options: list[Option] = []
    for facts in sorted(agreements, key=lambda each: (each.starts_on, each.ref)):
        found, said = _options(asked, facts, systems)
        options += found
        reasons += said
    if cover is not None:
        by = next((option for option in options if option.agreement_name == cover.by), None)
        who = "Its warranty" if cover.by == WARRANTY else cover.by
        reasons.append(f"{who} covers it: {cover.provider} owes it.")
        others = tuple(option for option in options if option is not by)
        return Entitlement(asked, asked.amount, asked.amount, 0, by, cover, others, tuple(reasons))
    if not options:
        reasons.append("No agreement covers it: it is billable.")
        return Entitlement(asked, asked.amount, 0, asked.amount, None, None, (), tuple(reasons))
    best = min(
        range(len(options)),
        key=lambda place: (not options[place].covered, _promise(options[place], asked, promises), place),
    )
    by = options[best]
    reasons.append(_say_option(by))
    others = tuple(option for option in options if option is not by)
    return Entitlement(asked, by.amount, by.covered, by.billable, by, None, others, tuple(reasons))


def why_not(
    grant: Grant,
    facts: AgreementFacts,
    day: date,
    site_name: str,
    systems: Sequence[System],
    platform: Platform | None = None,
) -> tuple[str, str] | None:
    """Return why a grant cannot be used on a day at a site, as (refusal code, words); None where it can.

    `systems` are those that were there on that day; `platform` is the kind of system it is for, if that is said.
    """
    if platform is not None and grant.platforms and platform not in grant.platforms:
        return "not_eligible", (
            f"{grant.name}: for {_names(grant)} systems only, not for {PLATFORM_WORDS[platform]}."
        )
    if (grant.platforms or grant.needs_remote_access) and not _fits(grant, systems, platform):
        return "not_eligible", (
            f"{grant.name}: this needs {_needed(grant)}; none is recorded at {site_name} on {say_day(day)}."
        )
    if grant.needs_confirmation and not is_met(facts.marks, CONFIRMED + grant.key, day):
        return "not_confirmed", (
            f"{grant.name}: it is not confirmed as available at the sites of {facts.ref} on {say_day(day)}."
        )
    return None


def is_met(marks: Iterable[Mark], key: str, day: date) -> bool:
    """Say whether a requirement is met on a day: the mark of the latest day until then, recorded last, says so."""
    there = [mark for mark in marks if mark.key == key and mark.since_on <= day]
    return bool(there) and max(there, key=lambda mark: (mark.since_on, mark.number)).is_met


def _cover_of(coverage: Coverage, kind: GrantKind) -> Cover | None:
    return next(
        (cover for cover in coverage.covers if (cover.parts if kind is GrantKind.PARTS else cover.labor)),
        None,
    )


def _options(
    asked: Asked, facts: AgreementFacts, systems: Sequence[System]
) -> tuple[list[Option], list[str]]:
    """Return what an agreement offers for it, and why not where it does not."""
    days = f"{say_day(facts.starts_on)} through {say_day(facts.last_on)}"
    year = facts.year_of(asked.day)
    if year is None:
        ended = f" It was terminated on {say_day(facts.last_on)}." if facts.is_terminated else ""
        return [], [f"{facts.name} covers {days}, not {say_day(asked.day)}.{ended}"]
    if asked.site_id not in facts.site_ids:
        return [], [f"{facts.name} is not for {asked.site_name}."]
    grants = [grant for grant in _usable(facts) if _is_asked(grant, asked)]
    if not grants:
        what = asked.grant_key or (
            f"parts of {asked.family}"
            if asked.kind is GrantKind.PARTS and asked.family
            else KIND_WORDS[asked.kind]
        )
        return [], [f"{facts.name} does not grant {what}."]
    options: list[Option] = []
    said: list[str] = []
    none: list[str] = []
    for grant in grants:
        refused = why_not(grant, facts, asked.day, asked.site_name, systems, asked.platform)
        if refused is not None:
            said.append(refused[1])
            continue
        option = _option(asked, facts, grant, year)
        if option.meter is not None and option.meter.whole == 0:
            none.append(f"{facts.name}, {grant.name}: none in {say_year(year)}; more can be bought.")
            continue
        options.append(option)
        if option.meter is not None and (option.meter.whole is not None or option.meter.used):
            said.append(f"{facts.name}, {grant.name}: {say_meter(option.meter, year)}")
        if grant.place:
            said.append(f"{grant.name} is given in {grant.place} only.")
    return options, said if options else [*said, *none]


def _usable(facts: AgreementFacts) -> list[Grant]:
    """Return what is granted, and what is counted as none and could be bought."""
    keys = {grant.key for grant in facts.grants}
    bought = [grant for grant in counted_grants(facts.offer, facts.choices) if grant.key not in keys]
    return [*facts.grants, *bought]


def _is_asked(grant: Grant, asked: Asked) -> bool:
    if asked.grant_key:
        return grant.key == asked.grant_key
    if grant.kind is not asked.kind:
        return False
    return (
        asked.kind is not GrantKind.PARTS
        or not asked.family
        or not grant.families
        or asked.family in grant.families
    )


def _option(asked: Asked, facts: AgreementFacts, grant: Grant, year: ContractYear) -> Option:
    meter = None
    amount, covered, billable = asked.amount, asked.amount, 0
    if grant.quota is not None:
        meter = meter_of(grant, year.number, facts.uses, facts.top_ups)
        amount = count_use(grant, asked.amount)
        covered, billable = split_use(meter, amount)
    return Option(
        agreement_id=facts.id,
        agreement_ref=facts.ref,
        agreement_name=facts.name,
        provider=facts.provider,
        grant_key=grant.key,
        grant_name=grant.name,
        policy=grant.policy,
        year=year,
        meter=meter,
        amount=amount,
        covered=covered,
        billable=billable,
    )


def _say_option(option: Option) -> str:
    by = f"{option.agreement_name} ({option.grant_name})"
    if option.meter is None:
        return f"{by} covers it."
    unit = option.meter.unit
    if not option.billable:
        return f"{by} covers it: {say_amount(unit, option.covered)}."
    if not option.covered:
        return f"{by} has nothing left: {say_amount(unit, option.billable)} billable."
    return f"{by} covers {say_amount(unit, option.covered)}; {say_amount(unit, option.billable)} billable."


def _promise(option: Option, asked: Asked, promises: Mapping[str, timedelta]) -> timedelta:
    if asked.kind is not GrantKind.RESPONSE or option.policy is None:
        return NO_PROMISE
    return promises.get(option.policy, NO_PROMISE)


def _fits(grant: Grant, systems: Sequence[System], platform: Platform | None) -> bool:
    return any(
        (not grant.platforms or system.platform in grant.platforms)
        and (platform is None or system.platform is platform)
        and (system.has_remote_access or not grant.needs_remote_access)
        for system in systems
    )


def _names(grant: Grant) -> str:
    names = [PLATFORM_WORDS[platform] for platform in grant.platforms]
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)


def _needed(grant: Grant) -> str:
    kinds = f"{_names(grant)} system" if grant.platforms else "system"
    return f"a connected {kinds} with remote access" if grant.needs_remote_access else f"a {kinds}"
