"""The agreement a service call was opened under: its requirements, and the quotas a resolution draws from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from support.models.agreements import Agreement
from support.models.calls import ServiceCall
from support.queries.agreement_facts import agreement_facts
from support.rules.offers import Grant, Requirement
from support.rules.quotas import count_use, counted_grants, meter_of, say_amount, split_use
from support.states import GrantKind, QuotaUnit

DRAWN_KINDS = frozenset({GrantKind.RESPONSE, GrantKind.REMOTE, GrantKind.SERVICE})
"""Grants that work on a call uses up."""


@dataclass(frozen=True)
class CallQuota:
    """A quota that the resolution of a call can draw from, as it stands on a day."""

    grant_key: str
    name: str
    unit: QuotaUnit
    left: int | None
    """Minutes of a quota of hours, else units; None is unlimited."""
    left_words: str
    is_own: bool
    """The call was opened under it."""

    @property
    def asks_minutes(self) -> bool:
        """Say whether what was used of it is said in minutes."""
        return self.unit in {QuotaUnit.HOUR, QuotaUnit.BLOCK}


@dataclass(frozen=True)
class UseWords:
    """What a use would come to: what is covered and what is billable, in words."""

    covered: str
    billable: str
    """'' where nothing is."""


def agreement_of_call(call: ServiceCall) -> sa.Select[Agreement]:
    """Return the statement for the call's agreement, for reads and locks alike; it finds nothing without one."""
    return sa.select(Agreement).where(
        Agreement.dealer_id == call.dealer_id, Agreement.id == call.agreement_id
    )


def requirements_of_call(tx: Session, call: ServiceCall) -> tuple[Requirement, ...]:
    """Return what the customer sees to by the call's agreement."""
    if call.agreement_id is None:
        return ()
    agreement = tx.scalars(agreement_of_call(call)).one()
    (facts,) = agreement_facts(tx, [agreement])
    return facts.offer.requirements


def grants_of_call(tx: Session, call: ServiceCall) -> dict[str, Grant]:
    """Return the grants with a quota of the call's agreement, by key."""
    agreement = tx.scalars(agreement_of_call(call)).one_or_none()
    if agreement is None:
        return {}
    (facts,) = agreement_facts(tx, [agreement])
    return {grant.key: grant for grant in counted_grants(facts.offer, facts.choices)}


def quotas_of_call(tx: Session, call: ServiceCall, *, day: date) -> tuple[CallQuota, ...]:
    """Return the quotas that a resolution on a day can draw from, the call's own first; none outside of the term."""
    if call.agreement_id is None:
        return ()
    agreement = tx.scalars(agreement_of_call(call)).one()
    (facts,) = agreement_facts(tx, [agreement])
    year = facts.year_of(day)
    if year is None:
        return ()
    found = []
    for grant in counted_grants(facts.offer, facts.choices):
        if grant.kind not in DRAWN_KINDS or grant.quota is None:
            continue
        meter = meter_of(grant, year.number, facts.uses, facts.top_ups)
        if meter.whole == 0 and grant.key != call.grant_key:
            continue
        left = "unlimited" if meter.left is None else f"{say_amount(meter.unit, meter.left)} left"
        is_own = grant.key == call.grant_key
        found.append(CallQuota(grant.key, grant.name, meter.unit, meter.left, left, is_own))
    return tuple(sorted(found, key=lambda each: not each.is_own))


def use_words(tx: Session, call: ServiceCall, *, day: date, grant_key: str, asked: int) -> UseWords | None:
    """Return what using so much on a day comes to; None where there is no such quota then. See `draw_use`."""
    agreement = tx.scalars(agreement_of_call(call)).one_or_none()
    if agreement is None:
        return None
    (facts,) = agreement_facts(tx, [agreement])
    year = facts.year_of(day)
    grant = next((each for each in counted_grants(facts.offer, facts.choices) if each.key == grant_key), None)
    if year is None or grant is None:
        return None
    meter = meter_of(grant, year.number, facts.uses, facts.top_ups)
    covered, billable = split_use(meter, count_use(grant, asked))
    return UseWords(say_amount(meter.unit, covered), say_amount(meter.unit, billable) if billable else "")
