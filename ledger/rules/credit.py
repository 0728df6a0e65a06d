"""The arithmetic of sales credit, and the levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from referral.money import EXCHANGE_ONE, RATE_ONE, round_half_up


def line_credit_cents(
    list_price_cents: int, quantity: int, credit_rate: int, exchange_rate: int = EXCHANGE_ONE
) -> int:
    """Return the sales credit of a line in cents: list price times quantity times rates, half up, once.

    `credit_rate` is in ten-thousandths (10_000 is 1.0000), `exchange_rate` in millionths. Program rules,
    section 2.
    """
    exact = Fraction(list_price_cents * quantity * credit_rate * exchange_rate, RATE_ONE * EXCHANGE_ONE)
    return round_half_up(exact)


def reversal_cents(
    list_price_cents: int,
    remaining_quantity: int,
    credit_rate: int,
    posted_cents: int,
    exchange_rate: int = EXCHANGE_ONE,
) -> int:
    """Return what a partial reversal takes back: posted so far, minus the credit of what remains.

    So the last one ends at exactly 0; the rates are those of the credit it reverses (program rules, section 2).
    """
    return posted_cents - line_credit_cents(list_price_cents, remaining_quantity, credit_rate, exchange_rate)


def exact_credit(
    list_price_cents: int, quantity: int, credit_rate: int, exchange_rate: int = EXCHANGE_ONE
) -> str:
    """Write the product before it is rounded, with every decimal it has and two at least: 1,234.5678."""
    one = RATE_ONE * EXCHANGE_ONE * 100
    whole, rest = divmod(list_price_cents * quantity * credit_rate * exchange_rate, one)
    return f"{whole:,}.{str(one + rest)[1:].rstrip('0').ljust(2, '0')}"


# levels -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LevelStep:
    """A level and the total in cents from which it is reached."""

    name: str
    threshold_cents: int


@dataclass(frozen=True)
class Standing:
    """Where a total stands among the levels: the level, the next one, and what is missing to it."""

    level: LevelStep | None
    next_level: LevelStep | None
    missing_cents: int


def standing(total_cents: int, levels: Sequence[LevelStep]) -> Standing:
    """Return the highest level whose threshold is at most the total, never under the base level.

    `levels` rise from the base. Without levels everything is None. Program rules, section 7.
    """
    reached = [level for level in levels if level.threshold_cents <= total_cents] or list(levels[:1])
    above = levels[len(reached) :]
    return Standing(
        level=reached[-1] if reached else None,
        next_level=above[0] if above else None,
        missing_cents=above[0].threshold_cents - total_cents if above else 0,
    )
