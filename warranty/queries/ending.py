"""What ends soon: one page along an index of last days, however many sources there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.permissions import CompanyKind, Viewer
from referral.queries.records import PAGE_ROWS
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import today
from warranty.models.sources import InstalledSource
from warranty.queries.listings import WORKBOOK_ROWS, SourceFilter, SourceRow, filtered, rows_of

WINDOWS = (30, 60, 90, 180)
"""Days ahead for which lists say what ends."""
_SPLIT = "."


@dataclass(frozen=True)
class EndingPage:
    """A page of what ends from the first through the last day, soonest first; `after` continues it."""

    rows: tuple[SourceRow, ...]
    after: str | None
    first_on: date
    last_on: date


def ending_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    days: int,
    asked: SourceFilter,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> EndingPage:
    """Return what is in place and ends from today through so many days on, soonest first.

    It reads one page along an index of last days, however many sources there are. Raises Refusal(not_found).
    """
    first_on = today(tx, at)
    last_on = first_on + timedelta(days=days)
    place = None if after is None else _ending_place(tx, after)
    found: dict[tuple[UUID, UUID], sa.Row[Any]] = {}
    for statement in ending_keys(tx, viewer, first_on, last_on, asked, place, limit + 1):
        found |= {(key.dealer_id, key.id): key for key in tx.execute(statement)}
    keys = sorted(found.values(), key=lambda key: (key.ends_on, key.dealer_id.hex, key.number))
    rows = rows_of(tx, keys[:limit], first_on)
    then = f"{rows[-1].ends_on}{_SPLIT}{rows[-1].ref}" if len(keys) > limit else None
    return EndingPage(rows, then, first_on, last_on)


def ending_rows(
    tx: Session, *, viewer: Viewer, at: datetime, days: int, asked: SourceFilter
) -> Iterator[SourceRow]:
    """Yield all that ends in so many days, read piece by piece while they are taken."""
    after: str | None = None
    while True:
        page = ending_page(tx, viewer=viewer, at=at, days=days, asked=asked, after=after, limit=WORKBOOK_ROWS)
        yield from page.rows
        after = page.after
        if after is None:
            return
        tx.expunge_all()


def ending_keys(
    tx: Session,
    viewer: Viewer,
    first_on: date,
    last_on: date,
    asked: SourceFilter,
    place: tuple[date, UUID, int] | None,
    limit: int,
) -> list[sa.Select[date | None, UUID, int, UUID]]:
    """Return the statements that find what ends on those days: one for each side the viewer acts for.

    A side is one equality and a range of days, so that each walks along one index and sorts nothing.
    """
    order = (InstalledSource.ends_on, InstalledSource.dealer_id, InstalledSource.number)
    statements: list[sa.Select[date | None, UUID, int, UUID]] = []
    for side in _sides(viewer):
        statement = filtered(tx, sa.select(InstalledSource).where(side), asked).where(
            InstalledSource.ends_on >= (first_on if place is None else place[0]),
            InstalledSource.ends_on <= last_on,
        )
        if place is not None:
            statement = statement.where(sa.tuple_(*order) > sa.tuple_(*place))
        statements.append(
            statement.with_only_columns(*order, InstalledSource.id).order_by(*order).limit(limit)
        )
    return statements


def _sides(viewer: Viewer) -> list[sa.ColumnElement[bool]]:
    if viewer.acts_as(CompanyKind.PROGRAM):
        return [sa.true()]
    sides: list[sa.ColumnElement[bool]] = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(InstalledSource.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(InstalledSource.account_id == viewer.company_id)
    return sides


def _ending_place(tx: Session, after: str) -> tuple[date, UUID, int]:
    day, _, ref = after.partition(_SPLIT)
    try:
        ends_on = date.fromisoformat(day)
    except ValueError as error:
        raise Refusal("not_found") from error
    return (ends_on, *dealer_of_number(tx, ref, "U"))
