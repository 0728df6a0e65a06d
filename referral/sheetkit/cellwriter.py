"""One cell on the way out: from an exact value to the text that stands in the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = str | int | date | datetime | None
"""What a row may hold; None and '' leave the cell empty. Never a float."""

MAX_TEXT = 32_767
"""UTF-16 units that Excel keeps in a cell."""
CUT_MARK = " … [text cut here]"
MAX_DIGITS = 15
"""Digits that Excel keeps; a longer number is written as text, so that it stays exact."""

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CODED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
FIRST_DAY = date(1899, 12, 30)
"""Day 0 of the count in which a workbook stores days."""
FIRST_RELIABLE_DAY = date(1900, 3, 1)
"""Before it, Excel counts a day that never was."""
_MICROSECOND = datetime.resolution
_DAY_MICROSECONDS = 86_400_000_000


class Kind(StrEnum):
    """What a column holds, and in which unit its values come."""

    TEXT = "text"
    """`str`, kept character by character: leading zeros and long numbers survive."""
    INTEGER = "integer"
    """`int`."""
    CENTS = "cents"
    """`int` of cents, shown as 1,234.50 in no particular currency."""
    RATE = "rate"
    """`int` of ten-thousandths, shown as 1.0000."""
    EXCHANGE_RATE = "exchange_rate"
    """`int` of millionths, shown as 0.731200."""
    PERCENT = "percent"
    """`int` of ten-thousandths, shown as a percentage: 750 is 7.50%."""
    DATE = "date"
    """`date`."""
    INSTANT = "instant"
    """Aware `datetime`, converted to UTC and shown with the word UTC."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, the kind of its values, its width in characters, whether it is added up."""

    title: str
    kind: Kind = Kind.TEXT
    width: int | None = None
    total: bool = False
    """Only for INTEGER and CENTS: a totals row below the last row, and a line on the control sheet."""
    lasting: bool = True
    """False for what may be another a moment later, such as a state; a later comparison leaves it out."""

    def __post_init__(self) -> None:
        """Raise ValueError where a total makes no sense."""
        if self.total and self.kind not in {Kind.INTEGER, Kind.CENTS}:
            raise ValueError(f"{self.title}: only integers and cents can be added up")


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the control sheet, such as a filter, the ledger position or a chain head."""

    item: str
    value: Value
    kind: Kind = Kind.TEXT
    lasting: bool = True
    """False for what nobody can say later, such as who made the file; a later comparison leaves it out."""


DECIMALS = {Kind.INTEGER: 0, Kind.CENTS: 2, Kind.RATE: 4, Kind.EXCHANGE_RATE: 6, Kind.PERCENT: 4}
"""Places behind the point, by the kinds whose values are integers."""
WIDTHS = {
    Kind.TEXT: 24,
    Kind.INTEGER: 12,
    Kind.CENTS: 16,
    Kind.RATE: 10,
    Kind.EXCHANGE_RATE: 12,
    Kind.PERCENT: 10,
    Kind.DATE: 12,
    Kind.INSTANT: 25,
}


@dataclass(slots=True)
class Changes:
    """What a file could not take as it was; never silent."""

    characters_removed: int = 0
    texts_cut: int = 0
    kept_as_text: int = 0
    """Numbers of more than 15 digits and days before March 1900, written as text so that they stay exact."""
    formulas_shielded: int = 0
    """Only in CSV, where a text can turn into a formula: an apostrophe was put in front."""


def clean_text(text: str, changes: Changes) -> str:
    """Remove what no spreadsheet can hold (control characters, lone surrogates), cut at 32,767 with a mark, count."""
    if _ILLEGAL.search(text):
        text, removed = _ILLEGAL.subn("", text)
        changes.characters_removed += removed
    if len(text) * 2 > MAX_TEXT:
        units = text.encode("utf-16-le")
        if len(units) > MAX_TEXT * 2:
            changes.texts_cut += 1
            return units[: (MAX_TEXT - len(CUT_MARK)) * 2].decode("utf-16-le", "ignore") + CUT_MARK
    return text


def plain_text(value: Value, kind: Kind) -> str:
    """Write a value as people and programs read it: 1234.50, 1.0000, 2026-01-31, 2026-01-31T12:00:00Z.

    Raises TypeError for a value that does not fit the kind, such as a float.
    """
    if value is None:
        return ""
    if kind is Kind.TEXT and isinstance(value, str):
        return value
    if kind is Kind.INSTANT and isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if kind is Kind.DATE and isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool) and kind in DECIMALS:
        return _decimal(value, DECIMALS[kind])
    raise TypeError(f"{value!r} is no {kind.value}")


def stored_number(value: Value, kind: Kind) -> str | None:
    """Return the exact decimal text an .xlsx file stores for a value; None where it has to be text.

    Raises TypeError for a value that does not fit the kind.
    """
    text = plain_text(value, kind)
    if kind is Kind.INSTANT and isinstance(value, datetime):
        moment = value.astimezone(UTC)
        midnight = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
        days, microseconds = (moment.date() - FIRST_DAY).days, (moment - midnight) // _MICROSECOND
        share = min((microseconds * 10**10 + _DAY_MICROSECONDS // 2) // _DAY_MICROSECONDS, 10**10 - 1)
        return f"{days}.{share:010d}" if moment.date() >= FIRST_RELIABLE_DAY else None
    if kind is Kind.DATE and isinstance(value, date):
        return str((value - FIRST_DAY).days) if value >= FIRST_RELIABLE_DAY else None
    if isinstance(value, int):
        if kind is Kind.PERCENT:
            text = _decimal(value, 4)
        return text if len(text.lstrip("-0.").replace(".", "")) <= MAX_DIGITS else None
    return None


def _decimal(value: int, decimals: int) -> str:
    if not decimals:
        return str(value)
    whole, rest = divmod(abs(value), 10**decimals)
    return f"{'-' if value < 0 else ''}{whole}.{rest:0{decimals}d}"


def inline_text(text: str) -> str:
    """Escape a clean text for an inline string; what looks like Excel's `_x000D_` code is shielded from being one."""
    if "_x" in text:
        text = _CODED.sub("_x005F_", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def make_cell_writer(kind: Kind, style: int, changes: Changes) -> Callable[[Value, str], str]:
    """Return the function that turns a value and its address into the XML of one cell.

    Text is always an inline string: nothing in it can become a formula.
    """

    def write_text(value: str, address: str) -> str:
        text = inline_text(clean_text(value, changes))
        return f'<c r="{address}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'

    def write(value: Value, address: str) -> str:
        if value is None or value == "":
            return ""
        stored = stored_number(value, kind)
        if stored is not None:
            return f'<c r="{address}" s="{style}"><v>{stored}</v></c>'
        changes.kept_as_text += kind is not Kind.TEXT
        return write_text(plain_text(value, kind), address)

    return write


def delimited_text(value: Value, kind: Kind, changes: Changes) -> str:
    """Write a value for a CSV file: a text that a spreadsheet would take for a formula gets an apostrophe in front."""
    text = plain_text(value, kind)
    if kind is not Kind.TEXT:
        return text
    text, removed = _ILLEGAL.subn("", text)
    changes.characters_removed += removed
    if not text.lstrip(" ").startswith(_FORMULA_START):
        return text
    changes.formulas_shielded += 1
    return f"'{text}"
