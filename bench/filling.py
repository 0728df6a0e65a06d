"""Large ledgers, made quickly: rows with true digests, by COPY, with the triggers off while they are loaded."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.ground import ACTOR, SOURCE_DIGEST, YEAR, dealer_id
from ledger.models.accounts import LedgerEntry
from ledger.operations.entries import Head, heads_after, next_entry
from ledger.rules.digests import CHAIN_START
from ledger.states import AccountKind, EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.common import Server

BEGIN = datetime(YEAR, 1, 1, 12, tzinfo=UTC)
DAYS = 350
TABLES = ("ledger_entry", "ledger_account")
LATE_OF_100 = 2
"""How many of a hundred entries are dated a week before they are posted."""


def entry_rows(number: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield the entries of a dealer-year, evenly over the year, most of them effective on the day they are posted."""
    chance = random.Random(number)  # noqa: S311 - no secret
    dealer, start = dealer_id(number), Head(0, 0, CHAIN_START, None, None)
    heads = (start, start)
    for ordinal in range(count):
        posted_at = BEGIN + timedelta(days=DAYS) * ordinal / count
        late = timedelta(days=7) if chance.randrange(100) < LATE_OF_100 else timedelta(0)
        row = next_entry(
            {
                "dealer_id": dealer,
                "program_year": YEAR,
                "account_kind": AccountKind.SALES_CREDIT,
                "kind": EntryKind.ORDER,
                "amount_cents": 41_250 + ordinal % 997,
                "effective_on": max(date(YEAR, 1, 1), (posted_at - late).date()),
                "posted_at": posted_at,
                "idempotency_key": f"order:{number:08x}{ordinal:024x}",
                "actor_id": ACTOR,
                "source": f"O-D{number:06}-{ordinal + 1}",
                "source_digest": SOURCE_DIGEST,
                "memo": f"Order O-D{number:06}-{ordinal + 1}",
                "related_entry_id": None,
            },
            *heads,
        )
        heads = heads_after(row)
        yield row


def fill(server: Server, name: str, counts: dict[int, int]) -> None:
    """Give dealers of a ground as many entries; as the owner, who alone can switch the triggers off."""
    columns = [column.name for column in LedgerEntry.__table__.columns]
    digests = [columns.index(each) for each in ("source_digest", "digest", "issuance_digest")]
    kinds = [columns.index(each) for each in ("kind", "account_kind")]
    with server.connect(name) as connection, connection.transaction():
        for table in TABLES:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for number, count in counts.items():
            row: dict[str, Any] = {}
            with connection.cursor().copy(f"COPY ledger_entry ({', '.join(columns)}) FROM STDIN") as copy:
                for row in entry_rows(number, count):
                    values = [row[column] for column in columns]
                    for index in digests:
                        values[index] = bytes.fromhex(values[index])
                    for index in kinds:
                        values[index] = values[index].value
                    copy.write_row(values)
            for kind, head in zip(
                (AccountKind.SALES_CREDIT, AccountKind.ISSUANCE), heads_after(row), strict=True
            ):
                connection.execute(
                    "INSERT INTO ledger_account (dealer_id, program_year, kind, currency, opened_at, posted_at,"
                    " sequence, balance_cents, digest) VALUES (%s, %s, %s, 'USD', %s, %s, %s, %s, %s)",
                    (
                        dealer_id(number), YEAR, kind.value, BEGIN, head.posted_at, head.sequence, head.balance_cents,
                        bytes.fromhex(head.digest),
                    ),
                )  # fmt: skip
        for table in TABLES:
            connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
    with server.connect(name) as connection:
        connection.execute("VACUUM ANALYZE ledger_entry, ledger_account")
