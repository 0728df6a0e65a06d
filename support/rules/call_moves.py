"""Which event may follow which in a service call, by when they happened: one pass over what stands.

Events are taken in the order they happened, not in which they were recorded, so that what is recorded late is
judged by how the call stood then, and a correction by what is left without the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from support.rules.course import Happening, counting
from support.rules.policy import Obligation, Policy
from support.states import CallEventKind, CallState, Priority

_Kind = CallEventKind
_CLOSED = frozenset({CallState.RESOLVED, CallState.WITHDRAWN})
_WHILE_CLOSED = frozenset({_Kind.NOTED, _Kind.REOPENED})
_NEEDS_WORK = frozenset({_Kind.CONFIRMED, _Kind.RESPONDED, _Kind.PROGRESS_STOPPED})
"""What nobody does while a call is paused."""
_LET_BE = frozenset({"call_paused", "call_not_paused"})
NEEDS_WORDS = frozenset(
    {_Kind.NOTED, _Kind.RESOLVED, _Kind.REOPENED, _Kind.WITHDRAWN, _Kind.PROGRESS_STOPPED}
)
"""What says nothing without words."""
_ONE_CLICK = (
    _Kind.CONFIRMED,
    _Kind.RESPONDED,
    _Kind.RESUMED,
    _Kind.NOTIFIED,
    _Kind.ESCALATED,
    _Kind.FOLLOWED_UP,
    _Kind.UPDATED,
)
_ALWAYS = frozenset({_Kind.CONFIRMED, _Kind.RESPONDED, _Kind.RESUMED})
PEOPLE_RECORD = frozenset(CallEventKind) - {_Kind.OPENED, _Kind.CORRECTED}


@dataclass(frozen=True, slots=True)
class Stand:
    """How a call stands after some of its events."""

    state: CallState
    priority: Priority | None
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Misfit:
    """An event that cannot follow those before it, and the refusal that says so."""

    number: int
    code: str


def standing(happenings: Iterable[Happening]) -> list[Happening]:
    """Return the events that count, in the order they happened: no corrections, and nothing they took out."""
    given = list(happenings)
    return counting(given, max(each.happened_at for each in given)) if given else []


def misfit_of(happenings: Iterable[Happening], new: int | None = None) -> Misfit | None:
    """Return the first event that does not fit those before it; None where all do.

    The event numbered `new` has to fit wholly. Of the others a pause in a pause, a resume without one and work
    while it is paused are let be: they change nothing, and a pause that is recorded late comes in two events.
    """
    before: Stand | None = None
    for each in standing(happenings):
        code = "event_fixed" if (each.kind is _Kind.OPENED) is (before is not None) else ""
        if before is not None and not code:
            code = refusal_of(before, each.kind, each.priority)
        if code and (each.number == new or code not in _LET_BE):
            return Misfit(each.number, code)
        before = _after(before, each)
    return None


def stand_of(happenings: Sequence[Happening]) -> Stand:
    """Return how a call stands after all of its events."""
    stand: Stand | None = None
    for each in standing(happenings):
        stand = _after(stand, each)
    if stand is None:
        raise ValueError("a call begins with its opening")
    return stand


def refusal_of(stand: Stand, kind: CallEventKind, priority: Priority | None = None) -> str:
    """Return the code by which an event is refused of a call that stands so; '' where it may happen."""
    if stand.state in _CLOSED:
        return "" if kind in _WHILE_CLOSED else "call_closed"
    if kind is _Kind.REOPENED or (kind is _Kind.CONFIRMED and stand.is_confirmed):
        return "not_pending"
    if kind is _Kind.RESUMED:
        return "" if stand.state is CallState.PAUSED else "call_not_paused"
    if stand.state is CallState.PAUSED:
        is_worst = kind is _Kind.PRIORITY and priority is Priority.ONE
        return "call_paused" if kind in _NEEDS_WORK | {_Kind.PAUSED} or is_worst else ""
    if kind is _Kind.PAUSED and stand.priority is Priority.ONE:
        return "never_paused"
    return ""


def may_follow(stand: Stand, *, has_priorities: bool) -> tuple[CallEventKind, ...]:
    """Return the kinds of events that people may record of a call that stands so."""
    return tuple(
        kind
        for kind in CallEventKind
        if kind in PEOPLE_RECORD
        and not refusal_of(stand, kind)
        and (has_priorities or kind is not _Kind.PRIORITY)
    )


def quick_kinds(
    policy: Policy, stand: Stand, kinds: Sequence[CallEventKind], due: Obligation | None
) -> tuple[CallEventKind, ...]:
    """Return what one button records of a call: of the kinds that may follow, those its policy asks for.

    What meets the obligation that is due next stands first.
    """
    asked = _ALWAYS.union(
        *(each.met_by for each in policy.obligations if each.of_priority in {None, stand.priority})
    )
    offered = [kind for kind in _ONE_CLICK if kind in kinds and kind in asked]
    return tuple(sorted(offered, key=lambda kind: due is None or kind not in due.met_by))


def _after(stand: Stand | None, event: Happening) -> Stand:
    priority = event.priority or (None if stand is None else stand.priority)
    is_confirmed = event.kind is _Kind.CONFIRMED or (stand is not None and stand.is_confirmed)
    before = CallState.OPEN if stand is None else stand.state
    state = {
        _Kind.OPENED: CallState.OPEN,
        _Kind.PAUSED: CallState.PAUSED,
        _Kind.RESUMED: CallState.OPEN,
        _Kind.RESOLVED: CallState.RESOLVED,
        _Kind.REOPENED: CallState.OPEN,
        _Kind.WITHDRAWN: CallState.WITHDRAWN,
    }.get(event.kind, before)
    return Stand(state, priority, is_confirmed)
