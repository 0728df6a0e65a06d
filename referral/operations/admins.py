"""The program's first admin, and its recovery: what only the command line may do."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Company, Invitation, User
from referral.operations.companies import add_company
from referral.operations.records import record_event
from referral.permissions import CompanyKind, Role
from referral.queries.people import has_program_admin, token_digest
from referral.queries.settings import today
from referral.rules import INVITATION_DAYS
from referral.text import fold


def create_admin(
    tx: Session,
    *,
    at: datetime,
    email: str,
    name: str,
    company_code: str,
    company_name: str,
    is_recovery: bool,
) -> str:
    """The program's company exists and an invitation of its admin waits; returns the secret token.

    An existing program company is used and keeps its name. Raises Refusal(admin_exists) where the program
    has an admin and this is no recovery, (email_taken), and what add_company raises.
    """
    if has_program_admin(tx) and not is_recovery:
        raise Refusal("admin_exists")
    if tx.scalars(sa.select(User.id).where(User.email_folded == fold(email))).first() is not None:
        raise Refusal("email_taken", field="email")
    company = tx.scalars(
        sa.select(Company).where(Company.is_program).order_by(Company.created_at, Company.id).limit(1)
    ).first() or add_company(
        tx,
        actor=None,
        at=at,
        code=company_code,
        name=company_name,
        kinds=frozenset({CompanyKind.PROGRAM}),
        city="",
        region="",
        serves="",
        active_from=today(tx, at),
    )
    token = secrets.token_urlsafe(32)
    tx.add(
        Invitation(
            id=new_id(),
            company_id=company.id,
            name=name,
            email=email,
            roles=[Role.PROGRAM_ADMIN.value],
            token_digest=token_digest(token),
            created_at=at,
            expires_at=at + timedelta(days=INVITATION_DAYS),
            used_at=None,
        )
    )
    record_event(
        tx,
        actor=None,
        at=at,
        company_id=company.id,
        event="admin.recovered" if is_recovery else "admin.created",
        subject=email,
    )
    return token
