"""What the pages of levels show: every year with its versions, one version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.years import YearClosing
from ledger.queries.credit import currency_of, guard_program_year
from ledger.queries.levels import LevelSetRow, level_sets
from ledger.rules.credit import LevelStep
from referral.errors import Refusal
from referral.queries.settings import today


@dataclass(frozen=True)
class LevelsPage:
    """The levels of every year, all versions, newest first; and the year that is set next."""

    current_year: int
    currency: str
    sets: tuple[LevelSetRow, ...]
    frozen: Mapping[int, int]
    """By level year, the version that the year before was closed with."""

    def holding(self, level_year: int) -> LevelSetRow | None:
        """Return the version that holds for a level year: the frozen one, else the newest; None without any."""
        rows = self.of_year(level_year)
        version = self.frozen.get(level_year)
        return next((row for row in rows if version in {None, row.version}), None)

    def of_year(self, level_year: int) -> tuple[LevelSetRow, ...]:
        """Return the versions of one year, newest first."""
        return tuple(row for row in self.sets if row.level_year == level_year)

    def nearest(self, level_year: int) -> tuple[LevelStep, ...]:
        """Return the levels to start from: the year's own, else those of the last year before it."""
        return next((row.steps for row in self.sets if row.level_year <= level_year), ())

    @property
    def level_years(self) -> tuple[int, ...]:
        """Every year that has levels, and next year, newest first."""
        return tuple(sorted({self.current_year + 1, *(row.level_year for row in self.sets)}, reverse=True))


def levels_page(tx: Session, *, at: datetime, level_year: int | None = None) -> LevelsPage:
    """Return the levels of all years. Raises Refusal(not_found) for a level year that cannot be."""
    if level_year is not None:
        guard_program_year(level_year - 1)
    year = today(tx, at).year
    closings = tx.execute(sa.select(YearClosing.program_year, YearClosing.level_version))
    return LevelsPage(
        current_year=year,
        currency=currency_of(tx, year),
        sets=level_sets(tx),
        frozen={closed_year + 1: version for closed_year, version in closings},
    )


@dataclass(frozen=True)
class LevelSetPage:
    """One version of a level year's levels; `latest` is the version set last."""

    row: LevelSetRow
    latest: int
    currency: str


def level_set_page(tx: Session, *, level_year: int, version: int) -> LevelSetPage:
    """Return one version of the levels. Raises Refusal(not_found) for one that was never set."""
    guard_program_year(level_year - 1)
    of_year = [row for row in level_sets(tx) if row.level_year == level_year]
    row = next((row for row in of_year if row.version == version), None)
    if row is None:
        raise Refusal("not_found")
    return LevelSetPage(row=row, latest=of_year[0].version, currency=currency_of(tx, level_year - 1))
