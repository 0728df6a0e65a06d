"""Fixtures of all tests: databases, application, page client, browser, no network."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask_migrate
import pytest
from sqlalchemy.orm import Session

pytest.register_assert_rewrite("tests.pages", "tests.browsers", "tests.factories")

from referral.db import db  # noqa: E402 - after the rewrite is announced
from tests import databases, loopback, pages, threads  # noqa: E402
from tests.browsers import browse, live_server, page, soffice  # noqa: E402, F401 - fixtures
from wsgi import create_app  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask

MIGRATIONS = str(Path(__file__).parent.parent / "migrations")
KINDS = ["sqlite", "postgresql"]
SETTINGS: dict[str, object] = {
    "TESTING": True,
    "SECRET_KEY": "only for tests, and long enough for them",
    "SESSION_COOKIE_SECURE": False,
    # The cheapest argon2 there is: what a hash costs is not what is tested.
    "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": {
        "argon2__time_cost": 1, "argon2__memory_cost": 8, "argon2__parallelism": 1,
    },
}  # fmt: skip
SHARED = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the directory of this run; workers are told which it is."""
    given = getattr(config, "workerinput", {}).get("shared")
    config.stash[SHARED] = Path(given) if given else databases.make_shared_directory()
    if not given:
        (config.stash[SHARED] / "run.pid").write_text(str(os.getpid()))


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
        only = [kind for kind in KINDS if metafunc.definition.get_closest_marker(f"{kind}_only")]
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


def worker_name(config: pytest.Config) -> str:
    """Return the name of this worker among those of the run."""
    return str(getattr(config, "workerinput", {}).get("workerid", "alone"))


def migrate(uri: str) -> None:
    """Run the real migrations."""
    app = create_app(SETTINGS | {"SQLALCHEMY_DATABASE_URI": uri})
    with app.app_context():
        flask_migrate.upgrade(directory=MIGRATIONS)
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite(pytestconfig: pytest.Config) -> databases.SqliteDatabase:
    """Give this worker's SQLite file; tests ask for `database`."""
    return databases.SqliteDatabase(pytestconfig.stash[SHARED], worker_name(pytestconfig), migrate)


@pytest.fixture(scope="session")
def postgresql(pytestconfig: pytest.Config) -> Iterator[databases.PostgresDatabase]:
    """Give this worker's PostgreSQL database; tests ask for `database`."""
    made = databases.PostgresDatabase(pytestconfig.stash[SHARED], worker_name(pytestconfig), migrate)
    yield made
    made.close()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> databases.Database:
    """Give a migrated database without any rows but those of the migrations; `.kind`, `.uri`, `.make_empty()`."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def app(database: databases.Database, kept: dict[str, Any]) -> Iterator[Flask]:
    """Give the application on the database, in an application context; the database is emptied afterwards."""
    key = f"app on {database.kind}"
    if key not in kept:
        kept[key] = create_app(SETTINGS | {"SQLALCHEMY_DATABASE_URI": database.uri})
    with kept[key].app_context():
        yield kept[key]
        db.session.remove()
        if database.kind == "sqlite":
            db.engine.dispose()
    database.reset()


@pytest.fixture
def make_app(app: Flask, database: databases.Database) -> Iterator[Callable[..., Flask]]:
    """Make an application with other settings on the same database: `make_app(DEMO=True)`."""
    made: list[Flask] = []

    def make(**settings: object) -> Flask:
        made.append(create_app(SETTINGS | {"SQLALCHEMY_DATABASE_URI": database.uri} | settings))
        return made[-1]

    yield make
    for one in made:
        with one.app_context():
            db.engine.dispose()


@pytest.fixture
def tx(app: Flask) -> Iterator[Session]:
    """Give a session for factories, operations and queries. It begins when first used and is rolled back at
    the end; the page client commits it before each request, a test with threads or a browser does so itself.
    """
    with Session(db.engine, expire_on_commit=False) as session:
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
