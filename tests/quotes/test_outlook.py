"""What a dealer's year may come to: posted, approved and not ordered, waiting for approval."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ledger.operations.levels import set_levels
from ledger.queries.projection import projection
from ledger.rules.credit import LevelStep
from quotes.operations.quotes import LineInput, start_quote, start_revision
from quotes.operations.recalls import recall_prices
from quotes.queries.outlook import credit_outlook
from referral.clock import now
from tests.factories import make_dealer, make_world, user_of
from tests.tokens import token_of

NOW = now()
FULL = 10 * 41_250 + 10 * 3_333
"""The credit of the usual quote, in cents."""


@pytest.fixture
def world(tx):
    world = make_world(tx)
    set_levels(
        tx, actor=world.program, at=NOW, level_year=NOW.year + 1, reason="Agreed", source="Letter",
        levels=[LevelStep("Bronze", 0), LevelStep("Silver", FULL), LevelStep("Gold", 3 * FULL)],
    )  # fmt: skip
    return world


def stages(tx, world, year=NOW.year):
    found = projection(
        tx,
        viewer=world.dealer,
        at=NOW,
        dealer_code=world.dealer.company_code,
        program_year=year,
        outlook=credit_outlook,
    )
    return {stage.name: stage for stage in found.stages}


def approved(world):
    return world.approve(world.submit(at=NOW), at=NOW)


def test_each_step_adds_to_the_one_before_and_has_its_level(tx, world):
    world.order(approved(world), at=NOW)
    partly = approved(world)
    light = world.line_ids(partly)[0]
    world.order(partly, at=NOW, quantities={light: 4})
    world.submit(at=NOW)
    found = stages(tx, world)
    posted, committed, forecast = found["posted"], found["committed"], found["forecast"]
    assert posted.total_cents == FULL + 4 * 41_250
    assert (posted.standing.level.name, posted.standing.next_level.name) == ("Silver", "Gold")
    assert committed.added_cents == FULL - 4 * 41_250, "net of what is ordered"
    assert (committed.total_cents, committed.standing.missing_cents) == (2 * FULL, FULL)
    assert (forecast.added_cents, forecast.total_cents) == (FULL, 3 * FULL)
    assert (forecast.standing.level.name, forecast.standing.missing_cents) == ("Gold", 0)
    assert (committed.quotes, forecast.quotes) == (1, 1)
    assert committed.days_left == min(30, posted.days_left)


def test_what_has_expired_or_was_decided_otherwise_is_no_prospect(tx, world):
    world.submit(at=NOW - timedelta(days=40))
    found = stages(tx, world)
    assert [stage.added_cents for stage in found.values()] == [0, 0, 0]
    assert found["forecast"].valid_until is None


def test_a_waiting_revision_of_an_approved_quote_adds_only_what_it_changes(tx, world):
    ref = approved(world)
    start_revision(tx, actor=world.account, at=NOW, ref=ref)
    world.save(ref, revision=2, at=NOW, lines=[LineInput("D3-LIGHT", 12, "Kitchen")])
    world.submit(ref, revision=2, at=NOW)
    found = stages(tx, world)
    assert found["committed"].added_cents == FULL
    assert found["forecast"].added_cents == 12 * 41_250 - FULL
    assert found["forecast"].total_cents == 12 * 41_250


def test_what_earns_nothing_is_in_no_step(tx, world):
    _, ref = start_quote(tx, actor=world.account, at=NOW, referral_ref=world.refer(at=NOW))
    world.save(ref, at=NOW, lines=[LineInput("PROC-1", 3, "Equipment")])
    world.submit(ref, at=NOW)
    assert stages(tx, world)["forecast"].added_cents == 0


def test_the_years_before_have_no_prospects(tx, world):
    approved(world)
    found = stages(tx, world, NOW.year - 1)
    assert [stage.added_cents for stage in found.values()] == [0, 0, 0]
    assert found["posted"].days_left == 0


def test_the_pages_and_the_api_show_one_projection(client, tx, world):
    world.order(approved(world), at=NOW)
    approved(world)
    other = make_dealer(tx, world.program)
    code = world.dealer.company_code
    api = f"/api/v1/balances/{code}/{NOW.year}/projection"
    answer = client.api("GET", api, token=token_of(tx, world.dealer)).json
    assert [stage["total"] for stage in answer["stages"]] == ["4458.30", "8916.60", "8916.60"]
    assert [stage["level"] for stage in answer["stages"]] == ["Silver", "Silver", "Silver"]
    assert answer["stages"][1]["missing"] == "4458.30"
    client.api("GET", api, token=token_of(tx, other), status=404)
    client.api("GET", api, token=token_of(tx, world.account), status=403)
    for viewer, address in (
        (world.dealer, "/credit"),
        (world.program, f"/credit?year={NOW.year}&dealer={code}"),
    ):
        page = client.sign_in(user_of(tx, viewer)).get(address)
        row = next(text for text in page.all(".//tbody/tr") if text.startswith("Approved, not ordered"))
        assert "4,458.30 8,916.60 Silver 4,458.30 to Gold" in row
    assert f"What {NOW.year} may come to" not in client.get(f"/credit?year={NOW.year}").text


def test_what_stands_at_a_recalled_price_is_not_committed_and_the_start_page_says_so(client, tx, world):
    ref = approved(world)
    recall_prices(
        tx, actor=world.program, at=NOW, version=1, model_numbers=["D3-LIGHT"], reason="Typed wrongly"
    )
    assert stages(tx, world)["committed"].added_cents == FULL - 10 * 41_250
    page = client.sign_in(user_of(tx, world.dealer)).get("/")
    row = next(text for text in page.all(".//tbody/tr") if text.startswith(ref))
    assert "Price recalled 10 units are not in the amount" in row
