"""Recomputing closed years: totals, level, heads and digest from the entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.evidence import Evidence
from ledger.models.levels import Level
from ledger.models.years import YearClose, YearClosing
from ledger.queries.years import dealers_to_close, digest_of_close
from ledger.rules.credit import LevelStep, standing
from ledger.rules.digests import CHAIN_START
from ledger.states import TOTAL_KINDS, AccountKind, EvidenceKind

_Head = tuple[int, int, str]


def closing_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each fault of a closed year: nothing means that all of them recompute.

    Checked of each dealer's closed year: totals and heads from the entries, the level from the frozen version
    of the levels, the digest over every column, the evidence, the closed accounts. And of each finished
    closing, that no dealer of it is missing and none of its accounts is open.
    """
    for closing in tx.scalars(sa.select(YearClosing).order_by(YearClosing.program_year)).all():
        levels = _levels(tx, closing)
        closes = (
            sa.select(YearClose)
            .where(YearClose.program_year == closing.program_year)
            .order_by(YearClose.dealer_id)
            .execution_options(yield_per=1000)
        )
        with tx.scalars(closes) as rows:
            for row in rows:
                yield from _close_faults(tx, row, closing, levels)
        if closing.finished_at is not None:
            for dealer_id in dealers_to_close(tx, program_year=closing.program_year):
                yield f"closed year {closing.program_year}: dealer {dealer_id} is missing"
    yield from _account_faults(tx)


def _close_faults(
    tx: Session, row: YearClose, closing: YearClosing, levels: tuple[LevelStep, ...]
) -> Iterator[str]:
    name = f"closed year {row.program_year} of dealer {row.dealer_id}"
    heads = _recomputed_heads(tx, row)
    totals = tuple(heads[kind][1] for kind in TOTAL_KINDS)
    if (row.sales_credit_cents, row.other_purchases_cents) != totals:
        said = (row.sales_credit_cents, row.other_purchases_cents)
        yield f"{name}: totals {said}, recomputed {totals}"
    level = standing(sum(totals), levels).level
    frozen = LevelStep(row.level_name, row.threshold_cents)
    if (row.level_year, row.level_version) != (
        row.program_year + 1,
        closing.level_version,
    ) or frozen != level:
        yield f"{name}: level {frozen.name}, recomputed {level.name if level else 'none'}"
    recomputed = {
        kind.value: {"sequence": sequence, "balance_cents": balance, "digest": digest}
        for kind, (sequence, balance, digest) in heads.items()
    }
    if row.heads != recomputed:
        yield f"{name}: the heads are not those of the entries"
    if row.digest != digest_of_close(row):
        yield f"{name}: digest does not recompute"
    witnessed = tx.scalars(
        sa.select(Evidence.content_digest).where(
            Evidence.dealer_id == row.dealer_id,
            Evidence.kind == EvidenceKind.YEAR_CLOSE,
            Evidence.subject == str(row.program_year),
        )
    ).one_or_none()
    if witnessed != row.digest:
        yield f"{name}: the dealer's evidence does not bear witness to it"


def _recomputed_heads(tx: Session, row: YearClose) -> Mapping[AccountKind, _Head]:
    """Return sequence, balance and digest of each account, from its entries alone."""
    of_year = (LedgerEntry.dealer_id == row.dealer_id, LedgerEntry.program_year == row.program_year)
    heads: dict[AccountKind, _Head] = dict.fromkeys(AccountKind, (0, 0, CHAIN_START))
    sums = tx.execute(
        sa.select(LedgerEntry.account_kind, sa.func.count(), sa.func.sum(LedgerEntry.amount_cents))
        .where(*of_year)
        .group_by(LedgerEntry.account_kind)
    ).all()
    for kind, count, cents in sums:
        heads[kind] = (
            count,
            int(cents),
            tx.scalars(
                sa.select(LedgerEntry.digest)
                .where(*of_year, LedgerEntry.account_kind == kind)
                .order_by(LedgerEntry.sequence.desc())
                .limit(1)
            ).one(),
        )
    if sums:
        last = tx.scalars(
            sa.select(LedgerEntry.issuance_digest)
            .where(*of_year)
            .order_by(LedgerEntry.issuance_sequence.desc())
            .limit(1)
        ).one()
        count, cents = sum(each[1] for each in sums), sum(int(each[2]) for each in sums)
        heads[AccountKind.ISSUANCE] = (count, -cents, last)
    return heads


def _levels(tx: Session, closing: YearClosing) -> tuple[LevelStep, ...]:
    rows = tx.scalars(
        sa.select(Level)
        .where(Level.level_year == closing.program_year + 1, Level.version == closing.level_version)
        .order_by(Level.rank)
    )
    return tuple(LevelStep(row.name, row.threshold_cents) for row in rows)


def _account_faults(tx: Session) -> Iterator[str]:
    """Yield accounts that are closed at another instant than their year, or closed without it, or open after it."""
    accounts = (
        sa.select(
            LedgerAccount.dealer_id,
            LedgerAccount.program_year,
            LedgerAccount.kind,
            LedgerAccount.closed_at,
            YearClose.closed_at.label("year_closed_at"),
            YearClosing.finished_at,
        )
        .outerjoin(
            YearClose,
            sa.and_(
                YearClose.dealer_id == LedgerAccount.dealer_id,
                YearClose.program_year == LedgerAccount.program_year,
            ),
        )
        .outerjoin(YearClosing, YearClosing.program_year == LedgerAccount.program_year)
        .where(
            sa.or_(
                LedgerAccount.closed_at.is_not(None),
                YearClose.closed_at.is_not(None),
                YearClosing.finished_at.is_not(None),
            )
        )
        .order_by(LedgerAccount.dealer_id, LedgerAccount.program_year, LedgerAccount.kind)
        .execution_options(yield_per=1000)
    )
    with tx.execute(accounts) as rows:
        for row in rows:
            name = f"account {row.dealer_id} {row.program_year} {row.kind}"
            if row.closed_at is None:
                yield f"{name}: open, but its year is closed"
            elif row.closed_at != row.year_closed_at:
                yield f"{name}: closed, but its year was not closed then"
