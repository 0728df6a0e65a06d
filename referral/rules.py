"""Pure rules of the ground floor: settings and how they are read, validity of days, attestations."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from referral.errors import Refusal
from referral.money import NotANumber, parse_currency, parse_quantity, parse_rate
from referral.text import fold

SUITABILITY_VERSION = "referral-2026-1"
SUITABILITY_TEXT = "I have verified that Ketra is the appropriate solution for the space, considering all product specifications."
"""What a dealer attests on opening a referral (referral program sheet, "Your responsibilities")."""

INVITATION_DAYS = 14
TRIES_MINUTES = 15
TRIES_PER_EMAIL = 10
TRIES_PER_ADDRESS = 30
"""How many wrong passwords within TRIES_MINUTES are answered before sign-in waits."""
API_TOKEN_HOURS = 12


def project_key(project_name: str, place: str) -> str:
    """Return the form in which two projects of one dealer are the same: name and place, folded."""
    return f"{fold(project_name)}|{fold(place)}"


def is_valid_on(day: date, valid_from: date, valid_to: date | None) -> bool:
    """Say whether `day` lies in the period; first and last day are included."""
    return valid_from <= day and (valid_to is None or day <= valid_to)


def periods_overlap(from_a: date, to_a: date | None, from_b: date, to_b: date | None) -> bool:
    """Say whether two periods (ends included; None is open) share a day."""
    return (to_b is None or from_a <= to_b) and (to_a is None or from_b <= to_a)


@dataclass(frozen=True)
class SettingRule:
    """A setting: what it decides, the value shipped, and how a typed value is checked.

    `per_year` settings take effect on 1 January only: they belong to a program year.
    """

    key: str
    words: str
    shipped: str
    check: Callable[[str], object]
    per_year: bool = False


def _zone(text: str) -> str:
    if text not in zoneinfo.available_timezones() - {"localtime"}:
        raise NotANumber("Type a time zone such as America/New_York.")
    return text


def _days(text: str) -> int:
    return parse_quantity(text, minimum=1, maximum=3650)


def _switch(text: str) -> bool:
    if text not in {"on", "off"}:
        raise NotANumber("Type on or off.")
    return text == "on"


def _categories(text: str) -> frozenset[str]:
    names = frozenset(text.replace(",", " ").split())
    if not names or not names <= CATEGORIES:
        raise NotANumber(f"List categories out of: {', '.join(sorted(CATEGORIES))}.")
    return names


CATEGORIES = frozenset({"light_source", "accessory", "control", "service", "other"})
"""Item categories a price list can use (program rules, section 4)."""

SETTINGS: Mapping[str, SettingRule] = MappingProxyType(
    {
        rule.key: rule
        for rule in (
            SettingRule("time_zone", "Time zone of all business dates", "America/New_York", _zone),
            SettingRule("currency", "Currency of the program", "USD", parse_currency),
            SettingRule("quote_valid_days", "Calendar days a submitted revision is valid", "30", _days),
            SettingRule(
                "same_company_allowed",
                "Whether one company may be both dealer and account of a referral",
                "off",
                _switch,
            ),
            SettingRule(
                "credit_rate",
                "Sales credit per list price of a program year",
                "1.0000",
                parse_rate,
                per_year=True,
            ),
            SettingRule(
                "creditable_categories",
                "Categories that earn sales credit in a program year",
                "light_source accessory",
                _categories,
                per_year=True,
            ),
            SettingRule(
                "dispute_window_days",
                "Days after the last day of the month of posting in which it can be disputed",
                "60",
                _days,
            ),
            SettingRule("dispute_answer_days", "Days in which a dispute is to be answered", "14", _days),
        )
    }
)
"""Every setting there is. What is not public about the program is a setting, never a constant."""


def parse_setting(key: str, text: str) -> object:
    """Return the value a setting's text stands for. Raises Refusal(setting_invalid) or (not_found)."""
    rule = SETTINGS.get(key)
    if rule is None:
        raise Refusal("not_found")
    try:
        return rule.check(text.strip())
    except NotANumber as error:
        raise Refusal("setting_invalid", str(error), field="value") from error
