"""What stands behind credit, chained per dealer; and the checkpoints that are kept outside the database."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ledger.states import EvidenceKind
from referral.db import Base, DealerId, Digest, choice


class EvidenceHead(Base):
    """The head of a dealer's evidence: the last sequence and digest; the row that writers lock."""

    __tablename__ = "evidence_head"

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    sequence: Mapped[int]
    digest: Mapped[str] = mapped_column(Digest)


class Evidence(Base):
    """The digest of an approval, order, cancellation, … when it became true. Chained per dealer; append-only."""

    __tablename__ = "evidence"
    __table_args__ = (
        sa.UniqueConstraint("dealer_id", "kind", "subject"),
        sa.ForeignKeyConstraint(
            ["dealer_id"], ["evidence_head.dealer_id"], name="fk_evidence_dealer_id_head"
        ),
        sa.CheckConstraint("sequence > 0", name="sequence_positive"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    sequence: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[EvidenceKind] = mapped_column(choice(EvidenceKind, "kind"))
    subject: Mapped[str]
    """The public number, such as O-HARBOR-5, or Q-HARBOR-12.2 for revision 2 of a quote."""
    content_digest: Mapped[str] = mapped_column(Digest)
    recorded_at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(Digest)


class Checkpoint(Base):
    """A numbered, chained, signed statement of all heads; the heads themselves are in its file. Append-only."""

    __tablename__ = "checkpoint"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    taken_at: Mapped[datetime]
    previous_digest: Mapped[str] = mapped_column(Digest)
    heads_digest: Mapped[str] = mapped_column(Digest)
    """SHA-256 over the list of heads, as the file has it."""
    accounts: Mapped[int]
    entries: Mapped[int]
    evidence: Mapped[int]
    digest: Mapped[str] = mapped_column(Digest)
    """SHA-256 over every other column but the signature."""
    public_key: Mapped[str]
    signature: Mapped[str]
    """Ed25519 over the digest, in hexadecimal; the private key is not in the database."""
