"""Levels of a year and where a dealer stands among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount
from ledger.models.levels import Level, LevelSet
from ledger.models.years import YearClose, YearClosing
from ledger.queries.time_travel import balances_as_of
from ledger.rules.as_of import NOW, AsOf
from ledger.rules.credit import LevelStep, Standing, standing
from ledger.states import AccountKind
from referral.models import User


def level_version(tx: Session, level_year: int, known_at: datetime | None = None) -> int | None:
    """Return the version of a level year's levels that holds, as known at an instant; None where none is set.

    It is the one the year before was closed with, once its closing has begun; the latest until then.
    """
    latest = sa.select(sa.func.max(LevelSet.version)).where(LevelSet.level_year == level_year)
    frozen = sa.select(YearClosing.level_version).where(YearClosing.program_year == level_year - 1)
    if known_at is not None:
        latest = latest.where(LevelSet.set_at <= known_at)
        frozen = frozen.where(YearClosing.started_at <= known_at)
    version: int | None = tx.scalar(
        sa.select(sa.func.coalesce(frozen.scalar_subquery(), latest.scalar_subquery()))
    )
    return version


def steps_of(tx: Session, level_year: int, version: int | None) -> tuple[LevelStep, ...]:
    """Return the levels of one version, base first; () for none."""
    rows = tx.scalars(
        sa.select(Level).where(Level.level_year == level_year, Level.version == version).order_by(Level.rank)
    )
    return tuple(LevelStep(row.name, row.threshold_cents) for row in rows)


def level_steps(tx: Session, level_year: int) -> tuple[LevelStep, ...]:
    """Return the levels that hold for a level year, base first; () where none are set."""
    return steps_of(tx, level_year, level_version(tx, level_year))


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
class ClosedHead:
    """The head of an account as it was when its year was closed."""

    kind: AccountKind
    sequence: int
    balance_cents: int
    digest: str


@dataclass(frozen=True)
class ClosedYear:
    """What is frozen of a dealer's program year, and the evidence of it."""

    closed_at: datetime
    closed_by: str
    """The name of who closed it; '' for the command line."""
    sales_credit_cents: int
    other_purchases_cents: int
    level: LevelStep
    level_version: int
    heads: tuple[ClosedHead, ...]
    digest: str


@dataclass(frozen=True)
class CreditYear:
    """A dealer's program year: credit and other purchases apart, their total, the level it gives next year."""

    program_year: int
    sales_credit_cents: int
    other_purchases_cents: int
    levels: tuple[LevelStep, ...]
    standing: Standing
    last_day: date
    closed: ClosedYear | None = None
    level_version: int | None = None
    """The version of the level year's levels that decides; None where none is set."""

    @property
    def is_closed(self) -> bool:
        """Whether totals and level are frozen: nothing is posted to this year any more."""
        return self.closed is not None

    @property
    def level_year(self) -> int:
        """The year the level is for: the one after (program rules, section 7)."""
        return self.program_year + 1

    @property
    def total_cents(self) -> int:
        """What decides the level."""
        return self.sales_credit_cents + self.other_purchases_cents


@dataclass(frozen=True)
class YearBooks:
    """What decides the credit years of one program year: its levels, balances, and what is frozen of it."""

    program_year: int
    level_version: int | None
    levels: tuple[LevelStep, ...]
    balances: Mapping[tuple[UUID, AccountKind], int]
    closed: Mapping[UUID, ClosedYear]

    def year_of(self, dealer_id: UUID) -> CreditYear:
        """Return where a dealer stands: as frozen where the year is closed, else by the balances."""
        closed = self.closed.get(dealer_id)
        if closed is not None:
            year = make_closed_year(self.program_year, closed, self.levels)
        else:
            year = make_credit_year(
                self.program_year,
                self.balances.get((dealer_id, AccountKind.SALES_CREDIT), 0),
                self.balances.get((dealer_id, AccountKind.OTHER_PURCHASES), 0),
                self.levels,
            )
        return replace(year, level_version=self.level_version)


def year_books(
    tx: Session, program_year: int, dealer_ids: Sequence[UUID] | None = None, as_of: AsOf = NOW
) -> YearBooks:
    """Return the books of a program year, of these dealers or of all: four statements, whatever there is.

    Every page, the API and the command line show the levels that come from here. For a day the balances of
    that day decide, also in a year that is closed; the levels are those known at the instant asked for.
    """
    heads = sa.select(LedgerAccount.dealer_id, LedgerAccount.kind, LedgerAccount.balance_cents).where(
        LedgerAccount.program_year == program_year
    )
    closes = (
        sa.select(YearClose, User.name)
        .outerjoin(User, User.id == YearClose.closed_by)
        .where(YearClose.program_year == program_year)
    )
    if as_of.known_at is not None:
        closes = closes.where(YearClose.closed_at <= as_of.known_at)
    if dealer_ids is not None:
        heads = heads.where(LedgerAccount.dealer_id.in_(dealer_ids))
        closes = closes.where(YearClose.dealer_id.in_(dealer_ids))
    balances: Mapping[tuple[UUID, AccountKind], int]
    if as_of.is_now:
        balances = {(dealer_id, kind): balance for dealer_id, kind, balance in tx.execute(heads)}
    else:
        balances = balances_as_of(tx, program_year, as_of, dealer_ids)
    version = level_version(tx, program_year + 1, as_of.known_at)
    found = [] if as_of.on is not None else tx.execute(closes).all()
    return YearBooks(
        program_year=program_year,
        level_version=version,
        levels=steps_of(tx, program_year + 1, version),
        balances=balances,
        closed={row.dealer_id: _closed_year(row, name) for row, name in found},
    )


def _closed_year(row: YearClose, closed_by: str | None) -> ClosedYear:
    return ClosedYear(
        closed_at=row.closed_at,
        closed_by=closed_by or "",
        sales_credit_cents=row.sales_credit_cents,
        other_purchases_cents=row.other_purchases_cents,
        level=LevelStep(row.level_name, row.threshold_cents),
        level_version=row.level_version,
        heads=tuple(
            ClosedHead(kind, head["sequence"], head["balance_cents"], head["digest"])
            for kind in AccountKind
            if (head := row.heads.get(kind.value)) is not None
        ),
        digest=row.digest,
    )


def credit_year(tx: Session, *, dealer_id: UUID, program_year: int, as_of: AsOf = NOW) -> CreditYear:
    """Return where a dealer stands in a program year: reads the account heads, whatever their length."""
    return year_books(tx, program_year, [dealer_id], as_of).year_of(dealer_id)


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


def make_closed_year(program_year: int, closed: ClosedYear, levels: tuple[LevelStep, ...]) -> CreditYear:
    """Return the credit year as it was frozen; `levels` are those it was closed with."""
    year = make_credit_year(program_year, closed.sales_credit_cents, closed.other_purchases_cents, levels)
    return replace(year, standing=replace(year.standing, level=closed.level), closed=closed)
