"""Moving credit between two dealers: both sides or nothing, one number, once per key."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.operations.adjustments import adjust_credit
from ledger.operations.entries import Source, post_entry
from ledger.operations.transfers import transfer_credit
from ledger.queries.pair_verification import transfer_faults
from ledger.states import AccountKind, EntryKind
from referral.db import write
from referral.errors import Refusal
from referral.models import AuditEvent
from tests.factories import AT, make_dealer, make_world, refused
from tests.ledger.test_operations_reversals import adjusting, balances, faults, transferring


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def receiver(tx, world):
    return make_dealer(tx, world.program)


def test_both_sides_move_by_the_same_amount_with_one_number_and_one_digest(tx, world, receiver):
    adjust_credit(tx, **adjusting(world))
    transfer = transfer_credit(tx, **transferring(world, receiver))
    assert transfer.number == f"T-{world.dealer.company_code}-1"
    entries = tx.scalars(
        sa.select(LedgerEntry)
        .where(LedgerEntry.kind == EntryKind.TRANSFER)
        .order_by(LedgerEntry.amount_cents)
    ).all()
    assert [entry.amount_cents for entry in entries] == [-5_000, 5_000]
    assert {entry.source for entry in entries} == {transfer.number}
    assert len({entry.source_digest for entry in entries}) == 1
    assert balances(tx) == [5_000, 7_345]
    assert faults(tx) == []
    events = tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "credit.transferred")).all()
    assert {event.company_id for event in events} == {world.dealer.company_id, receiver.company_id}


def test_other_purchases_are_transferred_in_their_own_accounts(tx, world, receiver):
    transfer_credit(tx, **transferring(world, receiver, account_kind=AccountKind.OTHER_PURCHASES))
    assert balances(tx, kind=AccountKind.OTHER_PURCHASES) == [-5_000, 5_000]
    assert balances(tx) == []


def test_the_same_key_answers_with_the_same_transfer(tx, world, receiver):
    first = transfer_credit(tx, **transferring(world, receiver))
    again = transfer_credit(tx, **transferring(world, receiver, at=AT + timedelta(hours=1)))
    assert (again.number, again.given.is_new, again.received.is_new) == (first.number, False, False)
    later = transfer_credit(tx, **transferring(world, receiver, idempotency_key="next"))
    assert later.number == f"T-{world.dealer.company_code}-2"


@pytest.mark.parametrize(
    "other",
    [
        {"amount_cents": 5_001},
        {"reason": "Otherwise"},
        {"effective_on": date(2026, 5, 3)},
        {"account_kind": AccountKind.OTHER_PURCHASES},
        {"effective_on": date(2025, 5, 3)},
    ],
    ids=str,
)
def test_the_same_key_with_other_content_is_refused(tx, world, receiver, other):
    transfer_credit(tx, **transferring(world, receiver))
    said = transferring(world, receiver, **other)
    refused(tx, "idempotency_key_reused", transfer_credit, **said)


def test_a_key_that_either_dealer_has_used_is_refused_for_both(tx, world, receiver):
    third = make_dealer(tx, world.program)
    transfer_credit(tx, **transferring(world, receiver))
    refused(tx, "idempotency_key_reused", transfer_credit, **transferring(world, third))
    said = transferring(world, receiver, from_dealer_code=third.company_code)
    refused(tx, "idempotency_key_reused", transfer_credit, **said)


@pytest.mark.parametrize(
    "wrong, code, field",
    [
        ({"amount_cents": 0}, "invalid_input", "amount_cents"),
        ({"amount_cents": -1}, "invalid_input", "amount_cents"),
        ({"account_kind": AccountKind.ISSUANCE}, "invalid_input", "account_kind"),
        ({"effective_on": date(2026, 5, 5)}, "invalid_input", "effective_on"),
        ({"effective_on": date(1999, 12, 31)}, "invalid_input", "effective_on"),
        ({"reason": " "}, "reason_required", "reason"),
        ({"idempotency_key": " "}, "idempotency_key_missing", "idempotency_key"),
        ({"from_dealer_code": "NOBODY"}, "not_found", "from_dealer_code"),
        ({"to_dealer_code": "NOBODY"}, "not_found", "to_dealer_code"),
    ],
    ids=str,
)
def test_transfer_credit_refuses(tx, world, receiver, wrong, code, field):
    refusal = refused(tx, code, transfer_credit, **transferring(world, receiver, **wrong))
    assert refusal.field == field


def test_a_dealer_gives_nothing_to_itself(tx, world):
    refused(tx, "same_dealer", transfer_credit, **transferring(world, world.dealer))


def test_a_year_that_is_closed_for_one_of_them_refuses_both(tx, world, receiver):
    transfer_credit(tx, **transferring(world, receiver))
    tx.execute(
        sa.update(LedgerAccount).where(LedgerAccount.dealer_id == receiver.company_id).values(closed_at=AT)
    )
    said = transferring(world, receiver, idempotency_key="late")
    refused(tx, "year_closed", transfer_credit, **said)


def test_transfer_credit_is_for_the_program_alone(tx, world, receiver):
    refused(tx, "forbidden", transfer_credit, **transferring(world, receiver, actor=world.dealer))


def one_side(tx, dealer, cents, digest="0" * 64):
    post_entry(
        tx, actor=None, at=AT, dealer_id=dealer.company_id, program_year=2026,
        account_kind=AccountKind.SALES_CREDIT, kind=EntryKind.TRANSFER, amount_cents=cents,
        effective_on=date(2026, 5, 4), idempotency_key=f"{cents}", source=Source("T-X-1", digest, "Forged"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "sides, says",
    [
        ([(0, 5)], "1 sides of 1 dealers"),
        ([(0, 5), (0, -5)], "2 sides of 1 dealers"),
        ([(0, 5), (1, -4)], "do not come to nothing"),
        ([(0, 5), (1, -5, "1" * 64)], "say different things"),
        ([(0, 5), (1, -5), (1, 6)], "3 sides of 2 dealers"),
    ],
)
def test_a_pair_that_does_not_match_is_found(tx, world, receiver, sides, says):
    for which, *rest in sides:
        one_side(tx, (world.dealer, receiver)[which], *rest)
    assert [fault for fault in transfer_faults(tx) if says in fault]


def test_opposite_transfers_at_once_end_without_a_deadlock(tx, at_once, world, receiver):
    numbers = iter(range(20))

    def one():
        number = next(numbers)
        pair = (world.dealer, receiver) if number % 2 else (receiver, world.dealer)
        said = transferring(world, receiver, idempotency_key=f"key-{number}")
        codes = {"from_dealer_code": pair[0].company_code, "to_dealer_code": pair[1].company_code}
        return write(transfer_credit, **said | codes)

    answers = at_once(one)
    assert not [answer for answer in answers if isinstance(answer, BaseException)]
    assert len({answer.number for answer in answers}) == 20
    assert balances(tx) == [0, 0]
    assert faults(tx) == []


def test_a_transfer_at_once_with_one_key_is_one(tx, at_once, world, receiver):
    answers = at_once(lambda: write(transfer_credit, **transferring(world, receiver)), times=10)
    assert not [answer for answer in answers if isinstance(answer, Refusal)]
    assert len({answer.number for answer in answers}) == 1
    assert balances(tx) == [-5_000, 5_000]
