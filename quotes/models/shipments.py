"""Tables of shipments."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from referral.db import Base, DealerId, Digest


class Shipment(Base):
    """Ordered units left for the site. Insert-only."""

    __tablename__ = "shipment"
    __table_args__ = (
        sa.ForeignKeyConstraint(["dealer_id", "order_id"], ["order.dealer_id", "order.id"]),
        sa.UniqueConstraint("dealer_id", "idempotency_key"),
        sa.CheckConstraint("number > 0", name="number_positive"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str]
    request_digest: Mapped[str] = mapped_column(Digest)
    shipped_on: Mapped[date]
    carrier: Mapped[str]
    tracking_number: Mapped[str]
    digest: Mapped[str] = mapped_column(Digest)
    recorded_by: Mapped[UUID] = mapped_column(sa.ForeignKey("user.id"))
    recorded_at: Mapped[datetime]


class ShipmentLine(Base):
    """How many units of one order line a shipment holds. Insert-only."""

    __tablename__ = "shipment_line"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "shipment_number"],
            ["shipment.dealer_id", "shipment.order_id", "shipment.number"],
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "line_id"],
            ["order_line.dealer_id", "order_line.order_id", "order_line.line_id"],
        ),
        sa.CheckConstraint("quantity > 0", name="quantity_positive"),
    )

    dealer_id: Mapped[DealerId] = mapped_column(sa.ForeignKey("company.id"))
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    shipment_number: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    quantity: Mapped[int]
