"""Service calls: opened under what they are entitled to, worked on by the clocks, and never changed."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest

from support.operations.calls import open_call
from support.operations.calls_recording import Used, correct_call_event, record_call_event
from support.rules.call_projection import END_OF_TIME
from support.states import CallState, DueStatus, Platform
from tests.factories import make_account, make_catalogue, make_dealer, refused
from tests.support.call_ground import NOON, ONE, THREE, TWO, Kind, make_calls, ny, pacific
from tests.support.catalogue_files import as_catalogue, entry, shipped
from tests.warranty.test_claims import add_terms


@pytest.fixture
def calls(tx):
    return make_calls(tx)


# opening ------------------------------------------------------------------------------------------


def test_a_call_takes_the_best_commitment_and_is_due_by_it(calls):
    calls.agree("silver")
    platinum = calls.agree("platinum")
    ref = calls.open()
    page = calls.page(ref, NOON)
    assert page.row.agreement_ref == platinum
    assert page.call.handler_id == calls.world.program.company_id
    assert calls.told(ref, NOON) == [("response", DueStatus.PENDING, ny(3, 12))]
    assert (page.row.due_at, page.row.due_name) == (ny(3, 12), "Somebody is there, on site or remotely")
    assert page.next_due.left == "1 day left"
    assert "Service hours counted" in " ".join(page.next_due.why)
    assert calls.faults() == []


def test_the_commitment_with_nothing_left_is_not_the_best_any_more(calls):
    custom = calls.agree("custom", choices={"response-24h": 1, "response-72h": 1})
    first = calls.open()
    assert calls.page(first, NOON).call.grant_key == "response-24h"
    calls.record(first, Kind.RESOLVED, NOON, used=Used("response-24h", 1))
    assert calls.page(first, NOON).uses == ("1 visit covered (24-hour (next business day))",)
    second = calls.open()
    assert calls.page(second, NOON).call.grant_key == "response-72h"
    picked = calls.open(under=f"{custom}/response-24h")
    kept = calls.page(picked, NOON).entitlement
    assert (kept.covered, kept.billable) == (0, 1)
    assert calls.faults() == []


def test_a_unit_in_warranty_is_owed_by_its_account(calls, tx):
    add_terms(tx, calls.world.program)
    ref = calls.open(source_ref=calls.u)
    page = calls.page(ref, NOON)
    assert page.call.handler_id == calls.world.account.company_id
    assert page.entitlement.kind == "warranty"
    assert page.line.obligations == ()
    assert page.call.waits_until is not None


def test_without_an_agreement_work_is_billable_and_nothing_is_promised(calls):
    ref = calls.open(platform=Platform.QUANTUM)
    page = calls.page(ref, NOON)
    assert (page.entitlement.kind, page.entitlement.billable) == ("billable", 1)
    assert page.call.policy_id is None
    calls.record(ref, Kind.CONFIRMED, NOON)
    assert calls.call(ref).waits_until == END_OF_TIME


def test_first_available_has_no_due_instant_but_a_first_look(calls):
    calls.agree("custom", choices={"first-available": None})
    ref = calls.open(at=ny(2, 22, 40))
    page = calls.page(ref, ny(2, 22, 40))
    assert page.line.obligations == ()
    assert page.row.due_at is None
    assert page.row.attention_at == ny(3, 8)
    calls.record(ref, Kind.RESPONDED, ny(3, 9))
    assert calls.call(ref).waits_until == END_OF_TIME


def test_a_call_that_came_after_hours_counts_from_the_next_opening(calls):
    calls.agree("gold")
    ref = calls.open(at=ny(5, 18))  # a Friday evening
    assert calls.told(ref, ny(5, 18)) == [("response", DueStatus.PENDING, ny(10, 8))]


def test_opening_twice_with_one_key_is_one_call(calls, tx):
    said = calls.opening()
    first = open_call(tx, **said)
    again = open_call(tx, **said)
    assert again.id == first.id
    assert len(calls.events(f"S-{calls.world.dealer.company_code}-1")) == 1
    refused(tx, "idempotency_key_reused", open_call, **(said | {"problem": "Another"}))


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("reason_required", {"problem": "  "}),
        ("idempotency_key_missing", {"idempotency_key": ""}),
        ("invalid_input", {"happened_at": NOON + timedelta(minutes=1)}),
        ("invalid_input", {"happened_at": NOON - timedelta(days=31)}),
        ("invalid_input", {"priority": ONE}),
        ("invalid_input", {"under": "warranty"}),
        ("invalid_input", {"site_ref": ""}),
        ("not_found", {"site_ref": "R-NOBODY-1/1"}),
        ("not_found", {"site_ref": "nowhere"}),
        ("agreement_not_active", {"under": "A-NOBODY-1"}),
    ],
)
def test_opening_is_refused_and_nothing_is_saved(calls, tx, code, wrong):
    calls.agree("gold")
    refused(tx, code, open_call, **calls.opening(**wrong))


def test_a_grant_that_the_agreement_does_not_have_is_refused(calls, tx):
    gold = calls.agree("gold")
    refused(tx, "not_granted", open_call, **calls.opening(under=f"{gold}/response-24h"))


def test_an_agreement_that_ended_opens_nothing(calls, tx):
    gold = calls.agree("gold")
    late = NOON + timedelta(days=400)
    refused(tx, "agreement_not_active", open_call, **calls.opening(under=gold, at=late))
    assert calls.page(calls.open(at=late), late).entitlement.kind == "billable"


def test_support_by_priority_asks_for_one(calls, tx):
    calls.agree("deluxe", license_cents=5_000_000)
    refused(tx, "invalid_input", open_call, **calls.opening())


def test_others_see_no_call_and_record_nothing(calls, tx):
    calls.agree("gold")
    ref = calls.open()
    stranger = make_dealer(tx, calls.world.program)
    other = make_account(tx, calls.world.program)
    for actor in (stranger, other):
        refused(tx, "not_found", open_call, **calls.opening(actor=actor))
        refused(tx, "not_found", record_call_event, **calls.saying(ref, Kind.NOTED, NOON, actor=actor))
    for actor in (calls.world.dealer, calls.world.account):
        refused(tx, "forbidden", record_call_event, **calls.saying(ref, Kind.RESPONDED, NOON, actor=actor))
    calls.record(ref, Kind.NOTED, NOON, actor=calls.world.dealer, words="The gate is open.")


# priorities ---------------------------------------------------------------------------------------


def test_priority_1_at_night_pages_and_its_clocks_start_with_the_confirmation(calls):
    calls.agree("deluxe", license_cents=5_000_000)
    night = pacific(2, 22, 40)
    ref = calls.open(at=night, priority=ONE)
    assert calls.call(ref).is_paging
    assert calls.told(ref, night) == []
    assert calls.call(ref).waits_until == night
    calls.record(ref, Kind.CONFIRMED, pacific(2, 22, 50))
    assert calls.told(ref, pacific(2, 22, 50)) == [
        ("p1-notice", DueStatus.PENDING, pacific(2, 23, 5)),
        ("p1-follow-up", DueStatus.PENDING, pacific(3, 0, 50)),
    ]
    calls.record(ref, Kind.NOTIFIED, pacific(2, 23, 5))
    calls.record(ref, Kind.FOLLOWED_UP, pacific(3, 0, 40))
    assert calls.told(ref, pacific(3, 1)) == [
        ("p1-notice", DueStatus.MET, pacific(2, 23, 5)),
        ("p1-follow-up", DueStatus.MET, pacific(3, 0, 50)),
        ("p1-follow-up", DueStatus.PENDING, pacific(3, 2, 40)),
    ]
    calls.record(ref, Kind.RESOLVED, pacific(3, 2))
    assert calls.call(ref).waits_until is None
    assert calls.call(ref).missed_count == 0
    assert not calls.call(ref).is_paging
    assert calls.faults() == []


def test_priority_1_is_never_paused_and_a_pause_ends_before_it_becomes_one(calls, tx):
    calls.agree("deluxe", license_cents=5_000_000)
    ref = calls.open(priority=ONE)
    refused(tx, "never_paused", record_call_event, **calls.saying(ref, Kind.PAUSED, NOON))
    other = calls.open(priority=TWO)
    calls.record(other, Kind.PAUSED, NOON, reason="requirement:server-access")
    assert calls.page(other, NOON).events[0].reason == "A requirement is not met: Access to the server"
    refused(tx, "call_paused", record_call_event, **calls.saying(other, Kind.PRIORITY, NOON, priority=ONE))


def test_raising_a_priority_brings_no_retroactive_miss(calls):
    calls.agree("deluxe", license_cents=5_000_000)
    opened = pacific(2, 9)
    ref = calls.open(at=opened, priority=THREE)
    assert calls.told(ref, opened) == []
    later = pacific(4, 12)
    calls.record(ref, Kind.PRIORITY, later, priority=TWO)
    assert ("p2-escalation", DueStatus.PENDING, pacific(5, 12)) in calls.told(ref, later)
    assert calls.call(ref).missed_count == 0


# pauses, lateness, corrections --------------------------------------------------------------------


def test_a_pause_keeps_the_business_time_that_remained(calls):
    calls.agree("platinum")
    ref = calls.open()
    calls.record(ref, Kind.PAUSED, ny(2, 14))
    paused = calls.page(ref, ny(3, 14))
    assert paused.stand.state is CallState.PAUSED
    assert paused.next_due.due.remaining == timedelta(hours=7)
    assert calls.call(ref).waits_until == END_OF_TIME
    calls.record(ref, Kind.RESUMED, ny(4, 10))
    assert calls.told(ref, ny(4, 10)) == [("response", DueStatus.PENDING, ny(4, 17))]
    calls.record(ref, Kind.RESPONDED, ny(4, 17))
    assert calls.told(ref, ny(9, 8)) == [("response", DueStatus.MET, ny(4, 17))]
    assert calls.faults() == []


@pytest.mark.parametrize(
    ("code", "kind", "overrides"),
    [
        ("call_not_paused", Kind.RESUMED, {}),
        ("reason_required", Kind.PAUSED, {"reason": ""}),
        ("invalid_input", Kind.PAUSED, {"reason": "coffee"}),
        ("reason_required", Kind.RESOLVED, {"words": " "}),
        ("reason_required", Kind.NOTED, {"words": ""}),
        ("reason_required", Kind.PROGRESS_STOPPED, {"reason": "", "words": ""}),
        ("invalid_input", Kind.PRIORITY, {"priority": TWO}),
        ("invalid_input", Kind.PRIORITY, {}),
        ("invalid_input", Kind.RESPONDED, {"happened_at": ny(2, 12, 1)}),
        ("invalid_input", Kind.RESPONDED, {"happened_at": ny(2, 11)}),
        ("invalid_input", Kind.RESPONDED, {"used": Used("response-48h", 1)}),
        ("not_granted", Kind.RESOLVED, {"used": Used("coffee", 1)}),
        ("not_pending", Kind.REOPENED, {}),
        ("stale_call", Kind.RESPONDED, {"event_count": 7}),
        ("event_fixed", Kind.OPENED, {}),
        ("event_fixed", Kind.CORRECTED, {}),
    ],
)
def test_an_event_is_refused_and_nothing_is_saved(calls, tx, code, kind, overrides):
    calls.agree("gold")
    ref = calls.open()
    refused(tx, code, record_call_event, **calls.saying(ref, kind, NOON, **overrides))


def test_a_paused_and_a_closed_call_take_only_what_fits(calls, tx):
    calls.agree("gold")
    ref = calls.open()
    calls.record(ref, Kind.PAUSED, NOON)
    for kind in (Kind.PAUSED, Kind.RESPONDED, Kind.CONFIRMED):
        refused(tx, "call_paused", record_call_event, **calls.saying(ref, kind, NOON))
    calls.record(ref, Kind.RESOLVED, NOON)
    for kind in (Kind.RESPONDED, Kind.RESOLVED, Kind.PAUSED, Kind.WITHDRAWN):
        refused(tx, "call_closed", record_call_event, **calls.saying(ref, kind, NOON))
    calls.record(ref, Kind.REOPENED, NOON, actor=calls.world.dealer)
    assert calls.call(ref).state is CallState.OPEN


def test_what_is_recorded_late_changes_the_verdict_and_says_so(calls):
    calls.agree("platinum")
    ref = calls.open()
    calls.record(ref, Kind.NOTED, ny(4, 9))
    assert calls.told(ref, ny(4, 9)) == [("response", DueStatus.MISSED, ny(3, 12))]
    assert calls.call(ref).missed_count == 1
    assert calls.call(ref).waits_until == ny(3, 12)  # it is owed all the same, and stands first
    calls.record(ref, Kind.RESPONDED, ny(4, 10), happened_at=ny(3, 11))
    assert calls.told(ref, ny(4, 10)) == [("response", DueStatus.MET, ny(3, 12))]
    assert calls.call(ref).missed_count == 0
    assert calls.page(ref, ny(4, 10)).events[0].late == "23 h"
    assert calls.faults() == []


def test_what_happened_is_judged_by_how_the_call_stood_then(calls, tx):
    calls.agree("platinum")
    ref = calls.open()
    calls.record(ref, Kind.PAUSED, ny(2, 14))
    calls.record(ref, Kind.RESUMED, ny(2, 15))
    late = {"happened_at": ny(2, 14, 30)}
    refused(tx, "call_paused", record_call_event, **calls.saying(ref, Kind.RESPONDED, ny(2, 16), **late))
    refusal = refused(
        tx, "call_closed", record_call_event, **calls.saying(ref, Kind.RESOLVED, ny(2, 16), **late)
    )
    assert "event 3" in refusal.message
    calls.record(ref, Kind.RESPONDED, ny(2, 16), happened_at=ny(2, 13, 30))


def test_a_pause_that_is_recorded_late_comes_in_two_events(calls):
    calls.agree("platinum")
    ref = calls.open()
    calls.record(ref, Kind.PAUSED, ny(2, 16))
    calls.record(ref, Kind.RESUMED, ny(2, 16, 30))
    assert calls.told(ref, ny(2, 17)) == [("response", DueStatus.PENDING, ny(3, 12, 30))]
    calls.record(ref, Kind.PAUSED, ny(2, 17), happened_at=ny(2, 13))
    calls.record(ref, Kind.RESUMED, ny(2, 17), happened_at=ny(2, 14))
    assert calls.told(ref, ny(2, 17)) == [("response", DueStatus.PENDING, ny(3, 13, 30))]
    assert calls.faults() == []


def test_a_correction_takes_an_event_out_and_the_opening_stays(calls, tx):
    calls.agree("platinum")
    ref = calls.open()
    calls.record(ref, Kind.RESPONDED, ny(2, 13))
    assert calls.told(ref, ny(2, 13))[0][1] is DueStatus.MET
    calls.correct(ref, 2, ny(2, 14))
    assert calls.told(ref, ny(2, 14))[0][1] is DueStatus.PENDING
    page = calls.page(ref, ny(2, 14))
    assert [event.is_struck for event in page.events] == [False, True, False]
    before = calls.call(ref).event_count
    calls.correct(ref, 2, ny(2, 15))
    assert calls.call(ref).event_count == before  # again is the same
    refused(tx, "event_fixed", correct_call_event, **calls.correcting(ref, 1, ny(2, 15)))
    refused(tx, "event_fixed", correct_call_event, **calls.correcting(ref, 3, ny(2, 15)))
    refused(tx, "not_found", correct_call_event, **calls.correcting(ref, 9, ny(2, 15)))
    calls.record(ref, Kind.NOTED, ny(2, 15))
    refused(tx, "stale_call", correct_call_event, **calls.correcting(ref, 4, ny(2, 15), event_count=1))
    refused(tx, "reason_required", correct_call_event, **calls.correcting(ref, 4, ny(2, 15), reason=" "))
    refused(
        tx, "forbidden", correct_call_event, **calls.correcting(ref, 4, ny(2, 15), actor=calls.world.account)
    )
    assert calls.faults() == []


def test_an_event_that_a_later_one_rests_on_is_corrected_after_it(calls, tx):
    calls.agree("platinum")
    ref = calls.open()
    calls.record(ref, Kind.RESOLVED, ny(2, 14))
    calls.record(ref, Kind.REOPENED, ny(3, 14))
    refusal = refused(tx, "event_fixed", correct_call_event, **calls.correcting(ref, 2, ny(3, 15)))
    assert "event 3" in refusal.message
    calls.correct(ref, 3, ny(3, 15))
    calls.correct(ref, 2, ny(3, 15))
    assert calls.told(ref, ny(3, 15)) == [("response", DueStatus.MISSED, ny(3, 12))]


def test_a_call_that_is_reopened_was_paused_while_it_was_closed(calls):
    calls.agree("platinum")
    ref = calls.open()
    calls.record(ref, Kind.RESOLVED, ny(2, 13))
    assert calls.told(ref, ny(2, 13)) == [("response", DueStatus.WITHDRAWN, ny(3, 12))]
    calls.record(ref, Kind.REOPENED, ny(4, 9))
    assert calls.told(ref, ny(4, 9)) == [("response", DueStatus.PENDING, ny(4, 17))]
    assert calls.faults() == []


def test_the_same_event_sent_twice_is_one(calls, tx):
    calls.agree("gold")
    ref = calls.open()
    said = calls.saying(ref, Kind.RESOLVED, NOON, used=Used("response-48h", 1))
    del said["used"]
    record_call_event(tx, **said)
    record_call_event(tx, **said)
    assert [event.kind for event in calls.events(ref)] == [Kind.OPENED, Kind.RESOLVED]
    refused(tx, "stale_call", record_call_event, **(said | {"words": "Otherwise"}))


def test_a_resolution_uses_up_blocks_and_says_what_is_billable(calls):
    custom = calls.agree("custom", choices={"response-48h": 1, "remote-programming": 2})
    calls.system(Platform.QUANTUM)
    ref = calls.open(under=f"{custom}/response-48h")
    calls.record(ref, Kind.RESOLVED, NOON, used=Used("remote-programming", 541))
    assert calls.page(ref, NOON).uses == (
        "2 4-hour blocks covered, 1 4-hour block billable (Remote programming assistance)",
    )


# what never changes -------------------------------------------------------------------------------


def test_new_versions_of_calendar_policy_and_offer_change_no_call(calls, tx):
    calls.agree("platinum")
    ref = calls.open()
    before = calls.told(ref, NOON), calls.call(ref).entitlement

    said = shipped()
    for window in entry(said, "calendars", "site-hours")["windows"]:
        window["opens"] = "11:00"
    entry(said, "policies", "response-24h")["obligations"][0]["duration"] = {"business_days": 9}
    entry(said, "offers", "platinum")["words"] = "Another plan."
    changes = make_catalogue(
        tx, calls.world.program, catalogue=as_catalogue(said), at=NOON, reason="Otherwise"
    )
    assert len(changes) >= 3
    later = ny(2, 13)
    assert (calls.told(ref, later), calls.call(ref).entitlement) == before
    new = calls.open(at=later)
    assert calls.told(new, later) == [("response", DueStatus.PENDING, ny(15, 13))]
    assert calls.faults() == []


def test_events_recorded_in_any_order_make_one_timeline(calls):
    calls.agree("platinum")
    story = [
        (Kind.CONFIRMED, ny(2, 13), {}),
        (Kind.PAUSED, ny(2, 14), {}),
        (Kind.RESUMED, ny(3, 10), {}),
        (Kind.RESPONDED, ny(3, 15), {}),
    ]
    orders = [order for order in itertools.permutations(story) if _pairs(order)]
    seen = set()
    for order in orders:
        ref = calls.open()
        for kind, at, more in order:
            calls.record(ref, kind, ny(5, 9), happened_at=at, **more)
        call = calls.call(ref)
        seen.add((tuple(calls.told(ref, ny(5, 9))), call.state, call.waits_until, call.missed_count))
    assert len(orders) > 4
    assert len(seen) == 1
    assert calls.faults() == []


def _pairs(order):
    kinds = [kind for kind, *_ in order]
    return kinds.index(Kind.PAUSED) < kinds.index(Kind.RESUMED) and (
        kinds.index(Kind.RESPONDED) < kinds.index(Kind.PAUSED)
        or kinds.index(Kind.RESPONDED) > kinds.index(Kind.RESUMED)
    )


def test_the_entitlement_is_kept_as_canonical_json(calls):
    calls.agree("gold")
    text = calls.call(calls.open()).entitlement
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == text
