"""Digests of entries, of their places in accounts, and of evidence: canonical, versioned, length-prefixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

DIGEST_VERSION = 1
CHAIN_START = "0" * 64
"""The digest before an account's first posting."""

Field = str | int | bool | date | datetime | UUID | None


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


def evidence_digest(
    *,
    previous: str,
    dealer_id: UUID,
    sequence: int,
    kind: str,
    subject: str,
    content_digest: str,
    recorded_at: datetime,
) -> str:
    """Return the digest of a row of a dealer's evidence: the one before, and its own columns."""
    return digest_of("evidence", previous, dealer_id, sequence, kind, subject, content_digest, recorded_at)


# the same recipe, written out ---------------------------------------------------------------------

_sha256 = hashlib.sha256


def written_entry_digest(
    dealer: str,
    entry: str,
    idempotency_key: str,
    kind: str,
    amount: int,
    effective: str,
    posted: str,
    actor: str | None,
    source: str,
    source_digest: str,
    memo: str,
    related: str | None,
    version: int,
) -> str:
    """Return `entry_digest` of columns that are texts already: ids as 32 hexadecimal digits, the day as
    2026-05-04, the instant as 2026-05-04T15:00:00.000000Z. Several times as fast, for millions of entries.
    """
    number = str(amount)
    version_text = str(version)
    return _sha256(
        (
            f"s5:entry;i{len(version_text)}:{version_text};u32:{dealer};u32:{entry};"
            f"s{len(idempotency_key.encode())}:{idempotency_key};s{len(kind)}:{kind};i{len(number)}:{number};"
            f"d10:{effective};t27:{posted};{f'u32:{actor};' if actor else 'n0:;'}"
            f"s{len(source.encode())}:{source};s64:{source_digest};s{len(memo.encode())}:{memo};"
            f"{f'u32:{related};' if related else 'n0:;'}"
        ).encode()
    ).hexdigest()


def written_place(dealer: str, program_year: int, account_kind: str) -> str:
    """Return the part of a posting's encoding that is the same for a whole account."""
    return encode_fields(UUID(hex=dealer), program_year, account_kind).decode()


def written_posting_digest(
    previous: str, place: str, sequence: int, side: str, amount: int, balance: int, content: str
) -> str:
    """Return `posting_digest`; `place` is what `written_place` returns, `side` is "i1:1;" or "i2:-1;"."""
    at, moved, after = str(sequence), str(amount), str(balance)
    return _sha256(
        (
            f"s7:posting;s64:{previous};{place}i{len(at)}:{at};{side}i{len(moved)}:{moved};"
            f"i{len(after)}:{after};s64:{content};"
        ).encode()
    ).hexdigest()


# closed years -----------------------------------------------------------------------------------


def year_close_digest(
    *,
    dealer_id: UUID,
    program_year: int,
    dealer_code: str,
    dealer_name: str,
    currency: str,
    sales_credit_cents: int,
    other_purchases_cents: int,
    total_cents: int,
    level_year: int,
    level_version: int,
    level_name: str,
    threshold_cents: int,
    heads: Mapping[str, Any],
    closed_by: UUID | None,
    closed_at: datetime,
) -> str:
    """Return the digest over every column of a dealer's closed year; `heads` as canonical JSON."""
    return digest_of(
        "year_close",
        dealer_id,
        program_year,
        dealer_code,
        dealer_name,
        currency,
        sales_credit_cents,
        other_purchases_cents,
        total_cents,
        level_year,
        level_version,
        level_name,
        threshold_cents,
        json.dumps(heads, sort_keys=True, separators=(",", ":"), ensure_ascii=True),
        closed_by,
        closed_at,
    )
