"""Tables of service calls, their events, and what was told of what is due."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Digest, Id, choice
from support.states import CallEventKind, CallState, Platform, Priority


class ServiceCall(Base):
    """Help was asked for at a site. What it was opened with never changes, and it is never removed.

    The columns from `event_count` on are read off its events, policy and calendar, and written with them;
    verification computes them anew.
    """

    __tablename__ = "service_call"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "site_id"], ["site.dealer_id", "site.id"]),
        sa.ForeignKeyConstraint(
            ["dealer_id", "source_id"], ["installed_source.dealer_id", "installed_source.id"]
        ),
        sa.ForeignKeyConstraint(["dealer_id", "agreement_id"], ["agreement.dealer_id", "agreement.id"]),
        sa.ForeignKeyConstraint(["dealer_id", "visit_id"], ["service_visit.dealer_id", "service_visit.id"]),
        sa.UniqueConstraint("dealer_id", "number"),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.Index("ix_service_call_desk", "handler_id", "waits_until", "dealer_id", "number"),
        sa.Index("ix_service_call_account", "account_id", "waits_until", "dealer_id", "number"),
        sa.Index("ix_service_call_dealer", "dealer_id", "waits_until", "number"),
        sa.Index("ix_service_call_waits", "waits_until", "dealer_id", "number"),
        sa.Index("ix_service_call_notice", "notice_at", "dealer_id"),
        sa.Index("ix_service_call_source", "dealer_id", "source_id"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    number: Mapped[int]
    idempotency_key: Mapped[str]
    request_digest: Mapped[str] = mapped_column(Digest)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    """The qualified account of the site's project."""
    handler_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    """Whose desk works on it: the program under an agreement, else the qualified account."""
    site_id: Mapped[UUID]
    source_id: Mapped[UUID | None]
    platform: Mapped[Platform | None] = mapped_column(choice(Platform, "platform"))
    """The kind of system it is about, where it is no single unit."""
    agreement_id: Mapped[UUID | None]
    grant_key: Mapped[str]
    """The grant whose commitment it was opened under; '' without one."""
    visit_id: Mapped[UUID | None]
    """The visit that was converted into it."""
    policy_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("catalogue_entry.id"))
    """The version of the policy of the day it was opened; None where nothing is promised."""
    calendar_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("catalogue_entry.id"))
    """The version of the calendar of that day."""
    time_zone: Mapped[str]
    """The zone that the calendar's hours are in for this call."""
    problem: Mapped[str]
    entitlement: Mapped[str]
    """What it was entitled to when it was opened, with the reasons, as canonical JSON."""
    opened_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    opened_at: Mapped[datetime]

    event_count: Mapped[int]
    """The number of its last event: what a change was read with."""
    state: Mapped[CallState] = mapped_column(choice(CallState, "state"))
    priority: Mapped[Priority | None] = mapped_column(choice(Priority, "priority"))
    waits_until: Mapped[datetime | None]
    """The next due instant, or the earliest missed that is still owed; else when the desk looks at it first, else the
    end of time; None once it is closed."""
    due_name: Mapped[str]
    """What is due then; empty where nothing is."""
    notice_at: Mapped[datetime | None]
    """When somebody is to be told of something due; None where nothing is."""
    attention_at: Mapped[datetime | None]
    """When the desk looks at it first; None once somebody did."""
    is_paging: Mapped[bool]
    """It calls somebody outside support hours."""
    missed_count: Mapped[int]
    """Obligations missed or met late, soft targets not counted."""


class CallEvent(Base):
    """Something that happened to a call, or a correction. Insert-only."""

    __tablename__ = "call_event"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "call_id"], ["service_call.dealer_id", "service_call.id"]),
        sa.CheckConstraint("number > 0", name="number_positive"),
        sa.CheckConstraint("(kind = 'corrected') = (voids IS NOT NULL)", name="correction_names_an_event"),
        sa.CheckConstraint("voids IS NULL OR voids < number", name="correction_of_an_earlier_event"),
        sa.CheckConstraint("kind <> 'priority' OR priority IS NOT NULL", name="priority_is_said"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[CallEventKind] = mapped_column(choice(CallEventKind, "kind"))
    happened_at: Mapped[datetime]
    priority: Mapped[Priority | None] = mapped_column(choice(Priority, "priority"))
    voids: Mapped[int | None]
    """The number of the event that a correction takes out."""
    reason: Mapped[str]
    """The named reason of a pause, of progress that stopped, of a correction."""
    words: Mapped[str]
    recorded_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    recorded_at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(Digest)


class CallNotice(Base):
    """Somebody was told that something is due, was missed, or pages. Insert-only: each is told once."""

    __tablename__ = "call_notice"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "call_id"], ["service_call.dealer_id", "service_call.id"]),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    """due, missed, page, or opened: the desk is open, and it pages no more."""
    obligation_key: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    told_at: Mapped[datetime]
