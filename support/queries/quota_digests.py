"""Digests of what is asked of quotas: the same request sent twice is one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from quotes.rules.content import request_digest


def use_digest(
    *,
    agreement_id: UUID,
    grant_key: str,
    used_on: date,
    asked: int,
    within: Mapping[str, int],
    site_id: UUID | None,
    words: str,
    call_id: UUID | None = None,
    visit_id: UUID | None = None,
    reverses: int | None = None,
) -> str:
    """Return the digest of a use, or of one that is taken back."""
    return request_digest(
        {
            "agreement": str(agreement_id),
            "grant": grant_key,
            "used_on": used_on.isoformat(),
            "asked": asked,
            "within": dict(within),
            "site": None if site_id is None else str(site_id),
            "words": words,
            "call": None if call_id is None else str(call_id),
            "visit": None if visit_id is None else str(visit_id),
            "reverses": reverses,
        }
    )


def top_up_digest(
    *,
    agreement_id: UUID,
    grant_key: str,
    contract_year: int,
    amount: int,
    bought_on: date,
    net_cents: int,
    tax_basis_points: int,
    words: str,
) -> str:
    """Return the digest of a top-up; its tax follows from the rest."""
    return request_digest(
        {
            "agreement": str(agreement_id),
            "grant": grant_key,
            "contract_year": contract_year,
            "amount": amount,
            "bought_on": bought_on.isoformat(),
            "net_cents": net_cents,
            "tax_basis_points": tax_basis_points,
            "words": words,
        }
    )
