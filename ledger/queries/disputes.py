"""Disputes as each side sees them: the dealer its own, the program all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.disputes import Dispute, DisputeAnswer
from ledger.states import ACCOUNT_WORDS, ENTRY_WORDS, AccountKind, DisputeOutcome, EntryKind
from referral.clock import business_day
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, User
from referral.permissions import CompanyKind, Viewer
from referral.queries.records import PAGE_ROWS
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import setting_on, time_zone, today

OPEN_SHOWN = 200
"""Open disputes on the list; those due first."""
DUE_SOON_DAYS = 3
"""An open dispute with this many days left or fewer is marked."""


def disputes_seen_by(viewer: Viewer) -> sa.Select[Dispute]:
    """Return the disputes the viewer may see: the dealer's own, or all for the program."""
    statement = sa.select(Dispute)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    if viewer.acts_as(CompanyKind.DEALER):
        return statement.where(Dispute.dealer_id == viewer.company_id)
    return statement.where(sa.false())


@dataclass(frozen=True)
class PostingRow:
    """A posting that is or can be disputed, with its place."""

    dealer_code: str
    dealer_name: str
    program_year: int
    account_kind: AccountKind
    sequence: int
    kind: EntryKind
    source: str
    memo: str
    amount_cents: int
    effective_on: date
    posted_at: datetime
    posted_on: date

    @property
    def words(self) -> str:
        """What it is, such as Order or Other purchase."""
        return ENTRY_WORDS[self.kind]

    @property
    def account_words(self) -> str:
        """The account it stands in."""
        return f"{ACCOUNT_WORDS[self.account_kind]} {self.program_year}"


@dataclass(frozen=True)
class DisputeRow:
    """A dispute with the posting it is about, and its answer where there is one."""

    ref: str
    posting: PostingRow
    claimed_cents: int | None
    reason: str
    opened_by: str
    opened_at: datetime
    opened_on: date
    answer_due_on: date
    days_left: int
    """Days until the answer is due, after today; below zero when it is overdue."""
    outcome: DisputeOutcome | None
    words: str
    answered_by: str
    answered_at: datetime | None
    correction: PostingRow | None
    """The posting that puts it right, where it was upheld."""

    @property
    def is_open(self) -> bool:
        """Say whether it waits for an answer."""
        return self.outcome is None

    @property
    def state(self) -> str:
        """How it stands: open, overdue, or its outcome."""
        if self.outcome is not None:
            return self.outcome.value
        return "overdue" if self.days_left < 0 else "open"

    @property
    def is_due_soon(self) -> bool:
        """Say whether the answer is due within DUE_SOON_DAYS."""
        return self.is_open and 0 <= self.days_left <= DUE_SOON_DAYS


_correction, _opener, _answerer = aliased(LedgerEntry), aliased(User), aliased(User)


def _with_all(statement: sa.Select[Any]) -> sa.Select[Any]:
    """Return the statement of disputes with everything a DisputeRow is made of."""
    return (
        statement.join(Company, Company.id == Dispute.dealer_id)
        .join(
            LedgerEntry,
            sa.and_(LedgerEntry.dealer_id == Dispute.dealer_id, LedgerEntry.id == Dispute.entry_id),
        )
        .join(_opener, _opener.id == Dispute.opened_by)
        .outerjoin(
            DisputeAnswer,
            sa.and_(
                DisputeAnswer.dealer_id == Dispute.dealer_id,
                DisputeAnswer.number == Dispute.number,
            ),
        )
        .outerjoin(
            _correction,
            sa.and_(
                _correction.dealer_id == DisputeAnswer.dealer_id, _correction.id == DisputeAnswer.entry_id
            ),
        )
        .outerjoin(_answerer, _answerer.id == DisputeAnswer.answered_by)
        .add_columns(Company, LedgerEntry, _opener.name, DisputeAnswer, _correction, _answerer.name)
    )


def posting_row(dealer: Company, entry: LedgerEntry, zone: str) -> PostingRow:
    """Return the posting of an entry, by the days of the zone."""
    return PostingRow(
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        program_year=entry.program_year,
        account_kind=entry.account_kind,
        sequence=entry.sequence,
        kind=entry.kind,
        source=entry.source,
        memo=entry.memo,
        amount_cents=entry.amount_cents,
        effective_on=entry.effective_on,
        posted_at=entry.posted_at,
        posted_on=business_day(entry.posted_at, zone),
    )


def _rows(tx: Session, day: date, statement: sa.Select[Any]) -> tuple[DisputeRow, ...]:
    zone = time_zone(tx)
    return tuple(
        DisputeRow(
            ref=str(PublicNumber("D", dealer.code, dispute.number)),
            posting=posting_row(dealer, entry, zone),
            claimed_cents=dispute.claimed_cents,
            reason=dispute.reason,
            opened_by=opener,
            opened_at=dispute.opened_at,
            opened_on=dispute.opened_on,
            answer_due_on=dispute.answer_due_on,
            days_left=(dispute.answer_due_on - day).days,
            outcome=None if answer is None else answer.outcome,
            words="" if answer is None else answer.words,
            answered_by=answerer or "",
            answered_at=None if answer is None else answer.answered_at,
            correction=None if correction is None else posting_row(dealer, correction, zone),
        )
        for dispute, dealer, entry, opener, answer, correction, answerer in tx.execute(_with_all(statement))
    )


# lists ------------------------------------------------------------------------------------------

_NEWEST_FIRST = (Dispute.opened_at.desc(), Dispute.dealer_id.desc(), Dispute.number.desc())


@dataclass(frozen=True)
class DisputeRows:
    """A page of disputes; `after` continues the list."""

    rows: tuple[DisputeRow, ...]
    after: str | None


@dataclass(frozen=True)
class DisputesPage:
    """The disputes the viewer may see: what is open, due first, and a page of what is settled, newest first."""

    open: tuple[DisputeRow, ...]
    open_count: int
    settled: DisputeRows
    is_first_page: bool
    currency: str


def disputes_page(tx: Session, *, viewer: Viewer, at: datetime, after: str | None = None) -> DisputesPage:
    """Return the page of disputes. Raises Refusal(not_found) for a place that is none."""
    day = today(tx, at)
    waiting = disputes_seen_by(viewer).where(~has_answer())
    by_due = (Dispute.answer_due_on, Dispute.dealer_id, Dispute.number)
    return DisputesPage(
        open=_rows(tx, day, waiting.order_by(*by_due).limit(OPEN_SHOWN)),
        open_count=tx.scalar(sa.select(sa.func.count()).select_from(waiting.subquery())) or 0,
        settled=dispute_rows(tx, viewer=viewer, at=at, is_open=False, after=after),
        is_first_page=after is None,
        currency=str(setting_on(tx, "currency", day)),
    )


def dispute_rows(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    is_open: bool | None = None,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> DisputeRows:
    """Return disputes newest first: all, those that are open, or those that are settled.

    `after` is the number of the last one of the page before. Raises Refusal(not_found) where it is none.
    """
    statement = disputes_seen_by(viewer).order_by(*_NEWEST_FIRST).limit(limit + 1)
    if is_open is not None:
        statement = statement.where(~has_answer() if is_open else has_answer())
    if after is not None:
        last = dispute_by_ref(tx, viewer, after)
        key = (Dispute.opened_at, Dispute.dealer_id, Dispute.number)
        place = (last.opened_at, last.dealer_id, last.number)
        values = [sa.literal(value, column.type) for value, column in zip(place, key, strict=True)]
        statement = statement.where(sa.tuple_(*key) < sa.tuple_(*values))
    rows = _rows(tx, today(tx, at), statement)
    return DisputeRows(rows=rows[:limit], after=rows[limit - 1].ref if len(rows) > limit else None)


def has_answer() -> sa.Exists:
    """Return the condition that the dispute has its answer."""
    return (
        sa.select(DisputeAnswer.number)
        .where(DisputeAnswer.dealer_id == Dispute.dealer_id, DisputeAnswer.number == Dispute.number)
        .correlate(Dispute)
        .exists()
    )


@dataclass(frozen=True)
class OpenDisputes:
    """How many disputes wait for an answer, how many of them are overdue, and when the first is due."""

    count: int
    overdue: int
    first_due_on: date | None


def open_disputes(tx: Session, *, viewer: Viewer, day: date) -> OpenDisputes:
    """Return the open disputes the viewer may see, in numbers."""
    waiting = disputes_seen_by(viewer).where(~has_answer()).subquery()
    is_overdue = sa.case((waiting.c.answer_due_on < day, 1), else_=0)
    count, overdue, first = tx.execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(is_overdue), 0),
            sa.func.min(waiting.c.answer_due_on),
        )
    ).one()
    return OpenDisputes(count=count, overdue=int(overdue), first_due_on=first)


# one dispute ------------------------------------------------------------------------------------


def dispute_by_ref(tx: Session, viewer: Viewer, ref: str) -> Dispute:
    """Return a dispute the viewer may see by its number. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "D")
    dispute = tx.scalars(
        disputes_seen_by(viewer).where(Dispute.dealer_id == dealer_id, Dispute.number == number)
    ).one_or_none()
    if dispute is None:
        raise Refusal("not_found")
    return dispute


@dataclass(frozen=True)
class DisputePage:
    """One dispute, and what its answer would have to know."""

    row: DisputeRow
    currency: str
    today: date
    is_year_closed: bool
    """Whether the disputed posting's program year is closed: a correction goes to the present year."""

    @property
    def difference_cents(self) -> int | None:
        """What is missing to the claimed amount; None where the dealer named none."""
        claimed = self.row.claimed_cents
        return None if claimed is None else claimed - self.row.posting.amount_cents


def dispute_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> DisputePage:
    """Return one dispute. Raises Refusal(not_found)."""
    dispute = dispute_by_ref(tx, viewer, ref)
    day = today(tx, at)
    (row,) = _rows(
        tx,
        day,
        sa.select(Dispute).where(Dispute.dealer_id == dispute.dealer_id, Dispute.number == dispute.number),
    )
    closed_at = tx.scalars(
        sa.select(LedgerAccount.closed_at).where(
            LedgerAccount.dealer_id == dispute.dealer_id,
            LedgerAccount.program_year == row.posting.program_year,
            LedgerAccount.kind == row.posting.account_kind,
        )
    ).one()
    return DisputePage(
        row=row,
        currency=str(setting_on(tx, "currency", day)),
        today=day,
        is_year_closed=closed_at is not None,
    )
