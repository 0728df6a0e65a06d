"""Fixtures of all tests: databases, application, page client, browser, no network."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.register_assert_rewrite("tests.pages", "tests.browsers", "tests.factories")

from referral.db import db  # noqa: E402 - after the rewrite is announced
from tests import databases, loopback, pages, threads  # noqa: E402
from tests.applications import let_go, make_test_app, migrate, open_tx  # noqa: E402
from tests.browsers import browse, live_server, page, soffice  # noqa: E402, F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from sqlalchemy.orm import Session

NAME = os.environ.get("PYTEST_XDIST_WORKER", "alone")
KINDS = ["sqlite", "postgresql"]
SHARED = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the directory of this run, of which workers are told; forget the settings of whoever runs it."""
    for name in [name for name in os.environ if name.startswith("LEDGER_")]:
        del os.environ[name]
    given = getattr(config, "workerinput", {}).get("shared")
    config.stash[SHARED] = Path(given) if given else databases.make_shared_directory()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker the directory of this run."""
    node.workerinput["shared"] = str(node.config.stash[SHARED])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the database server when all workers are done."""
    if not hasattr(config, "workerinput") and SHARED in config.stash:
        databases.remove_shared_directory(config.stash[SHARED])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses a database on both, unless it is marked with a reason not to."""
    if "database" in metafunc.fixturenames:
        marks = {kind: metafunc.definition.get_closest_marker(f"{kind}_only") for kind in KINDS}
        only = [kind for kind, mark in marks.items() if mark and mark.args[0]]  # the mark's reason
        metafunc.parametrize("database", only or KINDS, indirect=True)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        loopback.close_network(patch)
        yield


@pytest.fixture(scope="session")
def for_worker() -> Iterator[ExitStack]:
    """Close at the worker's end what it keeps between tests."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def kept() -> dict[str, Any]:
    """Hold what a worker keeps between tests: databases, applications, servers, the browser."""
    return {}


@pytest.fixture(scope="session")
def sqlite(pytestconfig: pytest.Config) -> databases.SqliteDatabase:
    """Give this worker's SQLite file; tests ask for `database`."""
    return databases.SqliteDatabase(pytestconfig.stash[SHARED], NAME, migrate)


@pytest.fixture(scope="session")
def postgresql(pytestconfig: pytest.Config) -> Iterator[databases.PostgresDatabase]:
    """Give this worker's PostgreSQL database; tests ask for `database`."""
    made = databases.PostgresDatabase(pytestconfig.stash[SHARED], NAME, migrate)
    yield made
    made.close()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[databases.Database]:
    """Give a migrated database without any rows but those of the migrations; it is emptied afterwards."""
    given = request.getfixturevalue(request.param)
    yield given
    given.reset()


@pytest.fixture
def app(database: databases.Database, kept: dict[str, Any], for_worker: ExitStack) -> Iterator[Flask]:
    """Give the application on the database, in an application context."""
    key = f"app on {database.kind}"
    if key not in kept:
        kept[key] = make_test_app(database.uri)
        for_worker.callback(let_go, kept[key])
    with kept[key].app_context():
        yield kept[key]
        db.session.remove()
    if database.kind == "sqlite":  # whose file is replaced
        let_go(kept[key])


@pytest.fixture
def make_app(app: Flask, database: databases.Database) -> Iterator[Callable[..., Flask]]:
    """Make an application with other settings on the same database: `make_app(DEMO=True)`."""
    made: list[Flask] = []

    def make(**settings: object) -> Flask:
        made.append(make_test_app(database.uri, **settings))
        return made[-1]

    yield make
    for one in made:
        let_go(one)


@pytest.fixture
def tx(app: Flask) -> Iterator[Session]:
    """Give a session that begins when used and rolls back at last; `client` and `at_once` commit it first."""
    with open_tx() as session:
        yield session


@pytest.fixture
def client(app: Flask, tx: Session) -> pages.PageClient:
    """Give a client that looks at each page it fetches."""
    return pages.PageClient(app, before=tx.commit, after=tx.expire_all)


@pytest.fixture
def at_once(app: Flask, tx: Session) -> Callable[..., list[Any]]:
    """Call something many times at the same moment: `at_once(call, times=20)` returns answers and exceptions."""

    def run(call: Callable[[], Any], times: int = 20) -> list[Any]:
        tx.commit()
        return threads.call_at_once(app, call, times)

    return run
