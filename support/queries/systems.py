"""What systems are at sites, as it was known at an instant."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.models import User
from referral.permissions import CompanyKind, Permission, Viewer
from support.models.agreements import SiteSystem
from support.rules.entitlement import System
from support.states import Platform
from warranty.queries.sites import SiteRow, records_for, seen_project, site_rows


@dataclass(frozen=True, slots=True)
class SystemRow:
    """Something recorded of the systems at a site."""

    number: int
    platform: Platform
    since_on: date
    is_there: bool
    has_remote_access: bool
    words: str
    recorded_by: str
    recorded_at: datetime
    holds: bool
    """It says how it is today: nothing of a later day, or recorded later, takes its place."""


@dataclass(frozen=True, slots=True)
class SiteSystems:
    """A site with its systems of today, and all that was recorded, newest first."""

    site: SiteRow
    systems: tuple[System, ...]
    rows: tuple[SystemRow, ...]


@dataclass(frozen=True, slots=True)
class SystemsPage:
    """The sites of a project with their systems."""

    ref: str
    project_name: str
    sites: tuple[SiteSystems, ...]
    may_record: bool


def systems_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> SystemsPage:
    """Return the systems at the sites of a project the viewer sees. Raises Refusal(not_found)."""
    referral = seen_project(tx, viewer, ref)
    sites = site_rows(tx, viewer, referral, at=at)
    recorded = _rows(tx, referral.dealer_id, [site.id for site in sites])
    found = []
    for site in sites:
        rows = [(row, name) for row, name in recorded if row.site_id == site.id]
        there = {row.number for row in _holding((row for row, _ in rows), site.today).values()}
        found.append(
            SiteSystems(
                site=site,
                systems=systems_on((row for row, _ in rows), site.today),
                rows=tuple(
                    SystemRow(
                        number=row.number,
                        platform=row.platform,
                        since_on=row.since_on,
                        is_there=row.is_there,
                        has_remote_access=row.has_remote_access,
                        words=row.words,
                        recorded_by=name,
                        recorded_at=row.recorded_at,
                        holds=row.number in there,
                    )
                    for row, name in reversed(rows)
                ),
            )
        )
    may_record = viewer.may(Permission.CALL_WORK) and (
        viewer.acts_as(CompanyKind.PROGRAM) or records_for(tx, viewer, referral)
    )
    return SystemsPage(ref, referral.project_name, tuple(found), may_record)


def systems_at(
    tx: Session, dealer_id: UUID, site_id: UUID, *, day: date, as_of: datetime
) -> tuple[System, ...]:
    """Return the systems that were at a site on a day, by what was recorded by an instant."""
    rows = tx.scalars(
        sa.select(SiteSystem)
        .where(
            SiteSystem.dealer_id == dealer_id,
            SiteSystem.site_id == site_id,
            SiteSystem.recorded_at <= as_of,
        )
        .order_by(SiteSystem.number)
    )
    return systems_on(rows, day)


def systems_of(
    tx: Session, dealer_id: UUID, site_ids: Collection[UUID], *, as_of: datetime
) -> dict[UUID, list[SiteSystem]]:
    """Return all that was recorded by an instant of the systems at sites, by site, in order of number."""
    found: dict[UUID, list[SiteSystem]] = {site_id: [] for site_id in site_ids}
    for row in tx.scalars(
        sa.select(SiteSystem)
        .where(
            SiteSystem.dealer_id == dealer_id,
            SiteSystem.site_id.in_(sorted(site_ids, key=lambda site_id: site_id.hex)),
            SiteSystem.recorded_at <= as_of,
        )
        .order_by(SiteSystem.site_id, SiteSystem.number)
    ):
        found[row.site_id].append(row)
    return found


def systems_on(rows: Iterable[SiteSystem], day: date) -> tuple[System, ...]:
    """Return the systems that are there on a day: of a platform the record of the latest day until then, recorded last."""
    return tuple(
        System(row.platform, row.has_remote_access, row.since_on)
        for row in _holding(rows, day).values()
        if row.is_there
    )


def _holding(rows: Iterable[SiteSystem], day: date) -> dict[Platform, SiteSystem]:
    held: dict[Platform, SiteSystem] = {}
    for row in rows:
        before = held.get(row.platform)
        if row.since_on <= day and (
            before is None or (row.since_on, row.number) >= (before.since_on, before.number)
        ):
            held[row.platform] = row
    return {platform: held[platform] for platform in Platform if platform in held}


def _rows(tx: Session, dealer_id: UUID, site_ids: Collection[UUID]) -> list[tuple[SiteSystem, str]]:
    return [
        (row, name)
        for row, name in tx.execute(
            sa.select(SiteSystem, User.name)
            .join(User, User.id == SiteSystem.recorded_by)
            .where(SiteSystem.dealer_id == dealer_id, SiteSystem.site_id.in_(site_ids))
            .order_by(SiteSystem.site_id, SiteSystem.number)
        )
    ]
