"""Checking a file before any of it is posted, and the imports there have been."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.imports import CreditImport
from ledger.models.years import YearClosing
from ledger.rules.imports import (
    BATCH_ROWS,
    IMPORT_ACCOUNTS,
    CreditFile,
    CreditLine,
    CreditRow,
    ImportGround,
    NumberHeld,
    Ordinals,
    RefusedLine,
    too_large,
)
from ledger.states import AccountKind, EntryKind
from referral.models import AccountNumber, Company, User
from referral.money import MAX_TOTAL_CENTS
from referral.queries.settings import today

REFUSED_SHOWN = 200
"""Refused rows that a report shows; it counts them all."""
RUNS_SHOWN = 100

Progress = Callable[[int], None]


def import_ground(tx: Session, *, at: datetime, kind: EntryKind) -> ImportGround:
    """Return what decides about rows of this kind now."""
    account_kind = IMPORT_ACCOUNTS[kind]
    numbers: dict[str, tuple[NumberHeld, ...]] = {}
    for row in tx.execute(
        sa.select(
            AccountNumber.folded, AccountNumber.company_id, AccountNumber.valid_from, AccountNumber.valid_to
        )
        .join(Company, Company.id == AccountNumber.company_id)
        .where(Company.is_dealer)
        .order_by(AccountNumber.folded, AccountNumber.valid_from)
    ):
        numbers[row.folded] = (*numbers.get(row.folded, ()), NumberHeld(*row[1:]))
    heads = tx.execute(
        sa.select(
            LedgerAccount.dealer_id,
            LedgerAccount.program_year,
            LedgerAccount.kind,
            LedgerAccount.balance_cents,
            LedgerAccount.closed_at,
        ).where(LedgerAccount.kind.in_([account_kind, AccountKind.ISSUANCE]))
    ).all()
    return ImportGround(
        kind=kind,
        today=today(tx, at),
        dealers={
            row.code: row.id
            for row in tx.execute(sa.select(Company.code, Company.id).where(Company.is_dealer))
        },
        numbers=numbers,
        closed=frozenset((head.dealer_id, head.program_year) for head in heads if head.closed_at is not None),
        closed_years=frozenset(
            tx.scalars(sa.select(YearClosing.program_year).where(YearClosing.finished_at.is_not(None)))
        ),
        balances={
            (head.dealer_id, head.program_year): head.balance_cents
            for head in heads
            if head.kind is account_kind
        },
    )


@dataclass(frozen=True)
class ImportTotal:
    """What a file says about a dealer and a program year; refused rows are not in it."""

    dealer_code: str
    dealer_name: str
    program_year: int
    rows: int
    amount_cents: int


@dataclass(frozen=True)
class CheckedImport:
    """The verdict over every row of a file."""

    kind: EntryKind
    row_count: int
    good_count: int
    repeated_count: int | None
    """Good rows that are posted already; None where that was not asked for."""
    refused: tuple[RefusedLine, ...]
    """The first REFUSED_SHOWN of them."""
    totals: tuple[ImportTotal, ...]
    ground: ImportGround
    ordinals: Ordinals

    @property
    def refused_count(self) -> int:
        """How many rows are refused."""
        return self.row_count - self.good_count

    @property
    def new_count(self) -> int:
        """Good rows that are not posted yet."""
        return self.good_count - (self.repeated_count or 0)

    @property
    def amount_cents(self) -> int:
        """The sum of all good rows."""
        return sum(total.amount_cents for total in self.totals)


def check_import(
    tx: Session,
    *,
    at: datetime,
    file: CreditFile,
    kind: EntryKind,
    with_repeated: bool = True,
    progress: Progress | None = None,
) -> CheckedImport:
    """Return the verdict over every row of a file. Raises Refusal(file_has_errors) at one that cannot be read."""
    ground = import_ground(tx, at=at, kind=kind)
    ordinals = Ordinals()
    sums: dict[tuple[UUID, int], list[int]] = {}
    refused: list[RefusedLine] = []
    rows = good = 0
    for verdict in verdicts(ground, file.lines(), sums):
        rows += 1
        if isinstance(verdict, CreditRow):
            good += 1
            ordinals.note(verdict.digest)
        elif len(refused) < REFUSED_SHOWN:
            refused.append(verdict)
        if progress is not None and rows % BATCH_ROWS == 0:
            progress(BATCH_ROWS)
    repeated = None
    if with_repeated:
        repeated = sum(
            len(posted_keys(tx, [(row.dealer_id, key) for row, key in batch]))
            for batch in batches(keyed_rows(ground, ordinals, file))
        )
    return CheckedImport(
        kind=kind,
        row_count=rows,
        good_count=good,
        repeated_count=repeated,
        refused=tuple(refused),
        totals=_totals(tx, sums),
        ground=ground,
        ordinals=ordinals,
    )


def verdicts(
    ground: ImportGround,
    lines: Iterable[CreditLine | RefusedLine],
    sums: dict[tuple[UUID, int], list[int]] | None = None,
) -> Iterator[CreditRow | RefusedLine]:
    """Yield for each line the row to post or why it is refused; `sums` counts rows and cents by dealer and year."""
    sums = {} if sums is None else sums
    for line in lines:
        verdict = ground.judge(line) if isinstance(line, CreditLine) else line
        if isinstance(line, CreditLine) and isinstance(verdict, CreditRow):
            place = (verdict.dealer_id, verdict.day.year)
            counted = sums.setdefault(place, [0, 0])
            if abs(ground.balances.get(place, 0) + counted[1] + verdict.amount_cents) > MAX_TOTAL_CENTS:
                verdict = too_large(line)
            else:
                counted[0] += 1
                counted[1] += verdict.amount_cents
        yield verdict


def refused_lines(ground: ImportGround, file: CreditFile) -> Iterator[RefusedLine]:
    """Yield every refused row of a file with its reasons."""
    return (verdict for verdict in verdicts(ground, file.lines()) if isinstance(verdict, RefusedLine))


def refused_of_file(
    tx: Session, *, at: datetime, file: CreditFile, kind: EntryKind
) -> tuple[RefusedLine, ...]:
    """Return every refused row of a file with its reasons."""
    return tuple(refused_lines(import_ground(tx, at=at, kind=kind), file))


def keyed_rows(ground: ImportGround, ordinals: Ordinals, file: CreditFile) -> Iterator[tuple[CreditRow, str]]:
    """Yield the good rows of a file that was walked through before, each with its key."""
    ordinals.begin()
    for verdict in verdicts(ground, file.lines()):
        if isinstance(verdict, CreditRow):
            yield verdict, verdict.key(ordinals.number(verdict.digest))


def batches(rows: Iterator[tuple[CreditRow, str]]) -> Iterator[list[tuple[CreditRow, str]]]:
    """Yield the rows BATCH_ROWS at a time."""
    while batch := list(islice(rows, BATCH_ROWS)):
        yield batch


def _totals(tx: Session, sums: dict[tuple[UUID, int], list[int]]) -> tuple[ImportTotal, ...]:
    named = {
        id_: (code, name)
        for id_, code, name in tx.execute(
            sa.select(Company.id, Company.code, Company.name).where(Company.is_dealer)
        )
    }
    totals = [
        ImportTotal(*named[dealer_id], program_year=year, rows=rows, amount_cents=cents)
        for (dealer_id, year), (rows, cents) in sums.items()
        if rows
    ]
    return tuple(sorted(totals, key=lambda total: (total.dealer_name, total.dealer_code, total.program_year)))


_PROBE = sa.text(
    "SELECT e.dealer_id, e.idempotency_key FROM unnest(CAST(:dealers AS uuid[]), CAST(:keys AS text[]))"
    " AS k (dealer_id, key) JOIN ledger_entry AS e ON e.dealer_id = k.dealer_id AND e.idempotency_key = k.key"
).columns(LedgerEntry.dealer_id, LedgerEntry.idempotency_key)


def posted_keys(tx: Session, keys: Sequence[tuple[UUID, str]]) -> set[tuple[UUID, str]]:
    """Return those of these keys, each of its dealer, that have posted an entry."""
    if tx.get_bind().dialect.name == "postgresql":
        said = {"dealers": [dealer_id for dealer_id, _ in keys], "keys": [key for _, key in keys]}
        rows = tx.execute(_PROBE, said)
    else:
        key_of = sa.tuple_(LedgerEntry.dealer_id, LedgerEntry.idempotency_key)
        rows = tx.execute(
            sa.select(LedgerEntry.dealer_id, LedgerEntry.idempotency_key).where(key_of.in_(keys))
        )
    return {(dealer_id, key) for dealer_id, key in rows}


# the imports there have been --------------------------------------------------------------------


@dataclass(frozen=True)
class ImportRun:
    """One file that was posted, wholly or as far as its rows were good."""

    kind: EntryKind
    filename: str
    row_count: int
    posted_count: int
    repeated_count: int
    total_cents: int
    reason: str
    started_by: str
    started_at: datetime
    finished_at: datetime | None

    @property
    def open_count(self) -> int:
        """Rows that are neither posted nor were posted before: refused, or not reached yet."""
        return self.row_count - self.posted_count - self.repeated_count


def import_runs(tx: Session) -> tuple[ImportRun, ...]:
    """Return the newest RUNS_SHOWN imports, newest first."""
    rows = tx.execute(
        sa.select(CreditImport, User.name)
        .outerjoin(User, User.id == CreditImport.started_by)
        .order_by(CreditImport.id.desc())
        .limit(RUNS_SHOWN)
    )
    return tuple(
        ImportRun(
            kind=row.kind,
            filename=row.filename,
            row_count=row.row_count,
            posted_count=row.posted_count,
            repeated_count=row.repeated_count,
            total_cents=row.total_cents,
            reason=row.reason,
            started_by=name or "the command line",
            started_at=row.started_at,
            finished_at=row.finished_at,
        )
        for row, name in rows
    )
