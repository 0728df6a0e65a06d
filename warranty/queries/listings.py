"""Lists of installed sources: filtered, added up in units, page by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from quotes.models.orders import Order
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import Viewer
from referral.queries.records import PAGE_ROWS, holds_words
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import today
from referral.text import fold_model_number
from warranty.models.sources import InstalledSource, Site
from warranty.queries.sources import sources_seen_by
from warranty.states import IN_PLACE, Lacking, Standing

PLACED = "in_place"
STANDING_WORDS: Mapping[str, str] = MappingProxyType(
    {
        PLACED: "In place",
        Standing.SHIPPED.value: "Shipped",
        Standing.DELIVERED.value: "Delivered",
        Standing.COMMISSIONED.value: "Commissioned",
        Standing.REPLACED.value: "Replaced",
        Standing.RETIRED.value: "Retired",
        Standing.VOIDED.value: "Returned",
    }
)
"""Where a source stands, as lists say it; in place are those that shipped and were not taken out."""
LACKING_WORDS: Mapping[str, str] = MappingProxyType(
    {
        Lacking.TERMS.value: "Warranty terms of its family",
        Lacking.SHIPPED.value: "Day of shipping",
        Lacking.DELIVERED.value: "Day of delivery",
        Lacking.COMMISSIONED.value: "Day of commissioning",
        Lacking.REPLACES.value: "Which source it took the place of",
    }
)
"""What an undetermined warranty waits for."""
WORKBOOK_ROWS = 500
"""Rows that are read at once for a workbook."""


@dataclass(frozen=True)
class SourceFilter:
    """What a list of sources is narrowed to; what is empty narrows nothing."""

    state: str = ""
    """One of STANDING_WORDS."""
    lacking: str = ""
    """One of LACKING_WORDS."""
    referral_ref: str = ""
    order_ref: str = ""
    project: str = ""
    """Words of the project's name or place."""
    company: str = ""
    """Words of the dealer's or the account's name, or a code."""
    model: str = ""
    """Part of the model number."""
    family: str = ""
    """Words of the family."""
    serial: str = ""
    """Part of the serial number."""
    room: str = ""
    since: date | None = None
    """The warranty ends on this day or later."""
    until: date | None = None


@dataclass(frozen=True)
class SourceRow:
    """An installed source in a list."""

    ref: str
    model_number: str
    description: str
    family: str
    quantity: int
    serial: str
    standing: Standing
    is_replacement: bool
    """Whether it was sent as a warranty replacement."""
    referral_ref: str
    project_name: str
    place: str
    order_ref: str
    site: str
    room: str
    dealer_name: str
    account_name: str
    shipped_on: date | None
    delivered_on: date | None
    commissioned_on: date | None
    gone_on: date | None
    starts_on: date | None
    ends_on: date | None
    days_left: int | None
    """From today to the last covered day; below 0 once that is past, None where nothing is said."""
    lacking: Lacking | None


@dataclass(frozen=True)
class SourceTotals:
    """What filtered sources add up to."""

    sources: int
    units: int
    units_in_place: int


@dataclass(frozen=True)
class SourcesPage:
    """A page of sources; `after` continues it."""

    rows: tuple[SourceRow, ...]
    after: str | None


@dataclass(frozen=True)
class SourceList:
    """A page of a filtered list, by dealer and newest number first, and what the whole of it adds up to."""

    rows: tuple[SourceRow, ...]
    after: str | None
    totals: SourceTotals
    day: date
    """Today."""


_Keys = Sequence[Any]
"""Rows with dealer_id and id."""


def sources_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    asked: SourceFilter,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> SourcesPage:
    """Return sources the viewer may see, each dealer's newest first.

    Raises Refusal(not_found) for a referral, an order or a key that there is not.
    """
    rows, then = _page(tx, at, _narrowed(tx, viewer, asked), after, limit)
    return SourcesPage(rows, then)


def source_list(
    tx: Session, *, viewer: Viewer, at: datetime, asked: SourceFilter, after: str | None = None
) -> SourceList:
    """Return a page of the filtered list with the totals of all that is filtered. Raises Refusal(not_found)."""
    narrowed = _narrowed(tx, viewer, asked)
    rows, then = _page(tx, at, narrowed, after, PAGE_ROWS)
    return SourceList(rows, then, _totals(tx, narrowed), today(tx, at))


def source_rows(
    tx: Session, *, viewer: Viewer, at: datetime, asked: SourceFilter
) -> tuple[Iterator[SourceRow], SourceTotals]:
    """Return every row of the filtered list, read piece by piece while they are taken, and the totals."""
    narrowed = _narrowed(tx, viewer, asked)
    return _all_rows(tx, at, narrowed), _totals(tx, narrowed)


def _narrowed(tx: Session, viewer: Viewer, asked: SourceFilter) -> sa.Select[Any]:
    return filtered(tx, sources_seen_by(viewer), asked)


def filtered(tx: Session, statement: sa.Select[Any], asked: SourceFilter) -> sa.Select[Any]:
    """Return the statement of the sources that fit the filters; other tables are read for those that need them."""
    source = InstalledSource
    if asked.state:
        standings = IN_PLACE if asked.state == PLACED else {Standing(asked.state)}
        statement = statement.where(source.standing.in_(sorted(standings)))
    if asked.lacking:
        statement = statement.where(source.lacking == Lacking(asked.lacking))
    if asked.referral_ref:
        dealer_id, number = dealer_of_number(tx, asked.referral_ref.upper(), "R")
        of_number = sa.select(Referral.id).where(Referral.dealer_id == dealer_id, Referral.number == number)
        statement = statement.where(
            source.dealer_id == dealer_id, source.referral_id == of_number.scalar_subquery()
        )
    if asked.order_ref:
        dealer_id, number = dealer_of_number(tx, asked.order_ref.upper(), "O")
        of_order = sa.select(Order.id).where(Order.dealer_id == dealer_id, Order.number == number)
        statement = statement.where(
            source.dealer_id == dealer_id, source.order_id == of_order.scalar_subquery()
        )
    if asked.project:
        statement = statement.join(Referral, _of_referral()).where(
            *holds_words(asked.project, folded=Referral.project_key)
        )
    if asked.company:
        dealer, account = aliased(Company), aliased(Company)
        statement = (
            statement.join(dealer, dealer.id == source.dealer_id)
            .join(account, account.id == source.account_id)
            .where(*holds_words(asked.company, dealer.name, dealer.code, account.name, account.code))
        )
    if asked.model:
        statement = statement.where(source.model_number.contains(asked.model, autoescape=True))
    if asked.serial:
        written = sa.func.replace(sa.func.upper(source.serial), " ", "")
        statement = statement.where(written.contains(fold_model_number(asked.serial), autoescape=True))
    statement = statement.where(
        *holds_words(asked.family, source.family), *holds_words(asked.room, source.room)
    )
    if asked.since is not None:
        statement = statement.where(source.ends_on >= asked.since)
    if asked.until is not None:
        statement = statement.where(source.ends_on <= asked.until)
    return statement


def _of_referral() -> sa.ColumnElement[bool]:
    return sa.and_(
        Referral.dealer_id == InstalledSource.dealer_id, Referral.id == InstalledSource.referral_id
    )


def _totals(tx: Session, narrowed: sa.Select[Any]) -> SourceTotals:
    is_there = InstalledSource.standing.in_(sorted(IN_PLACE))
    row = tx.execute(
        narrowed.with_only_columns(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(InstalledSource.quantity), 0),
            sa.func.coalesce(sa.func.sum(sa.case((is_there, InstalledSource.quantity), else_=0)), 0),
        )
    ).one()
    return SourceTotals(*map(int, row))


def _all_rows(tx: Session, at: datetime, narrowed: sa.Select[Any]) -> Iterator[SourceRow]:
    after: str | None = None
    while True:
        rows, after = _page(tx, at, narrowed, after, WORKBOOK_ROWS)
        yield from rows
        if after is None:
            return
        tx.expunge_all()


def _page(
    tx: Session, at: datetime, narrowed: sa.Select[Any], after: str | None, limit: int
) -> tuple[tuple[SourceRow, ...], str | None]:
    """Return a page in two statements: which sources, then what they hold."""
    order = (InstalledSource.dealer_id, InstalledSource.number)
    keys = narrowed.with_only_columns(*order, InstalledSource.id)
    if after is not None:
        keys = keys.where(sa.tuple_(*order) < sa.tuple_(*dealer_of_number(tx, after, "U")))
    found = tx.execute(keys.order_by(*(column.desc() for column in order)).limit(limit + 1)).all()
    rows = rows_of(tx, found[:limit], today(tx, at))
    return rows, rows[-1].ref if len(found) > limit else None


def rows_of(tx: Session, keys: _Keys, day: date) -> tuple[SourceRow, ...]:
    """Return these sources with what lists say of them, in the order of the keys."""
    if not keys:
        return ()
    dealer, account = aliased(Company), aliased(Company)
    source = InstalledSource
    held = tx.execute(
        sa.select(source, Referral, Order.number, Site.name, dealer, account.name)
        .join(Referral, _of_referral())
        .join(Order, sa.and_(Order.dealer_id == source.dealer_id, Order.id == source.order_id))
        .join(Site, sa.and_(Site.dealer_id == source.dealer_id, Site.id == source.site_id))
        .join(dealer, dealer.id == source.dealer_id)
        .join(account, account.id == source.account_id)
        .where(source.dealer_id.in_({key.dealer_id for key in keys}), source.id.in_([key.id for key in keys]))
    )
    made = {row[0].id: _source_row(day, *row) for row in held}
    return tuple(made[key.id] for key in keys)


def _source_row(
    day: date,
    row: InstalledSource,
    referral: Referral,
    order_number: int,
    site: str,
    dealer: Company,
    account_name: str,
) -> SourceRow:
    return SourceRow(
        ref=str(PublicNumber("U", dealer.code, row.number)),
        model_number=row.model_number,
        description=row.description,
        family=row.family,
        quantity=row.quantity,
        serial=row.serial,
        standing=row.standing,
        is_replacement=row.replacement_number is not None,
        referral_ref=str(PublicNumber("R", dealer.code, referral.number)),
        project_name=referral.project_name,
        place=referral.place,
        order_ref=str(PublicNumber("O", dealer.code, order_number)),
        site=site,
        room=row.room,
        dealer_name=dealer.name,
        account_name=account_name,
        shipped_on=row.shipped_on,
        delivered_on=row.delivered_on,
        commissioned_on=row.commissioned_on,
        gone_on=row.gone_on,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        days_left=None if row.ends_on is None else (row.ends_on - day).days,
        lacking=row.lacking,
    )
