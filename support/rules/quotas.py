"""Quotas: contract years, what is left of a grant in one, and what of a use it covers.

Pure: no clock, no database. Quotas are per contract year; nothing is carried over into the next, and no grant
stands in for another. Quotas of hours are counted in minutes, those of blocks in started blocks (program rules,
section 10).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from referral.errors import Refusal
from referral.text import say_day
from support.rules.offers import BLOCK_MINUTES, MINUTES_OF_HOUR, Choices, Grant, Offer, granted
from support.states import Choice, QuotaUnit
from warranty.rules.months import last_day_of

MONTHS_OF_YEAR = 12
MOST_ASKED = 1_000_000
"""More than this is a slip of the pen."""
MOST_NUMBER = 1_000_000_000
"""No use has a number above this."""
_ONE_DAY = timedelta(days=1)
_UNIT_WORDS = {
    QuotaUnit.VISIT: ("visit", "visits"),
    QuotaUnit.BLOCK: ("4-hour block", "4-hour blocks"),
    QuotaUnit.TIME: ("time", "times"),
}


@dataclass(frozen=True, slots=True)
class ContractYear:
    """A year of an agreement, counted from its first day; both days are included."""

    number: int
    """1 is the first twelve months of the term."""
    first_on: date
    last_on: date
    """Of the last one the end of the term, or the day the agreement was terminated."""


@dataclass(frozen=True, slots=True)
class Use:
    """A use as the meters count it; see support.models.agreements.QuotaUse."""

    number: int
    grant_key: str
    contract_year: int
    amount: int
    covered: int
    billable: int
    reverses: int | None = None


@dataclass(frozen=True, slots=True)
class TopUp:
    """More of a grant in one contract year; see support.models.agreements.QuotaTopUp."""

    number: int
    grant_key: str
    contract_year: int
    amount: int
    """Units of the grant's quota: hours, blocks, visits, times."""


@dataclass(frozen=True, slots=True)
class Meter:
    """What there is of a grant in a contract year: minutes of a quota of hours, else units."""

    grant_key: str
    contract_year: int
    unit: QuotaUnit
    amount: int | None
    """What the agreement grants; None is unlimited."""
    topped_up: int
    used: int
    """What uses that stand were covered with."""
    left: int | None
    """None is unlimited."""
    billable: int = 0
    """What uses that stand had beyond it."""

    @property
    def whole(self) -> int | None:
        """What there is with what was bought; None is unlimited."""
        return None if self.amount is None else self.amount + self.topped_up


def contract_years(starts_on: date, months: int, last_on: date) -> tuple[ContractYear, ...]:
    """Return the contract years of a term of so many months that begins on a day and ends on `last_on`.

    Each begins on the day after the last of those before, by the one month rule from the first day: of a term
    from 29 February the second year begins on 1 March, the fifth on 29 February again. A term that was ended
    before has the years until then, the last one cut short; one ended before it began has none.
    """
    end = min(last_on, last_day_of(starts_on, months))
    years: list[ContractYear] = []
    first = starts_on
    while first <= end:
        number = len(years) + 1
        reached = min(number * MONTHS_OF_YEAR, months)
        last = min(end, last_day_of(starts_on, reached))
        years.append(ContractYear(number, first, last))
        first = last + _ONE_DAY
    return tuple(years)


def contract_year_of(day: date, starts_on: date, months: int, last_on: date) -> ContractYear | None:
    """Return the contract year that a day lies in; None before the start and after the end."""
    for year in contract_years(starts_on, months, last_on):
        if year.first_on <= day <= year.last_on:
            return year
    return None


def counted_grants(offer: Offer, choices: Choices) -> tuple[Grant, ...]:
    """Return the grants with a quota that an agreement has, or could buy more of: those counted as none too.

    A counted grant that was not chosen has a quota of none: a paid day can be bought of it.
    """
    held = {grant.key: grant for grant in granted(offer, choices) if grant.quota is not None}
    found = []
    for grant in offer.grants:
        if grant.key in held:
            found.append(held[grant.key])
        elif grant.choice is Choice.COUNT and grant.quota is not None:
            found.append(replace(grant, quota=replace(grant.quota, amount=0)))
    return tuple(found)


def counted(unit: QuotaUnit, units: int) -> int:
    """Return units of a quota as its meter counts them: hours as minutes, else as they are."""
    return units * MINUTES_OF_HOUR if unit is QuotaUnit.HOUR else units


def count_use(grant: Grant, asked: int) -> int:
    """Return what a use counts for, `asked` in minutes of a quota of time, else in units.

    A started block counts whole: 5 hours are 2 blocks. Raises Refusal(invalid_input) for none or far too much.
    """
    if not 1 <= asked <= MOST_ASKED:
        raise Refusal("invalid_input", "Say how much was used, at least 1.", "asked")
    if grant.quota is not None and grant.quota.unit is QuotaUnit.BLOCK:
        return -(-asked // BLOCK_MINUTES)
    return asked


def guard_limits(grant: Grant, within: Mapping[str, int]) -> None:
    """Guard: what one use held lies within the limits of the grant, by the limit's name.

    Raises Refusal(not_granted) naming the limit, (invalid_input) for one that the grant does not have.
    """
    limits = {} if grant.quota is None else {limit.name: limit.amount for limit in grant.quota.limits}
    for name, said in within.items():
        if name not in limits or said < 0:
            raise Refusal("invalid_input", f"{grant.name} has no limit called “{name}”.", "within")
        if said > limits[name]:
            raise Refusal(
                "not_granted",
                f"{grant.name}: at most {limits[name]:,} {name} each time; {said:,} are asked.",
                "within",
                details={"limit": name, "amount": limits[name], "asked": said},
            )


def meter_of(
    grant: Grant, contract_year: int, uses: Iterable[Use] = (), top_ups: Iterable[TopUp] = ()
) -> Meter:
    """Return the meter of a grant with a quota in a contract year. Raises ValueError for a grant without one."""
    if grant.quota is None:
        raise ValueError("a meter is of a grant with a quota")
    quota = grant.quota
    amount = None if quota.amount is None else counted(quota.unit, quota.amount)
    topped_up = sum(
        counted(quota.unit, each.amount)
        for each in top_ups
        if (each.grant_key, each.contract_year) == (grant.key, contract_year)
    )
    standing = [
        use for use in standing_uses(uses) if (use.grant_key, use.contract_year) == (grant.key, contract_year)
    ]
    used = sum(use.covered for use in standing)
    left = None if amount is None else max(amount + topped_up - used, 0)
    billable = sum(use.billable for use in standing)
    return Meter(grant.key, contract_year, quota.unit, amount, topped_up, used, left, billable)


def standing_uses(uses: Iterable[Use]) -> tuple[Use, ...]:
    """Return the uses that were not taken back."""
    given = tuple(uses)
    gone = {use.reverses for use in given if use.reverses is not None}
    return tuple(use for use in given if use.reverses is None and use.number not in gone)


def split_use(meter: Meter, amount: int) -> tuple[int, int]:
    """Return (covered, billable) of a use: covered up to what is left, the remainder billable."""
    covered = amount if meter.left is None else min(meter.left, amount)
    return covered, amount - covered


def say_year(year: ContractYear) -> str:
    """Return a contract year in words."""
    return f"the contract year {say_day(year.first_on)} – {say_day(year.last_on)}"


def say_meter(meter: Meter, year: ContractYear) -> str:
    """Return how a meter stands, as a sentence."""
    if meter.whole is None:
        used = f"; {say_amount(meter.unit, meter.used)} used" if meter.used else ""
        return f"Unlimited {say_units(meter.unit, 2)} in {say_year(year)}{used}."
    if meter.unit is QuotaUnit.HOUR:
        said = f"{say_amount(meter.unit, meter.used)} of {say_amount(meter.unit, meter.whole)}"
        return f"{said} of {say_year(year)} are used."
    verb = "is" if meter.whole == 1 else "are"
    return f"{meter.used:,} of {say_amount(meter.unit, meter.whole)} of {say_year(year)} {verb} used."


def say_amount(unit: QuotaUnit, amount: int) -> str:
    """Return what a meter counts in words: `1 visit`, `3 4-hour blocks`, `1 h 30 min`."""
    if unit is QuotaUnit.HOUR:
        hours, minutes = divmod(amount, MINUTES_OF_HOUR)
        parts = ([f"{hours:,} h"] if hours or not minutes else []) + ([f"{minutes} min"] if minutes else [])
        return " ".join(parts)
    one, many = _UNIT_WORDS[unit]
    return f"{amount:,} {one if amount == 1 else many}"


def say_units(unit: QuotaUnit, count: int) -> str:
    """Return the unit of a count without the count: `visits`, `hours`."""
    if unit is QuotaUnit.HOUR:
        return "hour" if count == 1 else "hours"
    return _UNIT_WORDS[unit][count != 1]
