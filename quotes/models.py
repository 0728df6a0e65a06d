"""Tables of the quotes floor: price lists, quotes with revisions, approvals, orders."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from quotes.states import Category, OrderState, RevisionState, ServiceKind, ServicesState
from referral.db import Base, DealerId, Id, choice


class PriceList(Base):
    """One version of the list prices, valid from a day until the next version starts. Never changed."""

    __tablename__ = "price_list"

    id: Mapped[Id]
    version: Mapped[int] = mapped_column(unique=True)
    valid_from: Mapped[date] = mapped_column(unique=True)
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
    search_text: Mapped[str]
    """Model number, description and family, folded."""


class Quote(Base):
    """What an account offers a dealer for a referral, in numbered revisions."""

    __tablename__ = "quote"
    __table_args__ = (
        sa.UniqueConstraint("dealer_id", "number"),
        sa.ForeignKeyConstraint(["dealer_id", "referral_id"], ["referral.dealer_id", "referral.id"]),
        sa.Index("ix_quote_account", "account_id", "dealer_id"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    number: Mapped[int]
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    referral_id: Mapped[UUID]
    latest_revision: Mapped[int]
    created_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    created_at: Mapped[datetime]


class Revision(Base):
    """A numbered revision of a quote. From its submission on, only its state moves."""

    __tablename__ = "revision"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "quote_id"], ["quote.dealer_id", "quote.id"]),
        sa.CheckConstraint("number > 0", name="number_positive"),
        sa.CheckConstraint(
            "(state = 'draft') = (submitted_at IS NULL) AND (state = 'draft') = (digest IS NULL)",
            name="submitted_has_digest",
        ),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[RevisionState] = mapped_column(choice(RevisionState, "state"))
    services_state: Mapped[ServicesState] = mapped_column(choice(ServicesState, "services_state"))
    account_number: Mapped[str]
    """The dealer's account number as stated; '' until the account types it."""
    note: Mapped[str]
    draft_version: Mapped[int]
    """Grows with each save, so that two editors of one draft notice each other."""
    created_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    created_at: Mapped[datetime]
    price_list_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("price_list.id"))
    currency: Mapped[str | None]
    submitted_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    submitted_at: Mapped[datetime | None]
    submitted_on: Mapped[date | None]
    expires_on: Mapped[date | None]
    """The last day of its validity, included."""
    products_digest: Mapped[str | None]
    services_digest: Mapped[str | None]
    digest: Mapped[str | None]
    decided_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str]


class RevisionLine(Base):
    """A product line. `line_id` stays the same from revision to revision: diffs and draw-downs follow it."""

    __tablename__ = "revision_line"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
        ),
        sa.CheckConstraint("quantity > 0", name="quantity_positive"),
        sa.CheckConstraint("list_price_cents >= 0", name="list_price_not_negative"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision_number: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int]
    model_number: Mapped[str]
    description: Mapped[str]
    family: Mapped[str]
    category: Mapped[Category] = mapped_column(choice(Category, "category"))
    unit: Mapped[str]
    room: Mapped[str]
    quantity: Mapped[int]
    list_price_cents: Mapped[int]


class RevisionService(Base):
    """A service or labor line, priced apart. Never earns credit."""

    __tablename__ = "revision_service"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
        ),
        sa.CheckConstraint("amount_cents >= 0", name="amount_not_negative"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision_number: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[ServiceKind] = mapped_column(choice(ServiceKind, "kind"))
    description: Mapped[str]
    amount_cents: Mapped[int]


class LineRemark(Base):
    """What a dealer asks for at one line when asking for changes. Append-only."""

    __tablename__ = "line_remark"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number", "line_id"],
            [
                "revision_line.dealer_id",
                "revision_line.quote_id",
                "revision_line.revision_number",
                "revision_line.line_id",
            ],
        ),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    quote_id: Mapped[UUID]
    revision_number: Mapped[int]
    line_id: Mapped[UUID]
    text: Mapped[str]
    made_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    made_at: Mapped[datetime]


class Approval(Base):
    """The dealer's approval of exactly one revision and digest. Insert-only."""

    __tablename__ = "approval"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
        ),
        sa.CheckConstraint(
            "attested_suitable AND attested_reviewed AND attested_complete AND attested_account_number",
            name="all_attested",
        ),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision_number: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str]
    attestation_version: Mapped[str]
    attestation_text: Mapped[str]
    attested_suitable: Mapped[bool]
    attested_reviewed: Mapped[bool]
    attested_complete: Mapped[bool]
    attested_account_number: Mapped[bool]
    typed_account_number: Mapped[str]
    typed_name: Mapped[str]
    approved_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    approved_at: Mapped[datetime]
    address: Mapped[str]
    browser: Mapped[str]
    login: Mapped[str]


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
    account_number: Mapped[str]
    currency: Mapped[str]
    program_year: Mapped[int]
    credit_rate: Mapped[int]
    """In ten-thousandths."""
    products_cents: Mapped[int]
    credit_cents: Mapped[int]
    entry_id: Mapped[UUID | None]
    """The ledger entry of its credit; none where no line earns credit."""
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
