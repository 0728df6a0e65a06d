"""Taking back an entry: exactly, once, and never what an order posted."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.operations.adjustments import adjust_credit, record_other_purchase
from ledger.operations.entries import Source, post_entry
from ledger.operations.reversals import reverse_entry
from ledger.operations.transfers import transfer_credit
from ledger.queries.pair_verification import transfer_faults
from ledger.queries.verification import ledger_faults
from ledger.states import AccountKind, EntryKind
from referral.db import read, write
from referral.errors import Refusal
from referral.models import AuditEvent
from tests.factories import AT, make_dealer, make_world, refused

DAY = date(2026, 5, 4)


@pytest.fixture
def world(tx):
    return make_world(tx)


def adjusting(world, **overrides):
    said = {
        "actor": world.program, "at": AT, "dealer_code": world.dealer.company_code, "effective_on": date(2026, 5, 1),
        "amount_cents": 12_345, "reason": "Mistake", "idempotency_key": "adjust",
    }  # fmt: skip
    return said | overrides


def reversing(world, **overrides):
    """Reverse the first entry of the dealer's sales credit of 2026."""
    said = {
        "actor": world.program, "at": AT, "dealer_code": world.dealer.company_code, "program_year": 2026,
        "account_kind": AccountKind.SALES_CREDIT, "sequence": 1, "effective_on": DAY, "reason": "Typed wrongly",
        "idempotency_key": "reverse",
    }  # fmt: skip
    return said | overrides


def transferring(world, receiver, **overrides):
    said = {
        "actor": world.program, "at": AT, "from_dealer_code": world.dealer.company_code,
        "to_dealer_code": receiver.company_code, "account_kind": AccountKind.SALES_CREDIT, "amount_cents": 5_000,
        "effective_on": date(2026, 5, 2), "reason": "The number changed hands", "idempotency_key": "move",
    }  # fmt: skip
    return said | overrides


def close(tx, *years):
    """The accounts of these years take nothing more."""
    tx.execute(sa.update(LedgerAccount).where(LedgerAccount.program_year.in_(years)).values(closed_at=AT))


def balances(tx, year=2026, kind=AccountKind.SALES_CREDIT):
    rows = sa.select(LedgerAccount.balance_cents).where(
        LedgerAccount.program_year == year, LedgerAccount.kind == kind
    )
    return sorted(tx.scalars(rows))


def faults(tx):
    tx.commit()
    return read(lambda tx: [*ledger_faults(tx), *transfer_faults(tx)])


def test_a_reversal_is_the_exact_negation_and_names_what_it_takes_back(tx, world):
    adjusted = adjust_credit(tx, **adjusting(world))
    posted = reverse_entry(tx, **reversing(world))
    entry = tx.get_one(LedgerEntry, (world.dealer.company_id, posted.entry_id))
    assert (entry.kind, entry.amount_cents, entry.related_entry_id) == (
        EntryKind.REVERSAL, -12_345, adjusted.entry_id,
    )  # fmt: skip
    assert (entry.memo, entry.effective_on, entry.program_year) == ("Typed wrongly", DAY, 2026)
    assert balances(tx) == [0]
    assert faults(tx) == []
    event = tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "entry.reversed")).one()
    assert event.details["amount_cents"] == -12_345


def test_an_other_purchase_is_reversed_in_its_own_account(tx, world):
    record_other_purchase(
        tx, actor=world.program, at=AT, dealer_code=world.dealer.company_code, purchased_on=date(2025, 3, 1),
        amount_cents=700, document="INV-1", reason="Letter", idempotency_key="k",
    )  # fmt: skip
    said = reversing(world, program_year=2025, account_kind=AccountKind.OTHER_PURCHASES)
    assert reverse_entry(tx, **said).program_year == 2025
    assert balances(tx, 2025, AccountKind.OTHER_PURCHASES) == [0]


def test_a_second_reversal_is_refused_and_the_same_key_answers_again(tx, world):
    adjust_credit(tx, **adjusting(world))
    first = reverse_entry(tx, **reversing(world))
    again = reverse_entry(tx, **reversing(world, at=AT + timedelta(hours=1)))
    assert (again.entry_id, again.is_new) == (first.entry_id, False)
    refused(tx, "already_reversed", reverse_entry, **reversing(world, idempotency_key="other"))


def test_a_reversal_is_not_reversed(tx, world):
    adjust_credit(tx, **adjusting(world))
    reverse_entry(tx, **reversing(world))
    refused(tx, "reversal_of_reversal", reverse_entry, **reversing(world, sequence=2, idempotency_key="2"))


def test_an_orders_credit_is_answered_by_cancelling(tx, world):
    world.order()
    refused(tx, "reverse_by_cancelling", reverse_entry, **reversing(world))


def test_another_dealers_entry_is_not_found(tx, world):
    adjust_credit(tx, **adjusting(world))
    other = make_dealer(tx, world.program)
    refused(tx, "not_found", reverse_entry, **reversing(world, dealer_code=other.company_code))


@pytest.mark.parametrize(
    "wrong, code",
    [
        ({"sequence": 2}, "not_found"),
        ({"program_year": 2025}, "not_found"),
        ({"program_year": 1066}, "not_found"),
        ({"account_kind": AccountKind.OTHER_PURCHASES}, "not_found"),
        ({"account_kind": AccountKind.ISSUANCE}, "not_found"),
        ({"dealer_code": "NOBODY"}, "not_found"),
        ({"reason": " "}, "reason_required"),
        ({"idempotency_key": " "}, "idempotency_key_missing"),
        ({"effective_on": date(2026, 4, 30)}, "invalid_input"),
        ({"effective_on": date(2026, 5, 5)}, "invalid_input"),
    ],
    ids=str,
)
def test_reverse_entry_refuses(tx, world, wrong, code):
    adjust_credit(tx, **adjusting(world))
    refused(tx, code, reverse_entry, **reversing(world, **wrong))


def test_reverse_entry_is_for_the_program_alone(tx, world):
    adjust_credit(tx, **adjusting(world))
    refused(tx, "forbidden", reverse_entry, **reversing(world, actor=world.dealer))


def test_of_a_closed_year_it_goes_to_the_present_year(tx, world):
    adjust_credit(tx, **adjusting(world, effective_on=date(2025, 6, 1)))
    close(tx, 2025)
    early = reversing(world, program_year=2025, effective_on=date(2025, 12, 31))
    refused(tx, "invalid_input", reverse_entry, **early)
    posted = reverse_entry(tx, **early | {"effective_on": date(2026, 1, 1)})
    assert posted.program_year == 2026
    assert (balances(tx, 2025), balances(tx)) == ([12_345], [-12_345])
    assert faults(tx) == []


def test_the_same_key_answers_again_though_the_year_was_closed_since(tx, world):
    adjust_credit(tx, **adjusting(world, effective_on=date(2025, 12, 30)))
    said = reversing(world, program_year=2025)
    first = reverse_entry(tx, **said)
    close(tx, 2025)
    again = reverse_entry(tx, **said)
    assert (again.entry_id, again.program_year, again.is_new) == (first.entry_id, 2025, False)


def test_a_transfer_is_reversed_as_a_pair_from_either_side(tx, world):
    receiver = make_dealer(tx, world.program)
    transfer_credit(tx, **transferring(world, receiver))
    reverse_entry(tx, **reversing(world, dealer_code=receiver.company_code))
    assert balances(tx) == [0, 0]
    assert faults(tx) == []
    refused(tx, "already_reversed", reverse_entry, **reversing(world, idempotency_key="other"))


def test_half_a_reversed_transfer_is_found(tx, world):
    receiver = make_dealer(tx, world.program)
    transfer_credit(tx, **transferring(world, receiver))
    given = tx.scalars(sa.select(LedgerEntry).where(LedgerEntry.amount_cents < 0)).one()
    post_entry(
        tx, actor=None, at=AT, dealer_id=given.dealer_id, program_year=2026, account_kind=given.account_kind,
        kind=EntryKind.REVERSAL, amount_cents=5_000, effective_on=DAY, idempotency_key="half",
        source=Source(given.source, "0" * 64, "Half"), related_entry_id=given.id,
    )  # fmt: skip
    assert faults(tx) == [f"transfer T-{world.dealer.company_code}-1: only one of its sides is reversed"]


def test_many_reversals_at_once_are_one(tx, at_once, world):
    receiver = make_dealer(tx, world.program)
    adjust_credit(tx, **adjusting(world))
    transfer_credit(tx, **transferring(world, receiver))
    numbers = iter(range(12))

    def one():
        number = next(numbers)
        place = (
            {"sequence": 1, "dealer_code": receiver.company_code}
            if number % 3 == 0
            else {"sequence": number % 3}
        )
        return write(reverse_entry, **reversing(world, idempotency_key=f"key-{number}", **place))

    answers = at_once(one, times=12)
    codes = [answer.code for answer in answers if isinstance(answer, Refusal)]
    assert codes == ["already_reversed"] * 10
    assert len([answer for answer in answers if not isinstance(answer, BaseException)]) == 2
    assert balances(tx) == [0, 0]
    assert faults(tx) == []
