"""Users, invitations, credentials and API tokens."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import ApiToken, Company, FailedSignIn, Invitation, User, UserRole
from referral.operations.records import guard_permission, queue_mail, record_event
from referral.permissions import CompanyKind, Permission, Role, Viewer
from referral.queries.people import companies_managed_by, open_invitation, token_digest
from referral.rules import API_TOKEN_HOURS, INVITATION_DAYS, TRIES_MINUTES
from referral.text import fold


def add_user(
    tx: Session,
    *,
    actor: Viewer | None,
    at: datetime,
    company_id: UUID,
    name: str,
    email: str,
    roles: Iterable[Role],
    password_hash: str | None,
) -> User:
    """A user of the company exists and can sign in. `actor` None is the command line or an invitation.

    Raises Refusal(email_taken), (role_not_for_company).
    """
    company = tx.get_one(Company, company_id)
    wanted = frozenset(roles)
    guard_roles(company, wanted)
    if tx.scalars(sa.select(User.id).where(User.email_folded == fold(email))).first() is not None:
        raise Refusal("email_taken", field="email")
    user = User(
        id=new_id(),
        company_id=company_id,
        name=name,
        email=email.strip(),
        email_folded=fold(email),
        password_hash=password_hash,
        sign_in_id=secrets.token_hex(16),
        is_active=True,
        created_at=at,
    )
    tx.add(user)
    tx.flush()
    tx.add_all(UserRole(user_id=user.id, role=role) for role in sorted(wanted))
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=company_id,
        event="user.added",
        subject=user.email,
        details={"roles": sorted(wanted)},
    )
    return user


def guard_roles(company: Company, roles: frozenset[Role]) -> None:
    """Guard: there is a role, and each fits the kind of company. Raises Refusal(role_not_for_company)."""
    kinds = {
        kind
        for kind, has in (
            (CompanyKind.DEALER, company.is_dealer),
            (CompanyKind.ACCOUNT, company.is_account),
            (CompanyKind.PROGRAM, company.is_program),
        )
        if has
    }
    if not roles or not {role.company_kind for role in roles} <= kinds:
        raise Refusal("role_not_for_company", field="roles")


def _managed_company(tx: Session, actor: Viewer, code: str) -> Company:
    guard_permission(actor, Permission.USER_MANAGE)
    company = tx.scalars(companies_managed_by(actor).where(Company.code == code)).one_or_none()
    if company is None:
        raise Refusal("not_found")
    return company


def invite_user(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    company_code: str,
    name: str,
    email: str,
    roles: frozenset[Role],
    link: Callable[[str], str],
) -> tuple[Invitation, str]:
    """An invitation is owed by mail; returns it with its secret token, which is nowhere kept.

    `link` turns the token into the address written into the mail. Raises Refusal(forbidden), (not_found),
    (email_taken), (role_not_for_company).
    """
    company = _managed_company(tx, actor, company_code)
    guard_roles(company, roles)
    if tx.scalars(sa.select(User.id).where(User.email_folded == fold(email))).first() is not None:
        raise Refusal("email_taken", field="email")
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        id=new_id(),
        company_id=company.id,
        name=name,
        email=email.strip(),
        roles=sorted(roles),
        token_digest=token_digest(token),
        created_at=at,
        expires_at=at + timedelta(days=INVITATION_DAYS),
        used_at=None,
    )
    tx.add(invitation)
    queue_mail(
        tx,
        at=at,
        recipient=invitation.email,
        subject=f"{actor.name} invites you to the Ketra referral ledger",
        body=(
            f"Hello {name},\n\n{actor.name} of {actor.company_name} invites you to join "
            f"{company.name} in the Ketra referral ledger.\n\nChoose your password here within "
            f"{INVITATION_DAYS} days:\n{link(token)}\n"
        ),
    )
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=company.id,
        event="user.invited",
        subject=invitation.email,
        details={"roles": sorted(roles)},
    )
    return invitation, token


def accept_invitation(tx: Session, *, at: datetime, token: str, password_hash: str) -> User:
    """The invited person is a user, and the invitation is used up.

    Raises Refusal(invitation_expired), (email_taken).
    """
    invitation, company = open_invitation(tx, token, at=at)
    fresh = locked(tx, sa.select(Invitation).where(Invitation.id == invitation.id))
    if fresh is None or fresh.used_at is not None:
        raise Refusal("invitation_expired")
    fresh.used_at = at
    return add_user(
        tx,
        actor=None,
        at=at,
        company_id=company.id,
        name=invitation.name,
        email=invitation.email,
        roles=[Role(role) for role in invitation.roles],
        password_hash=password_hash,
    )


def change_user_access(
    tx: Session, *, actor: Viewer, at: datetime, user_id: UUID, roles: frozenset[Role], is_active: bool
) -> User:
    """The user has exactly these roles; an inactive one is signed out everywhere at once.

    Raises Refusal(forbidden), (not_found), (role_not_for_company), (invalid_input) for oneself.
    """
    guard_permission(actor, Permission.USER_MANAGE)
    companies = sa.select(companies_managed_by(actor).subquery().c.id)
    user = locked(tx, sa.select(User).where(User.id == user_id, User.company_id.in_(companies)))
    if user is None:
        raise Refusal("not_found")
    if user.id == actor.user_id:
        raise Refusal("invalid_input", "Ask a colleague to change your own access.", "roles")
    guard_roles(tx.get_one(Company, user.company_id), roles)
    tx.execute(sa.delete(UserRole).where(UserRole.user_id == user.id))
    tx.add_all(UserRole(user_id=user.id, role=role) for role in sorted(roles))
    user.is_active = is_active
    user.sign_in_id = secrets.token_hex(16)
    tx.execute(sa.delete(ApiToken).where(ApiToken.user_id == user.id))
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=user.company_id,
        event="user.access_changed",
        subject=user.email,
        details={"roles": sorted(roles), "is_active": is_active},
    )
    return user


def save_credentials(
    tx: Session, *, at: datetime, user_id: UUID, password_hash: str | None, sign_in_id: str
) -> None:
    """The user's password hash and sign-in id are these.

    When the sign-in id changes, API tokens end, and wrong passwords for the old one no longer count: by mail
    there is a way in though a stranger keeps trying.
    """
    user = locked(tx, sa.select(User).where(User.id == user_id))
    if user is None:
        raise Refusal("not_found")
    if user.sign_in_id != sign_in_id:
        tx.execute(sa.delete(ApiToken).where(ApiToken.user_id == user.id))
        tx.execute(sa.delete(FailedSignIn).where(FailedSignIn.email_folded == user.email_folded))
        record_event(
            tx, actor=None, at=at, company_id=user.company_id, event="password.changed", subject=user.email
        )
    user.password_hash = password_hash
    user.sign_in_id = sign_in_id


def record_failed_sign_in(tx: Session, *, at: datetime, email: str, address: str) -> None:
    """A wrong password for this e-mail came from this address; what is too old to count is forgotten."""
    tx.execute(sa.delete(FailedSignIn).where(FailedSignIn.tried_at <= at - timedelta(minutes=TRIES_MINUTES)))
    tx.add(FailedSignIn(id=new_id(), email_folded=fold(email), address=address, tried_at=at))


def issue_api_token(tx: Session, *, at: datetime, user_id: UUID) -> tuple[ApiToken, str]:
    """A bearer token for this user is valid for API_TOKEN_HOURS; returns it with its secret."""
    user = tx.get_one(User, user_id)
    token = secrets.token_urlsafe(32)
    row = ApiToken(
        id=new_id(),
        user_id=user_id,
        token_digest=token_digest(token),
        created_at=at,
        expires_at=at + timedelta(hours=API_TOKEN_HOURS),
    )
    tx.add(row)
    record_event(
        tx, actor=None, at=at, company_id=user.company_id, event="api_token.issued", subject=user.email
    )
    return row, token
