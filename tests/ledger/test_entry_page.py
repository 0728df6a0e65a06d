"""Why a posting stands: on its page and in the API, with one click each way."""

from __future__ import annotations

import pytest

from ledger.operations.adjustments import adjust_credit
from ledger.operations.levels import set_levels
from ledger.rules.credit import LevelStep, exact_credit
from ledger.rules.digests import CHAIN_START
from quotes.operations.cancellations import cancel_order
from tests.factories import AT, make_dealer, make_world, user_of
from tests.tokens import token_of


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def order(world):
    """An order of ten lights and ten trims, of which four lights and then the rest of the lights are cancelled."""
    ref = world.approve()
    _, order_ref = world.order(ref)
    light = world.line_ids(ref)[0]
    for units, key in ((4, "c-1"), (6, "c-2")):
        cancel_order(
            world.tx,
            actor=world.account,
            at=AT,
            ref=order_ref,
            quantities={light: units},
            reason="Fewer rooms",
            idempotency_key=key,
        )
    return order_ref


def address(world, sequence):
    return f"/credit/{world.dealer.company_code}/2026/sales_credit/{sequence}"


def adjust(tx, world):
    return adjust_credit(
        tx, actor=world.program, at=AT, dealer_code=world.dealer.company_code, effective_on=AT.date(),
        amount_cents=-500, reason="Counted twice", idempotency_key="a",
    )  # fmt: skip


def test_an_orders_posting_says_everything_it_stands_on(client, tx, world, order):
    page = client.sign_in(user_of(tx, world.dealer)).get(address(world, 1))
    assert page.all(".//h1") == [f"Order {order}"]
    for said in (
        "10 × 412.50 × 1.0000 = 4,125.00", "10 × 33.33 × 1.0000 = 333.30", "D3-LIGHT", "version 1", "4,458.30",
        world.dealer.name, world.account.name, "-4,458.30", CHAIN_START, "Balance before",
    ):  # fmt: skip
        assert said in page.text, said
    assert "PROC-1" not in page.text, "what earns nothing is no reason"
    hrefs = {link.get("href") for link in page.tree.iter("a")}
    assert {f"/orders/{order}", "/prices/1", address(world, 2), address(world, 3)} <= hrefs


def test_a_cancellations_posting_says_what_was_posted_and_what_is_kept(client, tx, world, order):
    client.sign_in(user_of(tx, world.program))
    first = client.get(address(world, 2)).text
    assert (
        "4,125.00 posted so far − the credit of the 6 kept (6 × 412.50 × 1.0000 = 2,475.00) = 1,650.00 taken back"
        in first
    )
    second = client.get(address(world, 3)).text
    assert "2,475.00 posted so far − 0.00, for none is kept = 2,475.00 taken back" in second
    assert "Fewer rooms" in second


def test_one_click_leads_from_a_figure_to_its_posting_and_on_to_what_belongs_to_it(client, tx, world, order):
    client.sign_in(user_of(tx, world.dealer))
    client.get(f"/credit/{world.dealer.company_code}/2026")
    client.click("Why posting 2: -1,650.00")
    client.click(f"Order {order}, posting 1 of 2026")
    assert client.page.address.endswith(address(world, 1))
    assert client.page.all(".//nav[@class='pager']//a") == ["Posting 2 →"]
    client.click(f"Cancellation {order}, posting 2 of 2026")
    assert client.page.all(".//nav[@class='pager']//a") == ["← Posting 1", "Posting 3 →"]
    client.get(f"/orders/{order}")
    client.click(f"Order {order}, posting 1 of 2026")
    assert client.page.address.endswith(address(world, 1))
    client.click("The statement as known when this was posted")
    assert "Looking back" in client.page.text


def test_what_is_posted_by_hand_gives_its_reason_and_its_person(client, tx, world):
    adjust(tx, world)
    page = client.sign_in(user_of(tx, world.dealer)).get(address(world, 1))
    assert "Counted twice" in page.text
    assert world.program.name in page.text
    assert "Arithmetic" not in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/credit/{}/2026/sales_credit/2",
        "/credit/{}/2026/sales_credit/0",
        "/credit/{}/2026/sales_credit/99999999999999999999",
        "/credit/{}/2026/sales_credit/x",
        "/credit/{}/2026/issuance/1",
        "/credit/{}/2026/other_purchases/1",
        "/credit/{}/2025/sales_credit/1",
        "/credit/{}/99999/sales_credit/1",
        "/credit/NOBODY/2026/sales_credit/1",
        "/levels/2027/versions/2",
        "/levels/99999/versions/1",
    ],
)
def test_a_posting_that_is_none_is_not_found(client, tx, world, path):
    adjust(tx, world)
    client.sign_in(user_of(tx, world.dealer)).get(path.format(world.dealer.company_code), status=404)
    if "credit" in path:
        api = "/api/v1" + path.replace("/credit/", "/credits/").format(world.dealer.company_code)
        client.api("GET", api, token=token_of(tx, world.dealer), status=404)


def test_another_dealers_posting_does_not_exist_and_an_account_sees_none(client, tx, world, order):
    other = make_dealer(tx, world.program)
    client.sign_in(user_of(tx, other)).get(address(world, 1), status=404)
    client.sign_in(user_of(tx, world.account)).get(address(world, 1), status=403)
    api = f"/api/v1/credits/{world.dealer.company_code}/2026/sales_credit/1"
    client.api("GET", api, token=token_of(tx, other), status=404)
    client.api("GET", api, token=token_of(tx, world.account), status=403)


def test_the_api_explains_a_posting_as_its_page_does(client, tx, world, order):
    token = token_of(tx, world.dealer)
    base = f"/api/v1/credits/{world.dealer.company_code}/2026/sales_credit"
    first = client.api("GET", f"{base}/1", token=token).json
    assert first["own"]["balance_before"] == "0.00"
    assert first["own"]["amount"] == "4458.30"
    assert first["issuance"]["amount"] == "-4458.30"
    why = first["explanation"]
    assert (why["order"], why["price_list"], why["approved_by"]) == (order, 1, world.dealer.name)
    assert [line["formula"] for line in why["lines"]] == [
        "10 × 412.50 × 1.0000 = 4,125.00",
        "10 × 33.33 × 1.0000 = 333.30",
    ]
    assert sum(round(float(line["credit"]) * 100) for line in why["lines"]) == 445_830
    assert [each["sequence"] for each in first["taken_back_by"]] == [2, 3]
    second = client.api("GET", f"{base}/2", token=token).json
    assert second["own"]["previous_digest"] == first["own"]["digest"]
    assert second["issuance"]["previous_digest"] == first["issuance"]["digest"]
    assert second["takes_back"]["sequence"] == 1
    assert second["explanation"]["reason"] == "Fewer rooms"
    adjust(tx, world)
    by_hand = client.api("GET", f"{base}/4", token=token).json
    assert (by_hand["explanation"], by_hand["takes_back"], by_hand["taken_back_by"]) == (None, None, [])


def test_a_level_leads_to_the_version_of_its_thresholds(client, tx, world):
    for threshold in (1_000, 2_000):
        set_levels(
            tx, actor=world.program, at=AT, level_year=2027, reason="Agreed", source=f"Letter {threshold}",
            levels=[LevelStep("Bronze", 0), LevelStep("Silver", threshold)],
        )  # fmt: skip
    adjust(tx, world)
    client.sign_in(user_of(tx, world.dealer)).get(f"/credit/{world.dealer.company_code}/2026")
    page = client.click("Thresholds of 2027, version 2")
    assert "Letter 2000" in page.text
    assert "Letter 1000" in client.click("Version 1").text


def test_the_exact_product_keeps_every_decimal():
    assert exact_credit(41_250, 10, 10_000) == "4,125.00"
    assert exact_credit(3_333, 7, 9_999) == "233.286669"
    assert exact_credit(1, 1, 1, 1) == "0.000000000001"
    assert exact_credit(3_333, 3, 10_000, 731_200) == "73.112688"
