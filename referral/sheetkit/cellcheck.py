"""One cell on the way back: what a reader finds of a value, whether two are the same, and how one is shown."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from referral.sheetkit import values as read
from referral.sheetkit.cellwriter import (
    DECIMALS,
    FIRST_DAY,
    FIRST_RELIABLE_DAY,
    Changes,
    Kind,
    Value,
    clean_text,
    plain_text,
    stored_number,
)

SHOWN = 100
"""Characters shown of a long text."""
_EPOCH = datetime.combine(FIRST_DAY, time())  # as Excel, which knows no time zone


def cell_value(value: Value, kind: Kind, changes: Changes) -> read.Value:
    """Return what a reader finds in the cell that the writer makes of `value`; `changes` counts what it could not keep.

    Raises TypeError for a value that does not fit the kind.
    """
    if value is None or value == "":
        return None
    if kind is Kind.TEXT:
        return clean_text(plain_text(value, kind), changes) or None
    if kind is Kind.DATE and type(value) is date and value >= FIRST_RELIABLE_DAY:
        return value
    stored = stored_number(value, kind)
    if stored is None:
        changes.kept_as_text += 1
        return clean_text(plain_text(value, kind), changes)
    return _moment(stored) if kind in {Kind.DATE, Kind.INSTANT} else read.read_number(stored)


def _moment(stored: str) -> read.Value:
    """Return what `read_moment` finds in days and ten decimals of a day, to the millisecond."""
    days, _, share = stored.partition(".")
    milliseconds = (int(share.ljust(10, "0")) * 864 + 50_000) // 100_000
    moment = _EPOCH + timedelta(int(days), milliseconds=milliseconds)
    return moment if moment.time() != time.min else moment.date()


def is_same(found: read.Value, wanted: read.Value) -> bool:
    """Tell whether a cell holds what is wanted, as the same kind of value: 10 as a number is not 10 as text."""
    return type(found) is type(wanted) and found == wanted


def units(value: read.Value, kind: Kind) -> int:
    """Return a number of the workbook in units of its kind; 0 for what is none, which differs anyway."""
    if not isinstance(value, read.Number):
        return 0
    whole, _, places = value.partition(".")
    padded = places.ljust(DECIMALS[kind], "0")
    return int(whole + padded[: DECIMALS[kind]]) if len(padded) == DECIMALS[kind] else 0


def shown(value: read.Value, kind: Kind) -> str:
    """Return a value in words, as the column shows it: 10.00, “text”, 2026-05-04, nothing."""
    if value is None:
        return "nothing"
    if isinstance(value, read.Unreadable):
        return f"a cell that {value}"
    if isinstance(value, read.Number):
        whole, _, places = value.partition(".")
        least = {Kind.CENTS: 2, Kind.RATE: 4, Kind.EXCHANGE_RATE: 6}.get(kind, 0)
        return f"{whole}.{places.ljust(least, '0')}" if places or least else whole
    if isinstance(value, datetime):
        return f"{value.isoformat(' ')} UTC"
    if isinstance(value, bool) or not isinstance(value, str):
        return value.isoformat() if isinstance(value, date) else str(value)
    return f"“{value if len(value) <= SHOWN else value[:SHOWN] + '…'}”"
