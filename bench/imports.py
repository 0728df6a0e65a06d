"""Importing in batches of 1,000: the operation against COPY (PostgreSQL) and executemany (SQLite) by hand."""

from __future__ import annotations

import statistics
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from bench.common import Plan, Row, Server
from bench.ground import (
    AT,
    CENTS,
    DAY,
    SOURCE_DIGEST,
    YEAR,
    dealer_id,
    house_on,
    make_ground,
    make_postgres_ground,
)
from bench.posting import LOCK, next_by_hand
from bench.sqlite import INSERT, MOVE, open_accounts_by_hand, open_by_hand
from ledger.operations.batches import NewEntry, post_entries
from ledger.operations.entries import Source
from ledger.operations.import_runs import TABLES
from ledger.states import AccountKind, EntryKind
from referral.db import refresh_statistics, write

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 1_000
DEALERS = 20
COPY_COLUMNS = {
    "dealer_id": "dealer", "id": "id", "idempotency_key": "key", "kind": "", "program_year": "year",
    "account_kind": "", "amount_cents": "cents", "effective_on": "day", "posted_at": "at", "source": "source",
    "source_digest": "source_digest", "memo": "memo", "digest_version": "version", "sequence": "sequence",
    "balance_cents": "balance", "digest": "digest", "issuance_sequence": "issuance_sequence",
    "issuance_balance_cents": "issuance_balance", "issuance_digest": "issuance_digest",
}  # fmt: skip
FIXED = {"kind": "order", "account_kind": "sales_credit"}


def import_by_house() -> None:
    """Post a batch through `write()`, as `flask ledger import` does."""
    entries = [
        NewEntry(
            dealer_id(number % DEALERS), CENTS, DAY, f"order:{uuid.uuid4().hex}",
            Source("O-HARBOR-12", SOURCE_DIGEST, "Order O-HARBOR-12"),
        )
        for number in range(BATCH)
    ]  # fmt: skip
    write(
        post_entries,
        actor=None,
        at=AT,
        account_kind=AccountKind.SALES_CREDIT,
        kind=EntryKind.ORDER,
        entries=entries,
    )


def _follow(
    heads: dict[uuid.UUID, dict[str, tuple[Any, ...]]],
) -> tuple[list[dict[str, Any]], dict[uuid.UUID, dict[str, Any]]]:
    """Return a batch of rows that follow these heads, and the last row of each dealer."""
    rows, last = [], {}
    for number in range(BATCH):
        dealer = dealer_id(number % DEALERS)
        own = heads[dealer]
        said = next_by_hand(dealer, own["sales_credit"], own["issuance"])
        heads[dealer] = {
            "sales_credit": (said["sequence"], said["balance"], said["digest"], said["at"]),
            "issuance": (
                said["issuance_sequence"], said["issuance_balance"], said["issuance_digest"], said["at"],
            ),
        }  # fmt: skip
        rows.append(said)
        last[dealer] = said
    return rows, last


def import_by_copy(connection: psycopg.Connection) -> None:
    """Post a batch by hand on PostgreSQL: lock, COPY, move the heads, commit."""
    cursor = connection.cursor()
    heads = {
        dealer_id(number): {
            row[0]: row[1:] for row in cursor.execute(LOCK, (dealer_id(number), YEAR)).fetchall()
        }
        for number in range(DEALERS)
    }
    rows, last = _follow(heads)
    with cursor.copy(f"COPY ledger_entry ({', '.join(COPY_COLUMNS)}) FROM STDIN") as copy:
        for said in rows:
            copy.write_row([FIXED.get(column) or said[name] for column, name in COPY_COLUMNS.items()])
    for said in last.values():
        for prefix, kind in (("", "sales_credit"), ("issuance_", "issuance")):
            cursor.execute(
                "UPDATE ledger_account SET posted_at = %s, sequence = %s, balance_cents = %s, digest = %s"
                " WHERE dealer_id = %s AND program_year = %s AND kind = %s",
                (
                    said["at"], said[f"{prefix}sequence"], said[f"{prefix}balance"], said[f"{prefix}digest"],
                    said["dealer"], YEAR, kind,
                ),
            )  # fmt: skip
    connection.commit()


def import_by_executemany(connection: Any) -> None:
    """Post a batch by hand on SQLite: read the heads, executemany, move the heads, commit."""
    connection.execute("BEGIN IMMEDIATE")
    heads: dict[uuid.UUID, dict[str, tuple[Any, ...]]] = {}
    for number in range(DEALERS):
        found = connection.execute(
            "SELECT kind, sequence, balance_cents, digest, NULL FROM ledger_account WHERE dealer_id = ?"
            " AND program_year = ? AND kind IN ('sales_credit', 'issuance')",
            (dealer_id(number).hex, YEAR),
        )
        heads[dealer_id(number)] = {row[0]: row[1:] for row in found}
    rows, last = _follow(heads)
    for said in rows:
        said |= {
            "dealer": said["dealer"].hex, "id": said["id"].hex, "day": said["day"].isoformat(),
            "at": said["at"].strftime("%Y-%m-%d %H:%M:%S.%f"),
        }  # fmt: skip
    connection.executemany(INSERT, rows)
    for said in last.values():
        connection.execute(MOVE.format("", "sales_credit"), said)
        connection.execute(MOVE.format("issuance_", "issuance"), said)
    connection.execute("COMMIT")


def run(server: Server, plan: Plan) -> list[Row]:
    """Measure both databases; the tables of PostgreSQL are analysed after the first batch, as the import does."""
    for name in ("imported", "copied"):
        make_postgres_ground(server, name, DEALERS)
    with house_on(server.uri("copied")):
        import_by_house()  # opens the accounts
        write(refresh_statistics, TABLES)
    with house_on(server.uri("imported")), psycopg.connect(server.dsn("copied")) as connection:
        import_by_house()
        write(refresh_statistics, TABLES)
        postgresql = _compared("PostgreSQL", "COPY by hand", lambda: import_by_copy(connection), plan)
        statistics_are_fresh = _analysed(server)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{name}.sqlite") for name in ("imported", "executed")]
        for path in paths:
            make_ground(f"sqlite:///{path}", DEALERS)
        open_accounts_by_hand(paths[1], DEALERS)
        by_hand = open_by_hand(paths[1])
        with house_on(f"sqlite:///{paths[0]}"):
            sqlite = _compared("SQLite", "executemany by hand", lambda: import_by_executemany(by_hand), plan)
        by_hand.close()
    return [
        postgresql,
        sqlite,
        Row("tables not analysed after a first import", statistics_are_fresh, "", limit=0, is_ceiling=True),
    ]


def _compared(database: str, words: str, by_hand: Callable[[], None], plan: Plan) -> Row:
    """Take turns, batch by batch."""
    taken: dict[str, list[float]] = {"ours": [], "peer": []}
    import_by_house()
    by_hand()
    for _ in range(plan.turns * 3):
        for name, act in (("ours", import_by_house), ("peer", by_hand)):
            begun = time.perf_counter()
            act()
            taken[name].append(time.perf_counter() - begun)
    ratio = statistics.median(b / a for a, b in zip(taken["ours"], taken["peer"], strict=True))
    ours, peer = (BATCH / statistics.median(taken[name]) for name in ("ours", "peer"))
    return Row(
        f"import in batches of 1,000, {database}", ours, "/s", words, peer, limit=0.5, ratio_given=ratio
    )


def _analysed(server: Server) -> int:
    """Return how many of the import's tables the planner knows nothing of."""
    with server.connect("imported") as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_user_tables WHERE relname = ANY(%s) AND last_analyze IS NOT NULL",
            (list(TABLES),),
        ).fetchone()
    return len(TABLES) - (found[0] if found else 0)
