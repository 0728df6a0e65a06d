"""Tables of price lists: versions and their items."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from quotes.states import Category
from referral.db import Base, Id, choice


class PriceList(Base):
    """One version of the list prices of a currency, valid until the next one in it starts. Never changed."""

    __tablename__ = "price_list"
    __table_args__ = (sa.UniqueConstraint("currency", "valid_from"),)

    id: Mapped[Id]
    version: Mapped[int] = mapped_column(unique=True)
    valid_from: Mapped[date]
    currency: Mapped[str]
    source: Mapped[str]
    """The file it came from."""
    source_sha256: Mapped[str]
    item_count: Mapped[int]
    published_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    published_at: Mapped[datetime]


class PriceItem(Base):
    """An item of a price list version. Never changed."""

    __tablename__ = "price_item"
    __table_args__ = (
        sa.CheckConstraint("list_price_cents >= 0", name="list_price_not_negative"),
        sa.Index("ix_price_item_search", "price_list_id", "search_text"),
    )

    price_list_id: Mapped[UUID] = mapped_column(sa.ForeignKey("price_list.id"), primary_key=True)
    model_number: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str]
    family: Mapped[str]
    category: Mapped[Category] = mapped_column(choice(Category, "category"))
    unit: Mapped[str]
    list_price_cents: Mapped[int]
    goes_with: Mapped[str] = mapped_column(server_default="")
    """What it needs beside it, as the catalogue says: `trim: D3-FXRD | D3-ADRD; supply: PS-96`. '' is nothing."""
    search_text: Mapped[str]
    """Model number, description and family, folded."""
