"""Line by line, what differs between two revisions."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from quotes.rules.content import ContentLine


class Change(enum.StrEnum):
    """How a line differs from an earlier revision."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    """The same product at the same quantity and price, in another room."""


@dataclass(frozen=True)
class LineChange:
    """A line against the earlier revision; `before` or `after` is None where it is added or removed."""

    change: Change
    before: ContentLine | None
    after: ContentLine | None
    fields: tuple[str, ...]
    """Which of model_number, description, room, quantity, list_price_cents differ."""

    @property
    def line_id(self) -> UUID | None:
        """The line, the same in both revisions."""
        line = self.after or self.before
        return None if line is None else line.line_id


_COMPARED = ("model_number", "description", "room", "quantity", "list_price_cents")


def diff_lines(before: Sequence[ContentLine], after: Sequence[ContentLine]) -> tuple[LineChange, ...]:
    """Return each line of `after` in order with its change, then the removed ones in their old order."""
    old = {line.line_id: line for line in before}
    kept = {line.line_id for line in after}
    changes = []
    for line in after:
        was = old.get(line.line_id)
        if was is None:
            changes.append(LineChange(Change.ADDED, None, line, ()))
            continue
        fields = tuple(name for name in _COMPARED if getattr(was, name) != getattr(line, name))
        changes.append(LineChange(_kind(fields), was, line, fields))
    changes.extend(LineChange(Change.REMOVED, line, None, ()) for line in before if line.line_id not in kept)
    return tuple(changes)


def _kind(fields: tuple[str, ...]) -> Change:
    if not fields:
        return Change.SAME
    return Change.MOVED if fields == ("room",) else Change.CHANGED


def count_changes(changes: Iterable[LineChange]) -> Mapping[Change, int]:
    """Return how many lines there are of each kind of change, 0 included."""
    counts = dict.fromkeys(Change, 0)
    for change in changes:
        counts[change.change] += 1
    return counts


@dataclass(frozen=True)
class OrderedBeyond:
    """A line that says less than what is ordered of it already; `quantity` 0 is a line that is gone."""

    line: ContentLine
    ordered: int
    quantity: int


def ordered_beyond(
    before: Iterable[ContentLine], after: Iterable[ContentLine], ordered: Mapping[UUID, int]
) -> tuple[OrderedBeyond, ...]:
    """Return the lines of which more is ordered than a revision says, those that are gone at the end.

    What is ordered stays ordered whatever a later revision says: it is cancelled on its order. `before`
    are the lines as they were ordered, `ordered` the units of each without the cancelled ones.
    """
    kept = {line.line_id: line for line in after}
    reduced = [
        OrderedBeyond(line, ordered[line.line_id], line.quantity)
        for line in kept.values()
        if ordered.get(line.line_id, 0) > line.quantity
    ]
    gone = [
        OrderedBeyond(line, ordered[line.line_id], 0)
        for line in before
        if line.line_id not in kept and ordered.get(line.line_id, 0) > 0
    ]
    return (*reduced, *gone)
