"""What an agreement can be of an offer, what it costs, and what it says as a whole (program rules, section 10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from types import MappingProxyType

from quotes.rules.content import canonical_json
from referral.errors import Problem, Refusal
from referral.money import format_cents, round_half_up
from referral.text import say_day
from support.rules.offers import Choices, Grant, Offer, Quota, granted
from support.rules.quotas import MONTHS_OF_YEAR, contract_years, say_units
from support.states import Choice, Platform, QuotaUnit
from warranty.rules.months import last_day_of

MOST_CHOSEN = 999
"""The largest count of a grant; what is more is unlimited."""
WHOLE = 10_000
"""Hundredths of a percent in one whole."""
TERMS_VERSION = "support-2026-1"
TERMS_STATEMENT = "I accept the standard terms and conditions of the manufacturer for this agreement."
"""What the dealer ticks: pricing is based on acceptance of the standard terms (support plans)."""
PLATFORM_WORDS: Mapping[Platform, str] = MappingProxyType(
    {
        Platform.QUANTUM: "Quantum",
        Platform.ATHENA: "Athena",
        Platform.VIVE: "Vive",
        Platform.KETRA: "Ketra",
        Platform.OTHER: "other",
    }
)
_ONE_DAY = timedelta(days=1)


# what can be chosen -----------------------------------------------------------------------------


def choosable(offer: Offer) -> tuple[Grant, ...]:
    """Return the grants that an agreement counts or ticks, in the order of the offer."""
    return tuple(grant for grant in offer.grants if grant.choice is not Choice.ALWAYS)


def may_be_unlimited(grant: Grant) -> bool:
    """Say whether a counted grant can be chosen without a limit: where the offer names no amount."""
    return grant.choice is Choice.COUNT and grant.quota is not None and grant.quota.amount is None


def whole_choices(offer: Offer, said: Choices) -> dict[str, int | bool | None]:
    """Return what is said of every grant that is to be chosen: what is not said is none, and not ticked.

    Raises Refusal(invalid_input) for a grant that the offer does not leave to be chosen, a count outside 0 to
    MOST_CHOSEN, unlimited where the offer does not have it, a tick that is neither yes nor no, a count that is
    to be said and is not, and choices under which nothing is granted.
    """
    grants = {grant.key: grant for grant in choosable(offer)}
    for key in said:
        if key not in grants:
            words = f"{offer.name} leaves nothing to choose that is named “{key[:60]}”."
            raise Refusal("invalid_input", words, "choices")
    for grant in grants.values():
        if grant.key not in said and is_to_be_said(offer, grant):
            raise Refusal("invalid_input", f"{grant.name}: say how many a contract year.", "choices")
    chosen = {
        key: _chosen(grant, said[key]) if key in said else _unsaid(grant) for key, grant in grants.items()
    }
    if not granted(offer, chosen):
        raise Refusal("invalid_input", "Choose something: this grants nothing yet.", "choices")
    return chosen


def is_to_be_said(offer: Offer, grant: Grant) -> bool:
    """Say whether a count has to be said: in an offer that grants something of itself, 0 is not assumed.

    In one that is all chosen, such as a custom plan, what is not said is not wanted.
    """
    has_own = any(each.choice is Choice.ALWAYS for each in offer.grants)
    return grant.choice is Choice.COUNT and has_own


def _unsaid(grant: Grant) -> int | bool:
    return False if grant.choice is Choice.TICK else 0


def _chosen(grant: Grant, value: int | bool | None) -> int | bool | None:
    if grant.choice is Choice.TICK:
        if not isinstance(value, bool):
            raise Refusal("invalid_input", f"{grant.name}: say yes or no.", "choices")
        return value
    if value is None and may_be_unlimited(grant):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_CHOSEN:
        more = ", or unlimited" if may_be_unlimited(grant) else ""
        raise Refusal(
            "invalid_input", f"{grant.name}: choose a whole number from 0 to {MOST_CHOSEN}{more}.", "choices"
        )
    return value


def fitting_choices(offer: Offer, said: Choices) -> dict[str, int | bool | None]:
    """Return what of earlier choices a newer version of the offer still takes: the rest falls away."""
    kept: dict[str, int | bool | None] = {}
    for grant in choosable(offer):
        try:
            kept[grant.key] = _chosen(grant, said.get(grant.key, _unsaid(grant)))
        except Refusal:
            kept[grant.key] = _unsaid(grant)
    return kept


def say_quota(grant: Grant) -> str:
    """Return how much of a grant there is, in words: 3 visits a contract year; '' where it is without a count."""
    quota = grant.quota
    if quota is None:
        return ""
    if quota.amount is None:
        return "unlimited"
    if quota.amount == 0:
        return "none included: bought as needed"
    within = ", ".join(f"at most {limit.amount} {limit.name}" for limit in quota.limits)
    return f"{quota.amount:,} {_units(quota, quota.amount)} a contract year" + (
        f", each {within}" if within else ""
    )


def say_unit(grant: Grant) -> str:
    """Return what a counted grant counts, in words: visits a contract year."""
    return "" if grant.quota is None else f"{_units(grant.quota, 2)} a contract year"


def _units(quota: Quota, count: int) -> str:
    if quota.unit is QuotaUnit.BLOCK:
        return f"{'block' if count == 1 else 'blocks'} of 4 hours"
    return say_units(quota.unit, count)


# for whom it is sold ----------------------------------------------------------------------------


def against_selling(
    offer: Offer,
    *,
    months: int,
    license_cents: int | None,
    platforms: Mapping[str, frozenset[Platform]],
) -> Iterator[Problem]:
    """Yield what stands against selling the offer for this term, these licenses and sites.

    `platforms` are the kinds of systems recorded at each site, by the site's name.
    """
    if months > offer.longest_months:
        words = f"{offer.name} is sold for at most {say_months(offer.longest_months)}."
        yield Problem("term_too_long", words, "months")
    elif offer.whole_years and months % MONTHS_OF_YEAR:
        words = f"{offer.name} is sold for whole years: 12, 24, 36 months and so on."
        yield Problem("invalid_input", words, "months")
    if offer.above_cents is not None and (license_cents is None or license_cents <= offer.above_cents):
        words = (
            f"{offer.name} is sold only where licenses are worth more than {format_cents(offer.above_cents)}."
        )
        yield Problem("not_eligible", words, "license_cents")
    if offer.platforms:
        wanted = say_platforms(offer.platforms)
        for name, there in platforms.items():
            if not there & set(offer.platforms):
                words = f"{offer.name} is for {wanted} systems, and none is recorded at {name}."
                yield Problem("not_eligible", words, "sites")


def guard_sold(
    offer: Offer,
    *,
    months: int,
    license_cents: int | None,
    platforms: Mapping[str, frozenset[Platform]],
) -> None:
    """Guard: the offer is sold for this. Raises Refusal(term_too_long), (not_eligible), (invalid_input)."""
    found = tuple(against_selling(offer, months=months, license_cents=license_cents, platforms=platforms))
    if found:
        first = found[0]
        raise Refusal(first.code, first.message, first.field, problems=found)


def say_unmet(grants: Iterable[Grant], platforms: Mapping[str, frozenset[Platform]]) -> tuple[str, ...]:
    """Return a sentence for each grant that is for systems of which none is recorded at a site.

    `platforms` are the kinds of systems at each site, by the site's name.
    """
    said = []
    for grant in grants:
        lacking = [name for name, there in platforms.items() if not there & set(grant.platforms)]
        if grant.platforms and lacking:
            where = lacking[0] if len(lacking) == 1 else f"{lacking[0]} and {len(lacking) - 1} more"
            said.append(
                f"{grant.name} needs {say_platforms(grant.platforms)}, which is not recorded at {where}."
            )
    return tuple(said)


def say_platforms(platforms: Sequence[Platform]) -> str:
    """Return kinds of systems in words: Quantum, Athena or Vive."""
    names = [PLATFORM_WORDS[each] for each in platforms]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def say_months(months: int) -> str:
    """Return a term in words: 18 months, 1 year, 5 years."""
    years, rest = divmod(months, MONTHS_OF_YEAR)
    if rest:
        return f"{months} month{'' if months == 1 else 's'}"
    return f"{years} year{'' if years == 1 else 's'}"


# what it costs ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PriceLine:
    """The price of one contract year: net, and its tax as a line of its own. Cents."""

    contract_year: int
    first_on: date
    last_on: date
    net_cents: int
    tax_basis_points: int
    tax_cents: int

    @property
    def total_cents(self) -> int:
        """Net and tax."""
        return self.net_cents + self.tax_cents


@dataclass(frozen=True, slots=True)
class PriceSums:
    """What all contract years cost together, in cents."""

    net_cents: int
    tax_cents: int

    @property
    def total_cents(self) -> int:
        """Net and tax."""
        return self.net_cents + self.tax_cents


def tax_of(net_cents: int, tax_basis_points: int) -> int:
    """Return the tax on a net price in cents, rounded half up."""
    return round_half_up(Fraction(net_cents * tax_basis_points, WHOLE))


def price_lines(
    starts_on: date, months: int, prices: Sequence[tuple[int, int, int]]
) -> tuple[PriceLine, ...]:
    """Return the price lines of (net cents, hundredths of a percent, tax cents), one for each contract year."""
    years = contract_years(starts_on, months, last_day_of(starts_on, months))
    return tuple(
        PriceLine(year.number, year.first_on, year.last_on, *price)
        for year, price in zip(years, prices, strict=False)
    )


def price_sums(lines: Iterable[PriceLine]) -> PriceSums:
    """Return what the lines add up to; tax is added up from the lines, and not computed anew."""
    each = tuple(lines)
    return PriceSums(sum(line.net_cents for line in each), sum(line.tax_cents for line in each))


# one after another ------------------------------------------------------------------------------


def gap_days(last_on: date, starts_on: date) -> int:
    """Return the days between a last day and the next start that nothing covers; below 0: that both cover."""
    return (starts_on - last_on).days - 1


def say_gap(last_on: date, starts_on: date) -> str:
    """Return what a renewal leaves open, in a sentence; '' where it begins the day after."""
    days = gap_days(last_on, starts_on)
    if days > 0:
        first, last = last_on + _ONE_DAY, starts_on - _ONE_DAY
        when = f"on {say_day(first)}" if days == 1 else f"from {say_day(first)} to {say_day(last)}"
        return f"Nothing covers the sites {when}: {days:,} day{'' if days == 1 else 's'} between the two."
    if days < 0:
        when = f"on {say_day(last_on)}" if days == -1 else f"from {say_day(starts_on)} to {say_day(last_on)}"
        return f"Both agreements run {when}, so {-days:,} day{'' if days == -1 else 's'} would be paid twice."
    return ""


# what it says as a whole ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SiteTerm:
    """A site of an agreement, in what can never change of it."""

    ref: str
    """The referral's number and the site's: R-HARBOR-3/1."""
    name: str
    place: str
    time_zone: str
    account: str
    """The code of its qualified account."""


@dataclass(frozen=True, slots=True)
class Terms:
    """All that is offered: what the dealer reads and accepts, and what the digest is over."""

    ref: str
    dealer: str
    offer: Offer
    offer_digest: str
    customer: str
    starts_on: date
    months: int
    choices: Choices
    license_cents: int | None
    renews: str
    sites: tuple[SiteTerm, ...]
    prices: tuple[PriceLine, ...]
    currency: str
    statement: str
    statement_version: str


def terms_json(terms: Terms) -> str:
    """Return terms as canonical JSON: the text that is frozen, digested and accepted."""
    return canonical_json(
        {
            "version": 1,
            "agreement": terms.ref,
            "dealer": terms.dealer,
            "customer": terms.customer,
            "offer": {
                "key": terms.offer.key,
                "version": terms.offer.version,
                "name": terms.offer.name,
                "digest": terms.offer_digest,
            },
            "starts_on": terms.starts_on.isoformat(),
            "last_on": last_day_of(terms.starts_on, terms.months).isoformat(),
            "months": terms.months,
            "choices": dict(terms.choices),
            "license_cents": terms.license_cents,
            "renews": terms.renews,
            "sites": [
                {
                    "site": site.ref,
                    "name": site.name,
                    "place": site.place,
                    "time_zone": site.time_zone,
                    "account": site.account,
                }
                for site in terms.sites
            ],
            "prices": [
                {
                    "contract_year": line.contract_year,
                    "first_on": line.first_on.isoformat(),
                    "last_on": line.last_on.isoformat(),
                    "net_cents": line.net_cents,
                    "tax_basis_points": line.tax_basis_points,
                    "tax_cents": line.tax_cents,
                }
                for line in terms.prices
            ],
            "currency": terms.currency,
            "statement": {"version": terms.statement_version, "text": terms.statement},
        }
    )
