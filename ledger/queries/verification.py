"""Recomputing the ledger: sums, sequences, digests, heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models import LedgerAccount, LedgerEntry, LedgerPosting
from ledger.rules import CHAIN_START, entry_digest, posting_digest


def digest_of_entry(entry: LedgerEntry) -> str:
    """Return the digest an entry must carry."""
    return entry_digest(
        dealer_id=entry.dealer_id,
        entry_id=entry.id,
        idempotency_key=entry.idempotency_key,
        kind=entry.kind,
        amount_cents=entry.amount_cents,
        effective_on=entry.effective_on,
        posted_at=entry.posted_at,
        actor_id=entry.actor_id,
        source=entry.source,
        source_digest=entry.source_digest,
        memo=entry.memo,
        related_entry_id=entry.related_entry_id,
        digest_version=entry.digest_version,
    )


@dataclass(frozen=True)
class LedgerCounts:
    """How much there is to recompute."""

    accounts: int
    entries: int
    postings: int


def ledger_counts(tx: Session) -> LedgerCounts:
    """Return how many accounts, entries and postings the ledger holds."""
    accounts, entries, postings = (
        tx.scalars(sa.select(sa.func.count()).select_from(table)).one()
        for table in (LedgerAccount, LedgerEntry, LedgerPosting)
    )
    return LedgerCounts(accounts=accounts, entries=entries, postings=postings)


def ledger_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each fault, first one first: nothing means that every row recomputes.

    Checked: each posting follows the one before without a gap; balances add up; entry and posting digests
    recompute; the head equals the last posting; each entry has its two postings.
    """
    accounts = tx.scalars(
        sa.select(LedgerAccount).order_by(
            LedgerAccount.dealer_id, LedgerAccount.program_year, LedgerAccount.kind
        )
    ).all()
    for account in accounts:
        yield from _account_faults(tx, account)
    sides = (
        sa.select(LedgerPosting.dealer_id, LedgerPosting.entry_id, sa.func.count().label("sides"))
        .group_by(LedgerPosting.dealer_id, LedgerPosting.entry_id)
        .subquery()
    )
    lonely = tx.scalars(
        sa.select(LedgerEntry)
        .outerjoin(
            sides, sa.and_(sides.c.dealer_id == LedgerEntry.dealer_id, sides.c.entry_id == LedgerEntry.id)
        )
        .where(sa.func.coalesce(sides.c.sides, 0) != 2)
        .order_by(LedgerEntry.dealer_id, LedgerEntry.id)
    )
    for entry in lonely:
        yield f"entry {entry.id} of dealer {entry.dealer_id}: does not have its two postings"


def _account_faults(tx: Session, account: LedgerAccount) -> Iterator[str]:
    name = f"account {account.dealer_id} {account.program_year} {account.kind}"
    postings = (
        sa.select(LedgerPosting, LedgerEntry)
        .join(
            LedgerEntry,
            sa.and_(
                LedgerEntry.dealer_id == LedgerPosting.dealer_id, LedgerEntry.id == LedgerPosting.entry_id
            ),
        )
        .where(
            LedgerPosting.dealer_id == account.dealer_id,
            LedgerPosting.program_year == account.program_year,
            LedgerPosting.account_kind == account.kind,
        )
        .order_by(LedgerPosting.sequence)
        .execution_options(yield_per=1000)
    )
    sequence, balance, digest = 0, 0, CHAIN_START
    with tx.execute(postings) as rows:
        for posting, entry in rows:
            sequence, balance = sequence + 1, balance + posting.amount_cents
            place = f"{name} posting {posting.sequence}"
            if posting.sequence != sequence:
                yield f"{place}: expected sequence {sequence}"
                return
            if posting.amount_cents != posting.side * entry.amount_cents:
                yield f"{place}: amount differs from its entry's"
                return
            if posting.balance_cents != balance:
                yield f"{place}: balance {posting.balance_cents}, recomputed {balance}"
                return
            if entry.digest != digest_of_entry(entry):
                yield f"{place}: entry {entry.id} does not recompute"
                return
            digest = posting_digest(
                previous=digest,
                dealer_id=posting.dealer_id,
                program_year=posting.program_year,
                account_kind=posting.account_kind,
                sequence=posting.sequence,
                side=posting.side,
                amount_cents=posting.amount_cents,
                balance_cents=posting.balance_cents,
                entry_digest=entry.digest,
            )
            if posting.digest != digest:
                yield f"{place}: digest does not recompute"
                return
    if (account.sequence, account.balance_cents, account.digest) != (sequence, balance, digest):
        yield f"{name}: head does not equal the last posting ({sequence}, {balance})"
