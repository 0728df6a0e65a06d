"""Whether a source was covered on a day, as it was known at an instant, with all that the answer rests on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.clock import business_day, start_of_day
from referral.errors import Refusal
from referral.models import User
from referral.permissions import Viewer
from referral.text import fold, say_day
from warranty.models.sources import InstalledSource, Site
from warranty.models.terms import WarrantyTerm
from warranty.queries.facts import events_of, facts_of
from warranty.queries.plans import plans_of
from warranty.queries.sources import source_by_ref
from warranty.rules.coverage import Cover, Coverage, Plan, SourceFacts, Term, decide, plan_covers
from warranty.rules.standing import Event, known_at, moves_of, site_on
from warranty.rules.wording import say_answer
from warranty.states import SourceEventKind, StartRule

EVENT_WORDS: Mapping[SourceEventKind, str] = {
    SourceEventKind.SHIPPED: "Shipped",
    SourceEventKind.DELIVERED: "Delivered",
    SourceEventKind.COMMISSIONED: "Commissioned",
    SourceEventKind.MOVED: "Placed",
    SourceEventKind.IDENTIFIED: "Serial number recorded",
    SourceEventKind.SPLIT: "Recorded apart",
    SourceEventKind.REPLACED: "Replaced",
    SourceEventKind.REPLACES: "Took another's place",
    SourceEventKind.RETIRED: "Taken out",
    SourceEventKind.VOIDED: "Went back",
    SourceEventKind.CORRECTED: "Corrected",
}
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SiteThen:
    """Where the source was on the day that decides; days and the day of report are of its time zone."""

    name: str
    place: str
    time_zone: str
    room: str


@dataclass(frozen=True, slots=True)
class TermUsed:
    """The terms that the answer rests on, with where they come from."""

    family: str
    valid_from: date
    months: int
    start_rule: StartRule
    cap_days: int | None
    covers_parts: bool
    covers_labor: bool
    report_days: int
    replacement_days: int
    source: str
    reason: str
    set_by: str
    """'' for the command line."""
    set_at: datetime


@dataclass(frozen=True, slots=True)
class LaterRecord:
    """Something of a day before that was recorded only afterwards, and is no part of the answer."""

    what: str
    happened_on: date
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class CoverageAnswer:
    """The answer to a question about one source, and what it rests on."""

    ref: str
    as_of: datetime
    """As it was known at this instant."""
    failed_on: date | None
    reported_on: date
    coverage: Coverage
    words: tuple[str, ...]
    """The answer in sentences, the verdict first."""
    site: SiteThen | None
    term: TermUsed | None
    later: tuple[LaterRecord, ...]
    known_now: tuple[str, ...]
    """What the answer is with all that is known by now, where that is another one; else empty."""
    facts: SourceFacts
    today_on: date
    """The day at the site of the instant it was asked at."""
    plan_covers: tuple[Cover, ...]
    """What support plans for its site cover on any day, by start, as it was known."""


def coverage_of(
    tx: Session,
    *,
    viewer: Viewer,
    ref: str,
    at: datetime,
    as_of: datetime | date | None = None,
    failed_on: date | None = None,
    reported_on: date | None = None,
) -> CoverageAnswer:
    """Return whether the source's failure is covered, as it was known at `as_of` (a day: at its end; None: now).

    Without a day of report it is the site's day of that instant, or the day of failure where that is later.
    Raises Refusal(not_found), (invalid_input).
    """
    source = tx.scalars(source_by_ref(tx, viewer, ref)).one_or_none()
    if source is None:
        raise Refusal("not_found")
    events = events_of(tx, source.dealer_id, [source.id])[source.id]
    return answer_for(
        tx,
        source=source,
        events=events,
        sites=sites_of(tx, source.dealer_id, events),
        at=at,
        as_of=as_of,
        failed_on=failed_on,
        reported_on=reported_on,
    )


def sites_of(tx: Session, dealer_id: UUID, events: Collection[Event]) -> dict[UUID, Site]:
    """Return the sites that the events name."""
    ids = {event.site_id for event in events if event.site_id is not None}
    rows = tx.scalars(sa.select(Site).where(Site.dealer_id == dealer_id, Site.id.in_(ids)))
    return {site.id: site for site in rows}


def zone_at(events: Sequence[Event], sites: Mapping[UUID, Site], at: datetime) -> str:
    """Return the time zone of the site it was at: a move counts from the first moment of its day there."""
    zone = ""
    for move in moves_of(events):
        there = sites[move.site_id].time_zone if move.site_id is not None else "UTC"
        if not zone or start_of_day(move.happened_on, there) <= at:
            zone = there
    return zone or "UTC"


def answer_for(
    tx: Session,
    *,
    source: InstalledSource,
    events: Sequence[Event],
    sites: Mapping[UUID, Site],
    at: datetime,
    as_of: datetime | date | None = None,
    failed_on: date | None = None,
    reported_on: date | None = None,
    fails_now: bool = False,
) -> CoverageAnswer:
    """Return the answer for a source whose events and sites were read. Raises Refusal(invalid_input).

    With `fails_now` it is for a failure on the site's day of that instant, where no day is said.
    """
    instant = _instant(events, sites, as_of, at)
    known = known_at(events, instant)
    if not known:
        first = say_day(business_day(events[0].recorded_at, zone_at(events, sites, events[0].recorded_at)))
        raise Refusal("invalid_input", f"Nothing was recorded of it by then, but from {first} on.", "as_of")
    then_on = business_day(instant, zone_at(known, sites, instant))
    if fails_now and failed_on is None and reported_on is None:
        failed_on = then_on
    if failed_on is not None and reported_on is not None and reported_on < failed_on:
        raise Refusal("invalid_input", "A failure is reported on its day or later.", "reported_on")
    reported = reported_on or max(then_on, failed_on or then_on)
    day = failed_on or reported
    site_id, room = site_on(known, day)
    site = None if site_id is None else sites[site_id]
    facts = facts_of(tx, source.dealer_id, [source.id], as_of=instant)[source.id]
    plans = source_plans(tx, source, sites, instant)
    coverage = decide(facts, failed_on=failed_on, reported_on=reported, site_id=site_id, plans=plans)
    known_now: tuple[str, ...] = ()
    if instant < at:
        by_now = facts_of(tx, source.dealer_id, [source.id], as_of=at)[source.id]
        its_site = site_on(known_at(events, at), day)[0]
        said_now = decide(
            by_now,
            failed_on=failed_on,
            reported_on=reported,
            site_id=its_site,
            plans=source_plans(tx, source, sites, at),
        )
        if (said_now.verdict, said_now.covers) != (coverage.verdict, coverage.covers):
            known_now = say_answer(said_now)
    return CoverageAnswer(
        ref=facts.ref,
        as_of=instant,
        failed_on=failed_on,
        reported_on=reported,
        coverage=coverage,
        words=say_answer(coverage),
        site=None if site is None else SiteThen(site.name, site.place, site.time_zone, room),
        term=_term_used(tx, facts.term),
        later=_later(tx, source, events, instant, at, then_on),
        known_now=known_now,
        facts=facts,
        today_on=business_day(at, zone_at(events, sites, at)),
        plan_covers=plan_covers(facts, plans, site_id),
    )


def source_plans(
    tx: Session, source: InstalledSource, site_ids: Collection[UUID], as_of: datetime
) -> tuple[Plan, ...]:
    """Return the support plans for any of the sites, as they cover this source, as they were recorded by an instant."""
    found = plans_of(
        tx, dealer_id=source.dealer_id, site_ids=site_ids, families=(source.family,), as_of=as_of
    )
    return found[source.family]


def _instant(
    events: Sequence[Event], sites: Mapping[UUID, Site], as_of: datetime | date | None, at: datetime
) -> datetime:
    """Return the instant that is asked for, a day's last moment at the site; never later than now."""
    if as_of is None:
        return at
    if isinstance(as_of, datetime):
        return min(as_of, at)
    moves = [move for move in moves_of(events) if move.happened_on <= as_of] or moves_of(events)[:1]
    zone = sites[moves[-1].site_id].time_zone if moves and moves[-1].site_id is not None else "UTC"
    return min(start_of_day(as_of + timedelta(days=1), zone) - _MOMENT, at)


def _term_used(tx: Session, term: Term | None) -> TermUsed | None:
    if term is None:
        return None
    row, name = tx.execute(
        sa.select(WarrantyTerm, User.name)
        .outerjoin(User, User.id == WarrantyTerm.set_by)
        .where(
            WarrantyTerm.family_key == fold(term.family),
            WarrantyTerm.valid_from == term.valid_from,
            WarrantyTerm.set_at == term.set_at,
        )
        .order_by(WarrantyTerm.id.desc())
        .limit(1)
    ).one()
    return TermUsed(
        family=row.family,
        valid_from=row.valid_from,
        months=row.months,
        start_rule=row.start_rule,
        cap_days=row.cap_days,
        covers_parts=row.covers_parts,
        covers_labor=row.covers_labor,
        report_days=row.report_days,
        replacement_days=row.replacement_days,
        source=row.source,
        reason=row.reason,
        set_by=name or "",
        set_at=row.set_at,
    )


def _later(
    tx: Session,
    source: InstalledSource,
    events: Sequence[Event],
    instant: datetime,
    at: datetime,
    then_on: date,
) -> tuple[LaterRecord, ...]:
    """Return what was recorded between then and now of days until then, in the order it was recorded in."""
    found = [
        LaterRecord(EVENT_WORDS[event.kind], event.happened_on, event.recorded_at)
        for event in events
        if instant < event.recorded_at <= at and event.happened_on <= then_on
    ]
    found += [
        LaterRecord(f"Warranty terms of {term.family}", term.valid_from, term.set_at)
        for term in tx.scalars(
            sa.select(WarrantyTerm)
            .where(
                WarrantyTerm.family_key == fold(source.family),
                WarrantyTerm.valid_from <= source.ordered_on,
                WarrantyTerm.set_at > instant,
                WarrantyTerm.set_at <= at,
            )
            .order_by(WarrantyTerm.set_at, WarrantyTerm.id)
        )
    ]
    return tuple(sorted(found, key=lambda each: each.recorded_at))
