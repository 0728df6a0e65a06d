"""What a person types about an agreement, and the filters of the list."""

from __future__ import annotations

import re

from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, FieldList, Form, FormField, SelectChoice, SelectField
from wtforms.widgets import HiddenInput

from ledger.forms.adjustments import IdempotencyKeyField
from referral.formkit import (
    CentsField,
    DayField,
    HouseForm,
    LineField,
    ParagraphField,
    QuantityField,
    TicksField,
)
from referral.listkit import FilterForm
from support.queries.agreements import STANDING_WORDS, AgreementFilter
from support.queries.builder import Typed
from support.rules.agreements import MOST_CHOSEN, WHOLE, choosable, is_to_be_said
from support.rules.offers import Grant, Offer
from support.states import Choice
from warranty.queries.ending import WINDOWS

REASON_LENGTH = 500
LONGEST_WORDS = 100
KEY_LENGTH = 60
LONGEST_MONTHS = 600
LARGEST_VERSION = 999_999_999
_CELL = re.compile(r"\Achoices-([0-9]{1,6})-(key|count|is_unlimited|is_ticked)\Z", re.ASCII)


# the builder ------------------------------------------------------------------------------------


class ChoiceForm(Form):
    """What is said of one grant of the offer: a count, no limit, or a tick."""

    key = LineField("Grant", optional=True, longest=KEY_LENGTH, widget=HiddenInput())
    count = QuantityField("How many a contract year", optional=True, minimum=0, maximum=MOST_CHOSEN)
    is_unlimited = BooleanField("Unlimited")
    is_ticked = BooleanField("Yes")


class BuildAgreementForm(HouseForm):
    """An agreement as it is put together: for whom, where, how long, and one row for each grant to be chosen."""

    offer_version = QuantityField("Version of the offer", maximum=LARGEST_VERSION, widget=HiddenInput())
    edit_count = QuantityField(
        "Saves", optional=True, minimum=0, maximum=LARGEST_VERSION, widget=HiddenInput()
    )
    customer = LineField("Customer")
    sites = TicksField("Sites")
    starts_on = DayField("First day")
    months = QuantityField("Months", maximum=LONGEST_MONTHS)
    license_cents = CentsField("Worth of the licenses", optional=True)
    choices = FieldList(FormField(ChoiceForm), "Choices")
    idempotency_key = IdempotencyKeyField()

    def rows(self, offer: Offer) -> list[tuple[Grant, ChoiceForm]]:
        """Return each grant to be chosen with its row, whose controls are named after the grant."""
        found = []
        for grant, entry in zip(choosable(offer), self.choices, strict=True):
            for named in (entry.form.count, entry.form.is_ticked):
                named.label.text = grant.name
            found.append((grant, entry.form))
        return found

    def said(self, offer: Offer) -> dict[str, int | bool | None]:
        """Return the choices as the operation takes them; what is not said is left out."""
        choices: dict[str, int | bool | None] = {}
        for grant, row in self.rows(offer):
            if grant.choice is Choice.TICK:
                choices[grant.key] = bool(row.is_ticked.data)
            elif row.is_unlimited.data:
                choices[grant.key] = None
            elif row.count.data is not None:
                choices[grant.key] = row.count.data
        return choices

    def typed(self, offer: Offer) -> Typed:
        """Return what is typed, as far as it can be read."""
        return Typed(
            sites=tuple(self.sites.data or ()),
            starts_on=None if self.starts_on.errors else self.starts_on.data,
            months=None if self.months.errors else self.months.data,
            choices=self.said(offer),
            license_cents=self.license_cents.data,
        )

    def misses_counts(self, offer: Offer) -> bool:
        """Say whether a count that has to be said is not; its row says so."""
        misses = False
        for grant, row in self.rows(offer):
            is_said = row.is_unlimited.data or row.count.data is not None
            if is_to_be_said(offer, grant) and not is_said and not row.count.errors:
                row.count.errors = ["Say how many a contract year; 0 is none."]
                misses = True
        return misses

    @property
    def choice_faults(self) -> list[str]:
        """What is wrong with the rows, in sentences."""
        return [
            f"{entry.form.count.label.text}: {' '.join(map(str, entry.form.count.errors))}"
            for entry in self.choices
            if entry.form.count.errors
        ] + [str(error) for error in self.choices.errors if isinstance(error, str)]


def arranged(fields: MultiDict[str, str], offer: Offer) -> MultiDict[str, str]:
    """Return what came in with one row for each grant of the offer, in its order; rows of other grants fall away."""
    rows: dict[str, dict[str, str]] = {}
    pairs: list[tuple[str, str]] = []
    for name, text in fields.items(multi=True):
        match = _CELL.match(name)
        if match is not None:
            rows.setdefault(match[1], {})[match[2]] = text
        elif not name.startswith("choices-"):
            pairs.append((name, text))
    by_key = {cells["key"]: cells for cells in rows.values() if "key" in cells}
    for index, grant in enumerate(choosable(offer)):
        cells = by_key.get(grant.key, {}) | {"key": grant.key}
        pairs += [(f"choices-{index}-{cell}", text) for cell, text in cells.items()]
    return MultiDict(pairs)


def shown_choices(offer: Offer, choices: dict[str, int | bool | None]) -> list[dict[str, object]]:
    """Return choices as the rows of the form show them; a count that has to be said is empty until it is."""
    rows: list[dict[str, object]] = []
    for grant in choosable(offer):
        value = choices.get(grant.key, 0)
        is_count = grant.choice is Choice.COUNT
        is_open = is_count and grant.key not in choices and is_to_be_said(offer, grant)
        rows.append(
            {
                "key": grant.key,
                "count": value if is_count and value is not None and not is_open else None,
                "is_unlimited": is_count and value is None,
                "is_ticked": value is True,
            }
        )
    return rows


# what happens to it -----------------------------------------------------------------------------


class OfferAgreementForm(HouseForm):
    """The net price of each contract year, and the tax rate in percent."""

    edit_count = QuantityField("Saves", maximum=LARGEST_VERSION, widget=HiddenInput())
    net_cents = FieldList(CentsField("Net price"), "Net prices")
    tax_rate = CentsField("Tax rate in percent", maximum=WHOLE)


class ReviseAgreementForm(HouseForm):
    """Why it goes back to a draft."""

    reason = ParagraphField("What is to be changed", longest=REASON_LENGTH)


class AcceptAgreementForm(HouseForm):
    """The standard terms, the own name, and the digest of what was read."""

    digest = LineField("Digest", widget=HiddenInput())
    is_accepted = BooleanField("I accept the standard terms and conditions")
    typed_name = LineField("Type your name")


class DeclineAgreementForm(HouseForm):
    """Why it is not wanted so."""

    reason = ParagraphField("Why", longest=REASON_LENGTH)


class WithdrawAgreementForm(HouseForm):
    """Why it is taken back."""

    reason = ParagraphField("Why", longest=REASON_LENGTH)


class TerminateAgreementForm(HouseForm):
    """From when on it ends, and why."""

    last_on = DayField("Last covered day")
    reason = ParagraphField("Why", longest=REASON_LENGTH)


class RenewAgreementForm(HouseForm):
    """When the next one starts and how long it runs; a gap is confirmed."""

    starts_on = DayField("First day")
    months = QuantityField("Months", maximum=LONGEST_MONTHS)
    is_confirmed = BooleanField("It is meant to leave this gap or to overlap")
    idempotency_key = IdempotencyKeyField()


class FilterAgreementsForm(FilterForm):
    """Which agreements a list shows."""

    state = SelectField(
        "State",
        choices=[SelectChoice("", "Any"), *(SelectChoice(*pair) for pair in STANDING_WORDS.items())],
        default="",
    )
    offer = LineField("Offer", optional=True, longest=LONGEST_WORDS)
    customer = LineField("Customer", optional=True, longest=LONGEST_WORDS)
    company = LineField("Dealer", optional=True, longest=LONGEST_WORDS)
    within = SelectField(
        "Ends within",
        choices=[
            SelectChoice("", "Any time"),
            *(SelectChoice(str(days), f"{days} days") for days in WINDOWS),
        ],
        default="",
    )

    @property
    def asked(self) -> AgreementFilter:
        """The filters as the query takes them."""
        return AgreementFilter(
            standing=self.state.data or "",
            offer=self.offer.data or "",
            customer=self.customer.data or "",
            company=self.company.data or "",
            within=int(self.within.data) if self.within.data else None,
        )
