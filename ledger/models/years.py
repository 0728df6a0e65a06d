"""The closing of a program year: once for the year, and for each dealer the frozen level with its evidence."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Digest


class YearClosing(Base):
    """That a program year is being closed, by whom, over which open items; finished when every dealer is."""

    __tablename__ = "year_closing"

    program_year: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    level_version: Mapped[int]
    """The version of the level year's levels that decides."""
    open_items: Mapped[list[str]]
    """What was still open, in words; the reason overrides it."""
    reason: Mapped[str]
    started_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class YearClose(Base):
    """A dealer's closed program year: totals, level and the heads of its accounts, for ever. Append-only."""

    __tablename__ = "year_close"
    __table_args__ = (
        sa.CheckConstraint("total_cents = sales_credit_cents + other_purchases_cents", name="total_is_sum"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    program_year: Mapped[int] = mapped_column(
        sa.SmallInteger, sa.ForeignKey("year_closing.program_year"), primary_key=True
    )
    dealer_code: Mapped[str]
    dealer_name: Mapped[str]
    currency: Mapped[str]
    sales_credit_cents: Mapped[int]
    other_purchases_cents: Mapped[int]
    total_cents: Mapped[int]
    level_year: Mapped[int] = mapped_column(sa.SmallInteger)
    level_version: Mapped[int]
    level_name: Mapped[str]
    threshold_cents: Mapped[int]
    heads: Mapped[dict[str, Any]]
    """By kind of account: sequence, balance in cents, digest."""
    closed_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    closed_at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(Digest)
    """SHA-256 over every other column."""
