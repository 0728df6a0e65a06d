"""What somebody with all rights over the database could do to it, by raw SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.evidence import Evidence, EvidenceHead
from ledger.rules.digests import CHAIN_START, entry_digest, evidence_digest, posting_digest
from ledger.states import AccountKind
from referral.ids import new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

TRIGGERS = {
    "sqlite": "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger "
    "WHERE NOT tgisinternal",
}
ENTRY_COLUMNS = [
    "idempotency_key",
    "kind",
    "amount_cents",
    "effective_on",
    "posted_at",
    "actor_id",
    "source",
    "source_digest",
    "memo",
    "related_entry_id",
    "digest_version",
]


def lift_triggers(tx: Session) -> None:
    """Take away every trigger of the database, as its owner can; the test's rollback brings them back."""
    for (statement,) in tx.execute(sa.text(TRIGGERS[tx.get_bind().dialect.name])).all():
        tx.execute(sa.text(statement))


def do(tx: Session, *statements: sa.Executable) -> None:
    """Execute statements with the triggers lifted."""
    lift_triggers(tx)
    for statement in statements:
        tx.execute(statement.execution_options(synchronize_session=False))
    tx.expire_all()


def rechain(tx: Session, dealer_id: UUID, program_year: int = 2026) -> None:
    """Recompute every balance, sequence and digest of a dealer's year, and the heads: a perfect forgery."""
    lift_triggers(tx)
    rows = tx.execute(
        sa.select(LedgerEntry.__table__)
        .where(LedgerEntry.dealer_id == dealer_id, LedgerEntry.program_year == program_year)
        .order_by(LedgerEntry.issuance_sequence)
    ).all()
    tx.execute(
        sa.update(LedgerEntry)
        .where(LedgerEntry.dealer_id == dealer_id, LedgerEntry.program_year == program_year)
        .values(sequence=LedgerEntry.sequence + 1000, issuance_sequence=LedgerEntry.issuance_sequence + 1000)
        .execution_options(synchronize_session=False)
    )
    heads: dict[AccountKind, tuple[int, int, str]] = {}
    for row in rows:
        content = entry_digest(
            dealer_id=dealer_id, entry_id=row.id, **{name: getattr(row, name) for name in ENTRY_COLUMNS}
        )
        values: dict[str, object] = {}
        for kind, side, prefix in (
            (row.account_kind, 1, ""),
            (AccountKind.ISSUANCE, -1, "issuance_"),
        ):
            sequence, balance, previous = heads.get(kind, (0, 0, CHAIN_START))
            digest = posting_digest(
                previous=previous,
                dealer_id=dealer_id,
                program_year=program_year,
                account_kind=kind,
                sequence=sequence + 1,
                side=side,
                amount_cents=side * row.amount_cents,
                balance_cents=balance + side * row.amount_cents,
                entry_digest=content,
            )
            heads[kind] = (sequence + 1, balance + side * row.amount_cents, digest)
            values |= {
                f"{prefix}sequence": sequence + 1,
                f"{prefix}balance_cents": heads[kind][1],
                f"{prefix}digest": digest,
            }
        tx.execute(sa.update(LedgerEntry.__table__).where(LedgerEntry.id == row.id).values(values))
    for kind in AccountKind:
        sequence, balance, digest = heads.get(kind, (0, 0, CHAIN_START))
        tx.execute(
            sa.update(LedgerAccount.__table__)
            .where(
                LedgerAccount.dealer_id == dealer_id,
                LedgerAccount.program_year == program_year,
                LedgerAccount.kind == kind,
            )
            .values(sequence=sequence, balance_cents=balance, digest=digest)
        )
    tx.expire_all()


def rechain_evidence(tx: Session, dealer_id: UUID) -> None:
    """Recompute a dealer's evidence and its head after rows were taken away or changed."""
    lift_triggers(tx)
    rows = tx.execute(
        sa.select(Evidence.__table__).where(Evidence.dealer_id == dealer_id).order_by(Evidence.sequence)
    ).all()
    tx.execute(sa.delete(Evidence.__table__).where(Evidence.dealer_id == dealer_id))
    previous = CHAIN_START
    for sequence, row in enumerate(rows, start=1):
        values = {**row._mapping, "sequence": sequence}
        previous = evidence_digest(
            previous=previous,
            **{name: value for name, value in values.items() if name != "digest"},
        )
        tx.execute(sa.insert(Evidence.__table__).values({**values, "digest": previous}))
    tx.execute(
        sa.update(EvidenceHead.__table__)
        .where(EvidenceHead.dealer_id == dealer_id)
        .values(sequence=len(rows), digest=previous)
    )
    tx.expire_all()


def copy_entry(tx: Session, entry: LedgerEntry, **changes: object) -> None:
    """Insert an entry like this one at the end of its account; its digests are wrong until `rechain`."""
    lift_triggers(tx)
    row = tx.execute(sa.select(LedgerEntry.__table__).where(LedgerEntry.id == entry.id)).one()
    said = {
        **row._mapping,
        "id": new_id(),
        "idempotency_key": f"forged-{new_id().hex}",
        "sequence": 500,
        "issuance_sequence": 500,
    }
    tx.execute(sa.insert(LedgerEntry.__table__).values({**said, **changes}))
    tx.expire_all()
