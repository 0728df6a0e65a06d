"""What a dealer says against a posting, and what the program answers."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ledger.states import DisputeOutcome
from referral.db import Base, DealerId, choice


class Dispute(Base):
    """A dealer disputes an entry on its statement. Insert-only; it is open until it has an answer."""

    __tablename__ = "dispute"
    __table_args__ = (
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.ForeignKeyConstraint(["dealer_id", "entry_id"], ["ledger_entry.dealer_id", "ledger_entry.id"]),
        sa.CheckConstraint("answer_due_on >= opened_on", name="due_after_opened"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    number: Mapped[int] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str]
    entry_id: Mapped[UUID]
    claimed_cents: Mapped[int | None]
    """What the amount should have been, where the dealer says so."""
    reason: Mapped[str]
    opened_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    opened_at: Mapped[datetime]
    opened_on: Mapped[date]
    answer_due_on: Mapped[date]


class DisputeAnswer(Base):
    """How a dispute ended, with the entry that puts it right. Insert-only."""

    __tablename__ = "dispute_answer"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "number"], ["dispute.dealer_id", "dispute.number"]),
        sa.ForeignKeyConstraint(["dealer_id", "entry_id"], ["ledger_entry.dealer_id", "ledger_entry.id"]),
        sa.CheckConstraint("outcome = 'upheld' OR entry_id IS NULL", name="entry_only_where_upheld"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    number: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[DisputeOutcome] = mapped_column(choice(DisputeOutcome, "outcome"))
    words: Mapped[str]
    entry_id: Mapped[UUID | None]
    answered_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    answered_at: Mapped[datetime]
    answered_on: Mapped[date]
