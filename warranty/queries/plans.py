"""Support plans as coverage asks for them: an upper floor keeps them, and the roof says who reads them.

A call never goes up, so the roof names the reader once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from warranty.rules.coverage import Plan


class PlanReader(Protocol):
    """Something that knows the plans of a dealer's sites."""

    def __call__(
        self,
        tx: Session,
        *,
        dealer_id: UUID,
        site_ids: Collection[UUID],
        families: Collection[str],
        as_of: datetime,
    ) -> Mapping[str, tuple[Plan, ...]]:
        """Return by family the plans for any of the sites, as they were recorded by an instant.

        The number of statements depends on none of these.
        """


_readers: tuple[PlanReader, ...] = ()


def set_plan_reader(*readers: PlanReader) -> None:
    """From now on these are asked. Called by the roof, whenever it makes an application."""
    global _readers  # noqa: PLW0603 - filled once, at the start, like a table of routes
    _readers = readers


def plans_of(
    tx: Session, *, dealer_id: UUID, site_ids: Collection[UUID], families: Collection[str], as_of: datetime
) -> dict[str, tuple[Plan, ...]]:
    """Return by family the plans for any of the sites, as they were recorded by an instant."""
    found: dict[str, tuple[Plan, ...]] = dict.fromkeys(families, ())
    if not site_ids:
        return found
    for read in _readers:
        known = read(tx, dealer_id=dealer_id, site_ids=site_ids, families=families, as_of=as_of)
        found = {family: (*plans, *known.get(family, ())) for family, plans in found.items()}
    return found
