"""The secret address under which a person's calendar reads the dates of projects."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy.orm import Session

from referral.models import CalendarFeed
from referral.operations.records import guard_permission, record_event
from referral.permissions import Permission, Viewer
from referral.queries.people import token_digest


def renew_calendar_feed(tx: Session, *, actor: Viewer, at: datetime) -> str:
    """A new secret address is the actor's only one; an earlier one answers no more. Returns its token.

    The token is kept nowhere. Raises Refusal(forbidden).
    """
    guard_permission(actor, Permission.REFERRAL_VIEW)
    token = secrets.token_urlsafe(32)
    feed = tx.get(CalendarFeed, actor.user_id)
    if feed is None:
        tx.add(CalendarFeed(user_id=actor.user_id, token_digest=token_digest(token), created_at=at))
    else:
        feed.token_digest, feed.created_at = token_digest(token), at
    _record(tx, actor, at, "calendar_feed.renewed")
    return token


def end_calendar_feed(tx: Session, *, actor: Viewer, at: datetime) -> None:
    """The actor's calendar address answers no more, if there was one. Raises Refusal(forbidden)."""
    guard_permission(actor, Permission.REFERRAL_VIEW)
    feed = tx.get(CalendarFeed, actor.user_id)
    if feed is not None:
        tx.delete(feed)
        _record(tx, actor, at, "calendar_feed.ended")


def _record(tx: Session, actor: Viewer, at: datetime, event: str) -> None:
    record_event(tx, actor=actor, at=at, company_id=actor.company_id, event=event, subject=actor.email)
