"""What a reversal of an entry would do, and whether there is one already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.queries.credit import currency_of, guard_program_year
from ledger.queries.statements import dealer_seen_by
from ledger.states import ENTRY_WORDS, AccountKind, EntryKind
from referral.errors import Refusal
from referral.models import Company
from referral.permissions import Viewer
from referral.queries.settings import today

_OF_ORDERS = frozenset({EntryKind.ORDER, EntryKind.CANCELLATION, EntryKind.RETURN})


def guard_reversible(kind: EntryKind) -> None:
    """Guard: entries of this kind are reversed. Raises Refusal(reverse_by_cancelling), (reversal_of_reversal)."""
    if kind in _OF_ORDERS:
        raise Refusal("reverse_by_cancelling")
    if kind is EntryKind.REVERSAL:
        raise Refusal("reversal_of_reversal")


def entry_at(
    tx: Session,
    *,
    viewer: Viewer,
    dealer_code: str,
    program_year: int,
    account_kind: AccountKind,
    sequence: int,
) -> LedgerEntry:
    """Return the entry at a place of a dealer's account. Raises Refusal(not_found), for another's too."""
    guard_program_year(program_year)
    dealer = dealer_seen_by(tx, viewer, dealer_code)
    entry = tx.scalars(
        sa.select(LedgerEntry).where(
            LedgerEntry.dealer_id == dealer.id,
            LedgerEntry.program_year == program_year,
            LedgerEntry.account_kind == account_kind,
            LedgerEntry.sequence == sequence,
        )
    ).one_or_none()
    if entry is None:
        raise Refusal("not_found")
    return entry


def other_side(tx: Session, entry: LedgerEntry) -> LedgerEntry:
    """Return the other side of a transfer: the same key and number at another dealer."""
    dealers = sa.select(Company.id).where(Company.is_dealer, Company.id != entry.dealer_id)
    return tx.scalars(
        sa.select(LedgerEntry).where(
            LedgerEntry.dealer_id.in_(dealers),
            LedgerEntry.idempotency_key == entry.idempotency_key,
            LedgerEntry.kind == EntryKind.TRANSFER,
            LedgerEntry.source == entry.source,
        )
    ).one()


def reversal_of(tx: Session, entry: LedgerEntry) -> LedgerEntry | None:
    """Return the entry that reverses this one, None where there is none."""
    return tx.scalars(
        sa.select(LedgerEntry).where(
            LedgerEntry.dealer_id == entry.dealer_id,
            LedgerEntry.related_entry_id == entry.id,
            LedgerEntry.kind == EntryKind.REVERSAL,
        )
    ).one_or_none()


def earliest_day(entry: LedgerEntry, program_year: int) -> date:
    """Return the first day a reversal in this program year may have: the entry's own, or the year's first."""
    return max(entry.effective_on, date(program_year, 1, 1))


@dataclass(frozen=True)
class ReversalSide:
    """One dealer's part in a reversal: what moves, and where to."""

    dealer_id: UUID
    dealer_code: str
    dealer_name: str
    program_year: int
    """The year it is posted to."""
    account_kind: AccountKind
    amount_cents: int
    balance_cents: int
    """Of the account now."""

    @property
    def balance_after_cents(self) -> int:
        """Of the account afterwards, if nothing else is posted meanwhile."""
        return self.balance_cents + self.amount_cents


@dataclass(frozen=True)
class ReversalPage:
    """An entry and what its reversal would post."""

    dealer_code: str
    dealer_name: str
    program_year: int
    account_kind: AccountKind
    sequence: int
    kind: EntryKind
    words: str
    source: str
    memo: str
    effective_on: date
    sides: tuple[ReversalSide, ...]
    earliest: date
    today: date
    currency: str

    @property
    def moves_on(self) -> bool:
        """Whether the entry's own year is closed, so that the reversal stands in a later one."""
        return any(side.program_year != self.program_year for side in self.sides)


def reversal_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    dealer_code: str,
    program_year: int,
    account_kind: AccountKind,
    sequence: int,
) -> ReversalPage:
    """Return what the reversal of an entry would do.

    Raises Refusal(not_found), (reverse_by_cancelling), (reversal_of_reversal), (already_reversed).
    """
    entry = entry_at(
        tx,
        viewer=viewer,
        dealer_code=dealer_code,
        program_year=program_year,
        account_kind=account_kind,
        sequence=sequence,
    )
    guard_reversible(entry.kind)
    day = today(tx, at)
    entries = [entry, *([other_side(tx, entry)] if entry.kind is EntryKind.TRANSFER else [])]
    if any(reversal_of(tx, each) is not None for each in entries):
        raise Refusal("already_reversed")
    sides = tuple(_side(tx, each, day.year) for each in entries)
    return ReversalPage(
        dealer_code=sides[0].dealer_code,
        dealer_name=sides[0].dealer_name,
        program_year=entry.program_year,
        account_kind=entry.account_kind,
        sequence=entry.sequence,
        kind=entry.kind,
        words=ENTRY_WORDS[entry.kind],
        source=entry.source,
        memo=entry.memo,
        effective_on=entry.effective_on,
        sides=sides,
        earliest=max(
            earliest_day(each, side.program_year) for each, side in zip(entries, sides, strict=True)
        ),
        today=day,
        currency=currency_of(tx, program_year),
    )


def _side(tx: Session, entry: LedgerEntry, present_year: int) -> ReversalSide:
    dealer = tx.get_one(Company, entry.dealer_id)
    own = tx.get_one(LedgerAccount, (entry.dealer_id, entry.program_year, entry.account_kind))
    year = entry.program_year if own.closed_at is None else present_year
    account = tx.get(LedgerAccount, (entry.dealer_id, year, entry.account_kind))
    return ReversalSide(
        dealer_id=dealer.id,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        program_year=year,
        account_kind=entry.account_kind,
        amount_cents=-entry.amount_cents,
        balance_cents=0 if account is None else account.balance_cents,
    )
