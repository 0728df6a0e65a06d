"""Tables of the ledger: accounts with their heads, entries, postings, levels."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ledger.states import AccountKind, EntryKind
from referral.db import Base, DealerId, Id, choice


class LedgerAccount(Base):
    """One account of a dealer and a program year, with its head: the last sequence, balance and digest.

    The head is a cache that postings prove; it is also the row that writers lock.
    """

    __tablename__ = "ledger_account"
    __table_args__ = (sa.CheckConstraint("sequence >= 0", name="sequence_not_negative"),)

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    program_year: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[AccountKind] = mapped_column(choice(AccountKind, "kind"), primary_key=True)
    currency: Mapped[str]
    opened_at: Mapped[datetime]
    sequence: Mapped[int]
    balance_cents: Mapped[int]
    digest: Mapped[str]


class LedgerEntry(Base):
    """One event that moved credit: two postings of opposite sign carry its amount. Append-only."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        sa.UniqueConstraint("dealer_id", "id", "amount_cents"),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.ForeignKeyConstraint(
            ["dealer_id", "related_entry_id"], ["ledger_entry.dealer_id", "ledger_entry.id"]
        ),
        sa.CheckConstraint("amount_cents <> 0", name="amount_not_zero"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    idempotency_key: Mapped[str]
    kind: Mapped[EntryKind] = mapped_column(choice(EntryKind, "kind"))
    amount_cents: Mapped[int]
    """What the dealer's account moves by; the issuance account moves by its negation."""
    effective_on: Mapped[date]
    posted_at: Mapped[datetime]
    actor_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    source: Mapped[str]
    """The public number or file the entry comes from, such as O-HARBOR-5."""
    source_digest: Mapped[str]
    """SHA-256 of everything the source says: the order with its lines and the approval."""
    memo: Mapped[str]
    related_entry_id: Mapped[UUID | None]
    """The entry this one takes back, wholly or in part."""
    digest_version: Mapped[int]
    digest: Mapped[str]


class LedgerPosting(Base):
    """One side of an entry in one account. Its digest chains it to the posting before. Append-only.

    Both sides carry the entry's own amount by foreign key and there is one posting a side at most, so an
    entry cannot fail to sum to zero.
    """

    __tablename__ = "ledger_posting"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "program_year", "account_kind"],
            ["ledger_account.dealer_id", "ledger_account.program_year", "ledger_account.kind"],
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "entry_id", "entry_amount_cents"],
            ["ledger_entry.dealer_id", "ledger_entry.id", "ledger_entry.amount_cents"],
        ),
        sa.UniqueConstraint("dealer_id", "entry_id", "side"),
        sa.CheckConstraint("side IN (1, -1)", name="side"),
        sa.CheckConstraint("sequence > 0", name="sequence_positive"),
        sa.CheckConstraint("amount_cents = side * entry_amount_cents", name="amount_is_entrys"),
        sa.CheckConstraint("(account_kind = 'issuance') = (side = -1)", name="side_is_accounts"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    program_year: Mapped[int] = mapped_column(primary_key=True)
    account_kind: Mapped[AccountKind] = mapped_column(choice(AccountKind, "account_kind"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID]
    side: Mapped[int]
    entry_amount_cents: Mapped[int]
    amount_cents: Mapped[int]
    balance_cents: Mapped[int]
    digest: Mapped[str]


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
