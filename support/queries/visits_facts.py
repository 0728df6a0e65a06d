"""Which visits agreements have, dated and not, in a fixed number of statements however many agreements are asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.clock import business_day
from support.models.agreements import Agreement, QuotaTopUp, QuotaUse
from support.models.visits import ServiceVisit
from support.queries.agreement_facts import offers_by_id, top_up_of, use_of
from support.rules.offers import Grant
from support.rules.quotas import TopUp, Use
from support.rules.slots import KnownVisit, Slot, Term, slots_of, undated, visit_grants
from warranty.models.sources import Site


@dataclass(frozen=True)
class VisitFacts:
    """An agreement with the visits it has."""

    agreement: Agreement
    term: Term
    slots: tuple[Slot, ...]
    visits: tuple[KnownVisit, ...]
    undated: tuple[Slot, ...]

    @property
    def grants(self) -> tuple[Grant, ...]:
        """The visit grants, those too of which there is none before a day is bought."""
        return visit_grants(self.term)

    def slot(self, grant_key: str, contract_year: int, number: int) -> Slot | None:
        """Return the slot of this key."""
        key = (grant_key, contract_year, number)
        return next((slot for slot in self.slots if slot.key == key), None)


def visit_facts(tx: Session, agreements: Sequence[Agreement]) -> dict[UUID, VisitFacts]:
    """Return the visits of agreements, by the agreement's id."""
    if not agreements:
        return {}
    offers = offers_by_id(tx, {each.offer_id for each in agreements})
    visits = _visits(tx, agreements)
    top_ups = _top_ups(tx, agreements)
    uses = _uses(tx, agreements)
    found = {}
    for agreement in agreements:
        term = Term(
            offers[agreement.offer_id],
            json.loads(agreement.choices or "{}"),
            agreement.starts_on,
            agreement.months,
            agreement.last_on,
        )
        known = tuple(visits.get(agreement.id, ()))
        slots = slots_of(term, top_ups.get(agreement.id, ()), known)
        left = undated(slots, known, uses.get(agreement.id, ()))
        found[agreement.id] = VisitFacts(agreement, term, slots, known, left)
    return found


def day_of_visit(starts_at: datetime, time_zone: str) -> date:
    """Return the day a visit is on, as it is at its site: it uses its slot on this day."""
    return business_day(starts_at, time_zone)


def planned_details(visit: ServiceVisit, agreement_ref: str) -> dict[str, object]:
    """Return what the audit trail tells of a visit that is planned or moved."""
    return {
        "agreement": agreement_ref,
        "slot": [visit.grant_key, visit.contract_year, visit.slot],
        "site": str(visit.site_id),
        "starts_at": visit.starts_at.astimezone(UTC).isoformat(),
        "ends_at": visit.ends_at.astimezone(UTC).isoformat(),
        "purposes": list(visit.purposes),
        "words": visit.words,
    }


def _of(
    table: type[ServiceVisit | QuotaTopUp | QuotaUse], agreements: Sequence[Agreement]
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return (
        table.dealer_id.in_({each.dealer_id for each in agreements}),
        table.agreement_id.in_([each.id for each in agreements]),
    )


def _visits(tx: Session, agreements: Sequence[Agreement]) -> dict[UUID, list[KnownVisit]]:
    rows = tx.execute(
        sa.select(
            ServiceVisit.agreement_id,
            ServiceVisit.grant_key,
            ServiceVisit.contract_year,
            ServiceVisit.slot,
            ServiceVisit.state,
            ServiceVisit.starts_at,
            Site.time_zone,
        )
        .join(Site, sa.and_(Site.dealer_id == ServiceVisit.dealer_id, Site.id == ServiceVisit.site_id))
        .where(*_of(ServiceVisit, agreements))
        .order_by(ServiceVisit.number)
    )
    found: dict[UUID, list[KnownVisit]] = {}
    for row in rows:
        key = (row.grant_key, row.contract_year, row.slot)
        day = day_of_visit(row.starts_at, row.time_zone)
        found.setdefault(row.agreement_id, []).append(KnownVisit(key, row.state, day))
    return found


def _top_ups(tx: Session, agreements: Sequence[Agreement]) -> dict[UUID, list[TopUp]]:
    rows = tx.scalars(
        sa.select(QuotaTopUp)
        .where(*_of(QuotaTopUp, agreements))
        .order_by(QuotaTopUp.dealer_id, QuotaTopUp.number)
    )
    found: dict[UUID, list[TopUp]] = {}
    for row in rows:
        found.setdefault(row.agreement_id, []).append(top_up_of(row))
    return found


def _uses(tx: Session, agreements: Sequence[Agreement]) -> dict[UUID, list[Use]]:
    """Return the uses that stand and were recorded without a visit, by agreement."""
    back = aliased(QuotaUse)
    rows = tx.scalars(
        sa.select(QuotaUse)
        .where(
            *_of(QuotaUse, agreements),
            QuotaUse.visit_id.is_(None),
            QuotaUse.reverses.is_(None),
            ~sa.exists().where(
                back.dealer_id == QuotaUse.dealer_id,
                back.agreement_id == QuotaUse.agreement_id,
                back.reverses == QuotaUse.number,
            ),
        )
        .order_by(QuotaUse.dealer_id, QuotaUse.number)
    )
    found: dict[UUID, list[Use]] = {}
    for row in rows:
        found.setdefault(row.agreement_id, []).append(use_of(row))
    return found
