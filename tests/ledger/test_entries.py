from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.operations.adjustments import adjust_credit, record_other_purchase
from ledger.operations.entries import Source, post_entry
from ledger.queries.statements import statement_page
from ledger.states import AccountKind, EntryKind
from referral.db import write
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import AuditEvent
from tests.factories import AT, make_dealer, make_program

DAY = date(2026, 5, 4)


@pytest.fixture
def program(tx):
    return make_program(tx)


@pytest.fixture
def dealer(tx, program):
    return make_dealer(tx, program)


def post(tx, dealer, **overrides):
    said = {
        "actor": None,
        "at": AT,
        "dealer_id": dealer.company_id,
        "program_year": 2026,
        "account_kind": AccountKind.SALES_CREDIT,
        "kind": EntryKind.ADJUSTMENT,
        "amount_cents": 12_345,
        "effective_on": DAY,
        "idempotency_key": "key-1",
        "source": Source("", "d" * 64, "Because"),
    }
    return post_entry(tx, **(said | overrides))


def adjust(tx, program, dealer, **overrides):
    said = {
        "actor": program,
        "at": AT,
        "dealer_code": dealer.company_code,
        "effective_on": DAY,
        "amount_cents": 500,
        "reason": "Counted twice",
        "idempotency_key": "key-1",
    }
    return adjust_credit(tx, **(said | overrides))


def count(tx, table):
    return tx.scalars(sa.select(sa.func.count()).select_from(table)).one()


def test_an_entry_is_posted_to_the_dealer_and_against_issuance(tx, dealer):
    """
    2026-05-04 adjustment
      sales_credit:2026   123.45
      issuance:2026      -123.45
    """
    entry = post(tx, dealer)
    sides = tx.execute(
        sa.text(
            "SELECT account_kind, amount_cents, balance_cents, sequence FROM ledger_posting ORDER BY side"
        )
    ).all()
    assert [tuple(side) for side in sides] == [
        ("issuance", -12_345, -12_345, 1),
        ("sales_credit", 12_345, 12_345, 1),
    ]
    assert (entry.sequence, entry.balance_cents, entry.is_new) == (1, 12_345, True)


def test_a_running_balance_and_a_chain_per_account(tx, dealer):
    for number, amount in enumerate((100, -30, 7)):
        post(tx, dealer, idempotency_key=f"key-{number}", amount_cents=amount)
    page = statement_page(tx, viewer=dealer, dealer_code=dealer.company_code, program_year=2026)
    assert [(line.sequence, line.amount_cents, line.balance_cents) for line in page.lines] == [
        (1, 100, 100),
        (2, -30, 70),
        (3, 7, 77),
    ]
    assert (page.opening_cents, page.closing_cents, page.year.sales_credit_cents) == (0, 77, 77)
    assert len({line.digest for line in page.lines}) == 3


def test_a_statement_goes_on_after_a_sequence_with_the_balance_brought_forward(tx, dealer):
    for number in range(3):
        post(tx, dealer, idempotency_key=f"key-{number}", amount_cents=100)
    page = statement_page(tx, viewer=dealer, dealer_code=dealer.company_code, program_year=2026, after=2)
    assert (page.opening_cents, [line.sequence for line in page.lines], page.closing_cents) == (200, [3], 300)


def test_the_same_key_answers_with_the_same_entry(tx, dealer):
    first = post(tx, dealer)
    assert post(tx, dealer, at=AT + timedelta(hours=1)).entry_id == first.entry_id
    assert count(tx, LedgerEntry) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"amount_cents": 12_346},
        {"effective_on": date(2026, 5, 3)},
        {"program_year": 2025},
        {"account_kind": AccountKind.OTHER_PURCHASES},
        {"kind": EntryKind.OTHER_PURCHASE},
        {"source": Source("", "d" * 64, "Otherwise")},
        {"source": Source("", "e" * 64, "Because")},
    ],
    ids=str,
)
def test_the_same_key_with_other_content_is_refused(tx, dealer, other):
    post(tx, dealer)
    with pytest.raises(Refusal) as refused:
        post(tx, dealer, **other)
    assert refused.value.code == "idempotency_key_reused"
    assert count(tx, LedgerEntry) == 1


def test_one_key_of_two_dealers_is_two_entries(tx, program, dealer):
    assert post(tx, dealer).entry_id != post(tx, make_dealer(tx, program)).entry_id


def test_twenty_at_once_with_one_key_post_once(tx, at_once, program, dealer):
    answers = at_once(lambda: write(adjust, program, dealer))
    assert len({answer.entry_id for answer in answers}) == 1
    assert tx.scalars(sa.select(LedgerAccount.balance_cents).order_by(LedgerAccount.balance_cents)).all() == [
        -500,
        500,
    ]


def test_twenty_at_once_with_their_own_keys_keep_one_chain(tx, at_once, dealer):
    numbers = iter(range(20))
    answers = at_once(lambda: write(post, dealer, idempotency_key=f"key-{next(numbers)}", amount_cents=3))
    assert len({answer.entry_id for answer in answers}) == 20
    heads = tx.execute(sa.select(LedgerAccount.sequence, LedgerAccount.balance_cents)).all()
    assert sorted(map(tuple, heads)) == [(20, -60), (20, 60)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sequence": 3, "issuance_sequence": 3},
        {"sequence": 1},
        {"issuance_sequence": 3},
        {"balance_cents": 24_691},
        {"issuance_balance_cents": -24_689},
        {"posted_at": AT - timedelta(microseconds=1)},
        {"account_kind": AccountKind.ISSUANCE},
        {"account_kind": AccountKind.OTHER_PURCHASES},
        {"program_year": 2025},
        {"amount_cents": 0},
        {"kind": EntryKind.REVERSAL},
        {"kind": EntryKind.REVERSAL, "related_entry_id": "first"},
        {"idempotency_key": "key-1"},
    ],
    ids=str,
)
def test_the_database_refuses_an_entry_that_does_not_follow_the_one_before(tx, dealer, wrong):
    first = post(tx, dealer)
    said = {
        "dealer_id": dealer.company_id,
        "id": new_id(),
        "idempotency_key": "key-2",
        "kind": EntryKind.ADJUSTMENT,
        "program_year": 2026,
        "account_kind": AccountKind.SALES_CREDIT,
        "amount_cents": 12_345,
        "effective_on": DAY,
        "posted_at": AT,
        "source": "",
        "source_digest": "d" * 64,
        "memo": "",
        "digest_version": 1,
        "sequence": 2,
        "balance_cents": 24_690,
        "digest": "e" * 64,
        "issuance_sequence": 2,
        "issuance_balance_cents": -24_690,
        "issuance_digest": "e" * 64,
    }
    if wrong.get("related_entry_id"):
        wrong = wrong | {"related_entry_id": first.entry_id}
    with tx.begin_nested() as savepoint:
        tx.execute(sa.insert(LedgerEntry).values(said))
        savepoint.rollback()
    with pytest.raises(DBAPIError):
        tx.execute(sa.insert(LedgerEntry).values(said | wrong))


@pytest.mark.parametrize(
    "values",
    [
        {"sequence": 2},
        {"sequence": 0, "balance_cents": 0},
        {"balance_cents": 12_346},
        {"digest": "e" * 64},
        {"posted_at": AT + timedelta(seconds=1)},
        {"currency": "EUR"},
    ],
    ids=str,
)
def test_the_database_refuses_a_head_that_is_not_the_last_entry(tx, dealer, values):
    post(tx, dealer)
    with pytest.raises(DBAPIError, match="immutable"):
        tx.execute(sa.update(LedgerAccount).values(values))


def test_a_closed_account_takes_nothing_more(tx, dealer):
    post(tx, dealer)
    tx.execute(sa.update(LedgerAccount).values(closed_at=AT))
    with pytest.raises(Refusal) as refused:
        post(tx, dealer, idempotency_key="key-2")
    assert refused.value.code == "year_closed"
    assert post(tx, dealer).is_new is False  # what was answered before is answered again
    with pytest.raises(DBAPIError, match="immutable"):
        tx.execute(sa.update(LedgerAccount).values(closed_at=None))


def test_a_clock_that_is_behind_does_not_turn_the_order_of_entries_round(tx, dealer):
    post(tx, dealer)
    late = post(tx, dealer, idempotency_key="key-2", at=AT - timedelta(hours=1))
    assert late.posted_at == AT
    assert (late.sequence, late.balance_cents) == (2, 24_690)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET memo = 'x'",
        "UPDATE ledger_entry SET amount_cents = amount_cents",
        "DELETE FROM ledger_entry",
        "UPDATE ledger_account SET balance_cents = 0",
        "UPDATE ledger_account SET sequence = sequence + 2",
        "DELETE FROM ledger_account",
        "DELETE FROM level_set",
        "UPDATE level SET threshold_cents = 1",
    ],
)
def test_the_database_refuses_to_change_what_is_posted(tx, program, dealer, statement):
    post(tx, dealer)
    tx.execute(sa.text(
        "INSERT INTO level_set (level_year, version, source, reason, set_at) "
        "VALUES (2027, 1, '', '', '2026-01-01 00:00:00')"
    ))  # fmt: skip
    tx.execute(sa.text(
        "INSERT INTO level (level_year, version, rank, name, threshold_cents) VALUES (2027, 1, 0, 'Base', 0)"
    ))  # fmt: skip
    with pytest.raises(DBAPIError, match=r"append_only|immutable"):
        tx.execute(sa.text(statement))


@pytest.mark.parametrize(
    "wrong, code, field",
    [
        ({"amount_cents": 0}, "invalid_input", "amount_cents"),
        ({"reason": "  "}, "reason_required", "reason"),
        ({"effective_on": date(2026, 5, 5)}, "invalid_input", "effective_on"),
        ({"effective_on": date(1999, 12, 31)}, "invalid_input", "effective_on"),
        ({"dealer_code": "NOBODY"}, "not_found", "dealer_code"),
        ({"idempotency_key": " "}, "idempotency_key_missing", "idempotency_key"),
    ],
    ids=str,
)
def test_adjust_credit_refuses(tx, program, dealer, wrong, code, field):
    with pytest.raises(Refusal) as refused:
        adjust(tx, program, dealer, **wrong)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert count(tx, LedgerEntry) == 0


def test_adjust_credit_is_for_the_program_alone(tx, dealer):
    with pytest.raises(Refusal) as refused:
        adjust(tx, dealer, dealer)
    assert refused.value.code == "forbidden"


def test_adjust_credit_posts_and_records_once(tx, program, dealer):
    adjust(tx, program, dealer)
    adjust(tx, program, dealer, at=AT + timedelta(seconds=1))
    events = tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "credit.adjusted")).all()
    assert [event.details["amount_cents"] for event in events] == [500]
    assert count(tx, LedgerEntry) == 1


def test_an_other_purchase_counts_in_the_year_of_its_day_and_apart_from_sales_credit(tx, program, dealer):
    record_other_purchase(
        tx,
        actor=program,
        at=AT,
        dealer_code=dealer.company_code,
        purchased_on=date(2025, 12, 31),
        amount_cents=70_000,
        document="INV-1",
        reason="Imported",
        idempotency_key="key-1",
    )
    page = statement_page(
        tx,
        viewer=dealer,
        dealer_code=dealer.company_code,
        program_year=2025,
        account_kind=AccountKind.OTHER_PURCHASES,
    )
    assert [line.source for line in page.lines] == ["INV-1"]
    assert (page.year.sales_credit_cents, page.year.other_purchases_cents) == (0, 70_000)
