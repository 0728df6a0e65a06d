"""What people type about quotas: what was used, why it is taken back, what was bought, what is met; and questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, FieldList, RadioField, SelectChoice, SelectField, ValidationError
from wtforms.validators import InputRequired

from ledger.forms.adjustments import IdempotencyKeyField
from referral.formkit import (
    CentsField,
    DayField,
    HouseForm,
    LineField,
    ParagraphField,
    QuantityField,
    choice_field,
)
from referral.listkit import FilterForm
from referral.text import clean_line, say_day
from support.queries.agreement_book import GrantChoice, YearRow
from support.queries.agreement_sites import AgreementSiteRow
from support.rules.agreements import WHOLE
from support.rules.entitlement import PLATFORM_WORDS
from support.rules.offers import MINUTES_OF_HOUR
from support.states import GrantKind, Platform
from warranty.queries.sites import SiteRow

WORDS_LENGTH = 500
MOST_HOURS = 9_999
MOST_UNITS = 9_999
REF_LENGTH = 40
ASKED_KINDS = {
    GrantKind.LABOR: "Labor of troubleshooting",
    GrantKind.PARTS: "Parts",
    GrantKind.RESPONSE: "A response within a commitment",
    GrantKind.VISIT: "A visit",
    GrantKind.REMOTE: "A remote session",
    GrantKind.SERVICE: "A counted service",
    GrantKind.HOURS: "Work outside the usual hours",
    GrantKind.BENEFIT: "Something else",
}
"""What can be asked of an agreement, in words."""


class RecordUseForm(HouseForm):
    """What was used of a grant: hours and minutes of a quota of time, else how many."""

    used_on = DayField("Day")
    count = QuantityField("How many", maximum=MOST_UNITS)
    hours = QuantityField("Hours", optional=True, minimum=0, maximum=MOST_HOURS)
    minutes = QuantityField("Minutes", optional=True, minimum=0, maximum=MINUTES_OF_HOUR - 1)
    within = FieldList(QuantityField("At most", optional=True, minimum=0, maximum=MOST_UNITS), "Each time")
    site_ref = SelectField("Site", coerce=clean_line)
    words = ParagraphField("What for", longest=WORDS_LENGTH)
    idempotency_key = IdempotencyKeyField()

    def offer(self, grant: GrantChoice, sites: Sequence[AgreementSiteRow]) -> None:
        """Ask for what belongs to this grant, and for the site where there are several."""
        if grant.is_time:
            del self.count
        else:
            del self.hours, self.minutes
        if grant.limits:
            while len(self.within.entries) < len(grant.limits):
                self.within.append_entry()
            del self.within.entries[len(grant.limits) :]
            for entry, (name, amount) in zip(self.within.entries, grant.limits, strict=True):
                entry.label.text = f"{name.capitalize()}, at most {amount:,}"
        else:
            del self.within
        if len(sites) > 1:
            self.site_ref.choices = [
                SelectChoice(site.term.ref, f"{site.words} · {site.project_name}") for site in sites
            ]
        else:
            del self.site_ref

    def validate_minutes(self, checked: QuantityField) -> None:
        """Refuse no time at all."""
        if not checked.errors and not (self.hours.data or checked.data):
            raise ValidationError("Say how long it took.")

    @property
    def asked(self) -> int:
        """What was used: minutes of a quota of time, else units."""
        if "count" in self:
            return int(self.count.data)
        return (self.hours.data or 0) * MINUTES_OF_HOUR + (self.minutes.data or 0)

    def limited(self, grant: GrantChoice) -> dict[str, int]:
        """Return what it held of the things that the grant limits each time."""
        if "within" not in self:
            return {}
        pairs = zip(grant.limits, self.within.entries, strict=True)
        return {name: entry.data for (name, _), entry in pairs if entry.data}

    @property
    def place(self) -> str:
        """The site that is named; '' where there is only one."""
        return str(self.site_ref.data) if "site_ref" in self else ""


class ReverseUseForm(HouseForm):
    """Why a use is taken back."""

    reason = ParagraphField("Why", longest=WORDS_LENGTH)


class TopUpAgreementForm(HouseForm):
    """What was bought more of a grant, for which contract year, at what price."""

    grant_key = SelectField("What", coerce=clean_line)
    contract_year = SelectField("Contract year", coerce=clean_line)
    amount = QuantityField("How many", maximum=MOST_UNITS)
    bought_on = DayField("Bought on")
    net_cents = CentsField("Net price")
    tax_basis_points = CentsField("Tax, percent", maximum=WHOLE)
    words = ParagraphField("Words", optional=True, longest=WORDS_LENGTH)
    idempotency_key = IdempotencyKeyField()

    def offer(self, grants: Sequence[GrantChoice], years: Sequence[YearRow]) -> None:
        """Offer the grants that more can be bought of, and the contract years."""
        units = {"visit": "visits", "hour": "hours", "block": "4-hour blocks", "time": "times"}
        self.grant_key.choices = [
            SelectChoice(grant.key, f"{grant.name} ({units[grant.unit.value]})")
            for grant in grants
            if not grant.is_unlimited
        ]
        self.contract_year.choices = [
            SelectChoice(str(row.year.number), f"Year {row.year.number}, from {say_day(row.year.first_on)}")
            for row in years
        ]


class MarkRequirementForm(HouseForm):
    """How a requirement stands, since when."""

    is_met = RadioField(
        "It is",
        choices=(SelectChoice("yes", "Met"), SelectChoice("no", "Not met")),
        validators=[InputRequired("Choose one.")],
    )
    since_on = DayField("Since")
    words = ParagraphField("Words", optional=True, longest=WORDS_LENGTH)


class RecordSystemForm(HouseForm):
    """What system is at a site since when, and whether it is connected with remote access."""

    site_number = SelectField("Site")
    platform = choice_field("System", dict(PLATFORM_WORDS) | {Platform.OTHER: "Another system"})
    since_on = DayField("Since")
    is_there = RadioField(
        "It is",
        choices=(SelectChoice("yes", "There"), SelectChoice("no", "Not there any more, or never was")),
        default="yes",
        validators=[InputRequired("Choose one.")],
    )
    has_remote_access = BooleanField("It is connected and configured for remote access")
    words = ParagraphField("Words", optional=True, longest=WORDS_LENGTH)

    def offer(self, sites: Sequence[SiteRow]) -> None:
        """Offer the sites of the project."""
        self.site_number.choices = [SelectChoice(str(site.number), site.words) for site in sites]


class AskEntitlementForm(FilterForm):
    """A question to an agreement; without a day it is about today."""

    kind = choice_field("What is needed", ASKED_KINDS, default=GrantKind.RESPONSE.value)
    source_ref = LineField("Unit", optional=True, longest=REF_LENGTH)
    site_ref = LineField("Site", optional=True, longest=REF_LENGTH)
    platform = SelectField(
        "System",
        choices=[
            SelectChoice("", "Any that is there"),
            *(SelectChoice(each.value, words) for each, words in PLATFORM_WORDS.items()),
        ],
        default="",
    )
    grant_key = LineField("Grant", optional=True, longest=REF_LENGTH)
    amount = QuantityField("How much", optional=True, maximum=MOST_UNITS)
    day = DayField("On", optional=True)
    as_of = DayField("As it was known on", optional=True)

    @property
    def said(self) -> dict[str, Any]:
        """The question as the query takes it."""
        return {
            "kind": GrantKind(self.kind.data),
            "source_ref": (self.source_ref.data or "").upper(),
            "site_ref": (self.site_ref.data or "").upper(),
            "platform": Platform(self.platform.data) if self.platform.data else None,
            "grant_key": self.grant_key.data or "",
            "amount": self.amount.data or 1,
            "day": self.day.data,
            "as_of": self.as_of.data,
        }
