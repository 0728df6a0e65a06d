"""Tables of warranty replacements: units sent for failed ones, without approval and without credit."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Digest


class Replacement(Base):
    """Units are ordered in place of shipped ones under warranty; nothing is earned. Insert-only."""

    __tablename__ = "replacement"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "order_id"], ["order.dealer_id", "order.id"]),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.CheckConstraint("number > 0", name="number_positive"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str]
    request_digest: Mapped[str] = mapped_column(Digest)
    reason: Mapped[str]
    failed_on: Mapped[date | None]
    digest: Mapped[str] = mapped_column(Digest)
    ordered_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    ordered_at: Mapped[datetime]
    ordered_on: Mapped[date]


class ReplacementLine(Base):
    """How many units of one order line are replaced. Insert-only."""

    __tablename__ = "replacement_line"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "replacement_number"],
            ["replacement.dealer_id", "replacement.order_id", "replacement.number"],
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "line_id"],
            ["order_line.dealer_id", "order_line.order_id", "order_line.line_id"],
        ),
        sa.CheckConstraint("quantity > 0", name="quantity_positive"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    replacement_number: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    quantity: Mapped[int]
