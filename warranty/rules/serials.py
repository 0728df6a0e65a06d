"""Rows of a file of serial numbers: which unit each is of, and what speaks against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from referral.errors import REFUSALS, Problem
from referral.text import fold, say_day

BATCH_ROWS = 1_000
"""Rows that are taken in in one transaction."""


@dataclass(frozen=True, slots=True)
class SerialLine:
    """A row of a file as it was read: every cell is what its column asks for."""

    row: int
    order: str
    """The order's number, upper case; '' where none is said."""
    model_number: str
    room: str
    serial: str
    """Upper case, without spaces."""
    delivered_on: date | None
    commissioned_on: date | None
    address: Callable[[str, int], str]
    """Gives the address of a field's cell in a row, such as C54321."""

    @property
    def said(self) -> tuple[str, ...]:
        """The row as it can be written into a file again."""
        days = tuple(
            "" if day is None else day.isoformat() for day in (self.delivered_on, self.commissioned_on)
        )
        return (self.order, self.model_number, self.room, self.serial, *days)


@dataclass(frozen=True, slots=True)
class RefusedSerial:
    """A row that is not taken in, with everything that speaks against it."""

    row: int
    problems: tuple[Problem, ...]
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SerialFile:
    """A file whose rows can be walked through again and again."""

    filename: str
    sha256: str
    lines: Callable[[], Iterator[SerialLine | RefusedSerial]]


@dataclass(slots=True)
class OpenGroup:
    """Units in place of one kind in one room of an order that bear no serial number yet."""

    source_id: UUID
    ref: str
    order_ref: str
    model_number: str
    room: str
    site_id: UUID
    site_today: date
    quantity: int
    shipped_on: date | None
    delivered_on: date | None
    commissioned_on: date | None
    gone_on: date | None
    """The day a unit was taken out."""
    is_voided: bool
    left: int = 0
    """Units that no row has taken yet."""

    def __post_init__(self) -> None:
        """Begin with all units."""
        self.left = self.quantity


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """A unit that bears a serial number; `is_ours` says whether it is of this project and account."""

    is_ours: bool
    group: OpenGroup | None
    """The unit, where it is ours."""


@dataclass(frozen=True, slots=True)
class SerialRow:
    """A good row: the unit or the group it is of, and the days that are new of it."""

    line: SerialLine
    group: OpenGroup
    is_known: bool
    """Whether the unit bears the serial number already."""
    delivered_on: date | None
    commissioned_on: date | None

    @property
    def is_repeat(self) -> bool:
        """Whether the row says nothing new."""
        return self.is_known and self.delivered_on is None and self.commissioned_on is None


@dataclass
class SerialGround:
    """What decides about rows: the units without serial numbers, in the order in which rows take them."""

    groups: Collection[OpenGroup]
    kinds: frozenset[tuple[str, str, str]]
    """Order, model number and folded room of everything in the project, identified or not."""
    _by_model: dict[str, list[OpenGroup]] = field(init=False)
    _seen: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Sort the groups by model number."""
        self._by_model = defaultdict(list)
        for group in self.groups:
            self._by_model[group.model_number].append(group)

    def note(self, serial: str, row: int) -> None:
        """Take note of a serial number in a row above."""
        self._seen.setdefault(serial, row)

    def judge(self, line: SerialLine, known: Mapping[str, KnownUnit]) -> SerialRow | RefusedSerial:
        """Return the unit of a row, or why it is refused. A good row takes its unit from those after it."""
        before = self._seen.get(line.serial)
        self.note(line.serial, line.row)
        if before is not None and before != line.row:
            return _refused(line, "serial", "serial_taken", f"row {before} has this serial number already")
        unit = known.get(line.serial)
        if unit is not None:
            return self._judge_known(line, unit)
        group = self._group_of(line)
        if isinstance(group, RefusedSerial):
            return group
        row = _dated(line, group, is_known=False)
        if isinstance(row, SerialRow):
            group.left -= 1
        return row

    def _judge_known(self, line: SerialLine, unit: KnownUnit) -> SerialRow | RefusedSerial:
        if not unit.is_ours or unit.group is None:
            return _refused(line, "serial", "serial_taken", REFUSALS["serial_taken"].rstrip("."))
        group = unit.group
        is_it = group.model_number == line.model_number and line.order in {"", group.order_ref}
        if not is_it or (line.room and fold(line.room) != fold(group.room)):
            place = f"{group.ref}, {group.model_number} in {group.room or 'no room'} of {group.order_ref}"
            return _refused(line, "serial", "serial_taken", f"{place} bears this serial number")
        return _dated(line, group, is_known=True)

    def _group_of(self, line: SerialLine) -> OpenGroup | RefusedSerial:
        room = fold(line.room)
        fits = [
            group
            for group in self._by_model.get(line.model_number, ())
            if line.order in {"", group.order_ref} and (not room or fold(group.room) == room)
        ]
        left = [group for group in fits if group.left]
        if not left:
            return self._none_left(line, room)
        places = {(group.order_ref, group.room, group.site_id) for group in left}
        if len(places) > 1:
            orders = {order for order, _, _ in places}
            name = "order" if len(orders) > 1 and not line.order else "room"
            words = f"{line.model_number} without a serial number stands in several places: say the order and the room"
            return _refused(line, name, "invalid_input", words)
        return left[0]

    def _none_left(self, line: SerialLine, room: str) -> RefusedSerial:
        of_model = {kind for kind in self.kinds if kind[1] == line.model_number}
        if not of_model:
            words = f"no {line.model_number} has shipped for this project"
            return _refused(line, "model_number", "not_found", words)
        of_order = {kind for kind in of_model if line.order in {"", kind[0]}}
        if not of_order:
            words = f"no {line.model_number} has shipped with {line.order}"
            return _refused(line, "order", "not_found", words)
        if room and not any(kind[2] == room for kind in of_order):
            words = f"no {line.model_number} stands in {line.room}"
            return _refused(line, "room", "not_found", words)
        words = f"there are more serial numbers than units: every {line.model_number} there has one"
        return _refused(line, "serial", "invalid_input", words)


def _dated(line: SerialLine, group: OpenGroup, *, is_known: bool) -> SerialRow | RefusedSerial:
    days: dict[str, date | None] = {}
    for name, verb, said, there in (
        ("delivered_on", "delivered", line.delivered_on, group.delivered_on),
        ("commissioned_on", "commissioned", line.commissioned_on, group.commissioned_on),
    ):
        days[name] = None
        if said is None or said == there:
            continue
        if there is not None:
            words = f"{group.ref} was {verb} on {say_day(there)}; correct that first"
            return _refused(line, name, "invalid_input", words)
        if said > group.site_today:
            return _refused(line, name, "invalid_input", f"{say_day(said)} is still to come")
        if group.shipped_on is not None and said < group.shipped_on:
            words = f"{group.ref} shipped on {say_day(group.shipped_on)}, after this day"
            return _refused(line, name, "invalid_input", words)
        if group.is_voided or (group.gone_on is not None and said > group.gone_on):
            gone = f"was taken out on {say_day(group.gone_on)}" if group.gone_on else "is none any more"
            return _refused(line, name, "invalid_input", f"{group.ref} {gone}")
        days[name] = said
    return SerialRow(line, group, is_known, days["delivered_on"], days["commissioned_on"])


def _refused(line: SerialLine, name: str, code: str, words: str) -> RefusedSerial:
    address = line.address(name, line.row)
    return RefusedSerial(line.row, (Problem(code, f"{address}: {words}.", address),), line.said)
