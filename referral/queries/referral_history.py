"""One referral with what happened to it, told to each side without a word about another account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.models import AuditEvent, Company, Continuation, User
from referral.permissions import CompanyKind, Viewer
from referral.queries.continuations import continuation_of
from referral.queries.referrals import (
    ReferralRow,
    RivalRow,
    found_referral,
    referral_page,
    rivals_of,
)
from referral.queries.settings import today
from referral.states import ReferralState

TOLD_TO_THE_ACCOUNT = {
    "referral.opened",
    "referral.chosen",
    "referral.accepted",
    "referral.refused",
    "referral.withdrawn",
    "referral.closed",
    "referral.continued",
}
"""What an account reads of its own referral; the rest speaks of others: of parking, of referring it again."""
ABOUT_OTHERS = {"referral.opened", "referral.chosen"}
"""Events whose reason, and a program that made them, tell of an account that had the project before."""
PROGRAM = "the program"


@dataclass(frozen=True)
class HistoryRow:
    """One thing that happened to a referral."""

    at: datetime
    who: str
    event: str
    """noun.past, such as referral.accepted"""
    reason: str
    other_ref: str
    """The referral it was chosen instead of, or given to; '' for the account."""
    last_on: str
    """The last day of a continuation, as 2026-05-04; else ''."""


@dataclass(frozen=True)
class ReferralView:
    """A referral's page: as it stands, its history (oldest first), its rivals, what the program granted."""

    row: ReferralRow
    history: tuple[HistoryRow, ...]
    rivals: tuple[RivalRow, ...]
    """Other accounts' referrals of the project; empty for an account."""
    continuation: Continuation | None
    today: date

    @property
    def holder(self) -> RivalRow | None:
        """The referral that has the project now, where this one is parked."""
        return next((rival for rival in self.rivals if rival.state is not ReferralState.PARKED), None)

    @property
    def parked(self) -> tuple[RivalRow, ...]:
        """The parked ones among the rivals."""
        return tuple(rival for rival in self.rivals if rival.state is ReferralState.PARKED)


def referral_view(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> ReferralView:
    """Return one referral with its history. Raises Refusal(not_found), also for another company's."""
    day = today(tx, at)
    referral, dealer, _, _ = found_referral(tx, viewer=viewer, ref=ref)
    row = referral_page(tx, viewer=viewer, at=at, ref=ref)
    is_told_all = viewer.acts_as(CompanyKind.PROGRAM) or (
        viewer.acts_as(CompanyKind.DEALER) and referral.dealer_id == viewer.company_id
    )
    # Ids carry their milliseconds in front: nothing about a referral is older than the referral.
    first_id = UUID(int=referral.id.int >> 80 << 80)
    events = tx.execute(
        sa.select(AuditEvent, User.name, Company.is_program)
        .outerjoin(User, User.id == AuditEvent.actor_id)
        .outerjoin(Company, Company.id == User.company_id)
        .where(
            AuditEvent.company_id == referral.dealer_id,
            AuditEvent.id >= first_id,
            AuditEvent.subject == row.ref,
        )
        .order_by(AuditEvent.at, AuditEvent.id)
    ).all()
    return ReferralView(
        row=row,
        history=tuple(
            _history_row(event, _who(viewer, name, is_program), is_told_all)
            for event, name, is_program in events
            if is_told_all or event.event in TOLD_TO_THE_ACCOUNT
        ),
        rivals=tuple(rivals_of(tx, viewer=viewer, referral=referral, dealer=dealer, day=day)),
        continuation=continuation_of(tx, referral.dealer_id, referral.id),
        today=day,
    )


def _who(viewer: Viewer, name: str | None, is_program: bool | None) -> str:
    """Name the person; the program's people are one to everybody else."""
    if is_program and not viewer.acts_as(CompanyKind.PROGRAM):
        return PROGRAM
    return name or ""


def _history_row(event: AuditEvent, who: str, is_told_all: bool) -> HistoryRow:
    is_about_others = not is_told_all and event.event in ABOUT_OTHERS
    return HistoryRow(
        at=event.at,
        who="" if is_about_others and who == PROGRAM else who,
        event=event.event,
        reason="" if is_about_others else str(event.details.get("reason", "")),
        other_ref=str(event.details.get("other_ref", "")) if is_told_all else "",
        last_on=str(event.details.get("last_on", "")),
    )
