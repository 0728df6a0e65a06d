"""The database: column types, the one commit, the read-only transaction, row locks. Knows no app."""

from __future__ import annotations

import contextvars
import random
import time
from collections.abc import Callable, Mapping, Sequence
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
DIGEST_BYTES = 32
BUSY_MILLISECONDS = 20_000
"""How long a SQLite writer waits for the one before it."""
CACHE_KIBIBYTES = 16_384
"""What a SQLite connection keeps of a large database's pages at most; its own default is an eighth of it."""
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


class Digest(sa.TypeDecorator[str]):
    """A SHA-256: hexadecimal in Python, 32 bytes in the database. Anything else is refused (ValueError)."""

    impl = sa.LargeBinary(32)
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> bytes | None:
        """Store 32 bytes."""
        if value is None:
            return None
        raw = bytes.fromhex(value)
        if len(raw) != DIGEST_BYTES:
            raise ValueError("a SHA-256 has 64 hexadecimal digits")
        return raw

    def process_result_value(self, value: bytes | None, _dialect: Dialect) -> str | None:
        """Give back hexadecimal."""
        return None if value is None else bytes(value).hex()


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
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    cursor.execute("PRAGMA recursive_triggers = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin as the connection is to be used; every writer waits here, so it goes straight to the driver."""
    read_only = connection.get_execution_options().get("house_read_only", False)
    info = connection.connection.info
    if info.get("house_query_only", False) is not read_only:
        driver_execute(connection, f"PRAGMA query_only = {'ON' if read_only else 'OFF'}", {})
        info["house_query_only"] = read_only
    driver_execute(connection, "BEGIN" if read_only else "BEGIN IMMEDIATE", {})


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
                # The session joins the connection's transaction: that is what `connection_of` hands out, at once.
                with db.engine.connect() as connection, connection.begin() as transaction:
                    with Session(
                        connection, expire_on_commit=False, join_transaction_mode="rollback_only"
                    ) as tx:
                        answer = operation(tx, *args, **kwargs)
                        tx.flush()
                    transaction.commit()
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


def copy_rows(tx: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows, all of the same columns, the quickest way of the database at hand.

    PostgreSQL: COPY, which fires the triggers of each row in their order and checks every constraint. Its
    errors are raised as those of any statement.
    """
    connection, table = tx.connection(), model.__table__
    if connection.dialect.name != "postgresql":
        connection.execute(sa.insert(model), list(rows))
        return
    names = list(rows[0])
    binds = [
        table.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        for name in names
    ]
    columns = list(zip(names, binds, strict=True))
    quoted = ", ".join(f'"{name}"' for name in names)
    statement = f'COPY "{model.__tablename__}" ({quoted}) FROM STDIN'
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([row[name] if bind is None else bind(row[name]) for name, bind in columns])
    except driver_error(connection) as error:
        raise _as_of_statement(connection, statement, error) from error


def connection_of(tx: Session) -> Connection:
    """Return the connection of a session: in `write` the one it was opened on, past the session's own book-keeping."""
    bind = tx.get_bind()
    return bind if isinstance(bind, Connection) else tx.connection()


def driver_execute(connection: Connection, statement: str, said: Mapping[str, Any]) -> Any:
    """Execute a statement in the driver's own words; return the driver's cursor, whose rows are fetched at once.

    For the few statements of the hottest path: there SQLAlchemy's own machinery would cost half as much again
    as all the rest. The connection's one cursor is used anew each time. Errors are raised as those of any
    statement, and a lost connection is not used again.
    """
    pooled: Any = connection.connection
    cursor = pooled.info.get("house_cursor")
    if cursor is None:
        cursor = pooled.info["house_cursor"] = pooled.cursor()
    try:
        cursor.execute(statement, said)
    except driver_error(connection) as error:
        raise _as_of_statement(connection, statement, error) from error
    return cursor


def _as_of_statement(connection: Connection, statement: str, error: Any) -> BaseException:
    """Return a driver's error as SQLAlchemy raises it; a lost connection is not used again."""
    pooled: Any = connection.connection
    is_lost = connection.dialect.is_disconnect(error, pooled.dbapi_connection, None)
    if is_lost:
        connection.invalidate(error)
    made: BaseException = DBAPIError.instance(
        statement,
        None,
        error,
        driver_error(connection),
        connection_invalidated=is_lost,
        dialect=connection.dialect,
    )
    return made


def driver_error(connection: Connection) -> type[Exception]:
    """Return the class of the errors that the driver raises."""
    found: type[Exception] = connection.dialect.loaded_dbapi.Error
    return found


def refresh_statistics(tx: Session, tables: Sequence[str]) -> None:
    """The planner knows how large these tables are and what they hold.

    For after the first large load: a table that was analysed while it was empty is read row by row. On
    PostgreSQL a role that may not do this is warned, not refused.
    """
    for table in tables:
        tx.execute(sa.text(f'ANALYZE "{table}"'))
