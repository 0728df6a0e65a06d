from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rules.credit import LevelStep, line_credit_cents, reversal_cents, standing
from ledger.rules.digests import digest_of, encode_fields, posting_digest

quick = settings(max_examples=100, deadline=None)
prices = st.integers(0, 10_000_000)
quantities = st.integers(1, 100_000)
rates = st.integers(0, 99_999)
exchange_rates = st.integers(1, 9_999_999_999)
LEVELS = (LevelStep("Bronze", 0), LevelStep("Silver", 2_500_000), LevelStep("Gold", 7_500_000))


@pytest.mark.parametrize(
    "price, quantity, rate, credit",
    [
        (41_250, 10, 10_000, 412_500),
        (1, 1, 5_000, 1),
        (1, 1, 4_999, 0),
        (3, 1, 5_000, 2),
        (3_333, 3, 3_333, 3_333),
        (10, 1, 10_500, 11),
        (99, 1, 0, 0),
    ],
)
def test_line_credit_is_price_times_quantity_times_rate_rounded_half_up(price, quantity, rate, credit):
    assert line_credit_cents(price, quantity, rate) == credit


@quick
@given(prices, quantities, rates)
def test_line_credit_is_what_exact_decimals_give(price, quantity, rate):
    exact = Decimal(price) * quantity * rate / Decimal(10_000)
    assert line_credit_cents(price, quantity, rate) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


@pytest.mark.parametrize(
    "price, quantity, rate, exchange, credit",
    [
        (41_250, 10, 10_000, 731_200, 301_620),
        (1, 1, 10_000, 500_000, 1),
        (1, 1, 10_000, 499_999, 0),
        (3, 1, 10_000, 500_000, 2),
        (1, 1, 5_000, 900_000, 0),  # 0.45; rounded after each rate it would be 1
        (3_333, 7, 10_000, 731_255, 17_061),  # 17,060.91
        (1, 1, 10_000, 1, 0),
        (99, 1, 0, 731_200, 0),
    ],
)
def test_line_credit_with_an_exchange_rate_is_rounded_half_up_once(price, quantity, rate, exchange, credit):
    assert line_credit_cents(price, quantity, rate, exchange) == credit


@quick
@given(prices, quantities, rates, exchange_rates)
def test_line_credit_with_an_exchange_rate_is_what_exact_decimals_give(price, quantity, rate, exchange):
    exact = Decimal(price) * quantity * rate * exchange / Decimal(10_000 * 1_000_000)
    assert line_credit_cents(price, quantity, rate, exchange) == int(
        exact.quantize(Decimal(1), ROUND_HALF_UP)
    )


@quick
@given(
    prices,
    rates,
    st.just(1_000_000) | exchange_rates,
    st.lists(st.integers(1, 1_000), min_size=1, max_size=12),
)
def test_partial_reversals_end_at_exactly_zero(price, rate, exchange, cancelled):
    remaining = sum(cancelled)
    posted = line_credit_cents(price, remaining, rate, exchange)
    for quantity in cancelled:
        remaining -= quantity
        posted -= reversal_cents(price, remaining, rate, posted, exchange)
        assert posted == line_credit_cents(price, remaining, rate, exchange)
    assert posted == 0


@pytest.mark.parametrize(
    "total, level, following, missing",
    [
        (-5, "Bronze", "Silver", 2_500_005),
        (0, "Bronze", "Silver", 2_500_000),
        (2_499_999, "Bronze", "Silver", 1),
        (2_500_000, "Silver", "Gold", 5_000_000),
        (7_500_000, "Gold", None, 0),
        (99_999_999, "Gold", None, 0),
    ],
)
def test_the_level_is_the_highest_reached_and_never_under_the_base(total, level, following, missing):
    found = standing(total, LEVELS)
    assert found.level.name == level
    assert (found.next_level.name if found.next_level else None) == following
    assert found.missing_cents == missing


def test_without_levels_nobody_stands_anywhere():
    found = standing(100, ())
    assert (found.level, found.next_level, found.missing_cents) == (None, None, 0)


@quick
@given(st.integers(-(10**12), 10**12), st.lists(st.integers(1, 10**9), max_size=6, unique=True))
def test_what_is_missing_reaches_exactly_the_next_level(total, thresholds):
    levels = [LevelStep("base", 0), *(LevelStep(f"level {at}", at) for at in sorted(thresholds))]
    found = standing(total, levels)
    if found.next_level:
        assert found.missing_cents > 0
        assert standing(total + found.missing_cents, levels).level == found.next_level
        assert standing(total + found.missing_cents - 1, levels).level == found.level
    else:
        assert found.level == levels[-1]


@pytest.mark.parametrize(
    "first, second",
    [
        (("ab", "c"), ("a", "bc")),
        (("",), (None,)),
        (("1",), (1,)),
        ((1,), (True,)),
        (("a;s1:b",), ("a", "b")),
        ((date(2026, 1, 1),), ("2026-01-01",)),
        (("a", None), ("a",)),
        ((12, 3), (1, 23)),
    ],
)
def test_different_fields_never_encode_alike(first, second):
    assert encode_fields(*first) != encode_fields(*second)
    assert digest_of(*first) != digest_of(*second)


FIELDS = st.lists(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(max_size=8)
    | st.uuids()
    | st.dates()
    | st.datetimes(timezones=st.just(UTC)),
    max_size=5,
)


@quick
@given(FIELDS, FIELDS)
def test_an_encoding_stands_for_one_list_of_fields(first, second):
    same = [type(field) for field in first] == [type(field) for field in second] and first == second
    assert (encode_fields(*first) == encode_fields(*second)) is same


def test_an_instant_has_one_digest_in_every_zone():
    utc = datetime(2026, 1, 1, 4, 59, 59, 7, tzinfo=UTC)
    assert digest_of(utc) == digest_of(utc.astimezone(timezone(timedelta(hours=-5))))
    assert digest_of(utc) != digest_of(utc + timedelta(microseconds=1))


def test_a_posting_digest_covers_every_column():
    said = {
        "previous": "0" * 64,
        "dealer_id": UUID(int=1),
        "program_year": 2026,
        "account_kind": "sales_credit",
        "sequence": 1,
        "side": 1,
        "amount_cents": 5,
        "balance_cents": 5,
        "entry_digest": "a" * 64,
    }
    others = {
        "previous": "1" * 64,
        "dealer_id": UUID(int=2),
        "program_year": 2025,
        "account_kind": "issuance",
        "sequence": 2,
        "side": -1,
        "amount_cents": 6,
        "balance_cents": 6,
        "entry_digest": "b" * 64,
    }
    digests = {posting_digest(**said), *(posting_digest(**said | {key: others[key]}) for key in said)}
    assert len(digests) == len(said) + 1
