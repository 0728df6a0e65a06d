"""What a call is owed, as data of a reviewed file: obligations, each with its clock, and the policy they make up.

Program rules, section 11. A policy without an obligation ("first available") owes nothing by an instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Literal, TypeAlias

from support.rules.reviewed import Reviewed
from support.states import CallEventKind, Priority

_Kind = CallEventKind
AFTER: Literal["after"] = "after"
Anchor: TypeAlias = CallEventKind | tuple[Literal["after"], str]
"""The event that starts a clock; or the end of another obligation's first period, by its key."""

LONGEST_DAYS = 3650
_ONE_MINUTE = timedelta(minutes=1)
_NO_ANCHOR = frozenset(
    {
        _Kind.PAUSED,
        _Kind.RESUMED,
        _Kind.NOTED,
        _Kind.RESOLVED,
        _Kind.WITHDRAWN,
        _Kind.REOPENED,
        _Kind.CORRECTED,
    }
)
"""What starts no clock: a call that is closed owes nothing, and its reopening is no new start."""
_NO_ACT = frozenset(
    {_Kind.OPENED, _Kind.PAUSED, _Kind.RESUMED, _Kind.NOTED, _Kind.WITHDRAWN, _Kind.REOPENED, _Kind.CORRECTED}
)
"""What meets no obligation."""
_NO_STOP = frozenset(
    {_Kind.OPENED, _Kind.PAUSED, _Kind.RESUMED, _Kind.NOTED, _Kind.REOPENED, _Kind.CORRECTED}
)
"""What ends no obligation."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something that is owed a while after something, once or again and again.

    A call that is closed (resolved or withdrawn) owes nothing, whether `stopped_by` says so or not. An obligation
    of a priority is owed while the call has just that priority. Raises ValueError where it makes no sense.
    """

    key: str
    name: str
    """In plain words, as the desk reads it."""
    of_priority: Priority | None
    """None for calls of any priority, or without one."""
    anchor: Anchor
    elapsed: timedelta | None = None
    """Real time: hours are elapsed unless they are called business hours."""
    business_days: int | None = None
    calendar_days: int | None = None
    repeats: bool = False
    met_by: frozenset[CallEventKind] = frozenset()
    stopped_by: frozenset[CallEventKind] = frozenset()
    is_pausable: bool = False
    is_soft: bool = False
    """A target: a miss is shown, and is no breach."""
    notify: tuple[str, ...] = ()
    """Who is told of it, such as account_management."""

    def __post_init__(self) -> None:
        lengths = (self.elapsed, self.business_days, self.calendar_days)
        if sum(length is not None for length in lengths) != 1:
            raise ValueError("duration: exactly one of elapsed time, business days and calendar days")
        if self.elapsed is not None and not _ONE_MINUTE <= self.elapsed <= timedelta(days=LONGEST_DAYS):
            raise ValueError(f"duration: a minute to {LONGEST_DAYS} days, not {self.elapsed}")
        days = self.business_days if self.business_days is not None else self.calendar_days
        if days is not None and not 1 <= days <= LONGEST_DAYS:
            raise ValueError(f"duration: 1 to {LONGEST_DAYS} days, not {days}")
        if not isinstance(self.anchor, tuple) and self.anchor in _NO_ANCHOR:
            raise ValueError(f"anchor: no clock starts with {self.anchor}")
        if not self.met_by:
            raise ValueError("met_by: something must meet it")
        for name, kinds, refused in (
            ("met_by", self.met_by, _NO_ACT),
            ("stopped_by", self.stopped_by, _NO_STOP),
        ):
            if kinds & refused:
                raise ValueError(f"{name}: not {', '.join(sorted(kinds & refused))}")

    @classmethod
    def from_data(cls, content: object, path: str = "obligation") -> Obligation:
        """Read an obligation of a reviewed file. Raises ValueError naming the place of what is wrong."""
        said = Reviewed(content, path)
        said.only(
            "key",
            "name",
            "anchor",
            "duration",
            "met_by",
            optional=("of_priority", "repeats", "stopped_by", "is_pausable", "is_soft", "notify"),
        )
        length = Reviewed(said.content["duration"], said.at("duration"))
        length.only(optional=("elapsed_minutes", "business_days", "calendar_days"))
        if len(length.content) != 1:
            raise ValueError(f"{length.path}: exactly one of elapsed_minutes, business_days, calendar_days")
        days = {key: length.whole(key) for key in length.content if key != "elapsed_minutes"}
        has_minutes = "elapsed_minutes" in length.content
        with said.naming():
            return cls(
                key=said.line("key"),
                name=said.line("name"),
                of_priority=said.choice_or_none("of_priority", Priority),
                anchor=_anchor_of(said),
                elapsed=_minutes(length.whole("elapsed_minutes"), length) if has_minutes else None,
                repeats=said.flag("repeats"),
                met_by=frozenset(said.choices("met_by", CallEventKind)),
                stopped_by=frozenset(said.choices("stopped_by", CallEventKind)),
                is_pausable=said.flag("is_pausable"),
                is_soft=said.flag("is_soft"),
                notify=said.lines("notify"),
                business_days=days.get("business_days"),
                calendar_days=days.get("calendar_days"),
            )

    def to_data(self) -> dict[str, object]:
        """Return the obligation as a reviewed file says it, everything named."""
        if self.elapsed is not None:
            length: dict[str, object] = {"elapsed_minutes": self.elapsed // _ONE_MINUTE}
        elif self.business_days is not None:
            length = {"business_days": self.business_days}
        else:
            length = {"calendar_days": self.calendar_days}
        return {
            "key": self.key,
            "name": self.name,
            "of_priority": None if self.of_priority is None else self.of_priority.value,
            "anchor": {AFTER: self.anchor[1]} if isinstance(self.anchor, tuple) else self.anchor.value,
            "duration": length,
            "repeats": self.repeats,
            "met_by": [kind.value for kind in CallEventKind if kind in self.met_by],
            "stopped_by": [kind.value for kind in CallEventKind if kind in self.stopped_by],
            "is_pausable": self.is_pausable,
            "is_soft": self.is_soft,
            "notify": list(self.notify),
        }


@dataclass(frozen=True, slots=True)
class Policy:
    """What a call that is opened under it is owed. Raises ValueError where obligations do not fit together."""

    key: str
    name: str
    obligations: tuple[Obligation, ...] = field(default=())
    pages_out_of_hours_at: Priority | None = None
    """Out of support hours a call of this priority, or worse, pages somebody; None where none does."""
    by_key: Mapping[str, Obligation] = field(init=False, repr=False, compare=False)
    """Its obligations by their keys."""

    def __post_init__(self) -> None:
        before: dict[str, Obligation] = {}
        for index, obligation in enumerate(self.obligations):
            place = f"obligations[{index}]"
            if obligation.key in before:
                raise ValueError(f"{place}.key: {obligation.key} is there already")
            if isinstance(obligation.anchor, tuple):
                other = before.get(obligation.anchor[1])
                if other is None or other.repeats:
                    raise ValueError(f"{place}.anchor.after: names no earlier obligation that is owed once")
            before[obligation.key] = obligation
        object.__setattr__(self, "by_key", MappingProxyType(before))

    @classmethod
    def from_data(cls, content: object, path: str = "policy") -> Policy:
        """Read a policy of a reviewed file. Raises ValueError naming the place of what is wrong."""
        said = Reviewed(content, path)
        said.only("key", "name", "obligations", optional=("words", "source", "pages_out_of_hours_at"))
        with said.naming():
            return cls(
                key=said.line("key"),
                name=said.line("name"),
                obligations=tuple(
                    Obligation.from_data(each, place) for place, each in said.each("obligations")
                ),
                pages_out_of_hours_at=said.choice_or_none("pages_out_of_hours_at", Priority),
            )

    def to_data(self) -> dict[str, object]:
        """Return the policy as a reviewed file says it, everything named."""
        pages_at = self.pages_out_of_hours_at
        return {
            "key": self.key,
            "name": self.name,
            "obligations": [obligation.to_data() for obligation in self.obligations],
            "pages_out_of_hours_at": None if pages_at is None else pages_at.value,
        }


def _anchor_of(said: Reviewed) -> Anchor:
    anchor = said.content["anchor"]
    if not isinstance(anchor, Mapping):
        return said.choice("anchor", CallEventKind)
    after = Reviewed(anchor, said.at("anchor"))
    after.only(AFTER)
    return AFTER, after.line(AFTER)


def _minutes(count: int, length: Reviewed) -> timedelta:
    if not 1 <= count <= LONGEST_DAYS * 1440:
        raise ValueError(f"{length.at('elapsed_minutes')}: 1 to {LONGEST_DAYS * 1440}, not {count}")
    return timedelta(minutes=count)
