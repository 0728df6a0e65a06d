"""The doors of the catalogue: its pages, loading it, the API and the command line."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from referral.clock import now
from support.models.catalogue import CatalogueEntry
from support.queries.catalogue_pages import all_offers
from tests.factories import AT, make_catalogue, make_world, user_of
from tests.support.catalogue_files import BRONZE, as_bytes, as_catalogue, entry, only, shipped
from tests.tokens import token_of

LATER = AT + timedelta(days=1)


@pytest.fixture
def world(tx):
    """Give the usual ground, with the shipped catalogue."""
    ground = make_world(tx)
    make_catalogue(tx, ground.program)
    return ground


@pytest.fixture
def admin(tx, world, client):
    """Give the page client of the program's admin."""
    return client.sign_in(user_of(tx, world.program))


def count(tx):
    tx.expire_all()
    return tx.scalar(sa.select(sa.func.count()).select_from(CatalogueEntry))


def send(client, content, *, status=303, name="plans.json"):
    files = {"file": (io.BytesIO(content), name)}
    return client.post("/support/load", files, content_type="multipart/form-data", status=status)


def preview(client, content):
    return client.get(send(client, content).location)


def cells(page, heading):
    """The rows of the comparison under a heading, each as its words."""
    for body in page.tree.iter("tbody"):
        rows = [["".join(cell.itertext()).strip() for cell in row] for row in body.iter("tr")]
        if rows and rows[0] == [heading]:
            return rows[1:]
    return []


# reading ------------------------------------------------------------------------------------------


def test_everybody_sees_the_offers_side_by_side(tx, world, client):
    for viewer in (world.dealer, world.account, world.program):
        page = client.sign_in(user_of(tx, viewer)).get("/support/offers")
        rows = cells(page, "Plan features")
        assert len(rows) == 9
        assert rows[0] == ["100% Lutron labor coverage", *["●included"] * 4]
        assert rows[1] == ["100% parts", "–not granted", *["●included"] * 3]
        assert rows[2][1:] == ["visits a year as agreed", "–not granted", *["visits a year as agreed"] * 2]
        assert "1 to 5 whole years; only for Quantum systems" in page.text
        assert "only for licenses worth more than 100,000.00" in page.text
    assert "Load a catalogue" in page.text


def test_an_offer_is_a_chart_of_its_grants_with_its_versions(tx, world, client):
    said = shipped()
    entry(said, "offers", "silver")["grants"][5]["quota"]["amount"] = 4
    make_catalogue(tx, world.program, catalogue=as_catalogue(said), at=LATER, reason="Longer help")
    client.sign_in(user_of(tx, world.dealer))
    page = client.get("/support/offers/gold")
    assert "from Silver" in page.text
    assert "48-hour response (2 business days)" in page.text
    assert "4 hours a year" in page.text
    assert "It says the same itself: what it includes became new." in page.text
    assert "Customization on request" in page.text
    page = client.get("/support/offers/silver")
    assert "grants.remote-programming.quota.amount: 2 → 4" in page.text
    assert "Longer help" in page.text
    old = client.get("/support/offers/gold?version=1")
    assert "2 hours a year" in old.text
    assert "There is a newer version" in old.text
    assert "Version 1, replaced" in old.text


def test_a_package_says_its_requirements_schedules_and_limits(world, admin):
    page = admin.get("/support/offers/premium")
    assert "each at most 2 data validation exports, 1 submittal" in page.text
    assert "in Bellevue, WA" in page.text
    assert "6 months after yearly visit for a tune-up analysis of the software is done, remotely" in page.text
    assert "without it a call can be declined" in page.text
    page = admin.get("/support/offers/software-support")
    assert "Only as a part of other offers" in page.text


def test_a_calendar_shows_hours_closed_days_and_what_is_assumed(tx, world, admin):
    page = admin.get("/support/calendars")
    assert "Monday to Friday, 08:00–17:00" in page.text
    assert "America/Los_Angeles" in page.text
    page = admin.get("/support/calendars/site-hours")
    assert "Assumed, not said by the text" in page.text
    assert "That of the site" in page.text
    year = now().year
    assert "Thanksgiving Day" in page.text
    assert str(year) in page.text
    assert str(year + 1) in page.text
    assert "Silver" in page.text
    page = admin.get("/support/calendars/after-hours")
    assert "It has no closed days of its own" in page.text


def test_policies_are_said_in_plain_words(world, admin):
    text = admin.get("/support/policies").text
    assert (
        "Somebody is there, on site or remotely, within 1 business day after the call was opened. A pause holds it."
        in text
    )
    assert "Nothing is due by an instant." in text
    assert "every 2 hours from when the problem was confirmed until it is resolved. It never pauses." in text
    assert "It is a target: a miss is shown, and is no breach." in text
    assert "Opened outside the hours of the desk, priority 1 pages somebody at once." in text


@pytest.mark.parametrize(
    "address",
    [
        "/support/offers/tin", "/support/offers/site-hours", "/support/offers/silver?version=9", "/support/offers/silver?version=x",
        "/support/offers/silver?version=0", "/support/offers/silver?version=99999999999999999999", "/support/offers/%00",
        "/support/calendars/silver", "/support/calendars/site-hours?version=2", "/support/load/7", "/support/offers/" + "a" * 5000,
    ],
)  # fmt: skip
def test_what_is_not_there_is_answered_404(world, admin, address):
    admin.get(address, status=404)


def test_an_empty_catalogue_says_what_to_do(tx, client):
    ground = make_world(tx)
    page = client.sign_in(user_of(tx, ground.program)).get("/support/offers")
    assert "No offers yet" in page.text
    assert "Load a catalogue" in page.text
    for path in ("/support/calendars", "/support/policies"):
        assert "which the program loads" in client.get(path).text
    assert "has not loaded" in client.sign_in(user_of(tx, ground.dealer)).get("/support/offers").text


# loading ------------------------------------------------------------------------------------------


def test_a_file_is_previewed_then_loaded_with_a_reason(tx, world, admin):
    said = shipped()
    entry(said, "offers", "silver")["words"] = "Another word."
    said["offers"].append(BRONZE)
    before = count(tx)
    page = preview(admin, as_bytes(said))
    assert "plans.json" in page.text
    assert "→ Another word." in page.text
    assert "Everything: it was not there." in page.text
    assert "It includes silver, which becomes new." in page.text
    page = admin.submit("Load 4 new versions", {"reason": " "}, status=422)
    assert "This is needed." in page.text
    assert count(tx) == before, "nothing is loaded before it is confirmed"
    page = admin.submit("Load 4 new versions", {"reason": "Bronze plan"})
    assert "4 entries became new." in page.text
    assert "Bronze" in page.text
    assert count(tx) == before + 4
    assert "Nothing becomes new" in preview(admin, as_bytes(said)).text


def test_a_loaded_offer_is_built_from_at_once_without_any_code(tx, world, client):
    make_catalogue(tx, world.program, catalogue=as_catalogue(only(offers=[BRONZE])), at=LATER)
    world.refer()
    client.sign_in(user_of(tx, world.dealer)).get("/support/offers/bronze")
    page = client.click("Build an agreement")
    assert "Bronze" in page.text
    assert "Tea" in page.text


def test_the_shipped_file_is_taken_by_its_button(tx, client):
    ground = make_world(tx)
    client.sign_in(user_of(tx, ground.program)).get("/support/load")
    page = client.submit("Take the shipped file")
    assert "catalogue.json, as shipped" in page.text
    client.submit("Load 23 new versions", {"reason": "First"})
    assert count(tx) == 23
    assert len(all_offers(tx, at=now())) == 9


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "This is no JSON"),
        (b"", "Choose a file."),
        (
            as_bytes(only(offers=[BRONZE | {"calendar": "moon"}])),
            "offers[0].calendar: There is no calendar “moon”",
        ),
        (as_bytes(only(offers=[BRONZE | {"key": "<b>x</b>"}])), "offers[0].key: Use small letters"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_not_kept(tx, world, admin, content, words):
    before = count(tx)
    page = send(admin, content, status=422)
    assert words in page.text
    assert "Nothing was loaded." in page.text
    assert count(tx) == before


def test_what_was_previewed_is_what_is_loaded(tx, world, admin):
    page = preview(admin, as_bytes(only(offers=[BRONZE])))
    before = count(tx)
    page = admin.post(page.address, {"sha256": "0" * 64, "reason": "Now"}, status=409)
    assert "is not the one you previewed" in page.text
    assert count(tx) == before


def test_a_preview_that_another_load_overtook_is_refused_with_its_reasons(tx, world, admin):
    def load(*offers):
        make_catalogue(tx, world.program, catalogue=as_catalogue(only(offers=list(offers))), at=LATER)
        tx.commit()

    tin = BRONZE | {"key": "tin", "name": "Tin"}
    load(tin)
    page = preview(admin, as_bytes(only(offers=[BRONZE | {"includes": ["tin"]}])))
    assert "Load 1 new version" in page.text
    load(BRONZE, tin | {"includes": ["bronze"]})
    before = count(tx)
    sent = {"sha256": field_of(page, "sha256"), "reason": "Now"}
    page = admin.post(page.address, sent, status=422)
    assert "offers[0].includes[0]: An offer does not include itself." in page.text
    assert count(tx) == before


def field_of(page, name):
    return page.tree.find(f".//input[@name='{name}']").get("value")


def test_dealers_and_accounts_load_nothing(tx, world, client):
    for viewer in (world.dealer, world.account):
        client.sign_in(user_of(tx, viewer)).get("/support/load", status=403)
        send(client, as_bytes(only(offers=[BRONZE])), status=403)


# the API and the command line ---------------------------------------------------------------------


def test_the_api_lists_offers_and_calendars(tx, world, client):
    token = token_of(tx, world.dealer)
    tx.commit()
    offers = {each["key"]: each for each in client.api("GET", "/api/v1/offers", token=token).json["items"]}
    assert len(offers) == 9
    assert offers["custom"]["grants"][0]["quota"] == {"unit": "visit", "amount": None, "limits": []}
    assert offers["premium"]["above_cents"] == 10_000_000
    one = client.api("GET", "/api/v1/offers/gold", token=token).json
    assert one["offer"] == offers["gold"]
    assert [(each["version"], each["reason"]) for each in one["versions"]] == [(1, "First")]
    client.api("GET", "/api/v1/offers/tin", token=token, status=404)
    client.api("GET", "/api/v1/offers?page=2", token=token, status=422)
    calendars = client.api("GET", "/api/v1/service-calendars", token=token).json["items"]
    (site,) = [each for each in calendars if each["key"] == "site-hours"]
    assert (site["zone"], site["observed"]) == ("site", "nearest_weekday")
    assert {each["name"] for each in site["closed"]} >= {"Thanksgiving Day", "Labor Day"}


def test_the_command_line_loads_checks_and_lists(tx, app, tmp_path):
    world = make_world(tx)
    email = user_of(tx, world.program).email
    tx.commit()
    run = app.test_cli_runner().invoke
    assert "There are no offers yet" in run(args=["support", "offers"]).output
    checked = run(args=["support", "load", "--check"])
    assert "23 would become new, the file has 23. Nothing was loaded." in checked.output
    assert count(tx) == 0
    tx.commit()
    assert "reason_required" in run(args=["support", "load"]).output
    assert "23 became new" in run(args=["support", "load", "--reason", "First"]).output
    assert "0 became new" in run(args=["support", "load", "--reason", "First"]).output
    listed = run(args=["support", "offers", "--grants"]).output
    assert (
        "software-maintenance 1: Software Maintenance Agreement (4 grants, up to 60 months, whole years, only quantum)"
        in listed
    )
    assert "visits: Scheduled maintenance visits, visits a year as agreed" in listed
    assert "not sold by itself" in listed
    file = tmp_path / "more.json"
    file.write_bytes(as_bytes(only(offers=[BRONZE])))
    loaded = run(args=["support", "load", str(file), "--reason", "Bronze", "--as", email])
    assert "offer bronze 1: Bronze\n1 became new, the file has 1." in loaded.output
    wrong = run(args=["support", "load", str(file), "--reason", "Bronze", "--as", "nobody@nowhere.example"])
    assert "not_found" in wrong.output
    refused = run(args=["support", "load", str(file), "--reason", "x", "--as", world.dealer.email])
    assert (refused.exit_code, "forbidden" in refused.output) == (1, True)
    file.write_text(json.dumps(only(offers=[BRONZE | {"calendar": "moon", "policies": ["sun"]}])))
    refused = run(args=["support", "load", str(file), "--reason", "x"])
    assert refused.exit_code == 1
    assert "offers[0].policies[0]" in refused.output
    assert "catalogue_invalid" in refused.output
    assert count(tx) == 24
