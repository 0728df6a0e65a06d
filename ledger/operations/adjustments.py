"""Posting by hand: adjustments of sales credit, purchases outside referrals."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.operations.entries import Posted, Source, closed_year_beside, post_entry
from ledger.queries.credit import FIRST_YEAR
from ledger.rules.digests import digest_of
from ledger.states import AccountKind, EntryKind
from referral.errors import Refusal
from referral.models import Company
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today


def record_other_purchase(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    dealer_code: str,
    purchased_on: date,
    amount_cents: int,
    document: str,
    reason: str,
    idempotency_key: str,
) -> Posted:
    """A purchase outside referrals counts toward the dealer's level, shown apart from sales credit.

    `document` names the source, such as an invoice number; an amount below zero takes back. Raises
    Refusal(forbidden), (not_found), (reason_required), (invalid_input), (idempotency_key_missing),
    (idempotency_key_reused), (amount_too_large), (year_closed).
    """
    return _post_by_hand(
        tx,
        actor=actor,
        at=at,
        dealer_code=dealer_code,
        account_kind=AccountKind.OTHER_PURCHASES,
        kind=EntryKind.OTHER_PURCHASE,
        effective_on=purchased_on,
        day_field="purchased_on",
        amount_cents=amount_cents,
        number=document,
        reason=reason,
        idempotency_key=idempotency_key,
        event="other_purchase.recorded",
    )


def adjust_credit(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    dealer_code: str,
    effective_on: date,
    amount_cents: int,
    reason: str,
    idempotency_key: str,
) -> Posted:
    """A mistake is answered by an adjustment of the dealer's sales credit, never by a change.

    Raises Refusal(forbidden), (not_found), (reason_required), (invalid_input), (idempotency_key_missing),
    (idempotency_key_reused), (amount_too_large), (year_closed).
    """
    return _post_by_hand(
        tx,
        actor=actor,
        at=at,
        dealer_code=dealer_code,
        account_kind=AccountKind.SALES_CREDIT,
        kind=EntryKind.ADJUSTMENT,
        effective_on=effective_on,
        day_field="effective_on",
        amount_cents=amount_cents,
        number="",
        reason=reason,
        idempotency_key=idempotency_key,
        event="credit.adjusted",
    )


def _post_by_hand(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    dealer_code: str,
    account_kind: AccountKind,
    kind: EntryKind,
    effective_on: date,
    day_field: str,
    amount_cents: int,
    number: str,
    reason: str,
    idempotency_key: str,
    event: str,
) -> Posted:
    guard_permission(actor, Permission.CREDIT_RECORD)
    dealer = tx.scalars(
        sa.select(Company).where(Company.code == dealer_code, Company.is_dealer)
    ).one_or_none()
    if dealer is None:
        raise Refusal("not_found", field="dealer_code")
    memo = guard_reason(reason)
    if not idempotency_key.strip():
        raise Refusal("idempotency_key_missing", field="idempotency_key")
    if amount_cents == 0:
        raise Refusal("invalid_input", "Type an amount other than zero.", "amount_cents")
    if effective_on > today(tx, at):
        raise Refusal("invalid_input", "This day is still to come.", day_field)
    if effective_on.year < FIRST_YEAR:
        raise Refusal("invalid_input", f"Type a day from {FIRST_YEAR} on.", day_field)
    with closed_year_beside(day_field):
        entry = post_entry(
            tx,
            actor=actor,
            at=at,
            dealer_id=dealer.id,
            program_year=effective_on.year,
            account_kind=account_kind,
            kind=kind,
            amount_cents=amount_cents,
            effective_on=effective_on,
            idempotency_key=f"hand:{idempotency_key.strip()}",
            source=Source(number=number, digest=digest_of(kind, number, memo), memo=memo),
        )
    if not entry.is_new:
        return entry
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer.id,
        event=event,
        subject=number or dealer.code,
        details={"amount_cents": amount_cents, "effective_on": effective_on.isoformat()},
    )
    return entry
