"""Agreements as the rules read them: as they were known at an instant, with what was used and bought of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.ids import PublicNumber
from referral.models import Company, User
from support.models.agreements import Agreement, AgreementSite, QuotaTopUp, QuotaUse, RequirementMark
from support.models.catalogue import CatalogueEntry
from support.rules.entitlement import AgreementFacts, Mark
from support.rules.offers import Offer, offer_of
from support.rules.quotas import TopUp, Use
from support.states import BINDING_STATES, AgreementState, EntryKind
from warranty.rules.months import last_day_of


def offers_by_id(tx: Session, entry_ids: Collection[UUID]) -> dict[UUID, Offer]:
    """Return the offers of entries, each with those it includes as they were when it was loaded."""
    if not entry_ids:
        return {}
    entries = tx.scalars(
        sa.select(CatalogueEntry)
        .where(CatalogueEntry.kind == EntryKind.OFFER)
        .order_by(CatalogueEntry.key, CatalogueEntry.version)
    ).all()
    versions: dict[str, list[CatalogueEntry]] = defaultdict(list)
    for entry in entries:
        versions[entry.key].append(entry)

    def _offer(entry: CatalogueEntry) -> Offer:
        content = json.loads(entry.content)
        included = []
        for key in content["includes"]:
            there = [each for each in versions[key] if each.loaded_at <= entry.loaded_at]
            if there:
                included.append(_offer(there[-1]))
        return offer_of(content, entry.version, included)

    return {entry.id: _offer(entry) for entry in entries if entry.id in entry_ids}


def binding_agreements(dealer_id: UUID, site_ids: Collection[UUID], as_of: datetime) -> sa.Select[Agreement]:
    """Return the statement of a dealer's agreements for any of the sites that were accepted by an instant."""
    here = (
        sa.exists()
        .where(
            AgreementSite.dealer_id == Agreement.dealer_id,
            AgreementSite.agreement_id == Agreement.id,
            AgreementSite.site_id.in_(sorted(site_ids, key=lambda site_id: site_id.hex)),
        )
        .correlate(Agreement)
    )
    return (
        sa.select(Agreement)
        .where(
            Agreement.dealer_id == dealer_id,
            Agreement.state.in_(sorted(BINDING_STATES)),
            Agreement.accepted_at <= as_of,
            here,
        )
        .order_by(Agreement.starts_on, Agreement.number)
    )


def agreement_facts(
    tx: Session,
    agreements: Sequence[Agreement],
    *,
    as_of: datetime | None = None,
    with_book: bool = True,
) -> tuple[AgreementFacts, ...]:
    """Return agreements of one dealer as they were known at an instant; None is with all that is recorded.

    What was used, bought, marked and ended later than that is left out; without the book, what was ever used,
    bought and marked. The number of statements does not depend on how many agreements there are.
    """
    if not agreements:
        return ()
    dealer_id = agreements[0].dealer_id
    ids = [agreement.id for agreement in agreements]
    offers = offers_by_id(tx, {agreement.offer_id for agreement in agreements})
    code = tx.scalars(sa.select(Company.code).where(Company.id == dealer_id)).one()
    sites: dict[UUID, set[UUID]] = defaultdict(set)
    for agreement_id, site_id in tx.execute(
        sa.select(AgreementSite.agreement_id, AgreementSite.site_id).where(
            AgreementSite.dealer_id == dealer_id, AgreementSite.agreement_id.in_(ids)
        )
    ):
        sites[agreement_id].add(site_id)
    providers = _providers(tx, agreements)
    uses, top_ups, marks = book_of(tx, dealer_id, ids, as_of=as_of) if with_book else ({}, {}, {})
    found = []
    for row in agreements:
        is_terminated = row.state is AgreementState.TERMINATED and (
            as_of is None or (row.closed_at is not None and row.closed_at <= as_of)
        )
        found.append(
            AgreementFacts(
                dealer_id=dealer_id,
                id=row.id,
                ref=str(PublicNumber("A", code, row.number)),
                offer=offers[row.offer_id],
                choices=json.loads(row.choices),
                provider=providers.get(row.offered_by, ""),
                site_ids=frozenset(sites[row.id]),
                starts_on=row.starts_on,
                months=row.months,
                accepted_at=row.accepted_at,
                last_on=row.last_on if is_terminated else last_day_of(row.starts_on, row.months),
                is_terminated=is_terminated,
                uses=tuple(uses.get(row.id, ())),
                top_ups=tuple(top_ups.get(row.id, ())),
                marks=tuple(marks.get(row.id, ())),
            )
        )
    return tuple(found)


def book_of(
    tx: Session, dealer_id: UUID, agreement_ids: Collection[UUID], *, as_of: datetime | None = None
) -> tuple[Mapping[UUID, list[Use]], Mapping[UUID, list[TopUp]], Mapping[UUID, list[Mark]]]:
    """Return (uses, top-ups, marks of requirements) of agreements by id, each in order of number."""
    uses: dict[UUID, list[Use]] = defaultdict(list)
    top_ups: dict[UUID, list[TopUp]] = defaultdict(list)
    marks: dict[UUID, list[Mark]] = defaultdict(list)
    for use in tx.scalars(
        sa.select(QuotaUse)
        .where(
            QuotaUse.dealer_id == dealer_id,
            QuotaUse.agreement_id.in_(agreement_ids),
            *_until(QuotaUse.recorded_at, as_of),
        )
        .order_by(QuotaUse.agreement_id, QuotaUse.number)
    ):
        uses[use.agreement_id].append(use_of(use))
    for bought in tx.scalars(
        sa.select(QuotaTopUp)
        .where(
            QuotaTopUp.dealer_id == dealer_id,
            QuotaTopUp.agreement_id.in_(agreement_ids),
            *_until(QuotaTopUp.added_at, as_of),
        )
        .order_by(QuotaTopUp.agreement_id, QuotaTopUp.number)
    ):
        top_ups[bought.agreement_id].append(top_up_of(bought))
    for mark in tx.scalars(
        sa.select(RequirementMark)
        .where(
            RequirementMark.dealer_id == dealer_id,
            RequirementMark.agreement_id.in_(agreement_ids),
            *_until(RequirementMark.marked_at, as_of),
        )
        .order_by(RequirementMark.agreement_id, RequirementMark.number)
    ):
        marks[mark.agreement_id].append(Mark(mark.number, mark.requirement_key, mark.is_met, mark.since_on))
    return uses, top_ups, marks


def use_of(row: QuotaUse) -> Use:
    """Return a stored use as the rules read it."""
    return Use(
        number=row.number,
        grant_key=row.grant_key,
        contract_year=row.contract_year,
        amount=row.amount,
        covered=row.covered,
        billable=row.billable,
        reverses=row.reverses,
    )


def top_up_of(row: QuotaTopUp) -> TopUp:
    """Return a stored top-up as the rules read it."""
    return TopUp(row.number, row.grant_key, row.contract_year, row.amount)


def _until(
    column: sa.orm.InstrumentedAttribute[datetime], as_of: datetime | None
) -> list[sa.ColumnElement[bool]]:
    return [] if as_of is None else [column <= as_of]


def _providers(tx: Session, agreements: Iterable[Agreement]) -> dict[UUID | None, str]:
    """Return the companies of those who offered agreements, by the person: what a plan covers, they owe."""
    ids = {agreement.offered_by for agreement in agreements if agreement.offered_by is not None}
    rows = tx.execute(
        sa.select(User.id, Company.name).join(Company, Company.id == User.company_id).where(User.id.in_(ids))
    )
    return {row.id: row.name for row in rows}
