"""Tables of quotes: numbered revisions with lines and services, remarks, approvals."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from quotes.states import Category, RevisionState, ServiceKind, ServicesState
from referral.db import Base, DealerId, Id, choice


class Quote(Base):
    """What an account offers a dealer for a referral, in numbered revisions."""

    __tablename__ = "quote"
    __table_args__ = (
        sa.UniqueConstraint("dealer_id", "number"),
        sa.ForeignKeyConstraint(["dealer_id", "referral_id"], ["referral.dealer_id", "referral.id"]),
        sa.Index("ix_quote_account", "account_id", "dealer_id"),
        sa.Index("ix_quote_referral", "dealer_id", "referral_id"),
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


class Remark(Base):
    """What a side says about a revision, or at one of its lines. Append-only."""

    __tablename__ = "remark"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number", "line_id"],
            [
                "revision_line.dealer_id",
                "revision_line.quote_id",
                "revision_line.revision_number",
                "revision_line.line_id",
            ],
        ),
        sa.Index("ix_remark_quote", "dealer_id", "quote_id", "revision_number"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    quote_id: Mapped[UUID]
    revision_number: Mapped[int]
    line_id: Mapped[UUID | None]
    """The line it is about; None is the whole revision."""
    is_request: Mapped[bool]
    """Whether it was made when the revision was sent back for changes."""
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
    on_behalf_of: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    """The approver who lent the right, where a delegate decided."""
    approved_at: Mapped[datetime]
    address: Mapped[str]
    browser: Mapped[str]
    login: Mapped[str]
