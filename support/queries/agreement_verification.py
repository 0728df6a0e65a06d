"""Recomputing agreements: each says what its rows, its evidence and the audit trail say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.evidence import Evidence
from ledger.states import EvidenceKind
from referral.errors import Refusal
from referral.models import AuditEvent, Company
from support.models.agreements import Agreement, AgreementPrice
from support.queries.agreement_facts import offers_by_id
from support.queries.agreement_sites import AgreementSiteRow, sites_of_agreements
from support.queries.agreement_terms import (
    acceptance_digest,
    agreement_ref,
    offer_digests,
    terms_digest,
)
from support.rules.agreements import Terms, price_lines, tax_of, terms_json, whole_choices
from support.rules.offers import Offer
from support.states import BINDING_STATES, AgreementState
from warranty.rules.months import last_day_of

_EVENTS = tuple(
    f"agreement.{verb}" for verb in ("built", "offered", "accepted", "declined", "withdrawn", "terminated")
)
_Told = Mapping[tuple[str, str], AuditEvent]
"""The last event of each kind of each agreement."""


@dataclass(frozen=True)
class _Rows:
    """What belongs to one dealer's agreements."""

    code: str
    offers: Mapping[UUID, Offer]
    digests: Mapping[UUID, str]
    sites: Mapping[UUID, Sequence[AgreementSiteRow]]
    prices: Mapping[UUID, Sequence[AgreementPrice]]
    refs: Mapping[UUID, str]


def agreement_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each agreement that is not what was recorded of it.

    Checked: its terms are what its offer, sites and prices say, and have their digest; tax is what the rate
    makes it; its last day follows from its first and its months, or is the day it was terminated on; what was
    chosen fits the offer; its state fits; each accepted agreement stands in its dealer's evidence, and no
    other does; what was built, offered, accepted and closed is what the audit trail tells.
    """
    for dealer in tx.scalars(sa.select(Company).where(Company.is_dealer).order_by(Company.id)).all():
        agreements = tx.scalars(
            sa.select(Agreement).where(Agreement.dealer_id == dealer.id).order_by(Agreement.number)
        ).all()
        kept, told = _evidence(tx, dealer), _told(tx, dealer)
        rows = _rows(tx, dealer, agreements)
        for agreement in agreements:
            ref = rows.refs[agreement.id]
            faults = [
                *_content_faults(agreement, rows),
                *_state_faults(agreement, kept.pop(ref, None)),
                *_trail_faults(agreement, ref, told),
            ]
            yield from (f"agreement {ref}: {fault}" for fault in faults)
        yield from (f"agreement {ref}: is in the evidence, but not accepted" for ref in kept)
        built = {ref for event, ref in told if event == "agreement.built"}
        for ref in sorted(built - set(rows.refs.values())):
            yield f"agreement {ref}: is in the audit trail, but not there"


def _rows(tx: Session, dealer: Company, agreements: Sequence[Agreement]) -> _Rows:
    prices: dict[UUID, list[AgreementPrice]] = {}
    for row in tx.scalars(
        sa.select(AgreementPrice)
        .where(AgreementPrice.dealer_id == dealer.id)
        .order_by(AgreementPrice.agreement_id, AgreementPrice.contract_year)
    ):
        prices.setdefault(row.agreement_id, []).append(row)
    offers = {each.offer_id for each in agreements}
    return _Rows(
        code=dealer.code,
        offers=offers_by_id(tx, offers),
        digests=offer_digests(tx, offers),
        sites=sites_of_agreements(tx, agreements),
        prices=prices,
        refs={each.id: agreement_ref(dealer.code, each) for each in agreements},
    )


def _evidence(tx: Session, dealer: Company) -> dict[str, str]:
    rows = tx.execute(
        sa.select(Evidence.subject, Evidence.content_digest).where(
            Evidence.dealer_id == dealer.id, Evidence.kind == EvidenceKind.AGREEMENT
        )
    )
    return {row.subject: row.content_digest for row in rows}


def _told(tx: Session, dealer: Company) -> _Told:
    rows = tx.scalars(
        sa.select(AuditEvent)
        .where(AuditEvent.company_id == dealer.id, AuditEvent.event.in_(_EVENTS))
        .order_by(AuditEvent.at, AuditEvent.id)
    )
    return {(row.event, row.subject): row for row in rows}


def _content_faults(agreement: Agreement, rows: _Rows) -> Iterator[str]:
    """What it says, against its offer, its sites and its prices."""
    offer = rows.offers[agreement.offer_id]
    whole = last_day_of(agreement.starts_on, agreement.months)
    is_cut = agreement.state is AgreementState.TERMINATED
    if agreement.last_on != whole and not (is_cut and agreement.starts_on <= agreement.last_on < whole):
        yield "its last day does not follow from its first day and its months"
    choices = _choices(agreement, offer)
    if choices is None:
        yield "what was chosen does not fit its offer"
        return
    prices = rows.prices.get(agreement.id, ())
    if any(row.tax_cents != tax_of(row.net_cents, row.tax_basis_points) for row in prices):
        yield "the tax of a contract year is not what its rate makes it"
    if not rows.sites.get(agreement.id):
        yield "it is for no site"
    if not agreement.terms:
        return
    if agreement.terms_digest != terms_digest(agreement.terms):
        yield "its terms do not recompute to their digest"
    if agreement.terms != _terms_again(agreement, offer, choices, rows):
        yield "its terms are not what its offer, sites and prices say"


def _choices(agreement: Agreement, offer: Offer) -> dict[str, int | bool | None] | None:
    """Return what was chosen, None where it does not fit the offer."""
    try:
        choices: dict[str, int | bool | None] = json.loads(agreement.choices)
        return choices if whole_choices(offer, choices) == choices else None
    except (Refusal, ValueError, TypeError):
        return None


def _terms_again(
    agreement: Agreement, offer: Offer, choices: dict[str, int | bool | None], rows: _Rows
) -> str:
    """Return the terms as the rows make them; the statement and the currency are those of the offering."""
    try:
        said = json.loads(agreement.terms)
        currency, statement = said["currency"], said["statement"]
        text, version = statement["text"], statement["version"]
    except (ValueError, KeyError, TypeError):
        return ""
    prices = [
        (row.net_cents, row.tax_basis_points, row.tax_cents) for row in rows.prices.get(agreement.id, ())
    ]
    return terms_json(
        Terms(
            ref=rows.refs[agreement.id],
            dealer=rows.code,
            offer=offer,
            offer_digest=rows.digests[agreement.offer_id],
            customer=agreement.customer,
            starts_on=agreement.starts_on,
            months=agreement.months,
            choices=choices,
            license_cents=agreement.license_cents,
            renews=rows.refs.get(agreement.renews_id, "") if agreement.renews_id else "",
            sites=tuple(row.term for row in rows.sites.get(agreement.id, ())),
            prices=price_lines(agreement.starts_on, agreement.months, prices),
            currency=currency,
            statement=text,
            statement_version=version,
        )
    )


def _state_faults(agreement: Agreement, evidence: str | None) -> Iterator[str]:
    """Its state against its columns and its dealer's evidence."""
    state = agreement.state
    is_offered = state is not AgreementState.DRAFT and (
        state is not AgreementState.WITHDRAWN or agreement.terms != ""
    )
    is_closed = state in {AgreementState.DECLINED, AgreementState.WITHDRAWN, AgreementState.TERMINATED}
    fits = (
        (agreement.terms != "", agreement.offered_by is not None, agreement.offered_at is not None)
        == (is_offered,) * 3
        and (agreement.closing_words != "", agreement.closed_by is not None, agreement.closed_at is not None)
        == (is_closed,) * 3
        and (agreement.accepted_name != "", agreement.accepted_by is not None)
        == (state in BINDING_STATES,) * 2
    )
    if not fits:
        yield f"its state does not fit: {state.value}"
    if state not in BINDING_STATES:
        if evidence is not None:
            yield "is in the evidence, but not accepted"
    elif evidence != acceptance_digest(agreement):
        yield "is not what the evidence of its day says"


def _trail_faults(agreement: Agreement, ref: str, told: _Told) -> Iterator[str]:
    """What the audit trail tells of it."""
    built = told.get(("agreement.built", ref))
    if built is None or (built.actor_id, built.at) != (agreement.made_by, agreement.made_at):
        yield "was built otherwise than the audit trail tells"
    if agreement.terms:
        offered = told.get(("agreement.offered", ref))
        said = (agreement.offered_by, agreement.offered_at, agreement.terms_digest)
        if offered is None or (offered.actor_id, offered.at, offered.details["digest"]) != said:
            yield "was offered otherwise than the audit trail tells"
    if agreement.accepted_at is not None:
        accepted = told.get(("agreement.accepted", ref))
        said = (agreement.accepted_by, agreement.accepted_at, agreement.terms_digest)
        if accepted is None or (accepted.actor_id, accepted.at, accepted.details["digest"]) != said:
            yield "was accepted otherwise than the audit trail tells"
    elif ("agreement.accepted", ref) in told:
        yield "was accepted, as the audit trail tells"
    if agreement.closed_at is not None:
        closed = told.get((f"agreement.{agreement.state.value}", ref))
        if closed is None or not _was_closed_so(agreement, closed):
            yield "was closed otherwise than the audit trail tells"
    elif ("agreement.terminated", ref) in told or ("agreement.withdrawn", ref) in told:
        yield "was closed, as the audit trail tells"


def _was_closed_so(agreement: Agreement, event: AuditEvent) -> bool:
    last_on = event.details.get("last_on")
    return (event.actor_id, event.at, event.details["words"]) == (
        agreement.closed_by,
        agreement.closed_at,
        agreement.closing_words,
    ) and (last_on is None or date.fromisoformat(str(last_on)) == agreement.last_on)
