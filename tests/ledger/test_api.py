"""Credits and balances through the API: who sees which, and walking them."""

from __future__ import annotations

import pytest

from ledger.operations.adjustments import record_other_purchase
from ledger.operations.levels import set_levels
from ledger.rules.credit import LevelStep
from tests.factories import AT, World, make_dealer, make_world
from tests.tokens import token_of


@pytest.fixture
def two(tx):
    """A dealer with two orders and a purchase, and one with an order."""
    first = make_world(tx)
    first.order()
    first.order()
    record_other_purchase(
        tx,
        actor=first.program,
        at=AT,
        dealer_code=first.dealer.company_code,
        purchased_on=AT.date(),
        amount_cents=5,
        document="INV-1",
        reason="Invoice",
        idempotency_key="o",
    )
    number = "0048-9999"
    second = World(tx, first.program, make_dealer(tx, first.program, number=number), first.account, number)
    second.order()
    return first, second


def walk(client, token, path):
    rows, after = [], ""
    while True:
        page = client.api("GET", f"{path}{after}", token=token).json
        assert len(page["items"]) <= 1
        rows += page["items"]
        if page["next"] is None:
            return rows
        after = f"&after={page['next']}"


def test_credits_are_walked_posting_by_posting_over_all_dealers(client, tx, two):
    first, second = two
    rows = walk(client, token_of(tx, first.program), "/api/v1/credits?limit=1")
    assert [
        (row["account"]["dealer"], row["account"]["kind"], row["account"]["sequence"]) for row in rows
    ] == [
        (first.dealer.company_code, "other_purchases", 1),
        (first.dealer.company_code, "sales_credit", 1),
        (first.dealer.company_code, "sales_credit", 2),
        (second.dealer.company_code, "sales_credit", 1),
    ]
    assert [row["order"] is None for row in rows] == [True, False, False, False]
    assert rows[0]["amount"] == "0.05"
    assert (
        client.api("GET", "/api/v1/credits?year=2025", token=token_of(tx, first.program)).json["items"] == []
    )


def test_a_dealer_sees_its_own_credit_alone(client, tx, two):
    first, second = two
    token = token_of(tx, second.dealer)
    rows = client.api("GET", "/api/v1/credits", token=token).json["items"]
    assert {row["account"]["dealer"] for row in rows} == {second.dealer.company_code}
    (balance,) = client.api("GET", "/api/v1/balances?year=2026", token=token).json["items"]
    assert balance["dealer"] == second.dealer.company_code
    foreign = f"{first.dealer.company_code}.2026.sales_credit.1"
    client.api("GET", f"/api/v1/credits?after={foreign}", token=token, status=404)


def test_a_qualified_account_sees_no_credit(client, tx, two):
    token = token_of(tx, two[0].account)
    assert client.api("GET", "/api/v1/credits", token=token, status=403).json["code"] == "forbidden"
    assert client.api("GET", "/api/v1/balances", token=token, status=403).json["code"] == "forbidden"


def test_balances_say_the_level_they_give_and_what_is_missing(client, tx, two):
    first, _ = two
    steps = [LevelStep("Base", 0), LevelStep("Silver", 1_000_000)]
    set_levels(tx, actor=first.program, at=AT, level_year=2027, levels=steps, reason="First", source="")
    rows = walk(client, token_of(tx, first.program), "/api/v1/balances?year=2026&limit=1")
    assert [row["dealer"] for row in rows] == sorted(world.dealer.company_code for world in two)
    mine = next(row for row in rows if row["dealer"] == first.dealer.company_code)
    assert mine["total"] == "8916.65"
    assert (mine["sales_credit"], mine["other_purchases"]) == ("8916.60", "0.05")
    assert (mine["level_year"], mine["level"], mine["next_level"], mine["missing"]) == (
        2027,
        "Base",
        "Silver",
        "1083.35",
    )
