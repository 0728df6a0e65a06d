"""What is kept beside an installed source for lists, read off its events and terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from warranty.rules.coverage import SourceFacts, warranty_of
from warranty.states import IN_PLACE, Lacking, Standing


@dataclass(frozen=True, slots=True)
class Projection:
    """The columns of an installed source that lists need; see warranty.models.sources.InstalledSource."""

    quantity: int
    standing: Standing
    serial: str
    site_id: UUID | None
    room: str
    shipped_on: date | None
    delivered_on: date | None
    commissioned_on: date | None
    gone_on: date | None
    replaces_id: UUID | None
    starts_on: date | None
    ends_on: date | None
    lacking: Lacking | None


def project(source: SourceFacts) -> Projection:
    """Return what lists show of a source. Only what is in place has a last day, or lacks something."""
    state, period = source.standing, warranty_of(source)
    is_there = state.standing in IN_PLACE
    return Projection(
        quantity=state.quantity,
        standing=state.standing,
        serial=state.serial,
        site_id=state.site_id,
        room=state.room,
        shipped_on=state.shipped_on,
        delivered_on=state.delivered_on,
        commissioned_on=state.commissioned_on,
        gone_on=state.gone_on,
        replaces_id=state.replaces,
        starts_on=period.starts_on,
        ends_on=period.ends_on if is_there else None,
        lacking=period.lacking if is_there else None,
    )
