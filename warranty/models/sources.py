"""Tables of sites, installed sources, their events and serial numbers."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from quotes.states import Category
from referral.db import Base, DealerId, Digest, Id, choice
from warranty.states import Lacking, SourceEventKind, Standing


class Site(Base):
    """A place of a project where sources are, in one time zone. Insert-only: its days stay what they were."""

    __tablename__ = "site"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "referral_id"], ["referral.dealer_id", "referral.id"]),
        sa.UniqueConstraint("dealer_id", "referral_id", "number"),
        sa.CheckConstraint("number > 0", name="number_positive"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    referral_id: Mapped[UUID]
    number: Mapped[int]
    """Within the project; 1 is the project's own place."""
    name: Mapped[str]
    place: Mapped[str]
    time_zone: Mapped[str]
    added_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    added_at: Mapped[datetime]


class InstalledSource(Base):
    """A unit, or a counted group of alike ones, that shipped with an order. It is never removed.

    Which order line it came from is fixed. The columns from `quantity` on are read off its events and the
    terms, and written with them; verification computes them anew.
    """

    __tablename__ = "installed_source"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "referral_id"], ["referral.dealer_id", "referral.id"]),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "line_id"],
            ["order_line.dealer_id", "order_line.order_id", "order_line.line_id"],
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "shipment_number", "line_id"],
            [
                "shipment_line.dealer_id",
                "shipment_line.order_id",
                "shipment_line.shipment_number",
                "shipment_line.line_id",
            ],
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "replacement_number", "line_id"],
            [
                "replacement_line.dealer_id",
                "replacement_line.order_id",
                "replacement_line.replacement_number",
                "replacement_line.line_id",
            ],
        ),
        sa.ForeignKeyConstraint(["dealer_id", "site_id"], ["site.dealer_id", "site.id"]),
        sa.ForeignKeyConstraint(
            ["dealer_id", "split_from_id"], ["installed_source.dealer_id", "installed_source.id"]
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "replaces_id"], ["installed_source.dealer_id", "installed_source.id"]
        ),
        sa.UniqueConstraint("dealer_id", "number"),
        sa.CheckConstraint(
            "(shipment_number IS NULL) <> (replacement_number IS NULL)", name="shipped_or_replacing"
        ),
        sa.CheckConstraint("quantity >= 0", name="quantity_not_negative"),
        sa.CheckConstraint("serial = '' OR quantity = 1", name="serial_is_of_one_unit"),
        sa.Index("ix_installed_source_project", "dealer_id", "referral_id", "site_id", "room", "number"),
        sa.Index("ix_installed_source_order", "dealer_id", "order_id", "line_id"),
        sa.Index("ix_installed_source_dealer_end", "dealer_id", "ends_on", "number"),
        sa.Index("ix_installed_source_account_end", "account_id", "ends_on", "dealer_id", "number"),
        sa.Index("ix_installed_source_end", "ends_on", "dealer_id", "number"),
        sa.Index("ix_installed_source_lacking", "lacking", "dealer_id"),
        sa.Index("ix_installed_source_account_lacking", "account_id", "lacking"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    number: Mapped[int]
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    """The qualified account of the order, which owes in-warranty coverage (program sheet)."""
    referral_id: Mapped[UUID]
    order_id: Mapped[UUID]
    line_id: Mapped[UUID]
    shipment_number: Mapped[int | None]
    """The shipment it came with; None for a warranty replacement."""
    replacement_number: Mapped[int | None]
    """The order's warranty replacement it came with; None for what was ordered."""
    split_from_id: Mapped[UUID | None]
    """The group it was part of."""
    model_number: Mapped[str]
    description: Mapped[str]
    family: Mapped[str]
    category: Mapped[Category] = mapped_column(choice(Category, "category"))
    ordered_on: Mapped[date]
    """The business day of the order, which decides the terms; of a replacement that of the order it belongs to."""
    made_at: Mapped[datetime]

    event_count: Mapped[int]
    """The number of its last event: what a change was read with."""
    quantity: Mapped[int]
    standing: Mapped[Standing] = mapped_column(choice(Standing, "standing"))
    serial: Mapped[str]
    site_id: Mapped[UUID]
    room: Mapped[str]
    shipped_on: Mapped[date | None]
    delivered_on: Mapped[date | None]
    commissioned_on: Mapped[date | None]
    gone_on: Mapped[date | None]
    """The day it was replaced or retired."""
    replaces_id: Mapped[UUID | None]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    """The last covered day of its warranty; None where that is undetermined, and once it is gone or voided."""
    lacking: Mapped[Lacking | None] = mapped_column(choice(Lacking, "lacking"))
    """What has to be said before its warranty is determined; None where nothing lacks, and once it is gone or voided."""


class SourceEvent(Base):
    """Something that happened to an installed source on a day of its site, or a correction. Insert-only."""

    __tablename__ = "source_event"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "source_id"], ["installed_source.dealer_id", "installed_source.id"]
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "other_id"], ["installed_source.dealer_id", "installed_source.id"]
        ),
        sa.ForeignKeyConstraint(["dealer_id", "site_id"], ["site.dealer_id", "site.id"]),
        sa.CheckConstraint("number > 0", name="number_positive"),
        sa.CheckConstraint("quantity >= 0", name="quantity_not_negative"),
        sa.CheckConstraint("(kind = 'corrected') = (voids IS NOT NULL)", name="correction_names_an_event"),
        sa.CheckConstraint("voids IS NULL OR voids < number", name="correction_of_an_earlier_event"),
        sa.CheckConstraint("(kind = 'identified') = (serial <> '')", name="identified_by_a_serial"),
        sa.CheckConstraint("(kind = 'moved') = (site_id IS NOT NULL)", name="moved_to_a_site"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[SourceEventKind] = mapped_column(choice(SourceEventKind, "kind"))
    happened_on: Mapped[date]
    """A day of the site it was at."""
    quantity: Mapped[int]
    """Of a split, the units that left; of the first event, the units there were; else 0."""
    site_id: Mapped[UUID | None]
    room: Mapped[str]
    serial: Mapped[str]
    other_id: Mapped[UUID | None]
    """The other source of a split, a replacement."""
    voids: Mapped[int | None]
    """The number of the event that a correction takes out."""
    reason: Mapped[str]
    is_inherited: Mapped[bool]
    """Recorded of the group before these units were split off it, by whom and when it was recorded then."""
    recorded_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("user.id"))
    recorded_at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(Digest)


class SerialNumber(Base):
    """Which source bears a serial number: one of all dealers. A corrected one is free again.

    Copied to every node of a distributed database: no key of it leads into a dealer's own tables.
    """

    __tablename__ = "serial_number"
    __table_args__ = (sa.Index("ix_serial_number_source", "dealer_id", "source_id"),)

    serial: Mapped[str] = mapped_column(primary_key=True)
    """As compared: upper case, without spaces."""
    dealer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    source_id: Mapped[UUID]


class SerialImport(Base):
    """A file of serial numbers of one project, and how far its rows are taken in. Counts grow batch by batch."""

    __tablename__ = "serial_import"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "referral_id"], ["referral.dealer_id", "referral.id"]),
        sa.UniqueConstraint("dealer_id", "referral_id", "account_id", "sha256"),
        sa.CheckConstraint("walked_count <= row_count", name="walked_within_rows"),
        sa.CheckConstraint(
            "new_count + repeated_count + refused_count = walked_count", name="counts_add_up_to_walked"
        ),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    id: Mapped[Id]
    referral_id: Mapped[UUID]
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("company.id"))
    sha256: Mapped[str] = mapped_column(Digest)
    """Of the file: the same file of the same project is one import, taken up where it stopped."""
    filename: Mapped[str]
    is_good_only: Mapped[bool]
    """Whether refused rows are left out, on purpose."""
    row_count: Mapped[int]
    walked_count: Mapped[int]
    """Rows from the top that are settled."""
    new_count: Mapped[int]
    repeated_count: Mapped[int]
    """Rows that said nothing new."""
    refused_count: Mapped[int]
    started_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
