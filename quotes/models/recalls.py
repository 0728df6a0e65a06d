"""Tables of recalled prices, of who was told, and of the reminders before a revision expires."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Id


class PriceRecall(Base):
    """A price that was published wrongly: nothing more is submitted, approved or ordered at it. Append-only."""

    __tablename__ = "price_recall"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["price_list_id", "model_number"], ["price_item.price_list_id", "price_item.model_number"]
        ),
        sa.UniqueConstraint("price_list_id", "model_number"),
    )

    id: Mapped[Id]
    price_list_id: Mapped[UUID] = mapped_column(sa.ForeignKey("price_list.id"))
    model_number: Mapped[str]
    reason: Mapped[str]
    recalled_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    recalled_at: Mapped[datetime]


class RecallNotice(Base):
    """Both sides of a revision were told that one of its prices is recalled. Append-only."""

    __tablename__ = "recall_notice"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
        ),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision_number: Mapped[int] = mapped_column(primary_key=True)
    recall_id: Mapped[UUID] = mapped_column(sa.ForeignKey("price_recall.id"), primary_key=True)
    told_at: Mapped[datetime]


class ExpiryReminder(Base):
    """The dealer was reminded that a revision is about to expire, once. Append-only."""

    __tablename__ = "expiry_reminder"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
        ),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision_number: Mapped[int] = mapped_column(primary_key=True)
    reminded_at: Mapped[datetime]
