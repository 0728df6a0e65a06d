"""What the pages of the catalogue show: offers, calendars and policies with their versions, and a file's preview."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.clock import business_day
from referral.errors import Refusal
from referral.models import User
from referral.queries.settings import time_zone
from support.models.catalogue import CatalogueEntry
from support.queries.catalogue import content_of, entries_for, stored_entries
from support.rules.catalogue import Catalogue, Change, Difference, changes_of, differences_of, guard_catalogue
from support.rules.charts import ROW_ORDER, Chart, charts_of
from support.rules.offers import Grant, Offer, offer_of
from support.rules.policy import Policy
from support.rules.policy_words import say_policy
from support.rules.service_hours import SITE_ZONE, WEEKDAYS
from support.states import EntryKind


@dataclass(frozen=True)
class VersionRow:
    """A version of an entry, and what it says otherwise than the one before."""

    version: int
    name: str
    reason: str
    loaded_by: str | None
    """None for the command line."""
    loaded_at: datetime
    is_newest: bool
    differences: tuple[Difference, ...]
    """None of the first one."""


@dataclass(frozen=True)
class OffersPage:
    """What is sold, and those offers side by side that can be compared."""

    sold: tuple[Offer, ...]
    parts: tuple[Offer, ...]
    """What is not sold by itself."""
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class GrantRow:
    """A grant with the names of what it is limited to, and where it is from."""

    grant: Grant
    families: tuple[str, ...]
    policy_name: str
    windows_name: str
    from_offer: str
    """The name of the included offer that it belongs to; '' for its own."""


@dataclass(frozen=True)
class OfferPage:
    """A version of an offer with everything it grants, by heading."""

    offer: Offer
    headings: tuple[tuple[str, tuple[GrantRow, ...]], ...]
    calendar_name: str
    included: tuple[tuple[str, str], ...]
    """Key and name of the offers it includes."""
    policy_names: tuple[str, ...]
    versions: tuple[VersionRow, ...]
    loaded_at: datetime
    is_newest: bool


@dataclass(frozen=True)
class ClosedDay:
    """A day that a calendar is closed."""

    day: date
    name: str

    @property
    def weekday(self) -> str:
        """The day of the week."""
        return WEEKDAYS[self.day.weekday()]


@dataclass(frozen=True)
class CalendarRow:
    """A calendar's newest version in short."""

    key: str
    name: str
    version: int
    words: str
    zone: str
    """SITE_ZONE where it is that of the site."""
    hours: tuple[str, ...]
    assumption: str

    @property
    def is_local(self) -> bool:
        """Whether its hours are in the zone of the site."""
        return self.zone == SITE_ZONE


@dataclass(frozen=True)
class CalendarPage:
    """A version of a calendar, with the closed days of this year and the next."""

    row: CalendarRow
    source: str
    observed: str
    years: tuple[tuple[int, tuple[ClosedDay, ...]], ...]
    has_holidays: bool
    used_by: tuple[tuple[str, str], ...]
    """Key and name of the offers that use it."""
    versions: tuple[VersionRow, ...]
    loaded_at: datetime
    is_newest: bool

    @property
    def closed_days(self) -> tuple[ClosedDay, ...]:
        """The closed days of both years."""
        return tuple(day for _, days in self.years for day in days)


@dataclass(frozen=True)
class PolicyRow:
    """A policy's newest version in plain words."""

    key: str
    name: str
    version: int
    words: str
    source: str
    sentences: tuple[str, ...]
    policy: Policy
    versions: tuple[VersionRow, ...]


# offers ---------------------------------------------------------------------------------------------


def all_offers(tx: Session, *, at: datetime) -> tuple[Offer, ...]:
    """Return the newest version of every offer, by name, with what they include: one statement, however many."""
    versions = _versions(tx, EntryKind.OFFER, at=at)
    newest = {entry.key: entry for entry, _ in versions}
    offers = [_offer(entry, [each for each, _ in versions]) for entry in newest.values()]
    return tuple(sorted(offers, key=lambda offer: (offer.name, offer.key)))


def offers_page(tx: Session, *, at: datetime) -> OffersPage:
    """Return what is sold, with the charts that compare it."""
    offers = all_offers(tx, at=at)
    return OffersPage(
        sold=tuple(offer for offer in offers if offer.is_sold),
        parts=tuple(offer for offer in offers if not offer.is_sold),
        charts=charts_of(offers),
    )


def offer_page(tx: Session, *, at: datetime, key: str, version: int | None = None) -> OfferPage:
    """Return an offer, its newest version unless one is named. Raises Refusal(not_found)."""
    versions = _versions(tx, EntryKind.OFFER, at=at)
    entries = [entry for entry, _ in versions]
    own = [each for each in versions if each[0].key == key]
    entry = _chosen(own, version)
    offer = _offer(entry, entries)
    names = {
        (kind, each.key): each.name
        for kind in (EntryKind.FAMILY, EntryKind.CALENDAR, EntryKind.POLICY)
        for each in entries_for(tx, kind, at=at)
    }
    included = [_offer(each, entries) for each in _included(entry, entries)]
    own_keys = {grant["key"] for grant in content_of(entry)["grants"]}
    headings: dict[str, list[GrantRow]] = {}
    for grant in sorted(offer.grants, key=lambda each: ROW_ORDER.index(each.kind)):
        origin = next((other.name for other in included if other.grant(grant.key)), "")
        headings.setdefault(grant.chart, []).append(
            GrantRow(
                grant=grant,
                families=tuple(names.get((EntryKind.FAMILY, family), family) for family in grant.families),
                policy_name=names.get((EntryKind.POLICY, grant.policy or ""), grant.policy or ""),
                windows_name=names.get((EntryKind.CALENDAR, grant.windows or ""), grant.windows or ""),
                from_offer="" if grant.key in own_keys else origin,
            )
        )
    return OfferPage(
        offer=offer,
        headings=tuple(
            (chart, tuple(headings[chart])) for chart in dict.fromkeys(each.chart for each in offer.grants)
        ),
        calendar_name=names.get((EntryKind.CALENDAR, offer.calendar), offer.calendar),
        included=tuple((each.key, each.name) for each in included),
        policy_names=tuple(names.get((EntryKind.POLICY, each), each) for each in offer.policies),
        versions=_version_rows(own),
        loaded_at=entry.loaded_at,
        is_newest=entry is own[-1][0],
    )


def _offer(entry: CatalogueEntry, entries: Sequence[CatalogueEntry]) -> Offer:
    included = [_offer(other, entries) for other in _included(entry, entries)]
    return offer_of(content_of(entry), entry.version, included)


def _included(entry: CatalogueEntry, entries: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
    """Return the offers an offer includes, as they were when it was loaded."""
    found = []
    for key in content_of(entry)["includes"]:
        before = [each for each in entries if each.key == key and each.loaded_at <= entry.loaded_at]
        found += before[-1:]
    return found


# calendars ------------------------------------------------------------------------------------------


def calendars_page(tx: Session, *, at: datetime) -> tuple[CalendarRow, ...]:
    """Return the newest version of every calendar, by name."""
    return tuple(_calendar_row(entry) for entry in entries_for(tx, EntryKind.CALENDAR, at=at))


def calendar_pages(tx: Session, *, at: datetime) -> tuple[CalendarPage, ...]:
    """Return every calendar's newest version with its closed days: as many statements, however many there are."""
    versions = _versions(tx, EntryKind.CALENDAR, at=at)
    offers = all_offers(tx, at=at)
    year = _this_year(tx, at)
    own = {
        key: [each for each in versions if each[0].key == key]
        for key in dict.fromkeys(entry.key for entry, _ in versions)
    }
    pages = [_calendar_page(rows, rows[-1][0], offers, year) for rows in own.values()]
    return tuple(sorted(pages, key=lambda page: (page.row.name, page.row.key)))


def calendar_page(tx: Session, *, at: datetime, key: str, version: int | None = None) -> CalendarPage:
    """Return a calendar, its newest version unless one is named. Raises Refusal(not_found)."""
    own = [each for each in _versions(tx, EntryKind.CALENDAR, at=at) if each[0].key == key]
    entry = _chosen(own, version)
    return _calendar_page(own, entry, all_offers(tx, at=at), _this_year(tx, at))


def _this_year(tx: Session, at: datetime) -> int:
    return business_day(at, time_zone(tx)).year


def _calendar_page(
    own: Sequence[tuple[CatalogueEntry, str | None]],
    entry: CatalogueEntry,
    offers: Iterable[Offer],
    year: int,
) -> CalendarPage:
    content = content_of(entry)
    closed = [ClosedDay(date.fromisoformat(day), name) for day, name in content["closed"].items()]
    return CalendarPage(
        row=_calendar_row(entry),
        source=content["source"],
        observed=content["observed"],
        years=tuple(
            (each, tuple(day for day in closed if day.day.year == each)) for each in (year, year + 1)
        ),
        has_holidays=bool(closed),
        used_by=tuple(
            (offer.key, offer.name)
            for offer in offers
            if entry.key in {offer.calendar, *(grant.windows for grant in offer.grants)}
        ),
        versions=_version_rows(own),
        loaded_at=entry.loaded_at,
        is_newest=entry is own[-1][0],
    )


def _calendar_row(entry: CatalogueEntry) -> CalendarRow:
    content = content_of(entry)
    return CalendarRow(
        key=entry.key,
        name=entry.name,
        version=entry.version,
        words=content["words"],
        zone=content["zone"],
        hours=tuple(
            f"{_days(each['weekdays'])}, {each['opens']}–{each['closes']}" for each in content["windows"]
        ),
        assumption=content["assumption"],
    )


def _days(weekdays: Sequence[int]) -> str:
    days = sorted(weekdays)
    if len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
        return f"{WEEKDAYS[days[0]]} to {WEEKDAYS[days[-1]]}"
    return ", ".join(WEEKDAYS[day] for day in days)


# policies -------------------------------------------------------------------------------------------


def policies_page(tx: Session, *, at: datetime) -> tuple[PolicyRow, ...]:
    """Return the newest version of every policy in plain words, by name."""
    versions = _versions(tx, EntryKind.POLICY, at=at)
    rows = []
    for key in dict.fromkeys(entry.key for entry, _ in versions):
        own = [each for each in versions if each[0].key == key]
        entry = own[-1][0]
        content = content_of(entry)
        policy = Policy.from_data(content)
        rows.append(
            PolicyRow(
                key=key,
                name=entry.name,
                version=entry.version,
                words=content["words"],
                source=content["source"],
                sentences=say_policy(policy),
                policy=policy,
                versions=_version_rows(own),
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.name, row.key)))


# loading --------------------------------------------------------------------------------------------


def preview_catalogue(tx: Session, *, catalogue: Catalogue) -> tuple[Change, ...]:
    """Return what a file would make new. Raises Refusal(catalogue_invalid) with everything that cannot hold."""
    stored = stored_entries(tx)
    guard_catalogue(catalogue, stored)
    return changes_of(catalogue, stored)


def count_entries(tx: Session) -> Mapping[EntryKind, int]:
    """Return how many entries of each kind there are, whatever their versions."""
    counted = tx.execute(
        sa.select(CatalogueEntry.kind, sa.func.count(sa.distinct(CatalogueEntry.key))).group_by(
            CatalogueEntry.kind
        )
    )
    found: dict[Any, int] = {row.kind: row[1] for row in counted}
    return {kind: found.get(kind, 0) for kind in EntryKind}


# versions -------------------------------------------------------------------------------------------


def _versions(tx: Session, kind: EntryKind, *, at: datetime) -> list[tuple[CatalogueEntry, str | None]]:
    """Return every version of the entries of a kind at an instant, oldest first, with who loaded it."""
    found = tx.execute(
        sa.select(CatalogueEntry, User.name)
        .outerjoin(User, User.id == CatalogueEntry.loaded_by)
        .where(CatalogueEntry.kind == kind, CatalogueEntry.loaded_at <= at)
        .order_by(CatalogueEntry.version, CatalogueEntry.id)
    )
    return [(entry, name) for entry, name in found]


def _chosen(own: Sequence[tuple[CatalogueEntry, str | None]], version: int | None) -> CatalogueEntry:
    for entry, _ in reversed(own):
        if version is None or entry.version == version:
            return entry
    raise Refusal("not_found")


def _version_rows(own: Sequence[tuple[CatalogueEntry, str | None]]) -> tuple[VersionRow, ...]:
    """Return versions, newest first, each with what it says otherwise than the one before."""
    rows = []
    before: dict[str, Any] | None = None
    for entry, name in own:
        content = content_of(entry)
        rows.append(
            VersionRow(
                version=entry.version,
                name=entry.name,
                reason=entry.reason,
                loaded_by=name,
                loaded_at=entry.loaded_at,
                is_newest=entry is own[-1][0],
                differences=() if before is None else differences_of(before, content),
            )
        )
        before = content
    return tuple(reversed(rows))
