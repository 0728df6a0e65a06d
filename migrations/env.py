"""Runs migrations on the application's own engine, each in its own transaction."""

from __future__ import annotations

from alembic import context
from flask import current_app

database = current_app.extensions["migrate"].db


def run() -> None:
    """Bring the database to the wanted revision."""
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:  # a table that others refer to can only be rebuilt while nobody looks
            raw.execute("PRAGMA foreign_keys = OFF")
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            transaction_per_migration=True,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        if is_sqlite:
            raw.execute("PRAGMA foreign_keys = ON")
            wrong = raw.execute("PRAGMA foreign_key_check").fetchall()
            if wrong:
                raise RuntimeError(f"rows refer to what is not there: {wrong[:5]}")


run()
