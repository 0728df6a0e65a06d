"""What calls owe, told as stories: responses around pauses and holidays, priorities up and down, and reopened calls."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from support.rules.calendar import Calendar
from support.rules.course import Happening
from support.rules.policy import Obligation, Policy
from support.rules.timeline import StartedBy
from support.rules.why import explain, say_length
from support.states import CallEventKind, CallState, DueStatus, Priority
from tests.support.clock_facts import (
    AFTER_HOURS,
    DESK,
    FIRST_AVAILABLE,
    NEW_YORK,
    ONE,
    SATURDAY,
    SITE,
    SOFTWARE,
    THREE,
    TWO,
    events,
    line,
    ny,
    owed,
    pacific,
    response,
    told,
    weekdays,
)

Kind = CallEventKind
PENDING, PAUSED, MET, LATE = DueStatus.PENDING, DueStatus.PAUSED, DueStatus.MET, DueStatus.LATE
MISSED, WITHDRAWN = DueStatus.MISSED, DueStatus.WITHDRAWN
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def answer(as_of, *said, days=1, calendar=SITE):
    """The one obligation of a response."""
    (due,) = line(response(days), calendar, as_of, *said).obligations
    return due


# responses in business days -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "days, opened, due",
    [
        (1, ny(23, 10), ny(24, 10)),
        (1, ny(23, 18), ny(25, 8)),
        (2, ny(20, 16), ny(24, 16)),
        (1, ny(25, 10), ny(27, 10)),
        (3, ny(25, 20), ny(2, 8, month=12)),
        (1, ny(26, 12), ny(30, 8)),
        (1, ny(6, 12, month=3), ny(9, 12, month=3)),
        (1, ny(30, 12, month=10), ny(2, 12)),
    ],
)
def test_a_response_is_due_the_same_wall_time_business_days_after_intake(days, opened, due):
    assert answer(opened, (Kind.OPENED, opened), days=days).due_at == due


def test_the_turn_of_the_year_is_passed_over_as_the_calendar_says():
    closed = {
        datetime(2026, 12, 25, tzinfo=UTC).date(): "Christmas Day",
        datetime(2027, 1, 1, tzinfo=UTC).date(): "New Year's Day",
    }
    calendar = Calendar(NEW_YORK, weekdays(8, 17), closed)
    opened = ny(31, 16, month=12)
    assert answer(opened, (Kind.OPENED, opened), calendar=calendar).due_at == ny(4, 16, month=1, year=2027)


def test_options_widen_the_intake_of_the_calendar_they_are_joined_to():
    wide = SITE.with_windows([*AFTER_HOURS, *SATURDAY])
    assert answer(ny(23, 20), (Kind.OPENED, ny(23, 20)), calendar=wide).due_at == ny(24, 20)
    assert answer(ny(27, 10), (Kind.OPENED, ny(27, 10)), calendar=wide).due_at == ny(28, 10)


def test_at_the_due_instant_is_in_time_and_a_second_later_is_late():
    due = ny(24, 10)
    opened = (Kind.OPENED, ny(23, 10))
    assert answer(due, opened).status is PENDING
    assert answer(due + SECOND, opened).status is MISSED
    met = answer(ny(25, 10), opened, (Kind.RESPONDED, due))
    assert (met.status, met.decided_by, met.decided_at) == (MET, 2, due)
    late = answer(ny(25, 10), opened, (Kind.RESPONDED, due + SECOND))
    assert (late.status, late.due_at, late.decided_by, late.decided_at) == (LATE, due, 2, due + SECOND)


def test_a_miss_is_decided_by_time():
    missed = answer(ny(25, 10), (Kind.OPENED, ny(23, 10)))
    assert (missed.status, missed.decided_by, missed.decided_at) == (MISSED, None, ny(24, 10))


def test_first_available_has_no_due_instant():
    found = line(FIRST_AVAILABLE, SITE, ny(28, 10), (Kind.OPENED, ny(28, 10)))
    assert found.obligations == ()
    assert found.next_due is None
    assert found.attention_at == ny(30, 8)


def test_a_call_that_is_resolved_first_owes_no_response():
    due = answer(ny(25, 10), (Kind.OPENED, ny(23, 10)), (Kind.RESOLVED, ny(24, 10)))
    assert (due.status, due.due_at, due.decided_by) == (WITHDRAWN, ny(24, 10), 2)


def test_a_call_resolved_in_the_instant_it_was_opened_owes_nothing():
    due = answer(ny(25, 10), (Kind.OPENED, ny(23, 10)), (Kind.RESOLVED, ny(23, 10)))
    assert due.status is WITHDRAWN


# pauses ---------------------------------------------------------------------------------------------


def test_while_paused_there_is_no_due_instant_but_what_remains():
    opened, paused = (Kind.OPENED, ny(23, 10)), (Kind.PAUSED, ny(23, 12))
    for as_of in (ny(23, 12), ny(23, 15), ny(30, 9)):
        found = line(response(1), SITE, as_of, opened, paused)
        (due,) = found.obligations
        assert (due.status, due.due_at, due.remaining) == (PAUSED, None, 7 * HOUR)
        assert found.is_paused
        assert found.state is CallState.PAUSED
        assert found.next_due is None


def test_the_business_time_that_remained_is_spent_from_the_resume_on():
    said = (Kind.OPENED, ny(23, 10)), (Kind.PAUSED, ny(23, 12)), (Kind.RESUMED, ny(25, 15))
    assert answer(ny(25, 15), *said).due_at == ny(27, 13)


def test_what_ends_exactly_at_closing_is_due_at_closing():
    said = (Kind.OPENED, ny(23, 12)), (Kind.PAUSED, ny(23, 16)), (Kind.RESUMED, ny(25, 9))
    assert answer(ny(25, 9), *said).due_at == ny(25, 14)
    said = (Kind.OPENED, ny(23, 12)), (Kind.PAUSED, ny(23, 16)), (Kind.RESUMED, ny(25, 12))
    assert answer(ny(25, 12), *said).due_at == ny(25, 17)


def test_a_second_pause_does_not_erase_the_first():
    said = (
        (Kind.OPENED, ny(16, 10)),
        (Kind.PAUSED, ny(16, 11)),
        (Kind.RESUMED, ny(16, 13)),
        (Kind.PAUSED, ny(16, 14)),
        (Kind.RESUMED, ny(16, 15)),
    )
    assert answer(ny(16, 15), *said).due_at == ny(17, 13)
    escalation = owed(line(SOFTWARE, DESK, ny(16, 15), (*said[0], TWO), *said[1:]), "escalation")[0]
    assert escalation.due_at == ny(17, 13)


def test_a_pause_after_the_due_instant_changes_nothing_and_one_at_it_neither():
    for at in (ny(24, 10), ny(24, 11)):
        due = answer(ny(24, 15), (Kind.OPENED, ny(23, 10)), (Kind.PAUSED, at))
        assert (due.status, due.due_at) == (MISSED, ny(24, 10))


def test_a_pause_right_before_the_due_instant_keeps_its_minute():
    said = (Kind.OPENED, ny(23, 10)), (Kind.PAUSED, ny(24, 9, 59)), (Kind.RESUMED, ny(27, 16, 59))
    assert answer(ny(27, 17), *said).due_at == ny(27, 17)
    assert answer(ny(30, 8), *said).status is MISSED


def test_a_pause_in_closed_hours_brings_no_due_instant_nearer():
    said = (Kind.OPENED, ny(23, 8)), (Kind.PAUSED, ny(23, 18)), (Kind.RESUMED, ny(23, 20))
    assert answer(ny(23, 20), *said).due_at == ny(24, 8)
    weekend = (Kind.OPENED, ny(20, 8)), (Kind.PAUSED, ny(21, 8)), (Kind.RESUMED, ny(22, 8))
    assert answer(ny(22, 8), *weekend, days=2).due_at == ny(24, 8)


def test_a_clock_that_starts_in_a_pause_keeps_all_its_time():
    said = (
        (Kind.OPENED, ny(16, 10), THREE),
        (Kind.PAUSED, ny(16, 11)),
        (Kind.PRIORITY, ny(16, 12), TWO),
        (Kind.RESUMED, ny(17, 11)),
    )
    assert told(line(SOFTWARE, DESK, ny(16, 13), *said), "escalation") == [(PAUSED, None)]
    assert told(line(SOFTWARE, DESK, ny(17, 11), *said), "escalation") == [(PENDING, ny(18, 11))]


def test_a_pause_over_a_clock_change_moves_by_the_real_hours():
    said = (Kind.OPENED, ny(31, 20, month=10), TWO), (Kind.PAUSED, ny(1, 0)), (Kind.RESUMED, ny(1, 6))
    assert told(line(SOFTWARE, DESK, ny(1, 6), *said), "escalation") == [(PENDING, ny(2, 2))]


def test_what_is_met_in_a_pause_is_met():
    due = answer(ny(27, 9), (Kind.OPENED, ny(23, 10)), (Kind.PAUSED, ny(23, 12)), (Kind.RESPONDED, ny(25, 9)))
    assert (due.status, due.due_at, due.remaining, due.decided_by) == (MET, None, 7 * HOUR, 3)


def test_pauses_in_pauses_and_resumes_without_one_change_nothing():
    said = (
        (Kind.OPENED, ny(23, 10)),
        (Kind.RESUMED, ny(23, 10, 30)),
        (Kind.PAUSED, ny(23, 11)),
        (Kind.PAUSED, ny(23, 12)),
        (Kind.RESUMED, ny(23, 13)),
        (Kind.RESUMED, ny(23, 14)),
        (Kind.PAUSED, ny(23, 15)),
        (Kind.RESUMED, ny(23, 15)),
    )
    assert answer(ny(23, 15), *said).due_at == ny(24, 12)


# priority 1 -----------------------------------------------------------------------------------------


def test_a_priority_1_at_night_pages_and_runs_day_and_night():
    said = (Kind.OPENED, pacific(23, 22, 40), ONE), (Kind.CONFIRMED, pacific(23, 22, 50))
    found = line(SOFTWARE, DESK, pacific(23, 22, 50), *said)
    assert told(found, "notice") == [(PENDING, pacific(23, 23, 5))]
    assert told(found, "follow-up") == [(PENDING, pacific(24, 0, 50))]
    assert found.next_due is owed(found, "notice")[0]
    assert found.next_due.notify == ("account_management",)
    assert found.pages_now
    assert found.attention_at == pacific(23, 22, 50)
    morning = line(SOFTWARE, DESK, pacific(24, 6), *said)
    assert not morning.pages_now
    assert told(morning, "follow-up") == [
        (MISSED, pacific(24, 0, 50)),
        (MISSED, pacific(24, 2, 50)),
        (MISSED, pacific(24, 4, 50)),
        (PENDING, pacific(24, 6, 50)),
    ]


@pytest.mark.parametrize(
    "opened, priority, pages",
    [
        (pacific(23, 22, 40), ONE, True),
        (pacific(23, 22, 40), TWO, False),
        (pacific(23, 16, 59), ONE, False),
        (pacific(23, 17), ONE, True),
        (pacific(21, 12), ONE, True),
        (pacific(26, 12), ONE, True),
    ],
)
def test_only_what_comes_as_priority_1_outside_the_hours_pages(opened, priority, pages):
    found = line(SOFTWARE, DESK, opened + MINUTE, (Kind.OPENED, opened, priority))
    assert found.pages_now is pages
    if not pages:
        assert found.attention_at == DESK.intake(opened + MINUTE)


def test_a_call_taken_in_by_day_does_not_page_at_night_but_raised_or_reopened_at_night_it_does():
    by_day = (Kind.OPENED, pacific(23, 10), ONE)
    assert not line(SOFTWARE, DESK, pacific(23, 23), by_day).pages_now
    raised = (Kind.OPENED, pacific(23, 10), TWO), (Kind.PRIORITY, pacific(23, 22), ONE)
    assert line(SOFTWARE, DESK, pacific(23, 23), *raised).pages_now
    reopened = by_day, (Kind.RESOLVED, pacific(23, 12)), (Kind.REOPENED, pacific(23, 22))
    assert line(SOFTWARE, DESK, pacific(23, 23), *reopened).pages_now
    assert not line(
        SOFTWARE, DESK, pacific(23, 23), *reopened, (Kind.RESOLVED, pacific(23, 22, 30))
    ).pages_now


def test_nothing_of_priority_1_is_owed_before_it_is_confirmed_and_nothing_of_it_pauses():
    opened = (Kind.OPENED, pacific(23, 9), ONE)
    assert line(SOFTWARE, DESK, pacific(23, 12), opened).obligations == ()
    said = opened, (Kind.CONFIRMED, pacific(23, 9, 10)), (Kind.PAUSED, pacific(23, 9, 12))
    assert told(line(SOFTWARE, DESK, pacific(23, 9, 20), *said), "notice") == [(PENDING, pacific(23, 9, 25))]


def test_follow_ups_run_on_a_grid_and_each_call_is_the_new_anchor_until_it_is_resolved():
    said = (
        (Kind.OPENED, pacific(23, 9), ONE),
        (Kind.CONFIRMED, pacific(23, 9)),
        (Kind.FOLLOWED_UP, pacific(23, 10, 30)),
        (Kind.PROGRESS_STOPPED, pacific(23, 11)),
        (Kind.FOLLOWED_UP, pacific(23, 15)),
        (Kind.RESOLVED, pacific(23, 17)),
    )
    found = line(SOFTWARE, DESK, pacific(25, 9), *said)
    assert told(found, "follow-up") == [
        (MET, pacific(23, 11)),
        (MISSED, pacific(23, 12, 30)),
        (LATE, pacific(23, 14, 30)),
        (WITHDRAWN, pacific(23, 17)),
    ]
    assert [(due.repeat, due.decided_by) for due in owed(found, "follow-up")] == [
        (1, 3),
        (2, None),
        (3, 5),
        (4, 6),
    ]
    assert [due.started_by for due in owed(found, "follow-up")][:2] == [StartedBy.ANCHOR, StartedBy.ACT]


# priority 2 -----------------------------------------------------------------------------------------


def test_priority_2_has_a_soft_target_an_escalation_and_then_an_update_every_calendar_day():
    opened = (Kind.OPENED, pacific(20, 9), TWO)
    found = line(SOFTWARE, DESK, pacific(20, 9), opened)
    assert told(found, "target") == [(PENDING, pacific(24, 9))]
    assert told(found, "escalation") == [(PENDING, pacific(21, 9))]
    assert told(found, "update") == [(PENDING, pacific(22, 9))]
    later = line(SOFTWARE, DESK, pacific(24, 10), opened, (Kind.UPDATED, pacific(22, 8)))
    assert told(later, "target") == [(MISSED, pacific(24, 9))]
    assert owed(later, "target")[0].is_soft
    assert told(later, "escalation") == [(MISSED, pacific(21, 9))]
    assert told(later, "update") == [
        (MET, pacific(22, 9)),
        (MISSED, pacific(23, 8)),
        (MISSED, pacific(24, 8)),
        (PENDING, pacific(25, 8)),
    ]


def test_the_first_24_hours_move_with_a_pause_and_the_updates_with_them_but_no_update_pauses():
    said = (
        (Kind.OPENED, pacific(16, 9), TWO),
        (Kind.PAUSED, pacific(16, 10)),
        (Kind.RESUMED, pacific(16, 15)),
        (Kind.PAUSED, pacific(17, 16)),
    )
    assert told(line(SOFTWARE, DESK, pacific(16, 12), *said), "update") == []
    found = line(SOFTWARE, DESK, pacific(17, 20), *said)
    assert told(found, "escalation") == [(MISSED, pacific(17, 14))]
    assert told(found, "update") == [(PENDING, pacific(18, 14))]


def test_the_updates_start_after_the_first_24_hours_also_where_it_was_escalated_before():
    said = (
        (Kind.OPENED, pacific(16, 9), TWO),
        (Kind.ESCALATED, pacific(16, 12)),
        (Kind.UPDATED, pacific(16, 13)),
    )
    found = line(SOFTWARE, DESK, pacific(16, 14), *said)
    assert told(found, "escalation") == [(MET, pacific(17, 9))]
    assert told(found, "update") == [(PENDING, pacific(18, 9))]
    assert found.next_due is owed(found, "target")[0] or found.next_due.due_at == pacific(18, 9)


def test_an_update_keeps_its_wall_time_over_a_clock_change():
    said = (Kind.OPENED, pacific(6, 2, 30, month=3), TWO), (Kind.ESCALATED, pacific(6, 9, month=3))
    found = line(SOFTWARE, DESK, pacific(9, 12, month=3), *said)
    assert [at for _, at in told(found, "update")] == [
        pacific(8, 3, 30, month=3),
        pacific(9, 2, 30, month=3),
        pacific(10, 2, 30, month=3),
    ]


def test_priority_3_owes_nothing_by_an_instant():
    found = line(SOFTWARE, DESK, pacific(30, 9), (Kind.OPENED, pacific(23, 18), THREE))
    assert found.obligations == ()
    assert found.next_due is None


# priorities up and down -----------------------------------------------------------------------------


def test_raising_brings_no_retroactive_miss():
    said = (
        (Kind.OPENED, pacific(16, 9), THREE),
        (Kind.CONFIRMED, pacific(16, 10)),
        (Kind.PRIORITY, pacific(18, 14), ONE),
    )
    found = line(SOFTWARE, DESK, pacific(18, 14), *said)
    assert told(found, "notice") == [(PENDING, pacific(18, 14, 15))]
    assert told(found, "follow-up") == [(PENDING, pacific(18, 16))]
    assert owed(found, "notice")[0].started_by is StartedBy.PRIORITY


def test_lowering_gives_no_fresh_clock_and_nothing_is_due_before_the_change():
    said = (
        (Kind.OPENED, pacific(16, 9), ONE),
        (Kind.CONFIRMED, pacific(16, 9)),
        (Kind.PRIORITY, pacific(16, 20), TWO),
    )
    assert told(line(SOFTWARE, DESK, pacific(16, 20), *said), "escalation") == [(PENDING, pacific(17, 9))]
    late = (*said[:2], (Kind.PRIORITY, pacific(17, 21), TWO))
    found = line(SOFTWARE, DESK, pacific(17, 21), *late)
    assert told(found, "escalation") == [(PENDING, pacific(17, 21))]
    assert owed(found, "escalation")[0].not_before == pacific(17, 21)
    assert told(found, "update") == [(PENDING, pacific(18, 9))]
    assert told(line(SOFTWARE, DESK, pacific(17, 21, 1), *late), "escalation") == [(MISSED, pacific(17, 21))]


def test_verdicts_reached_before_a_change_stay_and_what_is_later_is_withdrawn():
    said = (
        (Kind.OPENED, pacific(16, 9), ONE),
        (Kind.CONFIRMED, pacific(16, 9)),
        (Kind.NOTIFIED, pacific(16, 9, 10)),
        (Kind.PRIORITY, pacific(16, 12), TWO),
        (Kind.PRIORITY, pacific(16, 13), THREE),
    )
    found = line(SOFTWARE, DESK, pacific(20, 9), *said)
    assert told(found, "notice") == [(MET, pacific(16, 9, 15))]
    assert told(found, "follow-up") == [(MISSED, pacific(16, 11)), (WITHDRAWN, pacific(16, 13))]
    assert [due.decided_by for due in owed(found, "follow-up")] == [None, 4]
    assert told(found, "escalation") == [(WITHDRAWN, pacific(17, 9))]
    assert told(found, "update") == []


def test_what_is_due_in_the_instant_of_a_change_is_withdrawn():
    said = (
        (Kind.OPENED, pacific(16, 9), ONE),
        (Kind.CONFIRMED, pacific(16, 9)),
        (Kind.PRIORITY, pacific(16, 11), TWO),
    )
    assert told(line(SOFTWARE, DESK, pacific(16, 12), *said), "follow-up") == [(WITHDRAWN, pacific(16, 11))]


def test_a_priority_that_comes_back_is_owed_on_its_old_clock_and_grid():
    said = (
        (Kind.OPENED, pacific(16, 9), ONE),
        (Kind.CONFIRMED, pacific(16, 9)),
        (Kind.PRIORITY, pacific(16, 9, 5), TWO),
        (Kind.PRIORITY, pacific(16, 12), ONE),
    )
    found = line(SOFTWARE, DESK, pacific(16, 12, 30), *said)
    assert told(found, "notice") == [(MISSED, pacific(16, 12))]
    assert told(found, "follow-up") == [(WITHDRAWN, pacific(16, 11)), (PENDING, pacific(16, 13))]


def test_the_same_priority_again_is_no_change():
    said = (Kind.OPENED, pacific(16, 9), TWO), (Kind.PRIORITY, pacific(17, 8), TWO)
    assert told(line(SOFTWARE, DESK, pacific(17, 8), *said), "escalation") == [(PENDING, pacific(17, 9))]


# closing, reopening, corrections ----------------------------------------------------------------------


def test_reopened_the_closed_span_was_a_pause_for_all_clocks():
    said = (
        (Kind.OPENED, pacific(16, 9), ONE),
        (Kind.CONFIRMED, pacific(16, 9)),
        (Kind.FOLLOWED_UP, pacific(16, 10)),
        (Kind.RESOLVED, pacific(16, 10, 30)),
        (Kind.REOPENED, pacific(18, 10)),
    )
    closed = line(SOFTWARE, DESK, pacific(17, 10), *said)
    assert closed.state is CallState.RESOLVED
    assert told(closed, "follow-up")[-1] == (WITHDRAWN, pacific(16, 12))
    assert closed.next_due is None
    found = line(SOFTWARE, DESK, pacific(18, 10), *said)
    assert found.state is CallState.OPEN
    assert told(found, "follow-up") == [(MET, pacific(16, 11)), (PENDING, pacific(18, 11, 30))]


def test_a_resolution_that_did_not_last_met_nothing():
    said = (
        (Kind.OPENED, pacific(16, 9), TWO),
        (Kind.RESOLVED, pacific(16, 13)),
        (Kind.REOPENED, pacific(18, 9)),
        (Kind.RESOLVED, pacific(18, 16)),
    )
    assert told(line(SOFTWARE, DESK, pacific(17, 9), *said), "target") == [(MET, pacific(18, 9))]
    assert told(line(SOFTWARE, DESK, pacific(18, 9), *said), "target") == [(PENDING, pacific(19, 16))]
    again = line(SOFTWARE, DESK, pacific(30, 9), *said)
    assert told(again, "target") == [(MET, pacific(19, 16))]
    assert owed(again, "target")[0].decided_by == 4


def test_what_was_missed_before_it_was_closed_stays_missed_when_it_is_reopened():
    said = (
        (Kind.OPENED, pacific(16, 9), TWO),
        (Kind.RESOLVED, pacific(19, 9)),
        (Kind.REOPENED, pacific(20, 9)),
    )
    assert told(line(SOFTWARE, DESK, pacific(19, 10), *said), "target") == [(LATE, pacific(18, 9))]
    found = line(SOFTWARE, DESK, pacific(20, 9), *said)
    assert told(found, "target") == [(MISSED, pacific(18, 9))]
    assert told(found, "escalation") == [(MISSED, pacific(17, 9))]


def test_closing_ends_a_pause():
    said = (
        (Kind.OPENED, ny(23, 10)),
        (Kind.PAUSED, ny(23, 12)),
        (Kind.RESOLVED, ny(23, 13)),
        (Kind.REOPENED, ny(24, 9)),
    )
    found = line(response(1), SITE, ny(24, 9), *said)
    assert found.state is CallState.OPEN
    assert found.obligations[0].due_at == ny(24, 16)


def test_a_withdrawn_call_owes_nothing_and_stays_withdrawn_when_it_is_resolved():
    said = (Kind.OPENED, ny(23, 10)), (Kind.WITHDRAWN, ny(23, 11)), (Kind.RESOLVED, ny(23, 12))
    found = line(response(1), SITE, ny(25, 10), *said)
    assert found.state is CallState.WITHDRAWN
    assert found.obligations[0].status is WITHDRAWN


def test_a_corrected_event_counts_no_more_unless_its_correction_was_wrong_too():
    said = (Kind.OPENED, ny(23, 10)), (Kind.RESPONDED, ny(23, 11)), (Kind.CORRECTED, ny(23, 12), 2)
    assert answer(ny(23, 12), *said).status is PENDING
    assert answer(ny(23, 11, 30), *said).status is MET
    assert answer(ny(23, 13), *said, (Kind.CORRECTED, ny(23, 13), 3)).status is MET


def test_an_event_that_was_recorded_late_counts_from_when_it_happened():
    opened = (Kind.OPENED, ny(23, 10))
    late = events(opened, (Kind.RESOLVED, ny(25, 9)), (Kind.RESPONDED, ny(24, 9)))
    in_order = events(opened, (Kind.RESPONDED, ny(24, 9)), (Kind.RESOLVED, ny(25, 9)))
    found = [
        line(response(1), SITE, ny(25, 10), *[(each.kind, each.happened_at) for each in said])
        for said in (late, in_order)
    ]
    assert [each.obligations[0].status for each in found] == [MET, MET]


def test_before_it_was_opened_a_call_owes_nothing():
    found = line(SOFTWARE, DESK, pacific(15, 9), (Kind.OPENED, pacific(16, 9), TWO))
    assert (found.obligations, found.priority, found.state) == ((), None, CallState.OPEN)


def test_an_event_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        Happening(1, Kind.OPENED, datetime(2026, 11, 23), ny(23, 10))  # noqa: DTZ001 - that is the point


# other lengths, and why -------------------------------------------------------------------------------


def test_repeats_of_business_days_run_on_the_grid_of_their_intake():
    policy = Policy(
        "weekly",
        "Weekly",
        (
            Obligation(
                "report",
                "A report",
                None,
                Kind.OPENED,
                business_days=2,
                repeats=True,
                met_by=frozenset({Kind.UPDATED}),
            ),
        ),
    )
    found = line(policy, SITE, ny(30, 9), (Kind.OPENED, ny(23, 18)))
    assert told(found, "report") == [(MISSED, ny(27, 8)), (PENDING, ny(1, 8, month=12))]


def test_an_obligation_stopped_by_an_event_is_over_for_good():
    policy = Policy(
        "call-back",
        "Call back",
        (
            Obligation(
                "call",
                "Called back",
                None,
                Kind.OPENED,
                elapsed=4 * HOUR,
                met_by=frozenset({Kind.FOLLOWED_UP}),
                stopped_by=frozenset({Kind.RESPONDED, Kind.PRIORITY}),
            ),
        ),
    )
    opened = (Kind.OPENED, ny(23, 10), THREE)
    due = owed(line(policy, SITE, ny(24, 9), opened, (Kind.RESPONDED, ny(23, 13))), "call")[0]
    assert (due.status, due.due_at, due.decided_by) == (WITHDRAWN, ny(23, 14), 2)
    changed = line(policy, SITE, ny(24, 9), opened, (Kind.PRIORITY, ny(23, 13), TWO))
    assert told(changed, "call") == [(WITHDRAWN, ny(23, 14))]


def test_why_names_the_intake_the_windows_the_holiday_and_the_pause():
    said = (Kind.OPENED, ny(24, 18)), (Kind.PAUSED, ny(25, 12)), (Kind.RESUMED, ny(27, 9))
    sentences = explain(answer(ny(27, 9), *said), SITE)
    assert sentences[:2] == (
        "The clock starts on Tue 24 Nov 2026, 18:00 EST, when the call was opened.",
        "That is outside service hours: it counts from Wed 25 Nov 2026, 08:00 EST.",
    )
    assert "1 business day later, at the same time of day: Fri 27 Nov 2026, 08:00 EST." in sentences
    assert "Service hours counted: Wed 25 Nov 2026, 08:00 to 17:00." in sentences
    assert "Closed, and not counted: Thanksgiving Day (26 Nov 2026)." in sentences
    pause = (
        "It stood still from Wed 25 Nov 2026, 12:00 EST to Fri 27 Nov 2026, 09:00 EST; "
        "the 5 h of service hours that remained run from then on: Fri 27 Nov 2026, 14:00 EST."
    )
    assert sentences[-2:] == (pause, "Service hours counted: Fri 27 Nov 2026, 09:00 to 14:00.")


def test_why_says_what_remains_in_a_pause_and_where_other_clocks_start():
    said = (
        (Kind.OPENED, pacific(16, 9), ONE),
        (Kind.PRIORITY, pacific(17, 21), TWO),
        (Kind.PAUSED, pacific(17, 22)),
    )
    found = line(SOFTWARE, DESK, pacific(17, 23), *said)
    (update,) = owed(found, "update")
    assert explain(update, DESK) == (
        "The clock starts on Tue 17 Nov 2026, 09:00 PST, at the end of the first 24 h of: Escalated to the account manager.",
        "1 calendar day later: Wed 18 Nov 2026, 09:00 PST.",
    )
    (target,) = owed(found, "target")
    assert (
        explain(target, DESK)[-1]
        == "It stands still since Tue 17 Nov 2026, 22:00 PST: 3 h of service hours remain."
    )
    (escalation,) = owed(found, "escalation")
    assert "nothing is due before the change" in explain(escalation, DESK)[-1]


def test_every_due_instant_of_a_long_call_can_be_explained():
    said = (
        (Kind.OPENED, pacific(6, 2, 30, month=3), TWO),
        (Kind.CONFIRMED, pacific(6, 9, month=3)),
        (Kind.PRIORITY, pacific(9, 9, month=3), ONE),
        (Kind.FOLLOWED_UP, pacific(9, 16, month=3)),
        (Kind.RESOLVED, pacific(9, 17, month=3)),
    )
    found = line(SOFTWARE, DESK, pacific(10, 9, month=3), *said)
    assert {due.key for due in found.obligations} == {each.key for each in SOFTWARE.obligations}
    for due in found.obligations:
        assert all(sentence.endswith(".") for sentence in explain(due, DESK))
    forward = explain(owed(found, "update")[0], DESK)
    assert forward[-1].startswith("That time of day does not exist on this day")


def test_a_length_is_said_in_hours_and_minutes():
    assert [say_length(each) for each in (timedelta(0), 90 * MINUTE, 26 * HOUR, 61 * SECOND)] == [
        "0 min",
        "1 h 30 min",
        "26 h",
        "1 min 1 s",
    ]


# policies as data -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [SOFTWARE, response(2), FIRST_AVAILABLE], ids=lambda policy: policy.key)
def test_a_policy_comes_back_out_of_its_file(policy):
    assert Policy.from_data(json.loads(json.dumps(policy.to_data()))) == policy


def wrong_policy(*path_and_value, drop=None):
    content = json.loads(json.dumps(SOFTWARE.to_data()))
    *path, last, value = path_and_value
    place = content
    for step in path:
        place = place[step]
    place[last] = value
    if drop is not None:
        del place[drop]
    return content


@pytest.mark.parametrize(
    "wrong, place",
    [
        ([], "policy"),
        (wrong_policy("obligations", {}), "policy.obligations"),
        (wrong_policy("pages_out_of_hours_at", "0"), "policy.pages_out_of_hours_at"),
        (wrong_policy("colour", "red"), "policy.colour"),
        (wrong_policy("obligations", 1, "name", ""), "policy.obligations[1].name"),
        (wrong_policy("obligations", 1, "key", "notice"), "policy.obligations[1].key"),
        (wrong_policy("obligations", 1, "anchor", "paused"), "policy.obligations[1].anchor"),
        (wrong_policy("obligations", 1, "anchor", {"after": "x", "y": 1}), "policy.obligations[1].anchor.y"),
        (wrong_policy("obligations", 1, "anchor", {"after": "update"}), "policy.obligations[1].anchor.after"),
        (wrong_policy("obligations", 1, "met_by", ["called"]), "policy.obligations[1].met_by[0]"),
        (wrong_policy("obligations", 1, "met_by", []), "policy.obligations[1].met_by"),
        (wrong_policy("obligations", 1, "met_by", ["noted"]), "policy.obligations[1].met_by"),
        (wrong_policy("obligations", 1, "stopped_by", ["opened"]), "policy.obligations[1].stopped_by"),
        (wrong_policy("obligations", 1, "duration", {}), "policy.obligations[1].duration"),
        (
            wrong_policy("obligations", 1, "duration", {"business_days": 1, "calendar_days": 1}),
            "policy.obligations[1].duration",
        ),
        (
            wrong_policy("obligations", 1, "duration", {"elapsed_minutes": 0}),
            "policy.obligations[1].duration.elapsed_minutes",
        ),
        (wrong_policy("obligations", 1, "duration", {"business_days": 0}), "policy.obligations[1].duration"),
        (
            wrong_policy("obligations", 1, "duration", {"hours": 3}),
            "policy.obligations[1].duration.hours",
        ),
        (wrong_policy("obligations", 1, "is_soft", 1), "policy.obligations[1].is_soft"),
        (wrong_policy("obligations", 1, "name", "X", drop="met_by"), "policy.obligations[1].met_by"),
        (wrong_policy("obligations", 1, "of_priority", 1), "policy.obligations[1].of_priority"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_place(wrong, place):
    with pytest.raises(ValueError) as refused:
        Policy.from_data(wrong)
    assert str(refused.value).startswith(f"{place}:")


def test_priorities_are_ordered_by_how_bad_they_are():
    assert sorted(Priority) == [ONE, TWO, THREE]
