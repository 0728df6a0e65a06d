"""Program years: which are open, being closed, closed; what closing one freezes, and the evidence afterwards."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount
from ledger.models.levels import LevelSet
from ledger.models.years import YearClose, YearClosing
from ledger.queries.credit import currency_of, guard_program_year
from ledger.queries.levels import level_steps
from ledger.queries.open_items import OpenItem, OpenItems, open_items_of
from ledger.queries.statements import DealerYearRow, year_summary
from ledger.rules.credit import LevelStep
from ledger.rules.digests import year_close_digest
from ledger.states import AccountKind
from referral.errors import Refusal
from referral.models import Company, User
from referral.permissions import Viewer
from referral.queries.settings import today


class YearStanding(enum.StrEnum):
    """Where a program year stands on its way to being closed."""

    RUNNING = "running"
    OPEN = "open"
    """Over and not closed."""
    CLOSING = "closing"
    CLOSED = "closed"


def dealers_to_close(tx: Session, *, program_year: int, limit: int | None = None) -> Sequence[UUID]:
    """Return the dealers that existed when the year's closing began and are not closed yet, in order of their ids.

    () where no closing has begun. Dealers that joined later are no part of the year.
    """
    is_closed = sa.exists().where(YearClose.dealer_id == Company.id, YearClose.program_year == program_year)
    return tx.scalars(
        sa.select(Company.id)
        .join(YearClosing, YearClosing.program_year == program_year)
        .where(Company.is_dealer, Company.created_at <= YearClosing.started_at, ~is_closed)
        .order_by(Company.id)
        .limit(limit)
    ).all()


def digest_of_close(row: YearClose) -> str:
    """Return the digest over everything a closed year says."""
    return year_close_digest(
        dealer_id=row.dealer_id,
        program_year=row.program_year,
        dealer_code=row.dealer_code,
        dealer_name=row.dealer_name,
        currency=row.currency,
        sales_credit_cents=row.sales_credit_cents,
        other_purchases_cents=row.other_purchases_cents,
        total_cents=row.total_cents,
        level_year=row.level_year,
        level_version=row.level_version,
        level_name=row.level_name,
        threshold_cents=row.threshold_cents,
        heads=row.heads,
        closed_by=row.closed_by,
        closed_at=row.closed_at,
    )


@dataclass(frozen=True)
class YearRow:
    """A program year in the list of years."""

    program_year: int
    standing: YearStanding
    dealers: int
    """Dealers with an account of the year."""
    entries: int
    closed_dealers: int
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def level_year(self) -> int:
        """The year whose levels it decides."""
        return self.program_year + 1


@dataclass(frozen=True)
class YearsPage:
    """Every program year with accounts, and the present one, newest first."""

    rows: tuple[YearRow, ...]

    @property
    def next_to_close(self) -> int | None:
        """The oldest year that is over and not closed."""
        waiting = [row.program_year for row in self.rows if row.standing is YearStanding.OPEN]
        return min(waiting, default=None)


def years_page(tx: Session, *, at: datetime) -> YearsPage:
    """Return every program year with its standing and counts."""
    current = today(tx, at).year
    posted = {
        year: (dealers, int(entries))
        for year, dealers, entries in tx.execute(
            sa.select(LedgerAccount.program_year, sa.func.count(), sa.func.sum(LedgerAccount.sequence))
            .where(LedgerAccount.kind == AccountKind.ISSUANCE)
            .group_by(LedgerAccount.program_year)
        )
    }
    closed = {
        row.program_year: row.dealers
        for row in tx.execute(
            sa.select(YearClose.program_year, sa.func.count().label("dealers")).group_by(
                YearClose.program_year
            )
        )
    }
    closings = {row.program_year: row for row in tx.scalars(sa.select(YearClosing))}
    years = sorted({current, *posted, *closings}, reverse=True)
    return YearsPage(
        rows=tuple(
            YearRow(
                program_year=year,
                standing=_standing(year, current, closings.get(year)),
                dealers=posted.get(year, (0, 0))[0],
                entries=posted.get(year, (0, 0))[1],
                closed_dealers=closed.get(year, 0),
                started_at=closings[year].started_at if year in closings else None,
                finished_at=closings[year].finished_at if year in closings else None,
            )
            for year in years
        )
    )


def _standing(year: int, current: int, closing: YearClosing | None) -> YearStanding:
    if closing is not None:
        return YearStanding.CLOSING if closing.finished_at is None else YearStanding.CLOSED
    return YearStanding.OPEN if year < current else YearStanding.RUNNING


@dataclass(frozen=True)
class LevelCount:
    """How many dealers a year gives a level."""

    level: LevelStep
    dealers: int


@dataclass(frozen=True)
class YearToClose:
    """What closing a year means: what is still open, and what is frozen."""

    program_year: int
    standing: YearStanding
    currency: str
    level_version: int | None
    """The latest version of the levels it decides; None while they are not set."""
    levels: tuple[LevelStep, ...]
    open_items: tuple[OpenItem, ...]
    rows: tuple[DealerYearRow, ...]

    @property
    def level_year(self) -> int:
        """The year whose levels it decides."""
        return self.program_year + 1

    @property
    def level_counts(self) -> tuple[LevelCount, ...]:
        """How many dealers get each level, the highest first."""
        return count_levels(self.levels, self.rows)

    @property
    def can_close(self) -> bool:
        """Whether nothing but open items stands in the way."""
        return self.standing is YearStanding.OPEN and self.level_version is not None


def count_levels(levels: Sequence[LevelStep], rows: Sequence[DealerYearRow]) -> tuple[LevelCount, ...]:
    """Return how many dealers get each level, the highest first."""
    reached = [row.year.standing.level.name for row in rows if row.year.standing.level is not None]
    return tuple(LevelCount(level, reached.count(level.name)) for level in reversed(levels))


def year_to_close(
    tx: Session, *, viewer: Viewer, at: datetime, program_year: int, open_items: Sequence[OpenItems]
) -> YearToClose:
    """Return what closing the year would do. Raises Refusal(not_found) for a year that cannot be."""
    guard_program_year(program_year)
    version = tx.scalar(
        sa.select(sa.func.max(LevelSet.version)).where(LevelSet.level_year == program_year + 1)
    )
    return YearToClose(
        program_year=program_year,
        standing=_standing(program_year, today(tx, at).year, tx.get(YearClosing, program_year)),
        currency=currency_of(tx, program_year),
        level_version=version,
        levels=level_steps(tx, program_year + 1),
        open_items=open_items_of(tx, open_items, program_year=program_year, at=at),
        rows=year_summary(tx, viewer=viewer, program_year=program_year),
    )


@dataclass(frozen=True)
class ClosingPage:
    """A closing, begun or finished, with its evidence."""

    program_year: int
    currency: str
    level_version: int
    levels: tuple[LevelStep, ...]
    open_items: tuple[str, ...]
    reason: str
    started_by: str
    """The name of who began it; '' for the command line."""
    started_at: datetime
    finished_at: datetime | None
    rows: tuple[DealerYearRow, ...]
    """The dealers of the year; the closed ones have `year.closed`."""
    waiting: int
    """Dealers that are still to be closed."""

    @property
    def level_year(self) -> int:
        """The year whose levels it decided."""
        return self.program_year + 1

    @property
    def closed(self) -> tuple[DealerYearRow, ...]:
        """The dealers whose year is closed."""
        return tuple(row for row in self.rows if row.year.is_closed)

    @property
    def level_counts(self) -> tuple[LevelCount, ...]:
        """How many of them got each level, the highest first."""
        return count_levels(self.levels, self.closed)


def closing_page(tx: Session, *, viewer: Viewer, program_year: int) -> ClosingPage:
    """Return a year's closing with its evidence. Raises Refusal(not_found) where none has begun."""
    found = tx.execute(
        sa.select(YearClosing, User.name)
        .outerjoin(User, User.id == YearClosing.started_by)
        .where(YearClosing.program_year == program_year)
    ).one_or_none()
    if found is None:
        raise Refusal("not_found")
    closing, started_by = found
    return ClosingPage(
        program_year=program_year,
        currency=currency_of(tx, program_year),
        level_version=closing.level_version,
        levels=level_steps(tx, program_year + 1),
        open_items=tuple(closing.open_items),
        reason=closing.reason,
        started_by=started_by or "",
        started_at=closing.started_at,
        finished_at=closing.finished_at,
        rows=year_summary(tx, viewer=viewer, program_year=program_year),
        waiting=len(dealers_to_close(tx, program_year=program_year)),
    )
