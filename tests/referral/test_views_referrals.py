"""Referral pages: opening, answering, what each side sees."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from referral.clock import now
from referral.db import read
from referral.models import Referral
from referral.operations.referrals import open_referral
from referral.permissions import CompanyKind, Role
from tests.factories import (
    everything,
    make_account,
    make_company,
    make_dealer,
    make_user,
    make_world,
    user_of,
)

REFERRAL = {
    "project_name": "Marsh residence",
    "place": "Camden, ME",
    "spaces": "Kitchen\r\nStairs",
    "wanted_on": "",
    "client_name": "Edith Marsh",
    "client_contact": "marsh@client.example",
    "is_suitable": "y",
}


@pytest.fixture
def world(tx):
    return make_world(tx)


def opened(world, **overrides):
    said = REFERRAL | {"wanted_on": None, "client_shared": False, "is_suitable": True} | overrides
    referral = open_referral(
        world.tx, actor=world.dealer, at=now(), account_code=world.account.company_code, **said
    )
    world.tx.flush()
    return f"/referrals/R-{world.dealer.company_code}-{referral.number}"


def refuses(tx, client, path, said, status):
    tx.commit()
    before = read(everything)
    page = client.post(path, said, status=status)
    assert read(everything) == before
    return page


def test_a_dealer_opens_a_referral_and_the_account_accepts_it(client, tx, world):
    client.sign_in(user_of(tx, world.dealer)).get("/referrals")
    client.click("Refer a project")
    page = client.submit("Refer this project", REFERRAL | {"account_code": world.account.company_code})
    assert "Marsh residence" in page.text
    theirs = client.other().sign_in(user_of(tx, world.account))
    assert "Waiting for you" in theirs.get("/referrals").text
    theirs.get(page.address)
    assert "Start the quote" in theirs.submit("Accept the project").text
    assert "Start the quote" not in client.get(page.address).text


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"is_suitable": ""}, 422, "Confirm every statement"),
        ({"account_code": "NOSUCH"}, 409, "not Ketra qualified"),
        ({"account_code": "\x00"}, 409, "not Ketra qualified"),
        ({"account_code": ""}, 422, "Choose an account"),
        ({"project_name": " "}, 422, "This is needed"),
        ({"project_name": "x" * 10_000}, 422, "longer than"),
        ({"spaces": "\x00"}, 422, "This is needed"),
        ({"wanted_on": "1e9"}, 422, "valid date"),
    ],
)
def test_open_referral_refuses(client, tx, world, change, status, says):
    client.sign_in(user_of(tx, world.dealer))
    said = REFERRAL | {"account_code": world.account.company_code} | change
    if not said["is_suitable"]:
        del said["is_suitable"]
    assert says in refuses(tx, client, "/referrals/new", said, status).text


def test_open_referral_refuses_a_project_that_is_open_already(client, tx, world):
    opened(world)
    client.sign_in(user_of(tx, world.dealer))
    said = REFERRAL | {"account_code": world.account.company_code, "project_name": "MARSH  residence"}
    assert "already has an open referral" in refuses(tx, client, "/referrals/new", said, 409).text


def test_open_referral_offers_only_who_is_qualified_today(client, tx, world):
    gone = make_account(tx, world.program, qualified_to=date(2026, 1, 1), name="Gone Lighting")
    page = client.sign_in(user_of(tx, world.dealer)).get("/referrals/new")
    assert "Gone Lighting" not in page.text
    said = REFERRAL | {"account_code": gone.company_code}
    refuses(tx, client, "/referrals/new", said, 409)


@pytest.mark.parametrize(("verb", "side"), [("refuse", "account"), ("withdraw", "dealer")])
def test_an_answer_needs_a_reason_and_is_given_once(client, tx, world, verb, side):
    path = opened(world)
    client.sign_in(user_of(tx, getattr(world, side))).get(f"{path}/{verb}")
    refuses(tx, client, f"{path}/{verb}", {"reason": " \x00 "}, 422)
    button = {"refuse": "Refuse the project", "withdraw": "Withdraw the referral"}[verb]
    client.get(f"{path}/{verb}")
    assert "No room <b>" in client.submit(button, {"reason": "No room <b>"}).text
    refuses(tx, client, f"{path}/{verb}", {"reason": "Again"}, 409)
    client.get(f"{path}/{verb}", status=409)


def test_neither_side_answers_for_the_other(client, tx, world):
    path = opened(world)
    client.sign_in(user_of(tx, world.dealer))
    for verb in ("accept", "refuse"):
        refuses(tx, client, f"{path}/{verb}", {"reason": "So"}, 403)
    client.sign_in(user_of(tx, world.account))
    refuses(tx, client, f"{path}/withdraw", {"reason": "So"}, 403)


def test_the_client_is_seen_by_the_account_as_far_as_the_dealer_allows(client, tx, world):
    hidden, shown = opened(world), opened(world, project_name="Other", client_shared=True)
    client.sign_in(user_of(tx, world.account))
    assert "Edith Marsh" not in client.get(hidden).html
    assert "Edith Marsh" in client.get(shown).text
    assert "Edith Marsh" in client.sign_in(user_of(tx, world.dealer)).get(hidden).text


def test_referrals_of_other_companies_do_not_exist(client, tx, world):
    path = opened(world)
    for stranger in (make_dealer(tx, world.program), make_account(tx, world.program)):
        client.sign_in(user_of(tx, stranger))
        assert "Marsh" not in client.get("/referrals").text
        client.get(path, status=404)
        for verb in ("accept", "refuse", "withdraw"):
            assert client.post(f"{path}/{verb}", {"reason": "So"}, status=None).status in {403, 404}
    assert tx.scalar(sa.select(Referral.state)) == "open"


def test_the_list_is_narrowed_by_the_address(client, tx, world):
    opened(world)
    client.sign_in(user_of(tx, world.dealer))
    assert client.get("/referrals?state=open").all(".//tbody/tr/td[1]") == ["Marsh residence"]
    assert "No referral fits" in client.get("/referrals?state=refused").text
    for query in ("state=nonsense", "after=nonsense", "state=open%00"):
        client.get(f"/referrals?{query}", status=404)
    for ref in ("R-1", "R-NOSUCH-1", f"R-{world.dealer.company_code}-99", "Q-A-1", "😀"):
        client.get(f"/referrals/{ref}", status=404)


def test_a_viewer_reads_and_is_offered_nothing(client, tx, world):
    path = opened(world)
    viewer = make_user(
        tx,
        tx.get_one(type(make_company(tx, CompanyKind.DEALER)), world.account.company_id),
        Role.ACCOUNT_VIEWER,
    )
    page = client.sign_in(user_of(tx, viewer)).get(path)
    assert "Accept" not in page.text
