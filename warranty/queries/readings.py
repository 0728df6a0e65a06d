"""The columns of an installed source that are read off its events and terms."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from warranty.rules.coverage import SourceFacts
from warranty.rules.projection import project


def values_of(facts: SourceFacts, event_count: int) -> dict[str, Any]:
    """Return those columns by name, as they must be."""
    return {"event_count": event_count, **asdict(project(facts))}
