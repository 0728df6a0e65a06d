"""Who saved a draft last, by the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.models import AuditEvent, User

DRAFT_SAVED = "draft.saved"
_SAVES = (DRAFT_SAVED, "draft.copied")


@dataclass(frozen=True)
class LastSaved:
    """The newest save of a quote's draft that left an event."""

    actor_id: UUID | None
    name: str
    """'' for the command line."""
    at: datetime
    by_itself: bool
    """Whether the page saved without a button: then the same person may have gone on for some minutes."""


def last_saved(tx: Session, dealer_id: UUID, ref: str) -> LastSaved | None:
    """Return who saved the quote's draft last, or None before the first save."""
    row = tx.execute(
        sa.select(AuditEvent, User.name)
        .outerjoin(User, User.id == AuditEvent.actor_id)
        .where(AuditEvent.company_id == dealer_id, AuditEvent.subject == ref, AuditEvent.event.in_(_SAVES))
        .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    event, name = row
    return LastSaved(event.actor_id, name or "", event.at, bool(event.details.get("by_itself")))
