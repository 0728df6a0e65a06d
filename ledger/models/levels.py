"""The levels of a level year, in versions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base


class LevelSet(Base):
    """One version of a level year's levels; the latest version holds. Append-only."""

    __tablename__ = "level_set"

    level_year: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    reason: Mapped[str]
    set_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    set_at: Mapped[datetime]


class Level(Base):
    """A level of a level set: reached when the total of the year before is at least the threshold."""

    __tablename__ = "level"
    __table_args__ = (
        sa.ForeignKeyConstraint(["level_year", "version"], ["level_set.level_year", "level_set.version"]),
        sa.UniqueConstraint("level_year", "version", "name"),
        sa.CheckConstraint("threshold_cents >= 0", name="threshold_not_negative"),
    )

    level_year: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    threshold_cents: Mapped[int]
