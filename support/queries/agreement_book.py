"""The book of an agreement: meters per contract year, uses, what was bought more, and requirements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.permissions import Permission, Viewer
from referral.queries.exchange_rates import program_currency
from referral.queries.settings import today
from support.models.agreements import Agreement
from support.queries.agreement_facts import agreement_facts
from support.queries.agreement_sites import AgreementSiteRow, sites_of_agreements
from support.queries.agreement_uses import TopUpRow, UseRow, top_ups_of, uses_of
from support.queries.requirements import RequirementRow, requirement_rows, requirements_in
from support.queries.seen import agreement_by_ref
from support.rules.entitlement import AgreementFacts
from support.rules.offers import Grant
from support.rules.quotas import (
    ContractYear,
    Meter,
    counted_grants,
    meter_of,
    say_amount,
)
from support.states import BINDING_STATES, QuotaUnit

WHOLE_BAR = 1000
"""Places on a meter's bar are thousandths of its length."""


@dataclass(frozen=True, slots=True)
class MeterRow:
    """The meter of a grant, in words and as a bar."""

    key: str
    name: str
    meter: Meter
    whole: str
    """What there is, in words: 3 visits; unlimited."""
    used: str
    """As `whole`, without the unit where it is no time."""
    left: str
    """As `used`; 'none'; '' where it is unlimited."""
    topped_up: str
    """'' where nothing was bought."""
    billable: str
    """What was used beyond it; '' where nothing was."""
    x: int
    """How far it is used, in thousandths; 0 of one without a limit."""

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is left."""
        return self.meter.left == 0


@dataclass(frozen=True, slots=True)
class YearRow:
    """A contract year with its meters."""

    year: ContractYear
    is_current: bool
    meters: tuple[MeterRow, ...]


@dataclass(frozen=True, slots=True)
class GrantChoice:
    """A grant with a quota, as a choice: what is counted, and its limits each time."""

    key: str
    name: str
    unit: QuotaUnit
    is_unlimited: bool
    limits: tuple[tuple[str, int], ...]

    @property
    def is_time(self) -> bool:
        """Whether a use is in minutes."""
        return self.unit in {QuotaUnit.HOUR, QuotaUnit.BLOCK}


@dataclass(frozen=True, slots=True)
class AgreementBook:
    """What an agreement page shows of quotas and requirements."""

    ref: str
    name: str
    customer: str
    day: date
    """Today."""
    is_binding: bool
    years: tuple[YearRow, ...]
    uses: tuple[UseRow, ...]
    has_more_uses: bool
    top_ups: tuple[TopUpRow, ...]
    currency: str
    requirements: tuple[RequirementRow, ...]
    sites: tuple[AgreementSiteRow, ...]
    grants: tuple[GrantChoice, ...]
    """Those with a quota, and those a count of which could be bought."""
    may_use: bool
    may_top_up: bool

    @property
    def current(self) -> YearRow | None:
        """The contract year that runs; None outside of the term."""
        return next((year for year in self.years if year.is_current), None)

    @property
    def usable(self) -> tuple[GrantChoice, ...]:
        """Grants of which there is something in any contract year; where there are none, all that are counted."""
        keys = {meter.key for year in self.years for meter in year.meters}
        return tuple(grant for grant in self.grants if grant.key in keys) or self.grants

    @property
    def unmet(self) -> tuple[RequirementRow, ...]:
        """Requirements that are not met today."""
        return tuple(row for row in self.requirements if not row.is_met)

    def grant(self, key: str) -> GrantChoice | None:
        """Return the grant of a key."""
        return next((grant for grant in self.grants if grant.key == key), None)

    def use(self, number: int) -> UseRow | None:
        """Return a use of the page by its number."""
        return next((row for row in self.uses if row.number == number), None)


def agreement_book(
    tx: Session, *, viewer: Viewer, at: datetime, ref: str, use_number: int | None = None
) -> AgreementBook:
    """Return the book of an agreement the viewer may see. Raises Refusal(not_found).

    With `use_number` only that use is read, however old it is; not_found where it is none, or takes one back.
    """
    agreement = tx.scalars(agreement_by_ref(tx, viewer, ref)).one_or_none()
    if agreement is None:
        raise Refusal("not_found")
    book = book_of_agreement(tx, viewer, agreement, at=at, use_number=use_number)
    if use_number is not None and book.use(use_number) is None:
        raise Refusal("not_found")
    return book


def book_of_agreement(
    tx: Session, viewer: Viewer, agreement: Agreement, *, at: datetime, use_number: int | None = None
) -> AgreementBook:
    """Return the book of an agreement that was read, in a fixed number of statements."""
    day = today(tx, at)
    (facts,) = agreement_facts(tx, [agreement])
    is_binding = agreement.state in BINDING_STATES
    counting = counted_grants(facts.offer, facts.choices)
    by_key = {grant.key: grant for grant in counting}
    code = facts.ref.split("-")[1]
    uses, has_more = uses_of(tx, agreement, by_key, code, use_number)
    return AgreementBook(
        ref=facts.ref,
        name=facts.offer.name,
        customer=agreement.customer,
        day=day,
        is_binding=is_binding,
        years=_years(facts, counting, day) if is_binding else (),
        uses=uses,
        has_more_uses=has_more,
        top_ups=top_ups_of(tx, agreement, by_key),
        currency=_currency(tx, agreement, day),
        requirements=requirement_rows(
            tx, viewer, agreement, requirements_in(facts.offer, facts.choices), day
        ),
        sites=tuple(sites_of_agreements(tx, [agreement]).get(agreement.id, ())),
        grants=tuple(_choice(grant) for grant in counting),
        may_use=is_binding and bool(counting) and viewer.may(Permission.CALL_WORK),
        may_top_up=is_binding
        and any(grant.quota is not None and grant.quota.amount is not None for grant in counting)
        and viewer.may(Permission.AGREEMENT_OFFER),
    )


def _years(facts: AgreementFacts, counting: Sequence[Grant], day: date) -> tuple[YearRow, ...]:
    rows = []
    for year in facts.years:
        meters = (meter_of(grant, year.number, facts.uses, facts.top_ups) for grant in counting)
        rows.append(
            YearRow(
                year=year,
                is_current=year.first_on <= day <= year.last_on,
                meters=tuple(
                    _meter_row(grant, meter)
                    for grant, meter in zip(counting, meters, strict=True)
                    if meter.whole != 0 or meter.billable
                ),
            )
        )
    return tuple(rows)


def _meter_row(grant: Grant, meter: Meter) -> MeterRow:
    whole = meter.whole
    return MeterRow(
        key=grant.key,
        name=grant.name,
        meter=meter,
        whole="unlimited"
        if whole is None
        else _short(meter.unit, whole)
        if meter.unit is QuotaUnit.TIME
        else say_amount(meter.unit, whole),
        used=_short(meter.unit, meter.used),
        left="" if meter.left is None else _short(meter.unit, meter.left) if meter.left else "none",
        topped_up=say_amount(meter.unit, meter.topped_up) if meter.topped_up else "",
        billable=say_amount(meter.unit, meter.billable) if meter.billable else "",
        x=0 if not whole else min(meter.used * WHOLE_BAR // whole, WHOLE_BAR),
    )


def _short(unit: QuotaUnit, amount: int) -> str:
    return say_amount(unit, amount) if unit is QuotaUnit.HOUR else f"{amount:,}"


def _choice(grant: Grant) -> GrantChoice:
    if grant.quota is None:
        raise ValueError("a choice is of a grant with a quota")
    return GrantChoice(
        key=grant.key,
        name=grant.name,
        unit=grant.quota.unit,
        is_unlimited=grant.quota.amount is None,
        limits=tuple((limit.name, limit.amount) for limit in grant.quota.limits),
    )


def _currency(tx: Session, agreement: Agreement, day: date) -> str:
    """Return the currency of the agreement's prices: that of its terms."""
    if agreement.terms:
        return str(json.loads(agreement.terms)["currency"])
    return program_currency(tx, day)
