"""A coverage answer in plain words, for the page, the interface, the command and a claim alike."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from referral.text import say_day
from warranty.rules.coverage import GRANTED, WARRANTY, Cover, Coverage
from warranty.states import Lacking, Verdict

VERDICT_WORDS: Mapping[Verdict, str] = MappingProxyType(
    {
        Verdict.COVERED: "Covered",
        Verdict.NOT_COVERED: "Not covered",
        Verdict.UNDETERMINED: "Not determined yet",
    }
)
MEND_WORDS: Mapping[Lacking, str] = MappingProxyType(
    {
        Lacking.TERMS: "The program records the warranty terms of its family.",
        Lacking.SHIPPED: "Record the day it shipped.",
        Lacking.DELIVERED: "Record the day it was delivered.",
        Lacking.COMMISSIONED: "Record the day it was commissioned.",
        Lacking.REPLACES: "Record which source it took the place of, and when.",
    }
)
"""What to do so that an answer is determined."""


def say_answer(coverage: Coverage) -> tuple[str, ...]:
    """Return the answer as sentences: the verdict first, then who owes it or what it waits for."""
    if coverage.verdict is Verdict.COVERED:
        first, *others = coverage.covers
        return (
            _say_cover(first, is_open=first.by == WARRANTY and coverage.warranty.lacking is not None),
            f"{first.provider} owes it: {GRANTED[first.parts, first.labor]}.",
            *(
                f"Also covered by {other.by} through {say_day(other.ends_on)}, owed by {other.provider}."
                for other in others
            ),
        )
    if coverage.verdict is Verdict.NOT_COVERED:
        return f"Not covered on {say_day(coverage.decides_on)}.", *coverage.reasons[-1:]
    said = [f"Not determined yet for {say_day(coverage.decides_on)}."]
    if coverage.lacking is not None:
        said.append(MEND_WORDS[coverage.lacking])
    return tuple(said)


def _say_cover(cover: Cover, *, is_open: bool) -> str:
    by = "" if cover.by == WARRANTY else f" by {cover.by}"
    more = ", and perhaps longer" if is_open else ""
    return f"Covered{by} through {say_day(cover.ends_on)}{more}."
