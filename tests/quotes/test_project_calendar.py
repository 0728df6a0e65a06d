"""The calendar of projects: a secret address, read back as a calendar program reads it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from icalendar import Calendar

from quotes.operations.calendar_feeds import end_calendar_feed, renew_calendar_feed
from quotes.operations.projects import add_trade, set_milestone
from quotes.states import MilestoneKind
from referral.clock import now
from referral.models import AuditEvent, CalendarFeed, User
from referral.queries.settings import today
from tests.factories import make_dealer, make_world, user_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.factories import World
    from tests.pages import PageClient


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def ref(tx: Session, world: World) -> str:
    """A planned project with a trade."""
    ref = world.refer(client_name="Edith Marsh", project_name="Gull, Rock; House")
    day = today(tx, now())
    said: dict[str, Any] = {"actor": world.account, "at": now(), "ref": ref}
    set_milestone(
        tx, **said, kind=MilestoneKind.INSTALL, number=0, planned_on=day, forecast_on=day + timedelta(days=3),
        actual_on=None, owner="Jonah", slip_reason="Rain",
    )  # fmt: skip
    add_trade(
        tx, **said, trade="Electrician", name="Wattle", contact="555-0188", scope="Cables",
        agreed_on=day + timedelta(days=1), done_on=None,
    )  # fmt: skip
    tx.flush()
    return ref


def events(client: PageClient, token: str) -> list[Any]:
    answer = client.get(f"/calendar/{token}.ics").response
    assert answer.mimetype == "text/calendar"
    return list(Calendar.from_ical(answer.get_data()).walk("VEVENT"))


def test_the_feed_reads_back_as_all_day_events(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    quote = world.submit(at=now())
    day = today(tx, now())
    token = renew_calendar_feed(tx, actor=world.dealer, at=now())
    stranger = client.other()
    read = events(stranger, token)
    assert [(str(event["summary"]), event.decoded("dtstart")) for event in read] == [
        ("Electrician: Gull, Rock; House", day + timedelta(days=1)),
        ("Install (forecast): Gull, Rock; House", day + timedelta(days=3)),
        (str(read[2]["summary"]), day + timedelta(days=30)),
    ]
    assert f"Last day to decide on {quote}" in str(read[2]["summary"])
    for event in read:
        assert type(event.decoded("dtstart")) is date
        assert event.decoded("dtend") - event.decoded("dtstart") == timedelta(days=1)
        assert event.decoded("dtstamp").tzinfo is not None
    assert "3 days late: Rain" in str(read[1]["description"])
    text = stranger.get(f"/calendar/{token}.ics").response.get_data(as_text=True)
    assert "Marsh" not in text
    assert "555-0188" not in text


def test_the_same_days_are_the_same_bytes_and_keep_their_names(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    token = renew_calendar_feed(tx, actor=world.account, at=now())
    first = client.get(f"/calendar/{token}.ics").response
    again = client.get(f"/calendar/{token}.ics").response
    assert first.get_data() == again.get_data()
    tagged = {"If-None-Match": first.headers["ETag"]}
    assert client.flask.get(f"/calendar/{token}.ics", headers=tagged).status_code == 304
    day = today(tx, now())
    set_milestone(
        tx, actor=world.dealer, at=now(), ref=ref, kind=MilestoneKind.INSTALL, number=1, planned_on=day,
        forecast_on=day + timedelta(days=9), actual_on=None, owner="", slip_reason="More rain",
    )  # fmt: skip
    before = {
        str(event["uid"]): int(str(event["sequence"]))
        for event in Calendar.from_ical(first.get_data()).walk("VEVENT")
    }
    after = {str(event["uid"]): int(str(event["sequence"])) for event in events(client, token)}
    assert before.keys() == after.keys()
    assert sum(after.values()) == sum(before.values()) + 1


def test_an_address_shows_what_its_holder_may_see_alone(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    token = renew_calendar_feed(tx, actor=make_dealer(tx, world.program), at=now())
    assert events(client, token) == []
    assert len(events(client, renew_calendar_feed(tx, actor=world.program, at=now()))) == 2


def test_an_address_is_shown_once_and_kept_as_a_digest(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    client.sign_in(user_of(tx, world.dealer)).get("/calendar")
    page = client.submit("Make an address", status=200)
    token = page.all(".//code")[0].rpartition("/")[2].removesuffix(".ics")
    assert len(events(client.other(), token)) == 2
    assert token not in client.get("/calendar").html
    assert token not in tx.scalars(sa.select(CalendarFeed.token_digest)).one()
    renewed = renew_calendar_feed(tx, actor=world.dealer, at=now())
    client.get(f"/calendar/{token}.ics", status=404)
    assert len(events(client, renewed)) == 2
    client.get("/calendar")
    assert "You have none yet" in client.submit("Switch it off").text
    client.get(f"/calendar/{renewed}.ics", status=404)
    told = tx.scalars(sa.select(AuditEvent.event).where(AuditEvent.subject == world.dealer.email)).all()
    assert sorted(each for each in told if each.startswith("calendar_feed")) == [
        "calendar_feed.ended",
        "calendar_feed.renewed",
        "calendar_feed.renewed",
    ]


def test_an_address_ends_with_the_access_of_its_holder(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    token = renew_calendar_feed(tx, actor=world.dealer, at=now())
    tx.flush()
    tx.execute(sa.update(User).where(User.id == world.dealer.user_id).values(is_active=False))
    client.get(f"/calendar/{token}.ics", status=404)
    client.get("/calendar/nobody.ics", status=404)
    client.get("/calendar/%F0%9F%98%80.ics", status=404)
    end_calendar_feed(tx, actor=world.dealer, at=now())
    end_calendar_feed(tx, actor=world.dealer, at=now())
