"""The doors of quotas, requirements, systems and entitlement: pages, API, command."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from referral.clock import now
from referral.operations.people import issue_api_token
from support.models.agreements import QuotaTopUp, QuotaUse, RequirementMark, SiteSystem
from support.queries.agreement_book import agreement_book
from tests.factories import everything, user_of
from tests.support.using import Using
from tests.warranty.test_source_page import statements

TODAY = now().date()
START = TODAY - timedelta(days=100)


@pytest.fixture
def using(tx):
    return Using.made(tx)


@pytest.fixture
def desk(using, tx, client):
    """The program's desk."""
    return client.sign_in(user_of(tx, using.world.program))


def rows(tx, table):
    return tx.scalar(sa.select(sa.func.count()).select_from(table))


def test_the_desk_records_a_use_and_takes_it_back(using, tx, desk):
    ref = using.agree("gold", starts_on=START)
    page = desk.get(f"/agreements/{ref}")
    assert "0 of 2 visits used, 2 left" in page.text
    desk.click("Record a use")
    desk.get(f"/agreements/{ref}/use?grant=visits")
    said = {"used_on": TODAY.isoformat(), "count": "3", "words": "Maintenance"}
    page = desk.submit("Record it", said)
    assert "Scheduled maintenance visits: 2 visits covered, 1 visit billable." in page.text
    assert "2 of 2 visits used, none left" in page.text
    desk.click("Take back the use of " + page_day())
    desk.submit("Take it back", {"reason": "Never came"})
    page = desk.get(f"/agreements/{ref}")
    assert "0 of 2 visits used" in page.text
    assert "Taken back Never came" in page.text


def page_day():
    return f"{TODAY.day} {TODAY:%b %Y}"


def test_a_refused_use_says_why_beside_its_field_and_saves_nothing(using, tx, desk):
    ref = using.agree("premium", license_cents=20_000_000, starts_on=START)
    desk.get(f"/agreements/{ref}/use?grant=registry-harvest")
    before = everything(tx)
    said = {"used_on": TODAY.isoformat(), "count": "1", "within-0": "3", "words": "Harvest"}
    page = desk.submit("Record it", said, status=409)
    assert "at most 2 data validation exports each time; 3 are asked" in page.text
    tx.expire_all()
    assert everything(tx) == before
    desk.submit("Record it", said | {"within-0": "2"})
    assert tx.scalars(sa.select(QuotaUse)).one().within == '{"data validation exports":2}'


def test_the_time_of_a_block_is_typed_in_hours_and_minutes(using, tx, desk):
    ref = using.agree("custom", choices={"remote-programming": 3}, starts_on=START)
    using.connect(since_on=START, at=now())
    desk.get(f"/agreements/{ref}/use?grant=remote-programming")
    said = {"used_on": TODAY.isoformat(), "hours": "5", "minutes": "0", "words": "New scenes"}
    desk.submit("Record it", said | {"hours": "", "minutes": ""}, status=422)
    page = desk.submit("Record it", said)
    assert "2 4-hour blocks (5 h)" in page.text
    assert rows(tx, QuotaUse) == 1


def test_the_desk_records_what_was_bought_more(using, tx, desk):
    ref = using.agree("silver", starts_on=START)
    desk.get(f"/agreements/{ref}/top-up")
    said = {
        "grant_key": "additional-days", "contract_year": "1", "amount": "1", "bought_on": TODAY.isoformat(),
        "net_cents": "900.00", "tax_basis_points": "8.25",
    }  # fmt: skip
    page = desk.submit("Add it", said)
    assert "0 of 1 visit used, 1 left" in page.text
    assert "1 visit of it bought more" in page.text
    bought = tx.scalars(sa.select(QuotaTopUp)).one()
    assert (bought.net_cents, bought.tax_basis_points, bought.tax_cents) == (90_000, 825, 7_425)


def test_a_requirement_is_marked_and_shown_with_its_day(using, tx, client):
    ref = using.agree("deluxe", starts_on=START)
    client.sign_in(user_of(tx, using.world.dealer))
    page = client.get(f"/agreements/{ref}")
    assert "7 requirements are not met" in page.text
    client.get(f"/agreements/{ref}/requirements/server-access")
    client.submit("Save", {"is_met": "yes", "since_on": TODAY.isoformat(), "words": "By VPN"})
    page = client.get(f"/agreements/{ref}")
    assert "6 requirements are not met" in page.text
    assert f"Since {page_day()}: By VPN" in page.text
    assert rows(tx, RequirementMark) == 1
    client.get(f"/agreements/{ref}/requirements/nothing", status=404)


def test_the_page_answers_whether_something_is_covered(using, tx, client):
    ref = using.agree("gold", starts_on=START)
    client.sign_in(user_of(tx, using.world.dealer))
    page = client.get(f"/agreements/{ref}/entitlement")
    assert "The answer" not in page.text
    page = client.get(f"/agreements/{ref}/entitlement?kind=visit")
    assert "Covered" in page.text
    assert "0 of 2 visits of the contract year" in page.text
    page = client.get(f"/agreements/{ref}/entitlement?kind=remote&grant_key=remote-diagnostics")
    assert "Not covered: billable" in page.text
    client.get(f"/agreements/{ref}/entitlement?kind=nonsense", status=404)
    client.get(f"/agreements/{ref}/entitlement?kind=parts&source_ref=U-NOBODY-1", status=422)


def test_the_api_says_and_takes_the_same(using, tx, client):
    ref = using.agree("gold", starts_on=START, months=24)
    _, token = issue_api_token(tx, user_id=using.world.program.user_id, at=now())
    api = f"/api/v1/agreements/{ref}"
    book = client.api("get", f"{api}/book", token=token).json
    assert [year["number"] for year in book["years"]] == [1, 2]
    said = {"grant_key": "visits", "used_on": TODAY.isoformat(), "asked": 1, "words": "Check"}
    for _ in range(2):
        book = client.api("post", f"{api}/uses", said, token=token, headers={"Idempotency-Key": "a"}).json
    meter = next(each for each in book["years"][0]["meters"] if each["grant_key"] == "visits")
    assert (meter["used"], meter["left"], len(book["uses"])) == (1, 1, 1)
    client.api("post", f"{api}/uses", said, token=token, status=422)
    book = client.api("post", f"{api}/uses/1/reversal", {"reason": "Wrong day"}, token=token).json
    assert book["uses"][0]["reversed_by"] == 2
    client.api("post", f"{api}/uses/{10**30}/reversal", {"reason": "Wrong"}, token=token, status=404)
    bought = {
        "grant_key": "visits", "contract_year": 2, "amount": 1, "bought_on": TODAY.isoformat(), "net": "900.00",
        "tax_basis_points": 825,
    }  # fmt: skip
    book = client.api("post", f"{api}/top-ups", bought, token=token, headers={"Idempotency-Key": "b"}).json
    assert (book["top_ups"][0]["net"], book["top_ups"][0]["tax"]) == ("900.00", "74.25")
    answer = client.api("get", f"{api}/entitlement?kind=visit&amount=3", token=token).json
    assert (answer["covered"], answer["billable"], answer["by"]["grant_key"]) == (2, 1, "visits")
    system = {"site_number": 1, "platform": "vive", "since_on": START.isoformat(), "is_there": True}
    found = client.api("post", f"/api/v1/projects/{using.project}/systems", system, token=token).json
    assert found["sites"][0]["systems"][0]["platform"] == "vive"
    assert rows(tx, SiteSystem) == 1


def test_the_command_prints_what_the_page_says(using, tx, app):
    ref = using.agree("gold", starts_on=START)
    tx.commit()
    run = app.test_cli_runner().invoke
    said = run(args=["support", "entitlement", ref, "--kind", "visit", "--amount", "3"])
    assert said.exit_code == 0, said.output
    assert said.output.startswith("Covered: 2 visits. Billable: 1 visit.\nWhy:\n  1. Gold")
    said = run(args=["support", "entitlement", "A-NOBODY-1", "--kind", "visit"])
    assert (said.exit_code, "not_found" in said.output) == (1, True)


def test_the_book_takes_as_many_statements_for_many_uses_as_for_one(using, tx):
    ref = using.agree("gold", starts_on=START)
    viewer = using.world.dealer
    using.use(ref, "visits", 1, used_on=TODAY, at=now())

    def book():
        return agreement_book(tx, viewer=viewer, at=now(), ref=ref)

    few = statements(tx, book)
    for _ in range(5):
        using.use(ref, "visits", 1, used_on=TODAY, at=now())
        using.top_up(ref, "visits", bought_on=TODAY, at=now())
    assert statements(tx, book) == few
