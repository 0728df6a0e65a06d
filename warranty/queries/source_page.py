"""One installed source with everything its page shows, and what a technician sees who scans its label."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from referral.clock import business_day
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral, User
from referral.permissions import CompanyKind, Permission, Viewer
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource, Site, SourceEvent
from warranty.queries.claims import claims_seen_by
from warranty.queries.coverage import EVENT_WORDS, CoverageAnswer, answer_for, sites_of, zone_at
from warranty.queries.facts import event_of
from warranty.queries.sources import source_by_ref
from warranty.rules.bars import Bar, bar_of
from warranty.rules.standing import Event, standing_events
from warranty.states import IN_PLACE, LIVE_CLAIM_STATES, ClaimState, SourceEventKind

FIRST = 2
"""The events a source is made with: that it shipped, and where it is meant for. They come from its order."""
_OF_PEOPLE = frozenset(SourceEventKind) - {
    SourceEventKind.SHIPPED,
    SourceEventKind.SPLIT,
    SourceEventKind.VOIDED,
    SourceEventKind.CORRECTED,
}


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something recorded of a source, as its history shows it."""

    number: int
    kind: SourceEventKind
    what: str
    happened_on: date
    reason: str
    recorded_by: str
    """'' for nobody in person."""
    recorded_at: datetime
    is_inherited: bool
    """Recorded of the group before these units were taken out of it."""
    is_struck: bool
    """A correction took it out; it counts no more."""
    is_later: bool
    """Recorded after the instant the answer is asked for, and no part of that answer."""
    may_correct: bool
    days_late: int
    """How many days after it happened it was recorded, by the days of the site."""


@dataclass(frozen=True, slots=True)
class ClaimLink:
    """A claim of a source."""

    ref: str
    state: ClaimState
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class SourcePage:
    """An installed source with all that its page shows. Its columns are as they are now."""

    source: InstalledSource
    ref: str
    site: Site
    order_ref: str
    referral_ref: str
    project_name: str
    dealer_name: str
    account_name: str
    other_refs: Mapping[UUID, str]
    answer: CoverageAnswer
    bar: Bar
    events: tuple[EventRow, ...]
    """Newest recorded first."""
    claims: tuple[ClaimLink, ...]
    is_in_place: bool
    may_record: bool
    may_claim: bool

    @property
    def is_group(self) -> bool:
        """Say whether it is several units counted together."""
        return self.source.quantity > 1

    @property
    def live_claim(self) -> ClaimLink | None:
        """The claim that is not settled; None without one."""
        return next((claim for claim in self.claims if claim.state in LIVE_CLAIM_STATES), None)


def source_page(
    tx: Session,
    *,
    viewer: Viewer,
    ref: str,
    at: datetime,
    as_of: datetime | date | None = None,
    failed_on: date | None = None,
    reported_on: date | None = None,
) -> SourcePage:
    """Return the page of a source, with the answer to what is asked: without any day, to a failure today.

    Raises Refusal(not_found), (invalid_input).
    """
    source = tx.scalars(source_by_ref(tx, viewer, ref)).one_or_none()
    if source is None:
        raise Refusal("not_found")
    rows = [
        (event, name or "")
        for event, name in tx.execute(
            sa.select(SourceEvent, User.name)
            .outerjoin(User, User.id == SourceEvent.recorded_by)
            .where(SourceEvent.dealer_id == source.dealer_id, SourceEvent.source_id == source.id)
            .order_by(SourceEvent.number)
        )
    ]
    events = [event_of(row) for row, _ in rows]
    sites = sites_of(tx, source.dealer_id, events)
    answer = answer_for(
        tx,
        source=source,
        events=events,
        sites=sites,
        at=at,
        as_of=as_of,
        failed_on=failed_on,
        reported_on=reported_on,
        fails_now=True,
    )
    order, referral, dealer, account = tx.execute(_around(source)).one()
    others = _refs(tx, source, dealer.code, events)
    claims = _claims(tx, viewer, source, dealer.code)
    is_in_place = source.standing in IN_PLACE
    is_own = viewer.may(Permission.SOURCE_RECORD) and viewer.company_id == source.account_id
    is_live = any(claim.state in LIVE_CLAIM_STATES for claim in claims)
    return SourcePage(
        source=source,
        ref=answer.ref,
        site=sites[source.site_id],
        order_ref=str(PublicNumber("O", dealer.code, order.number)),
        referral_ref=str(PublicNumber("R", dealer.code, referral.number)),
        project_name=referral.project_name,
        dealer_name=dealer.name,
        account_name=account.name,
        other_refs=others,
        answer=answer,
        bar=bar_of(
            answer.facts,
            today=answer.today_on,
            asked_on=answer.coverage.decides_on,
            plans=answer.plan_covers,
        ),
        events=_history(rows, events, sites, others, answer.as_of, is_own=is_own),
        claims=claims,
        is_in_place=is_in_place,
        may_record=is_in_place and is_own,
        may_claim=is_in_place and not is_live and viewer.may(Permission.CLAIM_OPEN),
    )


def _around(source: InstalledSource) -> sa.Select[Order, Referral, Company, Company]:
    account = sa.orm.aliased(Company)
    return (
        sa.select(Order, Referral, Company, account)
        .join(
            Referral,
            sa.and_(Referral.dealer_id == Order.dealer_id, Referral.id == source.referral_id),
        )
        .join(Company, Company.id == Order.dealer_id)
        .join(account, account.id == source.account_id)
        .where(Order.dealer_id == source.dealer_id, Order.id == source.order_id)
    )


def _refs(tx: Session, source: InstalledSource, code: str, events: Collection[Event]) -> dict[UUID, str]:
    """Return the numbers of the other sources that this one's events and columns name."""
    ids = {event.other_id for event in events} | {source.split_from_id, source.replaces_id}
    rows = tx.execute(
        sa.select(InstalledSource.id, InstalledSource.number).where(
            InstalledSource.dealer_id == source.dealer_id,
            InstalledSource.id.in_([other for other in ids if other is not None]),
        )
    )
    return {other_id: str(PublicNumber("U", code, number)) for other_id, number in rows}


def _claims(tx: Session, viewer: Viewer, source: InstalledSource, code: str) -> tuple[ClaimLink, ...]:
    rows = tx.scalars(
        claims_seen_by(viewer)
        .where(Claim.dealer_id == source.dealer_id, Claim.source_id == source.id)
        .order_by(Claim.number.desc())
    )
    return tuple(
        ClaimLink(str(PublicNumber("C", code, row.number)), row.state, row.opened_at) for row in rows
    )


def _history(
    rows: Sequence[tuple[SourceEvent, str]],
    events: Sequence[Event],
    sites: Mapping[UUID, Site],
    others: Mapping[UUID, str],
    as_of: datetime,
    *,
    is_own: bool,
) -> tuple[EventRow, ...]:
    standing = {event.number for event in standing_events(events)}
    by_number = {event.number: event for event in events}
    zone = {row.number: zone_at(events, sites, row.recorded_at) for row, _ in rows}
    return tuple(
        EventRow(
            number=row.number,
            kind=row.kind,
            what=_say_event(row, sites, others, by_number),
            happened_on=row.happened_on,
            reason=row.reason,
            recorded_by=name,
            recorded_at=row.recorded_at,
            is_inherited=row.is_inherited,
            is_struck=row.number not in standing and row.kind is not SourceEventKind.CORRECTED,
            is_later=row.recorded_at > as_of,
            may_correct=is_own and row.kind in _OF_PEOPLE and row.number in standing and row.number > FIRST,
            days_late=max((business_day(row.recorded_at, zone[row.number]) - row.happened_on).days, 0),
        )
        for row, name in reversed(rows)
    )


def _say_event(
    row: SourceEvent,
    sites: Mapping[UUID, Site],
    others: Mapping[UUID, str],
    by_number: Mapping[int, Event],
) -> str:
    other = "" if row.other_id is None else others.get(row.other_id, "")
    words = EVENT_WORDS[row.kind]
    match row.kind:
        case SourceEventKind.MOVED if row.site_id is not None:
            return f"Placed: {sites[row.site_id].name}, {row.room or 'no room named'}"
        case SourceEventKind.IDENTIFIED:
            return f"Serial number {row.serial}"
        case SourceEventKind.SPLIT if row.quantity:
            units = "1 unit" if row.quantity == 1 else f"{row.quantity:,} units"
            return f"{units} recorded apart as {other}"
        case SourceEventKind.SPLIT:
            return f"Recorded apart from the group {other}"
        case SourceEventKind.REPLACED:
            return f"Replaced by {other}" if other else words
        case SourceEventKind.REPLACES:
            return f"Took the place of {other}" if other else words
        case SourceEventKind.CORRECTED if row.voids is not None:
            return f"Correction: “{EVENT_WORDS[by_number[row.voids].kind]}” was wrong"
    return words


@dataclass(frozen=True, slots=True)
class ScannedSource:
    """What a technician needs who stands before the unit."""

    ref: str
    model_number: str
    description: str
    quantity: int
    room: str
    site_name: str
    serial: str
    is_in_place: bool
    answer: CoverageAnswer
    claim_ref: str
    """The claim that is open; '' without one."""
    may_claim: bool


def scanned_source(tx: Session, *, viewer: Viewer, ref: str, at: datetime) -> ScannedSource:
    """Return what a label opens: the source as it is now, and whether it is covered. Raises Refusal(not_found)."""
    page = source_page(tx, viewer=viewer, ref=ref, at=at)
    source, live = page.source, page.live_claim
    return ScannedSource(
        ref=page.ref,
        model_number=source.model_number,
        description=source.description,
        quantity=source.quantity,
        room=source.room,
        site_name=page.site.name,
        serial=source.serial,
        is_in_place=page.is_in_place,
        answer=page.answer,
        claim_ref="" if live is None else live.ref,
        may_claim=page.may_claim and not viewer.acts_as(CompanyKind.PROGRAM),
    )
