"""What an agreement says as a whole, from its rows; and its digests."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.rules.digests import digest_of
from referral.ids import PublicNumber
from referral.models import Company
from support.models.agreements import Agreement, AgreementPrice
from support.models.catalogue import CatalogueEntry
from support.queries.agreement_sites import sites_of_agreements
from support.queries.catalogue import offer_of_entry
from support.rules.agreements import PriceLine, Terms, price_lines


def agreement_ref(dealer_code: str, agreement: Agreement) -> str:
    """Return an agreement's public number."""
    return str(PublicNumber("A", dealer_code, agreement.number))


def ref_of_agreement(tx: Session, *, dealer_id: UUID, number: int) -> str:
    """Return the public number of a dealer's agreement."""
    return str(
        PublicNumber("A", tx.scalars(sa.select(Company.code).where(Company.id == dealer_id)).one(), number)
    )


def prices_of(tx: Session, agreement: Agreement) -> tuple[PriceLine, ...]:
    """Return the price lines of an agreement by contract year; none before it is priced."""
    rows = tx.scalars(
        sa.select(AgreementPrice)
        .where(AgreementPrice.dealer_id == agreement.dealer_id, AgreementPrice.agreement_id == agreement.id)
        .order_by(AgreementPrice.contract_year)
    )
    said = [(row.net_cents, row.tax_basis_points, row.tax_cents) for row in rows]
    return price_lines(agreement.starts_on, agreement.months, said)


def terms_of(
    tx: Session,
    agreement: Agreement,
    *,
    choices: dict[str, int | bool | None],
    currency: str,
    statement: str,
    statement_version: str,
) -> Terms:
    """Return all that an agreement offers, as its rows say it."""
    dealer_code = tx.scalars(sa.select(Company.code).where(Company.id == agreement.dealer_id)).one()
    entry = tx.get_one(CatalogueEntry, agreement.offer_id)
    before = (
        None
        if agreement.renews_id is None
        else tx.get_one(Agreement, (agreement.dealer_id, agreement.renews_id))
    )
    return Terms(
        ref=agreement_ref(dealer_code, agreement),
        dealer=dealer_code,
        offer=offer_of_entry(tx, entry),
        offer_digest=entry.digest,
        customer=agreement.customer,
        starts_on=agreement.starts_on,
        months=agreement.months,
        choices=choices,
        license_cents=agreement.license_cents,
        renews="" if before is None else agreement_ref(dealer_code, before),
        sites=tuple(row.term for row in sites_of_agreements(tx, [agreement]).get(agreement.id, ())),
        prices=prices_of(tx, agreement),
        currency=currency,
        statement=statement,
        statement_version=statement_version,
    )


def terms_digest(terms: str) -> str:
    """Return the digest over the text of terms: what whoever accepts them names."""
    return hashlib.sha256(terms.encode()).hexdigest()


def acceptance_digest(agreement: Agreement) -> str:
    """Return the digest over what was accepted, by whom and when: what the dealer's evidence keeps."""
    return digest_of(
        "agreement",
        agreement.dealer_id,
        agreement.id,
        agreement.number,
        agreement.idempotency_key,
        agreement.request_digest,
        agreement.offer_id,
        agreement.renews_id,
        agreement.made_by,
        agreement.made_at,
        agreement.terms_digest,
        agreement.offered_by,
        agreement.offered_at,
        agreement.accepted_name,
        agreement.accepted_by,
        agreement.accepted_at,
    )


def offer_digests(tx: Session, entry_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the digests of catalogue entries by id."""
    rows = tx.execute(
        sa.select(CatalogueEntry.id, CatalogueEntry.digest).where(CatalogueEntry.id.in_(entry_ids))
    )
    return {row.id: row.digest for row in rows}
