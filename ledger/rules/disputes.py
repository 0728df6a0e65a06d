"""What the digest of a dispute's outcome covers: everything the dealer said and the program answered."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from ledger.rules.digests import digest_of


def dispute_digest(
    *,
    dealer_id: UUID,
    number: int,
    entry_id: UUID,
    claimed_cents: int | None,
    reason: str,
    opened_on: date,
    words: str,
    answered_on: date,
) -> str:
    """Return the digest that the correcting entry keeps of its dispute and of the words that upheld it."""
    return digest_of(
        "dispute", dealer_id, number, entry_id, claimed_cents, reason, opened_on, words, answered_on
    )
