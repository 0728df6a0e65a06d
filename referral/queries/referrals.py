"""Referrals as each side sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.clock import start_of_day
from referral.errors import Refusal
from referral.ids import PublicNumber, parse_public_number
from referral.models import (
    Company,
    Referral,
    User,
)
from referral.permissions import CompanyKind, Viewer
from referral.queries.records import PAGE_ROWS, holds_words, page_key
from referral.queries.settings import time_zone, today
from referral.rules import standing_on
from referral.states import ReferralState

_Dealer, _Account, _Opener = aliased(Company), aliased(Company), aliased(User)
Found = sa.Row[Referral, Company, Company, str]


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
    """Return the referrals the viewer may see: the dealer's own, those offered to the account, or all.

    An account sees nothing of a parked referral: it would learn that another has the project.
    """
    statement = sa.select(Referral)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    sides: list[sa.ColumnElement[bool]] = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(Referral.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(sa.and_(Referral.account_id == viewer.company_id, Referral.offered_at.is_not(None)))
    return statement.where(sa.or_(sa.false(), *sides))


def is_running(day: date) -> sa.ColumnElement[bool]:
    """Return the condition that a referral waits for its answer, in time, or is accepted."""
    return sa.or_(
        Referral.state == ReferralState.ACCEPTED,
        sa.and_(Referral.state == ReferralState.OPEN, _is_in_time(day)),
    )


def _is_in_time(day: date) -> sa.ColumnElement[bool]:
    return sa.or_(Referral.expires_on.is_(None), Referral.expires_on >= day)


def _stands(state: ReferralState, day: date) -> sa.ColumnElement[bool]:
    """Return the condition that a referral is shown in this state on the day."""
    if state is ReferralState.OPEN:
        return sa.and_(Referral.state == state, _is_in_time(day))
    if state is ReferralState.EXPIRED:
        return sa.or_(
            Referral.state == state,
            sa.and_(Referral.state == ReferralState.OPEN, Referral.expires_on < day),
        )
    return Referral.state == state


@dataclass(frozen=True)
class ReferralRow:
    """A referral as one side sees it; client fields are '' where the dealer does not share them."""

    ref: str
    state: ReferralState
    """As it stands today: expired the day after the last one to answer it."""
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
    """For the account, when it was offered to them."""
    opened_by: str
    expires_on: date | None
    """The last day on which the account can answer, included."""
    days_left: int | None
    """To answer it, today not counted; None where nobody is asked."""
    answered_at: datetime | None
    answer_reason: str
    is_mine_to_answer: bool
    is_mine_to_withdraw: bool
    is_mine_to_choose: bool
    """Whether it is parked, and the viewer's side decides between the accounts."""
    is_mine_to_assign: bool
    """Whether an account has the project, and the viewer is the program."""


def _found_by(viewer: Viewer) -> sa.Select[Referral, Company, Company, str]:
    return (
        referrals_seen_by(viewer)
        .add_columns(_Dealer, _Account, _Opener.name)
        .join(_Dealer, _Dealer.id == Referral.dealer_id)
        .join(_Account, _Account.id == Referral.account_id)
        .join(_Opener, _Opener.id == Referral.attested_by)
    )


def _referral_row(viewer: Viewer, day: date, found: Found) -> ReferralRow:
    referral, dealer, account, opened_by = found
    is_program = viewer.acts_as(CompanyKind.PROGRAM)
    is_dealer_side = viewer.acts_as(CompanyKind.DEALER) and referral.dealer_id == viewer.company_id
    is_account_side = viewer.acts_as(CompanyKind.ACCOUNT) and referral.account_id == viewer.company_id
    shows_client = is_dealer_side or referral.client_shared or is_program
    state = standing_on(referral.state, referral.expires_on, day)
    is_open, is_parked = state is ReferralState.OPEN, state is ReferralState.PARKED
    knows_parking = is_dealer_side or is_program
    return ReferralRow(
        ref=str(PublicNumber("R", dealer.code, referral.number)),
        state=state,
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
        opened_at=referral.opened_at if knows_parking else referral.offered_at or referral.opened_at,
        opened_by=opened_by,
        expires_on=referral.expires_on,
        days_left=(referral.expires_on - day).days if is_open and referral.expires_on else None,
        answered_at=referral.answered_at,
        answer_reason=referral.answer_reason,
        is_mine_to_answer=is_open and is_account_side,
        is_mine_to_withdraw=(is_open or is_parked) and is_dealer_side,
        is_mine_to_choose=is_parked and knows_parking,
        is_mine_to_assign=is_program
        and state in {ReferralState.OPEN, ReferralState.ACCEPTED, ReferralState.EXPIRED}
        and referral.state is not ReferralState.EXPIRED,
    )


@dataclass(frozen=True)
class ReferralPage:
    """A page of referrals, newest first; `after` continues the list."""

    rows: tuple[ReferralRow, ...]
    after: str | None


@dataclass(frozen=True)
class ReferralFilter:
    """What a list of referrals is narrowed to; what is empty narrows nothing."""

    state: ReferralState | None = None
    """As it stands today."""
    words: str = ""
    """Of the project, the place, the dealer and the account."""
    since: date | None = None
    """Opened on this day or later; for the account, offered to them."""
    until: date | None = None


def referrals_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    state: ReferralState | None = None,
    words: str = "",
    asked: ReferralFilter | None = None,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> ReferralPage:
    """Return referrals the viewer may see, newest first, `limit` at a time, as they stand today.

    `asked` narrows, or `state` and `words` alone.
    """
    day = today(tx, at)
    statement = _narrowed(tx, viewer, day, asked or ReferralFilter(state, words))
    if after is not None:
        statement = statement.where(Referral.id < page_key(after))
    found = tx.execute(statement.order_by(Referral.id.desc()).limit(limit + 1)).all()
    return ReferralPage(
        rows=tuple(_referral_row(viewer, day, row) for row in found[:limit]),
        after=str(found[limit - 1][0].id) if len(found) > limit else None,
    )


def referral_list(
    tx: Session, *, viewer: Viewer, at: datetime, asked: ReferralFilter, after: str | None = None
) -> tuple[ReferralPage, int]:
    """Return a page of the filtered list, and how many referrals fit on all pages."""
    page = referrals_page(tx, viewer=viewer, at=at, asked=asked, after=after)
    return page, referral_count(tx, viewer=viewer, at=at, asked=asked)


def referral_count(tx: Session, *, viewer: Viewer, at: datetime, asked: ReferralFilter) -> int:
    """Return how many referrals fit the filters."""
    each = _narrowed(tx, viewer, today(tx, at), asked).with_only_columns(Referral.id).subquery()
    return tx.scalar(sa.select(sa.func.count()).select_from(each)) or 0


def referral_rows(
    tx: Session, *, viewer: Viewer, at: datetime, asked: ReferralFilter, limit: int
) -> Iterator[ReferralRow]:
    """Yield every row of the filtered list, read `limit` at a time while they are taken."""
    after: str | None = None
    while True:
        page = referrals_page(tx, viewer=viewer, at=at, asked=asked, after=after, limit=limit)
        yield from page.rows
        if page.after is None:
            return
        after = page.after
        tx.expunge_all()


def _narrowed(
    tx: Session, viewer: Viewer, day: date, asked: ReferralFilter
) -> sa.Select[Referral, Company, Company, str]:
    statement = _found_by(viewer)
    if asked.state is not None:
        statement = statement.where(_stands(asked.state, day))
    columns = (Referral.project_name, Referral.place, _Dealer.name, _Account.name)
    statement = statement.where(*holds_words(asked.words, *columns))
    opened: sa.ColumnElement[datetime] = sa.func.coalesce(
        Referral.offered_at, Referral.opened_at, type_=Referral.opened_at.type
    )
    if viewer.acts_as(CompanyKind.DEALER) or viewer.acts_as(CompanyKind.PROGRAM):
        opened = sa.type_coerce(Referral.opened_at, Referral.opened_at.type)
    zone = time_zone(tx)
    if asked.since is not None:
        statement = statement.where(opened >= start_of_day(asked.since, zone))
    if asked.until is not None:
        statement = statement.where(opened < start_of_day(asked.until + timedelta(days=1), zone))
    return statement


def referral_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> ReferralRow:
    """Return one referral as it stands today. Raises Refusal(not_found), also for another company's."""
    return _referral_row(viewer, today(tx, at), found_referral(tx, viewer=viewer, ref=ref))


def found_referral(tx: Session, *, viewer: Viewer, ref: str) -> Found:
    """Return a referral with its dealer, its account and who opened it. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "R")
    found: Found | None = tx.execute(
        _found_by(viewer).where(Referral.dealer_id == dealer_id, Referral.number == number)
    ).one_or_none()
    if found is None:
        raise Refusal("not_found")
    return found


@dataclass(frozen=True)
class RivalRow:
    """Another account's referral of the same project, for the dealer and the program."""

    ref: str
    state: ReferralState
    account_name: str
    opened_at: datetime


def rivals_of(
    tx: Session, *, viewer: Viewer, referral: Referral, dealer: Company, day: date
) -> list[RivalRow]:
    """Return the other referrals of the project that are live or parked, oldest first; none for an account."""
    if not viewer.acts_as(CompanyKind.PROGRAM) and referral.dealer_id != viewer.company_id:
        return []
    rows = tx.execute(
        sa.select(Referral, Company.name)
        .join(Company, Company.id == Referral.account_id)
        .where(
            Referral.dealer_id == referral.dealer_id,
            Referral.project_key == referral.project_key,
            Referral.id != referral.id,
            Referral.state.in_((ReferralState.OPEN, ReferralState.ACCEPTED, ReferralState.PARKED)),
        )
        .order_by(Referral.id)
    )
    return [
        RivalRow(
            ref=str(PublicNumber("R", dealer.code, row.number)),
            state=standing_on(row.state, row.expires_on, day),
            account_name=name,
            opened_at=row.opened_at,
        )
        for row, name in rows
    ]
