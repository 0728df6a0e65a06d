"""What the worker has to tell of service calls, and whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from math import ceil
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.models import User, UserRole
from referral.permissions import GRID, Permission, Role
from support.models.calls import ServiceCall

CALLS_AT_ONCE = 1_000
"""Calls that one transaction tells of."""
WORKING_ROLES = tuple(role for role in Role if Permission.CALL_WORK in GRID[role])


def due_calls(tx: Session, *, at: datetime) -> Sequence[UUID]:
    """Return the dealers with calls of which something is to be told, each as often as there is work at once."""
    rows = tx.execute(
        sa.select(ServiceCall.dealer_id, sa.func.count())
        .where(ServiceCall.notice_at <= at)
        .group_by(ServiceCall.dealer_id)
        .order_by(sa.func.min(ServiceCall.notice_at), ServiceCall.dealer_id)
    )
    return [dealer_id for dealer_id, count in rows for _ in range(ceil(count / CALLS_AT_ONCE))]


def calls_to_tell(dealer_id: UUID, *, at: datetime) -> sa.Select[ServiceCall]:
    """Return the statement that locks the dealer's calls to tell of, the earliest first.

    Another worker that waits for the lock finds them told of, and passes them over.
    """
    return (
        sa.select(ServiceCall)
        .where(ServiceCall.notice_at <= at, ServiceCall.dealer_id == dealer_id)
        .order_by(ServiceCall.notice_at, ServiceCall.id)
        .limit(CALLS_AT_ONCE)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def desk_addresses(tx: Session, company_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """Return the addresses of everybody who works on calls, by company, each once and in order."""
    rows = tx.execute(
        sa.select(User.company_id, User.email)
        .where(
            User.company_id.in_(company_ids),
            User.is_active,
            User.id.in_(sa.select(UserRole.user_id).where(UserRole.role.in_(WORKING_ROLES))),
        )
        .order_by(User.company_id, User.email_folded)
    )
    found: dict[UUID, list[str]] = defaultdict(list)
    for company_id, email in rows:
        found[company_id].append(email)
    return found
