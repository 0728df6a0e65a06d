"""Replacing failed units under warranty: no approval, no credit (program rules, section 6)."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ledger.models.accounts import LedgerEntry
from quotes.models.orders import Order
from quotes.models.replacements import Replacement, ReplacementLine
from quotes.operations.replacements import order_replacement
from quotes.queries.order_page import order_page
from quotes.queries.verification import quote_faults
from quotes.states import OrderState
from referral.models import AuditEvent, Company, OutgoingMail, Qualification
from referral.operations.companies import end_qualification
from referral.permissions import Role
from tests.factories import AT, make_account, make_user, make_world, refused
from tests.quotes.test_operations_orders import CREDIT, assert_sound, credit
from tests.tampering import do


@pytest.fixture
def shipped(tx):
    """A world, its order of everything, all shipped, and the ids of its lines."""
    world = make_world(tx)
    _, ref = world.order()
    world.ship(ref)
    lines = order_page(tx, viewer=world.account, ref=ref).lines
    return world, ref, [line.line_id for line in lines]


def replacing(world, ref, quantities, **overrides):
    """Return what a builder says on replacing failed units."""
    said = {
        "actor": world.account,
        "at": AT,
        "ref": ref,
        "quantities": quantities,
        "reason": "Two flicker.",
        "failed_on": AT.date(),
        "idempotency_key": "replace-1",
    }
    return said | overrides


def test_a_warranty_replacement_needs_no_approval_and_earns_nothing(tx, shipped):
    world, ref, (lights, *_) = shipped
    entries = tx.scalar(sa.select(sa.func.count()).select_from(LedgerEntry))
    replacement = order_replacement(tx, **replacing(world, ref, {lights: 2}))
    assert (replacement.number, replacement.reason, replacement.failed_on) == (1, "Two flicker.", AT.date())
    assert (credit(world), tx.scalars(sa.select(Order.state)).one()) == (CREDIT, OrderState.SHIPPED)
    assert tx.scalar(sa.select(sa.func.count()).select_from(LedgerEntry)) == entries
    event = tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "order.replaced")).one()
    assert event.details == {"replacement": 1, "units": 2, "reason": "Two flicker."}
    mails = tx.scalars(sa.select(OutgoingMail).where(OutgoingMail.subject.contains("under warranty"))).all()
    assert [mail.subject for mail in mails] == [f"{ref}: 2 units are replaced under warranty"]
    for viewer in (world.account, world.dealer):
        (row,) = order_page(tx, viewer=viewer, ref=ref).replacements
        assert (row.number, row.units, row.ordered_by) == (1, 2, world.account.name)
    assert_sound(tx)


def test_a_replacing_unit_may_fail_too_and_is_replaced_again(tx, shipped):
    world, ref, (lights, *_) = shipped
    for number in (1, 2):
        said = replacing(world, ref, {lights: 10}, idempotency_key=f"k{number}")
        assert order_replacement(tx, **said).number == number
    assert_sound(tx)


def test_the_account_owes_replacements_after_its_qualification_ended(tx, shipped):
    world, ref, (lights, *_) = shipped
    row = tx.scalars(
        sa.select(Qualification).where(Qualification.company_id == world.account.company_id)
    ).one()
    end_qualification(
        tx,
        actor=world.program,
        at=AT,
        code=world.account.company_code,
        qualification_id=row.id,
        valid_to=AT.date() - timedelta(days=1),
        reason="Left the program",
    )
    assert order_replacement(tx, **replacing(world, ref, {lights: 1})).number == 1


def test_no_more_is_replaced_than_shipped_and_is_not_back(tx, shipped):
    world, ref, (lights, *_) = shipped
    found = refused(tx, "exceeds_returnable", order_replacement, **replacing(world, ref, {lights: 11}))
    assert found.field == f"quantity-{lights}"
    world.take_back(ref, quantities={lights: 3})
    refused(tx, "exceeds_returnable", order_replacement, **replacing(world, ref, {lights: 8}))
    order_replacement(tx, **replacing(world, ref, {lights: 7}))
    _, waiting = world.order()
    line = order_page(tx, viewer=world.account, ref=waiting).lines[0].line_id
    refused(
        tx,
        "exceeds_returnable",
        order_replacement,
        **replacing(world, waiting, {line: 1}, idempotency_key="k2"),
    )


def test_what_a_replacement_lacks_is_refused(tx, shipped):
    world, ref, (lights, *_) = shipped
    one = {lights: 1}
    assert refused(
        tx, "reason_required", order_replacement, **replacing(world, ref, one, reason=" ")
    ).field == ("reason")
    refused(
        tx, "idempotency_key_missing", order_replacement, **replacing(world, ref, one, idempotency_key="")
    )
    refused(tx, "not_on_revision", order_replacement, **replacing(world, ref, {uuid4(): 1}))
    for nothing in ({}, {lights: 0}):
        refused(tx, "empty_order", order_replacement, **replacing(world, ref, nothing))
    for day in (AT.date() + timedelta(days=1), date(2001, 1, 1)):
        said = replacing(world, ref, one, failed_on=day)
        assert refused(tx, "invalid_input", order_replacement, **said).field == "failed_on"
    assert order_replacement(tx, **replacing(world, ref, one, failed_on=None)).failed_on is None


def test_same_key_and_body_is_the_same_replacement_and_another_body_is_refused(tx, shipped):
    world, ref, (lights, trims, *_) = shipped
    said = replacing(world, ref, {lights: 1})
    first = order_replacement(tx, **said)
    assert order_replacement(tx, **said) is first
    for part, value in {"quantities": {trims: 1}, "reason": "Dim.", "failed_on": None}.items():
        refused(tx, "idempotency_key_reused", order_replacement, **said | {part: value})
    assert tx.scalar(sa.select(sa.func.count()).select_from(ReplacementLine)) == 1


def test_only_the_orders_account_replaces(tx, shipped):
    world, ref, (lights, *_) = shipped
    said = replacing(world, ref, {lights: 1})
    refused(tx, "not_found", order_replacement, **said | {"actor": make_account(tx, world.program)})
    company = tx.get_one(Company, world.account.company_id)
    for actor in (world.dealer, world.program, make_user(tx, company, Role.ACCOUNT_ADMIN)):
        refused(tx, "forbidden", order_replacement, **said | {"actor": actor})


@pytest.mark.parametrize("table", ["replacement", "replacement_line"])
def test_replacements_are_insert_only_in_the_database(tx, shipped, table):
    world, ref, (lights, *_) = shipped
    order_replacement(tx, **replacing(world, ref, {lights: 1}))
    tx.commit()
    for statement in (f"UPDATE {table} SET order_id = order_id", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError, match="append_only"):
            tx.execute(sa.text(statement))
        tx.rollback()


def test_verification_finds_a_changed_replacement(tx, shipped):
    world, ref, (lights, *_) = shipped
    order_replacement(tx, **replacing(world, ref, {lights: 1}))
    tx.flush()
    do(tx, sa.update(ReplacementLine).values(quantity=99))
    faults = list(quote_faults(tx))
    assert [fault.split(": ")[1] for fault in faults] == [
        "does not recompute to its digest",
        "more is replaced than has shipped",
    ]
    do(tx, sa.update(ReplacementLine).values(quantity=1), sa.update(Replacement).values(reason="Other"))
    assert [fault.split(": ")[1] for fault in quote_faults(tx)] == ["does not recompute to its digest"]
