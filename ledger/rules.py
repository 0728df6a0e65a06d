"""Pure rules of sales credit: the arithmetic, the levels, the digests. No database, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from uuid import UUID

from referral.money import RATE_ONE, round_half_up

DIGEST_VERSION = 1
CHAIN_START = "0" * 64
"""The digest before an account's first posting."""

Field = str | int | bool | date | datetime | UUID | None


def line_credit_cents(list_price_cents: int, quantity: int, credit_rate: int) -> int:
    """Return the sales credit of a line in cents: list price times quantity times rate, half up.

    `credit_rate` is in ten-thousandths (10_000 is 1.0000). Program rules, section 2.
    """
    return round_half_up(Fraction(list_price_cents * quantity * credit_rate, RATE_ONE))


def reversal_cents(
    list_price_cents: int, remaining_quantity: int, credit_rate: int, posted_cents: int
) -> int:
    """Return what a partial reversal takes back: posted so far, minus the credit of what remains.

    So the last one ends at exactly 0 (program rules, section 2).
    """
    return posted_cents - line_credit_cents(list_price_cents, remaining_quantity, credit_rate)


# levels -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LevelStep:
    """A level and the total in cents from which it is reached."""

    name: str
    threshold_cents: int


@dataclass(frozen=True)
class Standing:
    """Where a total stands among the levels: the level, the next one, and what is missing to it."""

    level: LevelStep | None
    next_level: LevelStep | None
    missing_cents: int


def standing(total_cents: int, levels: Sequence[LevelStep]) -> Standing:
    """Return the highest level whose threshold is at most the total, never under the base level.

    `levels` rise from the base. Without levels everything is None. Program rules, section 7.
    """
    reached = [level for level in levels if level.threshold_cents <= total_cents] or list(levels[:1])
    above = levels[len(reached) :]
    return Standing(
        level=reached[-1] if reached else None,
        next_level=above[0] if above else None,
        missing_cents=above[0].threshold_cents - total_cents if above else 0,
    )


# digests ----------------------------------------------------------------------------------------


def encode_fields(*fields: Field) -> bytes:
    """Return an unambiguous encoding: each field with its type letter and its length.

    Length prefixes keep ("ab", "c") apart from ("a", "bc"). Instants are UTC microseconds, days are ISO.
    """
    parts = []
    for value in fields:
        letter, text = _encode(value)
        raw = text.encode()
        parts.append(b"%s%d:%s;" % (letter, len(raw), raw))
    return b"".join(parts)


def _encode(value: Field) -> tuple[bytes, str]:
    match value:
        case None:
            return b"n", ""
        case bool():
            return b"b", "1" if value else "0"
        case int():
            return b"i", str(value)
        case datetime():
            return b"t", value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case date():
            return b"d", value.isoformat()
        case UUID():
            return b"u", value.hex
        case str():
            return b"s", str(value)


def digest_of(*fields: Field) -> str:
    """Return the SHA-256 of the encoded fields in hexadecimal."""
    return hashlib.sha256(encode_fields(*fields)).hexdigest()


def entry_digest(  # every column of the entry but the digest itself
    *,
    dealer_id: UUID,
    entry_id: UUID,
    idempotency_key: str,
    kind: str,
    amount_cents: int,
    effective_on: date,
    posted_at: datetime,
    actor_id: UUID | None,
    source: str,
    source_digest: str,
    memo: str,
    related_entry_id: UUID | None,
    digest_version: int,
) -> str:
    """Return the digest over every column of an entry."""
    return digest_of(
        "entry",
        digest_version,
        dealer_id,
        entry_id,
        idempotency_key,
        kind,
        amount_cents,
        effective_on,
        posted_at,
        actor_id,
        source,
        source_digest,
        memo,
        related_entry_id,
    )


def posting_digest(
    *,
    previous: str,
    dealer_id: UUID,
    program_year: int,
    account_kind: str,
    sequence: int,
    side: int,
    amount_cents: int,
    balance_cents: int,
    entry_digest: str,
) -> str:
    """Return the digest of a posting: the one before, its own columns, and its entry's digest."""
    return digest_of(
        "posting",
        previous,
        dealer_id,
        program_year,
        account_kind,
        sequence,
        side,
        amount_cents,
        balance_cents,
        entry_digest,
    )
