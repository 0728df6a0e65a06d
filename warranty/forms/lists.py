"""The filters of the lists of installed sources."""

from __future__ import annotations

from wtforms import SelectChoice, SelectField

from referral.formkit import DayField, LineField, ModelNumberField
from referral.listkit import FilterForm
from warranty.queries.ending import WINDOWS
from warranty.queries.listings import LACKING_WORDS, STANDING_WORDS, SourceFilter

LONGEST_WORDS = 100
LONGEST_NUMBER = 40
ANY = SelectChoice("", "Any")


class FilterSourcesForm(FilterForm):
    """Which installed sources a list shows."""

    state = SelectField(
        "Standing", choices=[ANY, *(SelectChoice(*pair) for pair in STANDING_WORDS.items())], default=""
    )
    project = LineField("Project or place", optional=True, longest=LONGEST_WORDS)
    referral = LineField("Referral", optional=True, longest=LONGEST_NUMBER)
    order = LineField("Order", optional=True, longest=LONGEST_NUMBER)
    company = LineField("Dealer or account", optional=True, longest=LONGEST_WORDS)
    model = ModelNumberField("Model number", optional=True, longest=LONGEST_WORDS)
    family = LineField("Family", optional=True, longest=LONGEST_WORDS)
    serial = LineField("Serial number", optional=True, longest=LONGEST_WORDS)
    room = LineField("Room", optional=True, longest=LONGEST_WORDS)
    since = DayField("Warranty ends from", optional=True)
    until = DayField("Warranty ends to", optional=True)
    lacking = SelectField(
        "Waits for", choices=[ANY, *(SelectChoice(*pair) for pair in LACKING_WORDS.items())], default=""
    )

    @property
    def asked(self) -> SourceFilter:
        """The filters as the query takes them."""
        return SourceFilter(
            state=self.state.data or "",
            lacking=self.lacking.data or "",
            referral_ref=self.referral.data or "",
            order_ref=self.order.data or "",
            project=self.project.data or "",
            company=self.company.data or "",
            model=self.model.data or "",
            family=self.family.data or "",
            serial=self.serial.data or "",
            room=self.room.data or "",
            since=self.since.data,
            until=self.until.data,
        )


class FilterExpiringForm(FilterForm):
    """Which of the sources whose warranty ends soon a list shows; the shortest window unless one is said."""

    within = SelectField(
        "Ends within",
        choices=[SelectChoice("" if days == WINDOWS[0] else str(days), f"{days} days") for days in WINDOWS],
        default="",
    )
    project = LineField("Project or place", optional=True, longest=LONGEST_WORDS)
    referral = LineField("Referral", optional=True, longest=LONGEST_NUMBER)
    company = LineField("Dealer or account", optional=True, longest=LONGEST_WORDS)
    model = ModelNumberField("Model number", optional=True, longest=LONGEST_WORDS)
    family = LineField("Family", optional=True, longest=LONGEST_WORDS)
    room = LineField("Room", optional=True, longest=LONGEST_WORDS)

    @property
    def days(self) -> int:
        """How many days ahead are shown."""
        return int(self.within.data or WINDOWS[0])

    @property
    def asked(self) -> SourceFilter:
        """The other filters as the query takes them."""
        return SourceFilter(
            referral_ref=self.referral.data or "",
            project=self.project.data or "",
            company=self.company.data or "",
            model=self.model.data or "",
            family=self.family.data or "",
            room=self.room.data or "",
        )


class FilterObligationsForm(FilterForm):
    """Whose obligations are shown: an account's own without being named."""

    account = LineField("Account", optional=True, longest=LONGEST_NUMBER)
