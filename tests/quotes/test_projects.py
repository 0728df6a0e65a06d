"""The plan of a project: milestones, lateness, history, trades, as both sides see them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from quotes.models.projects import MilestoneEntry, Trade
from quotes.operations.projects import add_trade, change_trade, remove_trade, set_milestone
from quotes.queries.projects import project_page, projects_page
from quotes.rules.projects import Days, timeline_of
from quotes.states import MilestoneKind
from referral.clock import now
from referral.models import AuditEvent, Company, OutgoingMail
from referral.permissions import Role
from referral.queries.settings import today
from tests.factories import AT, make_account, make_dealer, make_user, make_world, refused, user_of
from tests.tokens import token_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.factories import World
    from tests.pages import PageClient

PLANNED = date(2026, 5, 20)
TRADE: dict[str, Any] = {
    "trade": "Electrician",
    "name": "Wattle Electric",
    "contact": "555-0188",
    "scope": "Pull the cables",
    "agreed_on": PLANNED,
    "done_on": None,
}


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def ref(world: World) -> str:
    return world.refer()


def said(world: World, ref: str, **overrides: Any) -> dict[str, Any]:
    return {
        "actor": world.account,
        "at": AT,
        "ref": ref,
        "kind": MilestoneKind.INSTALL,
        "number": 0,
        "planned_on": PLANNED,
        "forecast_on": None,
        "actual_on": None,
        "owner": "Jonah",
        "slip_reason": "",
    } | overrides


def plan(world: World, ref: str, **overrides: Any) -> MilestoneEntry:
    entry = set_milestone(world.tx, **said(world, ref, **overrides))
    world.tx.flush()
    return entry


def seen(world: World, ref: str, at: datetime = AT, who: Any = None) -> Any:
    return project_page(world.tx, viewer=who or world.dealer, at=at, ref=ref)


# lateness ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forecast,actual,day,late,words",
    [
        (None, None, PLANNED, 0, "In time"),
        (None, None, PLANNED + timedelta(days=1), 1, "1 day late"),
        (date(2026, 5, 22), None, date(2026, 5, 1), 2, "2 days late"),
        (date(2026, 5, 22), None, date(2026, 5, 30), 10, "10 days late"),
        (date(2026, 5, 10), None, date(2026, 5, 19), 0, "In time"),
        (date(2026, 5, 22), date(2026, 5, 20), date(2026, 6, 30), 0, "Done in time"),
        (None, date(2026, 5, 21), date(2026, 6, 30), 1, "Done 1 day late"),
    ],
)
def test_lateness_is_counted_from_the_planned_day(
    forecast: date | None, actual: date | None, day: date, late: int, words: str
) -> None:
    days = Days(PLANNED, forecast, actual)
    assert (days.days_late(day), days.words(day)) == (late, words)


def test_a_milestone_turns_late_at_midnight_of_the_programs_zone(world: World, ref: str) -> None:
    plan(world, ref)
    last = datetime(2026, 5, 21, 3, 59, 59, tzinfo=UTC)  # 20 May, 23:59:59 in New York
    for at, words, late in ((last, "In time", 0), (last + timedelta(seconds=1), "1 day late", 1)):
        assert seen(world, ref, at).milestone(MilestoneKind.INSTALL).standing == words
        page = projects_page(world.tx, viewer=world.dealer, at=at, is_late=True)
        assert (len(page.rows), page.late_count) == (late, late)


def test_the_timeline_spans_whole_months_and_today_while_something_is_to_do() -> None:
    scale = timeline_of([Days(date(2026, 3, 10), date(2026, 5, 4))], date(2026, 7, 9))
    assert scale is not None
    assert (scale.first_on, scale.last_on) == (date(2026, 3, 1), date(2026, 8, 1))
    assert scale.place(date(2026, 3, 1)) == "0.0%"
    assert scale.place(date(2027, 1, 1)) == "100.0%"
    done = timeline_of([Days(date(2026, 3, 10), None, date(2026, 3, 10))], date(2031, 7, 9))
    assert done is not None
    assert not done.shows(date(2031, 7, 9))
    long = timeline_of([Days(date(2000, 1, 1), date(2099, 12, 31))], AT.date())
    assert long is not None
    assert len(long.ticks) <= 5
    assert timeline_of([Days()], AT.date()) is None


# milestones -------------------------------------------------------------------------------------


def test_both_sides_write_the_plan_and_see_who_said_what(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    client.sign_in(user_of(tx, world.account)).get(f"/projects/{ref}/milestones/install")
    client.submit("Save", {"planned_on": "2026-01-20", "owner": "Jonah"})
    client.sign_in(user_of(tx, world.dealer)).get(f"/projects/{ref}/milestones/install")
    page = client.submit("Save", {"forecast_on": "2026-01-24", "slip_reason": "The ceiling is not closed."})
    late = (today(tx, now()) - date(2026, 1, 20)).days
    for person in (world.dealer, world.account, world.program):
        page = client.sign_in(user_of(tx, person)).get(f"/projects/{ref}")
        assert f"Install: {late} days late. The ceiling is not closed." in page.text
        assert world.account.name in page.text
        assert world.dealer.name in page.text
    entries = tx.scalars(sa.select(MilestoneEntry).order_by(MilestoneEntry.number)).all()
    assert [(row.number, row.said_by) for row in entries] == [
        (1, world.account.user_id),
        (2, world.dealer.user_id),
    ]


def test_history_is_kept_and_the_newest_entry_holds(tx: Session, world: World, ref: str) -> None:
    plan(world, ref)
    plan(world, ref, number=1, forecast_on=date(2026, 5, 25), slip_reason="Rain")
    again = plan(world, ref, number=2, forecast_on=date(2026, 5, 25), slip_reason="Rain")
    assert again.number == 2
    page = seen(world, ref)
    assert [(row.number, row.slip_reason) for row in page.history] == [(2, "Rain"), (1, "")]
    assert page.milestone(MilestoneKind.INSTALL).days.forecast_on == date(2026, 5, 25)
    assert tx.scalar(sa.select(sa.func.count()).where(AuditEvent.event == "milestone.set")) == 2


def test_a_stale_edit_of_a_milestone_is_refused_and_shows_what_holds(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    plan(world, ref)
    refused(tx, "stale_plan", set_milestone, **said(world, ref, planned_on=date(2026, 6, 1)))
    client.sign_in(user_of(tx, world.dealer))
    page = client.post(
        f"/projects/{ref}/milestones/install", {"number": "0", "planned_on": "2026-06-01"}, status=409
    )
    assert "Someone else changed this" in page.text
    assert "What holds now" in page.text


@pytest.mark.parametrize(
    "overrides,code",
    [
        ({"planned_on": None}, "invalid_input"),
        ({"planned_on": None, "actual_on": date(2026, 5, 1)}, "invalid_input"),
        ({"actual_on": date(2026, 5, 5)}, "invalid_input"),
        ({"forecast_on": date(2026, 5, 21)}, "reason_required"),
        (
            {"planned_on": date(2026, 5, 1), "actual_on": date(2026, 5, 4), "slip_reason": " "},
            "reason_required",
        ),
    ],
)
def test_set_milestone_refuses_what_cannot_be(
    tx: Session, world: World, ref: str, overrides: dict[str, Any], code: str
) -> None:
    refused(tx, code, set_milestone, **said(world, ref, **overrides))


def test_a_planned_day_is_kept_unless_there_is_a_reason(tx: Session, world: World, ref: str) -> None:
    plan(world, ref)
    earlier = {"number": 1, "planned_on": date(2026, 5, 10)}
    refused(tx, "reason_required", set_milestone, **said(world, ref, **earlier))
    assert plan(world, ref, **earlier, slip_reason="The client moves in sooner.").planned_on == date(
        2026, 5, 10
    )


def test_a_slip_is_told_to_the_other_side_once(tx: Session, world: World, ref: str) -> None:
    plan(world, ref)
    before = set(tx.scalars(sa.select(OutgoingMail.id)))
    plan(world, ref, number=1, forecast_on=date(2026, 5, 21), slip_reason="Rain")
    plan(world, ref, number=2, forecast_on=date(2026, 5, 21), slip_reason="Much rain")
    mails = [mail for mail in tx.scalars(sa.select(OutgoingMail)) if mail.id not in before]
    assert [(mail.recipient, mail.path, mail.is_digestible) for mail in mails] == [
        (world.dealer.email, f"/projects/{ref}", True)
    ]
    assert "Install slips by 1 day" in mails[0].subject
    assert "Rain" in mails[0].body


def test_a_project_of_others_does_not_exist(client: PageClient, tx: Session, world: World, ref: str) -> None:
    trade = add_trade(tx, actor=world.dealer, at=AT, ref=ref, **TRADE)
    tx.flush()
    for stranger in (make_dealer(tx, world.program), make_account(tx, world.program)):
        refused(tx, "not_found", set_milestone, **said(world, ref, actor=stranger))
        refused(tx, "not_found", add_trade, actor=stranger, at=AT, ref=ref, **TRADE)
        client.sign_in(user_of(tx, stranger))
        for path in ("", "/milestones/install", "/trades/new", f"/trades/{trade.id}"):
            client.get(f"/projects/{ref}{path}", status=404)
        assert ref not in client.get("/projects").html


def test_who_may_only_look_plans_nothing(client: PageClient, tx: Session, world: World, ref: str) -> None:
    viewer = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    refused(tx, "forbidden", set_milestone, **said(world, ref, actor=viewer))
    refused(tx, "forbidden", set_milestone, **said(world, ref, actor=world.program))
    page = client.sign_in(user_of(tx, viewer)).get(f"/projects/{ref}")
    assert "Add a trade" not in page.text


@pytest.mark.parametrize("path", ["milestones/paint", "milestones/%00", "trades/1", f"trades/{UUID(int=7)}"])
def test_an_address_of_nothing_is_not_found(
    client: PageClient, tx: Session, world: World, ref: str, path: str
) -> None:
    client.sign_in(user_of(tx, world.account)).get(f"/projects/{ref}/{path}", status=404)


def test_a_project_is_planned_once_it_is_accepted(tx: Session, world: World, ref: str) -> None:
    row = seen(world, ref)
    assert row.is_plannable
    tx.execute(sa.text("UPDATE referral SET state = 'refused'"))
    refused(tx, "referral_closed", set_milestone, **said(world, ref))
    refused(tx, "referral_closed", add_trade, actor=world.dealer, at=AT, ref=ref, **TRADE)


# trades -----------------------------------------------------------------------------------------


def test_a_trade_is_added_changed_and_removed_by_either_side(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    client.sign_in(user_of(tx, world.dealer)).get(f"/projects/{ref}/trades/new")
    page = client.submit(
        "Add the trade", {"trade": "Electrician", "name": "Wattle", "agreed_on": "2026-01-02"}
    )
    assert "Overdue" in page.text
    row = tx.scalars(sa.select(Trade)).one()
    client.sign_in(user_of(tx, world.account)).get(f"/projects/{ref}/trades/{row.id}")
    page = client.submit("Save", {"done_on": "2026-01-03"})
    assert "3 Jan 2026" in page.text
    client.get(f"/projects/{ref}/trades/{row.id}")
    assert "No trade is named yet" in client.submit("Remove the trade").text
    events = tx.scalars(sa.select(AuditEvent.event).where(AuditEvent.subject == ref).order_by(AuditEvent.id))
    assert [event for event in events if event.startswith("trade.")] == [
        "trade.added",
        "trade.changed",
        "trade.removed",
    ]


def test_a_stale_edit_of_a_trade_is_refused(client: PageClient, tx: Session, world: World, ref: str) -> None:
    row = add_trade(tx, actor=world.dealer, at=AT, ref=ref, **TRADE)
    tx.flush()
    one: dict[str, Any] = {"actor": world.account, "at": AT, "ref": ref, "trade_id": row.id}
    change_trade(tx, version=1, **one, **TRADE)
    refused(tx, "stale_plan", change_trade, version=1, **one, **(TRADE | {"name": "Larch Electric"}))
    refused(tx, "stale_plan", change_trade, version=1, **(one | {"actor": world.dealer}), **TRADE)
    refused(tx, "stale_plan", remove_trade, version=1, **one)
    refused(tx, "invalid_input", change_trade, version=2, **one, **(TRADE | {"done_on": date(2026, 5, 5)}))
    client.sign_in(user_of(tx, world.account))
    page = client.post(f"/projects/{ref}/trades/{row.id}/remove", {"version": "1"}, status=409)
    assert "Someone else changed this" in page.text
    assert tx.scalars(sa.select(Trade.version)).one() == 2


def test_the_same_form_sent_twice_changes_the_plan_once(tx: Session, world: World, ref: str) -> None:
    late: dict[str, Any] = {"forecast_on": PLANNED + timedelta(days=3), "slip_reason": "Rain"}
    for _ in range(2):
        plan(world, ref, **late)
        row = add_trade(tx, actor=world.dealer, at=AT, ref=ref, **TRADE)
        tx.flush()
    for _ in range(2):
        changed: dict[str, Any] = TRADE | {"scope": "Pull the cables, then the keypads"}
        change_trade(tx, actor=world.dealer, at=AT, ref=ref, trade_id=row.id, version=1, **changed)
        tx.flush()
    assert tx.scalars(sa.select(MilestoneEntry.number)).all() == [1]
    assert tx.scalars(sa.select(Trade.version)).all() == [2]
    events = tx.scalars(sa.select(AuditEvent.event).where(AuditEvent.subject == ref)).all()
    assert [events.count(name) for name in ("milestone.set", "trade.added", "trade.changed")] == [1, 1, 1]
    slips = sa.select(OutgoingMail.id).where(OutgoingMail.subject.contains("slips by"))
    assert len(tx.scalars(slips).all()) == 1
    refused(tx, "stale_plan", set_milestone, **said(world, ref, actor=world.dealer, **late))


# the API ----------------------------------------------------------------------------------------


def test_programs_plan_with_the_same_refusals(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    token = token_of(tx, world.account)
    at = f"/api/v1/projects/{ref}"

    def call(method: str, path: str, body: Any, status: int) -> Any:
        return client.api(method, f"{at}{path}", body, token=token, status=status).json

    body = {"number": 0, "planned_on": "2026-01-20", "forecast_on": "2026-01-22"}
    assert call("PUT", "/milestones/install", body, 422)["code"] == "reason_required"
    said = call("PUT", "/milestones/install", body | {"slip_reason": "Rain"}, 200)
    assert (said["number"], said["forecast_on"], said["slip_reason"]) == (1, "2026-01-22", "Rain")
    assert call("PUT", "/milestones/install", body | {"slip_reason": "Snow"}, 409)["code"] == "stale_plan"
    call("PUT", "/milestones/paint", body, 404)
    trade = call("POST", "/trades", {"trade": "Electrician", "name": "Wattle"}, 201)
    changed = {"trade": "Electrician", "name": "Wattle", "version": 1, "done_on": "2026-01-03"}
    assert call("PUT", f"/trades/{trade['id']}", changed, 200)["version"] == 2
    assert call("PUT", f"/trades/{trade['id']}", changed, 200)["version"] == 2
    other = changed | {"name": "Larch"}
    assert call("PUT", f"/trades/{trade['id']}", other, 409)["code"] == "stale_plan"
    whole = client.api("GET", at, token=token).json
    assert [row["kind"] for row in whole["milestones"]] == list(MilestoneKind)
    assert whole["trades"][0]["done_on"] == "2026-01-03"
    client.api("POST", f"{at}/trades/{trade['id']}/removal", {"version": 2}, token=token, status=204)
    stranger = token_of(tx, make_dealer(tx, world.program))
    client.api("GET", at, token=stranger, status=404)
    client.api("PUT", f"{at}/milestones/install", body, token=stranger, status=404)
