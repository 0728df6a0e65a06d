"""An installed source, or many of a project, for its account to record something of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import Permission, Viewer
from warranty.models.sources import InstalledSource
from warranty.queries.facts import events_of
from warranty.queries.serials import recorded_project
from warranty.queries.sites import SiteRow, site_rows
from warranty.queries.sources import source_by_ref
from warranty.rules.standing import Event
from warranty.states import IN_PLACE, Standing

LISTED = 200
"""Sources that the page of many shows; it counts them all."""
CANDIDATES = 100


@dataclass(frozen=True)
class RecordedSource:
    """A source as the forms show it that record something of it."""

    ref: str
    event_count: int
    model_number: str
    description: str
    quantity: int
    standing: Standing
    serial: str
    room: str
    site_number: int
    site_words: str
    shipped_on: date | None
    delivered_on: date | None
    commissioned_on: date | None
    project_ref: str
    project_name: str
    sites: tuple[SiteRow, ...]
    today: date
    """Today at its site."""
    is_in_place: bool


def recorded_source(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> RecordedSource:
    """Return a source of the viewer's account. Raises Refusal(not_found), (forbidden)."""
    source = _own_source(tx, viewer, ref)
    referral = tx.get_one(Referral, (source.dealer_id, source.referral_id))
    sites = site_rows(tx, viewer, referral, at=at)
    site = next(site for site in sites if site.id == source.site_id)
    code = tx.get_one(Company, source.dealer_id).code
    return RecordedSource(
        ref=ref,
        event_count=source.event_count,
        model_number=source.model_number,
        description=source.description,
        quantity=source.quantity,
        standing=source.standing,
        serial=source.serial,
        room=source.room,
        site_number=site.number,
        site_words=site.words,
        shipped_on=source.shipped_on,
        delivered_on=source.delivered_on,
        commissioned_on=source.commissioned_on,
        project_ref=str(PublicNumber("R", code, referral.number)),
        project_name=referral.project_name,
        sites=sites,
        today=site.today,
        is_in_place=source.standing in IN_PLACE,
    )


def _own_source(tx: Session, viewer: Viewer, ref: str) -> InstalledSource:
    source = tx.scalars(source_by_ref(tx, viewer, ref)).one_or_none()
    if source is None:
        raise Refusal("not_found")
    if source.account_id != viewer.company_id or not viewer.may(Permission.SOURCE_RECORD):
        raise Refusal("forbidden")
    return source


def event_to_correct(tx: Session, *, viewer: Viewer, ref: str, number: int) -> Event:
    """Return an event of a source of the viewer's account. Raises Refusal(not_found), (forbidden)."""
    source = _own_source(tx, viewer, ref)
    for event in events_of(tx, source.dealer_id, [source.id])[source.id]:
        if event.number == number:
            return event
    raise Refusal("not_found")


@dataclass(frozen=True)
class FreeReplacement:
    """A unit sent as a warranty replacement that took nobody's place yet."""

    ref: str
    words: str


def free_replacements(tx: Session, *, viewer: Viewer, ref: str) -> tuple[FreeReplacement, ...]:
    """Return what could take the place of a source: sent for its order line, in place, and free.

    Raises Refusal(not_found), (forbidden).
    """
    source = _own_source(tx, viewer, ref)
    code = tx.get_one(Company, source.dealer_id).code
    rows = tx.scalars(
        sa.select(InstalledSource)
        .where(
            InstalledSource.dealer_id == source.dealer_id,
            InstalledSource.order_id == source.order_id,
            InstalledSource.line_id == source.line_id,
            InstalledSource.id != source.id,
            InstalledSource.replacement_number.is_not(None),
            InstalledSource.replaces_id.is_(None),
            InstalledSource.standing.in_(IN_PLACE),
            InstalledSource.quantity > 0,
        )
        .order_by(InstalledSource.number)
        .limit(CANDIDATES)
    )
    return tuple(
        FreeReplacement(
            ref=(name := str(PublicNumber("U", code, row.number))),
            words=f"{name}: {row.quantity} {'unit' if row.quantity == 1 else 'units'}"
            + (f", serial {row.serial}" if row.serial else ""),
        )
        for row in rows
    )


# many of a project ------------------------------------------------------------------------------


@dataclass(frozen=True)
class ListedSource:
    """A source in the list of those that something happened to."""

    ref: str
    order_ref: str
    model_number: str
    room: str
    quantity: int
    serial: str
    delivered_on: date | None
    commissioned_on: date | None


@dataclass(frozen=True)
class ProjectSources:
    """The sources in place of a project that the account sold, of a room and an order where those are said."""

    ref: str
    project_name: str
    sites: tuple[SiteRow, ...]
    rooms: tuple[str, ...]
    orders: tuple[str, ...]
    room: str | None
    order_ref: str
    count: int
    units: int
    rows: tuple[ListedSource, ...]
    """The first LISTED of them."""
    today: date


def project_sources_to_record(
    tx: Session, *, viewer: Viewer, at: datetime, ref: str, room: str | None, order_ref: str
) -> ProjectSources:
    """Return them. Raises Refusal(not_found), also for a room or an order that has none; (forbidden)."""
    referral = recorded_project(tx, viewer, ref)
    code = tx.get_one(Company, referral.dealer_id).code
    where = (
        InstalledSource.dealer_id == referral.dealer_id,
        InstalledSource.referral_id == referral.id,
        InstalledSource.account_id == viewer.company_id,
        InstalledSource.standing.in_(IN_PLACE),
        InstalledSource.quantity > 0,
    )
    of_order = sa.and_(Order.dealer_id == InstalledSource.dealer_id, Order.id == InstalledSource.order_id)
    places = tx.execute(
        sa.select(
            InstalledSource.room,
            Order.number,
            sa.func.count(),
            sa.func.sum(InstalledSource.quantity),
        )
        .join(Order, of_order)
        .where(*where)
        .group_by(InstalledSource.room, Order.number)
    ).all()
    chosen = [
        place
        for place in places
        if room in {None, place[0]} and order_ref in {"", str(PublicNumber("O", code, place[1]))}
    ]
    if not chosen and (room is not None or order_ref):
        raise Refusal("not_found")
    rows = tx.execute(
        sa.select(InstalledSource, Order.number)
        .join(Order, of_order)
        .where(
            *where,
            sa.true() if room is None else InstalledSource.room == room,
            Order.number.in_(sorted({place[1] for place in chosen})) if order_ref else sa.true(),
        )
        .order_by(InstalledSource.room, InstalledSource.number)
        .limit(LISTED)
    ).all()
    sites = site_rows(tx, viewer, referral, at=at)
    return ProjectSources(
        ref=ref,
        project_name=referral.project_name,
        sites=sites,
        rooms=tuple(sorted({place[0] for place in places})),
        orders=_order_refs(code, [place[1] for place in places]),
        room=room,
        order_ref=order_ref,
        count=sum(place[2] for place in chosen),
        units=sum(int(place[3]) for place in chosen),
        rows=tuple(_listed(code, source, number) for source, number in rows),
        today=max((site.today for site in sites), default=at.date()),
    )


def _order_refs(code: str, numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(str(PublicNumber("O", code, number)) for number in sorted(set(numbers)))


def _listed(code: str, source: InstalledSource, order_number: int) -> ListedSource:
    return ListedSource(
        ref=str(PublicNumber("U", code, source.number)),
        order_ref=str(PublicNumber("O", code, order_number)),
        model_number=source.model_number,
        room=source.room,
        quantity=source.quantity,
        serial=source.serial,
        delivered_on=source.delivered_on,
        commissioned_on=source.commissioned_on,
    )
