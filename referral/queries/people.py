"""Users, viewers, invitations."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.models import (
    ApiToken,
    Company,
    FailedSignIn,
    Invitation,
    User,
    UserRole,
)
from referral.permissions import GRID, LENT, CompanyKind, Role, Viewer
from referral.queries.delegations import lending_of
from referral.queries.records import PAGE_ROWS, page_key
from referral.rules import TRIES_MINUTES, TRIES_PER_ADDRESS, TRIES_PER_EMAIL
from referral.text import fold


def token_digest(token: str) -> str:
    """Return what is kept of a secret token: its SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def user_by_sign_in_id(tx: Session, sign_in_id: str) -> User | None:
    """Return the active user a session names, or None."""
    return tx.scalars(sa.select(User).where(User.sign_in_id == sign_in_id, User.is_active)).one_or_none()


def user_by_email(tx: Session, email: str) -> User | None:
    """Return the user with this e-mail address, compared as people compare, or None."""
    return tx.scalars(sa.select(User).where(User.email_folded == fold(email))).one_or_none()


def viewer_of(tx: Session, user_id: UUID, *, at: datetime) -> Viewer | None:
    """Return who this user is: company, roles, and what is lent to them at `at`; None where not active."""
    found = tx.execute(
        sa.select(User, Company)
        .join(Company, Company.id == User.company_id)
        .where(User.id == user_id, User.is_active)
    ).one_or_none()
    if found is None:
        return None
    user, company = found
    roles = tx.scalars(sa.select(UserRole.role).where(UserRole.user_id == user_id)).all()
    is_dealer = any(role.company_kind is CompanyKind.DEALER for role in roles)
    may_borrow = is_dealer and not any(GRID[role] >= LENT for role in roles)
    return Viewer(
        user_id=user.id,
        name=user.name,
        email=user.email,
        company_id=company.id,
        company_code=company.code,
        company_name=company.name,
        roles=frozenset(roles),
        lending=lending_of(tx, dealer_id=company.id, user_id=user.id, at=at) if may_borrow else None,
    )


def viewer_of_token(tx: Session, token: str, *, at: datetime) -> Viewer | None:
    """Return who a bearer token stands for, or None where it is unknown or past its hour."""
    user_id = tx.scalars(
        sa.select(ApiToken.user_id).where(
            ApiToken.token_digest == token_digest(token), ApiToken.expires_at > at
        )
    ).one_or_none()
    return None if user_id is None else viewer_of(tx, user_id, at=at)


@dataclass(frozen=True)
class UserRow:
    """A user as the people page lists it."""

    user_id: UUID
    name: str
    email: str
    is_active: bool
    company_code: str
    company_name: str
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class PeoplePage:
    """A page of the users a viewer may manage, and the newest open invitations; `after` continues the users."""

    users: tuple[UserRow, ...]
    invitations: tuple[tuple[Invitation, str], ...]
    """Each with the name of its company."""
    has_several_companies: bool
    after: str | None


def companies_managed_by(viewer: Viewer) -> sa.Select[Company]:
    """Return the companies whose people the viewer may manage: their own; for the program, all."""
    statement = sa.select(Company).order_by(Company.name, Company.id)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    return statement.where(Company.id == viewer.company_id)


def people_page(
    tx: Session, *, viewer: Viewer, at: datetime, after: str | None = None, limit: int = PAGE_ROWS
) -> PeoplePage:
    """Return `limit` people of the companies the viewer manages, company by company, those behind user `after`.

    Raises Refusal(not_found) where `after` is no id of a user.
    """
    managed = companies_managed_by(viewer).with_only_columns(Company.id).order_by(None)
    key = (User.company_id, User.name, User.id)
    statement = (
        sa.select(User, Company)
        .join(Company, Company.id == User.company_id)
        .where(User.company_id.in_(managed))
        .order_by(*key)
    )
    if after is not None:
        last = tx.scalars(
            sa.select(User).where(User.id == page_key(after), User.company_id.in_(managed))
        ).one_or_none()
        if last is None:
            raise Refusal("not_found")
        statement = statement.where(
            sa.or_(
                User.company_id > last.company_id,
                sa.and_(User.company_id == last.company_id, User.name > last.name),
                sa.and_(User.company_id == last.company_id, User.name == last.name, User.id > last.id),
            )
        )
    found = tx.execute(statement.limit(limit + 1)).all()
    users = found[:limit]
    roles: dict[UUID, list[Role]] = {}
    for user_id, role in tx.execute(
        sa.select(UserRole.user_id, UserRole.role)
        .where(UserRole.user_id.in_([user.id for user, _ in users]))
        .order_by(UserRole.user_id, UserRole.role)
    ):
        roles.setdefault(user_id, []).append(role)
    invitations = tx.execute(
        sa.select(Invitation, Company.name)
        .join(Company, Company.id == Invitation.company_id)
        .where(Invitation.company_id.in_(managed), Invitation.used_at.is_(None), Invitation.expires_at > at)
        .order_by(Invitation.created_at.desc(), Invitation.id)
        .limit(limit)
    ).all()
    return PeoplePage(
        users=tuple(
            UserRow(
                user_id=user.id,
                name=user.name,
                email=user.email,
                is_active=user.is_active,
                company_code=company.code,
                company_name=company.name,
                roles=tuple(roles.get(user.id, ())),
            )
            for user, company in users
        ),
        invitations=tuple((invitation, name) for invitation, name in invitations),
        has_several_companies=viewer.acts_as(CompanyKind.PROGRAM),
        after=str(users[-1][0].id) if len(found) > limit else None,
    )


def names_with_role(tx: Session, *, company_id: UUID, role: Role) -> tuple[str, ...]:
    """Return the names of the company's active users who have the role, in order."""
    statement = (
        sa.select(User.name)
        .join(UserRole, UserRole.user_id == User.id)
        .where(User.company_id == company_id, User.is_active, UserRole.role == role)
        .order_by(User.name, User.id)
    )
    return tuple(tx.scalars(statement))


def open_invitation(tx: Session, token: str, *, at: datetime) -> tuple[Invitation, Company]:
    """Return the invitation a link stands for. Raises Refusal(invitation_expired)."""
    found = tx.execute(
        sa.select(Invitation, Company)
        .join(Company, Company.id == Invitation.company_id)
        .where(
            Invitation.token_digest == token_digest(token),
            Invitation.used_at.is_(None),
            Invitation.expires_at > at,
        )
    ).one_or_none()
    if found is None:
        raise Refusal("invitation_expired")
    return found[0], found[1]


@dataclass(frozen=True)
class ManagedCompany:
    """A company whose people the viewer manages, with the roles that fit its kinds."""

    code: str
    name: str
    roles: tuple[Role, ...]


def _managed_company(company: Company) -> ManagedCompany:
    kinds = {
        CompanyKind.DEALER: company.is_dealer,
        CompanyKind.ACCOUNT: company.is_account,
        CompanyKind.PROGRAM: company.is_program,
    }
    return ManagedCompany(
        company.code, company.name, tuple(role for role in Role if kinds[role.company_kind])
    )


def managed_companies(tx: Session, *, viewer: Viewer) -> tuple[ManagedCompany, ...]:
    """Return the companies whose people the viewer manages, by name."""
    return tuple(_managed_company(company) for company in tx.scalars(companies_managed_by(viewer)))


def user_access(tx: Session, *, viewer: Viewer, user_id: UUID) -> tuple[UserRow, ManagedCompany]:
    """Return a user with their company. Raises Refusal(not_found), also for a company not managed."""
    managed = sa.select(companies_managed_by(viewer).subquery().c.id)
    found = tx.execute(
        sa.select(User, Company)
        .join(Company, Company.id == User.company_id)
        .where(User.id == user_id, User.company_id.in_(managed))
    ).one_or_none()
    if found is None:
        raise Refusal("not_found")
    user, company = found
    roles = tx.scalars(
        sa.select(UserRole.role).where(UserRole.user_id == user_id).order_by(UserRole.role)
    ).all()
    row = UserRow(
        user_id=user.id,
        name=user.name,
        email=user.email,
        is_active=user.is_active,
        company_code=company.code,
        company_name=company.name,
        roles=tuple(roles),
    )
    return row, _managed_company(company)


def has_program_admin(tx: Session) -> bool:
    """Say whether an active user is an admin of the program."""
    return (
        tx.scalars(
            sa.select(User.id)
            .join(UserRole, UserRole.user_id == User.id)
            .where(User.is_active, UserRole.role == Role.PROGRAM_ADMIN)
            .limit(1)
        ).first()
        is not None
    )


def guard_tries(tx: Session, *, email: str, address: str, at: datetime) -> None:
    """Guard: not too many wrong passwords for this e-mail or from this address of late.

    Raises Refusal(too_many_tries) with `retry_after_seconds`; a known e-mail is answered like an unknown one.
    """
    since = at - timedelta(minutes=TRIES_MINUTES)
    for condition, limit in (
        (FailedSignIn.email_folded == fold(email), TRIES_PER_EMAIL),
        (FailedSignIn.address == address, TRIES_PER_ADDRESS),
    ):
        tries = tx.scalars(
            sa.select(FailedSignIn.tried_at)
            .where(condition, FailedSignIn.tried_at > since)
            .order_by(FailedSignIn.tried_at.desc(), FailedSignIn.id)
            .limit(limit)
        ).all()
        if len(tries) == limit:
            seconds = int((tries[-1] - since).total_seconds()) + 1
            raise Refusal("too_many_tries", details={"retry_after_seconds": seconds})
