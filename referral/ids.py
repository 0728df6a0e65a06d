"""Identifiers: time-ordered UUIDs made by the application, and public numbers that carry the dealer."""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass

from referral.clock import unix_milliseconds

_NUMBER = re.compile(r"\A([RQODTUCAVS])-([A-Z0-9]{3,8})-([1-9][0-9]{0,8})\Z")


def new_id() -> uuid.UUID:
    """Return a UUID of version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits."""
    value = (unix_milliseconds() & 0xFFFFFFFFFFFF) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


@dataclass(frozen=True)
class PublicNumber:
    """A number people read aloud, such as Q-HARBOR-12: kind, the dealer's code, the dealer's own count."""

    kind: str
    dealer_code: str
    number: int

    def __str__(self) -> str:
        """Write it the one way it is shown everywhere."""
        return f"{self.kind}-{self.dealer_code}-{self.number}"


def parse_public_number(text: str, kind: str) -> PublicNumber | None:
    """Read a public number of the given kind, or None.

    Kinds are R referral, Q quote, O order, D dispute, T transfer, U installed source, C claim,
    A agreement, V visit, S service call.
    """
    match = _NUMBER.match(text)
    if match is None or match[1] != kind:
        return None
    return PublicNumber(match[1], match[2], int(match[3]))
