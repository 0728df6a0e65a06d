"""The month rule, compared with a walk from day to day."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from warranty.rules.months import last_day_of, same_day_months_later

DAY = timedelta(days=1)


def walk(start: date, months: int) -> date:
    """Go from day to day: the term ends before the start's day number comes again, or with a month that lacks it."""
    day, passed = start, 0
    while True:
        following = day + DAY
        if following.month != day.month:
            passed += 1
            has_day = any(
                (following + DAY * ahead).day == start.day
                and (following + DAY * ahead).month == following.month
                for ahead in range(31)
            )
            if passed == months and not has_day:
                while (following + DAY).month == following.month:
                    following += DAY
                return following
        if passed == months and following.day == start.day:
            return day
        day = following


def test_the_month_rule_is_a_walk_from_day_to_day_on_ten_thousand_pairs():
    chance = random.Random(20260504)  # noqa: S311 - the same pairs every time
    first = date(2019, 1, 1)
    pairs = [(first + DAY * chance.randrange(4000), chance.randrange(1, 16)) for _ in range(9_000)]
    pairs += [(date(2023, 1, 1) + DAY * day, months) for day in range(366 * 2) for months in (1, 11, 12)]
    pairs += [(date(2028, 2, 29), months) for months in range(1, 200)]
    pairs += [(date(2031, 1, 31), 120), (date(2026, 8, 31), 120), (date(2026, 6, 15), 60)]
    assert len(pairs) >= 10_000
    wrong = [(start, months) for start, months in pairs if last_day_of(start, months) != walk(start, months)]
    assert wrong == []


@pytest.mark.parametrize(
    ("start", "months", "last"),
    [
        (date(2026, 6, 15), 60, date(2031, 6, 14)),
        (date(2026, 1, 1), 12, date(2026, 12, 31)),
        (date(2026, 3, 1), 12, date(2027, 2, 28)),
        (date(2027, 3, 1), 12, date(2028, 2, 29)),
        (date(2026, 5, 31), 1, date(2026, 6, 30)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2028, 1, 30), 1, date(2028, 2, 29)),
        (date(2028, 1, 29), 1, date(2028, 2, 28)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 28)),
        (date(2028, 2, 29), 1, date(2028, 3, 28)),
        (date(2096, 2, 29), 48, date(2100, 2, 28)),
    ],
)
def test_months_end_the_day_before_the_corresponding_day_or_with_the_month(start, months, last):
    assert last_day_of(start, months) == last


def test_a_longer_term_never_ends_earlier_and_a_later_start_neither():
    for day in range(1500):
        start = date(2026, 1, 1) + DAY * day
        ends = [last_day_of(start, months) for months in range(1, 40)]
        assert ends == sorted(set(ends))
        assert last_day_of(start + DAY, 7) >= last_day_of(start, 7)


def test_terms_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="at least one month"):
        last_day_of(date(2026, 1, 1), 0)
    with pytest.raises(OverflowError):
        last_day_of(date(9999, 6, 1), 12)
    assert same_day_months_later(date(2026, 1, 31), 1) is None
