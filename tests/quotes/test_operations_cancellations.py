"""Cancelling an order: its credit is taken back in the year it was given (program rules, sections 2, 6, 7)."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ledger.models.accounts import LedgerEntry
from ledger.states import EntryKind
from quotes.models.orders import Cancellation, CancellationLine
from quotes.operations.cancellations import cancel_order
from quotes.operations.quotes import LineInput
from quotes.queries.order_page import order_page
from referral.models import AuditEvent, Company, OutgoingMail, Qualification
from referral.permissions import Role
from tests.factories import AT, ITEMS, make_account, make_price_list, make_user, make_world, refused
from tests.quotes.test_operations_orders import CREDIT, DECEMBER, NEW_YEARS_EVE, assert_sound, credit, setting
from tests.quotes.test_operations_quotes import end_everything


def cancelling(world, ref, **overrides):
    """Return what a builder says on cancelling."""
    said = {
        "actor": world.account,
        "at": AT,
        "ref": ref,
        "quantities": None,
        "reason": "The client changed their mind.",
        "idempotency_key": "cancel-1",
    }
    return said | overrides


def test_cancelling_takes_the_credit_back_by_a_reversal_that_names_its_entry(tx):
    world = make_world(tx)
    order, ref = world.order()
    cancellation = cancel_order(tx, **cancelling(world, ref))
    assert (cancellation.credit_cents, cancellation.products_cents) == (CREDIT, CREDIT + 120000)
    posted, reversal = tx.scalars(sa.select(LedgerEntry).order_by(LedgerEntry.id))
    assert (posted.id, posted.amount_cents) == (order.entry_id, CREDIT)
    assert (reversal.kind, reversal.amount_cents, reversal.related_entry_id) == (
        EntryKind.CANCELLATION,
        -CREDIT,
        posted.id,
    )
    assert (reversal.source, reversal.memo) == (ref, "The client changed their mind.")
    assert credit(world) == 0
    assert any("is cancelled" in mail.subject for mail in tx.scalars(sa.select(OutgoingMail)))
    assert_sound(tx)


@pytest.mark.parametrize("rate", ["0.3333", "1.0000", "0.0001", "0.9999", "2.5000"])
def test_partial_cancellations_end_at_exactly_zero(tx, rate):
    world = make_world(tx)
    setting(world, "credit_rate", rate, date(2026, 1, 1))
    odd = [replace(ITEMS[0], list_price_cents=33337), replace(ITEMS[1], list_price_cents=7)]
    make_price_list(tx, world.program, valid_from=date(2026, 5, 1), items=odd)
    quote = world.draft(lines=[LineInput("D3-LIGHT", 7, "Hall"), LineInput("D3-TRIM", 13, "Hall")])
    order, ref = world.order(world.approve(world.submit(quote)))
    lights, trims = world.line_ids(quote)
    taken = []
    for number, quantities in enumerate(({lights: 1}, {lights: 2, trims: 5}, {trims: 7}, {lights: 3}, None)):
        key = f"cancel-{number}"
        cancellation = cancel_order(tx, **cancelling(world, ref, quantities=quantities, idempotency_key=key))
        taken.append(cancellation.credit_cents)
        left = order_page(tx, viewer=world.account, ref=ref).lines
        assert credit(world) == order.credit_cents - sum(taken)
        assert all(line.credit_cents - line.reversed_cents >= 0 for line in left)
    assert (credit(world), sum(taken)) == (0, order.credit_cents)
    assert_sound(tx)


def test_a_cancellation_next_year_reverses_in_the_year_of_the_order(tx):
    world = make_world(tx)
    quote = world.approve(world.submit(at=DECEMBER), at=DECEMBER)
    _, ref = world.order(quote, at=NEW_YEARS_EVE)
    setting(world, "credit_rate", "0.1000", date(2027, 1, 1))
    setting(world, "creditable_categories", "control", date(2027, 1, 1))
    at = datetime(2027, 3, 1, 17, 0, tzinfo=UTC)
    cancellation = cancel_order(tx, **cancelling(world, ref, at=at))
    assert (cancellation.credit_cents, cancellation.cancelled_on) == (CREDIT, date(2027, 3, 1))
    assert (credit(world, 2026), credit(world, 2027)) == (0, 0)
    reversal = tx.scalars(sa.select(LedgerEntry).where(LedgerEntry.amount_cents < 0)).one()
    assert reversal.effective_on == date(2027, 3, 1)
    assert_sound(tx)


def test_what_was_ordered_stays_standing_and_can_be_cancelled_after_the_qualification_ended(tx):
    world = make_world(tx)
    _, ref = world.order()
    end_everything(world, Qualification, date(2026, 5, 3))
    assert credit(world) == CREDIT
    cancel_order(tx, **cancelling(world, ref))
    assert credit(world) == 0


@pytest.mark.parametrize("quantity", [9, -1, 10**9])
def test_no_more_is_cancelled_than_is_ordered_and_not_cancelled(tx, quantity):
    world = make_world(tx)
    quote = world.approve()
    _, ref = world.order(quote)
    lights = world.line_ids(quote)[0]
    cancel_order(tx, **cancelling(world, ref, quantities={lights: 2}, idempotency_key="before"))
    refusal = refused(
        tx, "exceeds_ordered_qty", cancel_order, **cancelling(world, ref, quantities={lights: quantity})
    )
    assert refusal.field == f"quantity-{lights}"


def test_a_cancellation_names_lines_of_the_order_and_a_reason_and_a_key(tx):
    world = make_world(tx)
    quote = world.approve()
    lights, trims, _ = world.line_ids(quote)
    _, ref = world.order(quote, quantities={lights: 4})
    for line in (trims, uuid.uuid4()):
        refused(tx, "not_on_revision", cancel_order, **cancelling(world, ref, quantities={line: 1}))
    refused(tx, "empty_order", cancel_order, **cancelling(world, ref, quantities={}))
    refused(tx, "empty_order", cancel_order, **cancelling(world, ref, quantities={lights: 0}))
    refused(tx, "reason_required", cancel_order, **cancelling(world, ref, reason=" "))
    refused(tx, "idempotency_key_missing", cancel_order, **cancelling(world, ref, idempotency_key=" "))


def test_same_key_and_body_is_the_same_cancellation_and_another_body_is_refused(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, ref = world.order(quote, quantities={lights: 4})
    said = cancelling(world, ref, quantities={lights: 1})
    first = cancel_order(tx, **said)
    assert cancel_order(tx, **said) is first
    for part, value in (("quantities", {lights: 2}), ("quantities", None), ("reason", "Other.")):
        refused(tx, "idempotency_key_reused", cancel_order, **said | {part: value})
    _, other = world.order(quote)
    refused(tx, "idempotency_key_reused", cancel_order, **said | {"ref": other})
    cancel_order(tx, **cancelling(world, ref, idempotency_key="rest"))
    assert cancel_order(tx, **said) is first
    refused(tx, "already_cancelled", cancel_order, **cancelling(world, ref, idempotency_key="more"))
    assert tx.scalar(sa.select(sa.func.count()).select_from(Cancellation)) == 2


def test_the_ledger_and_the_audit_name_the_order_as_it_is_written_everywhere(tx):
    world = make_world(tx)
    _, ref = world.order()
    for other in (ref.lower(), f" {ref}", f"{ref}\n"):
        refused(tx, "not_found", cancel_order, **cancelling(world, other))
    cancel_order(tx, **cancelling(world, ref))
    assert set(tx.scalars(sa.select(LedgerEntry.source))) == {ref}
    subjects = tx.scalars(sa.select(AuditEvent.subject).where(AuditEvent.event == "order.cancelled"))
    assert subjects.all() == [ref]


def test_another_companys_order_is_not_cancelled_and_not_by_the_dealer(tx):
    world = make_world(tx)
    _, ref = world.order()
    refused(tx, "not_found", cancel_order, **cancelling(world, ref, actor=make_account(tx, world.program)))
    refused(tx, "not_found", cancel_order, **cancelling(world, f"{ref}9"))
    company = tx.get_one(Company, world.account.company_id)
    for actor in (world.dealer, world.program, make_user(tx, company, Role.ACCOUNT_ADMIN)):
        refused(tx, "forbidden", cancel_order, **cancelling(world, ref, actor=actor))


@pytest.mark.parametrize("table", ["cancellation", "cancellation_line"])
def test_cancellations_are_insert_only_in_the_database(tx, table):
    world = make_world(tx)
    _, ref = world.order()
    cancel_order(tx, **cancelling(world, ref))
    tx.commit()
    for statement in (f"UPDATE {table} SET credit_cents = 0", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError, match="append_only"):
            tx.execute(sa.text(statement))
        tx.rollback()
    assert tx.scalar(sa.select(sa.func.count()).select_from(CancellationLine)) == 3
