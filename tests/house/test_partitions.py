"""The whole story on tables that are partitioned by dealer: what a PostgreSQL spread over machines would ask for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from demo.loader import SIGN_INS, load_demo
from referral.db import Base, db, read, write
from tests.applications import let_go, make_test_app, migrate
from tests.house.test_schema import REPLICATED

PARTS = 4
ON = datetime(2026, 12, 1, 17, 0, tzinfo=UTC)


def partition(connection):
    """Replace every table that belongs to dealers by one partitioned by hash of `dealer_id`; all are empty.

    A key that does not contain the dealer can't be made on such a table, so this is the proof of the keys.
    """

    def rows(statement, **said):
        return connection.execute(sa.text(statement), said).all()

    tables = [table.name for table in Base.metadata.sorted_tables if table.name not in REPLICATED]
    (view,) = rows("SELECT pg_get_viewdef('ledger_posting'::regclass)")
    foreign = rows(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conparentid = 0"
    )
    connection.execute(sa.text("DROP VIEW ledger_posting"))
    for table, name, _ in foreign:
        connection.execute(sa.text(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'))
    for table in tables:
        quoted = f'"{table}"'
        keys = rows(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype IN ('p', 'u') AND conrelid = CAST(:table AS regclass)",
            table=quoted,
        )
        indexes = rows(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = CAST(:table AS regclass)"
            " AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)",
            table=quoted,
        )
        triggers = rows(
            "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgrelid = CAST(:table AS regclass)",
            table=quoted,
        )
        connection.execute(sa.text(f'ALTER TABLE {quoted} RENAME TO "old"'))
        connection.execute(sa.text(
            f'CREATE TABLE {quoted} (LIKE "old" INCLUDING DEFAULTS INCLUDING CONSTRAINTS)'
            " PARTITION BY HASH (dealer_id)"
        ))  # fmt: skip
        connection.execute(sa.text('DROP TABLE "old"'))
        for part in range(PARTS):
            connection.execute(sa.text(
                f'CREATE TABLE "{table}_{part}" PARTITION OF {quoted} FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})'
            ))  # fmt: skip
        for name, definition in keys:
            connection.execute(sa.text(f'ALTER TABLE {quoted} ADD CONSTRAINT "{name}" {definition}'))
        for (definition,) in indexes:
            connection.execute(sa.text(definition.replace(" ONLY ", " ")))
        for name, definition in triggers:
            connection.execute(sa.text(definition.replace("::", "\\:\\:")))
            connection.execute(sa.text(f'ALTER TABLE {quoted} ENABLE ALWAYS TRIGGER "{name}"'))
    for table, name, definition in foreign:
        connection.execute(sa.text(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}'))
    connection.execute(sa.text(f"CREATE VIEW ledger_posting AS {view[0]}".replace("::", "\\:\\:")))


@pytest.mark.postgresql_only("SQLite has no partitions")
def test_the_demo_s_story_runs_on_tables_partitioned_by_dealer(database):
    uri = database.make_empty()
    migrate(uri)
    app = make_test_app(uri, DEMO=True)
    try:
        with app.app_context():
            with db.engine.begin() as connection:
                partition(connection)
            passwords = {person: f"password of {person}" for _, person in SIGN_INS}
            write(
                load_demo,
                at=ON,
                zone="America/New_York",
                hash_password=lambda text: text,
                passwords=passwords,
            )
            faults = [
                fault
                for check in app.extensions["ledger_checks"]
                for fault in read(lambda tx, check=check: list(check(tx)))
            ]
            assert faults == []
            with db.engine.connect() as connection:
                used = connection.execute(
                    sa.text("SELECT count(DISTINCT tableoid) FROM ledger_entry")
                ).scalar()
                assert used > 1
                with pytest.raises(sa.exc.DBAPIError, match="append_only"):
                    connection.execute(sa.text("DELETE FROM ledger_entry"))
    finally:
        let_go(app)
