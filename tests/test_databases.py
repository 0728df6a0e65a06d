"""The databases of tests: each test begins with the rows of the migrations alone, and sees their triggers."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from referral.db import Base, write
from referral.ids import new_id
from referral.models import Setting

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def add_setting(tx):
    tx.add(
        Setting(
            id=new_id(),
            key="test",
            value="1",
            valid_from=date(2026, 1, 1),
            reason="test",
            source="test",
            changed_at=NOON,
        )
    )


def row_counts(tx):
    tables = Base.metadata.sorted_tables
    return {table.name: tx.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables}


@pytest.fixture(scope="module")
def seen():
    return {}


@pytest.mark.parametrize("time", [1, 2, 3])
def test_each_test_begins_with_the_same_rows(database, tx, seen, time):
    first = seen.setdefault(database.kind, row_counts(tx))
    assert row_counts(tx) == first
    tx.commit()
    write(add_setting)
    assert row_counts(tx)["setting"] == first["setting"] + 1


def test_emptying_leaves_append_only_tables_append_only(database, app, tx):
    write(add_setting)
    database.kind == "postgresql" and database.reset()
    write(add_setting)
    with pytest.raises(DBAPIError):
        tx.execute(sa.delete(Setting))


def test_a_write_beside_an_open_tx_fails_at_once(tx):
    add_setting(tx)
    tx.flush()
    with pytest.raises(AssertionError, match=r"tx\.commit"):
        write(add_setting)
    tx.commit()
    write(add_setting)


def test_an_empty_database_has_no_table(database):
    engine = sa.create_engine(database.make_empty())
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_threads_begin_at_the_same_moment_and_give_answers_and_exceptions(at_once, tx):
    before = row_counts(tx)["setting"]
    assert at_once(lambda: write(add_setting), times=20) == [None] * 20
    assert row_counts(tx)["setting"] == before + 20
    assert [type(error) for error in at_once(lambda: 1 // 0, times=3)] == [ZeroDivisionError] * 3
