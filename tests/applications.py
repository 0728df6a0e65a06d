"""The application as tests run it: on a database of their own, quick to sign in to."""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import flask_migrate
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from referral.db import db
from wsgi import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

MIGRATIONS = str(Path(__file__).parent.parent / "migrations")
SETTINGS: dict[str, object] = {
    "TESTING": True,
    "SECRET_KEY": "only for tests, and long enough for them",
    "SESSION_COOKIE_SECURE": False,
    "SIGNING_KEY": str(Path(tempfile.gettempdir()) / f"ledger-tests-{os.getuid()}.pem"),
    # The cheapest argon2 there is: what a hash costs is not what is tested.
    "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": {
        "argon2__time_cost": 1, "argon2__memory_cost": 8, "argon2__parallelism": 1,
    },
}  # fmt: skip


def make_test_app(uri: str, **settings: object) -> Flask:
    """Return an application on that database; settings override those of tests."""
    return create_app(SETTINGS | {"SQLALCHEMY_DATABASE_URI": uri} | settings)


def migrate(uri: str) -> None:
    """Run the real migrations."""
    app = make_test_app(uri)
    with app.app_context():
        flask_migrate.upgrade(directory=MIGRATIONS)
    let_go(app)


def let_go(app: Flask) -> None:
    """Close the connections of an application."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@contextmanager
def open_tx() -> Iterator[Session]:
    """Open a session; while it is in a transaction, another write by the same thread would wait for itself
    (on SQLite until it gives up, minutes later): it fails at once instead.
    """
    engine, thread, began = db.engine, threading.get_ident(), set()

    def end(_session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:  # a flush has one of its own, inside
            began.clear()

    def refuse(connection: object) -> None:
        is_read = connection.get_execution_options().get("house_read_only", False)  # type: ignore[attr-defined]
        if began and not is_read and threading.get_ident() == thread:
            raise AssertionError("tx has begun a transaction: call tx.commit() before write()")

    with Session(engine, expire_on_commit=False) as session:
        event.listen(engine, "engine_connect", refuse)
        event.listen(session, "after_begin", lambda *_: began.add(thread))
        event.listen(session, "after_transaction_end", end)
        try:
            yield session
        finally:
            event.remove(engine, "engine_connect", refuse)
