"""Recomputing quotas: every use is covered and billable as the book said when it was recorded."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.models import AuditEvent, Company
from support.models.agreements import Agreement, QuotaTopUp, QuotaUse, RequirementMark, SiteSystem
from support.queries.agreement_facts import agreement_facts, top_up_of, use_of
from support.queries.quota_digests import top_up_digest, use_digest
from support.rules.agreements import tax_of
from support.rules.entitlement import AgreementFacts
from support.rules.offers import Grant
from support.rules.quotas import TopUp, Use, count_use, counted_grants, guard_limits, meter_of, split_use
from warranty.rules.months import last_day_of

_EVENTS = {"quota.used": "use", "quota.use_reversed": "reversal", "agreement.topped_up": "top_up"}
_Row = QuotaUse | QuotaTopUp


def quota_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each use, top-up, mark and system that is not what was recorded of it.

    Checked: uses and top-ups of an agreement are numbered together without gaps; each lies in the contract year
    it names, counts what its grant counts, and is covered and billable as the meter stood when it was recorded;
    its digest recomputes; what takes a use back is like it; the tax follows from the price; the audit trail tells
    of each and of no other; marks of requirements and records of systems are numbered without gaps.
    """
    for dealer in tx.scalars(sa.select(Company).where(Company.is_dealer).order_by(Company.id)).all():
        book = _book(tx, dealer.id)
        if book:
            yield from _faults_of(tx, dealer.id, book)
        yield from _numbering_faults(tx, dealer)


def _book(tx: Session, dealer_id: UUID) -> dict[UUID, list[_Row]]:
    """Return uses and top-ups by agreement, in order of number."""
    book: dict[UUID, list[_Row]] = defaultdict(list)
    for use in tx.scalars(sa.select(QuotaUse).where(QuotaUse.dealer_id == dealer_id)):
        book[use.agreement_id].append(use)
    for bought in tx.scalars(sa.select(QuotaTopUp).where(QuotaTopUp.dealer_id == dealer_id)):
        book[bought.agreement_id].append(bought)
    for found in book.values():
        found.sort(key=lambda row: row.number)
    return book


def _faults_of(tx: Session, dealer_id: UUID, book: Mapping[UUID, list[_Row]]) -> Iterator[str]:
    agreements = tx.scalars(
        sa.select(Agreement)
        .where(Agreement.dealer_id == dealer_id, Agreement.id.in_(list(book)))
        .order_by(Agreement.number)
    ).all()
    told = _told(tx, dealer_id)
    for facts in agreement_facts(tx, agreements, with_book=False):
        # a use of a day before it was ended stays one of its term
        whole = replace(facts, last_on=last_day_of(facts.starts_on, facts.months))
        rows = book[facts.id]
        faults = [*_row_faults(whole, rows), *_trail_faults(rows, told.pop(facts.ref, {}))]
        yield from (f"agreement {facts.ref}: {fault}" for fault in faults)
    for ref in sorted(told):
        yield f"agreement {ref}: the audit trail tells of uses that are not there"


def _row_faults(facts: AgreementFacts, rows: Sequence[_Row]) -> Iterator[str]:
    if [row.number for row in rows] != list(range(1, len(rows) + 1)):
        yield "its uses and top-ups are not numbered without gaps"
    grants = {grant.key: grant for grant in counted_grants(facts.offer, facts.choices)}
    uses: dict[int, QuotaUse] = {}
    known: list[Use] = []
    bought: list[TopUp] = []
    for row in rows:
        what = f"{'use' if isinstance(row, QuotaUse) else 'top-up'} {row.number}"
        grant = grants.get(row.grant_key)
        if grant is None or grant.quota is None:
            yield f"{what} is of nothing that it counts"
        elif isinstance(row, QuotaTopUp):
            yield from (f"{what} {fault}" for fault in _top_up_faults(facts, row))
        elif row.reverses is not None:
            yield from (f"{what} {fault}" for fault in _reversal_faults(row, uses.get(row.reverses)))
        else:
            yield from (f"{what} {fault}" for fault in _use_faults(facts, grant, row, known, bought))
        if isinstance(row, QuotaTopUp):
            bought.append(top_up_of(row))
        else:
            known.append(use_of(row))
            uses[row.number] = row


def _use_faults(
    facts: AgreementFacts, grant: Grant, row: QuotaUse, known: Sequence[Use], bought: Sequence[TopUp]
) -> Iterator[str]:
    year = facts.year_of(row.used_on)
    if year is None or year.number != row.contract_year:
        yield "is not of the contract year of its day"
    if row.site_id is not None and row.site_id not in facts.site_ids:
        yield "is at no site of the agreement"
    try:
        guard_limits(grant, json.loads(row.within) if row.within else {})
        amount = count_use(grant, row.asked)
    except Refusal as refusal:
        yield f"cannot be: {refusal.message}"
        return
    meter = meter_of(grant, row.contract_year, known, bought)
    if (row.amount, row.covered, row.billable) != (amount, *split_use(meter, amount)):
        yield "is not covered as the meter stood when it was recorded"
    if row.request_digest != _digest_of(row):
        yield "does not recompute to its digest"


def _reversal_faults(row: QuotaUse, use: QuotaUse | None) -> Iterator[str]:
    if use is None or use.reverses is not None or _said(use) != _said(row):
        yield "takes no use back that is like it"
    if row.request_digest != _digest_of(row):
        yield "does not recompute to its digest"


def _top_up_faults(facts: AgreementFacts, row: QuotaTopUp) -> Iterator[str]:
    if not any(year.number == row.contract_year for year in facts.years):
        yield "is of no contract year of the term"
    if row.tax_cents != tax_of(row.net_cents, row.tax_basis_points):
        yield "has a tax that does not follow from its price"
    digest = top_up_digest(
        agreement_id=row.agreement_id,
        grant_key=row.grant_key,
        contract_year=row.contract_year,
        amount=row.amount,
        bought_on=row.bought_on,
        net_cents=row.net_cents,
        tax_basis_points=row.tax_basis_points,
        words=row.words,
    )
    if row.request_digest != digest:
        yield "does not recompute to its digest"


def _said(row: QuotaUse) -> tuple[object, ...]:
    return (
        row.grant_key,
        row.used_on,
        row.contract_year,
        row.asked,
        row.amount,
        row.covered,
        row.billable,
        row.within,
        row.site_id,
        row.call_id,
        row.visit_id,
    )


def _digest_of(row: QuotaUse) -> str:
    return use_digest(
        agreement_id=row.agreement_id,
        grant_key=row.grant_key,
        used_on=row.used_on,
        asked=row.asked,
        within=json.loads(row.within) if row.within else {},
        site_id=row.site_id,
        words=row.words,
        call_id=row.call_id,
        visit_id=row.visit_id,
        reverses=row.reverses,
    )


def _told(tx: Session, dealer_id: UUID) -> dict[str, dict[int, Any]]:
    """Return what the audit trail tells of each agreement's book: who and when, by number."""
    told: dict[str, dict[int, Any]] = defaultdict(dict)
    for event in tx.scalars(
        sa.select(AuditEvent).where(AuditEvent.company_id == dealer_id, AuditEvent.event.in_(_EVENTS))
    ):
        number = event.details.get(_EVENTS[event.event])
        told[event.subject][int(str(number))] = (event.actor_id, event.at)
    return told


def _trail_faults(rows: Sequence[_Row], told: dict[int, Any]) -> Iterator[str]:
    for row in rows:
        who = (
            (row.recorded_by, row.recorded_at) if isinstance(row, QuotaUse) else (row.added_by, row.added_at)
        )
        if told.pop(row.number, None) != who:
            yield f"number {row.number} was recorded otherwise than the audit trail tells"
    for number in sorted(told):
        yield f"number {number} is in the audit trail, but not there"


def _numbering_faults(tx: Session, dealer: Company) -> Iterator[str]:
    for table, place, words in (
        (RequirementMark, RequirementMark.agreement_id, "marks of requirements"),
        (SiteSystem, SiteSystem.site_id, "records of systems"),
    ):
        rows = tx.execute(
            sa.select(place, sa.func.count(), sa.func.max(table.number))
            .where(table.dealer_id == dealer.id)
            .group_by(place)
            .order_by(place)
        )
        for key, count, highest in rows:
            if count != highest:
                yield f"dealer {dealer.code}: the {words} of {key} are not numbered without gaps"
