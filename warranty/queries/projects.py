"""A project's installed sources, room by room, and that none of what was ordered is lost count of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from quotes.models.orders import CancellationLine, Order, OrderLine
from quotes.models.quotes import Quote, RevisionLine
from quotes.models.returns import OrderReturnLine
from quotes.models.shipments import ShipmentLine
from quotes.queries.orders import orders_seen_by
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import Viewer
from referral.queries.referrals import dealer_of_number, referrals_seen_by
from referral.queries.settings import today
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource, Site
from warranty.queries.bars import source_bars
from warranty.queries.sources import sources_seen_by
from warranty.rules.bars import Bar
from warranty.states import IN_PLACE, KETRA, LIVE_CLAIM_STATES, Lacking, Standing

SOURCE_ROWS = 200
"""Sources on one page of a project."""
LINE_ROWS = 200
"""Order lines that are listed as not shipped."""


@dataclass(frozen=True)
class PlacedSource:
    """A source where it is in its project."""

    ref: str
    model_number: str
    description: str
    family: str
    quantity: int
    serial: str
    standing: Standing
    is_replacement: bool
    order_ref: str
    site: str
    room: str
    starts_on: date | None
    ends_on: date | None
    gone_on: date | None
    lacking: Lacking | None
    has_open_claim: bool
    bar: Bar | None
    """Its warranty as a picture; None where nothing of it stands."""


@dataclass(frozen=True)
class LineCount:
    """What became of the units of one ordered Ketra line; replacements are counted apart."""

    order_ref: str
    line_id: UUID
    model_number: str
    description: str
    room: str
    ordered: int
    cancelled: int
    shipped: int
    returned: int
    in_place: int
    replaced: int
    retired: int
    voided: int
    """Returned, or recorded by mistake."""
    replacements: int
    """Warranty replacements of the line that are in place, over and above what was ordered."""

    @property
    def not_shipped(self) -> int:
        """Units that are ordered and neither cancelled nor shipped: no sources yet."""
        return self.ordered - self.cancelled - self.shipped

    @property
    def counted(self) -> int:
        """Units of the line on any source, or not shipped: as many as were ordered and not cancelled."""
        return self.in_place + self.replaced + self.retired + self.voided + self.not_shipped


@dataclass(frozen=True)
class UnitCounts:
    """What became of all the Ketra units of a project; see LineCount."""

    ordered: int
    cancelled: int
    shipped: int
    in_place: int
    replaced: int
    retired: int
    voided: int
    replacements: int

    @property
    def not_shipped(self) -> int:
        """Units that are ordered and neither cancelled nor shipped."""
        return self.ordered - self.cancelled - self.shipped


@dataclass(frozen=True)
class ProjectSources:
    """A page of a project's sources, by site and room; `after` continues it."""

    ref: str
    project_name: str
    place: str
    dealer_name: str
    account_name: str
    """The account that has the project now; each order names the account that sold it."""
    is_project_visible: bool
    """Whether the viewer sees the project itself, and not only what was sold in it."""
    is_mine: bool
    """Whether the viewer's company sold something here, so that it records and owes."""
    day: date
    counts: UnitCounts
    has_sites: bool
    """Whether the project has more than one site."""
    rows: tuple[PlacedSource, ...]
    after: str | None
    not_shipped: tuple[LineCount, ...]
    has_more_lines: bool
    in_place_units: int
    """Units in place, replacements among them."""
    undetermined_units: int


def project_sources(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    ref: str,
    after: str | None = None,
    limit: int = SOURCE_ROWS,
) -> ProjectSources:
    """Return a page of the project's sources in a fixed number of statements.

    The viewer sees the project, or sold something in it before it went to another. Raises Refusal(not_found).
    """
    dealer_id, number = dealer_of_number(tx, ref, "R")
    referral, dealer, account_name, is_project_visible = _project(tx, viewer, dealer_id, number)
    in_project = (InstalledSource.dealer_id == dealer_id, InstalledSource.referral_id == referral.id)
    seen = sources_seen_by(viewer).where(*in_project)
    lines = line_counts(viewer, dealer_id, referral.id)
    day = today(tx, at)
    rows, then = _placed(tx, seen, dealer, at, day, after, limit)
    open_lines = tx.execute(
        sa.select(lines)
        .where(lines.c.ordered - lines.c.cancelled - lines.c.shipped > 0)
        .order_by(lines.c.number, lines.c.position, lines.c.line_id)
        .limit(LINE_ROWS + 1)
    ).all()
    sums = tx.execute(sa.select(*(_sum(lines.c[name]) for name in _SUMMED))).one()
    units, lacking, sold = tx.execute(
        seen.with_only_columns(
            _sum(
                sa.case((InstalledSource.standing.in_(sorted(IN_PLACE)), InstalledSource.quantity), else_=0)
            ),
            _sum(sa.case((InstalledSource.lacking.is_not(None), InstalledSource.quantity), else_=0)),
            _sum(sa.case((InstalledSource.account_id == viewer.company_id, 1), else_=0)),
        )
    ).one()
    sites = tx.scalar(
        sa.select(sa.func.count()).where(Site.dealer_id == dealer_id, Site.referral_id == referral.id)
    )
    return ProjectSources(
        ref=ref,
        project_name=referral.project_name,
        place=referral.place,
        dealer_name=dealer.name,
        account_name=account_name,
        is_project_visible=is_project_visible,
        is_mine=bool(sold),
        day=day,
        counts=UnitCounts(**{name: int(value) for name, value in zip(_SUMMED, sums, strict=True)}),
        has_sites=(sites or 0) > 1,
        rows=rows,
        after=then,
        not_shipped=tuple(_line_count(dealer.code, row) for row in open_lines[:LINE_ROWS]),
        has_more_lines=len(open_lines) > LINE_ROWS,
        in_place_units=int(units),
        undetermined_units=int(lacking),
    )


_SUMMED = ("ordered", "cancelled", "shipped", "in_place", "replaced", "retired", "voided", "replacements")


def _sum(value: Any) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(value), 0)


def _project(
    tx: Session, viewer: Viewer, dealer_id: UUID, number: int
) -> tuple[Referral, Company, str, bool]:
    """Return the referral, its dealer, the name of its account, and whether the project itself is visible. Raises Refusal(not_found)."""
    dealer, account = aliased(Company), aliased(Company)
    sold = (
        sources_seen_by(viewer)
        .where(InstalledSource.dealer_id == Referral.dealer_id, InstalledSource.referral_id == Referral.id)
        .correlate(Referral)
        .exists()
    )
    whole = referrals_seen_by(viewer).whereclause
    sees = sa.true() if whole is None else whole
    found = tx.execute(
        sa.select(Referral, dealer, account.name, sa.case((sees, 1), else_=0))
        .join(dealer, dealer.id == Referral.dealer_id)
        .join(account, account.id == Referral.account_id)
        .where(
            Referral.dealer_id == dealer_id,
            Referral.number == number,
            sa.or_(sees, sold),
        )
    ).one_or_none()
    if found is None:
        raise Refusal("not_found")
    referral, its_dealer, account_name, sees_it = found
    return referral, its_dealer, account_name, bool(sees_it)


def line_counts(viewer: Viewer, dealer_id: UUID, referral_id: UUID) -> sa.Subquery:
    """Return the Ketra lines of the project's orders the viewer may see, with what became of their units."""
    units = {
        name: _line_units(table)
        for name, table in (
            ("cancelled", CancellationLine),
            ("shipped", ShipmentLine),
            ("returned", OrderReturnLine),
        )
    }
    ordered = InstalledSource.shipment_number.is_not(None)
    stands = {
        "in_place": (ordered, InstalledSource.standing.in_(sorted(IN_PLACE))),
        "replaced": (ordered, InstalledSource.standing == Standing.REPLACED),
        "retired": (ordered, InstalledSource.standing == Standing.RETIRED),
        "voided": (ordered, InstalledSource.standing == Standing.VOIDED),
        "replacements": (
            InstalledSource.replacement_number.is_not(None),
            InstalledSource.standing.in_(sorted(IN_PLACE)),
        ),
    }
    return (
        orders_seen_by(viewer)
        .join(Quote, sa.and_(Quote.dealer_id == Order.dealer_id, Quote.id == Order.quote_id))
        .join(
            OrderLine,
            sa.and_(
                OrderLine.dealer_id == Order.dealer_id,
                OrderLine.order_id == Order.id,
                OrderLine.quote_id == Quote.id,  # so that the way leads along the quote's lines
            ),
        )
        .join(
            RevisionLine,
            sa.and_(
                RevisionLine.dealer_id == OrderLine.dealer_id,
                RevisionLine.quote_id == OrderLine.quote_id,
                RevisionLine.revision_number == OrderLine.revision_number,
                RevisionLine.line_id == OrderLine.line_id,
            ),
        )
        .where(
            Quote.dealer_id == dealer_id,
            Quote.referral_id == referral_id,
            RevisionLine.category.in_(KETRA),
        )
        .with_only_columns(
            Order.number.label("number"),
            OrderLine.line_id.label("line_id"),
            RevisionLine.position.label("position"),
            RevisionLine.model_number.label("model_number"),
            RevisionLine.description.label("description"),
            RevisionLine.room.label("room"),
            OrderLine.quantity.label("ordered"),
            *(column.label(name) for name, column in units.items()),
            *(_source_units(*conditions).label(name) for name, conditions in stands.items()),
        )
        .subquery()
    )


def _line_units(table: Any) -> sa.ScalarSelect[int]:
    return (
        sa.select(_sum(table.quantity))
        .where(
            table.dealer_id == OrderLine.dealer_id,
            table.order_id == OrderLine.order_id,
            table.line_id == OrderLine.line_id,
        )
        .correlate(OrderLine)
        .scalar_subquery()
    )


def _source_units(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return (
        sa.select(_sum(InstalledSource.quantity))
        .where(
            InstalledSource.dealer_id == OrderLine.dealer_id,
            InstalledSource.order_id == OrderLine.order_id,
            InstalledSource.line_id == OrderLine.line_id,
            *conditions,
        )
        .correlate(OrderLine)
        .scalar_subquery()
    )


def _line_count(dealer_code: str, row: sa.Row[Any]) -> LineCount:
    said = {name: value for name, value in row._asdict().items() if name not in {"number", "position"}}
    return LineCount(order_ref=str(PublicNumber("O", dealer_code, row.number)), **said)


def _placed(
    tx: Session,
    seen: sa.Select[Any],
    dealer: Company,
    at: datetime,
    day: date,
    after: str | None,
    limit: int,
) -> tuple[tuple[PlacedSource, ...], str | None]:
    """Return a page along the index of the project's places. Raises Refusal(not_found) for a key of elsewhere."""
    order = (InstalledSource.site_id, InstalledSource.room, InstalledSource.number)
    statement = seen
    if after is not None:
        dealer_id, number = dealer_of_number(tx, after, "U")
        place = tx.execute(
            seen.where(
                InstalledSource.dealer_id == dealer_id, InstalledSource.number == number
            ).with_only_columns(*order)
        ).one_or_none()
        if place is None:
            raise Refusal("not_found")
        statement = seen.where(sa.tuple_(*order) > sa.tuple_(*place))
    claimed = (
        sa.exists()
        .where(
            Claim.dealer_id == InstalledSource.dealer_id,
            Claim.source_id == InstalledSource.id,
            Claim.state.in_(sorted(LIVE_CLAIM_STATES)),
        )
        .correlate(InstalledSource)
    )
    found = tx.execute(
        statement.join(
            Order, sa.and_(Order.dealer_id == InstalledSource.dealer_id, Order.id == InstalledSource.order_id)
        )
        .join(Site, sa.and_(Site.dealer_id == InstalledSource.dealer_id, Site.id == InstalledSource.site_id))
        .add_columns(Order.number, Site.name, claimed)
        .order_by(*order)
        .limit(limit + 1)
    ).all()
    bars = source_bars(tx, dealer.id, [row for row, *_ in found[:limit]], at=at, day=day)
    rows = tuple(
        PlacedSource(
            ref=str(PublicNumber("U", dealer.code, row.number)),
            model_number=row.model_number,
            description=row.description,
            family=row.family,
            quantity=row.quantity,
            serial=row.serial,
            standing=row.standing,
            is_replacement=row.replacement_number is not None,
            order_ref=str(PublicNumber("O", dealer.code, order_number)),
            site=site,
            room=row.room,
            starts_on=row.starts_on,
            ends_on=row.ends_on,
            gone_on=row.gone_on,
            lacking=row.lacking,
            has_open_claim=bool(has_open_claim),
            bar=bars.get(row.id),
        )
        for row, order_number, site, has_open_claim in found[:limit]
    )
    return rows, rows[-1].ref if len(found) > limit else None
