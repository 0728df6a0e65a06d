"""The talk about the services of a revision: its offers, who may answer, and what stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Quote, Revision
from quotes.models.services import ServiceAgreement, ServiceOffer, ServiceOfferLine
from quotes.queries.content import content_services
from quotes.rules.content import ContentService, is_expired
from quotes.rules.diff import Change
from quotes.rules.services import ServiceChange, diff_services
from quotes.states import RevisionState, ServicesState, Side
from referral.models import User
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.settings import today

TALKING = frozenset({RevisionState.SUBMITTED, RevisionState.APPROVED})
"""Until one of the others, or its last day, the sides may offer and agree."""


def side_of(viewer: Viewer, quote: Quote) -> Side | None:
    """Return the side of a quote the viewer's company is on, None for the program."""
    if viewer.acts_as(CompanyKind.DEALER) and quote.dealer_id == viewer.company_id:
        return Side.DEALER
    if viewer.acts_as(CompanyKind.ACCOUNT) and quote.account_id == viewer.company_id:
        return Side.ACCOUNT
    return None


SPEAKS: dict[Side, Permission] = {Side.DEALER: Permission.QUOTE_DECIDE, Side.ACCOUNT: Permission.QUOTE_BUILD}
"""What somebody needs to speak for a side: a company can be a dealer and an account at once."""


def standing_services(tx: Session, quote: Quote, revision_number: int) -> tuple[ContentService, ...]:
    """Return the services that stand, in order: of the agreed offer, else of the newest.

    Of a draft, and of a revision submitted before there were offers, they are what the revision says.
    """
    agreed = (
        sa.select(ServiceAgreement.offer_number)
        .where(
            ServiceAgreement.dealer_id == quote.dealer_id,
            ServiceAgreement.quote_id == quote.id,
            ServiceAgreement.revision_number == revision_number,
        )
        .scalar_subquery()
    )
    newest = (
        sa.select(sa.func.max(ServiceOffer.number))
        .where(
            ServiceOffer.dealer_id == quote.dealer_id,
            ServiceOffer.quote_id == quote.id,
            ServiceOffer.revision_number == revision_number,
        )
        .scalar_subquery()
    )
    lines = offer_lines(tx, quote, revision_number, sa.func.coalesce(agreed, newest))
    return content_of(lines) or content_services(tx, quote, revision_number)


def offer_lines(
    tx: Session, quote: Quote, revision_number: int, number: sa.ColumnElement[int] | int | None = None
) -> Sequence[ServiceOfferLine]:
    """Return the lines of one offer of a revision, or of all of them, in order."""
    statement = sa.select(ServiceOfferLine).where(
        ServiceOfferLine.dealer_id == quote.dealer_id,
        ServiceOfferLine.quote_id == quote.id,
        ServiceOfferLine.revision_number == revision_number,
    )
    if number is not None:
        statement = statement.where(ServiceOfferLine.offer_number == number)
    return tx.scalars(statement.order_by(ServiceOfferLine.offer_number, ServiceOfferLine.position)).all()


def content_of(lines: Sequence[ServiceOfferLine]) -> tuple[ContentService, ...]:
    """Return what the lines of an offer say."""
    return tuple(ContentService(line.kind, line.description, line.amount_cents) for line in lines)


# the whole talk ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class OfferRow:
    """An offer with its lines and what they say differently from the offer before."""

    number: int
    side: Side
    by: str
    made_at: datetime
    note: str
    services: tuple[ContentService, ...]
    total_cents: int
    changes: tuple[ServiceChange, ...]
    """Without those that stayed the same; none of the first offer."""
    is_agreed: bool


@dataclass(frozen=True)
class AgreementRow:
    """Who agreed to which offer, when."""

    offer_number: int
    side: Side
    by: str
    agreed_at: datetime


@dataclass(frozen=True)
class ServicesTalk:
    """Every offer for the services of a revision, oldest first, and what the viewer may do about them."""

    state: ServicesState
    offers: tuple[OfferRow, ...]
    agreed: AgreementRow | None
    my_side: Side | None
    may_answer: bool
    """Whether the viewer may make an offer now."""
    may_agree: bool
    """Whether the viewer may agree to the newest offer now: it is the other side's."""

    @property
    def newest(self) -> OfferRow | None:
        """The newest offer."""
        return self.offers[-1] if self.offers else None

    @property
    def newest_number(self) -> int | None:
        """The number of the newest offer, by which an answer says what it read."""
        return self.offers[-1].number if self.offers else None


def services_talk(
    tx: Session, *, viewer: Viewer, at: datetime, quote: Quote, revision: Revision, is_closed: bool
) -> ServicesTalk:
    """Return the talk about a revision's services. A revision from before there were offers has one.

    Where the project `is_closed`, nobody answers any more.
    """
    offers, agreed = _rows(tx, quote, revision)
    mine = side_of(viewer, quote)
    may_answer = (
        mine is not None
        and viewer.may(SPEAKS[mine])
        and revision.services_state is ServicesState.PROPOSED
        and revision.state in TALKING
        and not is_expired(revision.expires_on, today(tx, at))
        and not is_closed
    )
    return ServicesTalk(
        state=revision.services_state,
        offers=offers,
        agreed=agreed,
        my_side=mine,
        may_answer=may_answer,
        may_agree=may_answer and bool(offers) and offers[-1].side is not mine,
    )


def _rows(tx: Session, quote: Quote, revision: Revision) -> tuple[tuple[OfferRow, ...], AgreementRow | None]:
    key = (quote.dealer_id, quote.id, revision.number)
    offers = tx.scalars(
        sa.select(ServiceOffer)
        .where(
            ServiceOffer.dealer_id == quote.dealer_id,
            ServiceOffer.quote_id == quote.id,
            ServiceOffer.revision_number == revision.number,
        )
        .order_by(ServiceOffer.number)
    ).all()
    if not offers:
        return _rows_before_offers(tx, quote, revision)
    lines: dict[int, list[ServiceOfferLine]] = {}
    for line in offer_lines(tx, quote, revision.number):
        lines.setdefault(line.offer_number, []).append(line)
    agreement = tx.get(ServiceAgreement, key)
    names = _names(tx, [offer.made_by for offer in offers] + ([agreement.agreed_by] if agreement else []))
    said = [content_of(lines.get(offer.number, [])) for offer in offers]
    rows = tuple(
        OfferRow(
            number=offer.number,
            side=offer.side,
            by=names.get(offer.made_by, ""),
            made_at=offer.made_at,
            note=offer.note,
            services=services,
            total_cents=offer.total_cents,
            changes=_changes(before, services),
            is_agreed=agreement is not None and agreement.offer_number == offer.number,
        )
        for offer, services, before in zip(offers, said, [None, *said[:-1]], strict=True)
    )
    if agreement is None:
        return rows, None
    by = names.get(agreement.agreed_by, "")
    return rows, AgreementRow(agreement.offer_number, agreement.side, by, agreement.agreed_at)


def _rows_before_offers(
    tx: Session, quote: Quote, revision: Revision
) -> tuple[tuple[OfferRow, ...], AgreementRow | None]:
    """Return the submission as the first offer and the approval as its agreement: what they were then."""
    services = content_services(tx, quote, revision.number)
    if revision.submitted_at is None or revision.submitted_by is None or not services:
        return (), None
    names = _names(tx, [user for user in (revision.submitted_by, revision.decided_by) if user is not None])
    is_agreed = revision.services_state is ServicesState.AGREED
    offer = OfferRow(
        number=1,
        side=Side.ACCOUNT,
        by=names.get(revision.submitted_by, ""),
        made_at=revision.submitted_at,
        note="",
        services=services,
        total_cents=sum(service.amount_cents for service in services),
        changes=(),
        is_agreed=is_agreed,
    )
    if not is_agreed or revision.decided_by is None or revision.decided_at is None:
        return (offer,), None
    by = names.get(revision.decided_by, "")
    return (offer,), AgreementRow(1, Side.DEALER, by, revision.decided_at)


def _changes(
    before: Sequence[ContentService] | None, after: Sequence[ContentService]
) -> tuple[ServiceChange, ...]:
    if before is None:
        return ()
    return tuple(each for each in diff_services(before, after) if each.change is not Change.SAME)


def _names(tx: Session, user_ids: Sequence[UUID]) -> dict[UUID, str]:
    found = tx.execute(sa.select(User.id, User.name).where(User.id.in_(user_ids)))
    return {row.id: row.name for row in found}
