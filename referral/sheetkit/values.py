"""What a cell can hold: numbers as exact decimal text, dates as dates, and what cannot be read, said in words."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TypeAlias

from referral.sheetkit.guard import MAX_CELL_TEXT


class Number(str):
    """A number, as plain decimal text: `-`, digits, `.`; no exponent, no grouping, no needless zeros."""

    __slots__ = ()


class Unreadable(str):
    """Why a cell cannot be read faithfully: words that follow the address, such as `holds the error #N/A`."""

    __slots__ = ()


Value: TypeAlias = str | Number | Unreadable | date | datetime | time | bool | None
"""What a cell holds. A `datetime` is naive: Excel knows no time zone."""

EXCEL_DIGITS = 15
"""Significant digits that Excel shows and keeps."""
EXACT_BELOW = Decimal(100_000_000_000)
"""Under this amount, 15 digits reach at least the fourth decimal, so that rounding to them only removes noise."""

_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII
)
_PLAIN = re.compile(r"0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9]", re.ASCII)
_AS_SHOWN = Context(prec=EXCEL_DIGITS, rounding=ROUND_HALF_UP)
_CODED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MILLISECONDS = 86_400_000
_LAST_DAY = 2_958_465
_LEAP_DAY_THAT_NEVER_WAS = 60


def read_number(stored: str) -> Number | Unreadable:
    """Turn the stored text of a number into exact decimal text.

    Programs store the nearest binary fraction with 16 or 17 digits, such as 19.989999999999998 for what Excel shows as
    19.99. Up to 15 significant digits are kept as they are; more are rounded, half up, to the 15 that Excel shows. From
    100,000,000,000 on, that could touch digits that matter, so such a number is Unreadable instead.
    """
    if len(stored) <= EXCEL_DIGITS and _PLAIN.fullmatch(stored):
        return Number(stored)
    if not _NUMBER.fullmatch(stored):
        return Unreadable("holds something stored as a number that is none")
    number = Decimal(stored)
    if len(number.normalize(Context(prec=1000)).as_tuple().digits) > EXCEL_DIGITS:
        if abs(number) >= EXACT_BELOW:
            return Unreadable(
                "holds a number of more digits than Excel keeps; format the cell as text, type it again"
            )
        number = _AS_SHOWN.plus(number)
    if number.adjusted() > 300 or number.adjusted() < -300:
        return Unreadable("holds a number too large or too small for Excel")
    plain = format(number, "f")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return Number("0" if plain in {"-0", ""} else plain)


def read_moment(stored: str, epoch_1904: bool) -> date | datetime | time | Unreadable:
    """Turn a stored day count into a date, a date with a time (to the millisecond) or, below one day, a time."""
    number = read_number(stored)
    if isinstance(number, Unreadable):
        return number
    days, rest = divmod(
        int((Decimal(number) * _MILLISECONDS).to_integral_value(ROUND_HALF_UP)), _MILLISECONDS
    )
    clock = (datetime(1900, 1, 1) + timedelta(milliseconds=rest)).time()  # noqa: DTZ001 - Excel knows no time zone
    if days == 0 and rest:
        return clock
    exists = (
        0 <= days <= _LAST_DAY if epoch_1904 else 1 <= days <= _LAST_DAY and days != _LEAP_DAY_THAT_NEVER_WAS
    )
    if not exists:
        return Unreadable(f"holds {number}, formatted as a date that does not exist")
    first = date(1904, 1, 1) if epoch_1904 else date(1899, 12, 31 if days < _LEAP_DAY_THAT_NEVER_WAS else 30)
    if days > (date.max - first).days:
        return Unreadable(f"holds {number}, formatted as a date that does not exist")
    day = first + timedelta(days=days)
    return datetime.combine(day, clock) if rest else day


def read_iso(stored: str) -> date | datetime | time | Unreadable:
    """Turn an ISO 8601 text, as strict workbooks store dates, into a date, a naive datetime or a time."""
    try:
        if "T" not in stored:
            return time.fromisoformat(stored) if ":" in stored else date.fromisoformat(stored)
        moment = datetime.fromisoformat(stored)
    except ValueError:
        return Unreadable("holds a date that cannot be read")
    if moment.tzinfo is not None:
        return Unreadable("holds a date with a time zone, which Excel has not")
    return moment.date() if moment.time() == time.min else moment


def read_text(stored: str, *, coded: bool, longest: int = MAX_CELL_TEXT) -> str | Unreadable:
    """Check a text, kept character by character; where `coded`, `_x000D_` stands for one character, as Excel does it.

    Unreadable: more than `longest` characters, or a control character other than tab and line breaks.
    """
    if coded and "_x" in stored:
        stored = _CODED.sub(lambda match: chr(int(match[1], 16)), stored)
        stored = _PAIR.sub(_join_pair, stored)
    if len(stored) > longest:
        return Unreadable(f"holds more than {longest:,} characters")
    if _CONTROL.search(stored):
        return Unreadable("holds a control character that cannot be shown")
    return stored


def _join_pair(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")


_DATES = frozenset([*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)])
_ELAPSED = 46
_QUOTED = re.compile(r'"[^"]*"|\\.|[_*].')
_BRACKETS = re.compile(r"\[[^\]]*\]")
_LENGTH_OF_TIME = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)


def format_kind(number: int, code: str | None) -> str:
    """Tell what a number format shows: `number`, `moment` (date or time) or `length` (of time, past 24 hours).

    `number` is its id, `code` its text where the workbook defines it.
    """
    if code is None:
        return "length" if number == _ELAPSED else "moment" if number in _DATES else "number"
    shown = _QUOTED.sub("", code[:500]).split(";", maxsplit=1)[0]
    if _LENGTH_OF_TIME.search(shown):
        return "length"
    plain = _BRACKETS.sub("", shown).lower()
    return "moment" if "general" not in plain and any(letter in plain for letter in "ymdhs") else "number"
