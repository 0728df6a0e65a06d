"""Whether a failure is covered: each rule of coverage by name. Program rules, section 9."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.warranty.rule_facts import BARN, HOME, Kind, event, facts, plan, shipped, term
from warranty.rules.coverage import WARRANTY, decide, term_for, warranty_of
from warranty.rules.standing import known_at, site_on, stand, standing_events
from warranty.rules.wording import say_answer
from warranty.states import Lacking, Standing, StartRule, Verdict

COVERED, NOT, OPEN = Verdict.COVERED, Verdict.NOT_COVERED, Verdict.UNDETERMINED
LEAP = term(months=24, report_days=30)
LEAP_SOURCE = facts(shipped(date(2026, 3, 1)), term=LEAP)
"""Its warranty ends on 29 Feb 2028."""


def ask(source, failed_on=None, reported_on=None, **said):
    return decide(source, failed_on=failed_on, reported_on=reported_on or failed_on, **said)


def verdict(source, failed_on=None, reported_on=None, **said):
    return ask(source, failed_on, reported_on, **said).verdict


# the days --------------------------------------------------------------------------------------------


def test_the_first_and_the_last_day_are_covered_and_no_day_around_them():
    source = facts()
    assert verdict(source, date(2026, 5, 4)) is COVERED
    assert verdict(source, date(2031, 5, 3)) is COVERED
    assert verdict(source, date(2026, 5, 3)) is NOT
    assert verdict(source, date(2031, 5, 4)) is NOT


def test_a_warranty_from_a_leap_day_ends_with_february():
    source = facts(shipped(date(2028, 2, 29)), term=term(months=12))
    assert verdict(source, date(2029, 2, 28)) is COVERED
    assert verdict(source, date(2029, 3, 1)) is NOT


def test_a_warranty_from_the_last_of_a_month_ends_on_the_last_of_a_shorter_one():
    source = facts(shipped(date(2026, 8, 31)), term=term(months=6))
    assert warranty_of(source).ends_on == date(2027, 2, 28)


def test_the_day_before_a_leap_day_can_be_the_last():
    assert warranty_of(facts(shipped(date(2027, 2, 28)), term=term(months=12))).ends_on == date(2028, 2, 27)
    assert warranty_of(LEAP_SOURCE).ends_on == date(2028, 2, 29)


# reporting -------------------------------------------------------------------------------------------


def test_a_late_report_is_said_with_its_days():
    answer = ask(LEAP_SOURCE, date(2028, 2, 10), date(2028, 3, 3))
    assert answer.verdict is COVERED
    assert "Ketra warranty ended 29 Feb 2028; reported 3 Mar 2028: 3 days late, 30 allowed." in answer.reasons
    assert answer.reportable_on == date(2028, 3, 30)


def test_the_last_day_to_report_is_included():
    assert verdict(LEAP_SOURCE, date(2028, 2, 29), date(2028, 3, 30)) is COVERED
    assert verdict(LEAP_SOURCE, date(2028, 2, 29), date(2028, 3, 31)) is NOT


def test_without_days_to_report_the_last_covered_day_is_the_last_to_report():
    source = facts(shipped(date(2026, 3, 1)), term=term(months=24, report_days=0))
    assert verdict(source, date(2028, 2, 28), date(2028, 2, 29)) is COVERED
    assert verdict(source, date(2028, 2, 28), date(2028, 3, 1)) is NOT


def test_a_failure_of_unknown_day_is_decided_by_the_day_of_report():
    answer = ask(LEAP_SOURCE, None, date(2028, 3, 1))
    assert (answer.verdict, answer.decides_on) == (NOT, date(2028, 3, 1))
    assert answer.reasons[0] == "The day of failure is unknown; the day of report, 1 Mar 2028, decides."
    assert answer.reasons[-1] == "Ketra warranty ended 29 Feb 2028; reported 1 Mar 2028: 1 day later."
    assert verdict(LEAP_SOURCE, None, date(2028, 2, 29)) is COVERED


# starts ----------------------------------------------------------------------------------------------

COMMISSIONED = event(3, Kind.COMMISSIONED, date(2026, 6, 15))
DELIVERED = event(3, Kind.DELIVERED, date(2026, 5, 9))
FROM_COMMISSIONING = term(start_rule=StartRule.COMMISSIONED)
CAPPED = term(start_rule=StartRule.COMMISSIONED, cap_days=30)


def test_it_starts_with_the_event_that_the_terms_name():
    assert warranty_of(
        facts(shipped(date(2026, 5, 4), COMMISSIONED), term=FROM_COMMISSIONING)
    ).ends_on == date(2031, 6, 14)
    delivered = facts(shipped(date(2026, 5, 4), DELIVERED), term=term(start_rule=StartRule.DELIVERED))
    assert warranty_of(delivered).ends_on == date(2031, 5, 8)


def test_without_the_day_and_without_a_cap_it_is_undetermined_and_says_what_lacks():
    answer = ask(facts(term=FROM_COMMISSIONING), date(2027, 1, 1))
    assert (answer.verdict, answer.lacking) == (OPEN, Lacking.COMMISSIONED)
    answer = ask(facts(term=term(start_rule=StartRule.DELIVERED)), date(2027, 1, 1))
    assert (answer.verdict, answer.lacking) == (OPEN, Lacking.DELIVERED)
    assert say_answer(answer)[1] == "Record the day it was delivered."


def test_without_the_day_the_cap_starts_it():
    source = facts(term=CAPPED)
    assert warranty_of(source).starts_on == date(2026, 6, 3)
    assert verdict(source, date(2031, 6, 2)) is COVERED
    assert verdict(source, date(2031, 6, 3)) is NOT


def test_before_the_cap_an_unrecorded_start_is_undetermined_but_not_before_shipping():
    answer = ask(facts(term=CAPPED), date(2026, 5, 20))
    assert (answer.verdict, answer.lacking) == (OPEN, Lacking.COMMISSIONED)
    assert verdict(facts(term=CAPPED), date(2026, 5, 3)) is NOT


def test_late_commissioning_starts_it_at_the_cap_and_early_commissioning_when_it_was():
    assert warranty_of(facts(shipped(date(2026, 5, 4), COMMISSIONED), term=CAPPED)).starts_on == date(
        2026, 6, 3
    )
    early = replace(COMMISSIONED, happened_on=date(2026, 5, 10))
    assert warranty_of(facts(shipped(date(2026, 5, 4), early), term=CAPPED)).starts_on == date(2026, 5, 10)


def test_missing_terms_are_undetermined_never_no():
    answer = ask(facts(term=None), date(2040, 1, 1))
    assert (answer.verdict, answer.lacking) == (OPEN, Lacking.TERMS)
    assert "No warranty terms are recorded for family D3 ordered on 1 May 2026." in answer.reasons


def test_a_missing_day_of_shipping_is_undetermined():
    wrong = event(3, Kind.CORRECTED, date(2026, 5, 5), voids=1)
    answer = ask(facts(shipped(date(2026, 5, 4), wrong)), date(2027, 1, 1))
    assert (answer.verdict, answer.lacking) == (OPEN, Lacking.SHIPPED)


def test_terms_are_those_of_the_latest_day_recorded_last_before_the_order():
    old, new = term(months=12), term(months=24, valid_from=date(2026, 5, 1))
    later = replace(new, months=36, set_at=datetime(2026, 7, 1, tzinfo=UTC))
    twin = replace(later, months=48)
    assert term_for([new, old], date(2026, 4, 30)) is old
    assert term_for([new, later, old], date(2026, 5, 1)) is later
    assert term_for([new, later, old], date(2026, 5, 1), datetime(2026, 6, 1, tzinfo=UTC)) is new
    assert term_for([later, twin], date(2026, 5, 1)) is twin
    assert term_for([new], date(2026, 4, 30)) is None


# corrections, moves, ends ------------------------------------------------------------------------------


def test_a_corrected_event_counts_no_more_but_did_when_it_was_asked_before():
    events = shipped(
        date(2026, 5, 4),
        COMMISSIONED,
        event(4, Kind.CORRECTED, date(2026, 7, 1), voids=3),
        event(5, Kind.COMMISSIONED, date(2026, 6, 20), recorded_at=datetime(2026, 7, 1, 13, tzinfo=UTC)),
    )
    assert warranty_of(facts(events, term=FROM_COMMISSIONING)).starts_on == date(2026, 6, 20)
    before = facts(events, term=FROM_COMMISSIONING, as_of=datetime(2026, 6, 30, tzinfo=UTC))
    assert warranty_of(before).starts_on == date(2026, 6, 15)


def test_a_corrected_correction_takes_nothing_out():
    events = shipped(
        date(2026, 5, 4),
        COMMISSIONED,
        event(4, Kind.CORRECTED, date(2026, 7, 1), voids=3),
        event(5, Kind.CORRECTED, date(2026, 7, 2), voids=4),
    )
    assert [each.number for each in standing_events(events)] == [1, 2, 3]


def test_a_correction_never_changes_how_many_units_there_are():
    events = shipped(
        date(2026, 5, 4),
        event(3, Kind.SPLIT, date(2026, 5, 5), quantity=3),
        event(4, Kind.CORRECTED, date(2026, 5, 6), voids=1),
        quantity=10,
    )
    assert stand(events).quantity == 7


def test_the_site_is_that_of_the_day_and_a_late_recorded_move_counts_from_its_day():
    events = shipped(
        date(2026, 5, 4),
        event(3, Kind.MOVED, date(2027, 2, 1), site_id=BARN, room="Loft"),
        event(
            4,
            Kind.MOVED,
            date(2026, 9, 1),
            site_id=HOME,
            room="Hall",
            recorded_at=datetime(2028, 1, 1, tzinfo=UTC),
        ),
    )
    assert site_on(events, date(2026, 8, 31)) == (HOME, "Kitchen")
    assert site_on(events, date(2026, 9, 1)) == (HOME, "Hall")
    assert site_on(events, date(2027, 2, 1)) == (BARN, "Loft")
    assert site_on(events, date(2020, 1, 1)) == (HOME, "Kitchen")
    assert stand(events).site_id == BARN
    assert site_on(known_at(events, datetime(2027, 1, 1, tzinfo=UTC)), date(2026, 12, 1)) == (HOME, "Kitchen")


def test_a_move_does_not_touch_the_warranty():
    moved = facts(shipped(date(2026, 5, 4), event(3, Kind.MOVED, date(2027, 2, 1), site_id=BARN)))
    assert warranty_of(moved) == warranty_of(facts())
    assert ask(moved, date(2028, 1, 1), site_id=BARN) == ask(facts(), date(2028, 1, 1), site_id=HOME)


@pytest.mark.parametrize("kind", [Kind.REPLACED, Kind.RETIRED])
def test_a_removed_unit_is_covered_until_the_day_before(kind):
    source = facts(shipped(date(2026, 5, 4), event(3, kind, date(2027, 3, 10))))
    answer = ask(source, date(2027, 3, 9), date(2027, 3, 12))
    assert answer.verdict is COVERED
    assert answer.covers[0].ends_on == date(2027, 3, 9)
    assert verdict(source, date(2027, 3, 10)) is NOT
    assert "It was taken out on 10 Mar 2027" in ask(source, date(2027, 3, 10)).reasons[-1]


def test_a_voided_source_is_covered_on_no_day():
    source = facts(
        shipped(date(2026, 5, 4), event(3, Kind.VOIDED, date(2026, 6, 1), reason="Returned with return 1."))
    )
    assert source.standing.standing is Standing.VOIDED
    for day in (date(2026, 5, 10), date(2026, 6, 1), date(2027, 1, 1)):
        assert verdict(source, day) is NOT
    assert "Returned with return 1." in ask(source, date(2027, 1, 1)).reasons[-1]


def test_a_void_known_later_does_not_change_what_was_answered_before():
    events = shipped(date(2026, 5, 4), event(3, Kind.VOIDED, date(2026, 6, 1), reason="Mistake"))
    assert verdict(facts(events, as_of=datetime(2026, 5, 31, tzinfo=UTC)), date(2026, 5, 20)) is COVERED


# replacements ------------------------------------------------------------------------------------------


def replacement(original, day, ref="U-HARBOR-2", **said):
    events = shipped(day, event(3, Kind.REPLACES, day, other_id=HOME))
    return facts(events, ref=ref, is_replacement=True, original=original, **said)


ORIGINAL = facts(shipped(date(2026, 5, 4), event(3, Kind.REPLACED, date(2028, 7, 1))))


def test_a_replacement_inherits_the_originals_last_day():
    new = replacement(ORIGINAL, date(2028, 7, 1))
    assert warranty_of(new).ends_on == date(2031, 5, 3)
    assert verdict(new, date(2028, 7, 1)) is COVERED
    assert verdict(new, date(2028, 6, 30)) is NOT
    assert verdict(new, date(2031, 5, 4)) is NOT


def test_a_replacement_has_its_minimum_where_that_is_later_counting_its_first_day():
    new = replacement(ORIGINAL, date(2031, 4, 20), term=term(replacement_days=90))
    assert warranty_of(new).ends_on == date(2031, 4, 20) + timedelta(days=89)
    early = replacement(ORIGINAL, date(2027, 4, 20), term=term(replacement_days=90))
    assert warranty_of(early).ends_on == date(2031, 5, 3)


def test_a_replaced_replacement_hands_on_remainder_minimum_and_the_originals_ten_years():
    minimum = term(replacement_days=90)
    second = replacement(ORIGINAL, date(2031, 4, 20), term=minimum)
    third = replacement(second, date(2031, 5, 1), ref="U-HARBOR-3", term=minimum)
    fourth = replacement(third, date(2031, 7, 20), ref="U-HARBOR-4", term=minimum)
    assert warranty_of(third).ends_on == date(2031, 7, 29)
    assert warranty_of(fourth).ends_on == date(2031, 10, 17)
    limits = {warranty_of(each).limit_on for each in (ORIGINAL, second, third, fourth)}
    assert limits == {date(2041, 5, 3)}


def test_a_replacement_whose_original_is_not_recorded_is_undetermined():
    new = facts(is_replacement=True)
    answer = ask(new, date(2027, 1, 1))
    assert (answer.verdict, answer.lacking) == (OPEN, Lacking.REPLACES)


def test_a_replacement_of_an_undetermined_original_is_covered_through_its_minimum_and_then_undetermined():
    unknown = facts(term=FROM_COMMISSIONING)
    new = replacement(unknown, date(2028, 7, 1), term=term(replacement_days=90))
    assert verdict(new, date(2028, 9, 28)) is COVERED
    answer = ask(new, date(2028, 9, 29))
    assert (answer.verdict, answer.lacking) == (OPEN, Lacking.COMMISSIONED)
    assert verdict(new, date(2028, 9, 1), date(2029, 9, 1)) is OPEN


def test_a_replacement_without_terms_keeps_the_originals_ten_years():
    new = replacement(ORIGINAL, date(2028, 7, 1), term=None)
    assert ask(new, date(2028, 8, 1)).lacking is Lacking.TERMS
    assert verdict(new, date(2041, 5, 4), plans=[plan(ends_on=date(2050, 1, 1))], site_id=HOME) is OPEN


# plans ----------------------------------------------------------------------------------------------


def test_a_plan_covers_in_its_term_first_last_and_termination_day_included():
    for day, said in [
        (date(2031, 12, 31), NOT),
        (date(2032, 1, 1), COVERED),
        (date(2032, 12, 31), COVERED),
        (date(2033, 1, 1), NOT),
    ]:
        assert verdict(facts(), day, site_id=HOME, plans=[plan()]) is said


def test_a_plan_is_for_the_site_of_the_day():
    assert verdict(facts(), date(2032, 2, 1), site_id=BARN, plans=[plan()]) is NOT
    assert verdict(facts(), date(2032, 2, 1), site_id=None, plans=[plan()]) is NOT


def test_a_plan_grants_what_is_ticked():
    answer = ask(facts(), date(2032, 2, 1), site_id=HOME, plans=[plan(covers_parts=False)])
    assert (answer.covers[0].parts, answer.covers[0].labor) == (False, True)
    nothing = plan(covers_parts=False, covers_labor=False)
    assert verdict(facts(), date(2032, 2, 1), site_id=HOME, plans=[nothing]) is NOT


def test_a_plan_ends_120_months_after_the_warranty():
    endless = plan(ends_on=date(2060, 1, 1))
    answer = ask(facts(), date(2041, 5, 3), site_id=HOME, plans=[endless])
    assert answer.verdict is COVERED
    assert answer.covers[0].ends_on == date(2041, 5, 3)
    assert verdict(facts(), date(2041, 5, 4), site_id=HOME, plans=[endless]) is NOT


def test_with_an_unknown_warranty_end_the_limit_is_not_applied_and_the_answer_says_so():
    answer = ask(facts(term=None), date(2045, 1, 1), site_id=HOME, plans=[plan(ends_on=date(2060, 1, 1))])
    assert answer.verdict is COVERED
    assert any("limit of ten years is not applied" in reason for reason in answer.reasons)


def test_the_warranty_comes_first_then_plans_by_start():
    early, late = plan(name="A", starts_on=date(2027, 1, 1)), plan(name="B", starts_on=date(2028, 1, 1))
    answer = ask(facts(), date(2030, 1, 1), site_id=HOME, plans=[late, early])
    assert [cover.by for cover in answer.covers] == [WARRANTY, "A", "B"]
    assert [cover.provider for cover in answer.covers] == ["Harbor Lighting", "Lutron", "Lutron"]
    assert say_answer(answer) == (
        "Covered through 3 May 2031.",
        "Harbor Lighting owes it: parts and labor.",
        "Also covered by A through 31 Dec 2032, owed by Lutron.",
        "Also covered by B through 31 Dec 2032, owed by Lutron.",
    )


def test_a_plan_covers_no_unit_that_was_taken_out():
    gone = facts(shipped(date(2026, 5, 4), event(3, Kind.RETIRED, date(2032, 6, 1))))
    assert verdict(gone, date(2032, 6, 1), site_id=HOME, plans=[plan()]) is NOT
    assert ask(gone, date(2032, 5, 31), site_id=HOME, plans=[plan()]).covers[0].ends_on == date(2032, 5, 31)
