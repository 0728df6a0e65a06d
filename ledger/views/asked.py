"""What an address asks for: year, dealer, account, place. Raises Refusal(not_found) for what can't be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import request

from ledger.rules.as_of import AsOf
from ledger.states import TOTAL_KINDS, AccountKind
from referral.errors import Refusal
from referral.text import clean_line
from referral.webkit import zone


def year_asked() -> int | None:
    """Return the year the address asks for, None where it asks for none."""
    text = request.args.get("year", "")
    if text and not (text.isascii() and text.isdigit() and len(text) == 4):
        raise Refusal("not_found")
    return int(text) if text else None


def dealer_asked() -> str:
    """Return the dealer's code the address asks for, '' where it asks for none."""
    return clean_line(request.args.get("dealer", ""))


def as_of_asked() -> dict[str, str]:
    """Return the day and the instant the address asks for, as they were typed; '' where it asks for none."""
    return {name: clean_line(request.args.get(name, "")) for name in ("on", "known_at")}


def looking_back(as_of: AsOf) -> dict[str, Any]:
    """Return what a page that looks back shows: what for, how its address keeps it, and its fields' texts."""
    known_at = as_of.known_at
    typed, kept = "", {}
    if as_of.on is not None:
        kept["on"] = as_of.on.isoformat()
    if known_at is not None:
        kept["known_at"] = known_at.isoformat().replace("+00:00", "Z")
        after = known_at + timedelta(microseconds=-known_at.microsecond % 1000)  # a field knows milliseconds
        typed = (
            after.astimezone(zone())
            .replace(tzinfo=None)
            .isoformat(timespec="milliseconds" if after.microsecond else "seconds")
        )
    return {"as_of": as_of, "kept": kept, "typed": typed, "zone_name": str(zone())}


def account_asked() -> AccountKind:
    """Return the account the address asks for, sales credit by default."""
    return account_named(request.args.get("account", AccountKind.SALES_CREDIT.value))


def account_named(text: str) -> AccountKind:
    """Return the dealer's own account of this name."""
    for kind in TOTAL_KINDS:
        if kind.value == text:
            return kind
    raise Refusal("not_found")


def sequence_asked() -> int:
    """Return the sequence after which a page begins, 0 by default."""
    text = request.args.get("after", "") or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Refusal("not_found")
    return int(text)
