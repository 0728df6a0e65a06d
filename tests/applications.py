"""The application as tests run it: on a database of their own, quick to sign in to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import flask_migrate

from referral.db import db
from wsgi import create_app

if TYPE_CHECKING:
    from flask import Flask

MIGRATIONS = str(Path(__file__).parent.parent / "migrations")
SETTINGS: dict[str, object] = {
    "TESTING": True,
    "SECRET_KEY": "only for tests, and long enough for them",
    "SESSION_COOKIE_SECURE": False,
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
