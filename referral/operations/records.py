"""What every operation leaves behind: an audit event, a public number, a mail owed, an upload."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import (
    AuditEvent,
    DealerCounter,
    OutgoingMail,
    Upload,
    User,
    UserRole,
)
from referral.money import MAX_TOTAL_CENTS
from referral.permissions import Permission, Role, Viewer
from referral.queries.delegations import delegates_on
from referral.queries.settings import today


def guard_permission(actor: Viewer, permission: Permission) -> None:
    """Guard: the actor's roles allow this. Raises Refusal(forbidden), (delegation_expired)."""
    if not actor.may(permission):
        raise Refusal(actor.why_not(permission))


def guard_reason(reason: str, field: str = "reason") -> str:
    """Guard: a reason is given. Returns it; raises Refusal(reason_required)."""
    if not reason.strip():
        raise Refusal("reason_required", field=field)
    return reason.strip()


def guard_total(cents: int, field: str = "") -> None:
    """Guard: a sum is one that every database keeps and adds. Raises Refusal(amount_too_large)."""
    if abs(cents) > MAX_TOTAL_CENTS:
        raise Refusal("amount_too_large", field=field)


def record_event(
    tx: Session,
    *,
    actor: Viewer | None,
    at: datetime,
    company_id: UUID,
    event: str,
    subject: str,
    details: Mapping[str, object] | None = None,
) -> None:
    """Add an audit event in the same transaction; `actor` is None for the command line."""
    tx.add(
        AuditEvent(
            company_id=company_id,
            id=new_id(),
            at=at,
            actor_id=None if actor is None else actor.user_id,
            event=event,
            subject=subject,
            details=dict(details or {}),
        )
    )


def next_number(tx: Session, dealer_id: UUID, kind: str) -> int:
    """Return the dealer's next public number of this kind (a letter), without gaps or doubles."""
    return next_numbers(tx, dealer_id, kind, 1)


def next_numbers(tx: Session, dealer_id: UUID, kind: str, count: int) -> int:
    """Return the first of the dealer's next `count` public numbers of this kind, without gaps or doubles."""
    counter = locked(
        tx,
        sa.select(DealerCounter).where(DealerCounter.dealer_id == dealer_id, DealerCounter.kind == kind),
    )
    if counter is None:
        counter = DealerCounter(dealer_id=dealer_id, kind=kind, last_number=0)
        tx.add(counter)
    counter.last_number += count
    tx.flush()
    return counter.last_number - count + 1


def queue_mail(
    tx: Session,
    *,
    at: datetime,
    recipient: str,
    subject: str,
    body: str,
    path: str = "",
    is_digestible: bool = False,
) -> None:
    """Owe a mail: it is written with the business rows, and so is lost or kept with them.

    `path` is the page it leads to, a path of this site that changes nothing when opened. A digestible mail
    waits for the one mail a day of those who prefer that. Raises ValueError for a path of another site.
    """
    if path and (not path.startswith("/") or path.startswith("//")):
        raise ValueError(f"a mail leads to a path of this site, not to {path!r}")
    tx.add(
        OutgoingMail(
            id=new_id(),
            recipient=recipient,
            subject=subject,
            body=body,
            path=path,
            is_digestible=is_digestible,
            created_at=at,
            next_try_at=None,
            given_up_at=None,
            sent_at=None,
        )
    )


def queue_mail_to_role(
    tx: Session,
    *,
    at: datetime,
    company_id: UUID,
    role: Role,
    subject: str,
    body: str,
    path: str = "",
    is_digestible: bool = False,
) -> None:
    """Owe a mail to every active user of the company who has the role, in order of address.

    What approvers get, those they lend their right to decide to get too, on the days of the lending.
    """
    told = [User.id.in_(sa.select(UserRole.user_id).where(UserRole.role == role))]
    if role is Role.DEALER_APPROVER:
        lent = delegates_on(tx, company_id=company_id, day=today(tx, at))
        told.append(User.id.in_([delegate.user_id for delegate in lent]))
    recipients = tx.scalars(
        sa.select(User.email)
        .where(User.company_id == company_id, User.is_active, sa.or_(*told))
        .order_by(User.email_folded)
    ).all()
    for recipient in recipients:
        queue_mail(
            tx,
            at=at,
            recipient=recipient,
            subject=subject,
            body=body,
            path=path,
            is_digestible=is_digestible,
        )


def keep_upload(
    tx: Session, *, actor: Viewer, at: datetime, purpose: str, filename: str, content: bytes
) -> Upload:
    """Keep a file between its preview and its use; no business row comes of it."""
    upload = Upload(
        company_id=actor.company_id,
        id=new_id(),
        purpose=purpose,
        filename=filename,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        created_by=actor.user_id,
        created_at=at,
    )
    tx.add(upload)
    return upload
