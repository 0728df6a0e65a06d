"""Lines put together by the room they are for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Line = TypeVar("Line")


def by_room(lines: Iterable[Line], room_of: Callable[[Line], Hashable]) -> tuple[Line, ...]:
    """Return the lines, those of one room together where its first line stands; within it in their order."""
    rooms: dict[Hashable, list[Line]] = {}
    for line in lines:
        rooms.setdefault(room_of(line), []).append(line)
    return tuple(line for together in rooms.values() for line in together)
