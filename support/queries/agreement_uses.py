"""What was used and bought of an agreement, as its page lists it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.ids import PublicNumber
from referral.models import User
from support.models.agreements import Agreement, QuotaTopUp, QuotaUse
from support.models.calls import ServiceCall
from support.models.visits import ServiceVisit
from support.rules.offers import Grant
from support.rules.quotas import MOST_NUMBER, counted, say_amount
from support.states import QuotaUnit
from warranty.models.sources import Site

USE_ROWS = 100
"""Uses that the page lists, newest first; the meters count them all."""


@dataclass(frozen=True, slots=True)
class UseRow:
    """A use of a grant, or one that was taken back."""

    number: int
    grant: str
    used_on: date
    contract_year: int
    amount: str
    covered: str
    billable: str
    within: Mapping[str, int]
    site: str
    call_ref: str
    visit_ref: str
    words: str
    recorded_by: str
    recorded_at: datetime
    reversed_by: int | None
    """The number of what takes it back."""
    reversed_words: str

    @property
    def is_reversed(self) -> bool:
        """Whether it was taken back."""
        return self.reversed_by is not None


@dataclass(frozen=True, slots=True)
class TopUpRow:
    """More of a grant that was bought."""

    number: int
    grant: str
    contract_year: int
    amount: str
    bought_on: date
    net_cents: int
    tax_basis_points: int
    tax_cents: int
    words: str
    added_by: str
    added_at: datetime


def uses_of(
    tx: Session, agreement: Agreement, grants: Mapping[str, Grant], code: str, number: int | None
) -> tuple[tuple[UseRow, ...], bool]:
    """Return uses that are no reversals, newest recorded first, and whether there are more."""
    reversal = aliased(QuotaUse)
    statement = (
        sa.select(
            QuotaUse,
            User.name,
            Site.name,
            ServiceCall.number,
            ServiceVisit.number,
            reversal.number,
            reversal.words,
        )
        .join(User, User.id == QuotaUse.recorded_by)
        .outerjoin(Site, sa.and_(Site.dealer_id == QuotaUse.dealer_id, Site.id == QuotaUse.site_id))
        .outerjoin(
            ServiceCall,
            sa.and_(ServiceCall.dealer_id == QuotaUse.dealer_id, ServiceCall.id == QuotaUse.call_id),
        )
        .outerjoin(
            ServiceVisit,
            sa.and_(ServiceVisit.dealer_id == QuotaUse.dealer_id, ServiceVisit.id == QuotaUse.visit_id),
        )
        .outerjoin(
            reversal,
            sa.and_(
                reversal.dealer_id == QuotaUse.dealer_id,
                reversal.agreement_id == QuotaUse.agreement_id,
                reversal.reverses == QuotaUse.number,
            ),
        )
        .where(
            QuotaUse.dealer_id == agreement.dealer_id,
            QuotaUse.agreement_id == agreement.id,
            QuotaUse.reverses.is_(None),
        )
        .order_by(QuotaUse.number.desc())
        .limit(USE_ROWS + 1)
    )
    if number is not None:
        statement = statement.where(QuotaUse.number == min(number, MOST_NUMBER))
    found = tx.execute(statement).all()
    return tuple(_use_row(row, grants, code) for row in found[:USE_ROWS]), len(found) > USE_ROWS


def _use_row(row: Sequence[Any], grants: Mapping[str, Grant], code: str) -> UseRow:
    use, name, site, call, visit, reversed_by, reversed_words = row
    grant, unit = _counting(grants, use.grant_key)
    return UseRow(
        number=use.number,
        grant=grant,
        used_on=use.used_on,
        contract_year=use.contract_year,
        amount=_said(unit, use),
        covered=say_amount(unit, use.covered),
        billable=say_amount(unit, use.billable) if use.billable else "",
        within=json.loads(use.within) if use.within else {},
        site=site or "",
        call_ref=str(PublicNumber("S", code, call)) if call else "",
        visit_ref=str(PublicNumber("V", code, visit)) if visit else "",
        words=use.words,
        recorded_by=name,
        recorded_at=use.recorded_at,
        reversed_by=reversed_by,
        reversed_words=reversed_words or "",
    )


def _counting(grants: Mapping[str, Grant], key: str) -> tuple[str, QuotaUnit]:
    """Return the name of a grant and what it counts."""
    grant = grants[key]
    return grant.name, QuotaUnit.TIME if grant.quota is None else grant.quota.unit


def _said(unit: QuotaUnit, use: QuotaUse) -> str:
    """Return what was used, and of blocks how long it really took."""
    counts = say_amount(unit, use.amount)
    return f"{counts} ({say_amount(QuotaUnit.HOUR, use.asked)})" if unit is QuotaUnit.BLOCK else counts


def top_ups_of(tx: Session, agreement: Agreement, grants: Mapping[str, Grant]) -> tuple[TopUpRow, ...]:
    """Return what was bought more, newest recorded first."""
    rows = []
    for row, name in tx.execute(
        sa.select(QuotaTopUp, User.name)
        .join(User, User.id == QuotaTopUp.added_by)
        .where(QuotaTopUp.dealer_id == agreement.dealer_id, QuotaTopUp.agreement_id == agreement.id)
        .order_by(QuotaTopUp.number.desc())
    ):
        grant, unit = _counting(grants, row.grant_key)
        rows.append(
            TopUpRow(
                number=row.number,
                grant=grant,
                contract_year=row.contract_year,
                amount=say_amount(unit, counted(unit, row.amount)),
                bought_on=row.bought_on,
                net_cents=row.net_cents,
                tax_basis_points=row.tax_basis_points,
                tax_cents=row.tax_cents,
                words=row.words,
                added_by=name,
                added_at=row.added_at,
            )
        )
    return tuple(rows)
