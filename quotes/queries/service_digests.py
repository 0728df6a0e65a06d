"""What offers for services and the agreement to one say, as digests over every column."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.rules.digests import digest_of
from quotes.models.services import ServiceAgreement, ServiceOffer, ServiceOfferLine


def offer_digest(offer: ServiceOffer, lines: Sequence[ServiceOfferLine]) -> str:
    """Return the digest over every column of an offer and its lines."""
    return digest_of(
        "service_offer",
        offer.dealer_id,
        offer.quote_id,
        offer.revision_number,
        offer.number,
        offer.side,
        offer.note,
        offer.total_cents,
        offer.made_by,
        offer.made_at,
        *(
            digest_of(line.position, line.kind, line.description, line.amount_cents)
            for line in sorted(lines, key=lambda line: line.position)
        ),
    )


def agreement_digest(
    agreement: ServiceAgreement, offer: ServiceOffer, lines: Sequence[ServiceOfferLine]
) -> str:
    """Return the digest over an agreement and the offer it agrees to, with its lines."""
    return digest_of(
        "service_agreement",
        agreement.dealer_id,
        agreement.quote_id,
        agreement.revision_number,
        agreement.offer_number,
        agreement.side,
        agreement.agreed_by,
        agreement.agreed_at,
        offer_digest(offer, lines),
    )
