"""Posting many entries in one transaction: heads locked once, rows written together, heads moved once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.operations.entries import (
    Head,
    Source,
    heads_after,
    move_heads,
    next_entry,
    open_accounts,
)
from ledger.queries.imports import posted_keys
from ledger.states import AccountKind, EntryKind
from referral.db import copy_rows
from referral.errors import Refusal
from referral.operations.records import guard_total
from referral.permissions import Viewer

Place = tuple[UUID, int]
"""A dealer and a program year."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to post; its program year is that of its effective day."""

    dealer_id: UUID
    amount_cents: int
    effective_on: date
    idempotency_key: str
    source: Source

    @property
    def place(self) -> Place:
        """Where it is posted."""
        return self.dealer_id, self.effective_on.year


@dataclass(frozen=True)
class PostedBatch:
    """What became of a batch: entries posted now, and those whose key had posted before."""

    posted: int
    repeated: int
    amount_cents: int
    """The sum of what is posted now."""


def post_entries(
    tx: Session,
    *,
    actor: Viewer | None,
    at: datetime,
    account_kind: AccountKind,
    kind: EntryKind,
    entries: Sequence[NewEntry],
) -> PostedBatch:
    """Every entry whose key is new stands in its account; the same key twice posts once.

    Heads are locked in order of dealer and year, each once; entries of one account keep their order. Keys
    are looked up under the locks, so that two batches with the same keys post each once. Whoever gives a
    key answers for its content: what was posted with it is not compared. Raises Refusal(year_closed),
    (amount_too_large); then nothing of the batch is posted.
    """
    of_place: dict[Place, list[NewEntry]] = {}
    for entry in entries:
        of_place.setdefault(entry.place, []).append(entry)
    heads = _lock_places(tx, at=at, account_kind=account_kind, places=of_place)
    known = posted_keys(tx, [(entry.dealer_id, entry.idempotency_key) for entry in entries])
    actor_id = None if actor is None else actor.user_id
    rows: list[dict[str, Any]] = []
    lasts: list[dict[str, Any]] = []
    for place in sorted(of_place):
        head, issuance = heads[place, account_kind], heads[place, AccountKind.ISSUANCE]
        posted_at = max(each for each in (at, head.posted_at, issuance.posted_at) if each is not None)
        before = len(rows)
        for entry in of_place[place]:
            key = (entry.dealer_id, entry.idempotency_key)
            if key in known:
                continue
            if head.closed_at is not None:
                raise Refusal("year_closed")
            known.add(key)
            row = next_entry(
                {
                    "dealer_id": entry.dealer_id,
                    "program_year": place[1],
                    "account_kind": account_kind,
                    "kind": kind,
                    "amount_cents": entry.amount_cents,
                    "effective_on": entry.effective_on,
                    "idempotency_key": entry.idempotency_key,
                    "source": entry.source.number,
                    "source_digest": entry.source.digest,
                    "memo": entry.source.memo,
                    "related_entry_id": None,
                    "actor_id": actor_id,
                    "posted_at": posted_at,
                },
                head,
                issuance,
            )
            guard_total(row["balance_cents"])
            guard_total(row["issuance_balance_cents"])
            head, issuance = heads_after(row)
            rows.append(row)
        lasts += rows[-1:] if len(rows) > before else []
    if rows:
        copy_rows(tx, LedgerEntry, rows)
        move_heads(tx, *lasts)
    return PostedBatch(
        posted=len(rows),
        repeated=len(entries) - len(rows),
        amount_cents=sum(row["amount_cents"] for row in rows),
    )


def _lock_places(
    tx: Session, *, at: datetime, account_kind: AccountKind, places: Iterable[Place]
) -> dict[tuple[Place, AccountKind], Head]:
    """Lock the accounts of this kind and the issuance accounts of dealers and years, in this order.

    Accounts that are missing are opened first. Raises Refusal(year_closed) where that cannot be.
    """
    wanted = sorted(places)
    heads = _lock(tx, wanted, account_kind)
    kinds = {account_kind, AccountKind.ISSUANCE}
    missing = {place: kinds - {kind for kind in kinds if (place, kind) in heads} for place in wanted}
    if not any(missing.values()):
        return heads
    for (dealer_id, year), absent in missing.items():
        if absent:
            open_accounts(tx, at=at, dealer_id=dealer_id, program_year=year, kinds=absent)
    return _lock(tx, wanted, account_kind)


def _lock(
    tx: Session, places: Sequence[Place], account_kind: AccountKind
) -> dict[tuple[Place, AccountKind], Head]:
    rows = tx.execute(
        sa.select(
            LedgerAccount.dealer_id,
            LedgerAccount.program_year,
            LedgerAccount.kind,
            LedgerAccount.sequence,
            LedgerAccount.balance_cents,
            LedgerAccount.digest,
            LedgerAccount.posted_at,
            LedgerAccount.closed_at,
        )
        .where(
            sa.tuple_(LedgerAccount.dealer_id, LedgerAccount.program_year).in_(places),
            LedgerAccount.kind.in_([account_kind, AccountKind.ISSUANCE]),
        )
        .order_by(LedgerAccount.dealer_id, LedgerAccount.program_year, LedgerAccount.kind)
        .with_for_update()
    )
    return {((row[0], row[1]), row[2]): Head(*row[3:]) for row in rows}
