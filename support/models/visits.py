"""The table of visits: slots of an agreement that have a date."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Digest, Id, choice
from support.states import VisitState


class ServiceVisit(Base):
    """A slot of an agreement's contract year with a date. A slot without one has no row. It is never removed."""

    __tablename__ = "service_visit"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "agreement_id"], ["agreement.dealer_id", "agreement.id"]),
        sa.ForeignKeyConstraint(["dealer_id", "site_id"], ["site.dealer_id", "site.id"]),
        sa.UniqueConstraint("dealer_id", "number"),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.Index(
            "uq_service_visit_slot",
            "dealer_id",
            "agreement_id",
            "contract_year",
            "grant_key",
            "slot",
            unique=True,
            sqlite_where=sa.text("state <> 'cancelled'"),
            postgresql_where=sa.text("state <> 'cancelled'"),
        ),
        sa.Index("ix_service_visit_account", "account_id", "starts_at", "dealer_id"),
        sa.Index("ix_service_visit_starts", "starts_at", "dealer_id"),
        sa.CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        sa.CheckConstraint("slot > 0", name="slot_positive"),
        sa.CheckConstraint("(state = 'done') = (done_at IS NOT NULL)", name="done_at_an_instant"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    number: Mapped[int]
    idempotency_key: Mapped[str]
    request_digest: Mapped[str] = mapped_column(Digest)
    agreement_id: Mapped[UUID]
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    """The qualified account of the site's project."""
    grant_key: Mapped[str]
    """The visit grant, or the schedule, that it is of."""
    contract_year: Mapped[int]
    slot: Mapped[int]
    """1 is the first of the contract year."""
    site_id: Mapped[UUID]
    state: Mapped[VisitState] = mapped_column(choice(VisitState, "state"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    purposes: Mapped[list[str]]
    words: Mapped[str]
    sequence: Mapped[int]
    """How often it was changed: calendars take the latest."""
    made_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    made_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    closing_words: Mapped[str]
    """Why it was cancelled, or the emergency it became a remote session for; '' until then."""
    report: Mapped[str]
    """What was done, as signed off; '' until then."""
    checked: Mapped[list[str]]
    """The points of the purposes' checklists that were done."""
    signed_name: Mapped[str]
    """Who signed for the customer."""
    done_at: Mapped[datetime | None]
    done_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
