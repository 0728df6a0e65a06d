"""Revisions that expire soon and that nobody was reminded of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.quotes import Revision
from quotes.models.recalls import ExpiryReminder
from quotes.queries.work import WorkRow, work_rows
from quotes.states import RevisionState
from referral.models import Referral
from referral.queries.settings import today, whole_number_setting
from referral.states import ReferralState


def expiring_soon(day: date, days: int) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a revision in its last days of which nobody was reminded: submitted or approved."""
    reminded = sa.exists().where(
        ExpiryReminder.dealer_id == Revision.dealer_id,
        ExpiryReminder.quote_id == Revision.quote_id,
        ExpiryReminder.revision_number == Revision.number,
    )
    return [
        Revision.state.in_((RevisionState.SUBMITTED, RevisionState.APPROVED)),
        Revision.expires_on >= day,
        Revision.expires_on <= day + timedelta(days=days),
        ~reminded,
    ]


@dataclass(frozen=True)
class Expiring:
    """What of one dealer is to be reminded of on a day: what waits for a decision or for an order."""

    day: date
    rows: tuple[WorkRow, ...]


def expiring_of(tx: Session, *, at: datetime, dealer_id: UUID | None = None) -> Expiring:
    """Return what is to be reminded of, of one dealer or all.

    An approved revision that is wholly ordered is not, nor what belongs to a project that is closed.
    """
    day = today(tx, at)
    conditions = [
        *expiring_soon(day, whole_number_setting(tx, "reminder_days", day)),
        Referral.state == ReferralState.ACCEPTED,
    ]
    if dealer_id is not None:
        conditions.append(Revision.dealer_id == dealer_id)
    rows = work_rows(tx, day, conditions)
    return Expiring(
        day, tuple(row for row in rows if row.state == RevisionState.SUBMITTED.value or row.remaining_units)
    )


def reminders_due(tx: Session, *, at: datetime) -> Sequence[UUID]:
    """Return the dealers with a revision to be reminded of."""
    return sorted({row.dealer_id for row in expiring_of(tx, at=at).rows})
