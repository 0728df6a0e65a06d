"""The pages on which shipments and returns are recorded, and the order's page that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from quotes.models.returns import OrderReturn
from quotes.models.shipments import Shipment
from referral.clock import now
from referral.db import read
from referral.queries.settings import today
from tests.factories import make_account, make_world, user_of
from tests.quotes.test_orders import FULL_CREDIT, credit_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.factories import World
    from tests.pages import PageClient

NOW = now()


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def quote(world: World) -> str:
    """An approved quote."""
    return world.approve(world.submit(at=NOW), at=NOW)


@pytest.fixture
def ref(world: World, quote: str) -> str:
    """An order of all of it."""
    return world.order(quote, at=NOW)[1]


def day(tx: Session) -> str:
    return read(today, NOW).isoformat()


# shipping ---------------------------------------------------------------------------------------


def test_ship_order_is_filled_with_all_that_is_left_and_moves_no_credit(
    client: PageClient, tx: Session, world: World, quote: str, ref: str
) -> None:
    light = world.line_ids(quote)[0]
    client.sign_in(user_of(tx, world.account)).get(f"/orders/{ref}/ship")
    said = {f"quantity-{light}": "4", "shipped_on": day(tx), "carrier": "UPS", "tracking_number": "1Z9"}
    shown = client.submit("Record the shipment", said)
    assert "Shipment 1 is recorded" in shown.text
    assert "15 of 21" in shown.text
    assert "6 still to ship" in shown.text
    assert "1Z9" in shown.text
    assert credit_of(tx, world) == FULL_CREDIT
    page = client.get(f"/orders/{ref}/ship")
    values = {field.get("name"): field.get("value") for field in page.tree.iter("input")}
    assert values[f"quantity-{light}"] == "6"
    client.submit("Record the shipment", {"shipped_on": day(tx)})
    client.get(f"/orders/{ref}/ship", status=409)
    client.get(f"/orders/{ref}/cancel", status=409)


@pytest.mark.parametrize(
    "said,status,sentence",
    [
        ({"quantity": "11"}, 409, "10 are left of this line."),
        ({"quantity": "1e9"}, 422, "Type a whole number"),
        ({"quantity": "0"}, 422, "Choose at least one line"),
        ({"shipped_on": ""}, 422, "This is needed."),
        ({"shipped_on": "2001-01-01"}, 422, "The order was entered on"),
        ({"shipped_on": "2099-01-01"}, 422, "still to come"),
        ({"carrier": "x" * 100}, 422, "60"),
    ],
)
def test_ship_order_refuses_and_saves_nothing(
    client: PageClient,
    tx: Session,
    world: World,
    quote: str,
    ref: str,
    said: dict[str, str],
    status: int,
    sentence: str,
) -> None:
    body = {"shipped_on": day(tx), "quantity": "1", "idempotency_key": "k"} | said
    body[f"quantity-{world.line_ids(quote)[0]}"] = body.pop("quantity")
    client.sign_in(user_of(tx, world.account))
    page = client.post(f"/orders/{ref}/ship", body, status=status)
    assert "Nothing was saved" in page.text
    assert sentence in page.text
    assert tx.scalars(sa.select(Shipment)).all() == []


def test_a_double_click_records_one_shipment(
    client: PageClient, tx: Session, world: World, quote: str, ref: str
) -> None:
    light = world.line_ids(quote)[0]
    said = {f"quantity-{light}": "4", "shipped_on": day(tx), "idempotency_key": "once"}
    client.sign_in(user_of(tx, world.account))
    for _ in range(2):
        client.post(f"/orders/{ref}/ship", said)
    assert len(tx.scalars(sa.select(Shipment)).all()) == 1


# returning --------------------------------------------------------------------------------------


def test_return_order_says_the_effect_first_and_then_takes_the_credit_back(
    client: PageClient, tx: Session, world: World, quote: str, ref: str
) -> None:
    world.ship(ref, at=NOW, shipped_on=read(today, NOW))
    light = world.line_ids(quote)[0]
    client.sign_in(user_of(tx, world.account)).get(f"/orders/{ref}/return")
    said = {f"quantity-{light}": "3", "reason": "damaged", "words": "Wet"}
    page = client.submit("Return these", said, status=200)
    assert f"loses $1,237.50 of the sales credit of {NOW.year}" in page.text
    assert "Damaged on arrival: Wet" in page.text
    assert tx.scalars(sa.select(OrderReturn)).all() == []
    shown = client.submit("Yes, return 3 units")
    assert credit_of(tx, world) == FULL_CREDIT - 3 * 41250
    assert "Partly returned" in shown.text
    assert "Damaged on arrival: Wet" in shown.text
    client.get(f"/orders/{ref}/return")
    client.submit("Return everything shipped", {"reason": "not_needed"}, status=200)
    client.submit("Yes, return 18 units")
    assert credit_of(tx, world) == 0
    client.get(f"/orders/{ref}/return", status=409)
    page = client.sign_in(user_of(tx, world.dealer)).get(f"/orders/{ref}")
    assert "$4,458.30" not in page.all(".//div[@class='stats']")[0]
    statement = client.get(f"/credit/{world.dealer.company_code}/{NOW.year}")
    assert statement.text.count("Return, takes back") == 2


@pytest.mark.parametrize(
    "said,button,status",
    [
        ({"reason": ""}, "return_these", 422),
        ({"reason": "theft"}, "confirm", 422),
        ({"reason": "other", "words": ""}, "return_these", 422),
        ({"reason": "other", "words": ""}, "confirm", 422),
        ({"quantity": ""}, "return_these", 422),
        ({"quantity": "11"}, "return_these", 422),
        ({"quantity": "11"}, "confirm", 409),
        ({"quantity": "-1"}, "confirm", 422),
        ({"words": "x" * 10_000}, "confirm", 422),
    ],
)
def test_return_order_refuses_and_saves_nothing(
    client: PageClient,
    tx: Session,
    world: World,
    quote: str,
    ref: str,
    said: dict[str, str],
    button: str,
    status: int,
) -> None:
    world.ship(ref, at=NOW, shipped_on=read(today, NOW))
    body = {"reason": "damaged", "words": "", "quantity": "1", "idempotency_key": "k", button: "1"} | said
    body[f"quantity-{world.line_ids(quote)[0]}"] = body.pop("quantity")
    client.sign_in(user_of(tx, world.account))
    assert "Nothing was saved" in client.post(f"/orders/{ref}/return", body, status=status).text
    assert tx.scalars(sa.select(OrderReturn)).all() == []
    assert credit_of(tx, world) == FULL_CREDIT


def test_nothing_is_returned_of_what_has_not_shipped(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    client.sign_in(user_of(tx, world.account))
    assert "Record a return" not in client.get(f"/orders/{ref}").text
    assert "exceeds_returnable" in client.get(f"/orders/{ref}/return", status=409).text


def test_only_the_account_of_the_order_ships_and_returns(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    for viewer, status in ((world.dealer, 403), (world.program, 403), (make_account(tx, world.program), 404)):
        client.sign_in(user_of(tx, viewer))
        for verb in ("ship", "return"):
            client.get(f"/orders/{ref}/{verb}", status=status)
    assert "Record a shipment" not in client.sign_in(user_of(tx, world.dealer)).get(f"/orders/{ref}").text
