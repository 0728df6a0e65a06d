"""The table of warranty claims."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Digest, Id, choice
from warranty.states import ClaimState, Verdict


class Claim(Base):
    """A failure of an installed source, with the answer it was decided by, frozen."""

    __tablename__ = "claim"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "source_id"], ["installed_source.dealer_id", "installed_source.id"]
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "new_source_id"], ["installed_source.dealer_id", "installed_source.id"]
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "replacement_number"],
            ["replacement.dealer_id", "replacement.order_id", "replacement.number"],
        ),
        sa.UniqueConstraint("dealer_id", "number"),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.Index(
            "uq_claim_live_source",
            "dealer_id",
            "source_id",
            unique=True,
            sqlite_where=sa.text("state IN ('open', 'accepted')"),
            postgresql_where=sa.text("state IN ('open', 'accepted')"),
        ),
        sa.Index("ix_claim_account", "account_id", "state", "dealer_id"),
        sa.Index("ix_claim_dealer", "dealer_id", "state"),
        sa.CheckConstraint("(answer = '') = (decided_at IS NULL)", name="decided_by_an_answer"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    number: Mapped[int]
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    source_id: Mapped[UUID]
    order_id: Mapped[UUID]
    idempotency_key: Mapped[str]
    request_digest: Mapped[str] = mapped_column(Digest)
    state: Mapped[ClaimState] = mapped_column(choice(ClaimState, "state"))
    problem: Mapped[str]
    failed_on: Mapped[date | None]
    """The day of failure at the site; None where it is unknown: then the day of report decides."""
    reported_on: Mapped[date]
    """The day at the site on which the failure was reported."""
    opened_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    opened_at: Mapped[datetime]
    verdict: Mapped[Verdict | None] = mapped_column(choice(Verdict, "verdict"))
    answer: Mapped[str]
    """The coverage answer as it was when decided, as canonical JSON; '' until then. Never changed after."""
    answer_digest: Mapped[str | None] = mapped_column(Digest)
    is_goodwill: Mapped[bool]
    """Accepted although not covered, with a reason."""
    reason: Mapped[str]
    """Why it was accepted as goodwill, or refused; part of the decision. '' where it is covered."""
    decided_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    decided_at: Mapped[datetime | None]
    replacement_number: Mapped[int | None]
    new_source_id: Mapped[UUID | None]
    """The unit ordered in its place."""
    closing_words: Mapped[str]
    """Why it was withdrawn, or how it was made good without a replacement."""
    closed_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    closed_at: Mapped[datetime | None]
