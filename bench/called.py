"""Many open service calls, made quickly: true ones by the operations, and copies of them through `copy_rows`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from referral.db import copy_rows, refresh_statistics, write
from referral.ids import PublicNumber, new_id
from support.models.calls import CallEvent, ServiceCall
from support.operations.calls_recording import record_call_event
from support.queries.call_facts import call_event_columns, call_event_digest, call_facts, values_of_call
from support.rules.call_projection import CallFacts
from support.rules.course import Happening
from support.states import CallEventKind, Priority
from tests.applications import let_go, make_test_app, migrate, open_tx
from tests.factories import AT, World, make_agreement, make_call, make_catalogue, make_dealer, make_world

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

    from bench.common import Server
    from referral.permissions import Viewer

DEALERS = 4
BATCH = 5_000
"""How many calls one transaction copies."""
OPENED = AT + timedelta(days=1)
SPREAD = timedelta(days=14)
"""Over so long the calls are opened, so that what is due is spread over weeks."""
STEP = timedelta(minutes=37)
NOW = OPENED + SPREAD + timedelta(days=1)
"""When somebody looks at them."""
TABLES = (ServiceCall.__tablename__, CallEvent.__tablename__)
Row = dict[str, Any]
_Kind = CallEventKind
CALLS: tuple[tuple[str, Priority | None, tuple[tuple[CallEventKind, int], ...]], ...] = (
    ("platinum", None, ()),
    ("platinum", None, ((_Kind.NOTED, 10), (_Kind.RESPONDED, 60))),
    ("platinum", None, ((_Kind.PAUSED, 30),)),
    ("platinum", None, ((_Kind.PAUSED, 30), (_Kind.RESUMED, 2_000))),
    ("deluxe", Priority.TWO, ((_Kind.CONFIRMED, 20),)),
    ("deluxe", Priority.TWO, ((_Kind.CONFIRMED, 20), (_Kind.ESCALATED, 300), (_Kind.UPDATED, 1_500))),
    ("deluxe", Priority.THREE, ()),
)
"""The calls of each dealer: under which offer, how bad, and what happened after how many minutes."""
WORDS: dict[CallEventKind, dict[str, Any]] = {
    _Kind.NOTED: {"words": "Seen"},
    _Kind.PAUSED: {"reason": "customer"},
}


@dataclass(frozen=True)
class Ground:
    """Who looks at the calls, and at which instant."""

    program: Viewer
    account: Viewer
    dealer: Viewer
    """One of `dealer_ids`."""
    dealer_ids: tuple[UUID, ...]
    at: datetime


@dataclass(frozen=True)
class _Pattern:
    """A true call of a dealer, with its events."""

    call: Row
    events: list[Row]
    facts: CallFacts


def make_called(uri: str, calls: int, server: Server | None = None) -> Ground:  # noqa: ARG001 - triggers may stay
    """Migrate the database and put so many open calls into it."""
    migrate(uri)
    app = make_test_app(uri)
    with app.app_context():
        with open_tx() as tx:
            worlds = _make_worlds(tx)
            patterns = [_pattern(tx, world, *said) for said in CALLS for world in worlds]
            tx.commit()
        true = len(patterns)
        for start in range(true, calls, BATCH):
            numbers = range(start, min(start + BATCH, calls))
            write(_copy_calls, patterns=patterns, numbers=numbers)
        write(refresh_statistics, TABLES)
    let_go(app)
    world = worlds[0]
    dealer_ids = tuple(each.dealer.company_id for each in worlds)
    return Ground(world.program, world.account, world.dealer, dealer_ids, NOW)


def _make_worlds(tx: Session) -> list[World]:
    """Return dealers of one program and one account, each with agreements for a place."""
    first = make_world(tx)
    make_catalogue(tx, first.program)
    worlds = [first]
    for number in range(1, DEALERS):
        dealer = make_dealer(tx, first.program, number=f"0099-{number:04}")
        worlds.append(World(tx, first.program, dealer, first.account, f"0099-{number:04}"))
    return worlds


def _pattern(
    tx: Session,
    world: World,
    offer_key: str,
    priority: Priority | None,
    happened: tuple[tuple[CallEventKind, int], ...],
) -> _Pattern:
    """Return a call that the operations opened and worked on, under an agreement of its own."""
    site = f"{world.refer()}/1"
    licenses = 5_000_000 if offer_key == "deluxe" else None
    agreement = make_agreement(world, offer_key=offer_key, sites=[site], license_cents=licenses)
    under = str(PublicNumber("A", world.dealer.company_code, agreement.number))
    ref = make_call(world, at=OPENED, site_ref=site, under=under, priority=priority)
    for count, (kind, minutes) in enumerate(happened, 1):
        record_call_event(
            tx, actor=world.program, at=OPENED + timedelta(minutes=minutes), ref=ref, event_count=count,
            kind=kind, **WORDS.get(kind, {}),
        )  # fmt: skip
    call = tx.scalars(
        sa.select(ServiceCall).where(
            ServiceCall.dealer_id == world.dealer.company_id,
            ServiceCall.number == int(ref.rpartition("-")[2]),
        )
    ).one()
    events = tx.scalars(
        sa.select(CallEvent).where(CallEvent.call_id == call.id).order_by(CallEvent.number)
    ).all()
    columns = {column.name: getattr(call, column.name) for column in ServiceCall.__table__.columns}
    return _Pattern(columns, [call_event_columns(event) for event in events], call_facts(tx, call))


def _copy_calls(tx: Session, *, patterns: list[_Pattern], numbers: range) -> None:
    """Copies of the dealers' calls are there, each opened at another instant, in turn."""
    calls: list[Row] = []
    events: list[Row] = []
    for number in numbers:
        _copy_call(calls, events, patterns[number % len(patterns)], number)
    copy_rows(tx, ServiceCall, calls)
    copy_rows(tx, CallEvent, events)


def _copy_call(calls: list[Row], events: list[Row], pattern: _Pattern, number: int) -> None:
    later = number * STEP % SPREAD
    call_id: UUID = new_id()
    happenings = []
    for columns in pattern.events:
        event = columns | {"call_id": call_id}
        event |= {name: event[name] + later for name in ("happened_at", "recorded_at")}
        happenings.append(Happening(**{name: event[name] for name in Happening.__slots__}))
        events.append(event | {"digest": call_event_digest(event)})
    facts = CallFacts(pattern.facts.policy, pattern.facts.calendar, happenings)
    calls.append(
        pattern.call
        | {
            "id": call_id,
            "number": len(CALLS) + number,
            "idempotency_key": f"copy {number}",
            "opened_at": pattern.call["opened_at"] + later,
        }
        | values_of_call(facts, (), max(each.recorded_at for each in happenings))
    )
