"""Tables of agreements: what was chosen of an offer, for which sites and prices, and what was used of it."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Digest, Id, choice
from support.states import AgreementState, Platform


class Agreement(Base):
    """A dealer's client has an offer for sites, for a term. Once accepted its terms never change."""

    __tablename__ = "agreement"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "renews_id"], ["agreement.dealer_id", "agreement.id"]),
        sa.UniqueConstraint("dealer_id", "number"),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.CheckConstraint("months BETWEEN 1 AND 600", name="months_in_range"),
        sa.CheckConstraint("(terms = '') = (terms_digest IS NULL)", name="terms_have_a_digest"),
        sa.CheckConstraint(
            "(accepted_at IS NULL) = (state NOT IN ('accepted', 'terminated'))", name="accepted_at_an_instant"
        ),
        sa.Index("ix_agreement_state", "state", "dealer_id", "number"),
        sa.Index("ix_agreement_last", "last_on", "dealer_id", "number"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    number: Mapped[int]
    idempotency_key: Mapped[str]
    request_digest: Mapped[str] = mapped_column(Digest)
    offer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("catalogue_entry.id"))
    customer: Mapped[str]
    """Who it is for, as the dealer names its client."""
    starts_on: Mapped[date]
    months: Mapped[int]
    last_on: Mapped[date]
    """The last day of the term; of one that was terminated, the day it ended."""
    choices: Mapped[str]
    """What was chosen of the offer's grants, as canonical JSON: grant key to a count, null (unlimited) or a tick."""
    license_cents: Mapped[int | None]
    """What the customer's licenses are worth, where the offer asks for it."""
    renews_id: Mapped[UUID | None]
    """The agreement that it continues."""
    state: Mapped[AgreementState] = mapped_column(choice(AgreementState, "state"))
    edit_count: Mapped[int]
    """Saves so far: what a change was read with."""
    made_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    made_at: Mapped[datetime]
    terms: Mapped[str]
    """All that is offered, as canonical JSON; '' while it is a draft. Fixed once accepted."""
    terms_digest: Mapped[str | None] = mapped_column(Digest)
    offered_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    offered_at: Mapped[datetime | None]
    accepted_name: Mapped[str]
    """The name typed by whoever accepted the standard terms and conditions; '' until then."""
    accepted_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    accepted_at: Mapped[datetime | None]
    closing_words: Mapped[str]
    """Why it was declined, withdrawn or terminated."""
    closed_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    closed_at: Mapped[datetime | None]


class AgreementSite(Base):
    """A site that an agreement is for, with the qualified account of its project."""

    __tablename__ = "agreement_site"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "agreement_id"], ["agreement.dealer_id", "agreement.id"]),
        sa.ForeignKeyConstraint(["dealer_id", "site_id"], ["site.dealer_id", "site.id"]),
        sa.Index("ix_agreement_site_site", "dealer_id", "site_id"),
        sa.Index("ix_agreement_site_account", "account_id", "dealer_id"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    agreement_id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))


class AgreementPrice(Base):
    """The net price of a contract year, and its tax, which is a line of its own."""

    __tablename__ = "agreement_price"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "agreement_id"], ["agreement.dealer_id", "agreement.id"]),
        sa.CheckConstraint("contract_year > 0", name="contract_year_positive"),
        sa.CheckConstraint("net_cents >= 0", name="net_not_negative"),
        sa.CheckConstraint("tax_cents >= 0", name="tax_not_negative"),
        sa.CheckConstraint("tax_basis_points BETWEEN 0 AND 10000", name="tax_rate_in_range"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    agreement_id: Mapped[UUID] = mapped_column(primary_key=True)
    contract_year: Mapped[int] = mapped_column(primary_key=True)
    """1 is the first twelve months of the term."""
    net_cents: Mapped[int]
    tax_basis_points: Mapped[int]
    """Hundredths of a percent."""
    tax_cents: Mapped[int]


class SiteSystem(Base):
    """What system is at a site from a day on, and whether it can be reached remotely. Insert-only."""

    __tablename__ = "site_system"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "site_id"], ["site.dealer_id", "site.id"]),
        sa.CheckConstraint("number > 0", name="number_positive"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    site_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """Of the site's records; of two for one platform and day the later holds."""
    platform: Mapped[Platform] = mapped_column(choice(Platform, "platform"))
    since_on: Mapped[date]
    is_there: Mapped[bool]
    """False: it was taken out, or was never there."""
    has_remote_access: Mapped[bool]
    """It is connected and configured for remote access."""
    words: Mapped[str]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    recorded_at: Mapped[datetime]


class QuotaTopUp(Base):
    """More of a grant was bought for one contract year, at a price of its own. Insert-only."""

    __tablename__ = "quota_top_up"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "agreement_id"], ["agreement.dealer_id", "agreement.id"]),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint("contract_year > 0", name="contract_year_positive"),
        sa.CheckConstraint("net_cents >= 0", name="net_not_negative"),
        sa.CheckConstraint("tax_cents >= 0", name="tax_not_negative"),
        sa.CheckConstraint("tax_basis_points BETWEEN 0 AND 10000", name="tax_rate_in_range"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    agreement_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """Uses and top-ups of an agreement are numbered together, in the order they were recorded in."""
    idempotency_key: Mapped[str]
    request_digest: Mapped[str] = mapped_column(Digest)
    grant_key: Mapped[str]
    contract_year: Mapped[int]
    amount: Mapped[int]
    """Units of the grant's quota: hours, blocks, visits, times."""
    bought_on: Mapped[date]
    net_cents: Mapped[int]
    tax_basis_points: Mapped[int]
    tax_cents: Mapped[int]
    words: Mapped[str]
    added_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    added_at: Mapped[datetime]


class QuotaUse(Base):
    """Something was used of a grant on a day, or taken back. Insert-only."""

    __tablename__ = "quota_use"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "agreement_id"], ["agreement.dealer_id", "agreement.id"]),
        sa.ForeignKeyConstraint(["dealer_id", "call_id"], ["service_call.dealer_id", "service_call.id"]),
        sa.ForeignKeyConstraint(["dealer_id", "visit_id"], ["service_visit.dealer_id", "service_visit.id"]),
        sa.ForeignKeyConstraint(["dealer_id", "site_id"], ["site.dealer_id", "site.id"]),
        sa.UniqueConstraint("dealer_id", "agreement_id", "reverses"),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.CheckConstraint("reverses IS NULL OR reverses < number", name="reversal_of_an_earlier_one"),
        sa.CheckConstraint("covered + billable = amount", name="covered_and_billable_add_up"),
        sa.CheckConstraint("amount >= 0 AND covered >= 0 AND billable >= 0", name="amounts_not_negative"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    agreement_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """Uses and top-ups of an agreement are numbered together, in the order they were recorded in."""
    idempotency_key: Mapped[str]
    request_digest: Mapped[str] = mapped_column(Digest)
    grant_key: Mapped[str]
    used_on: Mapped[date]
    contract_year: Mapped[int]
    """The one that `used_on` lies in."""
    asked: Mapped[int]
    """Minutes of a quota of time, else units."""
    amount: Mapped[int]
    """What counts: minutes of a quota of hours, else units (a started block is one)."""
    covered: Mapped[int]
    """The part of `amount` that the quota had left."""
    billable: Mapped[int]
    within: Mapped[str]
    """What it held of the things that the grant limits each time, as canonical JSON: limit to count."""
    site_id: Mapped[UUID | None]
    """Where it was used; None where the agreement's sites alike are meant."""
    call_id: Mapped[UUID | None]
    visit_id: Mapped[UUID | None]
    reverses: Mapped[int | None]
    """The number of the use that this one takes back."""
    words: Mapped[str]
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    recorded_at: Mapped[datetime]


class RequirementMark(Base):
    """The customer's side of an agreement: a requirement is met from a day on, or not any more. Insert-only."""

    __tablename__ = "requirement_mark"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "agreement_id"], ["agreement.dealer_id", "agreement.id"]),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    agreement_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    requirement_key: Mapped[str]
    is_met: Mapped[bool]
    since_on: Mapped[date]
    words: Mapped[str]
    marked_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    marked_at: Mapped[datetime]
