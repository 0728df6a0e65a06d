"""Disputing a posting, answering a dispute, taking it back. The outcome is a posting, never a change."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerEntry
from ledger.models.disputes import Dispute, DisputeAnswer
from ledger.operations.entries import Source, post_entry, posting_year
from ledger.queries.disputed_postings import last_dispute_day, open_dispute_of, posting_by_place
from ledger.queries.disputes import dispute_by_ref
from ledger.queries.statements import dealer_seen_by
from ledger.rules.disputes import dispute_digest
from ledger.states import AccountKind, DisputeOutcome, EntryKind
from referral.clock import business_day
from referral.db import locked
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, DealerCounter, User
from referral.money import MAX_CENTS, format_cents
from referral.operations.records import (
    guard_permission,
    guard_reason,
    next_number,
    queue_mail,
    queue_mail_to_role,
    record_event,
)
from referral.permissions import Permission, Role, Viewer
from referral.queries.settings import time_zone, today, whole_number_setting
from referral.text import say_day

_KIND = "D"


def open_dispute(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    dealer_code: str,
    program_year: int,
    account_kind: AccountKind,
    sequence: int,
    claimed_cents: int | None,
    reason: str,
    idempotency_key: str,
) -> Dispute:
    """The dealer disputes the posting at this place of its account; the program is told by mail.

    `claimed_cents` is what the posting should have been, where the dealer says so. The same key and content
    answers with the same dispute. Raises Refusal(forbidden), (not_found) for another's posting,
    (reason_required), (idempotency_key_missing), (idempotency_key_reused), (invalid_input) for a claim of
    what is posted already, (dispute_window_closed), (dispute_open).
    """
    guard_permission(actor, Permission.DISPUTE_OPEN)
    dealer = dealer_seen_by(tx, actor, dealer_code)
    if dealer.id != actor.company_id:
        raise Refusal("forbidden")
    entry = posting_by_place(tx, dealer.id, program_year, account_kind, sequence)
    words = guard_reason(reason)
    key = idempotency_key.strip()
    if not key:
        raise Refusal("idempotency_key_missing", field="idempotency_key")
    _lock_disputes(tx, dealer.id)
    if before := _opened_before(tx, dealer.id, key):
        if (before.entry_id, before.claimed_cents, before.reason) != (entry.id, claimed_cents, words):
            raise Refusal("idempotency_key_reused")
        return before
    if claimed_cents == entry.amount_cents:
        raise Refusal(
            "invalid_input", "This is what is posted. Type what it should have been.", "claimed_cents"
        )
    day = today(tx, at)
    last_day = last_dispute_day(tx, business_day(entry.posted_at, time_zone(tx)))
    if day > last_day:
        raise Refusal("dispute_window_closed", details={"last_day": last_day.isoformat()})
    if waiting := open_dispute_of(tx, entry):
        raise Refusal(
            "dispute_open", details={"dispute": str(PublicNumber(_KIND, dealer.code, waiting.number))}
        )
    dispute = Dispute(
        dealer_id=dealer.id,
        number=next_number(tx, dealer.id, _KIND),
        idempotency_key=key,
        entry_id=entry.id,
        claimed_cents=claimed_cents,
        reason=words,
        opened_by=actor.user_id,
        opened_at=at,
        opened_on=day,
        answer_due_on=day + timedelta(days=whole_number_setting(tx, "dispute_answer_days", day)),
    )
    tx.add(dispute)
    tx.flush()
    _record_opened(tx, actor, at, dealer, dispute, entry)
    return dispute


def answer_dispute(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    outcome: DisputeOutcome,
    words: str,
    amount_cents: int | None,
    effective_on: date | None,
) -> DisputeAnswer:
    """The program upholds the dispute with an adjustment of this amount and day, or dismisses it.

    The adjustment goes to the account and program year of the disputed posting while that is open, else to
    the present year; it names the disputed entry. A dismissal takes no amount and no day. The same answer of
    the same person is one answer. Raises Refusal(forbidden), (not_found), (reason_required),
    (invalid_input), (not_pending) where it has another answer, (amount_too_large), (year_closed).
    """
    guard_permission(actor, Permission.DISPUTE_ANSWER)
    found = dispute_by_ref(tx, actor, ref)
    said = guard_reason(words, "words")
    if outcome is DisputeOutcome.WITHDRAWN:
        raise Refusal("invalid_input", "Uphold it or dismiss it: the dealer alone withdraws.", "outcome")
    is_upheld = outcome is DisputeOutcome.UPHELD
    if not is_upheld and (amount_cents is not None or effective_on is not None):
        field = "amount_cents" if amount_cents is not None else "effective_on"
        raise Refusal("invalid_input", "A dismissal posts nothing: leave this empty.", field)
    _lock_disputes(tx, found.dealer_id)
    dispute = dispute_by_ref(tx, actor, ref)
    if before := _answer_of(tx, dispute):
        if before.answered_by == actor.user_id and _says(
            tx, before, outcome, said, amount_cents, effective_on
        ):
            return before
        raise Refusal("not_pending")
    entry_id = (
        _post_correction(
            tx, actor=actor, at=at, dispute=dispute, words=said, amount_cents=amount_cents, day=effective_on
        )
        if is_upheld
        else None
    )
    return _settle(tx, actor=actor, at=at, dispute=dispute, outcome=outcome, words=said, entry_id=entry_id)


def withdraw_dispute(tx: Session, *, actor: Viewer, at: datetime, ref: str, words: str) -> DisputeAnswer:
    """The dealer takes its dispute back; `words` say why, where the dealer likes to. The program is told.

    Withdrawing twice is one withdrawal. Raises Refusal(forbidden), (not_found), (not_pending) where the
    program has answered.
    """
    guard_permission(actor, Permission.DISPUTE_OPEN)
    found = dispute_by_ref(tx, actor, ref)
    if found.dealer_id != actor.company_id:
        raise Refusal("forbidden")
    _lock_disputes(tx, found.dealer_id)
    if before := _answer_of(tx, found):
        if before.outcome is DisputeOutcome.WITHDRAWN:
            return before
        raise Refusal("not_pending")
    return _settle(
        tx,
        actor=actor,
        at=at,
        dispute=found,
        outcome=DisputeOutcome.WITHDRAWN,
        words=words.strip(),
        entry_id=None,
    )


# locks and what was before ----------------------------------------------------------------------


def _lock_disputes(tx: Session, dealer_id: UUID) -> None:
    """Lock the dealer's count of disputes: whoever opens or answers one of its disputes waits.

    Disputes and answers are never changed, so they can't be the rows that writers wait for.
    """
    key = (DealerCounter.dealer_id == dealer_id, DealerCounter.kind == _KIND)
    if locked(tx, sa.select(DealerCounter).where(*key)) is None:
        tx.add(DealerCounter(dealer_id=dealer_id, kind=_KIND, last_number=0))
        tx.flush()


def _opened_before(tx: Session, dealer_id: UUID, key: str) -> Dispute | None:
    return tx.scalars(
        sa.select(Dispute).where(Dispute.dealer_id == dealer_id, Dispute.idempotency_key == key)
    ).one_or_none()


def _answer_of(tx: Session, dispute: Dispute) -> DisputeAnswer | None:
    return tx.scalars(
        sa.select(DisputeAnswer).where(
            DisputeAnswer.dealer_id == dispute.dealer_id, DisputeAnswer.number == dispute.number
        )
    ).one_or_none()


def _says(
    tx: Session,
    before: DisputeAnswer,
    outcome: DisputeOutcome,
    words: str,
    amount_cents: int | None,
    effective_on: date | None,
) -> bool:
    """Say whether an answer given before is this one."""
    posted = None if before.entry_id is None else tx.get_one(LedgerEntry, (before.dealer_id, before.entry_id))
    was = (None, None) if posted is None else (posted.amount_cents, posted.effective_on)
    return (before.outcome, before.words, *was) == (outcome, words, amount_cents, effective_on)


# posting and recording --------------------------------------------------------------------------


def _post_correction(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    dispute: Dispute,
    words: str,
    amount_cents: int | None,
    day: date | None,
) -> UUID:
    """Post the adjustment that puts the disputed entry right, and return its id."""
    disputed = tx.get_one(LedgerEntry, (dispute.dealer_id, dispute.entry_id))
    if not amount_cents or abs(amount_cents) > MAX_CENTS:
        raise Refusal("invalid_input", "Type the amount to post, other than zero.", "amount_cents")
    if day is None:
        raise Refusal("invalid_input", "Type the day from which the correction counts.", "effective_on")
    year = posting_year(tx, dealer_id=dispute.dealer_id, program_year=disputed.program_year, at=at)
    if day > today(tx, at):
        raise Refusal("invalid_input", "This day is still to come.", "effective_on")
    if day < disputed.effective_on:
        raise Refusal("invalid_input", "This is before the day of the disputed posting.", "effective_on")
    if day.year != year:
        raise Refusal(
            "invalid_input", f"The correction goes to {year}: type a day of that year.", "effective_on"
        )
    dealer = tx.get_one(Company, dispute.dealer_id)
    ref = str(PublicNumber(_KIND, dealer.code, dispute.number))
    digest = dispute_digest(
        dealer_id=dispute.dealer_id,
        number=dispute.number,
        entry_id=dispute.entry_id,
        claimed_cents=dispute.claimed_cents,
        reason=dispute.reason,
        opened_on=dispute.opened_on,
        words=words,
        answered_on=today(tx, at),
    )
    return post_entry(
        tx,
        actor=actor,
        at=at,
        dealer_id=dispute.dealer_id,
        program_year=year,
        account_kind=disputed.account_kind,
        kind=EntryKind.ADJUSTMENT,
        amount_cents=amount_cents,
        effective_on=day,
        idempotency_key=f"dispute:{dispute.number}",
        source=Source(ref, digest, f"Dispute {ref} upheld: {words}"),
        related_entry_id=disputed.id,
    ).entry_id


def _record_opened(
    tx: Session, actor: Viewer, at: datetime, dealer: Company, dispute: Dispute, entry: LedgerEntry
) -> None:
    ref = str(PublicNumber(_KIND, dealer.code, dispute.number))
    posting = f"{entry.source or entry.memo}, {format_cents(entry.amount_cents)}"
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer.id,
        event="dispute.opened",
        subject=ref,
        details={"entry": str(entry.id), "claimed_cents": dispute.claimed_cents},
    )
    _tell_program(
        tx,
        at,
        ref,
        f"{dealer.name} disputes a posting: {ref}",
        f"Dispute {ref} of {dealer.name} about {posting}. Answer it by {say_day(dispute.answer_due_on)} after "
        f"signing in.\n\n{dispute.reason}\n",
    )


def _settle(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    dispute: Dispute,
    outcome: DisputeOutcome,
    words: str,
    entry_id: UUID | None,
) -> DisputeAnswer:
    answer = DisputeAnswer(
        dealer_id=dispute.dealer_id,
        number=dispute.number,
        outcome=outcome,
        words=words,
        entry_id=entry_id,
        answered_by=actor.user_id,
        answered_at=at,
        answered_on=today(tx, at),
    )
    tx.add(answer)
    tx.flush()
    dealer = tx.get_one(Company, dispute.dealer_id)
    ref = str(PublicNumber(_KIND, dealer.code, dispute.number))
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer.id,
        event=f"dispute.{outcome.value}",
        subject=ref,
        details={} if entry_id is None else {"entry": str(entry_id)},
    )
    subject, body = f"Dispute {ref} is {outcome.value}", f"{words}\n" if words else ""
    if outcome is DisputeOutcome.WITHDRAWN:
        _tell_program(tx, at, ref, subject, f"{dealer.name} took it back. {body}".strip() + "\n")
    else:
        _tell_dealer(tx, at, dispute, ref, subject, f"{body}\nRead it and the posting after signing in.\n")
    return answer


def _tell_program(tx: Session, at: datetime, ref: str, subject: str, body: str) -> None:
    programs = tx.scalars(sa.select(Company.id).where(Company.is_program).order_by(Company.id)).all()
    for company_id in programs:
        queue_mail_to_role(
            tx,
            at=at,
            company_id=company_id,
            role=Role.PROGRAM_ADMIN,
            subject=subject,
            body=body,
            path=_path(ref),
            is_digestible=True,
        )


def _tell_dealer(tx: Session, at: datetime, dispute: Dispute, ref: str, subject: str, body: str) -> None:
    """Write to whoever opened the dispute; where they have left, to the dealer's admins."""
    opener = tx.get_one(User, dispute.opened_by)
    if opener.is_active:
        queue_mail(
            tx,
            at=at,
            recipient=opener.email,
            subject=subject,
            body=body,
            path=_path(ref),
            is_digestible=True,
        )
    else:
        queue_mail_to_role(
            tx,
            at=at,
            company_id=dispute.dealer_id,
            role=Role.DEALER_ADMIN,
            subject=subject,
            body=body,
            path=_path(ref),
            is_digestible=True,
        )


def _path(ref: str) -> str:
    """Return the path of a dispute's page."""
    return f"/disputes/{ref}"
