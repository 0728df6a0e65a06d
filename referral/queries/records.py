"""Audit events, outgoing mail, uploads, and the paging every list shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.models import (
    AuditEvent,
    Company,
    OutgoingMail,
    Upload,
    User,
)
from referral.permissions import Viewer

PAGE_ROWS = 50
"""Rows on one page of a list."""


def page_key(text: str) -> UUID:
    """Read the key a list continues after. Raises Refusal(not_found) where it is no key."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Refusal("not_found") from error


@dataclass(frozen=True)
class AuditRow:
    """One recorded event, for the program."""

    at: datetime
    actor: str
    company: str
    event: str
    subject: str
    details: dict[str, object]


def audit_page(
    tx: Session, *, subject: str = "", after: str | None = None
) -> tuple[tuple[AuditRow, ...], str | None]:
    """Return events, newest first, and the key the list continues after."""
    statement = (
        sa.select(AuditEvent, User.name, Company.name)
        .outerjoin(User, User.id == AuditEvent.actor_id)
        .join(Company, Company.id == AuditEvent.company_id)
        .order_by(AuditEvent.id.desc())
        .limit(PAGE_ROWS + 1)
    )
    if subject:
        statement = statement.where(AuditEvent.subject == subject.strip())
    if after is not None:
        statement = statement.where(AuditEvent.id < page_key(after))
    found = tx.execute(statement).all()
    rows = tuple(
        AuditRow(
            at=event.at,
            actor=name or "the command line",
            company=company,
            event=event.event,
            subject=event.subject,
            details=event.details,
        )
        for event, name, company in found[:PAGE_ROWS]
    )
    return rows, str(found[PAGE_ROWS - 1][0].id) if len(found) > PAGE_ROWS else None


def outbox_page(tx: Session) -> tuple[OutgoingMail, ...]:
    """Return the newest mails of the outbox, PAGE_ROWS at most."""
    return tuple(
        tx.scalars(
            sa.select(OutgoingMail)
            .order_by(OutgoingMail.created_at.desc(), OutgoingMail.id.desc())
            .limit(PAGE_ROWS)
        )
    )


def upload_of(tx: Session, *, viewer: Viewer, upload_id: str, purpose: str) -> Upload:
    """Return a file the viewer's company uploaded for this purpose. Raises Refusal(not_found)."""
    upload = tx.scalars(
        sa.select(Upload).where(
            Upload.company_id == viewer.company_id,
            Upload.id == page_key(upload_id),
            Upload.purpose == purpose,
        )
    ).one_or_none()
    if upload is None:
        raise Refusal("not_found")
    return upload


def answers(tx: Session) -> bool:
    """Say whether the database answers; one that does not raises the driver's error."""
    return tx.scalar(sa.select(1)) == 1
