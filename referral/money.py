"""Money and quantities: integer cents, one rounding, one parser for what people type."""

from __future__ import annotations

import re
from fractions import Fraction

MAX_CENTS = 99_999_999_999_99
"""The largest amount a person may type: 99,999,999,999.99."""
MAX_TOTAL_CENTS = 9_999_999_999_999_99
"""The largest sum of a document or an account: thousands of them stay a number every database can add."""
MAX_QUANTITY = 100_000
RATE_ONE = 10_000
"""Rates are integers of ten-thousandths: 10_000 is 1.0000."""
EXCHANGE_ONE = 1_000_000
"""Exchange rates are integers of millionths: 731_200 is 0.7312 of the program's currency for one of another."""
MAX_EXCHANGE_RATE = 9_999_999_999
"""The largest exchange rate: 9,999.999999."""

_AMOUNT = re.compile(r"\A(-?)\$?\s?([0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,14})(?:\.([0-9]{1,2}))?\Z", re.ASCII)
_QUANTITY = re.compile(r"\A(?:[0-9]{1,3}(?:,[0-9]{3}){1,2}|[0-9]{1,9})\Z", re.ASCII)
_RATE = re.compile(r"\A([0-9]{1,3})(?:\.([0-9]{1,4}))?\Z", re.ASCII)
_EXCHANGE_RATE = re.compile(r"\A([0-9]{1,4})(?:\.([0-9]{1,6}))?\Z", re.ASCII)
_CURRENCY = re.compile(r"\A[A-Z]{3}\Z", re.ASCII)


class NotANumber(ValueError):  # noqa: N818 - reads as the sentence it is
    """The text is not a number of the wanted kind; the message says what to type."""


def parse_cents(text: str, *, minimum: int = 0, maximum: int = MAX_CENTS) -> int:
    """Read an amount such as 1,234.50 or $99.9 and return cents.

    Raises NotANumber for anything else: exponents, NaN, more than two decimals, full-width digits,
    or an amount outside `minimum` to `maximum` (cents).
    """
    match = _AMOUNT.match(text.strip())
    if match is None:
        raise NotANumber("Type an amount such as 1,234.50.")
    cents = int(match[2].replace(",", "")) * 100 + int((match[3] or "").ljust(2, "0"))
    cents = -cents if match[1] else cents
    if not minimum <= cents <= maximum:
        raise NotANumber(f"Type an amount from {format_cents(minimum)} to {format_cents(maximum)}.")
    return cents


def parse_quantity(text: str, *, minimum: int = 1, maximum: int = MAX_QUANTITY) -> int:
    """Read a whole number of units from `minimum` to `maximum`. Raises NotANumber."""
    cleaned = text.strip()
    number = int(cleaned.replace(",", "")) if _QUANTITY.match(cleaned) else minimum - 1
    if not minimum <= number <= maximum:
        raise NotANumber(f"Type a whole number from {minimum:,} to {maximum:,}.")
    return number


def parse_rate(text: str) -> int:
    """Read a rate such as 1.0000 and return ten-thousandths. Raises NotANumber."""
    match = _RATE.match(text.strip())
    if match is None:
        raise NotANumber("Type a rate such as 1.0000, with at most four decimals.")
    return int(match[1]) * RATE_ONE + int((match[2] or "").ljust(4, "0"))


def parse_exchange_rate(text: str) -> int:
    """Read an exchange rate such as 0.7312, above 0, and return millionths. Raises NotANumber."""
    match = _EXCHANGE_RATE.match(text.strip())
    rate = int(match[1]) * EXCHANGE_ONE + int((match[2] or "").ljust(6, "0")) if match else 0
    if not rate:
        raise NotANumber("Type a rate above 0 such as 0.7312, with at most six decimals.")
    return rate


def parse_currency(text: str) -> str:
    """Read the code of a currency, three capital letters such as USD. Raises NotANumber."""
    if not _CURRENCY.match(text):
        raise NotANumber("Type a currency code such as USD.")
    return text


def format_cents(cents: int) -> str:
    """Write cents as 1,234.50, with a leading minus below zero."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{whole:,}.{rest:02d}"


def format_plain(cents: int) -> str:
    """Write cents as 1234.50: the form the JSON API and CSV files use."""
    return format_cents(cents).replace(",", "")


def format_rate(rate: int) -> str:
    """Write a rate of ten-thousandths as 1.0000."""
    return f"{rate // RATE_ONE}.{rate % RATE_ONE:04d}"


def format_exchange_rate(rate: int) -> str:
    """Write an exchange rate of millionths with all its decimals, at least four: 0.7312, 0.731255."""
    text = f"{rate // EXCHANGE_ONE}.{rate % EXCHANGE_ONE:06d}"
    return text[:-2] + text[-2:].rstrip("0")


def round_half_up(amount: Fraction) -> int:
    """Round an exact amount of cents to whole cents, half away from zero.

    The one rounding of the program (program rules, section 2).
    """
    magnitude = (abs(amount.numerator) * 2 + amount.denominator) // (amount.denominator * 2)
    return magnitude if amount >= 0 else -magnitude
