"""The page of a source, its label's page, the interface and the command: one answer, to those who may see it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company
from referral.permissions import Role
from referral.queries.people import viewer_of
from tests.factories import AT, World, make_account, make_dealer, make_user, make_world, user_of
from tests.tokens import token_of
from warranty.models.sources import InstalledSource, Site
from warranty.operations.corrections import correct_event
from warranty.operations.events import record_source_event
from warranty.operations.recording import Said, record_events
from warranty.operations.splits import split_units
from warranty.operations.terms import set_term
from warranty.queries.coverage import coverage_of
from warranty.queries.source_page import source_page
from warranty.rules.terms import TermInput
from warranty.states import Lacking, SourceEventKind, StartRule, Verdict

LATER = datetime(2026, 6, 20, 15, tzinfo=UTC)


def make_term(world: World, at: datetime = AT, **said: Any) -> None:
    """Terms of family D3: sixty months from commissioning."""
    usual: dict[str, Any] = {
        "family": "D3", "valid_from": date(2020, 1, 1), "months": 60, "start_rule": StartRule.COMMISSIONED,
        "cap_days": None, "covers_parts": True, "covers_labor": True, "report_days": 30, "replacement_days": 90,
        "source": "Letter of 2 May", "reason": "As the program says",
    }  # fmt: skip
    set_term(world.tx, actor=world.program, at=at, said=TermInput(**(usual | said)))
    world.tx.flush()


def make_source(world: World, *, terms: bool = True, **lines: Any) -> str:
    """A shipped group of ten lights; returns its number."""
    if terms:
        make_term(world)
    _, order_ref = world.order()
    world.ship(order_ref)
    number = world.tx.scalars(
        sa.select(InstalledSource.number).where(InstalledSource.model_number == "D3-LIGHT")
    ).one()
    return str(PublicNumber("U", world.dealer.company_code, number))


def row_of(tx: Session) -> InstalledSource:
    tx.expire_all()
    return tx.scalars(sa.select(InstalledSource).where(InstalledSource.model_number == "D3-LIGHT")).one()


def commission(world: World, ref: str, day: date = date(2026, 6, 15), at: datetime = LATER) -> None:
    record_source_event(
        world.tx,
        actor=world.account,
        at=at,
        ref=ref,
        event_count=None,
        kind=SourceEventKind.COMMISSIONED,
        happened_on=day,
        site_number=None,
        room="",
        reason="",
    )
    world.tx.flush()


def ask(world: World, ref: str, at: datetime = LATER, **said: Any) -> Any:
    return coverage_of(world.tx, viewer=world.dealer, ref=ref, at=at, **said)


# the query -------------------------------------------------------------------------------------------


def test_the_answer_names_who_owes_it_and_the_terms_with_their_source(tx):
    world = make_world(tx)
    ref = make_source(world)
    commission(world, ref)
    answer = ask(world, ref)
    assert answer.words == (
        "Covered through 14 Jun 2031.",
        f"{world.account.company_name} owes it: parts and labor.",
    )
    assert (answer.term.months, answer.term.source, answer.term.set_by) == (
        60,
        "Letter of 2 May",
        world.program.name,
    )
    assert answer.site.room == "Kitchen"
    assert answer.later == ()


def test_an_answer_of_before_stays_and_what_was_recorded_later_is_listed_apart(tx):
    world = make_world(tx)
    ref = make_source(world)
    asked = {"as_of": datetime(2026, 6, 16, tzinfo=UTC), "failed_on": date(2026, 6, 15)}
    before = ask(world, ref, **asked)
    assert (before.coverage.verdict, before.coverage.lacking) == (Verdict.UNDETERMINED, Lacking.COMMISSIONED)
    commission(world, ref, at=LATER)
    make_term(world, at=LATER, months=24)
    again = ask(world, ref, at=LATER + timedelta(days=1), **asked)
    assert again.coverage == before.coverage
    assert [each.what for each in again.later] == ["Commissioned", "Warranty terms of D3"]
    assert again.known_now[0] == "Covered through 14 Jun 2028."


def test_the_day_of_report_is_the_sites_day_at_midnight(tx):
    world = make_world(tx)
    ref = make_source(world)
    just_before = datetime(2026, 7, 2, 3, 59, 59, tzinfo=UTC)
    assert ask(world, ref, at=just_before).reported_on == date(2026, 7, 1)
    assert ask(world, ref, at=just_before + timedelta(seconds=1)).reported_on == date(2026, 7, 2)


def test_after_a_move_the_days_are_those_of_the_new_site(tx):
    world = make_world(tx)
    ref = make_source(world)
    source = row_of(tx)
    first = tx.get_one(Site, (source.dealer_id, source.site_id))
    coast = Site(
        dealer_id=first.dealer_id, id=world.program.user_id, referral_id=first.referral_id, number=9,
        name="Beach house", place="Malibu, CA", time_zone="America/Los_Angeles", added_by=None, added_at=AT,
    )  # fmt: skip
    tx.add(coast)
    tx.flush()
    said = Said(SourceEventKind.MOVED, date(2026, 7, 1), None, LATER, site_id=coast.id, room="Deck")
    record_events(
        tx, dealer_id=source.dealer_id, said={source.id: [said]}, counts={source.id: source.event_count}
    )
    at = datetime(2026, 7, 2, 6, 59, tzinfo=UTC)
    there = ask(world, ref, at=at)
    assert (there.reported_on, there.site.name, there.site.room) == (date(2026, 7, 1), "Beach house", "Deck")
    assert ask(world, ref, at=at, failed_on=date(2026, 6, 30)).site.room == "Kitchen"
    assert ask(world, ref, at=datetime(2026, 7, 1, 4, 30, tzinfo=UTC)).reported_on == date(2026, 7, 1)


def test_a_day_as_known_ends_at_the_sites_midnight_and_no_instant_is_to_come(tx):
    world = make_world(tx)
    ref = make_source(world)
    answer = ask(world, ref, as_of=date(2026, 6, 1))
    assert answer.as_of == datetime(2026, 6, 2, 4, tzinfo=UTC) - timedelta(microseconds=1)
    assert ask(world, ref, as_of=date(2090, 1, 1)).as_of == LATER


def test_what_cannot_be_asked_is_refused_beside_its_field(tx):
    world = make_world(tx)
    ref = make_source(world)
    with pytest.raises(Refusal) as caught:
        ask(world, ref, as_of=date(2026, 5, 3))
    assert (caught.value.code, caught.value.field) == ("invalid_input", "as_of")
    with pytest.raises(Refusal) as caught:
        ask(world, ref, failed_on=date(2026, 6, 2), reported_on=date(2026, 6, 1))
    assert caught.value.field == "reported_on"


def test_other_companies_find_nothing(tx):
    world = make_world(tx)
    ref = make_source(world)
    for stranger in (make_dealer(tx, world.program), make_account(tx, world.program)):
        with pytest.raises(Refusal, match="nothing here"):
            coverage_of(tx, viewer=stranger, ref=ref, at=LATER)


def test_the_account_sees_and_owes_it_after_its_qualification_ended(tx):
    world = make_world(tx)
    ref = make_source(world)
    commission(world, ref)
    account = viewer_of(tx, world.account.user_id, at=LATER)
    assert (
        coverage_of(tx, viewer=account, ref=ref, at=LATER).coverage.covers[0].provider == account.company_name
    )


def test_a_corrected_event_stays_in_the_history_struck(tx):
    world = make_world(tx)
    ref = make_source(world)
    commission(world, ref)
    correct_event(
        tx, actor=world.account, at=LATER, ref=ref, event_count=None, number=3, reason="Other house"
    )
    tx.flush()
    page = source_page(tx, viewer=world.account, ref=ref, at=LATER)
    assert [(row.what, row.is_struck) for row in page.events][:2] == [
        ("Correction: “Commissioned” was wrong", False),
        ("Commissioned", True),
    ]
    assert page.events[1].days_late == 5
    assert page.answer.coverage.lacking is Lacking.COMMISSIONED


def test_the_page_costs_the_same_whatever_was_recorded(tx, app):
    world = make_world(tx)
    ref = make_source(world)

    def cost() -> int:
        tx.flush()
        tx.expire_all()
        return statements(tx, lambda: source_page(tx, viewer=world.account, ref=ref, at=LATER))

    before = cost()
    for day in range(1, 15):
        source = row_of(tx)
        said = Said(
            SourceEventKind.MOVED, date(2026, 6, day), None, LATER, site_id=source.site_id, room=f"Room {day}"
        )
        record_events(
            tx, dealer_id=source.dealer_id, said={source.id: [said]}, counts={source.id: source.event_count}
        )
    split_units(tx, source=row_of(tx), quantities=[1] * 5, day=date(2026, 6, 16), by=None, at=LATER)
    assert cost() == before
    assert before <= 18


def statements(tx: Session, call: Any) -> int:
    seen = []
    engine = tx.get_bind()
    note = lambda *_: seen.append(1)  # noqa: E731 - one line
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        call()
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    return len(seen)


# the pages -------------------------------------------------------------------------------------------


def has_class(tree: Element, name: str) -> bool:
    return any(
        name in element.get("class", "").split() for element in tree.iter() if isinstance(element.tag, str)
    )


def test_the_page_says_the_answer_first_and_draws_the_bar(tx, client):
    world = make_world(tx)
    ref = make_source(world)
    commission(world, ref)
    client.sign_in(user_of(tx, world.account))
    page = client.get(f"/sources/{ref}?failed_on=2028-03-01&as_of=2026-06-20")
    assert page.status == 200
    assert "Covered through 14 Jun 2031." in page.text
    assert "Day asked for, 1 Mar 2028" in page.text
    assert has_class(page.tree, "cover-warranty")
    assert has_class(page.tree, "cover-gap")
    assert "Ten-year limit of plans, 14 Jun 2041" in page.text


def test_a_question_that_cannot_be_answered_is_said_and_today_is_shown(tx, client):
    world = make_world(tx)
    ref = make_source(world)
    client.sign_in(user_of(tx, world.account))
    page = client.get(f"/sources/{ref}?as_of=2001-01-01", status=422)
    assert "Nothing was recorded of it by then" in page.text
    client.get(f"/sources/{ref}?failed_on=soon", status=422)
    client.get(f"/sources/{ref}?failed=2026-06-01", status=404)


def test_an_undetermined_answer_leads_to_what_mends_it(tx, client):
    world = make_world(tx)
    ref = make_source(world)
    client.sign_in(user_of(tx, world.account))
    page = client.get(f"/sources/{ref}")
    assert "Not determined yet" in page.text
    assert f"/sources/{ref}/record" in page.html


def test_a_label_leads_through_the_sign_in_to_its_source_and_shows_a_technician_what_is_needed(tx, client):
    world = make_world(tx)
    ref = make_source(world)
    commission(world, ref)
    page = client.get(f"/u/{ref}", status=303)
    assert page.location.startswith("/sign-in?next=")
    assert ref in page.location
    installer = make_user(tx, tx.get_one(Company, world.account.company_id), Role.ACCOUNT_INSTALLER)
    client.sign_in(user_of(tx, installer))
    page = client.get(f"/u/{ref}")
    assert page.status == 200
    assert "Covered through 14 Jun 2031." in page.text
    assert f"/sources/{ref}/claim" in page.html
    assert "List price" not in page.text


def test_a_label_is_nothing_to_other_companies(tx, client):
    world = make_world(tx)
    ref = make_source(world)
    client.sign_in(user_of(tx, make_dealer(tx, world.program)))
    for path in (f"/u/{ref}", f"/sources/{ref}", "/u/U-HARBOR-999", "/u/nonsense"):
        client.get(path, status=404)


# the interface ------------------------------------------------------------------------------------------


def test_the_interface_gives_the_same_answer(tx, client):
    world = make_world(tx)
    ref = make_source(world)
    commission(world, ref)
    headers = {"Authorization": f"Bearer {token_of(tx, world.dealer)}"}
    tx.commit()
    said = client.flask.get(
        f"/api/v1/sources/{ref}/coverage?failed_on=2028-03-01&as_of=2026-06-21", headers=headers
    )
    assert said.status_code == 200, said.text
    answer = said.get_json()
    here = ask(world, ref, as_of=date(2026, 6, 21), failed_on=date(2028, 3, 1))
    assert answer["reasons"] == list(here.coverage.reasons)
    assert (answer["verdict"], answer["warranty_ends_on"], answer["limit_on"]) == (
        "covered",
        "2031-06-14",
        "2041-06-14",
    )
    assert answer["terms"]["source"] == "Letter of 2 May"
    page = client.flask.get(f"/api/v1/sources/{ref}", headers=headers).get_json()
    assert [row["kind"] for row in page["events"]] == ["commissioned", "moved", "shipped"]
    assert page["coverage"]["source"] == page["id"] == ref


@pytest.mark.parametrize(
    "query",
    [
        "as_of=yesterday",
        "as_of=2026-06-21T10:00",
        "as_of=0001-01-01T00:00:00Z",
        "failed_on=2026-02-30",
        "day=1",
    ],
)
def test_the_interface_refuses_what_it_cannot_read(tx, client, query):
    world = make_world(tx)
    ref = make_source(world, terms=False)
    headers = {"Authorization": f"Bearer {token_of(tx, world.dealer)}"}
    tx.commit()
    assert client.flask.get(f"/api/v1/sources/{ref}/coverage?{query}", headers=headers).status_code == 422


def test_the_command_prints_the_same_answer(tx, app):
    world = make_world(tx)
    ref = make_source(world)
    commission(world, ref)
    tx.commit()
    args = ["warranty", "coverage", ref, "--failed-on", "2031-06-14", "--reported-on", "2031-06-20"]
    result = app.test_cli_runner().invoke(args=args)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Covered through 14 Jun 2031.\n")
    assert "reported 20 Jun 2031: 6 days late, 30 allowed." in result.output
    wrong = app.test_cli_runner().invoke(args=["warranty", "coverage", "U-NOBODY-1"])
    assert wrong.exit_code == 1
    assert "nothing here" in wrong.output
