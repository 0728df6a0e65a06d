"""Offers side by side: which are compared, by which rows, and what stands in a cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from support.rules.offers import Grant, Offer, Quota
from support.states import Choice, GrantKind, QuotaUnit

ROW_ORDER = (
    GrantKind.LABOR,
    GrantKind.PARTS,
    GrantKind.VISIT,
    GrantKind.RESPONSE,
    GrantKind.CHANNEL,
    GrantKind.REMOTE,
    GrantKind.HOURS,
    GrantKind.SERVICE,
    GrantKind.BENEFIT,
)
"""The order of a chart's rows, as the chart of the support plans has them; within a kind by name."""
UNIT_WORDS = {
    QuotaUnit.VISIT: ("visit", "visits"),
    QuotaUnit.HOUR: ("hour", "hours"),
    QuotaUnit.BLOCK: ("4-hour block", "4-hour blocks"),
    QuotaUnit.TIME: ("time", "times"),
}


@dataclass(frozen=True, slots=True)
class ChartRow:
    """One grant over the offers of a chart: None where an offer does not have it."""

    key: str
    name: str
    cells: tuple[Grant | None, ...]


@dataclass(frozen=True, slots=True)
class ChartPart:
    """The rows under one heading."""

    heading: str
    rows: tuple[ChartRow, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Offers that share a heading, from the one that grants least to the one that grants most."""

    offers: tuple[Offer, ...]
    parts: tuple[ChartPart, ...]


def charts_of(offers: Iterable[Offer]) -> tuple[Chart, ...]:
    """Return the charts of offers that are sold: those that share headings are compared, others stand alone."""
    groups: list[tuple[set[str], list[Offer]]] = []
    for offer in offers:
        if not offer.is_sold:
            continue
        headings = {grant.chart for grant in offer.grants}
        together = [group for group in groups if group[0] & headings]
        groups = [group for group in groups if not group[0] & headings]
        groups.append(
            (
                headings.union(*(names for names, _ in together)),
                [*(each for _, members in together for each in members), offer],
            )
        )
    compared = [sorted(members, key=_reach) for _, members in groups if len(members) > 1]
    return tuple(_chart(members) for members in sorted(compared, key=lambda members: _reach(members[0])))


def _reach(offer: Offer) -> tuple[int, str, str]:
    return len(offer.grants), offer.name, offer.key


def _chart(offers: Sequence[Offer]) -> Chart:
    headings = dict.fromkeys(grant.chart for offer in offers for grant in offer.grants)
    parts = []
    for heading in headings:
        firsts: dict[str, Grant] = {}
        for offer in offers:
            for grant in offer.grants:
                if grant.chart == heading:
                    firsts.setdefault(grant.key, grant)
        ordered = sorted(
            firsts.values(), key=lambda grant: (ROW_ORDER.index(grant.kind), grant.name, grant.key)
        )
        parts.append(
            ChartPart(
                heading,
                tuple(
                    ChartRow(grant.key, grant.name, tuple(offer.grant(grant.key) for offer in offers))
                    for grant in ordered
                ),
            )
        )
    return Chart(tuple(offers), tuple(parts))


def say_quota(quota: Quota) -> str:
    """Return how much there is in a contract year, in words, with the limits within each one."""
    one, many = UNIT_WORDS[quota.unit]
    amount = "unlimited" if quota.amount is None else f"{quota.amount:,} {one if quota.amount == 1 else many}"
    limits = ", ".join(f"{limit.amount:,} {limit.name}" for limit in quota.limits)
    return f"{amount} a year" + (f"; each at most {limits}" if limits else "")


def say_share(grant: Grant) -> str:
    """Return how an agreement has a grant: whether it belongs to it, is counted or is ticked."""
    if grant.choice is Choice.TICK:
        return "where agreed"
    if grant.quota is None:
        return "included"
    if grant.choice is Choice.COUNT:
        return f"{UNIT_WORDS[grant.quota.unit][1]} a year as agreed"
    if grant.quota.amount == 0:
        return "bought as needed"
    return say_quota(grant.quota)
