"""What counts is never changed or removed: not by the application's role, not by the owner, not by REPLACE."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa

from referral.db import Base, db

APPEND_ONLY = (
    "audit_event", "setting", "level_set", "level", "ledger_entry", "price_list",
    "price_item", "remark", "approval", "order_line", "cancellation", "cancellation_line", "year_close",
    "shipment", "shipment_line", "order_return", "order_return_line", "dispute", "dispute_answer", "evidence",
    "checkpoint", "exchange_rate", "continuation", "milestone_entry", "service_offer", "service_offer_line",
    "service_agreement", "price_recall", "recall_notice", "expiry_reminder", "replacement", "replacement_line",
    "warranty_term", "site", "source_event", "catalogue_entry", "site_system", "quota_top_up", "quota_use",
    "requirement_mark", "call_event", "call_notice",
)  # fmt: skip
KEPT = (
    "order", "revision", "ledger_account", "quote", "referral", "evidence_head", "year_closing", "credit_import",
    "delegation", "installed_source", "claim",
    "agreement", "service_visit", "service_call",
)  # fmt: skip
"""Rows that are never removed, though a state or a head moves."""

VERBS = ("UPDATE", "DELETE", "TRUNCATE", "REPLACE")
LACKS = {"sqlite": "TRUNCATE", "postgresql": "REPLACE"}
"""The verb that the database does not have."""
ROLE = "ledger_application"
"""A role with every right over rows that can be granted, and that owns nothing."""


def statement(verb, table):
    columns = ", ".join(f'"{column.name}"' for column in Base.metadata.tables[table].columns)
    first = next(iter(Base.metadata.tables[table].columns)).name
    return {
        "UPDATE": f'UPDATE "{table}" SET "{first}" = "{first}"',
        "DELETE": f'DELETE FROM "{table}"',
        "TRUNCATE": f'TRUNCATE "{table}" CASCADE',
        "REPLACE": f'INSERT OR REPLACE INTO "{table}" ({columns}) SELECT {columns} FROM "{table}"',
    }[verb]


def cases():
    for verb in VERBS:
        for table in (*APPEND_ONLY, *KEPT):
            if not (verb == "UPDATE" and table in KEPT):
                yield verb, table


def test_every_table_refuses_every_verb_to_every_role(app, filled):
    """Each table x UPDATE, DELETE, TRUNCATE, REPLACE x owner and application; nothing is left out in silence."""
    refused = set()
    for role in ("owner", ROLE) if db.engine.dialect.name == "postgresql" else ("owner",):
        for verb, table in cases():
            if verb == LACKS[db.engine.dialect.name]:
                continue
            with db.engine.connect() as connection:
                if role == ROLE:
                    become(connection)
                assert connection.execute(sa.text(f'SELECT count(*) FROM "{table}"')).scalar(), table
                with pytest.raises(sa.exc.DBAPIError, match="append_only|not_next|immutable"):
                    connection.execute(sa.text(statement(verb, table)))
                refused.add((role, verb, table))
    with app.app_context():
        db.engine.dispose()
    verbs = 3
    roles = 2 if db.engine.dialect.name == "postgresql" else 1
    assert len(refused) == roles * (len(APPEND_ONLY) * verbs + len(KEPT) * (verbs - 1))


def become(connection):
    """Take the application's role, made where the cluster does not know it yet; the rollback takes it back."""
    connection.execute(sa.text(
        f"DO $$ BEGIN CREATE ROLE {ROLE}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    ))  # fmt: skip
    connection.execute(sa.text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}"))
    connection.execute(sa.text(f"SET LOCAL ROLE {ROLE}"))


@pytest.mark.sqlite_only("PostgreSQL has no pragmas")
def test_a_plain_client_without_the_application_s_pragmas_cannot_replace_either(database, app, filled):
    """`INSERT OR REPLACE` passes DELETE triggers unless recursive_triggers is on; the guard on the key does not."""
    client = sqlite3.connect(database.path)
    try:
        assert client.execute("PRAGMA recursive_triggers").fetchone() == (0,)
        for table in (*APPEND_ONLY, *KEPT):
            with pytest.raises(sqlite3.IntegrityError, match="append_only|not_next|immutable"):
                client.execute(statement("REPLACE", table))
        with pytest.raises(sqlite3.IntegrityError, match="append_only|immutable"):
            client.execute("UPDATE OR REPLACE revision SET number = number + 1")
    finally:
        client.close()


@pytest.mark.postgresql_only("SQLite has no replication role")
def test_a_session_that_poses_as_a_replica_is_refused_too(app, filled):
    with db.engine.connect() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        with pytest.raises(sa.exc.DBAPIError, match="append_only"):
            connection.execute(sa.text("DELETE FROM ledger_entry"))


def test_every_table_of_the_ledger_is_held_by_the_database():
    """A table that is neither append-only nor kept is named here on purpose."""
    free = {
        "company", "account_number", "qualification", "user", "user_role", "invitation", "api_token",
        "outgoing_mail", "upload", "failed_sign_in", "dealer_counter", "revision_line", "revision_service",
        "account_profile", "bill_mapping", "calendar_feed", "design_file", "ignored_hint", "mail_preference",
        "saved_view", "trade", "term_reading", "serial_number", "serial_import",
        "agreement_site", "agreement_price",  # while it is a draft; then held by the terms that were accepted
    }  # fmt: skip
    assert set(Base.metadata.tables) - {*APPEND_ONLY, *KEPT} == free


ORIGIN = (
    "number", "account_id", "referral_id", "order_id", "line_id", "shipment_number", "replacement_number",
    "split_from_id", "model_number", "description", "family", "category", "ordered_on", "made_at",
)  # fmt: skip


def test_where_an_installed_source_came_from_is_never_changed(app, filled):
    """What is read off its events is written with them; its origin never, not even from or to nothing."""
    refused = set()
    with db.engine.connect() as connection:
        for column in ORIGIN:
            value = "NULL" if column != "split_from_id" else "id"
            savepoint = connection.begin_nested()
            with pytest.raises(sa.exc.DBAPIError, match="immutable"):
                connection.execute(
                    sa.text(
                        f'UPDATE installed_source SET "{column}" = {value} WHERE shipment_number IS NOT NULL'
                        if column != "replacement_number"
                        else "UPDATE installed_source SET replacement_number = 1 WHERE replacement_number IS NULL"
                    )
                )
            savepoint.rollback()
            refused.add(column)
        connection.execute(sa.text("UPDATE installed_source SET room = 'Hall'"))
        connection.rollback()
    assert refused == set(ORIGIN)
