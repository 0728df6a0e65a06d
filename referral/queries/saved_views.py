"""The views of lists that a person keeps."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.models import SavedView
from referral.permissions import Viewer


@dataclass(frozen=True)
class SavedViewRow:
    """A list as its owner filtered it, under a name."""

    view_id: UUID
    name: str
    query: str
    """The filters, as the address of the list carries them."""


def saved_views(tx: Session, *, viewer: Viewer, list_name: str) -> tuple[SavedViewRow, ...]:
    """Return the viewer's own views of a list, by name."""
    rows = tx.scalars(
        sa.select(SavedView)
        .where(SavedView.user_id == viewer.user_id, SavedView.list_name == list_name)
        .order_by(SavedView.name, SavedView.id)
    )
    return tuple(SavedViewRow(row.id, row.name, row.query) for row in rows)
