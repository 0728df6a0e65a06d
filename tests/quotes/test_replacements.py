"""The page and the API by which failed units are replaced under warranty, and the order's page after it."""

import pytest
import sqlalchemy as sa

from quotes.models.replacements import Replacement
from referral.clock import now
from referral.db import read
from referral.queries.settings import today
from tests.factories import make_world, user_of
from tests.quotes.test_api import call, keyed  # noqa: F401 - a fixture
from tests.quotes.test_orders import FULL_CREDIT, credit_of

NOW = now()


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def ref(tx, world):
    """An order of everything, all shipped."""
    _, ref = world.order(world.approve(world.submit(at=NOW), at=NOW), at=NOW)
    world.ship(ref, at=NOW, shipped_on=read(today, NOW))
    return ref


def light_of(client):
    """The name of the first quantity field of the page."""
    names = [field.get("name") or "" for field in client.page.tree.iter("input")]
    return next(name for name in names if name.startswith("quantity-"))


def test_a_replacement_is_previewed_then_confirmed_and_both_sides_see_it(client, tx, world, ref):
    client.sign_in(user_of(tx, world.account)).get(f"/orders/{ref}")
    client.click("Replace failed units")
    light = light_of(client)
    shown = client.submit("Replace these", {light: "2", "reason": "Two flicker"}, status=200)
    assert "earns nothing, costs the dealer nothing, and needs no approval" in shown.text
    assert not tx.scalars(sa.select(Replacement)).all()
    shown = client.submit("Yes, replace 2 units")
    assert "Replacement 1 is ordered" in shown.text
    assert "Two flicker" in client.sign_in(user_of(tx, world.dealer)).get(f"/orders/{ref}").text
    assert credit_of(tx, world) == FULL_CREDIT
    client.get(f"/orders/{ref}/replace", status=403)


@pytest.mark.parametrize(
    "said,sentence",
    [
        ({}, "Choose at least one line that failed."),
        ({"quantity": "11"}, "10 of this line are on site."),
        ({"quantity": "1", "reason": ""}, "This is needed."),
    ],
)
def test_the_page_refuses_and_saves_nothing(client, tx, world, ref, said, sentence):
    client.sign_in(user_of(tx, world.account)).get(f"/orders/{ref}/replace")
    typed = {"reason": "Dark"} | said
    if "quantity" in typed:
        typed[light_of(client)] = typed.pop("quantity")
    assert sentence in client.submit("Replace these", typed, status=422).text
    assert not tx.scalars(sa.select(Replacement)).all()


def test_a_day_to_come_is_refused_beside_its_field(client, tx, world, ref):
    client.sign_in(user_of(tx, world.account)).get(f"/orders/{ref}/replace")
    said = {light_of(client): "1", "reason": "Dark", "failed_on": "2099-01-01"}
    client.submit("Replace these", said, status=200)
    assert "still to come" in client.submit("Yes, replace 1 unit", status=422).text
    assert not tx.scalars(sa.select(Replacement)).all()


def test_the_api_orders_a_replacement_once_per_key_and_shows_it(call, tx, world, ref):  # noqa: F811
    place = f"/orders/{ref}"
    line = call("account", "GET", place)["lines"][0]["line_id"]
    said = {"lines": [{"line_id": line, "quantity": 2}], "reason": "Dark"}
    made = call("account", "POST", f"{place}/replacements", said, 201, **keyed("w"))
    assert (made["order"], made["number"], made["failed_on"], made["key"]) == (ref, 1, None, "w")
    assert call("account", "POST", f"{place}/replacements", said, 201, **keyed("w")) == made
    (shown,) = call("dealer", "GET", place)["replacements"]
    assert (shown["units"], shown["reason"], shown["ordered_by"]) == (2, "Dark", world.account.name)
    for change, status, code in (
        ({"lines": []}, 422, "invalid_input"),
        ({"lines": None}, 422, "invalid_input"),
        ({"reason": ""}, 422, "reason_required"),
        ({"failed_on": "2099-01-01"}, 422, "invalid_input"),
        ({"lines": [{"line_id": line, "quantity": 11}]}, 409, "exceeds_returnable"),
    ):
        answer = call("account", "POST", f"{place}/replacements", said | change, status, **keyed("x"))
        assert answer["code"] == code
    call("dealer", "POST", f"{place}/replacements", said, 403, **keyed("x"))
    assert len(tx.scalars(sa.select(Replacement)).all()) == 1
