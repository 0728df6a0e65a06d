"""Recomputing the ledger: sums, sequences, digests, heads; whole, for one dealer, or since known heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.evidence import Evidence, EvidenceHead
from ledger.rules.checkpoints import AccountPlace, KnownHead
from ledger.rules.digests import (
    CHAIN_START,
    evidence_digest,
    written_entry_digest,
    written_place,
    written_posting_digest,
)
from ledger.states import AccountKind

BATCH = 2000
_ISSUANCE = AccountKind.ISSUANCE.value
_START = KnownHead(0, 0, CHAIN_START)


@dataclass(frozen=True)
class LedgerCounts:
    """How much there is to recompute."""

    accounts: int
    entries: int

    @property
    def postings(self) -> int:
        """Both sides of every entry."""
        return 2 * self.entries


def ledger_counts(tx: Session) -> LedgerCounts:
    """Return how many accounts and entries the ledger holds."""
    accounts, entries = (
        tx.scalars(sa.select(sa.func.count()).select_from(table)).one()
        for table in (LedgerAccount, LedgerEntry)
    )
    return LedgerCounts(accounts=accounts, entries=entries)


@dataclass(frozen=True)
class Scope:
    """What is recomputed: everything, or one dealer, or only what follows heads that are known to be right."""

    dealer_id: UUID | None = None
    known: Mapping[AccountPlace, KnownHead] = field(default_factory=dict)
    on_entries: Callable[[int], object] = field(default=lambda _count: None)
    """Told how many more entries are recomputed, now and then."""


def ledger_faults(tx: Session, scope: Scope | None = None) -> Iterator[str]:
    """Yield a sentence for each fault, the first one of an account first; nothing means that all recomputes.

    Checked of both accounts of each entry: it follows the one before without a gap; balances add up; the
    digest recomputes over every column; the head equals the last. One pass in order of the issuance account
    sees both. And the chains of evidence. Streams in constant memory.
    """
    scope = scope or Scope()
    heads = sa.select(LedgerAccount).order_by(
        LedgerAccount.dealer_id, LedgerAccount.program_year, LedgerAccount.kind
    )
    if scope.dealer_id is not None:
        heads = heads.where(LedgerAccount.dealer_id == scope.dealer_id)
    chains: _Chains | None = None
    entries = _Entries(tx, scope)
    for account in tx.scalars(heads).all():
        place = (account.dealer_id.hex, account.program_year)
        if chains is None or chains.place != place:
            if chains is not None:
                yield from chains.ended()
            chains = _Chains(*place, scope.known)
            yield from chains.followed(entries.of(*place, chains.issuance_start))
        chains.heads[account.kind.value] = KnownHead(account.sequence, account.balance_cents, account.digest)
    if chains is not None:
        yield from chains.ended()
    yield from entries.left_over()
    evidence_heads = sa.select(EvidenceHead).order_by(EvidenceHead.dealer_id)
    if scope.dealer_id is not None:
        evidence_heads = evidence_heads.where(EvidenceHead.dealer_id == scope.dealer_id)
    for head in tx.scalars(evidence_heads).all():
        yield from _evidence_faults(tx, head)


# entries, streamed ------------------------------------------------------------------------------

_COLUMNS = [
    "dealer_id",
    "program_year",
    "account_kind",
    "id",
    "idempotency_key",
    "kind",
    "amount_cents",
    "effective_on",
    "posted_at",
    "actor_id",
    "source",
    "source_digest",
    "memo",
    "related_entry_id",
    "digest_version",
    "sequence",
    "balance_cents",
    "digest",
    "issuance_sequence",
    "issuance_balance_cents",
    "issuance_digest",
]
_IDS = ("dealer_id", "id", "actor_id", "related_entry_id")
_DIGESTS = ("source_digest", "digest", "issuance_digest")


def _written_columns(dialect: str) -> str:
    """Return the columns as texts, as `written_entry_digest` wants them: the database writes them at no cost here."""
    if dialect == "postgresql":
        written = {name: f"translate(CAST({name} AS text), '-', '')" for name in _IDS}
        written |= {name: f"encode({name}, 'hex')" for name in _DIGESTS}
        written["effective_on"] = "CAST(effective_on AS text)"
        written["posted_at"] = (
            "to_char(posted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24\\:MI\\:SS.US\"Z\"')"
        )
    else:
        written = {name: f"lower(hex({name}))" for name in _DIGESTS}
        written["posted_at"] = "replace(posted_at, ' ', 'T') || 'Z'"
    return ", ".join(written.get(name, name) for name in _COLUMNS)


class _Entries:
    """The entries in order of dealer, program year and issuance sequence; each dealer-year is asked for once."""

    def __init__(self, tx: Session, scope: Scope) -> None:
        self._tx, self._scope = tx, scope
        self._written = _written_columns(tx.get_bind().dialect.name)
        self._rows: Iterator[Any] | None = None
        self._next: Any = None

    def of(self, dealer: str, program_year: int, after: int) -> Iterator[Any]:
        """Yield the entries of a dealer-year that follow a sequence of its issuance account."""
        if self._scope.known:
            yield from self._select(
                "WHERE dealer_id = :dealer AND program_year = :year AND issuance_sequence > :after",
                dealer=UUID(hex=dealer),
                year=program_year,
                after=after,
            )
            return
        if self._rows is None:
            one = "" if self._scope.dealer_id is None else "WHERE dealer_id = :dealer"
            self._rows = self._select(one, dealer=self._scope.dealer_id)
            self._next = next(self._rows, None)
        rows, row, place = self._rows, self._next, (dealer, program_year)
        while row is not None and (row[0], row[1]) == place:
            yield row
            row = next(rows, None)
        self._next = row

    def left_over(self) -> Iterator[str]:
        """Yield a fault where entries stand in a dealer-year that has no account."""
        if self._next is not None:
            yield f"account {UUID(hex=self._next[0])} {self._next[1]}: entries without their accounts"

    def _select(self, where: str, **said: Any) -> Iterator[Any]:
        statement = sa.text(
            f"SELECT {self._written} FROM ledger_entry {where} ORDER BY dealer_id, program_year, issuance_sequence"
        )
        given = {name: value for name, value in said.items() if f":{name}" in where}
        binds = [sa.bindparam(name, type_=sa.Uuid()) for name in given if name == "dealer"]
        rows = self._tx.execute(statement.bindparams(*binds).execution_options(yield_per=BATCH), given)
        try:
            for part in rows.partitions(BATCH):
                yield from part
                self._scope.on_entries(len(part))
        finally:
            rows.close()


class _Chains:
    """The chains of one dealer and program year while they are followed: its own accounts and issuance."""

    def __init__(self, dealer: str, program_year: int, known: Mapping[AccountPlace, KnownHead]) -> None:
        self.place = (dealer, program_year)
        self.heads: dict[str, KnownHead] = {}
        self._known = known
        self._issuance = self._start(_ISSUANCE)
        self.issuance_start = self._issuance.sequence
        self._own: dict[str, KnownHead] = {}
        self._broken: set[str] = set()

    def _start(self, kind: str) -> KnownHead:
        return self._known.get((*self.place, kind), _START)

    def _name(self, kind: str) -> str:
        return f"account {UUID(hex=self.place[0])} {self.place[1]} {kind}"

    def followed(self, rows: Iterator[Any]) -> Iterator[str]:
        """Follow the entries; yield the first fault of each account and let that account go.

        Millions of entries go through this loop: what does not change is worked out before it.
        """
        dealer, year = self.place
        places = {kind.value: written_place(dealer, year, kind.value) for kind in AccountKind}
        issuance_place, own, broken = places[_ISSUANCE], self._own, self._broken
        issued, issued_balance, issued_digest = self._issuance
        for row in rows:
            kind, amount, sequence, balance, digest = row[2], row[6], row[15], row[16], row[17]
            content = written_entry_digest(dealer, *row[3:15])
            before = own.get(kind) or self._start(kind)
            head = KnownHead(
                before[0] + 1,
                before[1] + amount,
                written_posting_digest(before[2], places[kind], sequence, "i1:1;", amount, balance, content),
            )
            if head[2] == digest and head[0] == sequence and head[1] == balance:
                own[kind] = head
            elif kind not in broken:
                yield self._fault(kind, row[15:18], head)
            sequence, balance, digest = row[18], row[19], row[20]
            expected = written_posting_digest(
                issued_digest, issuance_place, sequence, "i2:-1;", -amount, balance, content
            )
            if expected == digest and sequence == issued + 1 and balance == issued_balance - amount:
                issued, issued_balance, issued_digest = sequence, balance, digest
            elif _ISSUANCE not in broken:
                yield self._fault(
                    _ISSUANCE, row[18:21], KnownHead(issued + 1, issued_balance - amount, expected)
                )
        self._issuance = KnownHead(issued, issued_balance, issued_digest)

    def _fault(self, kind: str, said: Any, head: KnownHead) -> str:
        self._broken.add(kind)
        if said[0] != head.sequence:
            return f"{self._name(kind)} posting {said[0]}: expected sequence {head.sequence}"
        if said[1] != head.balance_cents:
            return f"{self._name(kind)} posting {said[0]}: balance {said[1]}, recomputed {head.balance_cents}"
        return f"{self._name(kind)} posting {said[0]}: digest does not recompute"

    def ended(self) -> Iterator[str]:
        """Yield a fault for each account whose head is not its last entry, or that is missing."""
        last = {**self._own, _ISSUANCE: self._issuance}
        for kind in sorted(self.heads.keys() | self._own.keys()):
            if kind in self._broken:
                continue
            expected = last.get(kind) or self._start(kind)
            if kind not in self.heads:
                yield f"{self._name(kind)}: entries without their account"
            elif self.heads[kind] != expected:
                yield (
                    f"{self._name(kind)}: head does not equal the last posting "
                    f"({expected.sequence}, {expected.balance_cents})"
                )


# evidence ---------------------------------------------------------------------------------------


def _evidence_faults(tx: Session, head: EvidenceHead) -> Iterator[str]:
    name = f"evidence of dealer {head.dealer_id}"
    sequence, digest = 0, CHAIN_START
    statement = sa.select(Evidence).where(Evidence.dealer_id == head.dealer_id).order_by(Evidence.sequence)
    with tx.scalars(statement.execution_options(yield_per=BATCH)) as rows:
        for row in rows:
            sequence += 1
            digest = evidence_digest(
                previous=digest,
                dealer_id=row.dealer_id,
                sequence=sequence,
                kind=row.kind,
                subject=row.subject,
                content_digest=row.content_digest,
                recorded_at=row.recorded_at,
            )
            if row.sequence != sequence:
                yield f"{name} row {row.sequence}: expected sequence {sequence}"
                return
            if row.digest != digest:
                yield f"{name} row {sequence} ({row.kind} {row.subject}): digest does not recompute"
                return
    if (head.sequence, head.digest) != (sequence, digest):
        yield f"{name}: head does not equal the last row ({sequence})"
