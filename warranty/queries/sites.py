"""Projects and their sites, as those who see their installed sources see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from uuid import UUID
from zoneinfo import available_timezones

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.clock import business_day
from referral.errors import Refusal
from referral.models import Referral
from referral.permissions import Permission, Viewer
from referral.queries.referrals import dealer_of_number, referrals_seen_by
from referral.queries.settings import time_zone
from warranty.models.sources import InstalledSource, Site
from warranty.queries.sources import sources_seen_by
from warranty.states import IN_PLACE


@cache
def time_zones() -> tuple[str, ...]:
    """Return the names of the time zones that a site may have, such as America/New_York, in order."""
    areas = ("Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/")
    kept = (*areas, "Pacific/")
    return (*sorted(name for name in available_timezones() if name.startswith(kept)), "UTC")


def seen_project(tx: Session, viewer: Viewer, ref: str) -> Referral:
    """Return a project the viewer sees, or in which it sees an installed source. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "R")
    where = (Referral.dealer_id == dealer_id, Referral.number == number)
    referral = tx.scalars(referrals_seen_by(viewer).where(*where)).one_or_none()
    if referral is not None:
        return referral
    referral = tx.scalars(sa.select(Referral).where(*where)).one_or_none()
    if referral is None or not _has_source(tx, sources_seen_by(viewer), referral):
        raise Refusal("not_found")
    return referral


def _has_source(tx: Session, seen: sa.Select[InstalledSource], referral: Referral) -> bool:
    rows = seen.where(
        InstalledSource.dealer_id == referral.dealer_id, InstalledSource.referral_id == referral.id
    )
    return tx.scalars(rows.limit(1)).first() is not None


def records_for(tx: Session, viewer: Viewer, referral: Referral) -> bool:
    """Say whether the viewer's company records what is of this project: its account, or one that sold for it."""
    if referral.account_id == viewer.company_id:
        return True
    own = sa.select(InstalledSource).where(InstalledSource.account_id == viewer.company_id)
    return _has_source(tx, own, referral)


@dataclass(frozen=True)
class SiteRow:
    """A site of a project, with what is there."""

    id: UUID
    number: int
    name: str
    place: str
    time_zone: str
    units: int
    """Units in place there that the viewer sees."""
    today: date

    @property
    def words(self) -> str:
        """The site in one line, as a choice."""
        return self.name if self.place in {"", self.name} else f"{self.name}, {self.place}"


@dataclass(frozen=True)
class SitesPage:
    """The sites of a project, by number."""

    ref: str
    project_name: str
    sites: tuple[SiteRow, ...]
    default_zone: str
    """The program's time zone."""
    is_recordable: bool
    """Whether the viewer may add to them."""


def sites_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> SitesPage:
    """Return the sites of a project. Raises Refusal(not_found)."""
    referral = seen_project(tx, viewer, ref)
    return SitesPage(
        ref=ref,
        project_name=referral.project_name,
        sites=site_rows(tx, viewer, referral, at=at),
        default_zone=time_zone(tx),
        is_recordable=viewer.may(Permission.SOURCE_RECORD) and records_for(tx, viewer, referral),
    )


def site_rows(tx: Session, viewer: Viewer, referral: Referral, *, at: datetime) -> tuple[SiteRow, ...]:
    """Return the sites of a project by number, with the units the viewer sees at each."""
    here = sources_seen_by(viewer).where(
        InstalledSource.dealer_id == referral.dealer_id,
        InstalledSource.referral_id == referral.id,
        InstalledSource.standing.in_(IN_PLACE),
    )
    seen = here.subquery()
    units = dict(
        tx.execute(sa.select(seen.c.site_id, sa.func.sum(seen.c.quantity)).group_by(seen.c.site_id)).all()
    )
    rows = tx.scalars(
        sa.select(Site)
        .where(Site.dealer_id == referral.dealer_id, Site.referral_id == referral.id)
        .order_by(Site.number)
    )
    return tuple(
        SiteRow(
            id=row.id,
            number=row.number,
            name=row.name,
            place=row.place,
            time_zone=row.time_zone,
            units=int(units.get(row.id, 0)),
            today=business_day(at, row.time_zone),
        )
        for row in rows
    )
