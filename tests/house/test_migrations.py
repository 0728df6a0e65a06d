"""What a migration rebuilds keeps its rows, what refers to them, and what guards them."""

from __future__ import annotations

import flask_migrate
import pytest
import sqlalchemy as sa

from referral.db import db
from tests.applications import MIGRATIONS, let_go, make_test_app

LIST = (
    "INSERT INTO price_list (id, version, valid_from, currency, source, source_sha256, item_count, published_at)"
    " VALUES (:id, :version, '2020-01-01', :currency, 'list.csv', '0', 1, '2020-01-01 00:00:00')"
)
ITEM = (
    "INSERT INTO price_item (price_list_id, model_number, description, family, category, unit, list_price_cents,"
    " search_text) VALUES (:id, 'A', 'Lamp', '', 'light_source', 'each', 1, 'a')"
)
IDS = [f"{number:032x}" for number in range(4)]


@pytest.fixture
def old_app(database):
    """An application on a database of before currencies, with one price list and its item."""
    app = make_test_app(database.make_empty())
    with app.app_context():
        flask_migrate.upgrade(directory=MIGRATIONS, revision="0005")
        with db.engine.begin() as connection:
            connection.execute(sa.text(LIST), {"id": IDS[1], "version": 1, "currency": "USD"})
            connection.execute(sa.text(ITEM), {"id": IDS[1]})
        yield app
    let_go(app)


def versions():
    with db.engine.connect() as connection:
        joined = "SELECT version FROM price_list JOIN price_item ON price_list_id = price_list.id"
        return connection.execute(sa.text(joined)).scalars().all()


def test_a_price_list_outlives_the_migration_to_currencies_and_back(old_app):
    flask_migrate.upgrade(directory=MIGRATIONS, revision="0006")
    assert versions() == [1]
    for statement, said in (
        (LIST, {"id": IDS[2], "version": 2, "currency": "USD"}),
        (LIST, {"id": IDS[2], "version": 1, "currency": "CAD"}),
        ("DELETE FROM price_item", {}),
        ("DELETE FROM price_list", {}),
        ("UPDATE price_list SET currency = 'CAD'", {}),
    ):
        with db.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.text(statement), said)
    with db.engine.connect() as connection:
        connection.execute(sa.text(LIST), {"id": IDS[3], "version": 2, "currency": "CAD"})
    flask_migrate.downgrade(directory=MIGRATIONS, revision="0005")
    assert versions() == [1]
    with db.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
        connection.execute(sa.text(LIST), {"id": IDS[2], "version": 2, "currency": "CAD"})
