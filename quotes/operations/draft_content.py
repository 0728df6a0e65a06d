"""The rows of a draft: its lines and services, as they are written and taken away."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Revision, RevisionLine, RevisionService
from quotes.rules.content import ContentLine, ContentService
from referral.db import copy_rows


def clear_content(tx: Session, revision: Revision) -> None:
    """The draft has no lines and no services."""
    for table in (RevisionLine, RevisionService):
        tx.execute(
            sa.delete(table).where(
                table.dealer_id == revision.dealer_id,
                table.quote_id == revision.quote_id,
                table.revision_number == revision.number,
            )
        )


def add_lines(tx: Session, revision: Revision, lines: Sequence[ContentLine], first: int = 1) -> None:
    """The draft has these lines too, at positions from `first` on."""
    if lines:
        copy_rows(
            tx,
            RevisionLine,
            [
                {
                    "dealer_id": revision.dealer_id,
                    "quote_id": revision.quote_id,
                    "revision_number": revision.number,
                    "position": position,
                    **vars(line),
                }
                for position, line in enumerate(lines, first)
            ],
        )


def add_services(tx: Session, revision: Revision, services: Sequence[ContentService]) -> None:
    """The draft has these services, in this order."""
    if services:
        tx.execute(
            sa.insert(RevisionService),
            [
                {
                    "dealer_id": revision.dealer_id,
                    "quote_id": revision.quote_id,
                    "revision_number": revision.number,
                    "position": position,
                    **vars(service),
                }
                for position, service in enumerate(services, 1)
            ],
        )
