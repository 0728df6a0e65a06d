"""Balances for any day, as known at any instant: two searches and a few exceptions, however long the account.

Along an account the sequence follows the instants of posting, so what was known at an instant is a prefix,
found by halving. Most entries are effective on the day they are posted, so the balance for a day is the
balance of a prefix too, put right by the entries that are dated back or ahead; a partial index holds those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import DATED_APART, LedgerAccount
from ledger.rules.as_of import AsOf
from ledger.states import TOTAL_KINDS, AccountKind
from referral.db import Instant

_EVER = datetime(9999, 1, 1, tzinfo=UTC)
_LAST_SEQUENCE = 2**53
"""More postings than any account has."""


def balances_for(
    tx: Session,
    *,
    dealer_id: UUID,
    program_year: int,
    on: date | None = None,
    known_at: datetime | None = None,
) -> dict[AccountKind, int]:
    """Return the balances in cents of a dealer's own accounts of a year, for a day, as known at an instant.

    An account without a posting by then stands at 0.
    """
    found = balances_as_of(tx, program_year, AsOf(on, known_at), [dealer_id])
    return {kind: found.get((dealer_id, kind), 0) for kind in TOTAL_KINDS}


def balances_as_of(
    tx: Session,
    program_year: int,
    as_of: AsOf,
    dealer_ids: Sequence[UUID] | None = None,
    *,
    through: int = _LAST_SEQUENCE,
) -> Mapping[tuple[UUID, AccountKind], int]:
    """Return the balances of the own accounts of a year, of these dealers or of all, in one statement.

    Of each account only the postings up to the sequence `through` count.
    """
    known = as_of.known_at or _EVER
    said: dict[str, Any] = {"program_year": program_year, "through": through, "known_at": known}
    if as_of.on is not None:
        said |= {"on": as_of.on, "ended_at": _end_of(as_of.on)}
    if dealer_ids is not None:
        said["dealer_ids"] = list(dealer_ids)
    dialect = tx.get_bind().dialect.name
    rows = tx.execute(_statement(dialect, for_day=as_of.on is not None, of_all=dealer_ids is None), said)
    return {(dealer_id, kind): int(balance) for dealer_id, kind, balance in rows}


def _end_of(day: date) -> datetime:
    """Return the last instant of a day in UTC: by those days entries count as dated apart."""
    return datetime.combine(day, time.max, UTC)


# The year is joined from row to row, not compared with a parameter: of a year that has just begun PostgreSQL has
# no statistics, takes it for empty, and would read all of it at each step of the search.
_ACCOUNTS = """account(dealer_id, year, kind, sequence) AS (
  SELECT dealer_id, program_year, kind, CASE WHEN sequence < :through THEN sequence ELSE :through END
  FROM ledger_account WHERE program_year = :program_year AND kind <> 'issuance'{dealers})"""

_HALVING = """{name}(dealer_id, year, kind, last, low, high) AS (
  SELECT dealer_id, year, kind, {start}, CAST(0 AS bigint), {start} FROM {source}
  UNION ALL
  SELECT s.dealer_id, s.year, s.kind, s.last, CASE WHEN e.posted_at <= :{until} THEN e.sequence ELSE s.low END,
    CASE WHEN e.posted_at <= :{until} THEN s.high ELSE e.sequence - 1 END
  FROM {name} AS s JOIN ledger_entry AS e ON e.dealer_id = s.dealer_id AND e.program_year = s.year
    AND e.account_kind = s.kind AND e.sequence = (s.low + s.high + 1) / 2
  WHERE s.low < s.high)"""
"""Where low meets high stands the last posting that is not after the bound, 0 before the first."""

_BALANCE = """COALESCE((SELECT e.balance_cents FROM ledger_entry AS e WHERE e.dealer_id = p.dealer_id
    AND e.program_year = p.year AND e.account_kind = p.kind AND e.sequence = p.low), 0)"""

_PUT_RIGHT = """COALESCE((SELECT SUM(CASE WHEN e.sequence <= p.low THEN -e.amount_cents ELSE e.amount_cents END)
    FROM ledger_entry AS e WHERE e.dealer_id = p.dealer_id AND e.program_year = p.year
    AND e.account_kind = p.kind AND e.sequence <= p.last
    AND (e.sequence <= p.low) <> (e.effective_on <= :on) AND {apart}), 0)"""
"""Less what was posted by then and is dated ahead of the day, plus what was posted later and is dated back."""


@cache
def _statement(dialect: str, *, for_day: bool, of_all: bool) -> sa.TextualSelect:
    """Return the statement of (dealer, account, balance in cents)."""
    dealers = "" if of_all else " AND dealer_id IN :dealer_ids"
    known = _HALVING.format(name="known", start="sequence", source="account", until="known_at")
    parts = [_ACCOUNTS.format(dealers=dealers), known]
    balance = _BALANCE
    if for_day:
        source = "known WHERE low = high"
        parts.append(_HALVING.format(name="by_day", start="low", source=source, until="ended_at"))
        balance += " + " + _PUT_RIGHT.format(apart=DATED_APART[dialect].format("e."))
    text = (
        f"WITH RECURSIVE {', '.join(parts)} SELECT p.dealer_id, p.kind, {balance}"
        f" FROM {'by_day' if for_day else 'known'} AS p WHERE p.low = p.high"
    )
    types: dict[str, Any] = {
        "program_year": sa.SmallInteger, "through": sa.BigInteger, "known_at": Instant,
        "on": sa.Date, "ended_at": Instant, "dealer_ids": sa.Uuid,
    }  # fmt: skip
    typed = [
        sa.bindparam(name, type_=type_, expanding=name == "dealer_ids")
        for name, type_ in types.items()
        if f":{name}" in text
    ]
    account = LedgerAccount.__table__.c
    return (
        sa.text(text)
        .bindparams(*typed)
        .columns(
            sa.column("dealer_id", account.dealer_id.type),
            sa.column("kind", account.kind.type),
            sa.column("balance"),
        )
    )
