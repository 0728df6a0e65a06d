"""Recomputing the talk about services: offers, their sums and digests, what is agreed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Approval, Quote, Revision, RevisionService
from quotes.models.services import ServiceAgreement, ServiceOffer, ServiceOfferLine
from quotes.queries.service_digests import agreement_digest, offer_digest
from quotes.queries.services import content_of
from quotes.rules.content import ContentService
from quotes.states import ServicesState, Side

_LINES_OF_OFFER = sa.and_(
    ServiceOfferLine.dealer_id == ServiceOffer.dealer_id,
    ServiceOfferLine.quote_id == ServiceOffer.quote_id,
    ServiceOfferLine.revision_number == ServiceOffer.revision_number,
    ServiceOfferLine.offer_number == ServiceOffer.number,
)
_OFFER_ORDER = (
    ServiceOffer.dealer_id,
    ServiceOffer.quote_id,
    ServiceOffer.revision_number,
    ServiceOffer.number,
    ServiceOfferLine.position,
)


def agreed_services(tx: Session, dealer_id: UUID) -> Iterator[tuple[int, int, str]]:
    """Yield quote number, revision number and digest of each agreement of a dealer."""
    rows = tx.execute(
        sa.select(ServiceAgreement, ServiceOffer, ServiceOfferLine, Quote.number)
        .join(
            ServiceOffer,
            sa.and_(
                ServiceOffer.dealer_id == ServiceAgreement.dealer_id,
                ServiceOffer.quote_id == ServiceAgreement.quote_id,
                ServiceOffer.revision_number == ServiceAgreement.revision_number,
                ServiceOffer.number == ServiceAgreement.offer_number,
            ),
        )
        .join(
            Quote,
            sa.and_(Quote.dealer_id == ServiceAgreement.dealer_id, Quote.id == ServiceAgreement.quote_id),
        )
        .outerjoin(ServiceOfferLine, _LINES_OF_OFFER)
        .where(ServiceAgreement.dealer_id == dealer_id)
        .order_by(*_OFFER_ORDER)
    )
    for (agreement, offer, number), found in groupby(rows, key=lambda row: (row[0], row[1], row[3])):
        lines = _present(row[2] for row in found)
        yield number, agreement.revision_number, agreement_digest(agreement, offer, lines)


def service_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each offer that does not recompute, and each state that no agreement stands behind."""
    rows = tx.execute(
        sa.select(ServiceOffer, ServiceOfferLine)
        .outerjoin(ServiceOfferLine, _LINES_OF_OFFER)
        .order_by(*_OFFER_ORDER)
        .execution_options(yield_per=500)
    )
    submitted = _submitted(tx)
    for offer, found in groupby(rows, key=lambda row: row[0]):
        lines = _present(row[1] for row in found)
        place = f"services offer {offer.number} of revision {offer.revision_number} of quote {offer.quote_id}"
        if offer.digest != offer_digest(offer, lines):
            yield f"{place}: does not recompute to its digest"
        if offer.total_cents != sum(line.amount_cents for line in lines):
            yield f"{place}: its total is not the sum of its lines"
        key = (offer.dealer_id, offer.quote_id, offer.revision_number)
        if offer.number == 1 and (
            offer.side is not Side.ACCOUNT or list(content_of(lines)) != submitted.get(key, [])
        ):
            yield f"{place}: is not what was submitted"
    yield from _state_faults(tx)


def _present(lines: Iterable[ServiceOfferLine | None]) -> list[ServiceOfferLine]:
    """Return the lines there are: an offer that lost all of them comes with none."""
    return [line for line in lines if line is not None]


def _submitted(tx: Session) -> dict[tuple[UUID, UUID, int], list[ContentService]]:
    """Return what was submitted, by revision: those few that have services."""
    found: dict[tuple[UUID, UUID, int], list[ContentService]] = {}
    rows = tx.scalars(
        sa.select(RevisionService).order_by(
            RevisionService.dealer_id,
            RevisionService.quote_id,
            RevisionService.revision_number,
            RevisionService.position,
        )
    )
    for row in rows:
        key = (row.dealer_id, row.quote_id, row.revision_number)
        found.setdefault(key, []).append(ContentService(row.kind, row.description, row.amount_cents))
    return found


def _state_faults(tx: Session) -> Iterator[str]:
    """Yield revisions whose services say agreed without an agreement, or the other way round.

    A revision approved before there were offers has none: there its approval agreed.
    """
    offered = sa.exists().where(
        ServiceOffer.dealer_id == Revision.dealer_id,
        ServiceOffer.quote_id == Revision.quote_id,
        ServiceOffer.revision_number == Revision.number,
    )
    approved = sa.exists().where(
        Approval.dealer_id == Revision.dealer_id,
        Approval.quote_id == Revision.quote_id,
        Approval.revision_number == Revision.number,
    )
    rows = tx.execute(
        sa.select(Revision, sa.func.coalesce(ServiceAgreement.offer_number, 0), offered, approved)
        .outerjoin(
            ServiceAgreement,
            sa.and_(
                ServiceAgreement.dealer_id == Revision.dealer_id,
                ServiceAgreement.quote_id == Revision.quote_id,
                ServiceAgreement.revision_number == Revision.number,
            ),
        )
        .where(
            sa.or_(
                Revision.services_state == ServicesState.AGREED, ServiceAgreement.offer_number.is_not(None)
            )
        )
        .order_by(Revision.dealer_id, Revision.quote_id, Revision.number)
    )
    for revision, offer_number, has_offers, is_approved in rows:
        place = f"revision {revision.number} of quote {revision.quote_id}"
        if offer_number == 0 and (has_offers or not is_approved):
            yield f"{place}: its services say agreed, but nobody agreed"
        elif offer_number and revision.services_state is not ServicesState.AGREED:
            yield f"{place}: its services are agreed, but do not say so"
