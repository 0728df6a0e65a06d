"""Keeping up with orders: what ships becomes installed sources, what comes back is none any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order, OrderLine
from quotes.models.quotes import Quote, RevisionLine
from quotes.models.replacements import Replacement, ReplacementLine
from quotes.models.returns import OrderReturn, OrderReturnLine
from quotes.models.shipments import Shipment, ShipmentLine
from referral.permissions import Viewer
from warranty.models.sources import InstalledSource, Site
from warranty.operations.recording import NewSource, Said, make_sources, record_events
from warranty.operations.sites import first_site
from warranty.operations.splits import split_units
from warranty.states import IN_PLACE, KETRA, SourceEventKind, Standing


def follow_order(tx: Session, *, actor: Viewer | None, at: datetime, order: Order) -> int:  # noqa: ARG001
    """Every Ketra unit that shipped, or was sent as a replacement, is an installed source; returned ones are none.

    The order is locked by the caller. Its shipments, replacements and returns say by whom and when, so that
    an order followed later reads the same. Returns how many sources were made or voided; 0 when nothing is new.
    """
    lines = _ketra_lines(tx, order)
    if not lines:
        return 0
    made = _make_missing(tx, order, lines, at)
    return made + _void_returned(tx, order, lines, at)


@dataclass(frozen=True)
class _Arrival:
    """Units of one line that came with a shipment or as a replacement."""

    line_id: UUID
    shipment_number: int | None
    replacement_number: int | None
    quantity: int
    day: date
    by: UUID
    at: datetime


def _ketra_lines(tx: Session, order: Order) -> dict[UUID, RevisionLine]:
    rows = tx.scalars(
        sa.select(RevisionLine)
        .join(
            OrderLine,
            sa.and_(
                OrderLine.dealer_id == RevisionLine.dealer_id,
                OrderLine.quote_id == RevisionLine.quote_id,
                OrderLine.revision_number == RevisionLine.revision_number,
                OrderLine.line_id == RevisionLine.line_id,
            ),
        )
        .where(
            OrderLine.dealer_id == order.dealer_id,
            OrderLine.order_id == order.id,
            RevisionLine.category.in_(KETRA),
        )
    )
    return {row.line_id: row for row in rows}


def _arrivals(tx: Session, order: Order) -> Iterable[_Arrival]:
    shipped = tx.execute(
        sa.select(ShipmentLine, Shipment)
        .join(
            Shipment,
            sa.and_(
                Shipment.dealer_id == ShipmentLine.dealer_id,
                Shipment.order_id == ShipmentLine.order_id,
                Shipment.number == ShipmentLine.shipment_number,
            ),
        )
        .where(ShipmentLine.dealer_id == order.dealer_id, ShipmentLine.order_id == order.id)
        .order_by(Shipment.number, ShipmentLine.line_id)
    )
    for line, shipment in shipped:
        yield _Arrival(
            line.line_id,
            shipment.number,
            None,
            line.quantity,
            shipment.shipped_on,
            shipment.recorded_by,
            shipment.recorded_at,
        )
    replaced = tx.execute(
        sa.select(ReplacementLine, Replacement)
        .join(
            Replacement,
            sa.and_(
                Replacement.dealer_id == ReplacementLine.dealer_id,
                Replacement.order_id == ReplacementLine.order_id,
                Replacement.number == ReplacementLine.replacement_number,
            ),
        )
        .where(ReplacementLine.dealer_id == order.dealer_id, ReplacementLine.order_id == order.id)
        .order_by(Replacement.number, ReplacementLine.line_id)
    )
    for sent, replacement in replaced:
        yield _Arrival(
            sent.line_id,
            None,
            replacement.number,
            sent.quantity,
            replacement.ordered_on,
            replacement.ordered_by,
            replacement.ordered_at,
        )


def _make_missing(tx: Session, order: Order, lines: dict[UUID, RevisionLine], at: datetime) -> int:
    there = {
        (line_id, shipment, replacement)
        for line_id, shipment, replacement in tx.execute(
            sa.select(
                InstalledSource.line_id, InstalledSource.shipment_number, InstalledSource.replacement_number
            ).where(InstalledSource.dealer_id == order.dealer_id, InstalledSource.order_id == order.id)
        )
    }
    new = [
        arrival
        for arrival in _arrivals(tx, order)
        if arrival.line_id in lines
        and (arrival.line_id, arrival.shipment_number, arrival.replacement_number) not in there
    ]
    if not new:
        return 0
    quote = tx.get_one(Quote, (order.dealer_id, order.quote_id))
    site = first_site(tx, dealer_id=order.dealer_id, referral_id=quote.referral_id, at=at)
    new.sort(key=lambda arrival: (arrival.at, lines[arrival.line_id].position))
    sources = [
        NewSource(_origin(order, quote, lines[arrival.line_id], arrival), _first_events(site, arrival, lines))
        for arrival in new
    ]
    return len(make_sources(tx, dealer_id=order.dealer_id, at=at, sources=sources))


def _origin(order: Order, quote: Quote, line: RevisionLine, arrival: _Arrival) -> dict[str, Any]:
    return {
        "account_id": order.account_id,
        "referral_id": quote.referral_id,
        "order_id": order.id,
        "line_id": line.line_id,
        "shipment_number": arrival.shipment_number,
        "replacement_number": arrival.replacement_number,
        "split_from_id": None,
        "model_number": line.model_number,
        "description": line.description,
        "family": line.family,
        "category": line.category,
        "ordered_on": order.entered_on,
    }


def _first_events(site: Site, arrival: _Arrival, lines: dict[UUID, RevisionLine]) -> list[Said]:
    """Return that it shipped (a replacement: was sent) and is meant for the project's place and its line's room."""
    return [
        Said(SourceEventKind.SHIPPED, arrival.day, arrival.by, arrival.at, quantity=arrival.quantity),
        Said(
            SourceEventKind.MOVED,
            arrival.day,
            arrival.by,
            arrival.at,
            site_id=site.id,
            room=lines[arrival.line_id].room,
        ),
    ]


def _void_returned(tx: Session, order: Order, lines: dict[UUID, RevisionLine], at: datetime) -> int:
    """Void as many shipped units of each line as came back: unnamed ones first, those shipped last first."""
    returns: dict[UUID, list[tuple[OrderReturn, int]]] = defaultdict(list)
    for row, returned in tx.execute(
        sa.select(OrderReturnLine, OrderReturn)
        .join(
            OrderReturn,
            sa.and_(
                OrderReturn.dealer_id == OrderReturnLine.dealer_id,
                OrderReturn.order_id == OrderReturnLine.order_id,
                OrderReturn.number == OrderReturnLine.return_number,
            ),
        )
        .where(OrderReturnLine.dealer_id == order.dealer_id, OrderReturnLine.order_id == order.id)
        .order_by(OrderReturn.number)
    ):
        if row.line_id in lines:
            returns[row.line_id].append((returned, row.quantity))
    voided = 0
    for line_id, backs in returns.items():
        sources = _shipped_sources(tx, order, line_id)
        done = sum(source.quantity for source in sources if source.standing is Standing.VOIDED)
        left = [source for source in sources if source.standing is not Standing.VOIDED]
        for returned, quantity in backs:
            settled = min(done, quantity)
            done -= settled
            wanted = quantity - settled
            while wanted:
                source = left.pop(0)
                taken = min(wanted, source.quantity)
                _void(tx, source, taken, returned, at)
                wanted -= taken
                voided += 1
                if taken < source.quantity:
                    tx.refresh(source)
                    left.insert(0, source)
    return voided


def _shipped_sources(tx: Session, order: Order, line_id: UUID) -> list[InstalledSource]:
    rows = tx.scalars(
        sa.select(InstalledSource)
        .where(
            InstalledSource.dealer_id == order.dealer_id,
            InstalledSource.order_id == order.id,
            InstalledSource.line_id == line_id,
            InstalledSource.shipment_number.is_not(None),
            InstalledSource.quantity > 0,
        )
        .order_by(InstalledSource.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    return sorted(
        rows,
        key=lambda row: (
            row.standing not in IN_PLACE,
            row.serial != "",
            row.commissioned_on is not None,
            -(row.shipment_number or 0),
            -row.number,
        ),
    )


def _void(tx: Session, source: InstalledSource, quantity: int, returned: OrderReturn, at: datetime) -> None:
    """So many units of the source went back with a return; the rest of a group stays."""
    event = Said(
        SourceEventKind.VOIDED,
        returned.returned_on,
        returned.returned_by,
        returned.returned_at,
        reason=f"Returned with return {returned.number} of its order.",
    )
    if quantity < source.quantity:
        (source,) = split_units(
            tx, source=source, quantities=[quantity], day=returned.returned_on, by=returned.returned_by, at=at
        )
    record_events(
        tx,
        dealer_id=source.dealer_id,
        said={source.id: [event]},
        counts={source.id: source.event_count},
    )
