"""The thread of a revision: what both sides said about it and its lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Remark, RevisionLine
from quotes.queries.quotes import quote_page
from referral.models import Company, User
from referral.permissions import Viewer


@dataclass(frozen=True)
class RemarkRow:
    """A remark with who made it; `line_id` None is about the whole revision."""

    id: UUID
    line_id: UUID | None
    model_number: str
    """'' for the whole revision."""
    room: str
    is_request: bool
    """Whether it was made when the revision was sent back for changes."""
    text: str
    who: str
    company: str
    made_at: datetime


def thread_of(tx: Session, *, dealer_id: UUID, quote_id: UUID, revision_number: int) -> tuple[RemarkRow, ...]:
    """Return the remarks on a revision, oldest first, those made at once in the order of their lines.

    Whether the viewer sees it was decided before.
    """
    found = tx.execute(
        sa.select(Remark, User.name, Company.name, RevisionLine.model_number, RevisionLine.room)
        .join(User, User.id == Remark.made_by)
        .join(Company, Company.id == User.company_id)
        .outerjoin(
            RevisionLine,
            sa.and_(
                RevisionLine.dealer_id == Remark.dealer_id,
                RevisionLine.quote_id == Remark.quote_id,
                RevisionLine.revision_number == Remark.revision_number,
                RevisionLine.line_id == Remark.line_id,
            ),
        )
        .where(
            Remark.dealer_id == dealer_id,
            Remark.quote_id == quote_id,
            Remark.revision_number == revision_number,
        )
        .order_by(Remark.made_at, sa.func.coalesce(RevisionLine.position, -1), Remark.id)
    )
    return tuple(
        RemarkRow(
            id=remark.id,
            line_id=remark.line_id,
            model_number=model_number or "",
            room=room or "",
            is_request=remark.is_request,
            text=remark.text,
            who=who,
            company=company,
            made_at=remark.made_at,
        )
        for remark, who, company, model_number, room in found
    )


def remark_counts(tx: Session, *, dealer_id: UUID, quote_id: UUID) -> Mapping[int, int]:
    """Return how many remarks each revision of a quote has; those without any are missing."""
    found = tx.execute(
        sa.select(Remark.revision_number, sa.func.count())
        .where(Remark.dealer_id == dealer_id, Remark.quote_id == quote_id)
        .group_by(Remark.revision_number)
    )
    return {number: int(count) for number, count in found}


def remarks_page(
    tx: Session, *, viewer: Viewer, at: datetime, ref: str, revision_number: int
) -> tuple[RemarkRow, ...]:
    """Return the thread of a revision the viewer sees, oldest first. Raises Refusal(not_found)."""
    head = quote_page(tx, viewer=viewer, at=at, ref=ref, revision_number=revision_number).revision
    return thread_of(tx, dealer_id=head.dealer_id, quote_id=head.quote_id, revision_number=revision_number)
