from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from ledger.models import LedgerAccount, LedgerEntry, LedgerPosting
from ledger.operations.entries import adjust_credit
from ledger.queries.verification import ledger_counts, ledger_faults
from ledger.states import AccountKind
from tests.factories import AT, make_dealer, make_program

TRIGGERS = {
    "sqlite": "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'ledger_%'",
    "postgresql": "SELECT format('DROP TRIGGER %I ON %I', tgname, tgrelid::regclass) FROM pg_trigger "
    "WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'ledger_%'",
}
OWN = LedgerPosting.account_kind == AccountKind.SALES_CREDIT
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
    """Do what the triggers forbid, as somebody with all rights over the database could."""
    for (statement,) in tx.execute(sa.text(TRIGGERS[tx.get_bind().dialect.name])).all():
        tx.execute(sa.text(statement))
    for statement in statements:
        tx.execute(statement.execution_options(synchronize_session=False))
    tx.expire_all()
    return list(ledger_faults(tx))


def test_a_ledger_nobody_touched_recomputes(ledger):
    assert list(ledger_faults(ledger)) == []
    counts = ledger_counts(ledger)
    assert (counts.accounts, counts.entries, counts.postings) == (2, 3, 6)


ENTRY_CHANGES = {
    "memo": "Otherwise",
    "source": "INV-9",
    "source_digest": "0" * 64,
    "effective_on": date(2026, 5, 3),
    "posted_at": AT,
    "idempotency_key": "another",
    "actor_id": None,
    "digest": "0" * 64,
}


@pytest.mark.parametrize("column", ENTRY_CHANGES)
def test_a_changed_entry_is_found(ledger, column):
    second = sa.select(LedgerPosting.entry_id).where(OWN, LedgerPosting.sequence == 2).scalar_subquery()
    changed = sa.update(LedgerEntry).where(LedgerEntry.id == second).values({column: ENTRY_CHANGES[column]})
    faults = tamper(ledger, changed)
    assert any("posting 2: entry" in fault and "does not recompute" in fault for fault in faults)


def test_a_changed_balance_is_found(ledger):
    assert "posting 2: balance 301, recomputed 300" in "".join(
        tamper(
            ledger, sa.update(LedgerPosting).where(OWN, LedgerPosting.sequence == 2).values(balance_cents=301)
        )
    )


def test_a_changed_digest_is_found(ledger):
    changed = sa.update(LedgerPosting).where(OWN, LedgerPosting.sequence == 3).values(digest="0" * 64)
    assert "posting 3: digest does not recompute" in "".join(tamper(ledger, changed))


def test_a_posting_removed_from_the_middle_is_found(ledger):
    faults = "".join(tamper(ledger, sa.delete(LedgerPosting).where(OWN, LedgerPosting.sequence == 2)))
    assert "posting 3: expected sequence 2" in faults
    assert "does not have its two postings" in faults


def test_a_posting_removed_from_the_end_is_found(ledger):
    faults = tamper(ledger, sa.delete(LedgerPosting).where(LedgerPosting.sequence == 3))
    assert sum("head does not equal the last posting (2," in fault for fault in faults) == 2


def test_one_side_removed_with_its_head_put_right_is_found(ledger):
    row = ledger.execute(
        sa.select(LedgerPosting.digest, LedgerPosting.balance_cents).where(OWN, LedgerPosting.sequence == 2)
    ).one()
    faults = tamper(
        ledger,
        sa.delete(LedgerPosting).where(OWN, LedgerPosting.sequence == 3),
        sa.update(LedgerAccount).where(HEAD).values(sequence=2, balance_cents=row[1], digest=row[0]),
    )
    assert len(faults) == 1
    assert "does not have its two postings" in faults[0]


@pytest.mark.parametrize("values", [{"balance_cents": 601}, {"sequence": 4}, {"digest": "0" * 64}], ids=str)
def test_a_changed_head_is_found(ledger, values):
    faults = tamper(ledger, sa.update(LedgerAccount).where(HEAD).values(values))
    assert [fault.partition(": ")[2] for fault in faults] == ["head does not equal the last posting (3, 600)"]


def test_an_entry_without_postings_is_found(ledger):
    columns = [column for column in LedgerEntry.__table__.c if column.name not in {"id", "idempotency_key"}]
    first = ledger.scalars(sa.select(LedgerEntry).limit(1)).one()
    values = {column.name: getattr(first, column.name) for column in columns}
    added = sa.insert(LedgerEntry).values(**values, id=first.dealer_id, idempotency_key="slipped in")
    assert ["does not have its two postings" in fault for fault in tamper(ledger, added)] == [True]


def test_swapped_postings_are_found(ledger):
    """The amounts of two postings change places; the sum stays."""
    ids = ledger.scalars(sa.select(LedgerPosting.entry_id).where(OWN).order_by(LedgerPosting.sequence)).all()
    spare = LedgerPosting.sequence + 100
    faults = tamper(
        ledger,
        sa.update(LedgerPosting).where(OWN, LedgerPosting.entry_id == ids[0]).values(sequence=spare),
        sa.update(LedgerPosting).where(OWN, LedgerPosting.entry_id == ids[1]).values(sequence=1),
        sa.update(LedgerPosting).where(OWN, LedgerPosting.entry_id == ids[0]).values(sequence=2),
    )
    assert faults
