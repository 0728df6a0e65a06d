"""The database: column types, the one commit, the read-only transaction, row locks. Knows no app."""

from __future__ import annotations

import contextvars
import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, registry

ATTEMPTS = 12
"""How often one write is tried before its database error is raised."""
BUSY_MILLISECONDS = 20_000
"""How long a SQLite writer waits for the one before it."""
_RETRIED_STATES = {"40001", "40P01", "57P01", "08006", "08003", "08000", "55P03", "23505"}

P = ParamSpec("P")
R = TypeVar("R")

_writing: contextvars.ContextVar[bool] = contextvars.ContextVar("writing", default=False)


class Instant(sa.TypeDecorator[datetime]):
    """An instant in UTC. A naive datetime is refused (ValueError); what comes back is aware."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its time zone")
        stored = value.astimezone(UTC)
        return stored.replace(tzinfo=None) if dialect.name == "sqlite" else stored

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give back aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


DealerId = Annotated[UUID, mapped_column(sa.Uuid, primary_key=True, sort_order=-10)]
"""The first column of every key of what belongs to a dealer."""
Id = Annotated[UUID, mapped_column(sa.Uuid, primary_key=True)]


class Base(DeclarativeBase):
    """Every table of the house, with names for its constraints so that migrations can name them."""

    registry = registry(
        metadata=sa.MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={
            int: sa.BigInteger(),
            str: sa.Text(),
            datetime: Instant(),
            date: sa.Date(),
            UUID: sa.Uuid(),
            bool: sa.Boolean(),
            bytes: sa.LargeBinary(),
            dict[str, Any]: sa.JSON(),
            list[str]: sa.JSON(),
        },
    )


db = SQLAlchemy(model_class=Base, disable_autonaming=True)


def choice(enumeration: type, name: str) -> sa.Enum:
    """Return a text column type that holds one value of the enumeration, with a CHECK named `name`."""
    return sa.Enum(
        enumeration,
        native_enum=False,
        create_constraint=True,
        name=name,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


def prepare_engine(engine: Engine) -> None:
    """Make the engine keep the house's promises; called once per engine at the roof.

    SQLite: WAL, full synchronisation, foreign keys, writers wait in line. Both: a transaction opened by
    `read` can't write.
    """
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite_connection)
        event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA recursive_triggers = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("house_read_only", False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def write(operation: Callable[Concatenate[Session, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run one operation in one transaction and commit it: the only commit of the application.

    A serialization failure, deadlock, lost connection, busy database or unique race is answered by running
    the operation again, up to ATTEMPTS times; the operation's own idempotency makes that safe. Refusals
    and other exceptions roll everything back. Raises RuntimeError when called inside another write.
    """
    if _writing.get():
        raise RuntimeError("write() does not nest: call the operation with the tx at hand")
    token = _writing.set(True)
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with Session(db.engine, expire_on_commit=False) as tx:
                    answer = operation(tx, *args, **kwargs)
                    tx.commit()
                    return answer
            except DBAPIError as error:
                if attempt == ATTEMPTS or not _is_passing(error):
                    raise
                time.sleep(random.uniform(0.002, 0.02) * attempt)  # noqa: S311 - jitter, no secret
        raise AssertionError("unreachable")
    finally:
        _writing.reset(token)


def _is_passing(error: DBAPIError) -> bool:
    """Say whether trying again can help: contention, a lost connection, or a race for a unique key."""
    if error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _RETRIED_STATES:
        return True
    text = str(error.orig)
    return "database is locked" in text or "UNIQUE constraint failed" in text


def read(query: Callable[Concatenate[Session, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run one query in one read-only snapshot. The database itself refuses a write in it.

    Rows of tables in the answer are let go as they were read, so that the rollback does not empty them.
    """
    options: dict[str, Any] = {"house_read_only": True}
    if db.engine.dialect.name == "postgresql":
        options |= {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
    with Session(db.engine.execution_options(**options), expire_on_commit=False) as tx:
        answer = query(tx, *args, **kwargs)
        tx.expunge_all()
        tx.rollback()
        return answer


def locked(tx: Session, statement: sa.Select[R]) -> R | None:
    """Lock the one row the statement finds until the end of the transaction, as it stands now.

    A row loaded before is refreshed: without that the old state would be read under the new lock.
    Returns None where the statement finds nothing.
    """
    return tx.scalars(statement.with_for_update().execution_options(populate_existing=True)).one_or_none()
