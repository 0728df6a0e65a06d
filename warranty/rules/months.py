"""The one month rule (program rules, section 9): for warranties, plan terms and contract years alike."""

from __future__ import annotations

import calendar
from datetime import date, timedelta


def same_day_months_later(start: date, months: int) -> date | None:
    """Return the corresponding day `months` months after `start`; None where that month has no such day."""
    year, month = _month_after(start, months)
    last = calendar.monthrange(year, month)[1]
    return date(year, month, start.day) if start.day <= last else None


def last_day_of(start: date, months: int) -> date:
    """Return the last of `months` months that begin on `start`, which is included.

    It is the day before the corresponding day; where that day does not exist, the last of its month: a month
    from 31 January ends on 28 or 29 February. Raises ValueError below one month, OverflowError past year 9999.
    """
    if months < 1:
        raise ValueError("a term has at least one month")
    corresponding = same_day_months_later(start, months)
    if corresponding is not None:
        return corresponding - timedelta(days=1)
    year, month = _month_after(start, months)
    return date(year, month, calendar.monthrange(year, month)[1])


def _month_after(start: date, months: int) -> tuple[int, int]:
    count = start.year * 12 + start.month - 1 + months
    if count // 12 > date.max.year:
        raise OverflowError("the term ends after the year 9999")
    return count // 12, count % 12 + 1
