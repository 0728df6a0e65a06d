"""Periods of statements: year ends, leap years, changes of the clock, zones, the window to dispute."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from ledger.rules.periods import (
    Period,
    PeriodKind,
    last_day_to_dispute,
    parse_period,
    period_of,
    periods_of_year,
    start_of,
)

NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("name", "first_on", "last_on", "words"),
    [
        ("2026-11", date(2026, 11, 1), date(2026, 11, 30), "November 2026"),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31), "December 2026"),
        ("2028-02", date(2028, 2, 1), date(2028, 2, 29), "February 2028"),
        ("2027-02", date(2027, 2, 1), date(2027, 2, 28), "February 2027"),
        ("2026-Q1", date(2026, 1, 1), date(2026, 3, 31), "First quarter 2026"),
        ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31), "Fourth quarter 2026"),
        ("2026", date(2026, 1, 1), date(2026, 12, 31), "Year 2026"),
        ("2099-12", date(2099, 12, 1), date(2099, 12, 31), "December 2099"),
    ],
)
def test_a_name_is_a_period_and_a_period_its_name(name, first_on, last_on, words):
    period = parse_period(name)
    assert (period.first_on, period.last_on, period.words, period.name) == (first_on, last_on, words, name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-13",
        "2026-00",
        "2026-1",
        "2026-Q0",
        "2026-Q5",
        "1999",
        "2100",
        "2026-11\n",
        "٢٠٢٦",
        "2026-11-01",
    ],
)
def test_what_names_no_period_is_none(text):
    assert parse_period(text) is None


def test_a_year_is_its_months_its_quarters_and_itself_without_a_gap():
    periods = periods_of_year(2028)
    assert [len([each for each in periods if each.kind is kind]) for kind in PeriodKind] == [12, 4, 1]
    for kind in PeriodKind:
        days = [each for each in periods if each.kind is kind]
        assert days[0].first_on == date(2028, 1, 1)
        assert days[-1].last_on == date(2028, 12, 31)
        for before, after in itertools.pairwise(days):
            assert after.first_on == before.last_on + timedelta(days=1)
    assert sum(len(each.months) for each in periods) == 36


def test_every_day_lies_in_its_own_periods():
    day = date(2027, 12, 20)
    while day < date(2028, 3, 5):
        for kind in PeriodKind:
            period = period_of(day, kind)
            assert period.first_on <= day <= period.last_on
        day += timedelta(days=1)


def test_the_last_instant_of_a_year_still_belongs_to_it_by_the_zone():
    _, end = parse_period("2026").bounds(NEW_YORK)
    assert end == datetime(2027, 1, 1, 5, 0, tzinfo=UTC)
    assert parse_period("2027-01").bounds(NEW_YORK)[0] == end
    assert parse_period("2026").bounds("Pacific/Auckland")[1] == datetime(2026, 12, 31, 11, 0, tzinfo=UTC)


def test_a_month_with_a_change_of_the_clock_is_an_hour_shorter_or_longer():
    lengths = {}
    for name in ("2026-03", "2026-11", "2026-05"):
        start, end = parse_period(name).bounds(NEW_YORK)
        lengths[name] = end - start
    assert lengths["2026-03"] == timedelta(days=31, hours=-1)
    assert lengths["2026-11"] == timedelta(days=30, hours=1)
    assert lengths["2026-05"] == timedelta(days=31)


def test_a_day_begins_at_the_jump_where_midnight_is_skipped_and_once_where_it_comes_twice():
    assert start_of(date(2018, 11, 4), "America/Sao_Paulo") == datetime(2018, 11, 4, 3, 0, tzinfo=UTC)
    assert start_of(date(2026, 11, 1), "America/Havana") == datetime(2026, 11, 1, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("posted_on", "last_day"),
    [
        (date(2026, 11, 1), date(2027, 1, 29)),
        (date(2026, 11, 30), date(2027, 1, 29)),
        (date(2026, 12, 31), date(2027, 3, 1)),
        (date(2027, 12, 31), date(2028, 2, 29)),
        (date(2028, 2, 29), date(2028, 4, 29)),
    ],
)
def test_the_window_runs_from_the_last_day_of_the_month_of_posting(posted_on, last_day):
    assert last_day_to_dispute(posted_on, 60) == last_day


def test_a_period_is_over_the_day_after_its_last_and_begins_on_its_first():
    period = Period(PeriodKind.MONTH, date(2026, 11, 1))
    assert not period.is_over(date(2026, 11, 30))
    assert period.is_over(date(2026, 12, 1))
    assert period.has_begun(date(2026, 11, 1))
    assert not period.has_begun(date(2026, 10, 31))
