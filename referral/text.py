"""Texts that people type: cleaning, comparing, searching; and how a day is said to them."""

from __future__ import annotations

import unicodedata
from datetime import date

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SEPARATORS = dict.fromkeys(map(ord, " -\u00a0\u2010\u2011\u2012\u2013\t"))


def clean_line(text: str) -> str:
    """Return one line: NFC, control and invisible formatting characters gone, white space folded."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = "".join(
        character if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else " "
        for character in unicodedata.normalize("NFC", text)
    )
    return " ".join(kept.split())


def clean_paragraphs(text: str) -> str:
    """Return several lines, each cleaned, with no blank lines at either end."""
    return "\n".join(clean_line(line) for line in text.replace("\r\n", "\n").split("\n")).strip()


def fold(text: str) -> str:
    """Return the form in which two texts are the same to a person: NFKC, case folded, spaces folded."""
    return clean_line(unicodedata.normalize("NFKC", text)).casefold()


def fold_account_number(text: str) -> str:
    """Return an account number as it is compared: no spaces or hyphens, leading zeros kept.

    Program rules, section 1.
    """
    return unicodedata.normalize("NFKC", text).translate(_SEPARATORS).upper()


def fold_model_number(text: str) -> str:
    """Return a model number as it is compared: upper case, no white space around or inside."""
    return "".join(unicodedata.normalize("NFKC", text).upper().split())


def say_day(day: date | None) -> str:
    """Return a day as 21 Nov 2026, as in sentences and mails; '' of none."""
    return "" if day is None else f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
