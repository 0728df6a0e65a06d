"""What goes with what: the catalogue's own words, read, and what a quote is short of by them.

The words stand in a price list's column "Goes with": `trim: D3-FXRD | D3-ADRD; supply per 8: PS-96`. Each
need has a name and the model numbers that fill it; `per 8` is one for every eight units begun, otherwise
each unit needs one.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from referral.text import clean_line, fold_model_number

LONGEST = 400
MODEL_NUMBER_LENGTH = 60
MAX_PER = 1_000

_NEED = re.compile(r"([^:|;\d]{1,40}?)(?:\s+per\s+([0-9]{1,4}))?\s*:(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Need:
    """One thing that a model number needs beside it."""

    name: str
    """Such as trim, in lower case."""
    model_numbers: tuple[str, ...]
    """Those that fill it, any of them."""
    per: int = 1
    """For how many units one is enough."""


class NotUnderstood(ValueError):  # noqa: N818 - reads as the sentence it is
    """The words say no needs; the sentence says which and how they should."""


def parse_goes_with(text: str) -> tuple[Need, ...]:
    """Return the needs that the words say, none for empty words. Raises NotUnderstood."""
    said = clean_line(text)
    if len(said) > LONGEST:
        raise NotUnderstood(f"longer than {LONGEST} characters")
    needs: dict[str, Need] = {}
    for part in filter(None, (each.strip() for each in said.split(";"))):
        match = _NEED.fullmatch(part)
        if match is None:
            raise NotUnderstood(f"“{part[:40]}” is not written like “trim: MODEL-1 | MODEL-2”")
        name, per = match[1].strip().lower(), int(match[2] or 1)
        numbers = tuple(dict.fromkeys(fold_model_number(each) for each in match[3].split("|")))
        if "" in numbers:
            raise NotUnderstood(f"“{part[:40]}” names no model number between two marks")
        if any(len(number) > MODEL_NUMBER_LENGTH for number in numbers):
            raise NotUnderstood(f"“{name}” names a model number longer than {MODEL_NUMBER_LENGTH} characters")
        if not 1 <= per <= MAX_PER:
            raise NotUnderstood(f"“{part[:40]}”: per is a number from 1 to {MAX_PER:,}")
        if name in needs:
            raise NotUnderstood(f"“{name}” is said twice")
        needs[name] = Need(name, numbers, per)
    return tuple(needs.values())


def write_goes_with(needs: Iterable[Need]) -> str:
    """Return needs in the one way in which they are kept."""
    return "; ".join(
        f"{need.name}{f' per {need.per}' if need.per > 1 else ''}: {' | '.join(need.model_numbers)}"
        for need in needs
    )


@dataclass(frozen=True)
class Hint:
    """A need of a model number on a quote that the quote does not fill."""

    model_number: str
    need: str
    units: int
    """How many units of the model number are on the quote."""
    wanted: int
    """How many they need."""
    missing: int
    """How many of these are not on the quote."""
    model_numbers: tuple[str, ...]
    """Those that would fill it."""

    @property
    def found(self) -> int:
        """How many of those that are needed are on the quote."""
        return self.wanted - self.missing


def find_hints(lines: Iterable[tuple[str, int]], needs_of: Mapping[str, Sequence[Need]]) -> tuple[Hint, ...]:
    """Return what the lines (model number, quantity) are short of, in their order.

    Rooms do not matter: everything on the quote counts. A unit fills one need of one unit only, and units
    are given to needs so that as many as possible are filled: a trim that fits two lights is given to the
    light that no other trim fits. Where units are short all the same, the lines before keep them.
    """
    units: dict[str, int] = {}
    for number, quantity in lines:
        units[number] = units.get(number, 0) + max(quantity, 0)
    demands = [
        (number, need, -(-quantity // need.per))
        for number, quantity in units.items()
        for need in needs_of.get(number, ())
        if quantity
    ]
    given: list[dict[str, int]] = [{} for _ in demands]
    free = dict(units)
    for at, (_, _, wanted) in enumerate(demands):
        while sum(given[at].values()) < wanted:
            if not _give(at, demands, given, free):
                break
    return tuple(
        Hint(number, need.name, units[number], wanted, wanted - sum(has.values()), need.model_numbers)
        for (number, need, wanted), has in zip(demands, given, strict=True)
        if sum(has.values()) < wanted
    )


def _give(
    start: int,
    demands: Sequence[tuple[str, Need, int]],
    given: list[dict[str, int]],
    free: dict[str, int],
) -> bool:
    """Give units to a demand, where needed by moving others on to what else fills them; False where none are.

    The shortest such chain is found first; as many units as it has at its narrowest place move at once.
    """
    came: dict[int, tuple[int, str] | None] = {start: None}
    holders: dict[str, list[int]] = {}
    for at, has in enumerate(given):
        for number, quantity in has.items():
            if quantity:
                holders.setdefault(number, []).append(at)
    seen: set[str] = set()
    queue = deque([start])
    while queue:
        at = queue.popleft()
        for number in demands[at][1].model_numbers:
            if number in seen:
                continue
            seen.add(number)
            if free.get(number, 0) > 0:
                _move(at, number, came, demands, given, free)
                return True
            for holder in holders.get(number, ()):
                if holder not in came:
                    came[holder] = (at, number)
                    queue.append(holder)
    return False


def _move(
    at: int,
    number: str,
    came: Mapping[int, tuple[int, str] | None],
    demands: Sequence[tuple[str, Need, int]],
    given: list[dict[str, int]],
    free: dict[str, int],
) -> None:
    """Move units along the chain that ends with free units of `number` at the demand `at`."""
    chain: list[tuple[int, str]] = [(at, number)]
    while (before := came[chain[-1][0]]) is not None:
        chain.append(before)
    start = chain[-1][0]
    count = min(free[number], demands[start][2] - sum(given[start].values()))
    for (holder, _), (_, held) in itertools.pairwise(chain):
        count = min(count, given[holder][held])
    free[number] -= count
    for taker, taken in chain:
        given[taker][taken] = given[taker].get(taken, 0) + count
    for (holder, _), (_, held) in itertools.pairwise(chain):
        given[holder][held] -= count
