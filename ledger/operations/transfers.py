"""Moving credit from one dealer to another: a pair of entries, each balanced within its dealer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerEntry
from ledger.operations.entries import Posted, Source, closed_year_beside, locked_heads, post_entry
from ledger.queries.credit import FIRST_YEAR
from ledger.rules.digests import digest_of
from ledger.states import TOTAL_KINDS, AccountKind, EntryKind
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company
from referral.operations.records import guard_permission, guard_reason, next_number, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today


@dataclass(frozen=True)
class Transfer:
    """A transfer as it is posted: its number, the side that gave and the side that received."""

    number: str
    given: Posted
    received: Posted


def transfer_credit(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    from_dealer_code: str,
    to_dealer_code: str,
    account_kind: AccountKind,
    amount_cents: int,
    effective_on: date,
    reason: str,
    idempotency_key: str,
) -> Transfer:
    """One dealer's account moves down and the other's up by the same amount, both or neither.

    Both entries have the number T-FROM-n and one source digest. Heads are locked in order of dealer id. The
    same key answers with the same transfer. Raises Refusal(forbidden), (not_found), (same_dealer),
    (reason_required), (invalid_input), (idempotency_key_missing), (idempotency_key_reused), (year_closed),
    (amount_too_large).
    """
    guard_permission(actor, Permission.CREDIT_RECORD)
    giver = _dealer(tx, from_dealer_code, "from_dealer_code")
    receiver = _dealer(tx, to_dealer_code, "to_dealer_code")
    guard_transfer(
        same_dealer=giver.id == receiver.id,
        account_kind=account_kind,
        amount_cents=amount_cents,
        effective_on=effective_on,
        today=today(tx, at),
    )
    memo = guard_reason(reason)
    if not idempotency_key.strip():
        raise Refusal("idempotency_key_missing", field="idempotency_key")
    key = f"transfer:{idempotency_key.strip()}"
    with closed_year_beside("effective_on"):
        _lock_pair(
            tx, at=at, dealer_ids=(giver.id, receiver.id), program_year=effective_on.year, kind=account_kind
        )
    before = tx.scalars(
        sa.select(LedgerEntry).where(LedgerEntry.dealer_id == giver.id, LedgerEntry.idempotency_key == key)
    ).one_or_none()
    number = before.source if before else str(PublicNumber("T", giver.code, next_number(tx, giver.id, "T")))
    digest = digest_of(
        "transfer", number, giver.id, receiver.id, account_kind, amount_cents, effective_on, memo
    )

    def post(side: Company, cents: int, words: str) -> Posted:
        """One side moves."""
        return post_entry(
            tx,
            actor=actor,
            at=at,
            dealer_id=side.id,
            program_year=effective_on.year,
            account_kind=account_kind,
            kind=EntryKind.TRANSFER,
            amount_cents=cents,
            effective_on=effective_on,
            idempotency_key=key,
            source=Source(number=number, digest=digest, memo=words),
        )

    with closed_year_beside("effective_on"):
        transfer = Transfer(
            number=number,
            given=post(giver, -amount_cents, f"To {receiver.name}: {memo}"),
            received=post(receiver, amount_cents, f"From {giver.name}: {memo}"),
        )
    if transfer.given.is_new:
        for side, cents in ((giver, -amount_cents), (receiver, amount_cents)):
            record_event(
                tx,
                actor=actor,
                at=at,
                company_id=side.id,
                event="credit.transferred",
                subject=number,
                details={
                    "amount_cents": cents,
                    "account": account_kind.value,
                    "effective_on": effective_on.isoformat(),
                },
            )
    return transfer


def guard_transfer(
    *, same_dealer: bool, account_kind: AccountKind, amount_cents: int, effective_on: date, today: date
) -> None:
    """Guard: this can be transferred. Raises Refusal(same_dealer), (invalid_input)."""
    if same_dealer:
        raise Refusal("same_dealer", field="to_dealer_code")
    if account_kind not in TOTAL_KINDS:
        raise Refusal("invalid_input", "Choose what to transfer.", "account_kind")
    if amount_cents <= 0:
        raise Refusal("invalid_input", "Type an amount above zero.", "amount_cents")
    if effective_on > today:
        raise Refusal("invalid_input", "This day is still to come.", "effective_on")
    if effective_on.year < FIRST_YEAR:
        raise Refusal("invalid_input", f"Type a day from {FIRST_YEAR} on.", "effective_on")


def _lock_pair(
    tx: Session, *, at: datetime, dealer_ids: tuple[UUID, UUID], program_year: int, kind: AccountKind
) -> None:
    """Lock the heads of both dealers, in order of dealer id: whoever locks two does it in this order."""
    for dealer_id in sorted(dealer_ids):
        locked_heads(tx, at=at, dealer_id=dealer_id, program_year=program_year, account_kind=kind)


def _dealer(tx: Session, code: str, field: str) -> Company:
    dealer = tx.scalars(
        sa.select(Company).where(Company.code == code.strip().upper(), Company.is_dealer)
    ).one_or_none()
    if dealer is None:
        raise Refusal("not_found", "No dealer has this code.", field)
    return dealer
