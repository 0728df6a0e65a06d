"""Sources, terms and plans for the tests of the rules, with nothing behind them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from warranty.rules.coverage import Plan, SourceFacts, Term
from warranty.rules.standing import Event, known_at, stand
from warranty.states import SourceEventKind, StartRule

Kind = SourceEventKind
HOME, BARN = UUID(int=1), UUID(int=2)
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
SHIPPED_ON = date(2026, 5, 4)


def event(number: int, kind: SourceEventKind, day: date, **said: Any) -> Event:
    """An event recorded at noon of its day unless `recorded_at` says otherwise."""
    said.setdefault("recorded_at", datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    return Event(number, kind, day, **said)


def shipped(day: date = SHIPPED_ON, *more: Event, quantity: int = 1) -> list[Event]:
    """That it shipped to HOME, the kitchen, and what happened then."""
    return [
        event(1, Kind.SHIPPED, day, quantity=quantity),
        event(2, Kind.MOVED, day, site_id=HOME, room="Kitchen"),
        *more,
    ]


def term(**said: Any) -> Term:
    """Sixty months from shipping, parts and labor, thirty days to report, no minimum after a replacement."""
    usual: dict[str, Any] = {
        "family": "D3", "valid_from": date(2020, 1, 1), "months": 60, "start_rule": StartRule.SHIPPED,
        "cap_days": None, "covers_parts": True, "covers_labor": True, "report_days": 30,
        "replacement_days": 0, "set_at": SINCE,
    }  # fmt: skip
    return Term(**(usual | said))


def facts(events: list[Event] | None = None, *, as_of: datetime | None = None, **said: Any) -> SourceFacts:
    """A source of these events, shipped to the kitchen unless they say otherwise."""
    known = shipped() if events is None else events
    if as_of is not None:
        known = list(known_at(known, as_of))
    usual: dict[str, Any] = {
        "ref": "U-HARBOR-1", "family": "D3", "provider": "Harbor Lighting", "ordered_on": date(2026, 5, 1),
        "standing": stand(known), "term": term(),
    }  # fmt: skip
    return SourceFacts(**(usual | said))


def plan(**said: Any) -> Plan:
    """A support plan for HOME, parts and labor, through the year 2032."""
    usual: dict[str, Any] = {
        "name": "Gold AG-17", "provider": "Lutron", "starts_on": date(2032, 1, 1), "ends_on": date(2032, 12, 31),
        "site_ids": frozenset({HOME}), "covers_parts": True, "covers_labor": True,
    }  # fmt: skip
    return Plan(**(usual | said))
