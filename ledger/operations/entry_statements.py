"""The statements behind one posting, as the drivers take them: no mapper and no compiler is on this path.

Two statements on PostgreSQL, three on SQLite; `bench/` measures them against the same ones written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection

from ledger.models.accounts import LedgerEntry
from referral.db import driver_execute

HeadRow = tuple[str, int, int, str, datetime | None, datetime | None]
"""Kind, sequence, balance in cents, digest in hexadecimal, posted at, closed at."""

_COLUMNS = tuple(column.name for column in LedgerEntry.__table__.columns)
_IDS = ("dealer_id", "id", "actor_id", "related_entry_id")
_DIGESTS = ("source_digest", "digest", "issuance_digest")
_NUMBERS = (
    "program_year", "amount_cents", "digest_version", "sequence", "balance_cents", "issuance_sequence",
    "issuance_balance_cents",
)  # fmt: skip

_HEADS = "SELECT kind, sequence, balance_cents, digest, posted_at, closed_at"
_OF_ACCOUNTS = (
    " FROM ledger_account WHERE dealer_id = :dealer_id AND program_year = :program_year"
    " AND kind IN (:account_kind, 'issuance')"
)
_IS_POSTED = ", EXISTS (SELECT 1 FROM ledger_entry WHERE dealer_id = :dealer_id AND idempotency_key = :idempotency_key)"
_INSERT = (
    f"INSERT INTO ledger_entry ({', '.join(_COLUMNS)})"
    f" VALUES ({', '.join(f':{column}' for column in _COLUMNS)})"
)


def _moved(prefix: str, issuance: str, own: str) -> str:
    """Return what an UPDATE of both heads sets, each from its own place in the entry."""
    return f"UPDATE ledger_account {prefix} posted_at = {own}posted_at, " + ", ".join(
        f"{column} = CASE kind WHEN 'issuance' THEN {issuance}issuance_{column} ELSE {own}{column} END"
        for column in ("sequence", "balance_cents", "digest")
    )


def _for_psycopg(statement: str) -> str:
    return re.sub(r":(\w+)", r"%(\1)s", statement)


_LOCK_POSTGRESQL = _for_psycopg(f"{_HEADS}{_OF_ACCOUNTS} ORDER BY kind FOR UPDATE")
_STORE_POSTGRESQL = _for_psycopg(
    f"WITH entry AS ({_INSERT} ON CONFLICT (dealer_id, idempotency_key) DO NOTHING RETURNING *) "
    + _moved("AS a SET", "e.", "e.").replace("CASE kind", "CASE a.kind")
    + " FROM entry AS e WHERE a.dealer_id = e.dealer_id AND a.program_year = e.program_year"
    " AND a.kind IN (e.account_kind, 'issuance')"
)
_LOCK_SQLITE = f"{_HEADS}{_IS_POSTED}{_OF_ACCOUNTS}"
_MOVE_SQLITE = (
    _moved("SET", ":", ":") + " WHERE dealer_id = :dealer_id AND program_year = :program_year"
    " AND kind IN (:account_kind, 'issuance')"
)


def lock_heads(connection: Connection, said: Mapping[str, Any]) -> tuple[list[HeadRow], bool]:
    """Lock the heads an entry moves, and return them as far as they exist, in order of their kind.

    The second answer is whether the key is known to be posted: on SQLite it is, for writers wait in line; on
    PostgreSQL `store_entry` finds out, under the lock.
    """
    place = {
        "dealer_id": said["dealer_id"].hex,
        "program_year": said["program_year"],
        "account_kind": said["account_kind"].value,
    }
    if connection.dialect.name == "postgresql":
        rows = driver_execute(connection, _LOCK_POSTGRESQL, place).fetchall()
        return [(row[0], row[1], row[2], row[3].hex(), row[4], row[5]) for row in rows], False
    place["idempotency_key"] = said["idempotency_key"]
    rows = driver_execute(connection, _LOCK_SQLITE, place).fetchall()
    heads = [(row[0], row[1], row[2], row[3].hex(), _instant(row[4]), _instant(row[5])) for row in rows]
    return heads, any(row[6] for row in rows)


def store_entry(connection: Connection, row: Mapping[str, Any]) -> bool:
    """The entry stands and both heads stand at it: True. False where its key is posted already."""
    stored = dict(row)
    for name in _IDS:
        stored[name] = None if row[name] is None else row[name].hex
    for name in _DIGESTS:
        stored[name] = bytes.fromhex(row[name])
    stored["kind"], stored["account_kind"] = row["kind"].value, row["account_kind"].value
    stored["effective_on"] = row["effective_on"].isoformat()
    stored["posted_at"] = row["posted_at"].astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if connection.dialect.name == "postgresql":
        stored["posted_at"] += "+00"
        for name in _NUMBERS:  # as texts: small and large numbers are of one type, and one prepared statement
            stored[name] = str(row[name])
        return bool(driver_execute(connection, _STORE_POSTGRESQL, stored).rowcount)
    driver_execute(connection, _INSERT, stored)
    driver_execute(connection, _MOVE_SQLITE, stored)
    return True


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
