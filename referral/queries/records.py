"""Audit events, uploads, and the paging every list shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.models import (
    AuditEvent,
    Company,
    Upload,
    User,
)
from referral.permissions import Viewer
from referral.text import clean_line, fold

PAGE_ROWS = 50
"""Rows on one page of a list."""
MOST_WORDS = 6
"""Words that a search looks for; further ones are let go."""


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


def holds_words(words: str, *columns: Any, folded: Any = None) -> list[sa.ColumnElement[bool]]:
    """Return one condition for each of the first words: it stands in one of the columns, in any case.

    `folded` is a column that is kept folded. Of the others an SQLite database lowers ASCII letters alone,
    so what was typed is looked for as it is, too.
    """
    conditions = []
    for word in clean_line(words).split()[:MOST_WORDS]:
        places = [column.contains(word, autoescape=True) for column in columns]
        places += [sa.func.lower(column).contains(fold(word), autoescape=True) for column in columns]
        if folded is not None:
            places.append(folded.contains(fold(word), autoescape=True))
        conditions.append(sa.or_(*places))
    return conditions
