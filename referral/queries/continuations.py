"""Whether a project goes on: its referral stands, and its account is qualified or let continue."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.models import Continuation, Referral
from referral.queries.companies import is_qualified_on
from referral.states import ReferralState


def continuation_of(tx: Session, dealer_id: UUID, referral_id: UUID) -> Continuation | None:
    """Return what the program last granted for the project, also where its last day is over; else None."""
    return tx.scalars(
        sa.select(Continuation)
        .where(Continuation.dealer_id == dealer_id, Continuation.referral_id == referral_id)
        .order_by(Continuation.granted_at.desc(), Continuation.id.desc())
        .limit(1)
    ).one_or_none()


def may_go_on(tx: Session, *, dealer_id: UUID, referral_id: UUID, account_id: UUID, day: date) -> bool:
    """Say whether the account is qualified on the day, or the program lets it go on with this project."""
    if is_qualified_on(tx, account_id, day):
        return True
    granted = continuation_of(tx, dealer_id, referral_id)
    return granted is not None and day <= granted.last_on


def check_may_go_on(tx: Session, *, dealer_id: UUID, referral_id: UUID, account_id: UUID, day: date) -> None:
    """Guard: the account is qualified on the day, or let go on with this project.

    Raises Refusal(account_not_qualified). Program rules, section 4.
    """
    if not may_go_on(tx, dealer_id=dealer_id, referral_id=referral_id, account_id=account_id, day=day):
        raise Refusal("account_not_qualified")


def check_project_stands(tx: Session, *, dealer_id: UUID, referral_id: UUID) -> None:
    """Guard: the project is still this account's, so that its quotes go on. Raises Refusal(referral_closed).

    For writes, after the quote's lock: the referral is locked for sharing, so that it cannot be closed before
    what is written is committed.
    """
    referral = tx.get_one(
        Referral, (dealer_id, referral_id), populate_existing=True, with_for_update={"read": True}
    )
    if referral.state is not ReferralState.ACCEPTED:
        raise Refusal(
            "referral_closed",
            "The referral of this project is closed: its quotes go no further. What is ordered already stays.",
        )
