"""Files of other purchases or earlier credit, and how far they are posted."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ledger.states import EntryKind
from referral.db import Base, Digest, Id, choice


class CreditImport(Base):
    """One file that was posted: its digest, what its rows became, by whom. Counts grow batch by batch."""

    __tablename__ = "credit_import"
    __table_args__ = (
        sa.CheckConstraint("posted_count + repeated_count <= row_count", name="counts_within_rows"),
    )

    id: Mapped[Id]
    sha256: Mapped[str] = mapped_column(Digest, unique=True)
    """Over the file and the kind: the same file of the same kind is one import, taken up where it stopped."""
    kind: Mapped[EntryKind] = mapped_column(choice(EntryKind, "kind"))
    filename: Mapped[str]
    row_count: Mapped[int]
    posted_count: Mapped[int]
    repeated_count: Mapped[int]
    """Rows that an earlier file posted already."""
    total_cents: Mapped[int]
    reason: Mapped[str]
    started_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
