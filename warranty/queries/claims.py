"""Claims as each side sees them, in lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import CompanyKind, Viewer
from referral.queries.records import PAGE_ROWS, holds_words, page_key
from referral.queries.referrals import dealer_of_number
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource
from warranty.states import LIVE_CLAIM_STATES, ClaimState

CLAIM_STATE_WORDS: Mapping[ClaimState, str] = MappingProxyType(
    {
        ClaimState.OPEN: "To decide",
        ClaimState.ACCEPTED: "Accepted, to fulfil",
        ClaimState.REFUSED: "Refused",
        ClaimState.FULFILLED: "Fulfilled",
        ClaimState.WITHDRAWN: "Withdrawn",
    }
)
"""The states of a claim as lists say them."""
_Dealer, _Account = aliased(Company), aliased(Company)


def claims_seen_by(viewer: Viewer) -> sa.Select[Claim]:
    """Return the claims the viewer may see: of the dealer's projects, of what the account sold, or all."""
    statement = sa.select(Claim)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    sides: list[sa.ColumnElement[bool]] = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(Claim.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(Claim.account_id == viewer.company_id)
    return statement.where(sa.or_(sa.false(), *sides))


def claim_by_ref(tx: Session, viewer: Viewer, ref: str) -> sa.Select[Claim]:
    """Return the statement for one visible claim, for reads and locks alike. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "C")
    return claims_seen_by(viewer).where(Claim.dealer_id == dealer_id, Claim.number == number)


def live_claim_of(tx: Session, source: InstalledSource) -> Claim | None:
    """Return the open or accepted claim of a source, if there is one."""
    return tx.scalars(
        sa.select(Claim).where(
            Claim.dealer_id == source.dealer_id,
            Claim.source_id == source.id,
            Claim.state.in_(LIVE_CLAIM_STATES),
        )
    ).one_or_none()


def opened_details(claim: Claim) -> dict[str, object]:
    """Return what the audit trail tells of a claim that is opened."""
    return {
        "source": str(claim.source_id),
        "problem": claim.problem,
        "failed_on": None if claim.failed_on is None else claim.failed_on.isoformat(),
        "reported_on": claim.reported_on.isoformat(),
    }


@dataclass(frozen=True)
class ClaimRow:
    """A claim in a list."""

    ref: str
    state: ClaimState
    source_ref: str
    quantity: int
    model_number: str
    description: str
    room: str
    referral_ref: str
    project_name: str
    place: str
    dealer_code: str
    dealer_name: str
    account_code: str
    account_name: str
    problem: str
    failed_on: date | None
    reported_on: date
    opened_at: datetime
    is_goodwill: bool


@dataclass(frozen=True)
class ClaimFilter:
    """What a list of claims is narrowed to; what is empty narrows nothing."""

    state: ClaimState | None = None
    project: str = ""
    """Words of the project and its place."""
    company: str = ""
    """Words of the dealer and the account."""
    model: str = ""


@dataclass(frozen=True)
class ClaimList:
    """A page of claims, newest first; `after` continues the list."""

    rows: tuple[ClaimRow, ...]
    after: str | None


def claims_page(
    tx: Session,
    *,
    viewer: Viewer,
    asked: ClaimFilter | None = None,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> ClaimList:
    """Return the claims the viewer may see, newest first, `limit` at a time. Raises Refusal(not_found)."""
    narrow = asked or ClaimFilter()
    statement = found_by(viewer).where(
        *holds_words(narrow.project, folded=Referral.project_key),
        *holds_words(narrow.company, _Dealer.name, _Dealer.code, _Account.name, _Account.code),
    )
    if narrow.state is not None:
        statement = statement.where(Claim.state == narrow.state)
    if narrow.model:
        statement = statement.where(InstalledSource.model_number == narrow.model)
    if after is not None:
        statement = statement.where(Claim.id < page_key(after))
    found = tx.execute(statement.order_by(Claim.id.desc()).limit(limit + 1)).all()
    return ClaimList(
        rows=tuple(row_of(row) for row in found[:limit]),
        after=str(found[limit - 1][0].id) if len(found) > limit else None,
    )


def found_by(viewer: Viewer) -> sa.Select[Any]:
    """Return the statement of visible claims with source, project, dealer and account, as `row_of` takes them."""
    return (
        claims_seen_by(viewer)
        .add_columns(InstalledSource, Referral, _Dealer, _Account)
        .join(
            InstalledSource,
            sa.and_(InstalledSource.dealer_id == Claim.dealer_id, InstalledSource.id == Claim.source_id),
        )
        .join(
            Referral,
            sa.and_(
                Referral.dealer_id == InstalledSource.dealer_id, Referral.id == InstalledSource.referral_id
            ),
        )
        .join(_Dealer, _Dealer.id == Claim.dealer_id)
        .join(_Account, _Account.id == Claim.account_id)
    )


def row_of(found: Any) -> ClaimRow:
    """Return a claim as lists show it."""
    claim, source, project, dealer, account = found
    return ClaimRow(
        ref=str(PublicNumber("C", dealer.code, claim.number)),
        state=claim.state,
        source_ref=str(PublicNumber("U", dealer.code, source.number)),
        quantity=source.quantity,
        model_number=source.model_number,
        description=source.description,
        room=source.room,
        referral_ref=str(PublicNumber("R", dealer.code, project.number)),
        project_name=project.project_name,
        place=project.place,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        account_code=account.code,
        account_name=account.name,
        problem=claim.problem,
        failed_on=claim.failed_on,
        reported_on=claim.reported_on,
        opened_at=claim.opened_at,
        is_goodwill=claim.is_goodwill,
    )
