"""The days of projects for a person's calendar, and whose calendar an address is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from quotes.models.projects import MilestoneEntry, Trade
from quotes.models.quotes import Quote, Revision
from quotes.queries.never_ordered import never_ordered
from quotes.queries.projects import accepted_projects, newest_entries
from quotes.queries.quotes import quotes_seen_by
from quotes.rules.projects import MILESTONE_WORDS, Days
from quotes.states import OrderState, RevisionState
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import CalendarFeed, Company, Referral
from referral.permissions import Permission, Viewer
from referral.queries.people import token_digest, viewer_of
from referral.queries.settings import today
from referral.states import ReferralState
from referral.text import say_day

KEPT_DAYS = 180
"""How long a day that is over stays in the calendar."""
TO_SHIP = (OrderState.ENTERED, OrderState.PART_CANCELLED, OrderState.PART_SHIPPED)


@dataclass(frozen=True)
class CalendarDay:
    """One all-day event. Its texts hold nothing of the client, nor how to reach a trade."""

    uid: str
    """The same for the same thing, whatever is said of it."""
    on: date
    summary: str
    place: str
    notes: str
    endpoint: str
    """The page it leads to, and the number in its address."""
    ref: str
    said_at: datetime
    sequence: int
    """Grows with each change of the same thing."""


@dataclass(frozen=True)
class CalendarTime:
    """One event from an instant to another. As a day it holds nothing of the client."""

    uid: str
    starts_at: datetime
    ends_at: datetime
    summary: str
    place: str
    notes: str
    endpoint: str
    ref: str
    said_at: datetime
    sequence: int
    is_cancelled: bool
    """It stays in the calendar, so that every program takes it out of its own."""


class TimesProvider(Protocol):
    """A query of an upper floor; the roof names them."""

    def __call__(self, tx: Session, *, viewer: Viewer, since: date) -> Iterable[CalendarTime]:
        """Return what the viewer has in the calendar from a day on; the number of statements does not grow."""


@dataclass(frozen=True)
class FeedRow:
    """Since when a person has a calendar address."""

    created_at: datetime


def calendar_feed_of(tx: Session, *, viewer: Viewer) -> FeedRow | None:
    """Return the viewer's calendar address without its secret; None where there is none."""
    feed = tx.get(CalendarFeed, viewer.user_id)
    return None if feed is None else FeedRow(feed.created_at)


def calendar_days(
    tx: Session, *, token: str, at: datetime, providers: Sequence[TimesProvider] = ()
) -> tuple[tuple[CalendarDay, ...], tuple[CalendarTime, ...]]:
    """Return the days of all projects that the holder of the address may see, by day, and what has a time, by time.

    Raises Refusal(not_found) for a token nobody holds, and for one of a person without access.
    """
    user_id = tx.scalars(
        sa.select(CalendarFeed.user_id).where(CalendarFeed.token_digest == token_digest(token))
    ).one_or_none()
    viewer = None if user_id is None else viewer_of(tx, user_id, at=at)
    if viewer is None or not viewer.may(Permission.REFERRAL_VIEW):
        raise Refusal("not_found")
    first_on = today(tx, at) - timedelta(days=KEPT_DAYS)
    days = [*_milestones(tx, viewer), *_trades(tx, viewer)]
    if viewer.may(Permission.QUOTE_VIEW):
        days += _expiries(tx, viewer)
    if viewer.may(Permission.ORDER_VIEW):
        days += _deliveries(tx, viewer)
    times = [time for provide in providers for time in provide(tx, viewer=viewer, since=first_on)]
    return (
        tuple(sorted((day for day in days if day.on >= first_on), key=lambda day: (day.on, day.uid))),
        tuple(sorted(times, key=lambda time: (time.starts_at, time.uid))),
    )


def _milestones(tx: Session, viewer: Viewer) -> Iterator[CalendarDay]:
    found = tx.execute(
        accepted_projects(viewer)
        .with_only_columns(MilestoneEntry, Referral, Company.code)
        .select_from(Referral)
        .join(
            MilestoneEntry,
            sa.and_(
                MilestoneEntry.dealer_id == Referral.dealer_id, MilestoneEntry.referral_id == Referral.id
            ),
        )
        .join(Company, Company.id == Referral.dealer_id)
        .where(newest_entries())
    )
    for entry, referral, code in found:
        days = Days(entry.planned_on, entry.forecast_on, entry.actual_on)
        if days.end_on is None:
            continue
        words = "done" if days.actual_on else "forecast" if days.forecast_on else "planned"
        yield CalendarDay(
            uid=f"milestone-{referral.id}-{entry.kind.value}",
            on=days.end_on,
            summary=f"{MILESTONE_WORDS[entry.kind]} ({words}): {referral.project_name}",
            place=referral.place,
            notes="\n".join(_notes(days, entry)),
            endpoint="quotes.show_project",
            ref=str(PublicNumber("R", code, referral.number)),
            said_at=entry.said_at,
            sequence=entry.number - 1,
        )


def _notes(days: Days, entry: MilestoneEntry) -> Iterator[str]:
    if days.planned_on is not None:
        yield f"Planned: {say_day(days.planned_on)}"
        if late := days.days_late(days.planned_on):
            yield f"{late} {'day' if late == 1 else 'days'} late: {entry.slip_reason}"
    if entry.owner:
        yield f"Owner: {entry.owner}"


def _trades(tx: Session, viewer: Viewer) -> Iterator[CalendarDay]:
    found = tx.execute(
        accepted_projects(viewer)
        .with_only_columns(Trade, Referral, Company.code)
        .select_from(Referral)
        .join(Trade, sa.and_(Trade.dealer_id == Referral.dealer_id, Trade.referral_id == Referral.id))
        .join(Company, Company.id == Referral.dealer_id)
    )
    for trade, referral, code in found:
        if trade.agreed_on is None:
            continue
        yield CalendarDay(
            uid=f"trade-{trade.id}",
            on=trade.agreed_on,
            summary=f"{trade.trade}{' (done)' if trade.done_on else ''}: {referral.project_name}",
            place=referral.place,
            notes="\n".join(filter(None, [trade.name, trade.scope])),
            endpoint="quotes.show_project",
            ref=str(PublicNumber("R", code, referral.number)),
            said_at=trade.changed_at,
            sequence=trade.version - 1,
        )


def _expiries(tx: Session, viewer: Viewer) -> Iterator[CalendarDay]:
    left = never_ordered(viewer)
    has_rest = sa.exists().where(
        left.c.dealer_id == Revision.dealer_id,
        left.c.quote_id == Revision.quote_id,
        left.c.revision_number == Revision.number,
    )
    waits = sa.or_(
        Revision.state == RevisionState.SUBMITTED,
        sa.and_(Revision.state == RevisionState.APPROVED, has_rest),
    )
    found = tx.execute(
        sa.select(Revision, Quote, Referral, Company.code)
        .select_from(Revision)
        .join(Quote, sa.and_(Revision.dealer_id == Quote.dealer_id, Revision.quote_id == Quote.id))
        .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
        .join(Company, Company.id == Quote.dealer_id)
        .where(
            Quote.id.in_(quotes_seen_by(viewer).with_only_columns(Quote.id)),
            Referral.state == ReferralState.ACCEPTED,
            waits,
        )
    )
    for revision, quote, referral, code in found:
        if revision.expires_on is None or revision.submitted_at is None:
            continue
        is_approved = revision.state is RevisionState.APPROVED
        ref = str(PublicNumber("Q", code, quote.number))
        what = "to order the rest of" if is_approved else "to decide on"
        yield CalendarDay(
            uid=f"quote-{quote.id}-{revision.number}",
            on=revision.expires_on,
            summary=f"Last day {what} {ref}: {referral.project_name}",
            place=referral.place,
            notes=f"Revision {revision.number}",
            endpoint="quotes.show_quote",
            ref=ref,
            said_at=revision.decided_at if is_approved and revision.decided_at else revision.submitted_at,
            sequence=int(is_approved),
        )


def _deliveries(tx: Session, viewer: Viewer) -> Iterator[CalendarDay]:
    found = tx.execute(
        quotes_seen_by(viewer)
        .with_only_columns(Order, Referral, Company.code)
        .select_from(Quote)
        .join(Order, sa.and_(Order.dealer_id == Quote.dealer_id, Order.quote_id == Quote.id))
        .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
        .join(Company, Company.id == Order.dealer_id)
        .where(Order.wanted_on.is_not(None), Order.state.in_(TO_SHIP))
    )
    for order, referral, code in found:
        if order.wanted_on is None:
            continue
        ref = str(PublicNumber("O", code, order.number))
        yield CalendarDay(
            uid=f"order-{order.id}",
            on=order.wanted_on,
            summary=f"{ref} wanted on site: {referral.project_name}",
            place=referral.place,
            notes=f"Purchase order {order.purchase_order}" if order.purchase_order else "",
            endpoint="quotes.show_order",
            ref=ref,
            said_at=order.entered_at,
            sequence=0,
        )
