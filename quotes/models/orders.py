"""Tables of orders and their cancellations."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from quotes.states import OrderState
from referral.db import Base, DealerId, Id, choice


class Order(Base):
    """An order of approved lines. Entered with its sales credit in one transaction; only its state moves."""

    __tablename__ = "order"
    __table_args__ = (
        sa.UniqueConstraint("dealer_id", "number"),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["approval.dealer_id", "approval.quote_id", "approval.revision_number"],
        ),
        sa.ForeignKeyConstraint(["dealer_id", "entry_id"], ["ledger_entry.dealer_id", "ledger_entry.id"]),
        sa.Index("ix_order_account", "account_id", "dealer_id"),
        sa.CheckConstraint("exchange_rate > 0", name="exchange_rate_positive"),
        sa.CheckConstraint(
            "exchange_rate_on IS NOT NULL OR exchange_rate = 1000000", name="exchange_rate_has_its_day"
        ),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    number: Mapped[int]
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID]
    revision_number: Mapped[int]
    state: Mapped[OrderState] = mapped_column(choice(OrderState, "state"))
    idempotency_key: Mapped[str]
    request_digest: Mapped[str]
    purchase_order: Mapped[str]
    wanted_on: Mapped[date | None]
    """The day by which the account wants the units on site."""
    account_number: Mapped[str]
    currency: Mapped[str]
    program_year: Mapped[int]
    credit_rate: Mapped[int]
    """In ten-thousandths."""
    exchange_rate: Mapped[int]
    """In millionths, of the day it was entered on; 1_000_000 in the program's own currency."""
    exchange_rate_on: Mapped[date | None]
    """The first day of that rate; None in the program's own currency."""
    products_cents: Mapped[int]
    credit_cents: Mapped[int]
    entry_id: Mapped[UUID | None]
    """The ledger entry of its credit; none where no line earns credit."""
    digest_version: Mapped[int] = mapped_column(sa.SmallInteger)
    """The recipe of the digest; from 2 on it covers the exchange rate, from 3 on the wanted day."""
    digest: Mapped[str]
    entered_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    entered_at: Mapped[datetime]
    entered_on: Mapped[date]


class OrderLine(Base):
    """An ordered quantity of an approved line with the credit it earned. Insert-only."""

    __tablename__ = "order_line"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "order_id"], ["order.dealer_id", "order.id"]),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number", "line_id"],
            [
                "revision_line.dealer_id",
                "revision_line.quote_id",
                "revision_line.revision_number",
                "revision_line.line_id",
            ],
        ),
        sa.Index("ix_order_line_quote", "dealer_id", "quote_id", "line_id"),
        sa.CheckConstraint("quantity > 0", name="quantity_positive"),
        sa.CheckConstraint("amount_cents = quantity * list_price_cents", name="amount_is_list_price"),
        sa.CheckConstraint("is_creditable OR credit_cents = 0", name="credit_only_where_creditable"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    quote_id: Mapped[UUID]
    revision_number: Mapped[int]
    quantity: Mapped[int]
    list_price_cents: Mapped[int]
    amount_cents: Mapped[int]
    is_creditable: Mapped[bool]
    credit_cents: Mapped[int]


class Cancellation(Base):
    """A cancellation of some or all of an order, with the entry that takes the credit back. Insert-only."""

    __tablename__ = "cancellation"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "order_id"], ["order.dealer_id", "order.id"]),
        sa.ForeignKeyConstraint(["dealer_id", "entry_id"], ["ledger_entry.dealer_id", "ledger_entry.id"]),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str]
    request_digest: Mapped[str]
    reason: Mapped[str]
    products_cents: Mapped[int]
    credit_cents: Mapped[int]
    """What is taken back, above zero."""
    entry_id: Mapped[UUID | None]
    digest: Mapped[str]
    cancelled_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    cancelled_at: Mapped[datetime]
    cancelled_on: Mapped[date]


class CancellationLine(Base):
    """How much of one order line a cancellation takes back. Insert-only."""

    __tablename__ = "cancellation_line"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "cancellation_number"],
            ["cancellation.dealer_id", "cancellation.order_id", "cancellation.number"],
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "line_id"],
            ["order_line.dealer_id", "order_line.order_id", "order_line.line_id"],
        ),
        sa.CheckConstraint("quantity > 0", name="quantity_positive"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    cancellation_number: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    quantity: Mapped[int]
    credit_cents: Mapped[int]
