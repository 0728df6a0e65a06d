"""A quote from draft to order through HTTP, beside a sale of as many lines in Tryton."""

from __future__ import annotations

import http.client
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import make_server

from bench.common import Plan, Row
from quotes.operations.quotes import start_quote
from quotes.rules.content import ATTESTATIONS
from referral.clock import now
from referral.db import db, write
from tests.applications import let_go, make_test_app, migrate
from tests.factories import World, make_world
from tests.tokens import token_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from bench.common import Server

SHORT, LONG = 100, 1_000
"""Lines of the two quotes."""
MODELS = ("D3-LIGHT", "D3-TRIM", "L3I-STRIP", "PROC-1")
ROOMS = 40
TRYTON_PARTS = 20
"""The limit: ours costs at most so many parts of what Tryton's line costs."""
GROWTH = 12
"""The limit: ten times the lines cost at most so many times the time."""


class Desk:
    """The API as the account and the dealer use it: one connection each to a server of the application."""

    def __init__(self, host: str, port: int, world: World, tokens: dict[str, str]) -> None:
        """Keep what every call needs."""
        self.connection = http.client.HTTPConnection(host, port)
        self.world = world
        self.tokens = tokens

    def call(self, who: str, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Return the answer's JSON. Raises RuntimeError for a refusal."""
        self.connection.request(
            method,
            f"/api/v1{path}",
            None if body is None else json.dumps(body),
            {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": "application/json", **headers},
        )
        answer = self.connection.getresponse()
        said = json.loads(answer.read())
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {said}")
        return said

    def quote(self, count: int, turn: str) -> dict[str, float]:
        """Take a quote of so many lines from draft to order; return the seconds of each step."""
        ref = write(_start, world=self.world)
        revision = f"/quotes/{ref}/revisions/1"
        taken: dict[str, float] = {}

        def step(name: str, who: str, method: str, path: str, body: object, **headers: str) -> Any:
            begun = time.perf_counter()
            said = self.call(who, method, path, body, **headers)
            taken[name] = time.perf_counter() - begun
            return said

        lines = [
            {"model_number": MODELS[at % len(MODELS)], "quantity": 2, "room": f"Room {at % ROOMS}"}
            for at in range(count)
        ]
        draft = {"account_number": self.world.number, "lines": lines, "has_no_services": True}
        saved = step("save", "account", "PUT", revision, {**draft, "draft_version": 1})
        said = {"draft_version": saved["draft_version"]}
        submitted = step("submit", "account", "POST", f"{revision}/submit", said)
        words = {
            "digest": submitted["digest"],
            "attestations": {name.removeprefix("attested_"): True for name in ATTESTATIONS},
            "account_number": self.world.number,
            "name": self.world.dealer.name,
        }
        step("approve", "dealer", "POST", f"{revision}/approve", words)
        key = {"Idempotency-Key": f"{ref}-{turn}"}
        order = step("order", "account", "POST", f"{revision}/orders", {"purchase_order": "PO-1"}, **key)
        shown = self.call("account", "GET", f"/orders/{order['id']}")
        if len(shown["lines"]) != count:
            raise RuntimeError(f"{order['id']} has {len(shown['lines'])} lines")
        return taken


def _start(tx: Session, *, world: World) -> str:
    world.tx = tx
    return start_quote(tx, actor=world.account, at=now(), referral_ref=world.refer(at=now()))[1]


def _ground(tx: Session) -> tuple[World, dict[str, str]]:
    world = make_world(tx)
    return world, {"account": token_of(tx, world.account), "dealer": token_of(tx, world.dealer)}


@contextmanager
def desk_on(uri: str) -> Iterator[Desk]:
    """Serve the application on this database over HTTP, with a dealer, an account and a price list."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    migrate(uri)
    app = make_test_app(uri, TRUSTED_HOSTS=["127.0.0.1"])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with app.app_context():
        world, tokens = write(_ground)
        yield Desk("127.0.0.1", server.port, world, tokens)
        db.session.remove()
    server.shutdown()
    let_go(app)


def tryton_seconds(counts: list[int]) -> list[float]:
    """Return the seconds of Tryton's sales of so many lines, from a process of its own."""
    command = [sys.executable, "-m", "bench.tryton_sale", *map(str, counts)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    told: list[float] = json.loads(done.stdout)
    return told


def _whole(taken: dict[str, float]) -> float:
    return taken["submit"] + taken["approve"] + taken["order"]


def run(server: Server, plan: Plan) -> list[Row]:
    """Measure on both databases, in turns with Tryton."""
    rows: list[Row] = []
    server.create("workbench")
    with tempfile.TemporaryDirectory() as directory:
        uris = {
            "PostgreSQL": server.uri("workbench"),
            "SQLite": f"sqlite:///{Path(directory) / 'workbench.sqlite'}",
        }
        for database, uri in uris.items():
            with desk_on(uri) as desk:
                rows += _measure(database, desk, plan)
    return rows


def _measure(database: str, desk: Desk, plan: Plan) -> list[Row]:
    desk.quote(SHORT, "warm")
    long, short, tryton = [], [], []
    for turn in range(plan.turns):
        short += [desk.quote(SHORT, f"{turn}-{again}") for again in range(5)]
        long.append(desk.quote(LONG, str(turn)))
        tryton += tryton_seconds([LONG])
    whole, peer = statistics.median(map(_whole, long)), statistics.median(tryton)
    with_save = statistics.median(_whole(taken) + taken["save"] for taken in long)
    small = statistics.median(map(_whole, short))
    name = f"{database}: a line of a quote of {LONG:,}"
    milli = 1_000 / LONG
    return [
        Row(
            f"{name}: submit, approve, order",
            whole * milli,
            "ms",
            "Tryton",
            peer * milli,
            1 / TRYTON_PARTS,
            is_ceiling=True,
        ),
        Row(f"{name}: with the save of the draft", with_save * milli, "ms", "Tryton", peer * milli),
        Row(
            f"{database}: a quote of {LONG:,} lines beside one of {SHORT}",
            whole * 1_000,
            "ms",
            f"{SHORT} lines",
            small * 1_000,
            GROWTH,
            is_ceiling=True,
        ),
    ]
