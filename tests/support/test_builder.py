"""The builder and the pages of an agreement: one form made of the offer, with what it grants beside it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from referral.clock import now
from referral.db import db, read
from referral.models import Company
from referral.permissions import Role
from referral.queries.settings import today
from support.models.agreements import Agreement
from support.operations.agreements import build_agreement
from tests.factories import (
    make_account,
    make_agreement,
    make_catalogue,
    make_dealer,
    make_user,
    make_world,
    user_of,
)
from tests.quotes.test_api import call, keyed  # noqa: F401 - a fixture
from tests.support.test_agreements import make_world_beside

CHARTS = {
    "Troubleshooting and diagnostic services": 4,
    "Optional onsite utility days": 4,
    "Optional remote services": 3,
    "Parts coverage options": 4,
    "Additional service options": 4,
}
PAGE = "/agreements/new?offer=custom"


@pytest.fixture
def world(tx):
    made = make_world(tx)
    make_catalogue(tx, made.program)
    return made


@pytest.fixture
def site(world):
    return f"{world.refer()}/1"


@pytest.fixture
def dealer(world, client, tx):
    return client.sign_in(user_of(tx, world.dealer))


def row(page, key, cell):
    """The name of a cell of a grant's row."""
    found = [each.get("name", "") for each in page.tree.iter("input") if each.get("value") == key]
    assert len(found) == 1, key
    return found[0].replace("-key", f"-{cell}")


def rows(tx):
    tx.expire_all()
    return tx.scalars(sa.select(Agreement).order_by(Agreement.number)).all()


# the form ---------------------------------------------------------------------------------------


def test_the_custom_plan_is_one_form_of_its_charts(dealer, site):
    page = dealer.get(PAGE)
    legends = page.all(".//fieldset/legend")
    assert legends[: len(CHARTS) + 1] == ["Sites", *CHARTS]
    counted = [each for each in page.tree.iter("input") if (each.get("name") or "").endswith("-count")]
    assert len(counted) == sum(list(CHARTS.values())[:3])
    assert site in page.text


def test_an_agreement_is_built_priced_and_accepted_over_its_pages(tx, dealer, world, site):
    page = dealer.get(PAGE)
    first = read(today, now()) + timedelta(days=3)
    said = {
        "customer": "Edith Marsh", "sites": [site], "starts_on": first.isoformat(), "months": "18",
        row(page, "response-48h", "count"): "2", row(page, "response-72h", "is_unlimited"): "y",
        row(page, "parts-ketra", "is_ticked"): "y",
    }  # fmt: skip
    shown = dealer.post(PAGE, sent(page, said))
    (agreement,) = rows(tx)
    address = f"/agreements/A-{world.dealer.company_code}-{agreement.number}"
    assert shown.location == address
    page = dealer.get(address)
    assert "48-hour (2 business days): 2 visits a contract year" in page.text
    assert "72-hour (3 business days): unlimited" in page.text
    assert "The program states its prices next" in page.text
    program = dealer.other().sign_in(user_of(tx, world.program))
    page = program.get(address)
    page = program.click("State the prices")
    page = program.submit(
        "Offer it to the dealer", {"net_cents-0": "1,200.05", "net_cents-1": "600", "tax_rate": "8.25"}
    )
    assert "To be accepted" in page.text
    dealer.get(address)
    page = dealer.click("Read and accept")
    for amount in ("1,200.05", "99.00", "600.00", "49.50", "1,948.55"):
        assert amount in page.text, amount
    page = dealer.submit("Accept the agreement", {"typed_name": world.dealer.name}, status=422)
    assert "Accept the standard terms and conditions first." in page.text
    page = dealer.submit("Accept the agreement", {"is_accepted": "y", "typed_name": "Somebody"}, status=422)
    assert "Type your own name" in page.text
    page = dealer.submit("Accept the agreement", {"is_accepted": "y", "typed_name": world.dealer.name})
    assert f"by {world.dealer.name}" in page.text
    assert str(rows(tx)[0].terms_digest) in page.text


def sent(page, said):
    """The builder's form as it stands, with what is said."""
    (form,) = (each for each in page.tree.iter("form") if each.get("id") == "builder")
    filled = {}
    for element in form.iter():
        name = element.get("name")
        if element.tag == "input" and name and element.get("type") != "checkbox" and name != "csrf_token":
            filled[name] = element.get("value", "")
        elif element.tag == "input" and name and "checked" in element.attrib:
            filled.setdefault(name, []).append(element.get("value", "y"))
    return filled | said


def test_what_is_typed_is_shown_in_words_without_javascript_and_nothing_is_saved(tx, dealer, site):
    page = dealer.get(PAGE)
    said = sent(page, {row(page, "response-24h", "count"): "3", "sites": [site], "action": "grants"})
    page = dealer.post(PAGE, said, status=200)
    assert "24-hour (next business day): 3 visits a contract year" in page.text
    assert rows(tx) == []


def test_the_live_part_says_what_is_granted_and_what_stands_against_it(tx, dealer, site):
    page = dealer.get("/agreements/new?offer=software-maintenance")
    said = sent(page, {"sites": [site], "months": "72"})
    part = dealer.post(
        "/agreements/grants?offer=software-maintenance", said, status=200, headers={"HX-Request": "true"}
    )
    assert "sold for at most 5 years" in part.text
    assert "for Quantum systems, and none is recorded" in part.text
    assert "Quantum license upgrade fee waiver" in part.text
    assert rows(tx) == []


def test_a_count_that_has_to_be_said_is_asked_for_beside_its_grant(tx, dealer, site):
    page = dealer.get("/agreements/new?offer=gold")
    said = sent(page, {"customer": "E", "sites": [site]})
    page = dealer.post("/agreements/new?offer=gold", said, status=422)
    assert "Say how many a contract year; 0 is none." in page.text
    page = dealer.post(
        "/agreements/new?offer=gold", said | {row(page, "visits", "count"): "1000"}, status=422
    )
    assert "Type a whole number from 0 to 999." in page.text
    assert rows(tx) == []


def test_a_draft_somebody_else_changed_is_not_saved_over(tx, dealer, world, site):
    ref = draft(tx, world, site)
    page = dealer.get(f"{ref}/edit")
    said = sent(page, {"customer": "Mine"})
    dealer.post(f"{ref}/edit", said | {"customer": "Theirs"})
    page = dealer.post(f"{ref}/edit", said, status=409)
    assert "Someone else changed this agreement" in page.text
    assert [each.customer for each in rows(tx)] == ["Theirs"]


def draft(tx, world, site, **overrides):
    """The address of a draft made now."""
    made = make_agreement(
        world, offer_key="custom", sites=[site], choices={"response-48h": 2, "parts-ketra": True},
        until="draft", at=now(), starts_on=read(today, now()), **overrides,
    )  # fmt: skip
    tx.flush()
    return f"/agreements/A-{world.dealer.company_code}-{made.number}"


def test_a_draft_is_changed_with_what_it_says_filled_in(tx, dealer, world, site):
    ref = draft(tx, world, site)
    page = dealer.get(f"{ref}/edit")
    filled = sent(page, {})
    assert filled[row(page, "response-48h", "count")] == "2"
    assert filled["sites"] == [site]
    dealer.post(f"{ref}/edit", filled | {"months": "24"})
    assert rows(tx)[0].months == 24


def test_the_program_chooses_the_dealer_first(tx, client, world, site):
    other = make_dealer(tx, world.program)
    program = client.sign_in(user_of(tx, world.program))
    page = program.get(PAGE)
    assert "For which dealer?" in page.text
    page = program.get(f"{PAGE}&dealer={world.dealer.company_code}")
    assert site in page.text
    assert site not in program.get(f"{PAGE}&dealer={other.company_code}").text
    program.get(f"{PAGE}&dealer=NOBODY", status=404)


def test_an_unknown_offer_and_other_companies_agreements_are_not_there(tx, client, world, site):
    ref = draft(tx, world, site)
    dealer = client.sign_in(user_of(tx, world.dealer))
    for key in ("no-such-offer", "software-support", "<b>"):
        dealer.get(f"/agreements/new?offer={key}", status=404)
        dealer.post(f"/agreements/grants?offer={key}", {}, status=404)
    assert dealer.get("/agreements/new", status=303).location == "/support/offers"
    for stranger in (make_dealer(tx, world.program), make_account(tx, world.program)):
        other = client.other().sign_in(user_of(tx, stranger))
        other.get(ref, status=404)
        other.get(f"{ref}/edit", status=404)
        other.post(f"/agreements/grants?ref={ref.rpartition('/')[2]}", {}, status=404)
        other.post(f"{ref}/withdraw", {"reason": "Mine"}, status=404)


def test_a_site_of_another_dealer_cannot_be_chosen(tx, dealer, world, site):
    theirs = make_world_beside(tx, world)
    page = dealer.get(PAGE)
    assert theirs not in page.text
    said = sent(page, {"customer": "E", "sites": [theirs], row(page, "response-48h", "count"): "1"})
    dealer.post(PAGE, said, status=422)
    assert rows(tx) == []


def test_a_renewal_that_leaves_a_gap_is_warned_of_and_confirmed(tx, dealer, world, site):
    day = read(today, now())
    made = make_agreement(
        world,
        offer_key="custom",
        sites=[site],
        choices={"parts-ketra": True},
        at=now(),
        starts_on=day,
        months=1,
    )
    ref = f"/agreements/A-{world.dealer.company_code}-{made.number}"
    page = dealer.get(ref)
    assert "Nothing continues it yet." in page.text
    dealer.click("Renew it")
    later = made.last_on + timedelta(days=3)
    page = dealer.submit("Make the draft", {"starts_on": later.isoformat()}, status=422)
    assert "2 days between the two" in page.text
    page = dealer.submit("Make the draft", {"is_confirmed": "y"})
    assert "2 days between the two" in page.text
    assert "2 days between the two" in dealer.get(ref).text


def test_search_finds_an_agreement_by_number_and_by_customer(tx, dealer, world, site):
    ref = draft(tx, world, site)
    number = ref.rpartition("/")[2]
    assert dealer.get(f"/search?q={number.lower()}", status=303).location == ref
    assert number in dealer.get("/search?q=Marsh").text
    other = dealer.other().sign_in(user_of(tx, make_dealer(tx, world.program)))
    assert "Nothing fits" in other.get(f"/search?q={number}").text
    assert number not in other.get("/search?q=Marsh").text


def test_those_who_only_look_see_no_step(tx, client, world, site):
    ref = draft(tx, world, site)
    viewer = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    page = client.sign_in(user_of(tx, viewer)).get(ref)
    assert "Change the draft" not in page.text
    client.get(f"{ref}/edit", status=403)
    client.post(f"{ref}/withdraw", {"reason": "No"}, status=403)
    assert "Build an agreement" not in client.get("/agreements").text


# lists, and what a page costs -------------------------------------------------------------------


@contextmanager
def statements():
    """Count the statements that are executed."""
    counted = []

    def count(*_):
        counted.append(1)

    event.listen(db.engine, "before_cursor_execute", count)
    try:
        yield counted
    finally:
        event.remove(db.engine, "before_cursor_execute", count)


def cost(client, address):
    client.get(address)
    with statements() as counted:
        client.get(address)
    return len(counted)


def test_the_statements_of_the_pages_do_not_grow(tx, dealer, world, site):
    ref = draft(tx, world, site)
    pages = ("/agreements", "/agreements?within=180", ref, f"{ref}/edit", PAGE)
    few = [cost(dealer, page) for page in pages]
    day = read(today, now())
    for number in range(3):
        sites = [site, f"{world.refer()}/1", f"{world.refer()}/1"]
        said = {"offer_key": "custom", "choices": {"parts-ketra": True, "response-24h": 1}, "at": now()}
        for until in ("draft", "offered", "accepted"):
            make_agreement(world, sites=sites, until=until, starts_on=day, months=1 + number, **said)
    # a draft of more sites and grants than before
    more = build_agreement(
        tx, actor=world.dealer, at=now(), offer_key="custom", offer_version=None, customer="E", sites=sites,
        starts_on=day, months=60, choices={"parts-ketra": True, "response-24h": 1, "response-48h": None},
        license_cents=None, idempotency_key="more",
    )  # fmt: skip
    tx.flush()
    large = f"/agreements/A-{world.dealer.company_code}-{more.number}"
    assert [cost(dealer, page) for page in ("/agreements", large, f"{large}/edit", PAGE)] == [
        few[0],
        *few[2:],
    ]
    grown = [cost(dealer, page) for page in ("/agreements?within=180", "/")]
    make_agreement(world, sites=sites, starts_on=day, months=1, **said)
    make_agreement(world, sites=sites, until="offered", starts_on=day, months=1, **said)
    assert [cost(dealer, page) for page in ("/agreements?within=180", "/")] == grown


def test_the_list_is_filtered_kept_and_sent_as_a_workbook(tx, dealer, world, site):
    ref = draft(tx, world, site)
    assert ref.rpartition("/")[2] in dealer.get("/agreements?state=draft").text
    assert "No agreement fits" in dealer.get("/agreements?state=active&within=30").text
    dealer.get("/agreements?state=nowhere", status=404)
    dealer.get("/agreements?colour=red", status=404)
    dealer.get("/agreements?after=no-key", status=404)
    dealer.get("/agreements?state=draft")
    dealer.submit("Keep it", {"name": "To price"})
    assert "To price" in dealer.get("/agreements").text
    answer = dealer.get("/agreements.xlsx?state=draft")
    assert answer.response.mimetype.endswith("spreadsheetml.sheet")


# the API ----------------------------------------------------------------------------------------


def test_programs_build_price_and_accept_agreements(tx, world, site, call):  # noqa: F811 - a fixture
    first = read(today, now()) + timedelta(days=3)
    body = {
        "offer": "custom", "customer": "Edith Marsh", "sites": [site], "starts_on": first.isoformat(),
        "months": 12, "choices": {"response-48h": 2, "response-72h": None, "parts-ketra": True},
    }  # fmt: skip
    made = call("dealer", "POST", "/agreements", body, 201, **keyed("a"))
    assert (made["state"], made["choices"]["response-72h"], made["sites"][0]["id"]) == ("draft", None, site)
    ref = f"/agreements/{made['id']}"
    edit = {name: value for name, value in body.items() if name != "offer"} | {"edit_count": 1, "months": 24}
    assert call("dealer", "PUT", f"{ref}/draft", edit)["months"] == 24
    said = {"edit_count": 2, "net_prices": ["1200.05", "1300.00"], "tax_basis_points": 825}
    offered = call("program", "POST", f"{ref}/offer", said)
    assert (offered["net"], offered["tax"], offered["total"]) == ("2500.05", "206.25", "2706.30")
    accept = {"digest": offered["digest"], "is_accepted": True, "typed_name": world.dealer.name}
    refused = call("dealer", "POST", f"{ref}/acceptance", accept | {"digest": "0" * 64}, 409)
    assert refused["code"] == "digest_mismatch"
    assert call("dealer", "POST", f"{ref}/acceptance", accept)["standing"] == "coming"
    new = call("dealer", "POST", f"{ref}/renewal", {}, 201, **keyed("b"))
    assert new["continues"] == made["id"]
    listed = call("dealer", "GET", "/agreements?state=draft")
    assert [each["id"] for each in listed["items"]] == [new["id"]]
    call("dealer", "GET", "/agreements?state=nowhere", status=422)
