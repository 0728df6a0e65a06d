"""Which visits an agreement has: slots by contract year, and work that comes due by itself. No database."""

from __future__ import annotations

from datetime import date

import pytest

from support.rules.offers import Choice, Grant, Offer, Quota, Schedule
from support.rules.quotas import TopUp, Use
from support.rules.slots import KnownVisit, Term, due_day, is_to_plan, say_after, slots_of, undated
from support.states import GrantKind, QuotaUnit, VisitState

START = date(2026, 5, 4)
VISITS = Grant(
    "visits", GrantKind.VISIT, "Visits", "", "", choice=Choice.COUNT, quota=Quota(QuotaUnit.VISIT, None),
    purposes=("Maintenance",),
)  # fmt: skip
DAYS = Grant("days", GrantKind.VISIT, "More days", "", "", quota=Quota(QuotaUnit.VISIT, 0))
CHECK_UP = Schedule("check-up", "Check-up", after="start", days=30)
FOLLOW_UP = Schedule("follow-up", "Second check-up", after="visits", months=6)


def term(count: int | None = 2, **said):
    offer = Offer("o", 1, "O", "", "", (VISITS, DAYS), schedules=said.pop("schedules", ()))
    return Term(
        offer, {"visits": count}, START, said.get("months", 24), said.get("last_on", date(2028, 5, 3))
    )


def visit(number, state=VisitState.DATED, *, key="visits", year=1, day=START):
    return KnownVisit((key, year, number), state, day)


def keys(slots):
    return [slot.key for slot in slots]


def test_slots_appear_with_each_contract_year_and_are_dated_within_it():
    slots = slots_of(term())
    assert keys(slots) == [("visits", 1, 1), ("visits", 1, 2), ("visits", 2, 1), ("visits", 2, 2)]
    assert [(slot.first_on, slot.last_on) for slot in slots[::2]] == [
        (date(2026, 5, 4), date(2027, 5, 3)),
        (date(2027, 5, 4), date(2028, 5, 3)),
    ]
    to_plan = [slot.key for slot in slots if is_to_plan(slot, date(2027, 5, 4), 30)]
    assert to_plan == [("visits", 2, 1), ("visits", 2, 2)]


def test_an_agreement_that_was_ended_has_the_slots_of_the_years_until_then():
    assert keys(slots_of(term(last_on=date(2027, 5, 3)))) == [("visits", 1, 1), ("visits", 1, 2)]
    assert slots_of(term(last_on=date(2026, 5, 1))) == ()


def test_a_day_that_was_bought_is_a_slot_of_its_year_also_where_none_was_granted():
    bought = [TopUp(1, "days", 2, 1), TopUp(2, "visits", 1, 1)]
    assert keys(slots_of(term(0), bought)) == [("visits", 1, 1), ("days", 2, 1)]
    assert slots_of(term(0)) == ()


def test_a_cancelled_visit_leaves_its_slot_and_others_take_it():
    known = [visit(1, VisitState.CANCELLED), visit(2, VisitState.CONVERTED)]
    slots = slots_of(term(), (), known)
    assert keys(undated(slots, known))[:1] == [("visits", 1, 1)]
    assert ("visits", 1, 2) not in keys(undated(slots, known))


def test_what_was_used_without_a_visit_takes_the_last_slot_away():
    slots = slots_of(term())
    used = [Use(1, "visits", 1, 1, 1, 0)]
    assert keys(undated(slots, (), used)) == [("visits", 1, 1), ("visits", 2, 1), ("visits", 2, 2)]
    assert keys(undated(slots, [visit(2)], used)) == [("visits", 2, 1), ("visits", 2, 2)]


def test_an_unlimited_grant_has_always_one_slot_more():
    assert keys(slots_of(term(None, months=12))) == [("visits", 1, 1)]
    known = [visit(1), visit(3)]
    slots = slots_of(term(None, months=12), (), known)
    assert keys(undated(slots, known)) == [("visits", 1, 2)]


def test_thirty_days_after_the_start_something_is_due():
    (slot,) = slots_of(term(0, schedules=(CHECK_UP,)))
    assert (slot.key, slot.due_on, slot.why) == (
        ("check-up", 1, 1),
        date(2026, 6, 3),
        "30 days after the start",
    )
    assert not is_to_plan(slot, date(2026, 5, 3), 30)
    assert is_to_plan(slot, START, 30)
    assert is_to_plan(slot, date(2026, 12, 1), 30)


@pytest.mark.parametrize(
    "done,due",
    [
        (date(2026, 8, 31), date(2027, 2, 28)),
        (date(2027, 8, 31), date(2028, 2, 29)),
        (date(2026, 9, 15), date(2027, 3, 15)),
    ],
)
def test_six_months_after_the_visit_is_the_months_last_day_where_that_day_does_not_exist(done, due):
    known = [visit(1, VisitState.DONE, day=done)]
    slot = slots_of(term(1, schedules=(FOLLOW_UP,)), (), known)[-1]
    assert (slot.key, slot.due_on, slot.purposes) == (("follow-up", 1, 1), due, ("Second check-up",))
    assert due_day(FOLLOW_UP, done) == due
    assert say_after(FOLLOW_UP, date(2026, 8, 31)) == "6 months after the visit of 31 Aug 2026"


def test_only_a_visit_that_is_done_is_followed_up_and_only_within_the_term():
    schedules = (FOLLOW_UP,)
    for state in (VisitState.DATED, VisitState.CANCELLED, VisitState.CONVERTED):
        assert "follow-up" not in {
            s.grant_key for s in slots_of(term(1, schedules=schedules), (), [visit(1, state)])
        }
    late = [visit(1, VisitState.DONE, year=2, day=date(2027, 12, 1))]
    assert "follow-up" not in {slot.grant_key for slot in slots_of(term(1, schedules=schedules), (), late)}
