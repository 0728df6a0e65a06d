"""Shipping an order: what shipped can be returned and is cancelled no more (program rules, section 6)."""

import uuid
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from quotes.models.shipments import Shipment, ShipmentLine
from quotes.operations.cancellations import cancel_order
from quotes.operations.shipments import ship_order
from quotes.queries.order_page import order_page
from quotes.states import OrderState
from referral.models import AuditEvent, Company, OutgoingMail
from referral.permissions import Role
from tests.factories import AT, make_account, make_user, make_world, refused
from tests.quotes.test_operations_cancellations import cancelling
from tests.quotes.test_operations_orders import CREDIT, assert_sound, credit


def shipping(world, ref, **overrides):
    """Return what a builder says on shipping."""
    said = {
        "actor": world.account,
        "at": AT,
        "ref": ref,
        "quantities": None,
        "shipped_on": AT.date(),
        "carrier": "UPS",
        "tracking_number": "1Z999",
        "idempotency_key": "ship-1",
    }
    return said | overrides


def lines_of(world, ref):
    """Return (ordered, cancelled, shipped, returned, open) of each line of an order."""
    page = order_page(world.tx, viewer=world.account, ref=ref)
    return [
        (
            line.quantity,
            line.cancelled_quantity,
            line.shipped_quantity,
            line.returned_quantity,
            line.open_quantity,
        )
        for line in page.lines
    ]


def test_shipping_moves_units_and_no_credit_and_tells_the_dealer(tx):
    world = make_world(tx)
    order, ref = world.order()
    shipment = ship_order(tx, **shipping(world, ref))
    assert (shipment.number, shipment.shipped_on, shipment.carrier) == (1, AT.date(), "UPS")
    assert lines_of(world, ref) == [(10, 0, 10, 0, 0), (10, 0, 10, 0, 0), (1, 0, 1, 0, 0)]
    assert (order.state, credit(world)) == (OrderState.SHIPPED, CREDIT)
    assert any("21 units have shipped" in mail.subject for mail in tx.scalars(sa.select(OutgoingMail)))
    event = tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "order.shipped")).one()
    assert (event.subject, event.details["units"]) == (ref, 21)
    page = order_page(tx, viewer=world.dealer, ref=ref)
    assert [(row.units, row.tracking_number) for row in page.shipments] == [(21, "1Z999")]
    assert_sound(tx)


def test_an_order_ships_in_parts_and_what_is_left_is_cancelled(tx):
    world = make_world(tx)
    quote = world.approve()
    lights, trims, control = world.line_ids(quote)
    order, ref = world.order(quote)
    world.ship(ref, quantities={lights: 4})
    assert order.state is OrderState.PART_SHIPPED
    world.ship(ref, quantities={lights: 2, trims: 10, control: 1})
    assert order.state is OrderState.PART_SHIPPED
    cancel_order(tx, **cancelling(world, ref))
    assert lines_of(world, ref) == [(10, 4, 6, 0, 0), (10, 0, 10, 0, 0), (1, 0, 1, 0, 0)]
    assert (order.state, credit(world)) == (OrderState.SHIPPED, CREDIT - 4 * 41250)
    assert_sound(tx)


def test_what_has_shipped_is_not_cancelled(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, ref = world.order(quote, quantities={lights: 10})
    world.ship(ref, quantities={lights: 4})
    said = cancelling(world, ref, quantities={lights: 7})
    refusal = refused(tx, "already_shipped", cancel_order, **said)
    assert refusal.field == f"quantity-{lights}"
    assert "6 can be cancelled" in refusal.problems[0].message
    refused(tx, "exceeds_ordered_qty", cancel_order, **said | {"quantities": {lights: 11}})
    world.ship(ref)
    refused(tx, "already_shipped", cancel_order, **cancelling(world, ref))
    refused(tx, "already_shipped", ship_order, **shipping(world, ref))


def test_what_is_cancelled_does_not_ship(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, ref = world.order(quote, quantities={lights: 10})
    cancel_order(tx, **cancelling(world, ref, quantities={lights: 3}))
    for quantity in (8, -1, 10**9):
        said = shipping(world, ref, quantities={lights: quantity})
        assert refused(tx, "exceeds_ordered_qty", ship_order, **said).field == f"quantity-{lights}"
    cancel_order(tx, **cancelling(world, ref, idempotency_key="rest"))
    refused(tx, "already_cancelled", ship_order, **shipping(world, ref))


@pytest.mark.parametrize("days", [-1, 1, 20_000])
def test_nothing_ships_before_its_order_or_in_the_future(tx, days):
    world = make_world(tx)
    _, ref = world.order()
    day = date(2026, 5, 4) + timedelta(days=days)
    assert (
        refused(tx, "invalid_input", ship_order, **shipping(world, ref, shipped_on=day)).field == "shipped_on"
    )


def test_a_shipment_names_lines_of_the_order_and_a_key(tx):
    world = make_world(tx)
    quote = world.approve()
    lights, trims, _ = world.line_ids(quote)
    _, ref = world.order(quote, quantities={lights: 4})
    for line in (trims, uuid.uuid4()):
        refused(tx, "not_on_revision", ship_order, **shipping(world, ref, quantities={line: 1}))
    refused(tx, "empty_order", ship_order, **shipping(world, ref, quantities={}))
    refused(tx, "idempotency_key_missing", ship_order, **shipping(world, ref, idempotency_key=" "))


def test_same_key_and_body_is_the_same_shipment_and_another_body_is_refused(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, ref = world.order(quote, quantities={lights: 4})
    said = shipping(world, ref, quantities={lights: 4})
    first = ship_order(tx, **said)
    assert ship_order(tx, **said) is first
    other = {
        "quantities": {lights: 1},
        "carrier": "DHL",
        "tracking_number": "",
        "shipped_on": date(2026, 5, 3),
    }
    for part, value in other.items():
        refused(tx, "idempotency_key_reused", ship_order, **said | {part: value})
    assert tx.scalar(sa.select(sa.func.count()).select_from(Shipment)) == 1


def test_another_companys_order_does_not_ship_and_the_dealer_ships_nothing(tx):
    world = make_world(tx)
    _, ref = world.order()
    refused(tx, "not_found", ship_order, **shipping(world, ref, actor=make_account(tx, world.program)))
    company = tx.get_one(Company, world.account.company_id)
    for actor in (world.dealer, world.program, make_user(tx, company, Role.ACCOUNT_ADMIN)):
        refused(tx, "forbidden", ship_order, **shipping(world, ref, actor=actor))


@pytest.mark.parametrize("table", ["shipment", "shipment_line"])
def test_shipments_are_insert_only_in_the_database(tx, table):
    world = make_world(tx)
    _, ref = world.order()
    world.ship(ref)
    tx.commit()
    column = next(iter(sa.inspect({"shipment": Shipment, "shipment_line": ShipmentLine}[table]).columns)).name
    statements = [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"]
    if tx.get_bind().dialect.name == "sqlite":
        statements.append(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    for statement in statements:
        with pytest.raises(DBAPIError, match="append_only"):
            tx.execute(sa.text(statement))
        tx.rollback()


def test_the_database_lets_no_unit_ship_that_is_cancelled_or_shipped(tx):
    world = make_world(tx)
    quote = world.approve()
    lights = world.line_ids(quote)[0]
    _, ref = world.order(quote, quantities={lights: 4})
    world.ship(ref, quantities={lights: 3})
    tx.commit()
    row = tx.scalars(sa.select(ShipmentLine)).one()
    place = {"dealer_id": row.dealer_id, "order_id": row.order_id, "line_id": lights, "quantity": 2}
    shipment = tx.scalars(sa.select(Shipment)).one()
    copied = {column.key: getattr(shipment, column.key) for column in sa.inspect(Shipment).columns}
    tx.add(Shipment(**copied | {"number": 2, "idempotency_key": "by hand"}))
    tx.flush()
    with pytest.raises(DBAPIError, match="too_many"):
        tx.execute(sa.insert(ShipmentLine).values(**place, shipment_number=2))
    tx.rollback()
