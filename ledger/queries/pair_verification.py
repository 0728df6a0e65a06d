"""Recomputing transfers: both sides of each, and of each reversal of one."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ledger.models.accounts import LedgerEntry
from ledger.states import EntryKind

_SIDES = 2


def transfer_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each fault: a transfer has two sides at two dealers, equal and opposite.

    Both have the same account, year, day and source digest; and both are reversed, or neither is.
    """
    reversal = aliased(LedgerEntry)
    rows = tx.execute(
        sa.select(LedgerEntry, reversal.id.is_not(None))
        .outerjoin(
            reversal,
            sa.and_(
                reversal.dealer_id == LedgerEntry.dealer_id,
                reversal.related_entry_id == LedgerEntry.id,
                reversal.kind == EntryKind.REVERSAL,
            ),
        )
        .where(LedgerEntry.kind == EntryKind.TRANSFER)
        .order_by(LedgerEntry.source, LedgerEntry.dealer_id, LedgerEntry.id)
        .execution_options(yield_per=1000)
    )
    with rows:
        number, sides = "", list[tuple[LedgerEntry, bool]]()
        for entry, is_reversed in rows:
            if entry.source != number:
                yield from _faults(number, sides)
                number, sides = entry.source, []
            sides.append((entry, is_reversed))
        yield from _faults(number, sides)


def _faults(number: str, sides: list[tuple[LedgerEntry, bool]]) -> Iterator[str]:
    if not sides:
        return
    entries = [entry for entry, _ in sides]
    if len(entries) != _SIDES or len({entry.dealer_id for entry in entries}) != _SIDES:
        yield f"transfer {number}: {len(entries)} sides of {len({each.dealer_id for each in entries})} dealers"
    elif sum(entry.amount_cents for entry in entries):
        yield f"transfer {number}: its sides do not come to nothing"
    elif len({_said(entry) for entry in entries}) != 1:
        yield f"transfer {number}: its sides say different things"
    elif len({is_reversed for _, is_reversed in sides}) != 1:
        yield f"transfer {number}: only one of its sides is reversed"


def _said(entry: LedgerEntry) -> tuple[object, ...]:
    return entry.program_year, entry.account_kind, entry.effective_on, entry.source_digest
