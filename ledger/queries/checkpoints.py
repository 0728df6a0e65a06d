"""Checkpoints in the database, all heads at an instant, and whether old heads still stand in their place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.evidence import Checkpoint, Evidence, EvidenceHead
from ledger.queries.statements import dealer_seen_by
from ledger.rules.checkpoints import (
    CheckpointFile,
    Heads,
    KnownHead,
    Receipt,
    checkpoint_code,
    checkpoint_digest,
)
from ledger.rules.digests import CHAIN_START
from ledger.states import TOTAL_KINDS, AccountKind
from referral.permissions import Viewer
from referral.signing import is_signed

CHECKPOINTS_SHOWN = 50


def all_heads(tx: Session) -> Heads:
    """Return the heads of every account that has an entry, and of every dealer's evidence."""
    accounts = tx.execute(
        sa.select(
            LedgerAccount.dealer_id,
            LedgerAccount.program_year,
            LedgerAccount.kind,
            LedgerAccount.sequence,
            LedgerAccount.balance_cents,
            LedgerAccount.digest,
        ).where(LedgerAccount.sequence > 0)
    )
    evidence = tx.execute(sa.select(EvidenceHead.dealer_id, EvidenceHead.sequence, EvidenceHead.digest))
    return Heads(
        accounts={(row[0].hex, row[1], row[2].value): KnownHead(row[3], row[4], row[5]) for row in accounts},
        evidence={dealer_id.hex: (sequence, digest) for dealer_id, sequence, digest in evidence},
    )


def heads_moved(tx: Session) -> bool:
    """Say whether anything was posted or witnessed since the newest checkpoint."""
    newest = newest_checkpoint(tx)
    return newest is None or newest.heads_digest != all_heads(tx).digest


@dataclass(frozen=True)
class CheckpointRow:
    """A checkpoint as pages show it."""

    number: int
    taken_at: datetime
    accounts: int
    entries: int
    evidence: int
    digest: str
    heads_digest: str
    public_key: str

    @property
    def code(self) -> str:
        """The short code printed on statements and workbooks."""
        return checkpoint_code(self.number, self.digest)


def newest_checkpoint(tx: Session, *, before: datetime | None = None) -> CheckpointRow | None:
    """Return the newest checkpoint, or the newest taken at or before an instant; None where there is none."""
    statement = sa.select(Checkpoint).order_by(Checkpoint.number.desc()).limit(1)
    if before is not None:
        statement = statement.where(Checkpoint.taken_at <= before)
    found = tx.scalars(statement).one_or_none()
    return None if found is None else _row(found)


def checkpoints_page(tx: Session) -> tuple[CheckpointRow, ...]:
    """Return the newest checkpoints, newest first."""
    rows = tx.scalars(sa.select(Checkpoint).order_by(Checkpoint.number.desc()).limit(CHECKPOINTS_SHOWN))
    return tuple(_row(row) for row in rows)


def _row(row: Checkpoint) -> CheckpointRow:
    return CheckpointRow(
        number=row.number,
        taken_at=row.taken_at,
        accounts=row.accounts,
        entries=row.entries,
        evidence=row.evidence,
        digest=row.digest,
        heads_digest=row.heads_digest,
        public_key=row.public_key,
    )


def checkpoint_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each checkpoint in the database that does not follow the one before, or is not signed."""
    previous = CHAIN_START
    for number, row in enumerate(tx.scalars(sa.select(Checkpoint).order_by(Checkpoint.number)), start=1):
        digest = checkpoint_digest(
            number=row.number,
            taken_at=row.taken_at,
            previous_digest=row.previous_digest,
            heads_digest=row.heads_digest,
            accounts=row.accounts,
            entries=row.entries,
            evidence=row.evidence,
            public_key=row.public_key,
        )
        if row.number != number or row.previous_digest != previous:
            yield f"checkpoint {row.number}: does not follow checkpoint {number - 1}"
            return
        if row.digest != digest:
            yield f"checkpoint {row.number}: does not recompute to its digest"
            return
        if not is_signed(row.digest, row.signature, row.public_key):
            yield f"checkpoint {row.number}: its signature is not right"
            return
        previous = digest


def kept_faults(tx: Session, file: CheckpointFile, public_key: str) -> Iterator[str]:
    """Yield a sentence for each head of a checkpoint file that no longer stands in its place.

    The file must be signed with the key that is expected; the database must still know the checkpoint.
    """
    name = f"checkpoint {file.number}"
    if file.public_key != public_key or not is_signed(file.digest, file.signature, file.public_key):
        yield f"{name}: is not signed with the key expected"
        return
    known = tx.get(Checkpoint, file.number)
    if known is None:
        yield f"{name}: is not in the database, which is older than the file or had it taken away"
    elif known.digest != file.digest:
        yield f"{name}: the database has another checkpoint of this number"
    for (dealer, year, kind), head in file.heads.accounts.items():
        if not _stands(tx, UUID(hex=dealer), year, kind, head):
            yield (
                f"account {UUID(hex=dealer)} {year} {kind} posting {head.sequence}: "
                f"is not what {name} says ({head.balance_cents}, {head.digest[:12]})"
            )
    for dealer, (sequence, digest) in file.heads.evidence.items():
        row = tx.get(Evidence, (UUID(hex=dealer), sequence))
        if row is None or row.digest != digest:
            yield f"evidence of dealer {UUID(hex=dealer)} row {sequence}: is not what {name} says"


def _stands(tx: Session, dealer_id: UUID, program_year: int, kind: str, head: KnownHead) -> bool:
    columns = (
        (LedgerEntry.issuance_sequence, LedgerEntry.issuance_balance_cents, LedgerEntry.issuance_digest)
        if kind == AccountKind.ISSUANCE
        else (LedgerEntry.sequence, LedgerEntry.balance_cents, LedgerEntry.digest)
    )
    found = tx.execute(
        sa.select(columns[1], columns[2]).where(
            LedgerEntry.dealer_id == dealer_id,
            LedgerEntry.program_year == program_year,
            sa.true() if kind == AccountKind.ISSUANCE else LedgerEntry.account_kind == AccountKind(kind),
            columns[0] == head.sequence,
        )
    ).one_or_none()
    return found is not None and tuple(found) == (head.balance_cents, head.digest)


def receipt_faults(tx: Session, *, viewer: Viewer, receipt: Receipt, public_key: str) -> Iterator[str]:
    """Yield what is wrong with a receipt: its signature, or the posting it names. Raises Refusal(not_found)."""
    if receipt.public_key != public_key or not is_signed(
        receipt.digest, receipt.signature, receipt.public_key
    ):
        yield "The receipt is not signed with the key expected: it was changed, or made elsewhere."
        return
    dealer = dealer_seen_by(tx, viewer, receipt.dealer_code)
    found = tx.execute(
        sa.select(LedgerEntry.amount_cents, LedgerEntry.digest, LedgerEntry.source).where(
            LedgerEntry.dealer_id == dealer.id,
            LedgerEntry.program_year == receipt.program_year,
            LedgerEntry.account_kind == next(kind for kind in TOTAL_KINDS if kind == receipt.account_kind),
            LedgerEntry.sequence == receipt.sequence,
        )
    ).one_or_none()
    if found is None or tuple(found) != (receipt.amount_cents, receipt.posting_digest, receipt.order):
        yield (
            f"Posting {receipt.sequence} of {receipt.dealer_code} {receipt.program_year} is not what the "
            "receipt says: what was acknowledged is gone or was changed."
        )
