"""Tables of a project's plan: milestones and trades. A project is what a referral is about."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from quotes.states import MilestoneKind
from referral.db import Base, DealerId, Id, choice


class MilestoneEntry(Base):
    """What was said about a milestone at an instant; the newest entry of a kind holds. Append-only."""

    __tablename__ = "milestone_entry"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "referral_id"], ["referral.dealer_id", "referral.id"]),
        sa.UniqueConstraint("dealer_id", "referral_id", "kind", "number"),
        sa.CheckConstraint("number > 0", name="number_positive"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    referral_id: Mapped[UUID]
    kind: Mapped[MilestoneKind] = mapped_column(choice(MilestoneKind, "kind"))
    number: Mapped[int]
    """Counts the entries of this milestone, so that two editors notice each other."""
    planned_on: Mapped[date | None]
    forecast_on: Mapped[date | None]
    actual_on: Mapped[date | None]
    owner: Mapped[str]
    slip_reason: Mapped[str]
    said_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    said_at: Mapped[datetime]


class Trade(Base):
    """A trade professional of a project: whom to call, for what, agreed for when."""

    __tablename__ = "trade"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "referral_id"], ["referral.dealer_id", "referral.id"]),
        sa.Index("ix_trade_referral", "dealer_id", "referral_id"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    referral_id: Mapped[UUID]
    trade: Mapped[str]
    name: Mapped[str]
    contact: Mapped[str]
    scope: Mapped[str]
    agreed_on: Mapped[date | None]
    """The day agreed with them for their part."""
    done_on: Mapped[date | None]
    version: Mapped[int]
    changed_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    changed_at: Mapped[datetime]
