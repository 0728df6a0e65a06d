from datetime import date, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.operations.adjustments import adjust_credit
from ledger.queries.verification import ledger_counts, ledger_faults
from ledger.states import AccountKind, EntryKind
from referral.db import read, write
from tests.factories import AT, make_dealer, make_program
from tests.tampering import do

HEAD = LedgerAccount.kind == AccountKind.SALES_CREDIT


@pytest.fixture
def ledger(tx):
    """Three adjustments of one dealer: 1.00, 2.00, 3.00; the transaction is never committed."""
    program = make_program(tx)
    dealer = make_dealer(tx, program)
    for number in (1, 2, 3):
        adjust_credit(
            tx,
            actor=program,
            at=AT + timedelta(minutes=number),
            dealer_code=dealer.company_code,
            effective_on=date(2026, 5, 4),
            amount_cents=number * 100,
            reason="Opening",
            idempotency_key=f"key-{number}",
        )
    return tx


def tamper(tx, *statements):
    """Return the faults found after doing what the triggers forbid."""
    do(tx, *statements)
    return list(ledger_faults(tx))


def test_a_ledger_nobody_touched_recomputes(ledger):
    assert list(ledger_faults(ledger)) == []
    counts = ledger_counts(ledger)
    assert (counts.accounts, counts.entries, counts.postings) == (2, 3, 6)


CHANGES = {
    "memo": "Otherwise",
    "source": "INV-9",
    "source_digest": "0" * 64,
    "effective_on": date(2026, 5, 3),
    "posted_at": AT,
    "idempotency_key": "another",
    "actor_id": None,
    "kind": EntryKind.ORDER,
    "id": UUID(int=7),
    "digest_version": 2,
    "digest": "0" * 64,
    "issuance_digest": "0" * 64,
}
"""Another value for each column that no sum or sequence covers."""


def change(place, **values):
    return sa.update(LedgerEntry).where(LedgerEntry.sequence == place).values(values)


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_column_is_found(ledger, column):
    faults = tamper(ledger, change(2, **{column: CHANGES[column]}))
    assert any("posting 2: digest does not recompute" in fault for fault in faults)


def test_every_column_of_an_entry_is_covered():
    by_place = {
        "dealer_id", "program_year", "account_kind", "amount_cents", "sequence", "balance_cents",
        "issuance_sequence", "issuance_balance_cents", "related_entry_id",
    }  # fmt: skip
    assert {column.name for column in LedgerEntry.__table__.c} == by_place | CHANGES.keys()


def test_a_changed_amount_is_found(ledger):
    assert "posting 2: balance 300, recomputed 301" in "".join(tamper(ledger, change(2, amount_cents=201)))


def test_a_changed_balance_is_found(ledger):
    assert "posting 2: balance 301, recomputed 300" in "".join(tamper(ledger, change(2, balance_cents=301)))
    assert "posting 2: balance -301, recomputed -300" in "".join(
        tamper(ledger, change(2, issuance_balance_cents=-301))
    )


def test_a_related_entry_put_in_is_found(ledger):
    first = ledger.scalars(sa.select(LedgerEntry.id).where(LedgerEntry.sequence == 1)).one()
    faults = tamper(ledger, change(3, related_entry_id=first))
    assert "posting 3: digest does not recompute" in "".join(faults)


def test_an_entry_removed_from_the_middle_is_found(ledger):
    faults = "".join(tamper(ledger, sa.delete(LedgerEntry).where(LedgerEntry.sequence == 2)))
    assert faults.count("posting 3: expected sequence 2") == 2


def test_an_entry_removed_from_the_end_is_found(ledger):
    faults = tamper(ledger, sa.delete(LedgerEntry).where(LedgerEntry.sequence == 3))
    assert sum("head does not equal the last posting (2," in fault for fault in faults) == 2


def test_an_entry_removed_with_one_head_put_right_is_found(ledger):
    row = ledger.execute(
        sa.select(LedgerEntry.digest, LedgerEntry.balance_cents).where(LedgerEntry.sequence == 2)
    ).one()
    faults = tamper(
        ledger,
        sa.delete(LedgerEntry).where(LedgerEntry.sequence == 3),
        sa.update(LedgerAccount).where(HEAD).values(sequence=2, balance_cents=row[1], digest=row[0]),
    )
    assert len(faults) == 1
    assert "issuance: head does not equal" in faults[0]


@pytest.mark.parametrize("values", [{"balance_cents": 601}, {"sequence": 4}, {"digest": "0" * 64}], ids=str)
def test_a_changed_head_is_found(ledger, values):
    faults = tamper(ledger, sa.update(LedgerAccount).where(HEAD).values(values))
    assert [fault.partition(": ")[2] for fault in faults] == ["head does not equal the last posting (3, 600)"]


def test_swapped_entries_are_found(ledger):
    """The places of two entries change; the sum stays."""
    faults = tamper(ledger, change(1, sequence=101), change(2, sequence=1), change(101, sequence=2))
    assert faults


def test_verification_raises_no_false_alarm_while_eight_write(tx, at_once):
    """Heads and rows are read as of one snapshot, so a posting that commits meanwhile is whole or not there."""
    program = make_program(tx)
    dealer = make_dealer(tx, program)
    numbers = iter(range(48))

    def one():
        number = next(numbers)
        if number % 6 == 0:
            return read(lambda tx: list(ledger_faults(tx)))
        write(
            adjust_credit,
            actor=program,
            at=AT,
            dealer_code=dealer.company_code,
            effective_on=date(2026, 5, 4),
            amount_cents=100,
            reason="Opening",
            idempotency_key=f"key-{number}",
        )
        return []

    assert at_once(one, times=48) == [[]] * 48
    counts = ledger_counts(tx)
    assert (counts.entries, list(ledger_faults(tx))) == (40, [])
