"""What reading costs over much beside little: two houses, databases of one kind, that take turns."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from bench.common import Plan, Row, Server, times_ms
from referral.db import read
from tests.applications import let_go, make_test_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask import Flask
    from sqlalchemy.orm import Session

DATABASES = ("PostgreSQL", "SQLite")
GROWTH = 1.3
"""The limit: a hundred times as much costs at most so many times the time."""
TIMES = 100
"""How often each act is timed, over all turns."""
WARMING = 8
"""How often it is done before."""
G = TypeVar("G")


@dataclass(frozen=True)
class House(Generic[G]):
    """An application on a database with so much in it, and who looks at what."""

    app: Flask
    ground: G
    size: str
    """How much is in it, such as 5,000 units."""


@contextmanager
def houses(
    server: Server,
    database: str,
    what: str,
    counts: tuple[int, int],
    make: Callable[[str, int, Server | None], G],
) -> Iterator[tuple[House[G], House[G]]]:
    """Give two houses, one with few and one with many of something; `make` fills a database by its address."""
    made: list[House[G]] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            name = f"{what.replace(' ', '_')}_{count}"
            if database == "PostgreSQL":
                server.create(name)
                uri, owner = server.uri(name), server
            else:
                uri, owner = f"sqlite:///{folder}/{name}.sqlite", None
            ground = make(uri, count, owner)
            made.append(House(make_test_app(uri), ground, f"{count:,} {what}"))
        few, many = made
        try:
            yield few, many
        finally:
            for house in made:
                let_go(house.app)


def growth(
    database: str,
    pair: tuple[House[G], House[G]],
    acts_of: Callable[[G], Mapping[str, Callable[[Session], object]]],
    plan: Plan,
) -> list[Row]:
    """Return what each act costs in the house with many beside the one with few."""
    taken: dict[str, tuple[list[float], list[float]]] = {}
    for turn in range(plan.turns + 1):  # the first warms up
        times = TIMES // plan.turns if turn else WARMING
        for place, house in enumerate(pair):
            with house.app.app_context():
                for name, act in acts_of(house.ground).items():
                    median = statistics.median(times_ms(partial(read, act), times))
                    if turn:
                        taken.setdefault(name, ([], []))[place].append(median)
    few, many = pair
    return [
        Row(
            f"{database}: {name}, {many.size}", statistics.median(large), "ms", few.size,
            statistics.median(small), GROWTH, is_ceiling=True,
            ratio_given=statistics.median(b / a for a, b in zip(small, large, strict=True)),
        )
        for name, (small, large) in taken.items()
    ]  # fmt: skip
