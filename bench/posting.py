"""Posting on PostgreSQL: against pgbench, statements by hand, and other ledgers; hot; and dealers beside each other."""

from __future__ import annotations

import statistics
import uuid
from datetime import UTC, datetime
from itertools import cycle
from typing import TYPE_CHECKING, Any

import psycopg

from bench.common import (
    CLIENTS,
    Crew,
    Plan,
    Row,
    Server,
    Turn,
    crews,
    in_own_process,
    median_rate,
    median_ratio,
    pgbench_turn,
    take_turns,
)
from bench.ground import CENTS, DAY, SOURCE_DIGEST, YEAR, dealer_id, make_postgres_ground, post_by_house
from bench.peers import (
    make_hordak,
    make_naive,
    make_nostro,
    post_by_hordak,
    post_by_naive_core,
    post_by_nostro,
)
from ledger.rules.digests import DIGEST_VERSION, written_entry_digest, written_place, written_posting_digest
from referral.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

DEALERS = 64

# by hand ----------------------------------------------------------------------------------------

LOCK = (
    "SELECT kind, sequence, balance_cents, digest, posted_at, closed_at FROM ledger_account"
    " WHERE dealer_id = %s AND program_year = %s AND kind IN ('sales_credit', 'issuance') ORDER BY kind FOR UPDATE"
)
POST = (
    "WITH entry AS (INSERT INTO ledger_entry (dealer_id, id, idempotency_key, kind, program_year, account_kind,"
    " amount_cents, effective_on, posted_at, actor_id, source, source_digest, memo, related_entry_id,"
    " digest_version, sequence, balance_cents, digest, issuance_sequence, issuance_balance_cents, issuance_digest)"
    " VALUES (%(dealer)s, %(id)s, %(key)s, 'order', %(year)s, 'sales_credit', %(cents)s, %(day)s, %(at)s, NULL,"
    " %(source)s, %(source_digest)s, %(memo)s, NULL, %(version)s, %(sequence)s, %(balance)s, %(digest)s,"
    " %(issuance_sequence)s, %(issuance_balance)s, %(issuance_digest)s)"
    " ON CONFLICT (dealer_id, idempotency_key) DO NOTHING RETURNING *)"
    " UPDATE ledger_account AS a SET posted_at = e.posted_at,"
    " sequence = CASE a.kind WHEN 'issuance' THEN e.issuance_sequence ELSE e.sequence END,"
    " balance_cents = CASE a.kind WHEN 'issuance' THEN e.issuance_balance_cents ELSE e.balance_cents END,"
    " digest = CASE a.kind WHEN 'issuance' THEN e.issuance_digest ELSE e.digest END"
    " FROM entry AS e WHERE a.dealer_id = e.dealer_id AND a.program_year = e.program_year"
    " AND a.kind IN (e.account_kind, 'issuance')"
)


def next_by_hand(dealer: uuid.UUID, own: tuple[Any, ...], issuance: tuple[Any, ...]) -> dict[str, Any]:
    """Return what an entry after these heads (sequence, balance, digest, posted at) says, digests and all."""
    at = max(each for each in (datetime.now(UTC), own[3], issuance[3]) if each is not None)
    said = {
        "dealer": dealer, "id": new_id(), "key": f"order:{uuid.uuid4().hex}", "year": YEAR, "cents": CENTS,
        "day": DAY, "at": at, "source": "O-HARBOR-12", "source_digest": bytes.fromhex(SOURCE_DIGEST),
        "memo": "Order O-HARBOR-12", "version": DIGEST_VERSION, "sequence": own[0] + 1, "balance": own[1] + CENTS,
        "issuance_sequence": issuance[0] + 1, "issuance_balance": issuance[1] - CENTS,
    }  # fmt: skip
    content = written_entry_digest(
        dealer.hex, said["id"].hex, said["key"], "order", CENTS, DAY.isoformat(),
        at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), None, said["source"], SOURCE_DIGEST, said["memo"],
        None, DIGEST_VERSION,
    )  # fmt: skip
    for name, kind, side, sign, before in (
        ("", "sales_credit", "i1:1;", 1, own),
        ("issuance_", "issuance", "i2:-1;", -1, issuance),
    ):
        digest = written_posting_digest(
            bytes(before[2]).hex(), written_place(dealer.hex, YEAR, kind), said[f"{name}sequence"], side,
            sign * CENTS, said[f"{name}balance"], content,
        )  # fmt: skip
        said[f"{name}digest"] = bytes.fromhex(digest)
    return said


def post_by_hand(client: int, server: Server, name: str, clients: int) -> Callable[[], None]:
    """Post with psycopg alone: one lock, one statement for the entry and both heads, a commit. The same digests."""
    connection = psycopg.connect(server.dsn(name))
    cursor = connection.cursor()
    own = cycle([dealer_id(number) for number in range(client, DEALERS, clients)])

    def act() -> None:
        dealer = next(own)
        heads = {row[0]: row[1:] for row in cursor.execute(LOCK, (dealer, YEAR)).fetchall()}
        cursor.execute(POST, next_by_hand(dealer, heads["sales_credit"], heads["issuance"]))
        if cursor.rowcount != 2:
            raise RuntimeError("nothing was posted")
        connection.commit()

    return act


# measured ---------------------------------------------------------------------------------------


def run(server: Server, plan: Plan) -> list[Row]:
    """Measure everything about posting on PostgreSQL."""
    pgbench = pgbench_turn(server)
    return [*_distinct(server, plan, pgbench), *_hot(server, plan, pgbench), *_side_by_side(server, plan)]


def _warm(server: Server, name: str, crew: Crew) -> None:
    """Post a little, then ANALYZE, as autovacuum does in the first minute: plans of empty tables are poor."""
    crew.turn(1.0)
    with server.connect(name) as connection:
        connection.execute("ANALYZE")


def _distinct(server: Server, plan: Plan, pgbench: Callable[[float], Turn]) -> list[Row]:
    make_postgres_ground(server, "ours", DEALERS)
    make_postgres_ground(server, "byhand", DEALERS)
    for make in (make_hordak, make_nostro, make_naive):
        in_own_process(make, server, DEALERS)
    everyone = list(range(DEALERS))
    with crews(
        ours=(post_by_house, server.uri("ours"), everyone, CLIENTS),
        byhand=(open_then_post_by_hand, server, "byhand", CLIENTS),
        naive=(post_by_naive_core, server, DEALERS, CLIENTS),
        hordak=(post_by_hordak, server, CLIENTS),
        nostro=(post_by_nostro, server, DEALERS, CLIENTS, "ids"),
        quickstart=(post_by_nostro, server, DEALERS, CLIENTS, "keys"),
    ) as crew:
        for name, one in crew.items():
            _warm(server, "nostro" if name == "quickstart" else name, one)
        everyone_in_turn = {"pgbench": pgbench} | {name: one.turn for name, one in crew.items()}
        turns = take_turns({name: server.metered(one) for name, one in everyone_in_turn.items()}, plan)
    rows = [
        _against("post, 8 clients, distinct dealers", turns, "ours", "pgbench", "pgbench TPC-B", 0.45),
        _against("post, 8 clients, distinct dealers", turns, "ours", "byhand", "psycopg by hand", 0.75),
        _against("post, 8 clients, distinct dealers", turns, "ours", "hordak", "django-hordak", 2),
        _against("post, 8 clients, distinct dealers", turns, "ours", "nostro", "hf-nostro by its ids", 2),
        _against(
            "post, 8 clients, distinct dealers", turns, "ours", "quickstart", "hf-nostro by its keys", 2
        ),
        _against("post, 8 clients, distinct dealers", turns, "ours", "naive", "naive Core", None),
    ]
    rows += [
        _against(f"for comparison: {words}", turns, name, "pgbench", "pgbench TPC-B", None)
        for name, words in {
            "byhand": "psycopg by hand", "naive": "naive Core", "hordak": "django-hordak", "nostro": "hf-nostro by its ids",
        }.items()
    ]  # fmt: skip
    costs = {name: statistics.median(turn.cost_us for turn in own) for name, own in turns.items()}
    rows += [
        Row("processor time of a post, client and server", costs["ours"], "µs", words, costs[name])
        for name, words in {
            "byhand": "psycopg by hand", "hordak": "django-hordak", "nostro": "hf-nostro by its ids", "naive": "naive Core",
            "pgbench": "pgbench TPC-B",
        }.items()
    ]  # fmt: skip
    errors = [error for own in turns.values() for turn in own for error in turn.errors]
    rows.append(
        Row("post, 8 clients, distinct dealers: errors of anyone", len(errors), "", limit=0, is_ceiling=True)
    )
    entries, size = disk_of_entry(server, "ours")
    name = f"disk of an entry, PostgreSQL, {entries:,} by 8 clients"
    return [*rows, Row(name, size, "B")]  # a short run: half of it may be the heads' own pages


def open_then_post_by_hand(client: int, server: Server, name: str, clients: int) -> Callable[[], None]:
    """Open the accounts of this client's dealers first; then as `post_by_hand`."""
    with server.connect(name) as connection:
        for number in range(client, DEALERS, clients):
            for kind in ("issuance", "sales_credit"):
                connection.execute(
                    "INSERT INTO ledger_account (dealer_id, program_year, kind, currency, opened_at, sequence,"
                    " balance_cents, digest) VALUES (%s, %s, %s, 'USD', now(), 0, 0, %s)",
                    (dealer_id(number), YEAR, kind, bytes(32)),
                )
    return post_by_hand(client, server, name, clients)


def _against(
    name: str, turns: dict[str, list[Turn]], ours: str, peer: str, words: str, limit: float | None
) -> Row:
    return Row(
        name,
        median_rate(turns[ours]),
        "/s",
        peer_name=words,
        peer=median_rate(turns[peer]),
        limit=limit,
        ratio_given=median_ratio(turns[ours], turns[peer]),
    )


def _hot(server: Server, plan: Plan, pgbench: Callable[[float], Turn]) -> list[Row]:
    make_postgres_ground(server, "hot", 1)
    with crews(ours=(post_by_house, server.uri("hot"), [0], CLIENTS)) as crew:
        first = crew["ours"].turn(1.0)
        with server.connect("hot") as connection:
            connection.execute("ANALYZE")
        turns = take_turns({"pgbench": pgbench, "ours": crew["ours"].turn}, plan)
        last = crew["ours"].turn(0.2)
    with server.connect("hot") as connection:
        entries, cents, sequence, balance = connection.execute(  # type: ignore[misc] # there is one row
            "SELECT count(*), sum(amount_cents), max(a.sequence), max(a.balance_cents) FROM ledger_entry AS e"
            " JOIN ledger_account AS a ON a.dealer_id = e.dealer_id AND a.kind = 'sales_credit'"
        ).fetchone()
    ours = turns["ours"]
    uncounted = sum(turn.acknowledged for turn in (first, last, *ours))
    return [
        _against("post, one hot dealer, 8 clients", turns, "ours", "pgbench", "pgbench TPC-B", 0.33),
        Row(
            "post, one hot dealer: 99 of 100 within",
            statistics.median(turn.percentile_ms(99) for turn in ours),
            "ms",
            limit=25,
            is_ceiling=True,
        ),
        Row(
            "post, one hot dealer: entries acknowledged but missing",
            max(0, uncounted - entries) + abs(entries - sequence) + abs(int(cents) - balance),
            "",
            limit=0,
            is_ceiling=True,
        ),
        Row(
            "post, one hot dealer: errors",
            sum(len(turn.errors) for turn in (first, last, *ours)),
            "",
            limit=0,
            is_ceiling=True,
        ),
    ]


def _side_by_side(server: Server, plan: Plan) -> list[Row]:
    """Post to eight dealers of one program, and to one in each of eight: dealers do not wait for each other."""
    make_postgres_ground(server, "program", CLIENTS)
    names = [f"program_{number}" for number in range(CLIENTS)]
    for name in names:
        server.create(name, template="program")
    with crews(
        one=(post_by_house, server.uri("program"), list(range(CLIENTS)), CLIENTS),
        many=(post_in_own_program, [server.uri(name) for name in names]),
    ) as crew:
        for name, one in crew.items():
            one.turn(1.0)
            for database in ["program"] if name == "one" else names:
                with server.connect(database) as connection:
                    connection.execute("ANALYZE")
        turns = take_turns({name: one.turn for name, one in crew.items()}, plan)
    return [_against("post, 8 dealers of one program", turns, "one", "many", "8 programs", 0.95)]


def post_in_own_program(client: int, uris: list[str]) -> Callable[[], None]:
    """Post to the client's own dealer in the client's own database."""
    return post_by_house(0, uris[client], [client], 1)


def disk_of_entry(server: Server, name: str) -> tuple[int, float]:
    """Return how many entries a database holds and the bytes each takes, with every index and both heads."""
    with server.connect(name) as connection:
        entries, size = connection.execute(  # type: ignore[misc] # there is one row
            "SELECT count(*), pg_total_relation_size('ledger_entry') + pg_total_relation_size('ledger_account')"
            " FROM ledger_entry"
        ).fetchone()
    return entries, size / entries
