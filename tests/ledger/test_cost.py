"""What a posting costs, in figures that no busy machine can blur: statements and bytes."""

from __future__ import annotations

import random
import sqlite3
from contextlib import contextmanager
from datetime import date

import psycopg
import pytest
import sqlalchemy as sa

from ledger.operations.entries import (
    Source,
    heads_after,
    insert_entries,
    locked_heads,
    move_heads,
    next_entry,
    post_entry,
)
from ledger.states import AccountKind, EntryKind
from tests.factories import AT, make_dealer, make_program, make_world

DAY = date(2026, 5, 4)
BYTES_MAX = 700
FEW, MANY = 1_000, 5_000


@pytest.fixture
def dealers(tx):
    program = make_program(tx)
    return [make_dealer(tx, program) for _ in range(64)]


@contextmanager
def statements_seen(tx):
    """Collect the statements that reach the driver, whoever sends them."""
    driver = tx.connection().connection.driver_connection
    seen = []
    if isinstance(driver, sqlite3.Connection):  # a statement is traced anew for each of its triggers
        driver.set_trace_callback(lambda said: None if said in seen else seen.append(said))
        yield seen
        driver.set_trace_callback(None)
        return
    with pytest.MonkeyPatch.context() as patch:
        execute = psycopg.Cursor.execute

        def see(cursor, query, *args, **kwargs):
            seen.append(str(query))
            return execute(cursor, query, *args, **kwargs)

        patch.setattr(psycopg.Cursor, "execute", see)
        yield seen


def said(dealer, number):
    return {
        "dealer_id": dealer.company_id,
        "program_year": 2026,
        "account_kind": AccountKind.SALES_CREDIT,
        "kind": EntryKind.ORDER,
        "amount_cents": 412_500 + number,
        "effective_on": DAY,
        "idempotency_key": f"order:{number:032x}",
    }


def post(tx, dealer, number):
    source = Source(f"O-{dealer.company_code}-{number}", "5e" * 32, f"Order O-{dealer.company_code}-{number}")
    return post_entry(tx, actor=dealer, at=AT, source=source, **said(dealer, number))


def post_in_bulk(tx, dealers, first, count):
    """Post as many orders, one here and one there, as dealers do in life."""
    chance = random.Random(first)  # noqa: S311 - no secret
    heads = {}
    for dealer in dealers:
        found = locked_heads(
            tx,
            at=AT,
            dealer_id=dealer.company_id,
            program_year=2026,
            account_kind=AccountKind.SALES_CREDIT,
        )
        heads[dealer.company_id] = (found[AccountKind.SALES_CREDIT], found[AccountKind.ISSUANCE])
    rows, last = [], {}
    for number in range(first, first + count):
        dealer = chance.choice(dealers)
        source = f"O-{dealer.company_code}-{number}"
        more = {
            "actor_id": dealer.user_id,
            "posted_at": AT,
            "source": source,
            "source_digest": "5e" * 32,
            "memo": f"Order {source}",
            "related_entry_id": None,
        }
        row = next_entry(said(dealer, number) | more, *heads[dealer.company_id])
        heads[dealer.company_id] = heads_after(row)
        rows.append(row)
        last[dealer.company_id] = row
    insert_entries(tx, rows)
    move_heads(tx, *last.values())
    tx.commit()


def bytes_of_ledger(tx):
    if tx.get_bind().dialect.name == "postgresql":
        names = ("ledger_entry", "ledger_account")
        return sum(tx.scalar(sa.text(f"SELECT pg_total_relation_size('{name}')")) for name in names)
    return tx.scalar(sa.text("PRAGMA page_count")) * tx.scalar(sa.text("PRAGMA page_size"))


def test_an_entry_takes_two_statements_on_postgresql_and_three_on_sqlite(tx, dealers):
    post(tx, dealers[0], 1)
    with statements_seen(tx) as seen:
        post(tx, dealers[0], 2)
    assert len(seen) == (2 if tx.get_bind().dialect.name == "postgresql" else 3), seen


def test_the_ledgers_part_of_an_order_takes_four_statements_at_most(tx):
    world = make_world(tx)
    first, second = world.approve(), world.approve()
    world.order(first)
    tx.flush()
    with statements_seen(tx) as seen:
        world.order(second)
    ledgers = [statement for statement in seen if "ledger_" in statement]
    assert len(ledgers) <= 4, ledgers


def test_an_entry_takes_no_more_room_after_six_thousand_than_after_one(tx, dealers):
    post_in_bulk(tx, dealers, 0, 200)
    empty = bytes_of_ledger(tx)
    post_in_bulk(tx, dealers, 200, FEW)
    few = bytes_of_ledger(tx)
    post_in_bulk(tx, dealers, 200 + FEW, MANY)
    many = bytes_of_ledger(tx)
    at_few, at_many = (few - empty) / FEW, (many - empty) / (FEW + MANY)
    assert at_many <= BYTES_MAX, (at_few, at_many)
    assert at_many <= 1.15 * at_few, (at_few, at_many)
