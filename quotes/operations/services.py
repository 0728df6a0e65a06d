"""The talk about services: offers of either side, and the agreement of the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.operations.evidence import witness
from ledger.states import EvidenceKind
from quotes.models.quotes import Quote, Revision
from quotes.models.services import ServiceAgreement, ServiceOffer, ServiceOfferLine
from quotes.operations.mails import project_of, tell_account, tell_dealer
from quotes.operations.quotes import ServiceInput, guard_project_stands, locked_quote, locked_revision
from quotes.queries.content import content_lines, content_services, quote_ref
from quotes.queries.service_digests import agreement_digest, offer_digest
from quotes.queries.services import SPEAKS, TALKING, offer_lines, side_of
from quotes.rules import mails
from quotes.rules.content import is_expired
from quotes.rules.mails import MailText
from quotes.states import RevisionState, ServicesState, Side
from referral.errors import Refusal
from referral.money import format_cents
from referral.operations.delegations import guard_decider
from referral.operations.records import guard_permission, guard_total, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today

MAX_SERVICES = 200
"""Services of one offer."""


def counter_services(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    revision_number: int,
    offer_number: int,
    services: Sequence[ServiceInput],
    note: str,
) -> ServiceOffer:
    """The actor's side has made the next offer for the services of the revision.

    `offer_number` is the newest offer as it was read; the same sent twice is one offer. Raises
    Refusal(forbidden), (delegation_expired), (not_found), (stale_revision), (not_pending), (quote_expired),
    (referral_closed), (stale_offer), (invalid_input) without a service or with too many, (amount_too_large).
    """
    quote, side, lender = _speaker(tx, actor, at, ref)
    before = _the_same_offer(tx, actor, quote, revision_number, offer_number + 1, services, note.strip())
    if before is not None:
        return before
    revision = _open_revision(tx, at, quote, revision_number)
    if not services:
        raise Refusal(
            "invalid_input",
            "An offer has at least one service. For none at all, the account says so in a next revision.",
            "services",
        )
    if len(services) > MAX_SERVICES:
        raise Refusal("invalid_input", f"An offer has at most {MAX_SERVICES} services.", "services")
    newest = _read_offer(tx, quote, revision, offer_number)
    products = sum(line.amount_cents for line in content_lines(tx, quote, revision_number))
    guard_total(products + sum(service.amount_cents for service in services), "services")
    offer = _add_offer(tx, revision, newest.number + 1, side, actor.user_id, at, services, note.strip())
    _tell(
        tx,
        at,
        quote,
        side,
        mails.services_offered(
            ref,
            revision_number,
            project_of(tx, quote),
            by=f"{actor.name} of {actor.company_name}",
            total=_total(offer, revision),
            note=offer.note,
        ),
    )
    _record(tx, actor, at, quote, revision, "services.offered", offer, lender)
    return offer


def agree_services(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, revision_number: int, offer_number: int
) -> ServiceAgreement:
    """The services of the revision are those of the other side's newest offer; agreeing twice is once.

    Raises Refusal(forbidden), (delegation_expired), (not_found), (stale_revision), (not_pending),
    (quote_expired), (referral_closed), (stale_offer), (own_offer).
    """
    quote, side, lender = _speaker(tx, actor, at, ref)
    before = tx.get(ServiceAgreement, (quote.dealer_id, quote.id, revision_number))
    if before is not None and (before.offer_number, before.side) == (offer_number, side):
        return before
    revision = _open_revision(tx, at, quote, revision_number)
    offer = _read_offer(tx, quote, revision, offer_number)
    if offer.side is side:
        raise Refusal("own_offer")
    agreement = agree_to(tx, actor=actor, at=at, quote=quote, revision=revision, offer=offer, lender=lender)
    _tell(
        tx,
        at,
        quote,
        side,
        mails.services_agreed(
            ref,
            revision_number,
            project_of(tx, quote),
            by=f"{actor.name} of {actor.company_name}",
            total=_total(offer, revision),
        ),
    )
    return agreement


def agree_to(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    quote: Quote,
    revision: Revision,
    offer: ServiceOffer,
    lender: UUID | None,
) -> ServiceAgreement:
    """The services of a locked revision are those of this offer; the evidence says so."""
    agreement = ServiceAgreement(
        dealer_id=quote.dealer_id,
        quote_id=quote.id,
        revision_number=revision.number,
        offer_number=offer.number,
        side=Side.ACCOUNT if offer.side is Side.DEALER else Side.DEALER,
        agreed_by=actor.user_id,
        agreed_at=at,
    )
    tx.add(agreement)
    revision.services_state = ServicesState.AGREED
    tx.flush()
    lines = offer_lines(tx, quote, revision.number, offer.number)
    witness(
        tx,
        actor=actor,
        at=at,
        dealer_id=quote.dealer_id,
        kind=EvidenceKind.SERVICES,
        subject=f"{quote_ref(tx, quote)}.{revision.number}",
        content_digest=agreement_digest(agreement, offer, lines),
    )
    _record(tx, actor, at, quote, revision, "services.agreed", offer, lender)
    return agreement


def offer_submitted(tx: Session, *, actor: Viewer, at: datetime, quote: Quote, revision: Revision) -> None:
    """The services of a revision that is being submitted are the account's first offer."""
    said = content_services(tx, quote, revision.number)
    if said:
        rows = [ServiceInput(row.kind, row.description, row.amount_cents) for row in said]
        _add_offer(tx, revision, 1, Side.ACCOUNT, actor.user_id, at, rows, "")


def newest_offer(tx: Session, quote: Quote, revision: Revision) -> ServiceOffer | None:
    """Return the newest offer of a locked revision; one from before there were offers gets its first."""
    statement = (
        sa.select(ServiceOffer)
        .where(
            ServiceOffer.dealer_id == quote.dealer_id,
            ServiceOffer.quote_id == quote.id,
            ServiceOffer.revision_number == revision.number,
        )
        .order_by(ServiceOffer.number.desc())
        .limit(1)
    )
    found = tx.scalars(statement).one_or_none()
    services = content_services(tx, quote, revision.number)
    if found is not None or revision.services_state is not ServicesState.PROPOSED or not services:
        return found
    if revision.submitted_by is None or revision.submitted_at is None:
        return None
    rows = [ServiceInput(row.kind, row.description, row.amount_cents) for row in services]
    return _add_offer(tx, revision, 1, Side.ACCOUNT, revision.submitted_by, revision.submitted_at, rows, "")


# what every answer does -------------------------------------------------------------------------


def _speaker(tx: Session, actor: Viewer, at: datetime, ref: str) -> tuple[Quote, Side, UUID | None]:
    """Lock the quote; return it, the side the actor speaks for, and who lent a delegate the right."""
    guard_permission(actor, Permission.SERVICES_AGREE)
    quote = locked_quote(tx, actor, ref)
    side = side_of(actor, quote)
    if side is None:
        raise Refusal("forbidden")
    guard_permission(actor, SPEAKS[side])
    return quote, side, guard_decider(tx, actor, at) if side is Side.DEALER else None


def _open_revision(tx: Session, at: datetime, quote: Quote, revision_number: int) -> Revision:
    """Lock the revision and guard that its services are still to be agreed."""
    revision = locked_revision(tx, quote, revision_number)
    if revision.state is RevisionState.DRAFT:
        raise Refusal("not_found")
    if revision.state is RevisionState.SUPERSEDED:
        raise Refusal("stale_revision")
    if revision.state not in TALKING:
        raise Refusal("not_pending", details={"state": revision.state.value})
    if is_expired(revision.expires_on, today(tx, at)):
        raise Refusal("quote_expired")
    if revision.services_state is not ServicesState.PROPOSED:
        raise Refusal("not_pending", details={"services_state": revision.services_state.value})
    guard_project_stands(tx, quote)
    return revision


def _the_same_offer(
    tx: Session,
    actor: Viewer,
    quote: Quote,
    revision_number: int,
    number: int,
    services: Sequence[ServiceInput],
    note: str,
) -> ServiceOffer | None:
    """Return the offer that this person made by sending the same before, or None."""
    offer = tx.get(ServiceOffer, (quote.dealer_id, quote.id, revision_number, number))
    if offer is None or (offer.made_by, offer.note) != (actor.user_id, note):
        return None
    lines = offer_lines(tx, quote, revision_number, number)
    said = [ServiceInput(line.kind, line.description, line.amount_cents) for line in lines]
    return offer if said == list(services) else None


def _read_offer(tx: Session, quote: Quote, revision: Revision, offer_number: int) -> ServiceOffer:
    """Return the newest offer. Raises Refusal(stale_offer) where another one was read."""
    newest = newest_offer(tx, quote, revision)
    if newest is None or newest.number != offer_number:
        raise Refusal("stale_offer")
    return newest


def _add_offer(
    tx: Session,
    revision: Revision,
    number: int,
    side: Side,
    made_by: UUID,
    made_at: datetime,
    services: Sequence[ServiceInput],
    note: str,
) -> ServiceOffer:
    key = {
        "dealer_id": revision.dealer_id,
        "quote_id": revision.quote_id,
        "revision_number": revision.number,
    }
    offer = ServiceOffer(
        **key,
        number=number,
        side=side,
        note=note,
        total_cents=sum(service.amount_cents for service in services),
        made_by=made_by,
        made_at=made_at,
    )
    lines = [
        ServiceOfferLine(**key, offer_number=number, position=position, **vars(service))
        for position, service in enumerate(services, 1)
    ]
    offer.digest = offer_digest(offer, lines)
    tx.add(offer)
    tx.flush()
    tx.add_all(lines)
    tx.flush()
    return offer


def _total(offer: ServiceOffer, revision: Revision) -> str:
    return f"{revision.currency} {format_cents(offer.total_cents)}"


def _tell(tx: Session, at: datetime, quote: Quote, side: Side, text: MailText) -> None:
    """Owe a mail to the other side."""
    if side is Side.DEALER:
        tell_account(tx, at, quote.account_id, text)
    else:
        tell_dealer(tx, at, quote.dealer_id, text)


def _record(
    tx: Session,
    actor: Viewer,
    at: datetime,
    quote: Quote,
    revision: Revision,
    event: str,
    offer: ServiceOffer,
    lender: UUID | None,
) -> None:
    details: dict[str, object] = {
        "revision": revision.number,
        "offer": offer.number,
        "total_cents": offer.total_cents,
    }
    if lender is not None:
        details["on_behalf_of"] = str(lender)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=quote.dealer_id,
        event=event,
        subject=quote_ref(tx, quote),
        details=details,
    )
