"""Where an account stood at an instant: the sequence, balance and digest of its last posting before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.rules.digests import CHAIN_START
from ledger.states import TOTAL_KINDS, AccountKind

PROBES = 16
"""Postings looked at in one step for each instant: 1,000,000 postings take five steps."""


@dataclass(frozen=True)
class AccountPlace:
    """An account as it stood: its last sequence, balance and digest; the start of the chain before any."""

    sequence: int
    balance_cents: int
    digest: str


START = AccountPlace(0, 0, CHAIN_START)


@dataclass(frozen=True)
class AccountPlaces:
    """One account of a dealer and a program year with its places at the instants asked for, in their order."""

    program_year: int
    kind: AccountKind
    places: tuple[AccountPlace, ...]


def accounts_at(tx: Session, *, dealer_id: UUID, instants: Sequence[datetime]) -> tuple[AccountPlaces, ...]:
    """Return the dealer's own accounts that moved at or after the first instant, at each of the instants.

    A posting counts at an instant where it was posted before it. Instants along an account never fall, so
    the place is found by halving and reads no more at a million postings than at a thousand.
    """
    accounts = tx.execute(
        sa.select(LedgerAccount.program_year, LedgerAccount.kind, LedgerAccount.sequence)
        .where(
            LedgerAccount.dealer_id == dealer_id,
            LedgerAccount.kind.in_(TOTAL_KINDS),
            LedgerAccount.posted_at >= min(instants),
        )
        .order_by(LedgerAccount.program_year.desc(), LedgerAccount.kind)
    ).all()
    return tuple(
        AccountPlaces(year, kind, _places(tx, _of_account(dealer_id, year, kind), head, instants))
        for year, kind, head in accounts
    )


def account_at(
    tx: Session, *, dealer_id: UUID, program_year: int, kind: AccountKind, instants: Sequence[datetime]
) -> AccountPlaces:
    """Return one account, whether it ever moved or not, at each of the instants."""
    head = tx.scalars(
        sa.select(LedgerAccount.sequence).where(
            LedgerAccount.dealer_id == dealer_id,
            LedgerAccount.program_year == program_year,
            LedgerAccount.kind == kind,
        )
    ).one_or_none()
    places = _places(tx, _of_account(dealer_id, program_year, kind), head or 0, instants)
    return AccountPlaces(program_year, kind, places)


def _of_account(dealer_id: UUID, program_year: int, kind: AccountKind) -> list[sa.ColumnElement[bool]]:
    return [
        LedgerEntry.dealer_id == dealer_id,
        LedgerEntry.program_year == program_year,
        LedgerEntry.account_kind == kind,
    ]


def _places(
    tx: Session, of_account: list[sa.ColumnElement[bool]], head: int, instants: Sequence[datetime]
) -> tuple[AccountPlace, ...]:
    sequences = _sequences_before(tx, of_account, head, instants)
    rows = tx.execute(
        sa.select(LedgerEntry.sequence, LedgerEntry.balance_cents, LedgerEntry.digest).where(
            *of_account, LedgerEntry.sequence.in_(set(sequences))
        )
    )
    found = {row.sequence: AccountPlace(row.sequence, row.balance_cents, row.digest) for row in rows}
    return tuple(found[sequence] if sequence else START for sequence in sequences)


def _sequences_before(
    tx: Session, of_account: list[sa.ColumnElement[bool]], head: int, instants: Sequence[datetime]
) -> list[int]:
    """Return for each instant how many postings of the account stand before it, out of `head`."""
    low, high = [0] * len(instants), [head] * len(instants)
    while open_at := [at for at in range(len(instants)) if low[at] < high[at]]:
        probes = {at: _probes(low[at], high[at]) for at in open_at}
        posted = _posted_at(tx, of_account, {each for some in probes.values() for each in some})
        for at in open_at:
            for probe in probes[at]:
                if posted[probe] >= instants[at]:
                    high[at] = probe - 1
                    break
                low[at] = probe
    return low


def _probes(low: int, high: int) -> range:
    """Return sequences above `low`, evenly spread; the last one is `high`, or near it."""
    step = -(-(high - low) // PROBES)
    return range(low + step, high + 1, step)


def _posted_at(
    tx: Session, of_account: list[sa.ColumnElement[bool]], sequences: Iterable[int]
) -> dict[int, datetime]:
    rows = tx.execute(
        sa.select(LedgerEntry.sequence, LedgerEntry.posted_at).where(
            *of_account, LedgerEntry.sequence.in_(sequences)
        )
    )
    return {row.sequence: row.posted_at for row in rows}
