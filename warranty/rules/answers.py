"""A coverage answer with all it was worked out from, as canonical JSON that can be kept and checked for ever."""

from __future__ import annotations

import enum
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from quotes.rules.content import canonical_json
from warranty.rules.coverage import Coverage, Plan, SourceFacts, decide

VERSION = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked, what was known, and what coverage answers."""

    facts: SourceFacts
    as_of: datetime
    failed_on: date | None
    reported_on: date
    site_id: UUID | None
    plans: tuple[Plan, ...]
    coverage: Coverage


def answer(
    facts: SourceFacts,
    *,
    as_of: datetime,
    failed_on: date | None,
    reported_on: date,
    site_id: UUID | None = None,
    plans: Sequence[Plan] = (),
) -> Answer:
    """Return the answer of `decide`, kept together with what it was worked out from."""
    coverage = decide(facts, failed_on=failed_on, reported_on=reported_on, site_id=site_id, plans=plans)
    return Answer(facts, as_of, failed_on, reported_on, site_id, tuple(plans), coverage)


def holds(said: Answer) -> bool:
    """Say whether the answer follows from the facts kept with it. The wording of its reasons may be of its time."""
    again = answer(
        said.facts,
        as_of=said.as_of,
        failed_on=said.failed_on,
        reported_on=said.reported_on,
        site_id=said.site_id,
        plans=said.plans,
    )
    return _without_words(again.coverage) == _without_words(said.coverage)


def answer_json(said: Answer) -> str:
    """Return the answer as canonical JSON; `read_answer` reads it back the same."""
    return canonical_json({"version": VERSION, "answer": _plain(said)})


def read_answer(text: str) -> Answer:
    """Return an answer that was kept. Raises ValueError where the text is none."""
    try:
        said = json.loads(text)
        if said["version"] != VERSION:
            raise ValueError("unknown version")
        read: Answer = _read(Answer, said["answer"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an answer: {error!r}") from error
    return read


def _without_words(coverage: Coverage) -> Coverage:
    return replace(coverage, reasons=(), warranty=replace(coverage.warranty, reasons=()))


def _plain(value: Any) -> Any:
    if isinstance(value, enum.StrEnum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(_plain(each) for each in value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return value


def _read(kind: Any, value: Any) -> Any:
    """Return a plain value as the type its field has."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        (kind,) = (each for each in inner if each is not type(None))
        return None if value is None else _read(kind, value)
    if origin in {tuple, frozenset}:
        return origin(_read(inner[0], each) for each in value)
    if is_dataclass(kind):
        return _read_fields(kind, value)
    if kind in {date, datetime}:
        return kind.fromisoformat(value)
    if kind is UUID or issubclass(kind, enum.StrEnum):
        return kind(value)
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _read_fields(kind: Any, value: Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    if set(value) != {each.name for each in fields(kind)}:
        raise KeyError(kind.__name__)
    return kind(**{name: _read(hints[name], each) for name, each in value.items()})
