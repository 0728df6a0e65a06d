"""Buying more of a grant for one contract year: a dated line with a price of its own."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.operations.placed_orders import guard_key
from referral.errors import Refusal
from referral.money import MAX_QUANTITY
from referral.operations.records import guard_permission, guard_total, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today
from support.models.agreements import QuotaTopUp
from support.operations.uses import counted_grant, locked_binding, next_in_book
from support.queries.agreement_facts import agreement_facts
from support.queries.quota_digests import top_up_digest
from support.rules.agreements import tax_of
from support.rules.quotas import counted, say_amount


def top_up_agreement(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    grant_key: str,
    contract_year: int,
    amount: int,
    bought_on: date,
    net_cents: int,
    tax_basis_points: int,
    words: str,
    idempotency_key: str,
) -> QuotaTopUp:
    """So many units more of a grant were bought for one contract year, for a net price; its tax stands apart.

    It counts in that year only, and for uses that are recorded from now on. A grant that is counted as none can be
    bought of too. The same key and content answers with the same top-up. Raises Refusal(forbidden), (not_found),
    (idempotency_key_missing), (idempotency_key_reused), (agreement_not_active), (not_granted), (invalid_input).
    """
    guard_permission(actor, Permission.AGREEMENT_OFFER)
    key = guard_key(idempotency_key)
    agreement = locked_binding(tx, actor, ref)
    digest = top_up_digest(
        agreement_id=agreement.id,
        grant_key=grant_key,
        contract_year=contract_year,
        amount=amount,
        bought_on=bought_on,
        net_cents=net_cents,
        tax_basis_points=tax_basis_points,
        words=words.strip(),
    )
    before = tx.scalars(
        sa.select(QuotaTopUp).where(
            QuotaTopUp.dealer_id == agreement.dealer_id, QuotaTopUp.idempotency_key == key
        )
    ).one_or_none()
    if before is not None:
        if before.request_digest != digest:
            raise Refusal("idempotency_key_reused")
        return before
    (facts,) = agreement_facts(tx, [agreement])
    grant = counted_grant(facts, grant_key)
    if grant.quota is None or grant.quota.amount is None:
        raise Refusal("invalid_input", f"{grant.name} is unlimited already.", "grant_key")
    if not any(year.number == contract_year for year in facts.years):
        words = f"{facts.name} has no contract year {contract_year}."
        raise Refusal("invalid_input", words, "contract_year")
    if not 1 <= amount <= MAX_QUANTITY:
        raise Refusal("invalid_input", "Say how many were bought, at least 1.", "amount")
    if bought_on > today(tx, at):
        raise Refusal("invalid_input", "This day is still to come.", "bought_on")
    tax_cents = tax_of(net_cents, tax_basis_points)
    guard_total(net_cents + tax_cents, "net_cents")
    top_up = QuotaTopUp(
        dealer_id=agreement.dealer_id,
        agreement_id=agreement.id,
        number=next_in_book(tx, agreement),
        idempotency_key=key,
        request_digest=digest,
        grant_key=grant_key,
        contract_year=contract_year,
        amount=amount,
        bought_on=bought_on,
        net_cents=net_cents,
        tax_basis_points=tax_basis_points,
        tax_cents=tax_cents,
        words=words.strip(),
        added_by=actor.user_id,
        added_at=at,
    )
    tx.add(top_up)
    tx.flush()
    unit = grant.quota.unit
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=agreement.dealer_id,
        event="agreement.topped_up",
        subject=facts.ref,
        details={
            "top_up": top_up.number,
            "grant": grant_key,
            "contract_year": contract_year,
            "amount": say_amount(unit, counted(unit, amount)),
            "bought_on": bought_on.isoformat(),
            "net_cents": net_cents,
            "tax_cents": tax_cents,
        },
    )
    return top_up
