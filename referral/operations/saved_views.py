"""Keeping a view of a list under a name, and letting it go."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.ids import new_id
from referral.models import SavedView
from referral.permissions import Viewer
from referral.text import fold


def save_view(tx: Session, *, actor: Viewer, at: datetime, list_name: str, name: str, query: str) -> UUID:
    """The actor keeps the list with these filters under a name; returns the view's id.

    `query` is what the list's address carries, read and written again by the door. Raises
    Refusal(view_name_taken) where the actor has another view of this list by that name, large or small
    letters alike; the same view again is that view.
    """
    views = tx.scalars(
        sa.select(SavedView).where(SavedView.user_id == actor.user_id, SavedView.list_name == list_name)
    )
    taken = next((view for view in views if fold(view.name) == fold(name)), None)
    if taken is not None:
        if (taken.name, taken.query) == (name, query):
            return taken.id
        raise Refusal("view_name_taken", field="name")
    view = SavedView(
        user_id=actor.user_id, id=new_id(), list_name=list_name, name=name, query=query, saved_at=at
    )
    tx.add(view)
    tx.flush()
    return view.id


def remove_view(tx: Session, *, actor: Viewer, view_id: UUID) -> str:
    """The actor keeps the view no more; returns the list's name. Raises Refusal(not_found), also for another's."""
    view = tx.scalars(
        sa.select(SavedView).where(SavedView.user_id == actor.user_id, SavedView.id == view_id)
    ).one_or_none()
    if view is None:
        raise Refusal("not_found")
    tx.delete(view)
    return view.list_name
