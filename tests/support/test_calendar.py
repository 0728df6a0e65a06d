"""Service hours, business days, holidays: over clock changes, weekends and the turn of the year."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from support.rules.calendar import Calendar, Window, plus_days, plus_months, wall_time
from support.rules.holidays import HolidayKind, HolidayRule, Observed, holidays_of
from tests.support.clock_facts import AFTER_HOURS, NEW_YORK, SATURDAY, SITE, THANKSGIVING, ny, weekdays

HOUR = timedelta(hours=1)
ALWAYS = weekdays(0, 24, range(7))
SIX = (
    HolidayRule("New Year's Day", HolidayKind.FIXED, 1, day=1),
    HolidayRule("Memorial Day", HolidayKind.LAST_WEEKDAY, 5, weekday=0),
    HolidayRule("Independence Day", HolidayKind.FIXED, 7, day=4),
    HolidayRule("Labor Day", HolidayKind.NTH_WEEKDAY, 9, weekday=0, nth=1),
    HolidayRule("Thanksgiving Day", HolidayKind.NTH_WEEKDAY, 11, weekday=3, nth=4),
    HolidayRule("Christmas Day", HolidayKind.FIXED, 12, day=25),
)


def test_a_window_is_open_at_its_opening_and_closed_at_its_closing():
    assert SITE.is_open(ny(23, 8))
    assert SITE.is_open(ny(23, 16, 59))
    assert not SITE.is_open(ny(23, 17))
    assert not SITE.is_open(ny(23, 7, 59))


def test_intake_is_now_inside_a_window_and_else_the_next_opening():
    assert SITE.intake(ny(23, 10, 30)) == ny(23, 10, 30)
    assert SITE.intake(ny(23, 6)) == ny(23, 8)
    assert SITE.intake(ny(23, 17)) == ny(24, 8)
    assert SITE.intake(ny(20, 17)) == ny(23, 8)
    assert SITE.intake(ny(25, 18)) == ny(27, 8)


def test_a_business_day_later_is_the_same_wall_time_and_passes_over_weekend_and_thanksgiving():
    assert SITE.plus_business_days(ny(23, 10), 1) == ny(24, 10)
    assert SITE.plus_business_days(ny(20, 16, 59), 1) == ny(23, 16, 59)
    assert SITE.plus_business_days(ny(25, 10), 1) == ny(27, 10)
    assert SITE.plus_business_days(ny(25, 17), 1) == ny(30, 8)
    assert SITE.plus_business_days(ny(24, 10), 3) == ny(30, 10)
    assert SITE.plus_business_days(ny(26, 10), 0) == ny(27, 8)


@pytest.mark.parametrize(
    "opened, later, real_hours",
    [(ny(6, 12, month=3), ny(9, 12, month=3), 71), (ny(30, 12, month=10), ny(2, 12), 73)],
)
def test_a_business_day_keeps_its_wall_time_over_a_clock_change(opened, later, real_hours):
    assert SITE.plus_business_days(opened, 1) == later
    assert later - opened == real_hours * HOUR


def test_business_time_over_a_clock_change_is_real_time():
    calendar = Calendar(NEW_YORK, ALWAYS)
    assert calendar.business_time_between(ny(8, 0, month=3), ny(9, 0, month=3)) == 23 * HOUR
    assert calendar.business_time_between(ny(1, 0), ny(2, 0)) == 25 * HOUR
    assert calendar.advance(ny(8, 0, month=3), 24 * HOUR) == ny(9, 1, month=3)
    assert calendar.advance(ny(1, 0), 24 * HOUR) == ny(1, 23)


def test_a_missing_wall_time_moves_forward_by_the_gap_and_of_a_doubled_one_the_first_is_meant():
    assert wall_time(date(2026, 3, 8), 150, NEW_YORK) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    assert wall_time(date(2026, 3, 8), 150, NEW_YORK) == ny(8, 3, 30, month=3)
    assert wall_time(date(2026, 11, 1), 90, NEW_YORK) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert wall_time(date(2026, 11, 1), 1440, NEW_YORK) == ny(2, 0)
    assert plus_days(ny(7, 2, 30, month=3), 1, NEW_YORK) == ny(8, 3, 30, month=3)
    assert plus_days(ny(7, 2, 30, month=3), 2, NEW_YORK) == ny(9, 2, 30, month=3)
    assert plus_days(ny(31, 1, 30, month=10), 1, NEW_YORK) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    second = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    assert plus_days(second, 0, NEW_YORK) == second


def test_windows_of_a_gap_open_after_it_and_one_that_it_swallows_does_not_open():
    sunday = Calendar(NEW_YORK, (Window(6, 130, 170), Window(6, 600, 660)))
    assert sunday.counted(ny(8, 0, month=3), ny(9, 0, month=3)).windows == (
        (ny(8, 3, 10, month=3), ny(8, 3, 50, month=3)),
        (ny(8, 10, month=3), ny(8, 11, month=3)),
    )
    swallowed = Calendar(NEW_YORK, (Window(6, 170, 190),))
    assert swallowed.intake(ny(8, 0, month=3)) == ny(15, 2, 50, month=3)


def test_remaining_business_time_is_spent_in_windows_and_ends_at_closing_when_it_ends_exactly_there():
    assert SITE.advance(ny(23, 16), HOUR) == ny(23, 17)
    assert SITE.advance(ny(23, 16), HOUR + timedelta(seconds=1)) == ny(24, 8) + timedelta(seconds=1)
    assert SITE.advance(ny(25, 18), 9 * HOUR) == ny(27, 17)
    assert SITE.advance(ny(25, 18), timedelta(0)) == ny(25, 18)
    assert SITE.business_time_between(ny(25, 16), ny(27, 9)) == 2 * HOUR
    assert SITE.business_time_between(ny(26, 0), ny(27, 0)) == timedelta(0)


def test_options_widen_the_day_and_join_its_window_but_open_no_holiday():
    wide = SITE.with_windows([*AFTER_HOURS, *SATURDAY])
    assert [each for each in wide.windows if each.weekday in {0, 5}] == [
        Window(0, 480, 1320),
        Window(5, 480, 1020),
    ]
    assert wide.is_open(ny(23, 17))
    assert not wide.is_open(ny(23, 22))
    assert wide.advance(ny(23, 16), 2 * HOUR) == ny(23, 18)
    assert wide.intake(ny(20, 23)) == ny(21, 8)
    assert not wide.is_open(ny(26, 15))
    assert wide.intake(ny(25, 22)) == ny(27, 8)
    assert not SITE.is_open(ny(23, 17))


def test_windows_that_adjoin_are_one_over_midnight_too():
    adjoining = Calendar(NEW_YORK, (Window(0, 480, 720), Window(0, 720, 1020)))
    assert adjoining.windows == (Window(0, 480, 1020),)
    night = Calendar(NEW_YORK, (Window(0, 1320, 1440), Window(1, 0, 360)))
    assert night.counted(ny(23, 0), ny(25, 0)).windows == ((ny(23, 22), ny(24, 6)),)
    assert night.is_open(ny(24, 0))
    assert night.advance(ny(23, 23), 7 * HOUR) == ny(24, 6)
    assert night.plus_business_days(ny(23, 23), 1) == ny(24, 23)


def test_a_calendar_that_is_always_open_takes_in_now_and_counts_every_day():
    always = Calendar(NEW_YORK, ALWAYS)
    assert always.intake(ny(26, 3)) == ny(26, 3)
    assert always.plus_business_days(ny(27, 3), 1) == ny(28, 3)
    assert always.counted(ny(1, 0), ny(30, 0)).windows == ((ny(1, 0), ny(30, 0)),)


def test_what_was_counted_names_windows_and_the_closed_days_that_would_have_been_open():
    calendar = Calendar(NEW_YORK, SITE.windows, THANKSGIVING | {date(2026, 11, 28): "Open house"})
    counted = calendar.counted(ny(25, 16), ny(30, 9))
    assert counted.windows == ((ny(25, 16), ny(25, 17)), (ny(27, 8), ny(27, 17)), (ny(30, 8), ny(30, 9)))
    assert counted.closed == ((date(2026, 11, 26), "Thanksgiving Day"),)
    assert counted.business_time == 11 * HOUR


def test_a_calendar_that_never_opens_is_refused_and_does_not_search_for_ever():
    with pytest.raises(ValueError, match="never opens"):
        Calendar(NEW_YORK, ())
    days = [date(2026, 1, 1) + timedelta(days=count) for count in range(5000)]  # through 2039
    shut = Calendar(NEW_YORK, SITE.windows, dict.fromkeys(days, "Closed"))
    for ask in (
        lambda: shut.intake(ny(23, 8)),
        lambda: shut.plus_business_days(ny(23, 8), 1),
        lambda: shut.advance(ny(23, 8), HOUR),
    ):
        with pytest.raises(ValueError, match="ten years"):
            ask()
    never = Calendar(
        NEW_YORK, (Window(2, 170, 180),), {date.fromordinal(day): "" for day in range(700_000, 800_000)}
    )
    with pytest.raises(ValueError, match="century"):
        never.intake(ny(23, 8))
    assert shut.intake(ny(31, 8, month=12, year=2025)) == ny(31, 8, month=12, year=2025)
    with pytest.raises(ValueError, match="century"):
        SITE.advance(ny(23, 8), timedelta(days=30_000))
    with pytest.raises(ValueError, match="century"):
        SITE.plus_business_days(ny(23, 8), 100_000)


def test_far_instants_are_answered_too():
    assert SITE.intake(ny(1, 0, month=1, year=1950)) == ny(2, 8, month=1, year=1950)
    assert SITE.plus_business_days(ny(23, 10), 2610) == ny(25, 10, year=2036)
    assert SITE.business_time_between(ny(1, 0, year=2006), ny(1, 0, year=2026)) > 5000 * 9 * HOUR
    assert SITE.intake(ny(23, 10)) == ny(23, 10)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Window(7, 0, 60),
        lambda: Window(0, 60, 60),
        lambda: Window(0, 0, 1441),
        lambda: Calendar("Mars/Olympus", SITE.windows),
        lambda: Calendar("../etc/passwd", SITE.windows),
        lambda: SITE.intake(datetime(2026, 11, 23)),  # noqa: DTZ001 - an instant without a zone is the point
        lambda: SITE.business_time_between(ny(24, 8), ny(23, 8)),
        lambda: SITE.advance(ny(23, 8), -HOUR),
        lambda: SITE.plus_business_days(ny(23, 8), -1),
        lambda: plus_days(ny(23, 8), -1, NEW_YORK),
        lambda: plus_months(date(2026, 1, 1), -1),
        lambda: wall_time(date(2026, 1, 1), 1441, NEW_YORK),
    ],
)
def test_nonsense_is_refused(make):
    with pytest.raises(ValueError):
        make()


def test_instants_of_any_zone_come_out_in_utc():
    tokyo = datetime(2026, 11, 24, 0, 30, tzinfo=timezone(9 * HOUR))
    assert SITE.intake(tokyo).tzinfo is UTC
    assert SITE.intake(tokyo) == ny(23, 10, 30)


def test_months_later_is_the_same_day_or_the_last_of_the_month():
    assert plus_months(date(2026, 1, 15), 6) == date(2026, 7, 15)
    assert plus_months(date(2026, 8, 31), 6) == date(2027, 2, 28)
    assert plus_months(date(2027, 8, 31), 6) == date(2028, 2, 29)
    assert plus_months(date(2028, 2, 29), 12) == date(2029, 2, 28)
    assert plus_months(date(2028, 2, 29), 48) == date(2032, 2, 29)
    assert plus_months(date(2026, 10, 31), 2) == date(2026, 12, 31)
    assert plus_months(date(2026, 1, 31), 0) == date(2026, 1, 31)


def test_the_six_holidays_of_2026_with_the_nearest_weekday():
    assert holidays_of(SIX, Observed.NEAREST_WEEKDAY, [2026]) == {
        date(2026, 1, 1): "New Year's Day",
        date(2026, 5, 25): "Memorial Day",
        date(2026, 7, 3): "Independence Day (observed)",
        date(2026, 7, 4): "Independence Day",
        date(2026, 9, 7): "Labor Day",
        date(2026, 11, 26): "Thanksgiving Day",
        date(2026, 12, 25): "Christmas Day",
    }


def test_a_holiday_on_a_saturday_closes_the_friday_also_in_the_year_before():
    for years in ([2021], [2022]):
        days = holidays_of(SIX, Observed.NEAREST_WEEKDAY, years)
        assert days[date(2021, 12, 31)] == "New Year's Day (observed)"
    assert date(2022, 1, 1) not in holidays_of(SIX, Observed.NEAREST_WEEKDAY, [2021])
    assert holidays_of(SIX, Observed.NEAREST_WEEKDAY, [2022])[date(2022, 1, 1)] == "New Year's Day"
    calendar = Calendar(
        NEW_YORK, weekdays(8, 17, range(6)), holidays_of(SIX, Observed.NEAREST_WEEKDAY, [2026])
    )
    assert calendar.intake(ny(2, 17, month=7)) == ny(6, 8, month=7)


def test_a_holiday_on_a_sunday_closes_the_monday():
    days = holidays_of(SIX, Observed.NEAREST_WEEKDAY, range(2022, 2023))
    assert days[date(2022, 12, 26)] == "Christmas Day (observed)"
    assert days[date(2022, 12, 25)] == "Christmas Day"


def test_without_an_observed_rule_only_the_day_itself_is_closed():
    days = holidays_of(SIX, Observed.NONE, [2021, 2022])
    assert len(days) == 12
    assert date(2021, 12, 31) not in days


def test_two_holidays_on_a_weekend_are_observed_on_the_next_two_weekdays():
    british = (SIX[5], HolidayRule("Boxing Day", HolidayKind.FIXED, 12, day=26))
    assert holidays_of(british, Observed.NEXT_WEEKDAY, [2021]) == {
        date(2021, 12, 25): "Christmas Day",
        date(2021, 12, 26): "Boxing Day",
        date(2021, 12, 27): "Christmas Day (observed)",
        date(2021, 12, 28): "Boxing Day (observed)",
    }


def test_nine_years_of_the_six_holidays_have_sixty_one_closed_days_all_observed_on_weekdays():
    days = holidays_of(SIX, Observed.NEAREST_WEEKDAY, range(2024, 2033))
    assert len(days) == 61
    assert list(days) == sorted(days)
    assert all(day.weekday() < 5 for day, name in days.items() if name.endswith("(observed)"))


def test_a_leap_day_is_a_holiday_in_leap_years_only():
    leap = (HolidayRule("Leap Day", HolidayKind.FIXED, 2, day=29),)
    assert list(holidays_of(leap, Observed.NONE, range(2026, 2033))) == [date(2028, 2, 29), date(2032, 2, 29)]


def test_a_rule_comes_back_out_of_its_file():
    for rule in SIX:
        assert HolidayRule.from_data(json.loads(json.dumps(rule.to_data()))) == rule


@pytest.mark.parametrize(
    "wrong, place",
    [
        ({"name": "X", "kind": "fixed", "month": 2, "day": 30}, "holidays[3].day"),
        ({"name": "X", "kind": "fixed", "month": 13, "day": 1}, "holidays[3].month"),
        ({"name": "X", "kind": "lunar", "month": 1, "day": 1}, "holidays[3].kind"),
        ({"name": "X", "kind": "fixed", "month": 1, "day": True}, "holidays[3].day"),
        ({"name": " ", "kind": "fixed", "month": 1, "day": 1}, "holidays[3].name"),
        ({"name": "X", "kind": "nth_weekday", "month": 1, "weekday": 0, "nth": 5}, "holidays[3].nth"),
        ({"name": "X", "kind": "last_weekday", "month": 1, "weekday": 7}, "holidays[3].weekday"),
        ({"name": "X", "kind": "last_weekday", "month": 1}, "holidays[3].weekday"),
        ({"name": "X", "kind": "last_weekday", "month": 1, "weekday": 0, "day": 3}, "holidays[3].day"),
        ("X", "holidays[3]"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(wrong, place):
    with pytest.raises(ValueError) as refused:
        HolidayRule.from_data(wrong, "holidays[3]")
    assert str(refused.value).startswith(f"{place}:")
