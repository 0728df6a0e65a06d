"""Taking back an entry that was posted by hand, wholly and once."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerEntry
from ledger.operations.entries import Posted, Source, locked_heads, post_entry, posting_year
from ledger.queries.reversals import (
    earliest_day,
    entry_at,
    guard_reversible,
    other_side,
    reversal_of,
)
from ledger.rules.digests import digest_of
from ledger.states import AccountKind, EntryKind
from referral.errors import Refusal
from referral.models import Company
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today


def reverse_entry(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    dealer_code: str,
    program_year: int,
    account_kind: AccountKind,
    sequence: int,
    effective_on: date,
    reason: str,
    idempotency_key: str,
) -> Posted:
    """The entry is taken back by its exact negation, which names it; of a transfer both sides are.

    Posted to the entry's own program year while that is open, else to the present one. Raises
    Refusal(forbidden), (not_found) for another's entry too, (reverse_by_cancelling) for what an order
    posted, (reversal_of_reversal), (already_reversed), (reason_required), (idempotency_key_missing),
    (idempotency_key_reused), (invalid_input) for a day before the entry or still to come,
    (amount_too_large).
    """
    guard_permission(actor, Permission.CREDIT_RECORD)
    entry = entry_at(
        tx,
        viewer=actor,
        dealer_code=dealer_code,
        program_year=program_year,
        account_kind=account_kind,
        sequence=sequence,
    )
    guard_reversible(entry.kind)
    memo = guard_reason(reason)
    if not idempotency_key.strip():
        raise Refusal("idempotency_key_missing", field="idempotency_key")
    sides = [entry, *([other_side(tx, entry)] if entry.kind is EntryKind.TRANSFER else [])]
    years = _locked_years(tx, at, sides)
    key = f"reverse:{idempotency_key.strip()}"
    for side in sides:
        reversal = reversal_of(tx, side)
        if reversal is None:
            continue
        if reversal.idempotency_key != key:
            raise Refusal("already_reversed")
        years[side.id] = reversal.program_year  # answered before, perhaps in a year that is closed by now
    earliest = max(earliest_day(side, years[side.id]) for side in sides)
    if effective_on < earliest:
        words = f"A reversal is never dated before what it reverses: choose {earliest} or later."
        raise Refusal("invalid_input", words, "effective_on")
    if effective_on > today(tx, at):
        raise Refusal("invalid_input", "This day is still to come.", "effective_on")
    posted = [
        post_entry(
            tx,
            actor=actor,
            at=at,
            dealer_id=side.dealer_id,
            program_year=years[side.id],
            account_kind=side.account_kind,
            kind=EntryKind.REVERSAL,
            amount_cents=-side.amount_cents,
            effective_on=effective_on,
            idempotency_key=key,
            source=Source(side.source, digest_of("reversal", side.source_digest, effective_on, memo), memo),
            related_entry_id=side.id,
        )
        for side in sides
    ]
    for side, reversal_posted in zip(sides, posted, strict=True):
        if reversal_posted.is_new:
            record_event(
                tx,
                actor=actor,
                at=at,
                company_id=side.dealer_id,
                event="entry.reversed",
                subject=side.source or tx.get_one(Company, side.dealer_id).code,
                details={"amount_cents": -side.amount_cents, "entry": str(side.id)},
            )
    return posted[0]


def _locked_years(tx: Session, at: datetime, sides: list[LedgerEntry]) -> dict[UUID, int]:
    """Lock the accounts that are posted to, in order of dealer id; return the program year of each side."""
    years = {}
    for side in sorted(sides, key=lambda each: each.dealer_id):
        year = posting_year(tx, dealer_id=side.dealer_id, program_year=side.program_year, at=at)
        years[side.id] = year
        locked_heads(tx, at=at, dealer_id=side.dealer_id, program_year=year, account_kind=side.account_kind)
    return years
