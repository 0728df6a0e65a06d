"""Referrals as each side sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.errors import Refusal
from referral.ids import PublicNumber, parse_public_number
from referral.models import (
    Company,
    Referral,
    User,
)
from referral.permissions import CompanyKind, Viewer
from referral.queries.records import PAGE_ROWS, page_key
from referral.states import ReferralState


def dealer_of_number(tx: Session, text: str, kind: str) -> tuple[UUID, int]:
    """Return (dealer_id, number) of a public number such as R-HARBOR-3. Raises Refusal(not_found)."""
    number = parse_public_number(text, kind)
    dealer_id = (
        None
        if number is None
        else tx.scalars(sa.select(Company.id).where(Company.code == number.dealer_code)).one_or_none()
    )
    if number is None or dealer_id is None:
        raise Refusal("not_found")
    return dealer_id, number.number


def referrals_seen_by(viewer: Viewer) -> sa.Select[Referral]:
    """Return the referrals the viewer may see: the dealer's own, those sent to the account, or all."""
    statement = sa.select(Referral)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    sides = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(Referral.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(Referral.account_id == viewer.company_id)
    return statement.where(sa.or_(sa.false(), *sides))


@dataclass(frozen=True)
class ReferralRow:
    """A referral as one side sees it; client fields are '' where the dealer does not share them."""

    ref: str
    state: ReferralState
    project_name: str
    place: str
    spaces: str
    wanted_on: date | None
    client_name: str
    client_contact: str
    client_shared: bool
    is_client_hidden: bool
    dealer_code: str
    dealer_name: str
    account_code: str
    account_name: str
    opened_at: datetime
    opened_by: str
    answered_at: datetime | None
    answer_reason: str
    is_mine_to_answer: bool
    is_mine_to_withdraw: bool


def _referral_rows(tx: Session, viewer: Viewer, statement: sa.Select[Referral]) -> list[ReferralRow]:
    dealer, account, opener = aliased(Company), aliased(Company), aliased(User)
    rows = tx.execute(
        statement.add_columns(dealer, account, opener.name)
        .join(dealer, dealer.id == Referral.dealer_id)
        .join(account, account.id == Referral.account_id)
        .join(opener, opener.id == Referral.attested_by)
    ).all()
    return [_referral_row(viewer, *row) for row in rows]


def _referral_row(
    viewer: Viewer, referral: Referral, dealer: Company, account: Company, opened_by: str
) -> ReferralRow:
    is_dealer_side = viewer.acts_as(CompanyKind.DEALER) and referral.dealer_id == viewer.company_id
    shows_client = is_dealer_side or referral.client_shared or viewer.acts_as(CompanyKind.PROGRAM)
    is_open = referral.state is ReferralState.OPEN
    return ReferralRow(
        ref=str(PublicNumber("R", dealer.code, referral.number)),
        state=referral.state,
        project_name=referral.project_name,
        place=referral.place,
        spaces=referral.spaces,
        wanted_on=referral.wanted_on,
        client_name=referral.client_name if shows_client else "",
        client_contact=referral.client_contact if shows_client else "",
        client_shared=referral.client_shared,
        is_client_hidden=not shows_client,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        account_code=account.code,
        account_name=account.name,
        opened_at=referral.opened_at,
        opened_by=opened_by,
        answered_at=referral.answered_at,
        answer_reason=referral.answer_reason,
        is_mine_to_answer=is_open
        and viewer.acts_as(CompanyKind.ACCOUNT)
        and referral.account_id == viewer.company_id,
        is_mine_to_withdraw=is_open and is_dealer_side,
    )


@dataclass(frozen=True)
class ReferralPage:
    """A page of referrals, newest first; `after` continues the list."""

    rows: tuple[ReferralRow, ...]
    after: str | None


def referrals_page(
    tx: Session,
    *,
    viewer: Viewer,
    state: ReferralState | None = None,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> ReferralPage:
    """Return referrals the viewer may see, newest first, `limit` at a time."""
    statement = referrals_seen_by(viewer)
    if state is not None:
        statement = statement.where(Referral.state == state)
    if after is not None:
        statement = statement.where(Referral.id < page_key(after))
    statement = statement.order_by(Referral.id.desc()).limit(limit + 1)
    ids = [row.id for row in tx.scalars(statement)]
    rows = _referral_rows(tx, viewer, statement)
    return ReferralPage(rows=tuple(rows[:limit]), after=str(ids[limit - 1]) if len(ids) > limit else None)


def referral_page(tx: Session, *, viewer: Viewer, ref: str) -> ReferralRow:
    """Return one referral. Raises Refusal(not_found), also for another company's."""
    dealer_id, number = dealer_of_number(tx, ref, "R")
    rows = _referral_rows(
        tx,
        viewer,
        referrals_seen_by(viewer).where(Referral.dealer_id == dealer_id, Referral.number == number),
    )
    if not rows:
        raise Refusal("not_found")
    return rows[0]
