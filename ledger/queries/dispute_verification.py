"""Recomputing disputes: what an answer says was posted stands in the ledger, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ledger.models.accounts import LedgerEntry
from ledger.models.disputes import Dispute, DisputeAnswer
from ledger.rules.disputes import dispute_digest
from ledger.states import DisputeOutcome, EntryKind
from referral.ids import PublicNumber
from referral.models import Company

_disputed, _correction = aliased(LedgerEntry), aliased(LedgerEntry)


def dispute_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each dispute whose posting or answer is not what the ledger says.

    Checked: the disputed entry is one of that dealer; an upheld answer has its entry, which is an adjustment
    of that dealer in the same account, takes up the disputed entry, and keeps the digest of the dispute and
    the answer; no entry that names a dispute stands without its answer.
    """
    rows = tx.execute(
        sa.select(Company.code, Dispute, DisputeAnswer, _disputed, _correction)
        .join(Company, Company.id == Dispute.dealer_id)
        .outerjoin(
            DisputeAnswer,
            sa.and_(DisputeAnswer.dealer_id == Dispute.dealer_id, DisputeAnswer.number == Dispute.number),
        )
        .outerjoin(
            _disputed, sa.and_(_disputed.dealer_id == Dispute.dealer_id, _disputed.id == Dispute.entry_id)
        )
        .outerjoin(
            _correction,
            sa.and_(
                _correction.dealer_id == DisputeAnswer.dealer_id, _correction.id == DisputeAnswer.entry_id
            ),
        )
        .order_by(Dispute.dealer_id, Dispute.number)
        .execution_options(yield_per=500)
    )
    with rows:
        for code, dispute, answer, disputed, correction in rows:
            name = f"dispute {PublicNumber('D', code, dispute.number)}"
            faults = _faults_of(dispute, answer, disputed, correction)
            yield from (f"{name}: {fault}" for fault in faults)
    yield from _stray_faults(tx)


def _faults_of(
    dispute: Dispute,
    answer: DisputeAnswer | None,
    disputed: LedgerEntry | None,
    correction: LedgerEntry | None,
) -> Iterator[str]:
    if disputed is None:
        yield "the disputed entry is not there"
    elif answer is not None and answer.outcome is DisputeOutcome.UPHELD:
        yield from _upheld_faults(dispute, answer, disputed, correction)


def _upheld_faults(
    dispute: Dispute, answer: DisputeAnswer, disputed: LedgerEntry, correction: LedgerEntry | None
) -> Iterator[str]:
    if correction is None:
        yield "it is upheld, and its entry is not there"
        return
    if correction.kind is not EntryKind.ADJUSTMENT:
        yield f"its entry is no adjustment but {correction.kind}"
    if correction.account_kind is not disputed.account_kind:
        yield "its entry stands in another account than the disputed one"
    if correction.related_entry_id != dispute.entry_id:
        yield "its entry does not take up the disputed one"
    if correction.idempotency_key != _key(dispute.number):
        yield "its entry was posted for something else"
    digest = dispute_digest(
        dealer_id=dispute.dealer_id,
        number=dispute.number,
        entry_id=dispute.entry_id,
        claimed_cents=dispute.claimed_cents,
        reason=dispute.reason,
        opened_on=dispute.opened_on,
        words=answer.words,
        answered_on=answer.answered_on,
    )
    if correction.source_digest != digest:
        yield "what was said does not recompute to the digest that its entry keeps"


def _stray_faults(tx: Session) -> Iterator[str]:
    """Yield the entries posted for a dispute that no upheld answer names."""
    entries = tx.execute(
        sa.select(LedgerEntry.dealer_id, LedgerEntry.id, LedgerEntry.idempotency_key)
        .outerjoin(
            DisputeAnswer,
            sa.and_(
                DisputeAnswer.dealer_id == LedgerEntry.dealer_id, DisputeAnswer.entry_id == LedgerEntry.id
            ),
        )
        .where(
            LedgerEntry.kind == EntryKind.ADJUSTMENT,
            LedgerEntry.idempotency_key.like(f"{_key('')}%"),
            DisputeAnswer.number.is_(None),
        )
        .order_by(LedgerEntry.dealer_id, LedgerEntry.id)
    )
    for dealer_id, entry_id, key in entries:
        yield f"entry {entry_id} of dealer {dealer_id}: posted for {key}, which has no such answer"


def _key(number: int | str) -> str:
    return f"dispute:{number}"
