"""Tables of the ground floor: companies, people, settings, referrals, audit, outbox, uploads."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Id, choice
from referral.permissions import Role
from referral.states import ReferralState


class Company(Base):
    """A dealer, an account, the program, or several at once. `code` and `id` never change."""

    __tablename__ = "company"
    __table_args__ = (
        sa.CheckConstraint("is_dealer OR is_account OR is_program", name="some_kind"),
        sa.CheckConstraint("length(code) BETWEEN 3 AND 8 AND code = upper(code)", name="code_shape"),
        sa.CheckConstraint("length(currency) = 3 AND currency = upper(currency)", name="currency_shape"),
    )

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    is_dealer: Mapped[bool]
    is_account: Mapped[bool]
    is_program: Mapped[bool]
    city: Mapped[str]
    region: Mapped[str]
    serves: Mapped[str]
    """Regions an account serves, and its capacity, in its own words; '' for others."""
    currency: Mapped[str | None]
    """In which a dealer is quoted; None is the program's own. Fixed once the dealer has a quote."""
    active_from: Mapped[date]
    active_to: Mapped[date | None]
    created_at: Mapped[datetime]


class AccountNumber(Base):
    """A Lutron account number a company holds from a first to a last day (both included)."""

    __tablename__ = "account_number"
    __table_args__ = (
        sa.UniqueConstraint("folded", "valid_from"),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="days_in_order"),
        sa.CheckConstraint("length(folded) > 0", name="not_empty"),
    )

    company_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"), primary_key=True)
    id: Mapped[Id]
    number: Mapped[str]
    folded: Mapped[str]
    """As compared: without spaces and hyphens, leading zeros kept."""
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    created_at: Mapped[datetime]


class Qualification(Base):
    """A Ketra qualification of an account, first and last day included."""

    __tablename__ = "qualification"
    __table_args__ = (sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="days_in_order"),)

    company_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"), primary_key=True)
    id: Mapped[Id]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    evidence: Mapped[str]
    families: Mapped[list[str]] = mapped_column(server_default="[]")
    """The Ketra families it is for; empty is all of them."""
    created_at: Mapped[datetime]


class AccountProfile(Base):
    """What an account says of itself to dealers that look for one."""

    __tablename__ = "account_profile"
    __table_args__ = (sa.CheckConstraint("capacity >= 0", name="capacity_not_negative"),)

    company_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"), primary_key=True)
    regions: Mapped[list[str]]
    """The regions it serves, as two-letter codes, sorted."""
    capacity: Mapped[int]
    """Projects it takes on at the same time; 0 takes no new ones."""
    note: Mapped[str]
    changed_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    changed_at: Mapped[datetime]


class User(Base):
    """A person of one company. Signs in by e-mail; `sign_in_id` changes when access is to end."""

    __tablename__ = "user"

    id: Mapped[Id]
    company_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"), index=True)
    name: Mapped[str]
    email: Mapped[str]
    email_folded: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    sign_in_id: Mapped[str] = mapped_column(unique=True)
    is_active: Mapped[bool]
    created_at: Mapped[datetime]


class UserRole(Base):
    """A role a user has."""

    __tablename__ = "user_role"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"), primary_key=True)
    role: Mapped[Role] = mapped_column(choice(Role, "role"), primary_key=True)


class Invitation(Base):
    """A promise that whoever holds the token becomes a user of the company. Only its digest is kept."""

    __tablename__ = "invitation"

    id: Mapped[Id]
    company_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"), index=True)
    name: Mapped[str]
    email: Mapped[str]
    roles: Mapped[list[str]]
    token_digest: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class FailedSignIn(Base):
    """A wrong password, kept as long as it slows guessing down; nobody's access ends by it."""

    __tablename__ = "failed_sign_in"
    __table_args__ = (
        sa.Index("ix_failed_sign_in_email_folded", "email_folded", "tried_at"),
        sa.Index("ix_failed_sign_in_address", "address", "tried_at"),
    )

    id: Mapped[Id]
    email_folded: Mapped[str]
    address: Mapped[str]
    """Where the request came from, as an IP address."""
    tried_at: Mapped[datetime]


class ApiToken(Base):
    """A bearer token for the JSON API. Only its digest is kept."""

    __tablename__ = "api_token"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"), index=True)
    token_digest: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Setting(Base):
    """One dated value of a setting, with its provenance. Rows are only ever added; the latest row wins."""

    __tablename__ = "setting"
    __table_args__ = (sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="days_in_order"),)

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(index=True)
    value: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    reason: Mapped[str]
    source: Mapped[str]
    changed_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    changed_at: Mapped[datetime]


class ExchangeRate(Base):
    """The program's currency for one of another, from a day on. Append-only: the latest for a day wins."""

    __tablename__ = "exchange_rate"
    __table_args__ = (
        sa.CheckConstraint("rate > 0", name="rate_positive"),
        sa.CheckConstraint("length(currency) = 3 AND currency = upper(currency)", name="currency_shape"),
        sa.Index("ix_exchange_rate_currency", "currency", "valid_from"),
    )

    id: Mapped[Id]
    currency: Mapped[str]
    valid_from: Mapped[date]
    rate: Mapped[int]
    """In millionths: 731_200 is 0.7312 of the program's currency for one of `currency`."""
    source: Mapped[str]
    reason: Mapped[str]
    set_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    set_at: Mapped[datetime]


class DealerCounter(Base):
    """The last public number given out for one kind of thing of one dealer."""

    __tablename__ = "dealer_counter"

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    kind: Mapped[str] = mapped_column(primary_key=True)
    last_number: Mapped[int]


class Referral(Base):
    """A dealer's project, referred to one qualified account."""

    __tablename__ = "referral"
    __table_args__ = (
        sa.UniqueConstraint("dealer_id", "number"),
        sa.Index(
            "uq_referral_live_project",
            "dealer_id",
            "project_key",
            unique=True,
            sqlite_where=sa.text("state IN ('open', 'accepted')"),
            postgresql_where=sa.text("state IN ('open', 'accepted')"),
        ),
        sa.Index("ix_referral_account", "account_id", "dealer_id"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    number: Mapped[int]
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    state: Mapped[ReferralState] = mapped_column(choice(ReferralState, "state"))
    project_name: Mapped[str]
    project_key: Mapped[str]
    """Project name and place as compared: one live referral of a dealer for each."""
    place: Mapped[str]
    spaces: Mapped[str]
    wanted_on: Mapped[date | None]
    client_name: Mapped[str]
    client_contact: Mapped[str]
    client_shared: Mapped[bool]
    """Whether the account may see the client's name and contact; they belong to the dealer."""
    attestation_version: Mapped[str]
    attested_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    opened_at: Mapped[datetime]
    expires_on: Mapped[date | None]
    """The last day on which the account can answer, included; None never expires."""
    offered_at: Mapped[datetime | None]
    """Since when the account sees it; None while it is parked, and for ever where it was passed over."""
    answered_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    answered_at: Mapped[datetime | None]
    answer_reason: Mapped[str]


class Continuation(Base):
    """The program lets an account go on with one project to a day, without a qualification. Append-only."""

    __tablename__ = "continuation"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "referral_id"], ["referral.dealer_id", "referral.id"]),
        sa.Index("ix_continuation_referral", "dealer_id", "referral_id"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    referral_id: Mapped[UUID]
    last_on: Mapped[date]
    """Included."""
    reason: Mapped[str]
    granted_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    granted_at: Mapped[datetime]


class Delegation(Base):
    """An approver lends the right to decide to a user of the same dealer, first and last day included."""

    __tablename__ = "delegation"
    __table_args__ = (
        sa.CheckConstraint("last_on >= first_on", name="days_in_order"),
        sa.CheckConstraint("delegate_id <> approver_id", name="two_people"),
        sa.Index("ix_delegation_delegate", "dealer_id", "delegate_id"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    approver_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    delegate_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    first_on: Mapped[date]
    last_on: Mapped[date]
    lent_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    lent_at: Mapped[datetime]
    ended_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    ended_at: Mapped[datetime | None]
    """When it was ended before its last day."""


class AuditEvent(Base):
    """Who did what to which thing of which company, written in the same transaction. Append-only."""

    __tablename__ = "audit_event"

    company_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"), primary_key=True)
    id: Mapped[Id]
    at: Mapped[datetime] = mapped_column(index=True)
    actor_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    event: Mapped[str]
    """noun.past, such as order.placed"""
    subject: Mapped[str]
    details: Mapped[dict[str, Any]]


class OutgoingMail(Base):
    """A mail owed since the transaction that wrote it; the worker sends it, or a digest that contains it."""

    __tablename__ = "outgoing_mail"
    __table_args__ = (
        sa.CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        sa.Index(
            "ix_outgoing_mail_owed",
            "next_try_at",
            "id",
            sqlite_where=sa.text("sent_at IS NULL AND given_up_at IS NULL"),
            postgresql_where=sa.text("sent_at IS NULL AND given_up_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    recipient: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    """Plain text without the link."""
    path: Mapped[str] = mapped_column(server_default="")
    """The page it leads to, as a path of this site; '' where there is none. Opening it changes nothing."""
    is_digestible: Mapped[bool] = mapped_column(server_default=sa.false())
    """Whether it can wait for the one mail a day of those who prefer that."""
    created_at: Mapped[datetime]
    next_try_at: Mapped[datetime | None]
    """None is at once; the worker sets it ahead while it sends, and after a failure."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    failure: Mapped[str] = mapped_column(server_default="")
    """What the mail server said last, where it did not take it."""
    given_up_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    """When the mail server took it, or the digest that contains it."""


class MailPreference(Base):
    """How a user wants mails; without a row each comes at once."""

    __tablename__ = "mail_preference"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"), primary_key=True)
    wants_digest: Mapped[bool]
    """One mail a day, with all that can wait."""
    last_digest_on: Mapped[date | None]
    """The business day whose one mail is done, or had nothing to say."""


class SavedView(Base):
    """A list as a user filtered it, kept under a name."""

    __tablename__ = "saved_view"
    __table_args__ = (sa.UniqueConstraint("user_id", "list_name", "name"),)

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"), primary_key=True)
    id: Mapped[Id]
    list_name: Mapped[str]
    """The endpoint of the list."""
    name: Mapped[str]
    query: Mapped[str]
    """The filters, as the address of the list carries them."""
    saved_at: Mapped[datetime]


class CalendarFeed(Base):
    """The secret address under which a user's calendar reads the dates of projects. Only its digest is kept."""

    __tablename__ = "calendar_feed"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"), primary_key=True)
    token_digest: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]


class Upload(Base):
    """A file kept between its preview and its use; no business row comes of it before that."""

    __tablename__ = "upload"

    company_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"), primary_key=True)
    id: Mapped[Id]
    purpose: Mapped[str]
    filename: Mapped[str]
    sha256: Mapped[str]
    content: Mapped[bytes]
    created_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    created_at: Mapped[datetime]
