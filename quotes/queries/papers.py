"""One submitted revision as it stands on paper: what it says, who approved it, and nothing that depends on today."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.price_lists import PriceList
from quotes.models.quotes import Approval, Quote, Revision
from quotes.models.services import ServiceAgreement, ServiceOffer
from quotes.queries.approvals import approver_words
from quotes.queries.content import content_lines, content_services
from quotes.queries.quotes import quote_by_ref
from quotes.queries.services import standing_services
from quotes.rules.content import ATTESTATIONS, ContentLine, ContentService
from quotes.states import RevisionState, ServiceKind, ServicesState
from referral.errors import Refusal
from referral.models import Company, Referral, User
from referral.permissions import Viewer
from referral.queries.referrals import dealer_of_number

SERVICE_WORDS: Mapping[ServiceKind, str] = MappingProxyType(
    {
        ServiceKind.DESIGN: "Design",
        ServiceKind.PRE_WIRE: "Pre-wire",
        ServiceKind.INSTALL: "Install",
        ServiceKind.COMMISSIONING: "Commissioning",
        ServiceKind.PROGRAMMING: "Programming",
        ServiceKind.OTHER: "Other labor",
    }
)
SERVICES_STATE_WORDS: Mapping[ServicesState, str] = MappingProxyType(
    {
        ServicesState.OPEN: "Service and labor prices are still open.",
        ServicesState.NONE: "No services or labor are part of this quote.",
        ServicesState.PROPOSED: "Offered, not agreed yet.",
        ServicesState.AGREED: "Agreed by both sides.",
    }
)
WITHOUT_APPROVAL: Mapping[RevisionState, str] = MappingProxyType(
    {
        RevisionState.SUBMITTED: "This revision waits for the dealer's decision.",
        RevisionState.CHANGES_REQUESTED: "The dealer sent this revision back with a request for changes.",
        RevisionState.DECLINED: "The dealer declined this revision.",
        RevisionState.SUPERSEDED: "A later revision has taken its place.",
    }
)


@dataclass(frozen=True)
class PaperRoom:
    """The lines of one room, in order, with their sum in cents."""

    name: str
    lines: tuple[ContentLine, ...]
    amount_cents: int


@dataclass(frozen=True)
class RevisionPaper:
    """A submitted revision with everything its paper says."""

    ref: str
    number: int
    project_name: str
    place: str
    dealer_name: str
    account_name: str
    account_number: str
    """The dealer's Lutron account number, as stated on the revision."""
    price_list: int
    price_list_from: date
    currency: str
    note: str
    submitted_by: str
    submitted_at: datetime
    expires_on: date | None
    rooms: tuple[PaperRoom, ...]
    products_cents: int
    services: tuple[ContentService, ...]
    """Those that stand: agreed, else offered last."""
    services_cents: int
    services_words: str
    approved_by: str
    """Who approved, and on whose behalf; '' where nobody did."""
    approved_at: datetime | None
    typed_name: str
    typed_account_number: str
    attestations: tuple[str, ...]
    """What the approver stated, in the words of that day."""
    standing: str
    """What else is to be known of where it stands; '' for a plain approval."""
    digest: str
    products_digest: str
    services_digest: str
    """Of the services as they were submitted."""
    offer_digest: str
    """Of the offer whose services stand, where they are others than those submitted; else ''."""

    @property
    def line_count(self) -> int:
        """How many product lines it has."""
        return sum(len(room.lines) for room in self.rooms)

    @property
    def all_cents(self) -> int:
        """Products and services."""
        return self.products_cents + self.services_cents

    @property
    def content_code(self) -> str:
        """The short form of its digest."""
        return self.digest[:8]

    @property
    def proof(self) -> str:
        """Say what the digests are of."""
        if not self.offer_digest:
            return f"This paper shows exactly the content with the code {self.content_code}."
        return (
            f"Products, prices and account number are exactly the content with the code {self.content_code}. The "
            "services were offered after the submission: they are those of the offer below, and the digests of "
            "content and services are of what was submitted."
        )

    @property
    def dated_at(self) -> datetime:
        """The instant of the paper: of the approval, else of the submission."""
        return self.approved_at or self.submitted_at


def revision_paper(tx: Session, *, viewer: Viewer, ref: str, revision_number: int) -> RevisionPaper:
    """Return a submitted revision for its paper. Raises Refusal(not_found), also for a draft."""
    dealer_id, number = dealer_of_number(tx, ref, "Q")
    quote = tx.scalars(quote_by_ref(viewer, dealer_id, number)).one_or_none()
    if quote is None:
        raise Refusal("not_found")
    revision = tx.get(Revision, (quote.dealer_id, quote.id, revision_number))
    if (
        revision is None
        or revision.state is RevisionState.DRAFT
        or revision.submitted_at is None
        or revision.submitted_by is None
        or revision.price_list_id is None
    ):
        raise Refusal("not_found")
    price_list = tx.get_one(PriceList, revision.price_list_id)
    referral = tx.get_one(Referral, (quote.dealer_id, quote.referral_id))
    approval = tx.get(Approval, (quote.dealer_id, quote.id, revision_number))
    texts = {} if approval is None else json.loads(approval.attestation_text)
    lines = content_lines(tx, quote, revision_number)
    services = standing_services(tx, quote, revision_number)
    is_plain = approval is not None and revision.state is RevisionState.APPROVED
    return RevisionPaper(
        ref=ref,
        number=revision_number,
        project_name=referral.project_name,
        place=referral.place,
        dealer_name=_company(tx, quote.dealer_id),
        account_name=_company(tx, quote.account_id),
        account_number=revision.account_number,
        price_list=price_list.version,
        price_list_from=price_list.valid_from,
        currency=str(revision.currency),
        note=revision.note,
        submitted_by=tx.get_one(User, revision.submitted_by).name,
        submitted_at=revision.submitted_at,
        expires_on=revision.expires_on,
        rooms=_rooms(lines),
        products_cents=sum(line.amount_cents for line in lines),
        services=services,
        services_cents=sum(service.amount_cents for service in services),
        services_words=SERVICES_STATE_WORDS[revision.services_state],
        approved_by="" if approval is None else approver_words(tx, approval),
        approved_at=None if approval is None else approval.approved_at,
        typed_name="" if approval is None else approval.typed_name,
        typed_account_number="" if approval is None else approval.typed_account_number,
        attestations=tuple(texts[name] for name in ATTESTATIONS if name in texts),
        standing="" if is_plain else WITHOUT_APPROVAL.get(revision.state, ""),
        digest=str(revision.digest),
        products_digest=str(revision.products_digest),
        services_digest=str(revision.services_digest),
        offer_digest=_offer_digest(tx, quote, revision_number)
        if services != content_services(tx, quote, revision_number)
        else "",
    )


def _offer_digest(tx: Session, quote: Quote, revision_number: int) -> str:
    """Return the digest of the agreed offer for the services, else of the newest."""
    here = (quote.dealer_id, quote.id, revision_number)
    agreement = tx.get(ServiceAgreement, here)
    newest = sa.select(sa.func.max(ServiceOffer.number)).where(
        ServiceOffer.dealer_id == quote.dealer_id,
        ServiceOffer.quote_id == quote.id,
        ServiceOffer.revision_number == revision_number,
    )
    number = tx.scalar(newest) if agreement is None else agreement.offer_number
    return tx.get_one(ServiceOffer, (*here, number)).digest


def _company(tx: Session, company_id: UUID) -> str:
    return tx.get_one(Company, company_id).name


def _rooms(lines: tuple[ContentLine, ...]) -> tuple[PaperRoom, ...]:
    rooms: dict[str, list[ContentLine]] = {}
    for line in lines:
        rooms.setdefault(line.room, []).append(line)
    return tuple(
        PaperRoom(name, tuple(found), sum(line.amount_cents for line in found))
        for name, found in rooms.items()
    )
