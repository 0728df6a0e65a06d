"""Posting: the only way credit moves. Joins the caller's transaction; both sides or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.years import YearClosing
from ledger.operations.entry_statements import lock_heads, store_entry
from ledger.rules.digests import (
    CHAIN_START,
    DIGEST_VERSION,
    written_entry_digest,
    written_place,
    written_posting_digest,
)
from ledger.states import AccountKind, EntryKind
from referral.db import Digest, Instant, connection_of
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Company
from referral.money import MAX_TOTAL_CENTS
from referral.permissions import Viewer
from referral.queries.settings import setting_on, today


@dataclass(frozen=True)
class Source:
    """What an entry comes from: its public number, the digest of all it says, and words for people."""

    number: str
    digest: str
    memo: str


@dataclass(frozen=True)
class Posted:
    """An entry as it stands in the dealer's account; `is_new` is false where the key had posted it before."""

    entry_id: UUID
    dealer_id: UUID
    program_year: int
    account_kind: AccountKind
    sequence: int
    amount_cents: int
    balance_cents: int
    effective_on: date
    posted_at: datetime
    digest: str
    is_new: bool


@dataclass(frozen=True)
class Head:
    """The locked head of an account."""

    sequence: int
    balance_cents: int
    digest: str
    posted_at: datetime | None
    closed_at: datetime | None


def post_entry(
    tx: Session,
    *,
    actor: Viewer | None,
    at: datetime,
    dealer_id: UUID,
    program_year: int,
    account_kind: AccountKind,
    kind: EntryKind,
    amount_cents: int,
    effective_on: date,
    idempotency_key: str,
    source: Source,
    related_entry_id: UUID | None = None,
) -> Posted:
    """The dealer's account moves by `amount_cents` and its issuance account by the negation.

    The entry is posted at `at`, or when the one before it was where that clock was ahead: along an account
    the instants never fall. The same idempotency key of the same dealer answers with the entry posted
    before, or raises Refusal(idempotency_key_reused) where anything but the instant and the actor differs.
    Raises Refusal(year_closed), (amount_too_large). Both heads are locked, in order of their kind.
    """
    said: dict[str, Any] = {
        "dealer_id": dealer_id,
        "program_year": program_year,
        "account_kind": account_kind,
        "kind": kind,
        "amount_cents": amount_cents,
        "effective_on": effective_on,
        "idempotency_key": idempotency_key,
        "source": source.number,
        "source_digest": source.digest,
        "memo": source.memo,
        "related_entry_id": related_entry_id,
    }
    connection = connection_of(tx)
    heads, is_posted = lock_heads(connection, said)
    if len(heads) < len({account_kind, AccountKind.ISSUANCE}):
        locked_heads(tx, at=at, dealer_id=dealer_id, program_year=program_year, account_kind=account_kind)
        heads, is_posted = lock_heads(connection, said)
    by_kind = {row[0]: Head(*row[1:]) for row in heads}
    head, issuance = by_kind[account_kind], by_kind[AccountKind.ISSUANCE]
    posted_at = max(each for each in (at, head.posted_at, issuance.posted_at) if each is not None)
    row = next_entry(
        said | {"actor_id": None if actor is None else actor.user_id, "posted_at": posted_at}, head, issuance
    )
    is_small = max(abs(row["balance_cents"]), abs(row["issuance_balance_cents"])) <= MAX_TOTAL_CENTS
    if head.closed_at is None and is_small and not is_posted and store_entry(connection, row):
        return _posted(row, is_new=True)
    # A key that was posted answers as it did then, whatever has become of the account since.
    if before := tx.execute(_POSTED_BEFORE, said).one_or_none():
        return _answered_before(before, said)
    raise Refusal("amount_too_large" if head.closed_at is None else "year_closed")


@contextmanager
def closed_year_beside(field: str) -> Iterator[None]:
    """Put a refusal of a closed year beside the field of the day that chose the year."""
    try:
        yield
    except Refusal as refusal:
        if refusal.code == "year_closed":
            refusal.field = field
        raise


def posting_year(tx: Session, *, dealer_id: UUID, program_year: int, at: datetime) -> int:
    """Return the program year that a reversal of this year's credit is posted to.

    The year itself while it is open, else the present one (program rules, section 7). Locks the account.
    """
    heads = locked_heads(
        tx, at=at, dealer_id=dealer_id, program_year=program_year, account_kind=AccountKind.SALES_CREDIT
    )
    is_open = heads[AccountKind.SALES_CREDIT].closed_at is None
    return program_year if is_open else today(tx, at).year


# one entry --------------------------------------------------------------------------------------


def next_entry(said: Mapping[str, Any], head: Head, issuance: Head) -> dict[str, Any]:
    """Return the row of an entry that follows these heads: its id, its two places, its digests."""
    row = {**said, "id": new_id(), "digest_version": DIGEST_VERSION}
    dealer, amount = row["dealer_id"].hex, row["amount_cents"]
    content = written_entry_digest(
        dealer,
        row["id"].hex,
        row["idempotency_key"],
        row["kind"],
        amount,
        row["effective_on"].isoformat(),
        row["posted_at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        None if row["actor_id"] is None else row["actor_id"].hex,
        row["source"],
        row["source_digest"],
        row["memo"],
        None if row["related_entry_id"] is None else row["related_entry_id"].hex,
        DIGEST_VERSION,
    )
    row["sequence"] = head.sequence + 1
    row["balance_cents"] = head.balance_cents + amount
    row["digest"] = written_posting_digest(
        head.digest,
        written_place(dealer, row["program_year"], row["account_kind"]),
        row["sequence"],
        "i1:1;",
        amount,
        row["balance_cents"],
        content,
    )
    row["issuance_sequence"] = issuance.sequence + 1
    row["issuance_balance_cents"] = issuance.balance_cents - amount
    row["issuance_digest"] = written_posting_digest(
        issuance.digest,
        written_place(dealer, row["program_year"], AccountKind.ISSUANCE),
        row["issuance_sequence"],
        "i2:-1;",
        -amount,
        row["issuance_balance_cents"],
        content,
    )
    return row


def heads_after(row: Mapping[str, Any]) -> tuple[Head, Head]:
    """Return the heads of the dealer's account and of the issuance account after this entry."""
    return (
        Head(row["sequence"], row["balance_cents"], row["digest"], row["posted_at"], None),
        Head(
            row["issuance_sequence"],
            row["issuance_balance_cents"],
            row["issuance_digest"],
            row["posted_at"],
            None,
        ),
    )


def _posted(row: Mapping[str, Any], *, is_new: bool) -> Posted:
    return Posted(
        entry_id=row["id"],
        dealer_id=row["dealer_id"],
        program_year=row["program_year"],
        account_kind=row["account_kind"],
        sequence=row["sequence"],
        amount_cents=row["amount_cents"],
        balance_cents=row["balance_cents"],
        effective_on=row["effective_on"],
        posted_at=row["posted_at"],
        digest=row["digest"],
        is_new=is_new,
    )


def _answered_before(before: sa.Row[Any], said: Mapping[str, Any]) -> Posted:
    row = cast("Mapping[str, Any]", before._mapping)  # noqa: SLF001 - the documented way to read by name
    if any(row[name] != value for name, value in said.items()):
        raise Refusal("idempotency_key_reused")
    return _posted(row, is_new=False)


# statements: Core, prepared once; the unit of work is not on this path -----------------------------

_entry = cast("sa.Table", LedgerEntry.__table__)
_account = cast("sa.Table", LedgerAccount.__table__)
_OF_ACCOUNT = (
    _account.c.dealer_id == sa.bindparam("dealer_id"),
    _account.c.program_year == sa.bindparam("program_year"),
)
_LOCK = (
    sa.select(
        _account.c.kind,
        _account.c.sequence,
        _account.c.balance_cents,
        _account.c.digest,
        _account.c.posted_at,
        _account.c.closed_at,
    )
    .where(*_OF_ACCOUNT, _account.c.kind.in_([sa.bindparam("account_kind"), AccountKind.ISSUANCE]))
    .order_by(_account.c.kind)
    .with_for_update()
)
_POSTED_BEFORE = sa.select(_entry).where(
    _entry.c.dealer_id == sa.bindparam("dealer_id"),
    _entry.c.idempotency_key == sa.bindparam("idempotency_key"),
)
_INSERT = sa.insert(_entry)
_is_issuance = _account.c.kind == AccountKind.ISSUANCE


def _either(issuance: str, own: str, type_: sa.types.TypeEngine[Any] | type[Any]) -> sa.ColumnElement[Any]:
    return sa.case((_is_issuance, sa.bindparam(issuance, type_=type_)), else_=sa.bindparam(own, type_=type_))


_MOVE = (
    sa.update(_account)
    .where(
        _account.c.dealer_id == sa.bindparam("of_dealer", type_=sa.Uuid),
        _account.c.program_year == sa.bindparam("of_year", type_=sa.SmallInteger),
        _account.c.kind.in_([sa.bindparam("of_kind", type_=_account.c.kind.type), AccountKind.ISSUANCE]),
    )
    .values(
        sequence=_either("issuance_sequence", "own_sequence", sa.BigInteger),
        balance_cents=_either("issuance_balance", "own_balance", sa.BigInteger),
        digest=_either("issuance_digest", "own_digest", Digest),
        posted_at=sa.bindparam("moved_at", type_=Instant),
    )
)


def locked_heads(
    tx: Session, *, at: datetime, dealer_id: UUID, program_year: int, account_kind: AccountKind
) -> dict[AccountKind, Head]:
    """Lock the dealer's account of this kind and its issuance account; open them where they are missing."""
    said = {"dealer_id": dealer_id, "program_year": program_year, "account_kind": account_kind}
    heads = _lock(tx, said)
    if len(heads) < len({account_kind, AccountKind.ISSUANCE}):
        missing = {account_kind, AccountKind.ISSUANCE} - heads.keys()
        open_accounts(tx, at=at, dealer_id=dealer_id, program_year=program_year, kinds=missing)
        heads = _lock(tx, said)
    return heads


def _lock(tx: Session, said: Mapping[str, Any]) -> dict[AccountKind, Head]:
    return {row[0]: Head(*row[1:]) for row in tx.execute(_LOCK, said)}


def open_accounts(
    tx: Session, *, at: datetime, dealer_id: UUID, program_year: int, kinds: set[AccountKind]
) -> None:
    """The dealer has these accounts of the year, at zero; one that another writer opened stays.

    Raises Refusal(year_closed) for a dealer that joined after the year's closing began.
    """
    _guard_part_of_year(tx, dealer_id, program_year)
    currency = str(setting_on(tx, "currency", date(program_year, 1, 1)))
    rows = [
        {
            "dealer_id": dealer_id,
            "program_year": program_year,
            "kind": kind,
            "currency": currency,
            "opened_at": at,
            "sequence": 0,
            "balance_cents": 0,
            "digest": CHAIN_START,
        }
        for kind in sorted(kinds)
    ]
    if tx.get_bind().dialect.name == "postgresql":
        tx.execute(insert_postgresql(_account).on_conflict_do_nothing(), rows)
    else:
        tx.execute(sa.insert(_account), rows)


def _guard_part_of_year(tx: Session, dealer_id: UUID, program_year: int) -> None:
    """Guard: the year is open, or being closed with this dealer in it.

    Closing opens and closes the accounts of every dealer there was when it began, so a missing account of a
    finished year is that of a later dealer. The shared lock keeps the closing from finishing meanwhile.
    """
    closing = tx.scalars(
        sa.select(YearClosing)
        .where(YearClosing.program_year == program_year)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if closing is None:
        return
    joined_at = tx.scalars(sa.select(Company.created_at).where(Company.id == dealer_id)).one()
    if closing.finished_at is not None or joined_at > closing.started_at:
        raise Refusal("year_closed")


def insert_entries(tx: Session, rows: list[dict[str, Any]]) -> None:
    """The entries stand in their accounts; the database refuses one that does not follow the one before."""
    tx.execute(_INSERT, rows)


def move_heads(tx: Session, *lasts: Mapping[str, Any]) -> None:
    """Both heads stand at this entry, the last one of its account and of the issuance account; for each."""
    moves = [
        {
            "of_dealer": last["dealer_id"],
            "of_year": last["program_year"],
            "of_kind": last["account_kind"],
            "issuance_sequence": last["issuance_sequence"],
            "own_sequence": last["sequence"],
            "issuance_balance": last["issuance_balance_cents"],
            "own_balance": last["balance_cents"],
            "issuance_digest": last["issuance_digest"],
            "own_digest": last["digest"],
            "moved_at": last["posted_at"],
        }
        for last in lasts
    ]
    tx.execute(_MOVE, moves if len(moves) > 1 else moves[0])
