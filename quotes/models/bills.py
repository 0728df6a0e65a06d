"""Tables of bills of material: how an account's files are read, and the design files behind a revision."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Digest, Id


class BillMapping(Base):
    """Which column means what in files of an account with these headings; remembered for the next file."""

    __tablename__ = "bill_mapping"

    company_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"), primary_key=True)
    headings_digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    """Of the file's headings, folded."""
    columns: Mapped[list[str]]
    """What each column of the file is, from the left: model_number, quantity, room, list_price, or '' for unread."""
    saved_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    saved_at: Mapped[datetime]


class DesignFile(Base):
    """A file a revision's lines came from. The file itself is the account's upload of this SHA-256."""

    __tablename__ = "design_file"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
        ),
        sa.ForeignKeyConstraint(["account_id", "upload_id"], ["upload.company_id", "upload.id"]),
        sa.Index("ix_design_file_revision", "dealer_id", "quote_id", "revision_number"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    quote_id: Mapped[UUID]
    revision_number: Mapped[int]
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    upload_id: Mapped[UUID]
    filename: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int]
    """In bytes."""
    added_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    added_at: Mapped[datetime]


class IgnoredHint(Base):
    """A hint that something is missing on a quote, set aside with a reason."""

    __tablename__ = "ignored_hint"
    __table_args__ = (sa.ForeignKeyConstraint(["dealer_id", "quote_id"], ["quote.dealer_id", "quote.id"]),)

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID] = mapped_column(primary_key=True)
    model_number: Mapped[str] = mapped_column(primary_key=True)
    need: Mapped[str] = mapped_column(primary_key=True)
    """What the catalogue says goes with the model number, such as trim."""
    reason: Mapped[str]
    ignored_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    ignored_at: Mapped[datetime]
