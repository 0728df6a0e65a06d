"""One column on the way out, many rows at a time: the checks are made for the whole piece, not for each cell.

A value that needs more than its plain form (a character to escape, a number too long, a day Excel does not know, an
instant of another zone) sends its piece of the column through `make_cell_writer`, which knows everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TypeAlias, cast

from referral.sheetkit.cellwriter import (
    DECIMALS,
    FIRST_DAY,
    FIRST_RELIABLE_DAY,
    MAX_DIGITS,
    MAX_TEXT,
    Changes,
    Kind,
    Value,
    make_cell_writer,
)

Values: TypeAlias = Sequence[Value]
ColumnWriter: TypeAlias = Callable[[Values, Sequence[str]], list[str]]
"""Takes the values of some rows and the numbers of these rows as text; returns the cells, '' for an empty one."""

_TOO_LONG = 10**MAX_DIGITS
_ABSENT = type(None)
_EPOCH = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC)
_FIRST_RELIABLE = datetime(
    FIRST_RELIABLE_DAY.year, FIRST_RELIABLE_DAY.month, FIRST_RELIABLE_DAY.day, tzinfo=UTC
)
_LAST_SHARE = 10**10 - 1


def make_column_writer(kind: Kind, style: int, letters: str, changes: Changes) -> ColumnWriter:
    """Return the function that writes the cells of one column; its cells are those of `make_cell_writer`.

    The function raises TypeError for a value that does not fit the kind.
    """
    write_cell = make_cell_writer(kind, style, changes)

    def write_slowly(values: Values, numbers: Sequence[str]) -> list[str]:
        return [write_cell(value, letters + number) for value, number in zip(values, numbers, strict=True)]

    if kind is Kind.TEXT:
        return _text_writer(style, letters, write_slowly)
    start, middle, end = f'<c r="{letters}', f'" s="{style}"><v>', "</v></c>"

    def write(values: Values, numbers: Sequence[str]) -> list[str]:
        present = [value for value in values if value is not None]
        if not present:
            return [""] * len(values)
        stored = _stored(present, kind)
        if stored is None:
            return write_slowly(values, numbers)
        if len(present) == len(values):
            return [f"{start}{n}{middle}{text}{end}" for n, text in zip(numbers, stored, strict=True)]
        texts = iter(stored)
        return [
            "" if value is None else f"{start}{n}{middle}{next(texts)}{end}"
            for n, value in zip(numbers, values, strict=True)
        ]

    return write


def _text_writer(style: int, letters: str, write_slowly: ColumnWriter) -> ColumnWriter:
    start, middle = f'<c r="{letters}', f'" s="{style}" t="inlineStr"><is><t xml:space="preserve">'
    end = "</t></is></c>"

    def write(values: Values, numbers: Sequence[str]) -> list[str]:
        kinds = set(map(type, values))
        if not kinds <= {str, _ABSENT}:
            return write_slowly(values, numbers)
        texts = cast("Sequence[str]", [value or "" for value in values] if _ABSENT in kinds else values)
        if not _is_plain("".join(texts)) or max(map(len, texts)) * 2 > MAX_TEXT:
            return write_slowly(values, numbers)
        if all(texts):
            return [f"{start}{n}{middle}{text}{end}" for n, text in zip(numbers, texts, strict=True)]
        return [
            f"{start}{n}{middle}{text}{end}" if text else "" for n, text in zip(numbers, texts, strict=True)
        ]

    return write


def _is_plain(text: str) -> bool:
    """Tell whether nothing in `text` has to be escaped, removed or shielded."""
    return not ("&" in text or "<" in text or ">" in text or "_x" in text) and text.isprintable()


def _stored(values: Values, kind: Kind) -> list[str] | None:
    """Return the decimal texts of the values; None where one of them needs a closer look."""
    kinds = set(map(type, values))
    if kind is Kind.DATE:
        return _stored_days(cast("Sequence[date]", values)) if kinds == {date} else None
    if kind is Kind.INSTANT:
        return _stored_instants(cast("Sequence[datetime]", values)) if kinds == {datetime} else None
    if kinds != {int}:
        return None
    numbers = cast("Sequence[int]", values)
    if max(numbers) >= _TOO_LONG or min(numbers) <= -_TOO_LONG:
        return None
    decimals = DECIMALS[kind]
    if not decimals:
        return list(map(str, numbers))
    digits = [f"{number:0{decimals + 1 + (number < 0)}d}" for number in numbers]
    return [f"{text[:-decimals]}.{text[-decimals:]}" for text in digits]


def _stored_days(days: Sequence[date]) -> list[str] | None:
    if min(days) < FIRST_RELIABLE_DAY:
        return None
    first = FIRST_DAY.toordinal()
    return [str(day.toordinal() - first) for day in days]


def _stored_instants(instants: Sequence[datetime]) -> list[str] | None:
    """Return days and ten decimals of a day; a microsecond is 100 of the 864 ten-billionths of which 8.64 are one."""
    if any(instant.tzinfo is not UTC for instant in instants) or min(instants) < _FIRST_RELIABLE:
        return None
    passed = [instant - _EPOCH for instant in instants]
    return [
        f"{since.days}.{min((since.seconds * 100_000_000 + since.microseconds * 100 + 432) // 864, _LAST_SHARE):010d}"
        for since in passed
    ]
