"""Many installed sources, made quickly: true projects by the operations, and copies of them through `copy_rows`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from quotes.models.orders import Order, OrderLine
from quotes.models.quotes import Approval, Quote, Revision, RevisionLine
from quotes.models.shipments import Shipment, ShipmentLine
from quotes.operations.quotes import LineInput
from referral.db import Base, copy_rows, db, refresh_statistics, write
from referral.ids import new_id
from referral.models import Referral
from tests.applications import let_go, make_test_app, migrate, open_tx
from tests.factories import AT, SINCE, World, make_dealer, make_world
from warranty.models.sources import InstalledSource, Site, SourceEvent
from warranty.models.terms import WarrantyTerm
from warranty.queries.digests import event_digest
from warranty.queries.facts import terms_of
from warranty.rules.coverage import SourceFacts, term_for
from warranty.rules.projection import project
from warranty.rules.standing import Event, stand
from warranty.states import SourceEventKind, StartRule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy.orm import Session

    from bench.common import Server
    from referral.permissions import Viewer
    from warranty.rules.coverage import Term

DEALERS = 4
UNITS = 100
"""Of a project, each recorded for itself, in ten rooms."""
BATCH = 50
"""How many projects one transaction copies."""
MONTHS = 36
SPREAD = 1_200
"""Over so many days the warranties end, half of them before the day of the measurement."""
PAPERS = (Referral, Quote, Revision, RevisionLine, Approval, Order, OrderLine, Shipment, ShipmentLine, Site)
"""What a project with one shipped order consists of, each after those it needs."""
TABLES = tuple(model.__tablename__ for model in (*PAPERS, InstalledSource, SourceEvent))


@dataclass(frozen=True)
class Ground:
    """Who looks, and at what: the project has UNITS sources, whatever else there is."""

    program: Viewer
    account: Viewer
    dealer: Viewer
    project: str
    source: str


def make_installed(uri: str, units: int, server: Server | None = None) -> Ground:
    """Migrate the database and put so many units into it. On a server its triggers rest meanwhile."""
    migrate(uri)
    app = make_test_app(uri)
    with app.app_context():
        with open_tx() as tx:
            worlds = _make_worlds(tx)
            papers = [_papers_of(tx, world) for world in worlds]
            (term,) = terms_of(tx, ["D3"])["d3"]
            tx.commit()
        projects = units // UNITS
        with _resting(server):
            for start in range(0, projects, BATCH):
                numbers = range(start, min(start + BATCH, projects))
                write(_copy_projects, papers=papers, term=term, numbers=numbers)
        write(refresh_statistics, TABLES)
    let_go(app)
    world = worlds[0]
    code = world.dealer.company_code
    return Ground(world.program, world.account, world.dealer, f"R-{code}-2", f"U-{code}-3")


def _make_worlds(tx: Session) -> list[World]:
    """Return dealers of one program and one account, each with a project whose order has shipped."""
    first = make_world(tx)
    numbers = [first.number, *(f"0099-{number:04}" for number in range(1, DEALERS))]
    others = [make_dealer(tx, first.program, number=number) for number in numbers[1:]]
    worlds = [
        World(tx, first.program, dealer, first.account, number)
        for dealer, number in zip([first.dealer, *others], numbers, strict=True)
    ]
    tx.add(
        WarrantyTerm(
            id=new_id(), family="D3", family_key="d3", valid_from=SINCE, months=MONTHS, cap_days=90,
            start_rule=StartRule.COMMISSIONED, covers_parts=True, covers_labor=True, report_days=30,
            replacement_days=90, source="Invented", reason="For the measurement.", set_by=None, set_at=AT,
        )
    )  # fmt: skip
    tx.flush()
    half = UNITS // 2
    lines = [LineInput("D3-LIGHT", half, "Kitchen"), LineInput("D3-TRIM", half, "Kitchen")]
    for world in worlds:
        _, ref = world.order(world.approve(world.submit(lines=lines)))
        world.ship(ref)
    return worlds


@contextmanager
def _resting(server: Server | None) -> Iterator[None]:
    """Let the triggers of the tables that grow rest, as their owner alone can; SQLite has to drop and make them."""
    if server is None:
        found = _of_engine("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        for trigger, _ in found:
            _of_engine(f"DROP TRIGGER {trigger}")
        yield
        for _, made in found:
            _of_engine(made)
        return
    with server.connect(str(db.engine.url.database)) as connection:
        for table in TABLES:
            connection.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER ALL')
        yield
        for table in TABLES:
            connection.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER ALL')


def _of_engine(statement: str) -> list[tuple[Any, ...]]:
    with db.engine.begin() as connection:
        answer = connection.exec_driver_sql(statement)
        return [tuple(row) for row in answer] if answer.returns_rows else []


Row = dict[str, Any]


@dataclass(frozen=True)
class _Papers:
    """The rows of a dealer's true project, and the ids that are its own."""

    rows: dict[type[Base], list[Row]]
    ids: frozenset[UUID]
    by: UUID


def _papers_of(tx: Session, world: World) -> _Papers:
    dealer_id = world.dealer.company_id
    rows: dict[type[Base], list[Row]] = {}
    for model in (*PAPERS, InstalledSource):
        found = tx.execute(sa.select(model.__table__).where(model.__table__.c.dealer_id == dealer_id))
        rows[model] = [dict(row) for row in found.mappings()]
    for row in rows[Order]:
        row |= {"entry_id": None, "credit_cents": 0}
    ids = {row[name] for each in rows.values() for row in each for name in ("id", "line_id") if name in row}
    return _Papers(rows, frozenset(ids), world.account.user_id)


def _copy_projects(tx: Session, *, papers: list[_Papers], term: Term, numbers: range) -> None:
    """Copies of the dealers' projects are there, dealers in turn, with the units of each."""
    made: dict[type[Base], list[Row]] = {model: [] for model in (*PAPERS, InstalledSource, SourceEvent)}
    for number in numbers:
        own = papers[number % DEALERS]
        _copy_project(made, own, term, number)
    for model, rows in made.items():
        copy_rows(tx, model, rows)


def _copy_project(made: dict[type[Base], list[Row]], papers: _Papers, term: Term, number: int) -> None:
    nth = number // DEALERS + 1  # so many projects of its dealer are there, the true one counted
    anew = {each: new_id() for each in papers.ids}
    for model in PAPERS:
        numbered = model in {Referral, Quote, Order}
        for row in papers.rows[model]:
            copied: Row = {name: anew.get(value, value) for name, value in row.items()}
            if numbered:
                copied["number"] = row["number"] + nth
            for name in ("idempotency_key", "project_key"):
                if name in row:
                    copied[name] = f"{row[name]} {number}"
            made[model].append(copied)
    day = AT.date() - timedelta(days=MONTHS * 30 + SPREAD // 2 - number * 37 % SPREAD)
    groups = papers.rows[InstalledSource]
    unit = len(groups) + (nth - 1) * UNITS
    for group in groups:
        alike: Row = {name: anew.get(value, value) for name, value in group.items()}
        events = _events_of(alike, papers.by, day)
        alike |= {"ordered_on": day, **_read_off(alike["family"], day, term, events)}
        for _ in range(group["quantity"]):
            unit += 1
            own = {"id": new_id(), "number": unit}
            room = f"Room {unit % 10}"
            made[InstalledSource].append(alike | own | {"room": room})
            for each in events:
                event = each | {"source_id": own["id"]} | ({"room": room} if each["site_id"] else {})
                event["digest"] = event_digest(event)
                made[SourceEvent].append(event)


def _events_of(source: Row, by: UUID, day: date) -> list[Row]:
    """Return the events of a unit that shipped on a day to a room and was commissioned a week later."""
    kinds = SourceEventKind
    said: list[Row] = [
        {"kind": kinds.SHIPPED, "quantity": 1},
        {"kind": kinds.MOVED, "site_id": source["site_id"]},
        {"kind": kinds.COMMISSIONED, "happened_on": day + timedelta(days=7)},
    ]
    nothing: Row = {
        "dealer_id": source["dealer_id"], "source_id": None, "happened_on": day, "quantity": 0,
        "site_id": None, "room": "", "serial": "", "other_id": None, "voids": None, "reason": "",
        "is_inherited": False, "recorded_by": by, "recorded_at": AT,
    }  # fmt: skip
    return [nothing | {"number": number} | each for number, each in enumerate(said, 1)]


def _read_off(family: str, day: date, term: Term, events: list[Row]) -> Row:
    """Return the columns of a unit that are read off its events, by the rules that read them."""
    names = ("number", "kind", "happened_on", "recorded_at", "quantity", "site_id", "room")
    standing = stand([Event(**{name: each[name] for name in names}) for each in events])
    facts = SourceFacts("", family, "", day, standing, term_for([term], day))
    return {"event_count": len(events), **asdict(project(facts))}
