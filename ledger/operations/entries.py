"""Posting: the only way credit moves. Joins the caller's transaction; both sides or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models import LedgerAccount, LedgerEntry, LedgerPosting
from ledger.queries.credit import FIRST_YEAR
from ledger.queries.verification import digest_of_entry
from ledger.rules import CHAIN_START, DIGEST_VERSION, digest_of, posting_digest
from ledger.states import AccountKind, EntryKind
from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Company
from referral.operations.records import guard_permission, guard_reason, guard_total, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import setting_on, today


@dataclass(frozen=True)
class Source:
    """What an entry comes from: its public number, the digest of all it says, and words for people."""

    number: str
    digest: str
    memo: str


def post_entry(
    tx: Session,
    *,
    actor: Viewer | None,
    at: datetime,
    dealer_id: UUID,
    program_year: int,
    account_kind: AccountKind,
    kind: EntryKind,
    amount_cents: int,
    effective_on: date,
    idempotency_key: str,
    source: Source,
    related_entry_id: UUID | None = None,
) -> LedgerEntry:
    """The dealer's account moves by `amount_cents` and its issuance account by the negation.

    The same idempotency key of the same dealer answers with the entry posted before, or raises
    Refusal(idempotency_key_reused) where anything but the instant and the actor differs. Raises
    Refusal(amount_too_large). Both heads are locked, the dealer's account first.
    """
    head = _locked_head(tx, at, dealer_id, program_year, account_kind)
    contra = _locked_head(tx, at, dealer_id, program_year, AccountKind.ISSUANCE)
    before = tx.scalars(
        sa.select(LedgerEntry).where(
            LedgerEntry.dealer_id == dealer_id, LedgerEntry.idempotency_key == idempotency_key
        )
    ).one_or_none()
    if before is not None:
        place = tx.execute(
            sa.select(LedgerPosting.program_year, LedgerPosting.account_kind).where(
                LedgerPosting.dealer_id == dealer_id,
                LedgerPosting.entry_id == before.id,
                LedgerPosting.side == 1,
            )
        ).one()
        said = (kind, amount_cents, effective_on, source.number, source.digest, source.memo, related_entry_id)
        posted = (
            before.kind,
            before.amount_cents,
            before.effective_on,
            before.source,
            before.source_digest,
            before.memo,
            before.related_entry_id,
        )
        if said != posted or tuple(place) != (program_year, account_kind):
            raise Refusal("idempotency_key_reused")
        return before
    entry = LedgerEntry(
        dealer_id=dealer_id,
        id=new_id(),
        idempotency_key=idempotency_key,
        kind=kind,
        amount_cents=amount_cents,
        effective_on=effective_on,
        posted_at=at,
        actor_id=None if actor is None else actor.user_id,
        source=source.number,
        source_digest=source.digest,
        memo=source.memo,
        related_entry_id=related_entry_id,
        digest_version=DIGEST_VERSION,
    )
    entry.digest = digest_of_entry(entry)
    tx.add(entry)
    tx.flush()
    tx.add_all([_next_posting(head, entry, 1), _next_posting(contra, entry, -1)])
    tx.flush()
    return entry


def _locked_head(
    tx: Session, at: datetime, dealer_id: UUID, program_year: int, kind: AccountKind
) -> LedgerAccount:
    head = locked(
        tx,
        sa.select(LedgerAccount).where(
            LedgerAccount.dealer_id == dealer_id,
            LedgerAccount.program_year == program_year,
            LedgerAccount.kind == kind,
        ),
    )
    if head is None:
        currency = setting_on(tx, "currency", date(program_year, 1, 1))
        head = LedgerAccount(
            dealer_id=dealer_id,
            program_year=program_year,
            kind=kind,
            currency=str(currency),
            opened_at=at,
            sequence=0,
            balance_cents=0,
            digest=CHAIN_START,
        )
        tx.add(head)
        tx.flush()
    return head


def _next_posting(head: LedgerAccount, entry: LedgerEntry, side: int) -> LedgerPosting:
    head.sequence += 1
    head.balance_cents += side * entry.amount_cents
    guard_total(head.balance_cents)
    head.digest = posting_digest(
        previous=head.digest,
        dealer_id=head.dealer_id,
        program_year=head.program_year,
        account_kind=head.kind,
        sequence=head.sequence,
        side=side,
        amount_cents=side * entry.amount_cents,
        balance_cents=head.balance_cents,
        entry_digest=entry.digest,
    )
    return LedgerPosting(
        dealer_id=head.dealer_id,
        program_year=head.program_year,
        account_kind=head.kind,
        sequence=head.sequence,
        entry_id=entry.id,
        side=side,
        entry_amount_cents=entry.amount_cents,
        amount_cents=side * entry.amount_cents,
        balance_cents=head.balance_cents,
        digest=head.digest,
    )


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
) -> LedgerEntry:
    """A purchase outside referrals counts toward the dealer's level, shown apart from sales credit.

    `document` names the source, such as an invoice number; an amount below zero takes back. Raises
    Refusal(forbidden), (not_found), (reason_required), (invalid_input), (idempotency_key_missing),
    (idempotency_key_reused), (amount_too_large).
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
) -> LedgerEntry:
    """A mistake is answered by an adjustment of the dealer's sales credit, never by a change.

    Raises Refusal(forbidden), (not_found), (reason_required), (invalid_input), (idempotency_key_missing),
    (idempotency_key_reused), (amount_too_large).
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
) -> LedgerEntry:
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
    if entry.posted_at != at:
        return entry  # answered before, and recorded then
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
