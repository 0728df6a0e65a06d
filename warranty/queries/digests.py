"""What an event of an installed source and a decided claim say, as digests over their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.rules.digests import digest_of
from warranty.models.claims import Claim
from warranty.models.sources import SourceEvent

EVENT_COLUMNS = (
    "dealer_id",
    "source_id",
    "number",
    "kind",
    "happened_on",
    "quantity",
    "site_id",
    "room",
    "serial",
    "other_id",
    "voids",
    "reason",
    "is_inherited",
    "recorded_by",
    "recorded_at",
)
"""Every column of an event but its digest, in the order they are digested."""


def event_digest(columns: Mapping[str, Any]) -> str:
    """Return the digest over an event's columns, given by name."""
    return digest_of("source_event", *(columns[name] for name in EVENT_COLUMNS))


def event_columns(event: SourceEvent) -> dict[str, Any]:
    """Return a stored event's columns by name, without its digest."""
    return {name: getattr(event, name) for name in EVENT_COLUMNS}


def claim_digest(claim: Claim) -> str:
    """Return the digest over what a claim was opened with and what it was decided by."""
    return digest_of(
        "claim",
        claim.dealer_id,
        claim.id,
        claim.number,
        claim.account_id,
        claim.source_id,
        claim.order_id,
        claim.idempotency_key,
        claim.request_digest,
        claim.problem,
        claim.failed_on,
        claim.reported_on,
        claim.opened_by,
        claim.opened_at,
        None if claim.verdict is None else claim.verdict.value,
        claim.answer,
        claim.is_goodwill,
        claim.reason,
        claim.decided_by,
        claim.decided_at,
    )
