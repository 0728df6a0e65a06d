"""Returning what shipped: its credit is taken back like that of a cancellation (program rules, 2, 6, 7)."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from ledger.models.accounts import LedgerEntry
from ledger.models.evidence import Evidence
from ledger.rules.credit import line_credit_cents
from ledger.states import EntryKind, EvidenceKind
from quotes.models.orders import Order
from quotes.models.returns import OrderReturn, OrderReturnLine
from quotes.operations.cancellations import cancel_order
from quotes.operations.orders import place_order
from quotes.operations.quotes import LineInput
from quotes.operations.returns import return_order
from quotes.queries.order_lines import LineStanding
from quotes.queries.order_page import order_page
from quotes.queries.previews import cancellation_preview, return_preview
from quotes.queries.verification import quote_faults
from quotes.states import OrderState, ReturnReason
from referral.models import AuditEvent, Company, OutgoingMail
from referral.permissions import Role
from tests.factories import AT, ITEMS, make_account, make_price_list, make_user, make_world, refused
from tests.quotes.test_operations_cancellations import cancelling
from tests.quotes.test_operations_orders import CREDIT, DECEMBER, NEW_YEARS_EVE, assert_sound, credit, setting
from tests.quotes.test_operations_shipments import lines_of


def returning(world, ref, **overrides):
    """Return what a builder says on taking units back."""
    said = {
        "actor": world.account,
        "at": AT,
        "ref": ref,
        "quantities": None,
        "reason": ReturnReason.DAMAGED,
        "words": "Two boxes were wet.",
        "idempotency_key": "return-1",
    }
    return said | overrides


def shipped_world(tx, **overrides):
    """Return a world with its order of everything, all shipped, and the order's number."""
    world = make_world(tx)
    _, ref = world.order(**overrides)
    world.ship(ref)
    return world, ref


# credit -----------------------------------------------------------------------------------------


def test_returning_takes_the_credit_back_by_an_entry_that_names_the_orders(tx):
    world, ref = shipped_world(tx)
    returned = return_order(tx, **returning(world, ref))
    assert (returned.credit_cents, returned.products_cents) == (CREDIT, CREDIT + 120000)
    posted, reversal = tx.scalars(sa.select(LedgerEntry).order_by(LedgerEntry.sequence))
    assert (reversal.kind, reversal.amount_cents, reversal.related_entry_id) == (
        EntryKind.RETURN,
        -CREDIT,
        posted.id,
    )
    assert (reversal.source, reversal.memo) == (ref, "Damaged on arrival: Two boxes were wet.")
    assert (credit(world), tx.scalars(sa.select(Order.state)).one()) == (0, OrderState.RETURNED)
    assert any("21 units are returned" in mail.subject for mail in tx.scalars(sa.select(OutgoingMail)))
    event = tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "order.returned")).one()
    assert event.details == {"credit_cents": CREDIT, "reason": "damaged", "words": "Two boxes were wet."}
    witnessed = tx.scalars(sa.select(Evidence).where(Evidence.kind == EvidenceKind.RETURN)).one()
    assert (witnessed.subject, witnessed.content_digest) == (f"{ref}.1", returned.digest)
    assert_sound(tx)


@pytest.mark.parametrize("rate", ["0.3333", "1.0000", "0.0001", "0.9999", "2.5000"])
def test_partial_cancellations_and_returns_in_any_order_end_at_exactly_zero(tx, rate):
    world = make_world(tx)
    setting(world, "credit_rate", rate, date(2026, 1, 1))
    odd = [replace(ITEMS[0], list_price_cents=33337), replace(ITEMS[1], list_price_cents=7)]
    make_price_list(tx, world.program, valid_from=date(2026, 5, 1), items=odd)
    quote = world.draft(lines=[LineInput("D3-LIGHT", 7, "Hall"), LineInput("D3-TRIM", 13, "Hall")])
    order, ref = world.order(world.approve(world.submit(quote)))
    lights, trims = world.line_ids(quote)
    world.ship(ref, quantities={lights: 3, trims: 6})
    taken = []
    steps = (
        (True, {lights: 1, trims: 1}),
        (False, {lights: 2}),
        (True, {trims: 4}),
        (False, {lights: 2, trims: 3}),
        (True, {lights: 1}),
        (False, None),
        (True, None),
    )
    for key, (back, quantities) in enumerate(steps):
        page = order_page(tx, viewer=world.account, ref=ref)
        preview = (return_preview if back else cancellation_preview)(page, quantities)
        if back:
            done = return_order(tx, **returning(world, ref, quantities=quantities, idempotency_key=f"k{key}"))
        else:
            done = cancel_order(
                tx, **cancelling(world, ref, quantities=quantities, idempotency_key=f"k{key}")
            )
        taken.append(done.credit_cents)
        assert (preview.credit_cents, preview.products_cents) == (done.credit_cents, done.products_cents)
        assert credit(world) == order.credit_cents - sum(taken)
        assert_sound(tx)
    assert (credit(world), sum(taken), order.state) == (0, order.credit_cents, OrderState.RETURNED)


MOVES = st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=30)


@settings(deadline=None)
@given(st.integers(0, 10**11), st.integers(1, 500), st.integers(0, 999_9999), st.integers(1, 10**10), MOVES)
def test_every_prefix_of_any_sequence_is_posted_minus_the_credit_of_what_remains(
    price, quantity, rate, exchange, moves
):
    """Whatever is cancelled or returned, what is left of the credit is that of the units that are kept."""
    posted = line_credit_cents(price, quantity, rate, exchange)
    line = LineStanding(
        quantity=quantity,
        cancelled_quantity=0,
        shipped_quantity=quantity // 2,
        returned_quantity=0,
        list_price_cents=price,
        amount_cents=price * quantity,
        is_creditable=True,
        credit_cents=posted,
        reversed_cents=0,
    )
    for is_return, wanted in [*moves, (True, quantity), (False, quantity)]:
        units = min(wanted, line.returnable_quantity if is_return else line.open_quantity)
        taken = line.taken_back_cents(units, rate, exchange)
        assert taken >= 0
        assert line.reversed_cents + taken == posted - line_credit_cents(
            price, line.kept_quantity - units, rate, exchange
        )
        line = replace(
            line,
            cancelled_quantity=line.cancelled_quantity + (0 if is_return else units),
            returned_quantity=line.returned_quantity + (units if is_return else 0),
            reversed_cents=line.reversed_cents + taken,
        )
    assert (line.kept_quantity, line.credit_cents - line.reversed_cents) == (0, 0)


def test_a_return_next_year_takes_back_in_the_year_of_the_order_while_that_is_open(tx):
    world = make_world(tx)
    quote = world.approve(world.submit(at=DECEMBER), at=DECEMBER)
    _, ref = world.order(quote, at=NEW_YEARS_EVE)
    at = datetime(2027, 3, 1, 17, 0, tzinfo=UTC)
    world.ship(ref, at=at, shipped_on=date(2027, 1, 8))
    setting(world, "credit_rate", "0.1000", date(2027, 1, 1))
    returned = return_order(tx, **returning(world, ref, at=at))
    assert (returned.credit_cents, returned.returned_on) == (CREDIT, date(2027, 3, 1))
    assert (credit(world, 2026), credit(world, 2027)) == (0, 0)
    assert_sound(tx)


def test_once_the_year_is_closed_credit_is_taken_back_in_the_present_one_naming_the_old(tx):
    world = make_world(tx)
    quote = world.approve(world.submit(at=DECEMBER), at=DECEMBER)
    lights, _, control = world.line_ids(quote)
    _, ref = world.order(quote, at=NEW_YEARS_EVE)
    at = datetime(2027, 3, 1, 17, 0, tzinfo=UTC)
    world.ship(ref, at=at, shipped_on=date(2027, 1, 8), quantities={lights: 10, control: 1})
    tx.commit()
    tx.execute(sa.text("UPDATE ledger_account SET closed_at = opened_at WHERE program_year = 2026"))
    tx.commit()
    assert order_page(tx, viewer=world.account, ref=ref).is_year_closed
    return_order(tx, **returning(world, ref, at=at, quantities={lights: 10, control: 1}))
    cancel_order(tx, **cancelling(world, ref, at=at))
    assert (credit(world, 2026), credit(world, 2027)) == (CREDIT, -CREDIT)
    late = tx.scalars(
        sa.select(LedgerEntry).where(LedgerEntry.program_year == 2027).order_by(LedgerEntry.sequence)
    )
    assert [(entry.kind, entry.memo) for entry in late] == [
        (EntryKind.RETURN, "Credit of 2026, which is closed. Damaged on arrival: Two boxes were wet."),
        (EntryKind.CANCELLATION, "Credit of 2026, which is closed. The client changed their mind."),
    ]
    assert_sound(tx)


def test_credit_is_never_taken_back_before_the_day_it_was_given(tx):
    world, ref = shipped_world(tx)
    before = AT - timedelta(days=2)
    returned = return_order(tx, **returning(world, ref, at=before))
    assert returned.returned_on == AT.date()
    assert {entry.effective_on for entry in tx.scalars(sa.select(LedgerEntry))} == {AT.date()}


def test_what_earned_nothing_comes_back_without_an_entry(tx):
    world = make_world(tx)
    quote = world.approve()
    control = world.line_ids(quote)[2]
    _, ref = world.order(quote)
    world.ship(ref)
    returned = return_order(tx, **returning(world, ref, quantities={control: 1}))
    assert (returned.credit_cents, returned.entry_id, returned.products_cents) == (0, None, 120000)
    assert credit(world) == CREDIT
    assert_sound(tx)


# states -----------------------------------------------------------------------------------------


def test_an_order_is_partly_shipped_as_long_as_something_is_to_ship(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    order, ref = world.order(quote, quantities={lights: 10})
    world.ship(ref, quantities={lights: 4})
    world.take_back(ref)
    assert order.state is OrderState.PART_SHIPPED
    assert lines_of(world, ref) == [(10, 0, 4, 4, 6)]
    world.ship(ref, quantities={lights: 1})
    cancel_order(tx, **cancelling(world, ref))
    assert (order.state, lines_of(world, ref)) == (OrderState.PART_RETURNED, [(10, 5, 5, 4, 0)])
    world.take_back(ref)
    assert (order.state, credit(world)) == (OrderState.RETURNED, 0)
    assert_sound(tx)


def test_returned_units_are_not_ordered_again_without_a_new_approval(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, ref = world.order(quote, quantities={lights: 10})
    world.ship(ref)
    world.take_back(ref)
    said = {
        "quantities": {lights: 1},
        "idempotency_key": "again",
        "actor": world.account,
        "at": AT,
        "ref": quote,
    }
    from_quote = said | {"revision_number": 1, "purchase_order": ""}
    refused(tx, "exceeds_approved_qty", place_order, **from_quote)


# refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", [4, -1, 10**9])
def test_no_more_comes_back_than_shipped_and_is_not_back(tx, quantity):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, ref = world.order(quote, quantities={lights: 10})
    world.ship(ref, quantities={lights: 5})
    world.take_back(ref, quantities={lights: 2})
    said = returning(world, ref, quantities={lights: quantity})
    assert refused(tx, "exceeds_returnable", return_order, **said).field == f"quantity-{lights}"


def test_nothing_comes_back_of_what_has_not_shipped(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, ref = world.order(quote)
    refused(tx, "exceeds_returnable", return_order, **returning(world, ref))
    refused(tx, "exceeds_returnable", return_order, **returning(world, ref, quantities={lights: 1}))
    cancel_order(tx, **cancelling(world, ref))
    refused(tx, "exceeds_returnable", return_order, **returning(world, ref))


def test_a_return_names_lines_of_the_order_a_key_and_for_another_reason_words(tx):
    world = make_world(tx)
    quote = world.approve()
    lights, trims, _ = world.line_ids(quote)
    _, ref = world.order(quote, quantities={lights: 4})
    world.ship(ref)
    for line in (trims, uuid.uuid4()):
        refused(tx, "not_on_revision", return_order, **returning(world, ref, quantities={line: 1}))
    refused(tx, "empty_order", return_order, **returning(world, ref, quantities={lights: 0}))
    refused(tx, "idempotency_key_missing", return_order, **returning(world, ref, idempotency_key=" "))
    said = returning(world, ref, reason=ReturnReason.OTHER, words=" ")
    assert refused(tx, "reason_required", return_order, **said).field == "words"
    assert return_order(tx, **returning(world, ref, words=" ")).words == ""


def test_same_key_and_body_is_the_same_return_and_another_body_is_refused(tx):
    world, ref = shipped_world(tx)
    lights = order_page(tx, viewer=world.account, ref=ref).lines[0].line_id
    said = returning(world, ref, quantities={lights: 1})
    first = return_order(tx, **said)
    assert return_order(tx, **said) is first
    other = {"quantities": None, "reason": ReturnReason.DEFECTIVE, "words": "Other."}
    for part, value in other.items():
        refused(tx, "idempotency_key_reused", return_order, **said | {part: value})
    assert tx.scalar(sa.select(sa.func.count()).select_from(OrderReturn)) == 1


def test_another_companys_order_takes_nothing_back_and_neither_does_the_dealer(tx):
    world, ref = shipped_world(tx)
    refused(tx, "not_found", return_order, **returning(world, ref, actor=make_account(tx, world.program)))
    company = tx.get_one(Company, world.account.company_id)
    for actor in (world.dealer, world.program, make_user(tx, company, Role.ACCOUNT_ADMIN)):
        refused(tx, "forbidden", return_order, **returning(world, ref, actor=actor))


# the database -----------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["order_return", "order_return_line"])
def test_returns_are_insert_only_in_the_database(tx, table):
    world, ref = shipped_world(tx)
    world.take_back(ref)
    tx.commit()
    statements = [f"UPDATE {table} SET credit_cents = 0", f"DELETE FROM {table}"]
    if tx.get_bind().dialect.name == "sqlite":
        statements.append(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    for statement in statements:
        with pytest.raises(DBAPIError, match="append_only"):
            tx.execute(sa.text(statement))
        tx.rollback()


def test_the_database_takes_back_no_unit_that_has_not_shipped(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, ref = world.order(quote, quantities={lights: 4})
    world.ship(ref, quantities={lights: 3})
    world.take_back(ref, quantities={lights: 1})
    tx.commit()
    returned = tx.scalars(sa.select(OrderReturn)).one()
    copied = {column.key: getattr(returned, column.key) for column in sa.inspect(OrderReturn).columns}
    tx.add(OrderReturn(**copied | {"number": 2, "idempotency_key": "by hand"}))
    tx.flush()
    place = {"dealer_id": returned.dealer_id, "order_id": returned.order_id, "line_id": lights}
    with pytest.raises(DBAPIError, match="too_many"):
        tx.execute(sa.insert(OrderReturnLine).values(**place, quantity=3, return_number=2, credit_cents=0))
    tx.rollback()


def test_verification_finds_a_return_without_its_credit_and_a_state_that_units_do_not_say(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, ref = world.order(quote, quantities={lights: 4})
    world.ship(ref)
    world.take_back(ref, quantities={lights: 1})
    returned = tx.scalars(sa.select(OrderReturn)).one()
    copied = {column.key: getattr(returned, column.key) for column in sa.inspect(OrderReturn).columns}
    tx.add(OrderReturn(**copied | {"number": 2, "idempotency_key": "by hand"}))
    tx.flush()
    place = {"dealer_id": returned.dealer_id, "order_id": returned.order_id, "line_id": lights}
    tx.execute(sa.insert(OrderReturnLine).values(**place, quantity=3, return_number=2, credit_cents=0))
    faults = list(quote_faults(tx))
    assert sum("does not recompute to its digest" in fault for fault in faults) == 1
    assert sum("credit is not the sum of its lines" in fault for fault in faults) == 1
    assert sum("not the credit of its units" in fault for fault in faults) == 1
    assert sum("its state is not what its units say" in fault for fault in faults) == 1
