"""Setting the levels of a level year."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.levels import Level, LevelSet
from ledger.queries.credit import guard_program_year
from ledger.rules.credit import LevelStep
from referral.db import locked
from referral.errors import Refusal
from referral.models import Company
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer


def set_levels(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    level_year: int,
    levels: Sequence[LevelStep],
    reason: str,
    source: str,
) -> LevelSet:
    """The level year has these levels, base first; earlier versions stay readable.

    The total of the calendar year before decides (program rules, section 7). Raises Refusal(forbidden),
    (not_found) for a year that cannot be, (levels_invalid), (reason_required).
    """
    guard_permission(actor, Permission.SETTING_CHANGE)
    guard_program_year(level_year - 1)
    guard_reason(reason)
    names = [level.name for level in levels]
    thresholds = [level.threshold_cents for level in levels]
    rising = all(low < high for low, high in itertools.pairwise(thresholds))
    if not levels or thresholds[0] != 0 or not rising or len(set(names)) < len(names) or not all(names):
        raise Refusal("levels_invalid", field="levels")
    locked(tx, sa.select(Company).where(Company.id == actor.company_id))
    latest = tx.scalar(sa.select(sa.func.max(LevelSet.version)).where(LevelSet.level_year == level_year))
    version = (latest or 0) + 1
    row = LevelSet(
        level_year=level_year,
        version=version,
        source=source.strip(),
        reason=reason.strip(),
        set_by=actor.user_id,
        set_at=at,
    )
    tx.add(row)
    tx.flush()
    tx.add_all(
        Level(
            level_year=level_year,
            version=version,
            rank=rank,
            name=level.name,
            threshold_cents=level.threshold_cents,
        )
        for rank, level in enumerate(levels)
    )
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=actor.company_id,
        event="levels.set",
        subject=str(level_year),
        details={"version": version},
    )
    return row
