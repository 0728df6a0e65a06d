"""What is recorded of an installed source by its account, by whom it is corrected, and what is refused."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from referral.db import write
from referral.errors import Refusal
from tests.factories import World, make_account, make_dealer, refused, user_of
from tests.warranty.grounds import LATER, SHIPPED, Kind, make_ground
from warranty.models.sources import InstalledSource, SerialNumber
from warranty.operations.corrections import correct_event
from warranty.operations.events import identify_source, record_source_event, record_swap
from warranty.operations.project_events import record_project_events
from warranty.operations.splits import split_source
from warranty.queries.facts import facts_of
from warranty.queries.readings import values_of
from warranty.states import Standing


def test_what_happened_is_an_event_and_shows_on_the_source(ground):
    ref = ground.ref()
    ground.record(ref)
    ground.record(ref, kind=Kind.COMMISSIONED, happened_on=date(2026, 5, 20))
    source = ground.source(ref)
    assert (source.delivered_on, source.commissioned_on) == (date(2026, 5, 7), date(2026, 5, 20))
    assert (source.standing, source.event_count) == (Standing.COMMISSIONED, 4)
    assert [event.recorded_by for event in ground.events(ref)][2:] == [ground.actor.user_id] * 2


def test_the_same_thing_said_again_adds_nothing(ground):
    ref = ground.ref()
    for _ in range(2):
        ground.record(ref, event_count=2)
        ground.record(ref, kind=Kind.MOVED, room="Hall", event_count=3)
    assert [event.kind for event in ground.events(ref)][2:] == [Kind.DELIVERED, Kind.MOVED]
    assert ground.source(ref).room == "Hall"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("invalid_input", {"happened_on": LATER.date() + timedelta(days=1)}),
        ("invalid_input", {"happened_on": SHIPPED - timedelta(days=1)}),
        ("invalid_input", {"kind": Kind.MOVED, "site_number": 9}),
        ("invalid_input", {"kind": Kind.SHIPPED}),
        ("reason_required", {"kind": Kind.RETIRED, "reason": " "}),
        ("invalid_input", {"kind": Kind.VOIDED}),
        ("stale_source", {"event_count": 1}),
        ("not_found", {"ref": "U-NOBODY-1"}),
    ],
)
def test_record_source_event_refuses(ground, code, said):
    refused(ground.tx, code, record_source_event, **ground.said(**said))


def test_only_the_account_that_sold_it_records(ground):
    tx, world = ground.tx, ground.world
    other = make_account(tx, world.program)
    refused(tx, "not_found", record_source_event, **ground.said(actor=other))
    refused(tx, "forbidden", record_source_event, **ground.said(actor=world.dealer))
    refused(tx, "forbidden", record_source_event, **ground.said(actor=world.program))


def test_a_day_is_to_come_or_not_by_the_clock_of_the_site(ground):
    late = LATER.replace(hour=2)  # still the day before in New York
    refused(
        ground.tx,
        "invalid_input",
        record_source_event,
        **ground.said(at=late, happened_on=late.date()),
    )
    ground.record(at=late, happened_on=late.date() - timedelta(days=1))


def test_a_second_day_of_delivery_is_refused_until_the_first_is_corrected(ground):
    ref = ground.ref()
    ground.record(ref)
    again = ground.said(ref, happened_on=date(2026, 5, 9))
    refused(ground.tx, "invalid_input", record_source_event, **again)
    correct(ground, ref, 3)
    ground.record(ref, happened_on=date(2026, 5, 9))
    assert ground.source(ref).delivered_on == date(2026, 5, 9)


def test_what_is_gone_is_moved_no_more_but_its_days_may_still_be_said(ground):
    ref = ground.ref()
    ground.record(ref, kind=Kind.RETIRED, happened_on=date(2026, 5, 25), reason="Burnt")
    assert ground.source(ref).standing is Standing.RETIRED
    refused(ground.tx, "not_in_place", record_source_event, **ground.said(ref, kind=Kind.MOVED))
    late = ground.said(ref, happened_on=date(2026, 5, 26))
    refused(ground.tx, "invalid_input", record_source_event, **late)
    ground.record(ref, happened_on=date(2026, 5, 24))
    assert ground.source(ref).standing is Standing.RETIRED
    assert ground.source(ref).delivered_on == date(2026, 5, 24)


# correcting -------------------------------------------------------------------------------------


def correcting(ground, ref, number, **overrides):
    said = {"actor": ground.actor, "at": LATER, "ref": ref, "event_count": None, "number": number}
    return said | {"reason": "Typed wrongly"} | overrides


def correct(ground, ref, number, **overrides):
    return correct_event(ground.tx, **correcting(ground, ref, number, **overrides))


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.MOVED, Kind.RETIRED])
def test_what_people_record_can_be_corrected_once(ground, kind):
    ref = ground.ref()
    before = values(ground, ref)
    ground.record(ref, kind=kind, room="Hall", reason="Why")
    assert values(ground, ref) != before
    for _ in range(2):
        correct(ground, ref, 3)
    assert values(ground, ref) == before
    assert [event.kind for event in ground.events(ref)][2:] == [kind, Kind.CORRECTED]


def values(ground, ref):
    source = ground.source(ref)
    facts = facts_of(ground.tx, source.dealer_id, [source.id])[source.id]
    said = values_of(facts, source.event_count)
    assert {name: getattr(source, name) for name in said} == said
    return {name: value for name, value in said.items() if name != "event_count"}


def test_correct_event_refuses(ground):
    ref, tx = ground.ref(), ground.tx
    ground.record(ref)
    refused(tx, "event_fixed", correct_event, **correcting(ground, ref, 1))
    refused(tx, "event_fixed", correct_event, **correcting(ground, ref, 2))
    refused(tx, "not_found", correct_event, **correcting(ground, ref, 9))
    refused(tx, "reason_required", correct_event, **correcting(ground, ref, 3, reason=""))
    refused(tx, "stale_source", correct_event, **correcting(ground, ref, 3, event_count=2))
    refused(tx, "forbidden", correct_event, **correcting(ground, ref, 3, actor=ground.world.dealer))


def test_what_went_back_with_a_return_stays_voided(ground):
    line_id = ground.source(ground.ref()).line_id
    ground.world.take_back(ground.order_ref, quantities={line_id: 10}, at=LATER)
    ref = ground.ref()
    assert ground.source(ref).standing is Standing.VOIDED
    number = ground.events(ref)[-1].number
    refused(ground.tx, "event_fixed", correct_event, **correcting(ground, ref, number))


# serial numbers ---------------------------------------------------------------------------------


def test_a_serial_number_is_of_one_unit_and_unique_over_all_dealers(ground):
    tx, ref = ground.tx, ground.one()
    refused(tx, "serial_of_one_unit", identify_source, **ground.naming(ground.ref()))
    identify_source(tx, **ground.naming(ref, "sn 1"))
    identify_source(tx, **ground.naming(ref, "SN1", event_count=1))
    assert ground.source(ref).serial == "SN1"
    refused(tx, "invalid_input", identify_source, **ground.naming(ref, "SN2"))
    other = World(
        tx, ground.world.program, make_dealer(tx, ground.world.program, number="77-1"), ground.actor, "77-1"
    )
    there = make_ground(tx, other)
    said = there.naming(there.one(), "Sn1")
    refusal = refused(tx, "serial_taken", identify_source, **said)
    words = f"{refusal.message} {dict(refusal.details)}"
    assert ground.world.dealer.company_code not in words
    assert ref not in words


def test_a_corrected_serial_number_is_free_again(ground):
    tx, ref, other = ground.tx, ground.one(), ground.one()
    identify_source(tx, **ground.naming(ref))
    number = ground.events(ref)[-1].number
    refused(tx, "serial_taken", identify_source, **ground.naming(other))
    correct(ground, ref, number)
    assert ground.source(ref).serial == ""
    identify_source(tx, **ground.naming(other))
    assert tx.scalars(sa.select(SerialNumber.source_id)).one() == ground.source(other).id


def test_of_many_who_give_one_serial_number_at_once_exactly_one_does(ground, at_once):
    refs = [ground.one() for _ in range(6)]
    ground.tx.commit()
    waiting = list(refs)

    def call():
        return write(identify_source, **ground.naming(waiting.pop()))

    answers = at_once(call, times=len(refs))
    assert sum(isinstance(answer, InstalledSource) for answer in answers) == 1
    codes = [answer.code for answer in answers if isinstance(answer, Refusal)]
    assert codes == ["serial_taken"] * (len(refs) - 1)
    assert [ground.source(ref).serial for ref in refs].count("SN-1") == 1


# groups -----------------------------------------------------------------------------------------


def test_units_taken_out_of_a_group_have_its_history_and_a_room_of_their_own(ground):
    group = ground.ref()
    ground.record(group)
    ref = ground.one(quantity=3, room="Hall")
    new = ground.source(ref)
    assert (new.quantity, new.room, new.delivered_on) == (3, "Hall", date(2026, 5, 7))
    assert ground.source(group).quantity == 7


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("invalid_input", {"quantity": 10}),
        ("invalid_input", {"quantity": 0}),
        ("stale_source", {"quantity": 1, "event_count": 1}),
    ],
)
def test_split_source_refuses(ground, code, said):
    plain = {"actor": ground.actor, "at": LATER, "ref": ground.ref(), "event_count": None, "room": ""}
    refused(ground.tx, code, split_source, **(plain | said))


# replacing --------------------------------------------------------------------------------------


def test_a_replacement_takes_the_place_of_as_many_units_of_a_group(ground):
    group, new_ref = ground.ref(), ground.replacement(2)
    ground.record(group, kind=Kind.MOVED, room="Hall")
    for _ in range(2):
        old, new = record_swap(ground.tx, **ground.swap(group, new_ref))
    assert (ground.source(group).quantity, old.quantity, new.quantity) == (8, 2, 2)
    assert (old.standing, old.gone_on) == (Standing.REPLACED, LATER.date())
    assert (new.replaces_id, new.room) == (old.id, "Hall")
    assert sum(row.quantity for row in ground.all() if row.model_number == "D3-LIGHT") == 12


def test_of_several_replacements_one_takes_the_place_of_one_unit(ground):
    ref, new_ref = ground.one(), ground.replacement(3)
    for _ in range(2):
        old, new = record_swap(ground.tx, **ground.swap(ref, new_ref))
    assert (old.quantity, new.quantity, ground.source(new_ref).quantity) == (1, 1, 2)
    assert new.split_from_id == ground.source(new_ref).id


def test_record_swap_refuses(ground):
    tx, ref = ground.tx, ground.one()
    new_ref = ground.replacement()
    refused(tx, "invalid_input", record_swap, **ground.swap(ref, ground.ref()))
    refused(tx, "invalid_input", record_swap, **ground.swap(ref, ref))
    refused(tx, "invalid_input", record_swap, **ground.swap(ground.ref("D3-TRIM"), new_ref))
    early = ground.swap(ref, new_ref, happened_on=SHIPPED + timedelta(days=1))
    refused(tx, "invalid_input", record_swap, **early)
    late = ground.swap(ref, new_ref, happened_on=LATER.date() + timedelta(days=1))
    refused(tx, "invalid_input", record_swap, **late)
    refused(tx, "stale_source", record_swap, **ground.swap(ref, new_ref, event_count=1))
    record_swap(tx, **ground.swap(ref, new_ref))
    other, free = ground.one(), ground.replacement()
    refused(tx, "invalid_input", record_swap, **ground.swap(other, new_ref))
    refused(tx, "not_in_place", record_swap, **ground.swap(ref, free))


def test_of_two_who_use_one_replacement_at_once_one_does(ground, at_once):
    refs, new_ref = [ground.one() for _ in range(4)], ground.replacement()
    ground.tx.commit()
    waiting = list(refs)
    answers = at_once(lambda: write(record_swap, **ground.swap(waiting.pop(), new_ref)), times=len(refs))
    assert sum(isinstance(answer, tuple) for answer in answers) == 1
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"invalid_input"}
    assert not [answer for answer in answers if not isinstance(answer, tuple | Refusal)]


def test_a_swap_is_corrected_as_a_pair(ground):
    ref, new_ref = ground.one(), ground.replacement()
    before = values(ground, ref), values(ground, new_ref)
    record_swap(ground.tx, **ground.swap(ref, new_ref))
    number = next(event.number for event in ground.events(new_ref) if event.kind is Kind.REPLACES)
    correct(ground, new_ref, number)
    assert (values(ground, ref), values(ground, new_ref)) == before


# many at once -----------------------------------------------------------------------------------


def many(ground, **overrides):
    said = {
        "actor": ground.actor,
        "at": LATER,
        "ref": ground.project,
        "kind": Kind.COMMISSIONED,
        "happened_on": date(2026, 5, 20),
        "site_number": None,
        "new_room": "",
        "source_refs": None,
        "room": None,
        "order_ref": "",
        "count": None,
    }
    return said | overrides


def test_one_form_records_the_same_of_all_of_a_room_or_order(ground):
    tx = ground.tx
    ref = ground.one(room="Hall")
    assert record_project_events(tx, **many(ground, room="Kitchen", count=2)) == 2
    assert record_project_events(tx, **many(ground, order_ref=ground.order_ref)) == 1
    assert record_project_events(tx, **many(ground)) == 0
    assert {row.commissioned_on for row in ground.all()} == {date(2026, 5, 20)}
    said = {"kind": Kind.MOVED, "happened_on": LATER.date(), "site_number": 1, "new_room": "Bath"}
    moving = many(ground, source_refs=[ref], **said)
    assert record_project_events(tx, **moving) == 1
    assert ground.source(ref).room == "Bath"


def test_what_one_of_many_cannot_have_none_gets(ground):
    ref = ground.one()
    ground.record(ref, kind=Kind.RETIRED, happened_on=date(2026, 5, 10), reason="Burnt")
    refusal = refused(
        ground.tx, "invalid_input", record_project_events, **many(ground, source_refs=[ref, ground.ref()])
    )
    assert ref in refusal.problems[0].message


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("stale_source", {"count": 7}),
        ("invalid_input", {"source_refs": []}),
        ("not_found", {"source_refs": ["U-NOBODY-1"]}),
        ("not_found", {"order_ref": "O-NOBODY-1"}),
        ("invalid_input", {"kind": Kind.RETIRED}),
        ("invalid_input", {"kind": Kind.MOVED, "site_number": 9}),
        ("invalid_input", {"happened_on": SHIPPED - timedelta(days=1)}),
    ],
)
def test_record_project_events_refuses(ground, code, said):
    refused(ground.tx, code, record_project_events, **many(ground, **said))


# pages and API ----------------------------------------------------------------------------------


def test_a_person_records_an_event_identifies_splits_and_corrects_on_pages(ground, client):
    client.sign_in(user_of(ground.tx, ground.actor))
    ref = ground.ref()
    client.get(f"/sources/{ref}/record?kind=moved")
    client.submit("Record", {"happened_on": "2026-05-07", "room": "Hall"})
    assert ground.source(ref).room == "Hall"
    client.get(f"/sources/{ref}/split")
    client.submit("Record them apart", {"quantity": "1"})
    one = ground.ref(place=1)
    assert ground.source(one).quantity == 1
    client.get(f"/sources/{one}/serial")
    client.submit("Record the serial number", {"serial": "ab 1"})
    assert ground.source(one).serial == "AB1"
    number = ground.events(one)[-1].number
    client.get(f"/sources/{one}/events/{number}/correct")
    client.submit("Correct it", {"reason": "Misread"})
    assert ground.source(one).serial == ""
    new_ref = ground.replacement()
    ground.tx.commit()
    client.get(f"/sources/{one}/replaced")
    today = ground.source(new_ref).shipped_on
    client.submit("Record the replacement", {"happened_on": today.isoformat()})
    assert ground.source(one).standing is Standing.REPLACED


def test_a_page_that_was_read_before_another_wrote_is_refused(ground, client):
    client.sign_in(user_of(ground.tx, ground.actor))
    ref = ground.ref()
    client.get(f"/sources/{ref}/record?kind=delivered")
    ground.record(ref, kind=Kind.MOVED, room="Hall")
    page = client.submit("Record", {"happened_on": "2026-05-07"}, status=409)
    assert "in the meantime" in page.text
    assert ground.source(ref).delivered_on is None


def test_many_are_recorded_on_one_page_in_a_fixed_number_of_statements(ground, client):
    client.sign_in(user_of(ground.tx, ground.actor))
    client.get(f"/referrals/{ground.project}/record?kind=delivered&room=Kitchen")
    page = client.submit("Record for these sources", {"happened_on": "2026-05-06"})
    assert "recorded for 2 installed sources" in page.text
    assert {row.delivered_on for row in ground.all()} == {date(2026, 5, 6)}
