"""Visits as pages and JSON: planned, moved, ended by forms; nothing of another company, and few statements."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from referral.clock import now
from referral.db import db
from referral.operations.people import issue_api_token
from support.models.visits import ServiceVisit
from support.queries.visits import VisitFilter, visits_page
from support.queries.visits_to_plan import visits_to_plan
from support.states import VisitState
from tests.factories import everything, make_account, make_dealer, user_of
from tests.support.test_visits_calendar import weekday_after
from tests.support.visiting import Visiting, add_place, open_day

NOW = now()
STARTED = NOW - timedelta(days=30)


@pytest.fixture
def gold(tx):
    """An agreement that runs today."""
    return Visiting(tx, starts_on=STARTED.date(), at=STARTED)


@pytest.fixture
def planned(gold):
    """A visit in two weeks; its number."""
    return gold.plan(at=STARTED, day=weekday_after(14))


@pytest.fixture
def over(gold):
    """A visit that was ten days ago; its number."""
    return gold.plan(at=STARTED, day=weekday_before(10), idempotency_key="over")


def weekday_before(days):
    """An open day about so many days ago."""
    return open_day((NOW - timedelta(days=days)).date(), -1)


def statements(run):
    """How many statements it takes."""
    count = []
    listen = lambda *said: count.append(said[2])  # noqa: E731 - removed below by name
    sa.event.listen(db.engine, "before_cursor_execute", listen)
    try:
        run()
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", listen)
    return len([each for each in count if each.lstrip().upper().startswith("SELECT")])


def form_of(gold, **overrides):
    """What the plan form is filled in with."""
    said = {
        "site_id": str(gold.site_id), "day": weekday_after(14).isoformat(), "starts": "09:00", "ends": "12:00",
        "purposes": ["Preventive maintenance", "Onsite training"], "words": "Ring twice",
    }  # fmt: skip
    return said | overrides


# pages ------------------------------------------------------------------------------------------


def test_what_to_plan_leads_to_a_visit_with_a_date(client, tx, gold):
    client.sign_in(user_of(tx, gold.world.dealer))
    page = client.get("/visits")
    assert "What to plan this month" in page.text
    assert "Scheduled maintenance visits: 2 of 2 without a date" in page.text
    client.click(f"Plan Scheduled maintenance visits for Edith Marsh, {gold.ref}")
    page = client.submit("Plan the visit", form_of(gold))
    assert "is planned" in page.text
    assert "Preventive maintenance, Onsite training" in page.text
    assert "Asset management" in page.text
    assert "1 of 2 without a date" in client.get("/visits").text
    assert "V-" in client.get(f"/agreements/{gold.ref}").text


def test_a_refused_date_stands_beside_its_field_and_nothing_is_saved(client, tx, gold):
    client.sign_in(user_of(tx, gold.world.account))
    client.get(f"/agreements/{gold.ref}/visits/plan")
    sunday = weekday_after(14)
    while sunday.weekday() != 6:
        sunday += timedelta(days=1)
    tx.commit()
    before = everything(tx)
    tx.commit()
    page = client.submit("Plan the visit", form_of(gold, day=sunday.isoformat()), status=422)
    assert "There are no service hours on a Sunday." in page.text
    page = client.submit("Plan the visit", form_of(gold, purposes=[]), status=422)
    assert "Choose what the visit is for." in page.text
    assert everything(tx) == before


def test_a_slot_that_somebody_took_meanwhile_is_refused_and_the_next_one_offered(client, tx, gold):
    client.sign_in(user_of(tx, gold.world.dealer))
    client.get(f"/agreements/{gold.ref}/visits/plan?slot=visits.1.1")
    gold.plan(at=STARTED, day=weekday_after(21))
    page = client.submit("Plan the visit", form_of(gold), status=409)
    assert "This visit has a date already." in page.text
    assert client.submit("Plan the visit", form_of(gold)).status == 200
    assert tx.scalars(sa.select(ServiceVisit.slot).order_by(ServiceVisit.slot)).all() == [1, 2]


def test_an_agreement_without_visits_says_what_can_be_done(client, tx):
    silver = Visiting(tx, offer_key="silver", starts_on=STARTED.date(), at=STARTED)
    path = f"/agreements/{silver.ref}/visits/plan"
    assert "Silver has no visits" in client.sign_in(user_of(tx, silver.world.dealer)).get(path).text
    assert "Add a day that was bought" in client.sign_in(user_of(tx, silver.world.program)).get(path).text
    client.post(path, form_of(silver, slot="visits.1.1", idempotency_key="x"), status=422)


def test_a_visit_is_moved_and_cancelled_by_forms(client, tx, gold, planned):
    client.sign_in(user_of(tx, gold.world.account)).get(f"/visits/{planned}")
    client.click("Move it")
    page = client.submit("Save the change", {"day": weekday_after(21).isoformat()})
    assert "is changed" in page.text
    client.click("Cancel it…")
    page = client.submit("Cancel the visit", {"reason": "Flooded"})
    assert "Flooded" in page.text
    client.get(f"/visits/{planned}/move", status=409)
    client.get(f"/visits/{planned}/cancel", status=409)


def test_a_stale_form_is_refused(client, tx, gold, planned):
    client.sign_in(user_of(tx, gold.world.account)).get(f"/visits/{planned}/cancel")
    gold.move(planned, at=STARTED, day=weekday_after(21))
    page = client.submit("Cancel the visit", {"reason": "Flooded"}, status=409)
    assert "Someone else changed this visit" in page.text


def test_a_visit_becomes_a_remote_session_by_a_form(client, tx, gold, planned):
    client.sign_in(user_of(tx, gold.world.dealer)).get(f"/visits/{planned}")
    page = client.click("Emergency: remote session…")
    assert "3 business days" in page.text
    page = client.submit("Change it for a remote session", {"problem": "All is dark"})
    assert "It became a remote session" in page.text
    assert "S-" in page.text


def test_a_visit_is_signed_off_by_a_form_with_its_checklist(client, tx, gold, over):
    client.sign_in(user_of(tx, gold.world.account))
    assert "Did it take place?" in client.get(f"/visits/{over}").text
    assert "System check" in client.get(f"/visits/{over}/checklist").text
    client.get(f"/visits/{over}")
    client.click("Sign it off")
    page = client.submit(
        "Sign it off",
        {"checked": ["Preventive maintenance: System check"], "report": "Done", "signed_name": "Edith Marsh"},
    )
    assert "Signed for the customer by Edith Marsh" in page.text
    client.get(f"/visits/{over}/sign-off", status=409)


def test_a_visit_to_come_is_not_signed_off(client, tx, gold, planned):
    client.sign_in(user_of(tx, gold.world.account))
    assert "still to come" in client.get(f"/visits/{planned}/sign-off").text


def test_visits_of_another_company_do_not_exist(client, tx, gold, planned):
    for stranger in (make_dealer(tx, gold.world.program), make_account(tx, gold.world.program)):
        client.sign_in(user_of(tx, stranger))
        for path in ("", "/move", "/cancel", "/convert", "/sign-off", "/checklist"):
            client.get(f"/visits/{planned}{path}", status=404)
        client.get(f"/agreements/{gold.ref}/visits/plan", status=404)
        assert planned not in client.get("/visits").text
        assert gold.ref not in client.get("/visits?state=unscheduled").text


# lists ------------------------------------------------------------------------------------------


def test_visits_are_filtered_by_state_month_and_words(client, tx, gold, planned, over):
    client.sign_in(user_of(tx, gold.world.dealer))
    day = weekday_after(14)
    for query, there, not_there in (
        ("state=dated", planned, "No visit fits"),
        (f"month={day:%Y-%m}", planned, "No visit fits"),
        ("project=marsh", over, "No visit fits"),
        ("month=2001-01", "No visit fits", planned),
        ("project=nobody", "No visit fits", planned),
        ("state=done", "No visit fits", planned),
    ):
        text = client.get(f"/visits?{query}").text
        assert there in text, query
        assert not_there not in text, query
    client.get("/visits?month=2026-13", status=422)
    client.get("/visits?state=nonsense", status=404)
    client.get("/visits?after=nonsense", status=404)
    client.get("/visits?state=unscheduled&after=nonsense", status=404)


def test_a_month_is_that_of_the_site_not_of_the_program(tx):
    gold = Visiting(tx)
    far = Visiting(tx, gold.world, sites=[add_place(gold, gold.world.refer(), "Asia/Tokyo")])
    ref = far.plan(day=date(2026, 7, 1), starts=time(8), ends=time(10))
    assert far.visit(ref).starts_at == datetime(2026, 6, 30, 23, 0, tzinfo=UTC)

    def found(month):
        rows = visits_page(tx, viewer=gold.world.dealer, asked=VisitFilter(month=month)).rows
        return [row.ref for row in rows]

    assert (found(date(2026, 6, 1)), found(date(2026, 7, 1))) == ([], [ref])


def test_the_list_is_paged_by_key_in_both_orders(tx, gold):
    many = Visiting(tx, gold.world, choices={"visits": 9}, starts_on=STARTED.date(), at=STARTED)
    refs = [
        many.plan(at=STARTED, day=weekday_after(14 + number * 7), idempotency_key=f"v{number}")
        for number in range(5)
    ]
    for state, wanted in ((VisitState.DATED, refs), (None, refs[::-1])):
        found, after = [], None
        while True:
            page = visits_page(
                tx, viewer=gold.world.dealer, asked=VisitFilter(state=state), after=after, limit=2
            )
            found += [row.ref for row in page.rows]
            after = page.after
            if after is None:
                break
        assert found == wanted


def test_what_to_plan_is_paged_by_agreement(tx, gold):
    refs = [gold.ref, *(Visiting(tx, gold.world, starts_on=STARTED.date(), at=STARTED).ref for _ in range(3))]
    found, after = [], None
    while True:
        page = visits_to_plan(tx, viewer=gold.world.dealer, at=NOW, after=after, limit=2)
        found += [row.agreement_ref for row in page.rows]
        after = page.after
        if after is None:
            break
    assert sorted(found) == sorted(refs)


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(client, tx, gold, planned):
    client.sign_in(user_of(tx, gold.world.dealer))
    paths = ("/visits", "/visits?state=unscheduled", f"/agreements/{gold.ref}", f"/visits/{planned}")
    for path in paths:
        client.get(path)
    before = [statements(lambda path=path: client.get(path)) for path in paths]
    for number in range(4):
        more = Visiting(tx, gold.world, choices={"visits": 3}, starts_on=STARTED.date(), at=STARTED)
        more.plan(at=STARTED, day=weekday_after(14), idempotency_key=f"m{number}")
    gold.plan(at=STARTED, day=weekday_after(21), idempotency_key="v2")
    gold.move(planned, at=STARTED, day=weekday_after(28))
    assert [statements(lambda path=path: client.get(path)) for path in paths] == before


# API --------------------------------------------------------------------------------------------


@pytest.fixture
def call(client, tx, gold):
    """Call the API as somebody: `call(viewer, method, path, body)`."""

    def run(viewer, method, path, body=None, *, status=200, **headers):
        _, token = issue_api_token(tx, at=NOW, user_id=viewer.user_id)
        return client.api(method, f"/api/v1{path}", body, token=token, status=status, headers=headers).json

    return run


def test_a_visit_goes_its_whole_way_through_the_api(tx, gold, call):
    dealer, account = gold.world.dealer, gold.world.account
    to_plan = call(dealer, "GET", "/visits-to-plan")["items"][0]
    assert (to_plan["grant_key"], to_plan["contract_year"], to_plan["slot"]) == ("visits", 1, 1)
    body = form_of(gold, grant_key="visits")
    path = f"/agreements/{gold.ref}/visits"
    made = call(dealer, "POST", path, body, status=201, **{"Idempotency-Key": "k"})
    assert call(dealer, "POST", path, body, status=201, **{"Idempotency-Key": "k"}) == made
    ref = made["id"]
    assert "Preventive maintenance: System check" in made["checklist"]
    moved = form_of(gold, day=weekday_after(21).isoformat(), sequence=0)
    assert call(account, "POST", f"/visits/{ref}/move", moved)["sequence"] == 1
    stale = {"sequence": 0, "reason": "Flooded"}
    assert call(account, "POST", f"/visits/{ref}/cancellation", stale, status=409)["code"] == "stale_visit"
    done = call(dealer, "POST", f"/visits/{ref}/conversion", {"problem": "All is dark"})
    assert (done["state"], done["call"][:2]) == ("converted", "S-")
    assert [row["id"] for row in call(account, "GET", "/visits?state=converted")["items"]] == [ref]
    refusal = {"report": "Done", "signed_name": "E"}
    assert call(account, "POST", f"/visits/{ref}/sign-off", refusal, status=409)["code"] == "not_pending"


def test_silver_is_refused_with_the_offer_of_a_paid_day(tx, gold, call):
    silver = Visiting(tx, gold.world, offer_key="silver", starts_on=STARTED.date(), at=STARTED)
    body = form_of(silver, grant_key="visits")
    said = call(
        gold.world.dealer, "POST", f"/agreements/{silver.ref}/visits", body, status=409,
        **{"Idempotency-Key": "k"},
    )  # fmt: skip
    assert (said["code"], "Buy an additional day" in said["detail"]) == ("not_granted", True)


def test_the_api_knows_no_visit_of_another_company(tx, gold, planned, call):
    stranger = make_dealer(tx, gold.world.program)
    moved = form_of(gold, sequence=0)
    signed = {"report": "Done", "signed_name": "E"}
    for path, body in (
        ("/move", moved),
        ("/cancellation", {"reason": "No"}),
        ("/conversion", {"problem": "Dark"}),
        ("/sign-off", signed),
    ):
        call(stranger, "POST", f"/visits/{planned}{path}", body, status=404)
    call(stranger, "GET", f"/visits/{planned}", status=404)
    body = form_of(gold, grant_key="visits")
    call(stranger, "POST", f"/agreements/{gold.ref}/visits", body, status=404, **{"Idempotency-Key": "k"})
    assert call(stranger, "GET", "/visits")["items"] == []
    assert call(stranger, "GET", "/visits-to-plan")["items"] == []
