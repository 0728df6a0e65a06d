"""Accounts with their heads, and the entries posted into them."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ledger.states import AccountKind, EntryKind
from referral.db import Base, DealerId, Digest, Id, choice

DATED_APART = {
    "sqlite": "{0}effective_on <> date({0}posted_at)",
    "postgresql": "{0}effective_on <> ({0}posted_at AT TIME ZONE 'UTC')::date",
}
"""By dialect, the condition that an entry is effective on another day (of UTC) than it was posted on."""


class LedgerAccount(Base):
    """One account of a dealer and a program year, with its head: the last sequence, balance and digest.

    The head is a cache that entries prove; it is also the row that writers lock. A closed account has
    `closed_at` and never moves again; a trigger lets a head move only to an entry that exists.
    """

    __tablename__ = "ledger_account"
    __table_args__ = (sa.CheckConstraint("sequence >= 0", name="sequence_not_negative"),)

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    program_year: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    kind: Mapped[AccountKind] = mapped_column(choice(AccountKind, "kind"), primary_key=True)
    currency: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    posted_at: Mapped[datetime | None]
    """When the last entry was posted: an entry is never dated before the one before it."""
    sequence: Mapped[int]
    balance_cents: Mapped[int]
    digest: Mapped[str] = mapped_column(Digest)


class LedgerEntry(Base):
    """One event that moved credit, posted into two accounts: the dealer's own, and its issuance account.

    The amount stands once: the dealer's account moves by `amount_cents`, the issuance account of the same
    program year by its negation, so an entry can't fail to sum to zero. For each of the two accounts the
    row has its place: the gapless sequence, the balance after it, and the digest that chains it to the one
    before. The view `ledger_posting` shows both sides as rows. Append-only.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.UniqueConstraint("dealer_id", "program_year", "account_kind", "sequence"),
        sa.UniqueConstraint("dealer_id", "program_year", "issuance_sequence"),
        sa.ForeignKeyConstraint(
            ["dealer_id", "program_year", "account_kind"],
            ["ledger_account.dealer_id", "ledger_account.program_year", "ledger_account.kind"],
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "related_entry_id"], ["ledger_entry.dealer_id", "ledger_entry.id"]
        ),
        sa.Index(
            "uq_ledger_entry_reversal",
            "dealer_id",
            "related_entry_id",
            unique=True,
            sqlite_where=sa.text("kind = 'reversal'"),
            postgresql_where=sa.text("kind = 'reversal'"),
        ),
        sa.Index(
            "ix_ledger_entry_related",
            "dealer_id",
            "related_entry_id",
            sqlite_where=sa.text("related_entry_id IS NOT NULL"),
            postgresql_where=sa.text("related_entry_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_ledger_entry_dated_apart",
            "dealer_id",
            "program_year",
            "account_kind",
            "sequence",
            "effective_on",
            "amount_cents",
            sqlite_where=sa.text(DATED_APART["sqlite"].format("")),
            postgresql_where=sa.text(DATED_APART["postgresql"].format("")),
        ),
        sa.CheckConstraint("amount_cents <> 0", name="amount_not_zero"),
        sa.CheckConstraint("account_kind <> 'issuance'", name="account_is_dealers"),
        sa.CheckConstraint(
            "kind <> 'reversal' OR related_entry_id IS NOT NULL", name="reversal_of_something"
        ),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    idempotency_key: Mapped[str]
    kind: Mapped[EntryKind] = mapped_column(choice(EntryKind, "kind"))
    program_year: Mapped[int] = mapped_column(sa.SmallInteger)
    account_kind: Mapped[AccountKind] = mapped_column(choice(AccountKind, "account_kind"))
    amount_cents: Mapped[int]
    """What the dealer's account moves by; the issuance account moves by its negation."""
    effective_on: Mapped[date]
    posted_at: Mapped[datetime]
    actor_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    source: Mapped[str]
    """The public number or file the entry comes from, such as O-HARBOR-5."""
    source_digest: Mapped[str] = mapped_column(Digest)
    """SHA-256 of everything the source says: the order with its lines and the approval."""
    memo: Mapped[str]
    related_entry_id: Mapped[UUID | None]
    """The entry this one takes back, wholly or in part."""
    digest_version: Mapped[int] = mapped_column(sa.SmallInteger)
    sequence: Mapped[int]
    balance_cents: Mapped[int]
    digest: Mapped[str] = mapped_column(Digest)
    issuance_sequence: Mapped[int]
    issuance_balance_cents: Mapped[int]
    issuance_digest: Mapped[str] = mapped_column(Digest)
