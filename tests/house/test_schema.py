"""Keys are ready for many machines; migrations and models agree; what counts is never changed."""

from __future__ import annotations

import flask_migrate
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from referral.db import Base, db
from tests.applications import MIGRATIONS

REPLICATED = {
    "company", "account_number", "qualification", "user", "user_role", "invitation", "api_token", "setting",
    "outgoing_mail", "upload", "audit_event", "level_set", "level", "price_list", "price_item", "failed_sign_in",
    "year_closing", "checkpoint", "credit_import", "exchange_rate", "account_profile", "mail_preference", "saved_view",
    "calendar_feed", "bill_mapping", "price_recall", "warranty_term", "serial_number",
    "catalogue_entry",
}  # fmt: skip
"""Small tables that a distributed database copies to every node, and records of companies."""


def dealer_tables():
    return [table for table in Base.metadata.sorted_tables if table.name not in REPLICATED]


def test_dealer_id_comes_first_in_every_key_of_what_belongs_to_a_dealer():
    assert len(dealer_tables()) >= 14
    for table in dealer_tables():
        assert next(iter(table.primary_key.columns)).name == "dealer_id", table.name
        for constraint in table.constraints:
            if isinstance(constraint, sa.UniqueConstraint):
                assert next(iter(constraint.columns)).name == "dealer_id", f"{table.name} {constraint.name}"
            if isinstance(constraint, sa.ForeignKeyConstraint):
                into = constraint.referred_table.name
                first = next(iter(constraint.columns)).name
                assert into in REPLICATED or first == "dealer_id", f"{table.name} -> {into}"
        for index in table.indexes:
            if index.unique:
                assert next(iter(index.columns)).name == "dealer_id", index.name


def test_no_column_holds_a_float():
    wrong = [
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, sa.Float | sa.Numeric)
    ]
    assert not wrong


def test_names_of_columns_say_what_they_hold():
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            kind = type(column.type).__name__
            if column.name.endswith("_at"):
                assert kind == "Instant", f"{table.name}.{column.name}"
            if column.name.endswith("_on"):
                assert kind == "Date", f"{table.name}.{column.name}"
            if column.name.endswith("_cents"):
                assert kind == "BigInteger", f"{table.name}.{column.name}"


def test_models_and_migrations_agree(app):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_go_up_down_and_up_again(database, app):
    flask_migrate.downgrade(directory=MIGRATIONS, revision="base")
    with db.engine.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    flask_migrate.upgrade(directory=MIGRATIONS)
    with db.engine.connect() as connection:
        assert set(Base.metadata.tables) <= set(sa.inspect(connection).get_table_names())
