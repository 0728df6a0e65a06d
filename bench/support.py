"""Support: timelines a second, the desk's list over 500 and 50,000 open calls, the due worker's batch of a thousand."""

from __future__ import annotations

import json
import statistics
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bench.called import Ground, make_called
from bench.common import Plan, Row, Server, rate_of_one_core
from bench.growth import DATABASES, House, growth, houses
from referral.db import db, read, write
from support.models.calls import CallEvent, CallNotice, ServiceCall
from support.operations.calls_telling import tell_of_due_calls
from support.queries.call_jobs import CALLS_AT_ONCE
from support.queries.calls import calls_page
from support.rules.course import Happening
from support.rules.policy import Policy
from support.rules.service_hours import calendar_of
from support.rules.timeline import timeline
from support.schemas.catalogue import shipped_catalogue
from support.states import CallEventKind, EntryKind, Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from sqlalchemy.orm import Session

    from referral.permissions import Viewer

FEW, MANY = 500, 50_000
"""Open calls of the two databases."""
QUICK_MANY = 10_000
TIMELINES = 10_000
"""The limit: so many a second on one core."""
STATEMENTS = 60
"""The limit on what a batch of the due worker sends."""
_Kind = CallEventKind

# timelines --------------------------------------------------------------------------------------


def ordinary() -> list[Callable[[], object]]:
    """Return timelines of calls of six to ten events, under each policy of the catalogue that is shipped."""
    policies, calendars = _shipped(EntryKind.POLICY), _shipped(EntryKind.CALENDAR)
    desk = calendar_of(calendars["support-desk"], "America/New_York")
    hours = calendar_of(calendars["site-hours"], "America/New_York")
    two = _happenings(
        (_Kind.OPENED, 0), (_Kind.CONFIRMED, 30), (_Kind.PAUSED, 120), (_Kind.RESUMED, 240),
        (_Kind.ESCALATED, 1_500), (_Kind.UPDATED, 2_940), priority=Priority.TWO,
    )  # fmt: skip
    worse = [*two, _event(7, _Kind.PRIORITY, 3_060, Priority.ONE)]
    worse += _happenings(
        (_Kind.NOTIFIED, 3_070), (_Kind.FOLLOWED_UP, 3_170), (_Kind.FOLLOWED_UP, 3_310), first=8
    )
    response = _happenings(
        (_Kind.OPENED, 0), (_Kind.NOTED, 20), (_Kind.PAUSED, 60), (_Kind.RESUMED, 1_500), (_Kind.NOTED, 1_600),
        (_Kind.RESPONDED, 1_700),
    )  # fmt: skip
    asked: list[Callable[[], object]] = []
    for content in policies.values():
        policy = Policy.from_data(content)
        if any(each.of_priority for each in policy.obligations):
            asked += [partial(timeline, policy, desk, each, _at(3_400)) for each in (two, worse)]
        else:
            asked.append(partial(timeline, policy, hours, response, _at(3_400)))
    return asked


def heaviest() -> list[Callable[[], object]]:
    """Return the timeline of priority 1 that nobody followed up for sixty hours: thirty rows were missed."""
    policy = Policy.from_data(_shipped(EntryKind.POLICY)["software-priorities"])
    desk = calendar_of(_shipped(EntryKind.CALENDAR)["support-desk"], "America/New_York")
    found = _happenings((_Kind.OPENED, 0), (_Kind.CONFIRMED, 30), priority=Priority.ONE)
    return [partial(timeline, policy, desk, found, _at(30 + 60 * 60 + 1))]


def _shipped(kind: EntryKind) -> dict[str, Any]:
    """Return what the entries of a kind say, by key, as they are stored."""
    return {
        each.key: json.loads(json.dumps(each.content, default=str))
        for each in shipped_catalogue().entries
        if each.kind is kind
    }


def _happenings(
    *said: tuple[CallEventKind, int], priority: Priority | None = None, first: int = 1
) -> list[Happening]:
    """Return events by kind and minute; the first has the priority."""
    return [
        _event(number, kind, minutes, priority if number == first else None)
        for number, (kind, minutes) in enumerate(said, first)
    ]


def _event(number: int, kind: CallEventKind, minutes: int, priority: Priority | None) -> Happening:
    return Happening(number, kind, _at(minutes), _at(minutes), priority)


def _at(minutes: int) -> datetime:
    """An instant so many minutes after a Tuesday noon, two days before Thanksgiving."""
    return datetime(2026, 11, 24, 17, tzinfo=UTC) + timedelta(minutes=minutes)


# the desk's list --------------------------------------------------------------------------------


def acts_of(ground: Ground) -> dict[str, Callable[[Session], object]]:
    """Return what is read: the open calls by what is due next, as each side sees them, and their second page."""
    acts: dict[str, Callable[[Session], object]] = {}
    for name, viewer in _sides(ground).items():
        first = partial(calls_page, viewer=viewer, at=ground.at)
        acts[f"desk as the {name}"] = first
        acts[f"desk as the {name}, page 2"] = partial(first, after=read(first).after)
    return acts


def _sides(ground: Ground) -> dict[str, Viewer]:
    return {"program": ground.program, "account": ground.account, "dealer": ground.dealer}


def check_plans(house: House[Ground]) -> None:
    """Each page is one statement, which takes its rows off an index in order. Raises RuntimeError where it does not."""
    with house.app.app_context():
        for name, act in acts_of(house.ground).items():
            with sent() as statements:
                read(act)
            if len(statements) != 1:
                raise RuntimeError(f"{name}: {len(statements)} statements")
            place = name.partition("as the ")[2].partition(",")[0]
            _guard_plan(name, f"ix_service_call_{'waits' if place == 'program' else place}", *statements[0])


def _guard_plan(name: str, index: str, statement: str, said: Any) -> None:
    """Guard: the calls are read along the index, not sorted first, and cut to the page. Raises RuntimeError."""
    is_sqlite = db.engine.dialect.name == "sqlite"
    with db.engine.connect() as connection:
        word = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        steps = [tuple(row) for row in connection.exec_driver_sql(f"{word} {statement}", said)]
    words = [str(step[-1]) for step in steps]
    place = next(count for count, each in enumerate(words) if " service_call " in each)
    if is_sqlite:
        beside = [each for each, step in zip(words, steps, strict=True) if step[1] == steps[place][1]]
        is_good = f"USING INDEX {index}" in words[place] and not any("TEMP B-TREE" in each for each in beside)
    else:
        is_good = f"Index Scan using {index} on" in words[place] and "Limit" in words[max(place - 1, 0)]
    if not is_good:
        raise RuntimeError("\n".join((f"{name} does not go along {index}:", *words)))


@contextmanager
def sent() -> Iterator[list[tuple[str, Any]]]:
    """Give the statements that are sent meanwhile, with what they were sent with."""
    found: list[tuple[str, Any]] = []

    def hear(_connection: object, _cursor: object, statement: str, said: Any, *_rest: object) -> None:
        found.append((statement, said))

    sa.event.listen(db.engine, "before_cursor_execute", hear)
    try:
        yield found
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", hear)


# the due worker ---------------------------------------------------------------------------------


def worker_rows(database: str, house: House[Ground]) -> list[Row]:
    """Tell of a thousand due calls of each dealer in turn; return the time, the statements, what else changed."""
    taken, told, sizes, others = [], [], [], 0
    with house.app.app_context():
        for dealer_id in house.ground.dealer_ids:
            at = read(_when_due, dealer_id=dealer_id)
            before = read(_rows)
            with sent() as statements:
                begun = time.perf_counter()
                count = write(tell_of_due_calls, actor=None, at=at, dealer_id=dealer_id)
                taken.append(time.perf_counter() - begun)
            told.append(count)
            sizes.append(len(statements))
            after, concerned = read(_rows), read(_told_at, at=at, dealer_id=dealer_id)
            if len(concerned) != CALLS_AT_ONCE or before.keys() != after.keys():
                raise RuntimeError(f"{len(concerned)} calls were told of")
            others += sum(before[key] != after[key] for key in before.keys() - concerned)
    name = f"{database}: {CALLS_AT_ONCE:,} due of {house.size}"
    return [
        Row(f"{name}, {statistics.median(told):,.0f} notices", statistics.median(taken), "s"),
        Row(f"{name}: statements", max(sizes), "", limit=STATEMENTS, is_ceiling=True),
        Row(f"{name}: others changed", others, "", limit=0, is_ceiling=True),
    ]


def _when_due(tx: Session, *, dealer_id: UUID) -> datetime:
    """Return the first instant at which a whole batch of the dealer's calls is to be told of."""
    instants: list[datetime] = sorted(
        at
        for at in tx.scalars(sa.select(ServiceCall.notice_at).where(ServiceCall.dealer_id == dealer_id))
        if at is not None
    )
    return instants[CALLS_AT_ONCE - 1]


def _told_at(tx: Session, *, at: datetime, dealer_id: UUID) -> set[UUID]:
    """Return the dealer's calls of which something was told at an instant."""
    found = sa.select(CallNotice.call_id).where(CallNotice.told_at == at, CallNotice.dealer_id == dealer_id)
    return set(tx.scalars(found))


def _rows(tx: Session) -> dict[UUID, int]:
    """Return a sum over each call's row and its events, by call."""
    found = {row.id: hash(tuple(row)) for row in tx.execute(sa.select(ServiceCall.__table__))}
    for row in tx.execute(sa.select(CallEvent.__table__)):
        found[row.call_id] ^= hash(tuple(row))
    return found


# all of it --------------------------------------------------------------------------------------


def run(server: Server, plan: Plan) -> list[Row]:
    """Measure the clock function, then pages and the worker on both databases."""
    asked = {
        "ordinary calls, each policy": (ordinary(), TIMELINES),
        "ten events, five obligations": (ordinary()[-1:], TIMELINES),
        "thirty missed follow-ups": (heaviest(), None),
    }
    rows = [
        Row(f"timelines a second of one core: {name}", rate_of_one_core(questions, plan), "/s", limit=limit)
        for name, (questions, limit) in asked.items()
    ]
    many = MANY if plan.postings >= Plan.postings else QUICK_MANY
    for database in DATABASES:
        with houses(server, database, "open calls", (FEW, many), make_called) as pair:
            check_plans(pair[1])
            rows += growth(database, pair, acts_of, plan)
            rows += worker_rows(database, pair[1])
    return rows
