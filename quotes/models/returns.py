"""Tables of returns."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from quotes.states import ReturnReason
from referral.db import Base, DealerId, Digest, choice


class OrderReturn(Base):
    """Shipped units came back, with the entry that takes their credit back. Insert-only."""

    __tablename__ = "order_return"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "order_id"], ["order.dealer_id", "order.id"]),
        sa.ForeignKeyConstraint(["dealer_id", "entry_id"], ["ledger_entry.dealer_id", "ledger_entry.id"]),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.CheckConstraint("number > 0", name="number_positive"),
        sa.CheckConstraint("products_cents >= 0 AND credit_cents >= 0", name="amounts_not_negative"),
        sa.CheckConstraint("(credit_cents = 0) = (entry_id IS NULL)", name="credit_has_entry"),
        sa.CheckConstraint("reason <> 'other' OR words <> ''", name="other_has_words"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str]
    request_digest: Mapped[str] = mapped_column(Digest)
    reason: Mapped[ReturnReason] = mapped_column(choice(ReturnReason, "reason"))
    words: Mapped[str]
    products_cents: Mapped[int]
    credit_cents: Mapped[int]
    """What is taken back, above zero."""
    entry_id: Mapped[UUID | None]
    digest: Mapped[str] = mapped_column(Digest)
    returned_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    returned_at: Mapped[datetime]
    returned_on: Mapped[date]


class OrderReturnLine(Base):
    """How many units of one order line came back, and the credit they take back. Insert-only."""

    __tablename__ = "order_return_line"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "return_number"],
            ["order_return.dealer_id", "order_return.order_id", "order_return.number"],
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "line_id"],
            ["order_line.dealer_id", "order_line.order_id", "order_line.line_id"],
        ),
        sa.CheckConstraint("quantity > 0", name="quantity_positive"),
        sa.CheckConstraint("credit_cents >= 0", name="credit_not_negative"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    return_number: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    quantity: Mapped[int]
    credit_cents: Mapped[int]
