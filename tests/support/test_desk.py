"""The pages and the API of service calls: the desk, one call, opening, recording, correcting, and the start page."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from referral.clock import now
from referral.errors import Refusal
from support.models.calls import CallEvent, ServiceCall
from support.queries.calls import CallFilter, calls_page
from support.states import CallState
from tests.factories import make_account, make_dealer, user_of
from tests.quotes.test_api import call, keyed  # noqa: F401 - a fixture
from tests.support.call_ground import NOON, ONE, Kind, counted_statements, make_calls, ny
from tests.support.test_due_worker import copy_calls


@pytest.fixture
def calls(tx):
    return make_calls(tx)


@pytest.fixture
def world(calls):
    """The people that the API's fixture signs in."""
    return calls.world


# the list -----------------------------------------------------------------------------------------


def refs(calls, viewer=None, at=NOON, **asked):
    found = calls_page(calls.tx, viewer=viewer or calls.world.program, at=at, asked=CallFilter(**asked))
    return [row.ref for row in found.rows]


def test_the_desk_is_by_what_is_due_next_and_what_waits_for_nothing_is_last(calls):
    gold, platinum = calls.agree("gold"), calls.agree("platinum")
    paused = calls.open(under=f"{platinum}/response-24h")
    calls.record(paused, Kind.PAUSED, NOON)
    second = calls.open(under=f"{gold}/response-48h")
    first = calls.open(under=f"{platinum}/response-24h")
    over = calls.open(under=f"{platinum}/response-24h", happened_at=ny(1, 9))
    closed = calls.open()
    calls.record(closed, Kind.RESOLVED, NOON)
    assert refs(calls) == [over, first, second, paused]
    assert refs(calls, view="overdue") == [over]
    assert refs(calls, view="paused") == [paused]
    assert refs(calls, view="resolved") == [closed]
    assert refs(calls, agreement=gold) == [second]
    assert refs(calls, handler="nobody") == []
    assert refs(calls, priority=ONE) == []
    assert refs(calls, viewer=calls.world.dealer) == refs(calls)
    stranger = make_dealer(calls.tx, calls.world.program)
    assert refs(calls, viewer=stranger) == []
    assert refs(calls, viewer=make_account(calls.tx, calls.world.program)) == []


def test_pages_follow_each_other_by_key_without_a_gap(calls, tx):
    calls.agree("gold")
    for hour in range(5):
        calls.open(happened_at=NOON - timedelta(hours=hour))
    for view in ("", "resolved"):
        if view:
            for ref in refs(calls):
                calls.record(ref, Kind.RESOLVED, NOON)
        whole, after, seen = refs(calls, view=view), None, []
        while True:
            page = calls_page(
                tx, viewer=calls.world.program, at=NOON, asked=CallFilter(view=view), after=after, limit=2
            )
            seen += [row.ref for row in page.rows]
            after = page.after
            if after is None:
                break
        assert seen == whole
        assert len(whole) == 5
    for wrong in ("x", "1~2~3", "20260602T160000000000~" + "0" * 32 + "~" + "9" * 30):
        with pytest.raises(Refusal):
            calls_page(tx, viewer=calls.world.program, at=NOON, after=wrong)


def test_the_list_is_read_by_its_index(calls, tx):
    calls.agree("gold")
    copy_calls(tx, calls.call(calls.open()), 300)
    tx.flush()
    tx.execute(sa.text("ANALYZE"))
    statements = []
    with counted_statements(tx) as sent:
        calls_page(tx, viewer=calls.world.program, at=NOON, limit=2)
        statements += sent
    assert len(statements) == 1
    assert "ORDER BY service_call.waits_until, service_call.dealer_id, service_call.number" in statements[0]
    if tx.get_bind().dialect.name == "sqlite":
        plan = tx.execute(
            sa.text(
                "EXPLAIN QUERY PLAN SELECT * FROM service_call WHERE waits_until IS NOT NULL "
                "ORDER BY waits_until, dealer_id, number LIMIT 3"
            )
        ).all()
        assert "ix_service_call_waits" in str(plan)


@pytest.mark.parametrize("path", ["/calls", "/"])
def test_the_number_of_statements_of_the_desk_does_not_grow(calls, tx, client, path):
    calls.agree("gold")
    ref = calls.open()
    client.sign_in(user_of(tx, calls.world.program)).get(path)
    counts = []
    for _ in range(2):
        with counted_statements(tx) as sent:
            client.get(path)
        counts.append(len(sent))
        if len(counts) == 1:
            copy_calls(tx, calls.call(ref), 40)
    assert counts[0] == counts[1]


def test_the_statements_of_a_call_do_not_grow_with_its_history(calls, tx, client):
    calls.agree("gold")
    ref = calls.open()
    client.sign_in(user_of(tx, calls.world.program)).get(f"/calls/{ref}")
    counts = []
    for _ in range(2):
        tx.commit()
        with counted_statements(tx) as sent:
            client.get(f"/calls/{ref}")
        counts.append(len(sent))
        for number in range(12):
            calls.record(ref, Kind.NOTED, NOON, words=f"Note {number}")
    assert counts[0] == counts[1]


def test_the_desk_refreshes_itself_with_the_list_alone(calls, tx, client):
    calls.agree("gold")
    ref = calls.open()
    whole = client.sign_in(user_of(tx, calls.world.program)).get("/calls")
    assert 'hx-trigger="every 60s"' in whole.html
    assert whole.link("Refresh") == "/calls"
    part = client.get("/calls", headers={"HX-Request": "true"})
    assert ref in part.text
    assert "<h1" not in part.html
    client.get("/calls?state=overdue&priority=1&agreement=A-X-1")
    client.get("/calls?state=gone", status=404)
    client.get("/calls?after=nowhere", status=404)


# one call -----------------------------------------------------------------------------------------


def test_from_opening_to_resolving_in_time_on_pages(calls, tx, client):
    calls.agree("platinum")
    client.sign_in(user_of(tx, calls.world.dealer)).get(f"/calls/new?site={calls.site}")
    assert "24-hour onsite/remote response time" in client.page.text
    assert "Why this instant?" in client.page.text
    client.submit("Open the call", {"problem": " "}, status=422)
    client.submit("Open the call", {"problem": "Dark", "happened_on": "2026-06-02"}, status=422)
    client.submit(
        "Open the call",
        {"problem": "Dark", "happened_on": "2099-01-01", "happened_time": "10:00"},
        status=422,
    )
    assert not tx.scalars(sa.select(ServiceCall)).all()
    said = {"problem": "The kitchen stays dark", "happened_on": "", "happened_time": ""}
    shown = client.submit("Open the call", said)
    ref = f"S-{calls.world.dealer.company_code}-1"
    assert f"{ref} is open" in shown.text
    assert "left" in shown.text
    client.get(f"/calls/{ref}/record?kind=responded")
    client.submit("We are on it", {}, status=403)
    client.sign_in(user_of(tx, calls.world.program)).get("/")
    assert "Service calls due next" in client.page.text
    client.get(f"/calls/{ref}")
    client.click("Pause…")
    client.submit("Pause", {"reason": "customer", "words": "They look for the key"})
    assert "Paused: nothing is due" in client.page.text
    client.submit("Resume", {})
    client.submit("We are on it", {})
    assert "In time" in client.page.text
    client.click("Resolve")
    client.submit("Resolve", {"words": ""}, status=422)
    client.submit("Resolve", {"words": "A fuse"})
    assert "Nothing is owed any more" in client.page.text
    assert calls.call(ref).state is CallState.RESOLVED
    assert calls.faults() == []
    assert "Your open service calls" not in client.sign_in(user_of(tx, calls.world.dealer)).get("/").text


def test_a_resolution_shows_what_it_uses_up_before_it_is_confirmed(calls, tx, client):
    calls.agree("custom", choices={"response-24h": 1})
    ref = calls.open()
    client.sign_in(user_of(tx, calls.world.program)).get(f"/calls/{ref}/record?kind=resolved")
    client.submit("Resolve", {"words": "A fuse", "used": "3"}, status=200)
    assert "This uses 1 visit, and 2 visits more is billable" in client.page.text
    assert calls.call(ref).state is CallState.OPEN
    client.submit("Yes, resolve it", {"used": "2"}, status=200)
    assert "and 1 visit more is billable" in client.page.text
    client.submit("Yes, resolve it", {})
    assert "1 visit covered, 1 visit billable" in client.page.text
    assert calls.faults() == []


def test_what_is_recorded_late_and_corrected_is_marked(calls, tx, client):
    calls.agree("platinum")
    ref = calls.open()
    client.sign_in(user_of(tx, calls.world.program)).get(f"/calls/{ref}")
    assert "Missed" in client.page.text
    client.get(f"/calls/{ref}/record?kind=responded")
    client.submit("We are on it", {"happened_on": "2026-06-02", "happened_time": "25:00"}, status=422)
    client.submit("We are on it", {"happened_on": "2026-06-02", "happened_time": "14:30"})
    assert "In time" in client.page.text
    assert "late" in client.page.text
    client.get(f"/calls/{ref}/events/2/correct")
    client.submit("Take it out", {"reason": " "}, status=422)
    client.submit("Take it out", {"reason": "Another site"})
    assert "counts no more" in client.page.text
    assert "Missed" in client.page.text
    client.get(f"/calls/{ref}/events/1/correct", status=409)
    client.get(f"/calls/{ref}/events/9/correct", status=404)
    client.get(f"/calls/{ref}/record?kind=coffee", status=404)
    assert calls.faults() == []


def test_a_page_that_was_open_for_long_records_nothing(calls, tx, client):
    calls.agree("platinum")
    ref = calls.open()
    client.sign_in(user_of(tx, calls.world.program)).get(f"/calls/{ref}/record?kind=noted")
    calls.record(ref, Kind.RESPONDED, NOON)
    client.submit("Write a note", {"words": "Seen"}, status=409)
    assert "Something was recorded of this call in the meantime" in client.page.text
    assert len(calls.events(ref)) == 2


def test_an_agreement_with_several_sites_asks_for_one(calls, tx, client):
    other = f"{calls.world.refer()}/1"
    gold = calls.agree("gold", sites=[calls.site, other])
    client.sign_in(user_of(tx, calls.world.dealer)).get(f"/calls/new?agreement={gold}")
    assert "At which site?" in client.page.text
    client.get(f"/calls/new?agreement={gold}&site={calls.site}")
    client.submit("Open the call", {"problem": "Dark"})
    client.get("/calls/new", status=404)
    client.get("/calls/new?source=U-NOBODY-1", status=404)


def test_the_unit_page_leads_to_a_call(calls, tx, client):
    calls.agree("gold")
    client.sign_in(user_of(tx, calls.world.dealer)).get(f"/sources/{calls.u}")
    client.click("Open a service call")
    client.submit("Open the call", {"problem": "Dark"})
    assert calls.u in client.page.text


def test_priorities_are_shown_with_what_is_due(calls, tx, client):
    calls.agree("deluxe", license_cents=5_000_000)
    client.sign_in(user_of(tx, calls.world.dealer)).get(f"/calls/new?site={calls.site}")
    client.submit("Show what is due", {"priority": "2"}, status=200)
    assert "Escalated to the account manager" in client.page.text
    assert not tx.scalars(sa.select(ServiceCall)).all()
    client.submit("Open the call", {"problem": "Down", "priority": ""}, status=422)
    client.submit("Open the call", {"problem": "Down", "priority": "2"})
    assert "Priority 2" in client.page.text


def test_other_companies_find_nothing(calls, tx, client):
    calls.agree("gold")
    ref = calls.open()
    for stranger in (make_dealer(tx, calls.world.program), make_account(tx, calls.world.program)):
        client.sign_in(user_of(tx, stranger))
        for path in (
            f"/calls/{ref}",
            f"/calls/{ref}/record",
            f"/calls/new?site={calls.site}",
            f"/calls/new?source={calls.u}",
        ):
            client.get(path, status=404)
        assert ref not in client.get("/calls").text


# the API ------------------------------------------------------------------------------------------


def test_the_api_opens_records_and_corrects_with_the_same_refusals(calls, call, tx):  # noqa: F811
    calls.agree("platinum")
    said = {"site": calls.site, "problem": "Dark"}
    made = call("dealer", "POST", "/calls", said, 201, **keyed("k"))
    assert (made["state"], made["event_count"], made["obligations"][0]["status"]) == ("open", 1, "pending")
    assert made["obligations"][0]["why"]
    assert call("dealer", "POST", "/calls", said, 201, **keyed("k"))["id"] == made["id"]
    assert call("dealer", "POST", "/calls", said, 422)["code"] == "idempotency_key_missing"
    other = said | {"under": "A-XYZ-1"}
    assert call("dealer", "POST", "/calls", other, 409, **keyed("j"))["code"] == "agreement_not_active"
    place = f"/calls/{made['id']}"
    event = {"event_count": 1, "kind": "responded"}
    call("dealer", "POST", f"{place}/events", event, 403)
    assert call("program", "POST", f"{place}/events", event | {"happened_at": "yesterday"}, 422)
    assert call("program", "POST", f"{place}/events", event | {"event_count": 4}, 409)["code"] == "stale_call"
    done = call("program", "POST", f"{place}/events", event, 201)
    assert done["obligations"][0]["status"] == "met"
    wrong = call("program", "POST", f"{place}/events/2/correction", {"event_count": 2, "reason": "No"}, 201)
    assert wrong["obligations"][0]["status"] == "pending"
    assert [each["is_struck"] for each in wrong["events"]] == [False, True, False]
    fixed = call("program", "POST", f"{place}/events/1/correction", {"event_count": 3, "reason": "No"}, 409)
    assert fixed["code"] == "event_fixed"
    (row,) = call("account", "GET", "/calls")["items"]
    assert row["id"] == made["id"]
    assert call("program", "GET", "/calls?state=overdue")["items"] == []
    call("program", "GET", "/calls?state=gone", status=422)
    assert tx.scalar(sa.select(sa.func.count()).select_from(CallEvent)) == 3
    assert calls.faults() == []


def test_a_call_that_came_lately_counts_from_then(calls, call):  # noqa: F811
    calls.agree("platinum")
    came = (now() - timedelta(minutes=50)).isoformat()
    said = {"site": calls.site, "problem": "Dark", "happened_at": came}
    made = call("dealer", "POST", "/calls", said, 201, **keyed("k"))
    assert made["opened_at"][:16] == came[:16]


def test_the_command_prints_what_is_owed_and_why(calls, tx, app):
    calls.agree("platinum")
    ref = calls.open()
    tx.commit()
    said = app.test_cli_runner().invoke(args=["support", "timeline", ref, "--at", "2026-06-02T17:00"])
    assert said.exit_code == 0
    assert "Due: Somebody is there, on site or remotely" in said.output
    assert "Service hours counted" in said.output
    wrong = app.test_cli_runner().invoke(args=["support", "timeline", "S-NOBODY-1"])
    assert wrong.exit_code == 1
    assert "not_found" in wrong.output
