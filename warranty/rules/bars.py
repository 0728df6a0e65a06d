"""The one bar of a source: its warranty, the gap after it, plans, the ten-year limit, today and the asked day."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from referral.text import say_day
from warranty.rules.coverage import WARRANTY, Cover, SourceFacts, warranty_of
from warranty.states import Standing

SCALE = 1000
"""Places on the bar are thousandths of its length."""
_ONE_DAY = timedelta(days=1)
_SHORTEST = timedelta(days=365)


class SpanKind(enum.StrEnum):
    """What a stretch of the bar says."""

    WARRANTY = "warranty"
    UNKNOWN = "unknown"
    GAP = "gap"
    PLAN = "plan"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of days, both ends included, with its place on the bar."""

    kind: SpanKind
    starts_on: date
    ends_on: date
    x: int
    width: int
    words: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A day on the bar: `today`, `asked` or `limit`."""

    name: str
    day: date
    x: int
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """Spans in order of days, plans last; marks in order of days. Every one says in words what it shows."""

    starts_on: date
    ends_on: date
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]


def bar_of(source: SourceFacts, *, today: date, asked_on: date, plans: Sequence[Cover] = ()) -> Bar:
    """Return the bar of a source; `asked_on` is the day the answer beside it is for."""
    state, period = source.standing, warranty_of(source)
    days = [
        day
        for day in (
            state.shipped_on,
            period.starts_on,
            period.ends_on,
            period.at_least_on,
            period.limit_on,
            state.gone_on,
            today,
            asked_on,
            *(day for plan in plans for day in (plan.starts_on, plan.ends_on)),
        )
        if day is not None
    ]
    first, last = min(days), max(days)
    last = max(last, first + _SHORTEST)
    length = (last - first).days + 1

    def _x(day: date) -> int:
        return (day - first).days * SCALE // length

    spans = [
        Span(kind, starts_on, ends_on, _x(starts_on), max(_x(ends_on + _ONE_DAY) - _x(starts_on), 4), words)
        for kind, starts_on, ends_on, words in _stretches(source, last, plans)
        if starts_on <= ends_on
    ]
    marks = [Mark("today", today, _x(today), f"Today, {say_day(today)}")]
    if asked_on != today:
        marks.append(Mark("asked", asked_on, _x(asked_on), f"Day asked for, {say_day(asked_on)}"))
    if period.limit_on is not None:
        words = f"Ten-year limit of plans, {say_day(period.limit_on)}"
        marks.append(Mark("limit", period.limit_on, _x(period.limit_on), words))
    return Bar(first, last, tuple(spans), tuple(sorted(marks, key=lambda mark: mark.day)))


def _stretches(
    source: SourceFacts, last: date, plans: Sequence[Cover]
) -> list[tuple[SpanKind, date, date, str]]:
    state, period = source.standing, warranty_of(source)
    if state.standing is Standing.VOIDED:
        return []
    found: list[tuple[SpanKind, date, date, str]] = []
    there_until = last if state.gone_on is None else state.gone_on - _ONE_DAY
    known = period.ends_on or period.at_least_on
    after = period.starts_on or state.shipped_on
    if period.starts_on is not None and known is not None:
        ends_on = min(known, there_until)
        words = f"Warranty, {say_day(period.starts_on)} through {say_day(ends_on)}"
        found.append((SpanKind.WARRANTY, period.starts_on, ends_on, words))
        after = max(known + _ONE_DAY, period.starts_on)
    if after is not None and period.ends_on is None:
        words = f"Not determined from {say_day(after)} on"
        found.append((SpanKind.UNKNOWN, after, there_until, words))
    elif after is not None and period.limit_on is not None:
        found += _gaps(after, min(period.limit_on, there_until), plans)
    if state.gone_on is not None:
        found.append((SpanKind.GONE, state.gone_on, last, f"Taken out on {say_day(state.gone_on)}"))
    found += [
        (
            SpanKind.PLAN,
            plan.starts_on,
            plan.ends_on,
            f"{plan.by}, {say_day(plan.starts_on)} through {say_day(plan.ends_on)}",
        )
        for plan in plans
        if plan.by != WARRANTY
    ]
    return found


def _gaps(after: date, until: date, plans: Sequence[Cover]) -> list[tuple[SpanKind, date, date, str]]:
    """Return the days after the warranty that no plan covers, through `until`."""
    found: list[tuple[SpanKind, date, date, str]] = []
    for plan in sorted(plans, key=lambda plan: plan.starts_on):
        if plan.by != WARRANTY and plan.ends_on >= after and plan.starts_on <= until:
            last = plan.starts_on - _ONE_DAY
            if last >= after:
                days = (last - after).days + 1
                length = "1 day" if days == 1 else f"{days:,} days"
                words = (
                    f"{plan.by} starts {say_day(plan.starts_on)}: gap of {length}, from {say_day(after)} on"
                )
                found.append((SpanKind.GAP, after, last, words))
            after = max(after, plan.ends_on + _ONE_DAY)
    nothing = "nothing covers it" if plans else "no warranty"
    words = f"Gap: {nothing} from {say_day(after)} on; a support plan can cover it until the limit"
    return [*found, (SpanKind.GAP, after, until, words)]
