"""The table of warranty terms: per family and date, none built in."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Id, choice
from warranty.states import StartRule


class WarrantyTerm(Base):
    """What is promised for a family ordered from a day on, until the next terms of it. Insert-only.

    Of two for the same family and first day the one recorded later holds: that corrects a mistake.
    """

    __tablename__ = "warranty_term"
    __table_args__ = (
        sa.CheckConstraint("months BETWEEN 1 AND 600", name="months_in_range"),
        sa.CheckConstraint("cap_days BETWEEN 0 AND 3650", name="cap_days_in_range"),
        sa.CheckConstraint("report_days BETWEEN 0 AND 3650", name="report_days_in_range"),
        sa.CheckConstraint("replacement_days BETWEEN 0 AND 3650", name="replacement_days_in_range"),
        sa.CheckConstraint("cap_days IS NULL OR start_rule <> 'shipped'", name="cap_only_after_shipping"),
        sa.Index("ix_warranty_term_family", "family_key", "valid_from"),
    )

    id: Mapped[Id]
    family: Mapped[str]
    family_key: Mapped[str]
    """The family as compared: folded."""
    valid_from: Mapped[date]
    """Orders entered on this day and later have these terms."""
    months: Mapped[int]
    start_rule: Mapped[StartRule] = mapped_column(choice(StartRule, "start_rule"))
    cap_days: Mapped[int | None]
    """The start is at the latest so many days after shipping; None is never capped."""
    covers_parts: Mapped[bool]
    covers_labor: Mapped[bool]
    report_days: Mapped[int]
    """How many days after the last covered one a failure within it can still be reported."""
    replacement_days: Mapped[int]
    """A replacement is covered at least so many days, the first being the day of replacement; 0 is no minimum."""
    source: Mapped[str]
    """Where the program says so."""
    reason: Mapped[str]
    set_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    """None for the command line."""
    set_at: Mapped[datetime]


class TermReading(Base):
    """Through which recorded terms the dealer's sources were read: what the worker has done for them.

    Many sources are read in several transactions: `reading` and `through_number` say how far that is.
    """

    __tablename__ = "term_reading"

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    read_at: Mapped[datetime | None]
    """When the newest of the terms was recorded that all sources were read with; None before the first time."""
    reading: Mapped[datetime | None]
    """When the newest of the terms was recorded that the sources are being read with now; None at rest."""
    through_number: Mapped[int]
    """The number of the last source that was read with them; 0 at rest."""
