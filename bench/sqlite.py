"""Posting on SQLite with eight writer processes: against the same statements through the sqlite3 module."""

from __future__ import annotations

import sqlite3
import tempfile
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from bench.common import CLIENTS, Plan, Row, Turn, crews, median_rate, median_ratio, take_turns
from bench.ground import YEAR, dealer_id, make_ground, post_by_house
from bench.posting import next_by_hand
from referral.db import BUSY_MILLISECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

DEALERS = 64
INSERT = (
    "INSERT INTO ledger_entry (dealer_id, id, idempotency_key, kind, program_year, account_kind, amount_cents,"
    " effective_on, posted_at, actor_id, source, source_digest, memo, related_entry_id, digest_version, sequence,"
    " balance_cents, digest, issuance_sequence, issuance_balance_cents, issuance_digest)"
    " VALUES (:dealer, :id, :key, 'order', :year, 'sales_credit', :cents, :day, :at, NULL, :source, :source_digest,"
    " :memo, NULL, :version, :sequence, :balance, :digest, :issuance_sequence, :issuance_balance, :issuance_digest)"
)
MOVE = (
    "UPDATE ledger_account SET posted_at = :at, sequence = :{0}sequence, balance_cents = :{0}balance,"
    " digest = :{0}digest WHERE dealer_id = :dealer AND program_year = :year AND kind = '{1}'"
)


def open_by_hand(path: str) -> sqlite3.Connection:
    """Open the file with the promises of the house: WAL, every commit on disk, foreign keys, writers in line."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in (
        f"busy_timeout = {BUSY_MILLISECONDS}", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON",
        "recursive_triggers = ON",
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_accounts_by_hand(path: str, dealers: int) -> None:
    """Open the accounts of all dealers."""
    connection = open_by_hand(path)
    for number in range(dealers):
        for kind in ("issuance", "sales_credit"):
            connection.execute(
                "INSERT INTO ledger_account (dealer_id, program_year, kind, currency, opened_at, sequence,"
                " balance_cents, digest) VALUES (?, ?, ?, 'USD', '2026-01-01 00:00:00.000000', 0, 0, ?)",
                (dealer_id(number).hex, YEAR, kind, bytes(32)),
            )
    connection.close()


def post_by_hand(client: int, path: str, clients: int) -> Callable[[], None]:
    """Post with the sqlite3 module alone: a key looked up, two heads read, an insert, two updates, a commit."""
    connection = open_by_hand(path)
    own = cycle([dealer_id(number) for number in range(client, DEALERS, clients)])

    def act() -> None:
        dealer = next(own)
        connection.execute("BEGIN IMMEDIATE")
        heads = {
            row[0]: row[1:]
            for row in connection.execute(
                "SELECT kind, sequence, balance_cents, digest, NULL FROM ledger_account"
                " WHERE dealer_id = ? AND program_year = ? AND kind IN ('sales_credit', 'issuance')",
                (dealer.hex, YEAR),
            )
        }
        said = next_by_hand(dealer, heads["sales_credit"], heads["issuance"])
        said |= {
            "dealer": dealer.hex, "id": said["id"].hex, "day": said["day"].isoformat(),
            "at": said["at"].strftime("%Y-%m-%d %H:%M:%S.%f"),
        }  # fmt: skip
        if connection.execute(
            "SELECT 1 FROM ledger_entry WHERE dealer_id = :dealer AND idempotency_key = :key", said
        ).fetchone():
            raise RuntimeError("a key that was used")
        connection.execute(INSERT, said)
        connection.execute(MOVE.format("", "sales_credit"), said)
        connection.execute(MOVE.format("issuance_", "issuance"), said)
        connection.execute("COMMIT")

    return act


def run(plan: Plan) -> list[Row]:
    """Measure both on files of their own."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder) / f"{name}.sqlite") for name in ("ours", "byhand")}
        for path in paths.values():
            make_ground(f"sqlite:///{path}", DEALERS)
        open_accounts_by_hand(paths["byhand"], DEALERS)
        with crews(
            ours=(post_by_house, f"sqlite:///{paths['ours']}", list(range(DEALERS)), CLIENTS),
            byhand=(post_by_hand, paths["byhand"], CLIENTS),
        ) as crew:
            all_turns: list[Turn] = []

            def turn(seconds: float) -> Turn:
                all_turns.append(crew["ours"].turn(seconds))
                return all_turns[-1]

            turns = take_turns({"ours": turn, "byhand": crew["byhand"].turn}, plan)
        entries = sqlite3.connect(paths["ours"]).execute("SELECT count(*) FROM ledger_entry").fetchone()[0]
    errors = [error for turn in all_turns for error in turn.errors]
    missing = sum(turn.acknowledged for turn in all_turns) - entries
    return [
        Row(
            "SQLite: post, 8 writers",
            median_rate(turns["ours"]),
            "/s",
            "sqlite3 by hand",
            median_rate(turns["byhand"]),
            limit=0.5,
            ratio_given=median_ratio(turns["ours"], turns["byhand"]),
        ),
        Row("SQLite: entries acknowledged but missing", abs(missing), "", limit=0, is_ceiling=True),
        Row("SQLite: 'locked' and other errors", len(errors), "", limit=0, is_ceiling=True),
    ]
