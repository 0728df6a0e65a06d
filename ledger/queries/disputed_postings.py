"""Postings as they can be disputed: until when, and what disputes the lines of a statement have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerEntry
from ledger.models.disputes import Dispute, DisputeAnswer
from ledger.queries.disputes import PostingRow, has_answer, posting_row
from ledger.queries.statements import dealer_seen_by
from ledger.rules.periods import last_day_of_month, last_day_to_dispute
from ledger.states import AccountKind, DisputeOutcome
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company
from referral.permissions import Viewer
from referral.queries.settings import setting_on, time_zone, today, whole_number_setting


def last_dispute_day(tx: Session, posted_on: date) -> date:
    """Return the last day on which a posting of that business day can be disputed.

    What the window was on the last day of the month of posting holds, whatever it is changed to later.
    """
    window = whole_number_setting(tx, "dispute_window_days", last_day_of_month(posted_on))
    return last_day_to_dispute(posted_on, window)


@dataclass(frozen=True)
class DisputablePosting:
    """A posting with what a dealer who wants to dispute it has to know."""

    posting: PostingRow
    currency: str
    last_day: date
    is_window_open: bool
    answer_days: int
    open_ref: str
    """The number of its open dispute, '' where there is none."""


def posting_by_place(
    tx: Session, dealer_id: UUID, program_year: int, account_kind: AccountKind, sequence: int
) -> LedgerEntry:
    """Return the posting at a place of a dealer's account. Raises Refusal(not_found)."""
    entry = tx.scalars(
        sa.select(LedgerEntry).where(
            LedgerEntry.dealer_id == dealer_id,
            LedgerEntry.program_year == program_year,
            LedgerEntry.account_kind == account_kind,
            LedgerEntry.sequence == sequence,
        )
    ).one_or_none()
    if entry is None:
        raise Refusal("not_found")
    return entry


def open_dispute_of(tx: Session, entry: LedgerEntry) -> Dispute | None:
    """Return the open dispute of a posting, None where there is none."""
    return tx.scalars(
        sa.select(Dispute).where(
            Dispute.dealer_id == entry.dealer_id, Dispute.entry_id == entry.id, ~has_answer()
        )
    ).one_or_none()


def disputable_posting(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    dealer_code: str,
    program_year: int,
    account_kind: AccountKind,
    sequence: int,
) -> DisputablePosting:
    """Return a posting and until when it can be disputed.

    Raises Refusal(not_found) for another's dealer or a place where nothing stands.
    """
    dealer = dealer_seen_by(tx, viewer, dealer_code)
    entry = posting_by_place(tx, dealer.id, program_year, account_kind, sequence)
    day = today(tx, at)
    posting = posting_row(dealer, entry, time_zone(tx))
    last_day = last_dispute_day(tx, posting.posted_on)
    waiting = open_dispute_of(tx, entry)
    return DisputablePosting(
        posting=posting,
        currency=str(setting_on(tx, "currency", day)),
        last_day=last_day,
        is_window_open=day <= last_day,
        answer_days=whole_number_setting(tx, "dispute_answer_days", day),
        open_ref="" if waiting is None else str(PublicNumber("D", dealer.code, waiting.number)),
    )


@dataclass(frozen=True)
class LineDispute:
    """The newest dispute of a statement's line."""

    ref: str
    outcome: DisputeOutcome | None


def disputes_of_lines(
    tx: Session, *, dealer: Company, start: datetime, end: datetime
) -> dict[tuple[int, AccountKind, int], LineDispute]:
    """Return the newest dispute of each disputed posting posted in these instants, by its place."""
    rows = tx.execute(
        sa.select(
            Dispute.number,
            LedgerEntry.program_year,
            LedgerEntry.account_kind,
            LedgerEntry.sequence,
            DisputeAnswer.outcome,
        )
        .join(
            LedgerEntry,
            sa.and_(LedgerEntry.dealer_id == Dispute.dealer_id, LedgerEntry.id == Dispute.entry_id),
        )
        .outerjoin(
            DisputeAnswer,
            sa.and_(DisputeAnswer.dealer_id == Dispute.dealer_id, DisputeAnswer.number == Dispute.number),
        )
        .where(Dispute.dealer_id == dealer.id, LedgerEntry.posted_at >= start, LedgerEntry.posted_at < end)
        .order_by(Dispute.number)
    )
    return {
        (year, kind, sequence): LineDispute(str(PublicNumber("D", dealer.code, number)), outcome)
        for number, year, kind, sequence, outcome in rows
    }
