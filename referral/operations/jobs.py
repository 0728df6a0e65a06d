"""What the worker does besides sending mail: work over many dealers or people, one transaction for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID


@dataclass(frozen=True)
class Job:
    """Work that comes due by itself. Every pass of the worker runs it, and two workers may at the same time.

    `due` is a query `(tx, *, at)` that returns keys, such as ids of dealers. `run` is an operation
    `(tx, *, actor, at, dealer_id)`, written for each key in a transaction of its own, with no actor and the
    key under the name `key`: it must do nothing where another worker was first. An error with one key is
    logged, and the others go on.
    """

    name: str
    due: Callable[..., Sequence[UUID]]
    run: Callable[..., object]
    key: str = "dealer_id"
    rests: timedelta = timedelta(0)
    """How long a worker leaves it alone after it ran: for work whose `due` costs something to find out."""
