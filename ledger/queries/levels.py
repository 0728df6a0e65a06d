"""Levels of a year and where a dealer stands among them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models import LedgerAccount, Level, LevelSet
from ledger.rules import LevelStep, Standing, standing
from ledger.states import AccountKind
from referral.models import User


def level_steps(tx: Session, level_year: int) -> tuple[LevelStep, ...]:
    """Return the levels that hold for a level year, base first; () where none are set."""
    latest = sa.select(sa.func.max(LevelSet.version)).where(LevelSet.level_year == level_year)
    rows = tx.scalars(
        sa.select(Level)
        .where(Level.level_year == level_year, Level.version == latest.scalar_subquery())
        .order_by(Level.rank)
    )
    return tuple(LevelStep(row.name, row.threshold_cents) for row in rows)


@dataclass(frozen=True)
class LevelSetRow:
    """One version of a level year's levels with its provenance."""

    level_year: int
    version: int
    source: str
    reason: str
    steps: tuple[LevelStep, ...]
    set_by: str
    set_at: datetime


def level_sets(tx: Session) -> tuple[LevelSetRow, ...]:
    """Return every version of every level year, newest first."""
    steps: dict[tuple[int, int], list[LevelStep]] = {}
    for level in tx.scalars(sa.select(Level).order_by(Level.level_year, Level.version, Level.rank)):
        steps.setdefault((level.level_year, level.version), []).append(
            LevelStep(level.name, level.threshold_cents)
        )
    sets = tx.execute(
        sa.select(LevelSet, User.name)
        .outerjoin(User, User.id == LevelSet.set_by)
        .order_by(LevelSet.level_year.desc(), LevelSet.version.desc())
    )
    return tuple(
        LevelSetRow(
            level_year=row.level_year,
            version=row.version,
            source=row.source,
            reason=row.reason,
            steps=tuple(steps.get((row.level_year, row.version), ())),
            set_by=name or "",
            set_at=row.set_at,
        )
        for row, name in sets
    )


@dataclass(frozen=True)
class CreditYear:
    """A dealer's program year: credit and other purchases apart, their total, the level it gives next year."""

    program_year: int
    sales_credit_cents: int
    other_purchases_cents: int
    levels: tuple[LevelStep, ...]
    standing: Standing
    last_day: date

    @property
    def level_year(self) -> int:
        """The year the level is for: the one after (program rules, section 7)."""
        return self.program_year + 1

    @property
    def total_cents(self) -> int:
        """What decides the level."""
        return self.sales_credit_cents + self.other_purchases_cents


def credit_year(tx: Session, *, dealer_id: UUID, program_year: int) -> CreditYear:
    """Return where a dealer stands in a program year: reads the account heads, whatever their length."""
    rows = tx.execute(
        sa.select(LedgerAccount.kind, LedgerAccount.balance_cents).where(
            LedgerAccount.dealer_id == dealer_id, LedgerAccount.program_year == program_year
        )
    )
    heads: dict[AccountKind, int] = {row.kind: row.balance_cents for row in rows}
    return make_credit_year(
        program_year,
        heads.get(AccountKind.SALES_CREDIT, 0),
        heads.get(AccountKind.OTHER_PURCHASES, 0),
        level_steps(tx, program_year + 1),
    )


def make_credit_year(
    program_year: int, sales_credit_cents: int, other_purchases_cents: int, levels: tuple[LevelStep, ...]
) -> CreditYear:
    """Return the credit year these balances make."""
    return CreditYear(
        program_year=program_year,
        sales_credit_cents=sales_credit_cents,
        other_purchases_cents=other_purchases_cents,
        levels=levels,
        standing=standing(sales_credit_cents + other_purchases_cents, levels),
        last_day=date(program_year, 12, 31),
    )
