"""The bars of many sources at once: their warranties, gaps and support plans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from warranty.models.sources import InstalledSource
from warranty.queries.facts import facts_of
from warranty.queries.plans import plans_of
from warranty.rules.bars import Bar, bar_of
from warranty.rules.coverage import plan_covers


def source_bars(
    tx: Session, dealer_id: UUID, rows: Sequence[InstalledSource], *, at: datetime, day: date
) -> dict[UUID, Bar]:
    """Return the bars of sources of one dealer, as they are known now, with plans for the site each is at."""
    placed = {row.id: row for row in rows}
    facts = facts_of(tx, dealer_id, list(placed))
    plans = plans_of(
        tx,
        dealer_id=dealer_id,
        site_ids={row.site_id for row in rows},
        families={row.family for row in rows},
        as_of=at,
    )
    return {
        source_id: bar_of(
            said,
            today=day,
            asked_on=day,
            plans=plan_covers(said, plans[placed[source_id].family], placed[source_id].site_id),
        )
        for source_id, said in facts.items()
    }
