"""Visits in a person's calendar, read back as a calendar program reads them."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from icalendar import Calendar

from quotes.operations.calendar_feeds import renew_calendar_feed
from referral.clock import now
from tests.factories import make_dealer
from tests.support.visiting import Visiting, open_day

NOW = now()


def weekday_after(days):
    """An open day about so many days ahead."""
    return open_day((NOW + timedelta(days=days)).date())


@pytest.fixture
def gold(tx):
    return Visiting(tx, starts_on=(NOW - timedelta(days=30)).date(), at=NOW - timedelta(days=30))


def events(client, token):
    answer = client.get(f"/calendar/{token}.ics").response
    found = Calendar.from_ical(answer.get_data()).walk("VEVENT")
    return [event for event in found if str(event["uid"]).startswith("visit-")]


def feed(tx, viewer):
    token = renew_calendar_feed(tx, actor=viewer, at=NOW)
    tx.flush()
    return token


def test_a_visit_is_an_event_in_utc_with_its_place_and_a_link(client, tx, gold):
    day = weekday_after(14)
    ref = gold.plan(at=NOW, day=day, starts=time(9), ends=time(12))
    visit = gold.visit(ref)
    (event,) = events(client.other(), feed(tx, gold.world.account))
    assert str(event["uid"]) == f"visit-{visit.id}@referral-ledger"
    assert (event.decoded("dtstart"), event.decoded("dtend")) == (visit.starts_at, visit.ends_at)
    assert b"DTSTART:" in event.to_ical()
    assert event.decoded("dtstart").utcoffset() == timedelta(0)
    assert (int(str(event["sequence"])), str(event["status"])) == (0, "CONFIRMED")
    assert str(event["location"]).endswith("Camden, ME")
    assert str(event["url"]).endswith(f"/visits/{ref}")
    assert "Marsh" not in event.to_ical().decode()


def test_a_moved_visit_keeps_its_uid_and_raises_its_sequence(client, tx, gold):
    ref = gold.plan(at=NOW, day=weekday_after(14))
    token = feed(tx, gold.world.dealer)
    (before,) = events(client, token)
    gold.move(ref, at=NOW, day=weekday_after(21))
    (after,) = events(client, token)
    assert str(before["uid"]) == str(after["uid"])
    assert [int(str(event["sequence"])) for event in (before, after)] == [0, 1]
    assert after.decoded("dtstart") > before.decoded("dtstart")


def test_a_cancelled_or_converted_visit_stays_and_says_so(client, tx, gold):
    token = feed(tx, gold.world.dealer)
    for number, end in enumerate((gold.cancel, gold.convert)):
        ref = gold.plan(at=NOW, day=weekday_after(14), idempotency_key=f"v{number}")
        end(ref, at=NOW)
        visit = gold.visit(ref)
        event = next(each for each in events(client, token) if str(visit.id) in str(each["uid"]))
        assert (str(event["status"]), int(str(event["sequence"]))) == ("CANCELLED", 1)
    assert len(events(client, token)) == 2


def test_a_visit_that_is_done_stays_for_a_while(client, tx, gold):
    day = open_day((NOW - timedelta(days=10)).date(), -1)
    ref = gold.plan(at=NOW - timedelta(days=30), day=day)
    gold.sign(ref, at=NOW, checked=[])
    (event,) = events(client, feed(tx, gold.world.program))
    assert (str(event["status"]), str(event["summary"])[:12]) == ("CONFIRMED", "Visit (done)")
    assert event.decoded("dtstart") < NOW


def test_nothing_of_another_company_is_in_a_calendar(client, tx, gold):
    gold.plan(at=NOW, day=weekday_after(14))
    assert events(client, feed(tx, make_dealer(tx, gold.world.program))) == []


def test_the_same_visits_are_the_same_bytes(client, tx, gold):
    gold.plan(at=NOW, day=weekday_after(14))
    token = feed(tx, gold.world.dealer)
    first, again = (client.get(f"/calendar/{token}.ics").response for _ in range(2))
    assert first.get_data() == again.get_data()
    tagged = {"If-None-Match": first.headers["ETag"]}
    assert client.flask.get(f"/calendar/{token}.ics", headers=tagged).status_code == 304
