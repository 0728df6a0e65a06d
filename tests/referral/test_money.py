"""Money: one parser for what people type, one rounding."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.money import (
    MAX_CENTS,
    MAX_QUANTITY,
    NotANumber,
    format_cents,
    format_plain,
    format_rate,
    parse_cents,
    parse_quantity,
    parse_rate,
    round_half_up,
)

ANY_TEXT = st.text(st.characters(codec=None), max_size=40) | st.text("0123456789.,-+$ eExXNna_", max_size=20)


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("0", 0),
        ("1", 100),
        ("1.5", 150),
        ("1.50", 150),
        (" 1,234.50 ", 123450),
        ("$99.9", 9990),
        ("$ 12", 1200),
        ("1,000,000", 100000000),
        ("007", 700),
        ("99,999,999,999.99", MAX_CENTS),
    ],
)
def test_an_amount_is_read_to_the_cent(text, cents):
    assert parse_cents(text) == cents


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "-0.01",
        "1e9",
        "NaN",
        "Infinity",
        "1.234",
        "1.",
        ".5",
        "1,23",
        "1,2345",
        "12,34,567",
        "1 000",
        "1_000",
        "0x10",
        "+1",
        "1.000,00",
        "٣",
        "１２",
        "½",
        "💰",
        "1\x00",
        "1\n2",
        "9" * 10_000,
        "100,000,000,000.00",
    ],
)
def test_what_is_no_amount_is_refused_with_words_on_what_to_type(text):
    with pytest.raises(NotANumber, match="Type an amount"):
        parse_cents(text)


def test_an_amount_below_zero_is_read_where_it_may_be():
    assert parse_cents("-1,234.50", minimum=-MAX_CENTS) == -123450


@given(ANY_TEXT)
def test_no_text_makes_a_parser_crash_or_leave_its_bounds(text):
    for parse, low, high in (
        (parse_cents, 0, MAX_CENTS),
        (parse_quantity, 1, MAX_QUANTITY),
        (parse_rate, 0, 9_999_999),
    ):
        try:
            number = parse(text)
        except NotANumber:
            continue
        assert type(number) is int
        assert low <= number <= high


@given(st.integers(-MAX_CENTS, MAX_CENTS))
def test_an_amount_that_is_written_and_read_is_the_same(cents):
    assert parse_cents(format_cents(cents), minimum=-MAX_CENTS) == cents
    assert parse_cents(format_plain(cents), minimum=-MAX_CENTS) == cents


@given(st.integers(0, 9_999_999))
def test_a_rate_that_is_written_and_read_is_the_same(rate):
    assert parse_rate(format_rate(rate)) == rate


@pytest.mark.parametrize("text", ["", "-1", "1.00000", "1000", "NaN", "1e0", "1,0", "１"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(NotANumber):
        parse_rate(text)


@given(st.integers(1, MAX_QUANTITY))
def test_a_quantity_is_read_with_and_without_its_separators(quantity):
    assert parse_quantity(str(quantity)) == parse_quantity(f" {quantity:,} ") == quantity


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "1e9", "NaN", "100,001", "9" * 5000, "٣", "１", "1 0", "1,0"]
)
def test_what_is_no_whole_number_of_units_is_refused(text):
    with pytest.raises(NotANumber, match="Type a whole number"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("amount", "cents"),
    [
        (Fraction(1, 2), 1),
        (Fraction(3, 2), 2),
        (Fraction(5, 2), 3),
        (Fraction(-1, 2), -1),
        (Fraction(-3, 2), -2),
        (Fraction(49, 100), 0),
        (Fraction(7), 7),
    ],
)
def test_half_a_cent_is_rounded_up_away_from_zero(amount, cents):
    assert round_half_up(amount) == cents


@given(st.fractions())
def test_rounding_moves_an_amount_by_half_a_cent_at_most_and_alike_on_both_sides_of_zero(amount):
    assert abs(round_half_up(amount) - amount) <= Fraction(1, 2)
    assert round_half_up(-amount) == -round_half_up(amount)
