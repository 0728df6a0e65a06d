"""Tables of the talk about service and labor prices of a revision: offers of either side, and the agreement."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from quotes.states import ServiceKind, Side
from referral.db import Base, DealerId, Digest, choice


class ServiceOffer(Base):
    """What one side wants services to cost. The first is the account's, of the submission. Insert-only."""

    __tablename__ = "service_offer"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
        ),
        sa.CheckConstraint("number > 0", name="number_positive"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision_number: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    side: Mapped[Side] = mapped_column(choice(Side, "side"))
    note: Mapped[str]
    total_cents: Mapped[int]
    digest: Mapped[str] = mapped_column(Digest)
    made_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    made_at: Mapped[datetime]


class ServiceOfferLine(Base):
    """One service of an offer and its price. Insert-only."""

    __tablename__ = "service_offer_line"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number", "offer_number"],
            [
                "service_offer.dealer_id",
                "service_offer.quote_id",
                "service_offer.revision_number",
                "service_offer.number",
            ],
        ),
        sa.CheckConstraint("amount_cents >= 0", name="amount_not_negative"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision_number: Mapped[int] = mapped_column(primary_key=True)
    offer_number: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[ServiceKind] = mapped_column(choice(ServiceKind, "kind"))
    description: Mapped[str]
    amount_cents: Mapped[int]


class ServiceAgreement(Base):
    """The side that did not make an offer agrees to it: these are the services of the revision. Insert-only."""

    __tablename__ = "service_agreement"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number", "offer_number"],
            [
                "service_offer.dealer_id",
                "service_offer.quote_id",
                "service_offer.revision_number",
                "service_offer.number",
            ],
        ),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    quote_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision_number: Mapped[int] = mapped_column(primary_key=True)
    offer_number: Mapped[int]
    side: Mapped[Side] = mapped_column(choice(Side, "side"))
    agreed_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    agreed_at: Mapped[datetime]
