"""The table of the service catalogue: families, calendars, policies and offers, by version."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, Digest, Id, choice
from support.states import EntryKind


class CatalogueEntry(Base):
    """A version of a family, calendar, policy or offer. Insert-only: a change is the next version.

    Agreements and calls name the entry they were made with, so that no later version changes them.
    """

    __tablename__ = "catalogue_entry"
    __table_args__ = (
        sa.UniqueConstraint("kind", "key", "version"),
        sa.CheckConstraint("version > 0", name="version_positive"),
    )

    id: Mapped[Id]
    kind: Mapped[EntryKind] = mapped_column(choice(EntryKind, "kind"))
    key: Mapped[str]
    version: Mapped[int]
    name: Mapped[str]
    content: Mapped[str]
    """All of it, as canonical JSON."""
    digest: Mapped[str] = mapped_column(Digest)
    """Of kind, key, version and content."""
    reason: Mapped[str]
    """Why it was loaded."""
    loaded_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    """None for the command line."""
    loaded_at: Mapped[datetime]
