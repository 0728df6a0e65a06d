"""For which day, and as known at which instant, a figure is asked for; and reading both as people type them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from referral.errors import Refusal

FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2099, 12, 31)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(Z|[+ -]\d{2}:\d{2})?", re.ASCII
)


@dataclass(frozen=True)
class AsOf:
    """What a figure is for and what was known: postings effective by `on` and posted by `known_at`.

    Both are included; None leaves that side open. Without either it is the present.
    """

    on: date | None = None
    known_at: datetime | None = None

    @property
    def is_now(self) -> bool:
        """Whether nothing is left out."""
        return self.on is None and self.known_at is None


NOW = AsOf()


def parse_day(text: str, field: str = "on") -> date:
    """Read a day such as 2026-05-04. Raises Refusal(invalid_input)."""
    refusal = Refusal("invalid_input", "Type a day from 2000 to 2099, such as 2026-05-04.", field)
    if not _DAY.fullmatch(text):
        raise refusal
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise refusal from error
    if not FIRST_DAY <= day <= LAST_DAY:
        raise refusal
    return day


def parse_instant(text: str, zone: str, field: str = "known_at") -> datetime:
    """Read an instant: 2026-05-04T16:05 in the zone (an IANA name), or one that says its own offset.

    Where clocks are put back a time comes twice: the later one is meant. Raises Refusal(invalid_input).
    """
    refusal = Refusal(
        "invalid_input", f"Type a day and a time from 2000 to 2099 ({zone}), such as 2026-05-04 16:05.", field
    )
    found = _INSTANT.fullmatch(text)
    if not found:
        raise refusal
    day, time, offset = found.groups()
    try:
        if offset:  # a + in an address arrives as a blank
            at = datetime.fromisoformat(f"{day}T{time}{offset.replace(' ', '+')}")
        else:
            at = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=ZoneInfo(zone), fold=1)
        at = at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise refusal from error
    if not FIRST_DAY <= at.date() <= LAST_DAY:
        raise refusal
    return at


def parse_as_of(on: str, known_at: str, zone: str) -> AsOf:
    """Read both; '' leaves a side open. Raises Refusal(invalid_input) with a problem for the one it is."""
    return AsOf(
        on=parse_day(on) if on else None, known_at=parse_instant(known_at, zone) if known_at else None
    )
