"""Pure rules of the ground floor: settings and how they are read, validity of days, attestations."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from referral.errors import Refusal
from referral.money import NotANumber, parse_currency, parse_quantity, parse_rate
from referral.states import ReferralState
from referral.text import clean_line, fold

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


def referral_path(ref: str) -> str:
    """Return the path of a referral's page, for mails."""
    return f"/referrals/{ref}"


def is_valid_on(day: date, valid_from: date, valid_to: date | None) -> bool:
    """Say whether `day` lies in the period; first and last day are included."""
    return valid_from <= day and (valid_to is None or day <= valid_to)


def last_day_to_answer(offered_on: date, days: int) -> date:
    """Return the last day on which a referral can be answered, included: `days` after it was offered."""
    return offered_on + timedelta(days=days)


def standing_on(state: ReferralState, expires_on: date | None, day: date) -> ReferralState:
    """Return where a referral stands on the day: expired the day after the last one to answer it."""
    if state is ReferralState.OPEN and expires_on is not None and day > expires_on:
        return ReferralState.EXPIRED
    return state


def parse_regions(text: str) -> list[str]:
    """Return the two-letter codes of regions in a text such as "ME, nh", sorted, each once.

    Raises Refusal(invalid_input) for anything else, also for none.
    """
    codes = sorted({word.upper() for word in text.replace(",", " ").replace(";", " ").split()})
    if not codes or not all(len(code) == 2 and code.isascii() and code.isalpha() for code in codes):
        raise Refusal("invalid_input", "Type two-letter codes of regions, such as ME, NH.", "regions")
    return codes


def parse_families(text: str) -> list[str]:
    """Return the families in a text such as "D3, L3I", sorted, each once; none is all families."""
    named = {fold(part): clean_line(part) for part in text.split(",") if clean_line(part)}
    return sorted(named.values(), key=fold)


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


def _hour(text: str) -> int:
    return parse_quantity(text, minimum=0, maximum=23)


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
            SettingRule(
                "referral_valid_days", "Calendar days an account has to answer a referral", "30", _days
            ),
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
            SettingRule(
                "reminder_days", "Days before a revision's last day on which it is reminded of", "3", _days
            ),
            SettingRule(
                "mail_digest_hour", "Hour from which the one mail a day is sent, 0 to 23", "7", _hour
            ),
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
