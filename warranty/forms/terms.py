"""The form of warranty terms."""

from __future__ import annotations

from wtforms import BooleanField, HiddenField, SelectField

from referral.formkit import DayField, HouseForm, LineField, ParagraphField, QuantityField, choice_field
from warranty.rules.terms import LONGEST_DAYS, LONGEST_MONTHS, START_WORDS, TermInput
from warranty.states import StartRule

CONFIRMED = "yes"


class SetTermForm(HouseForm):
    """Terms of a family from an order day on, with where the program says so and why they are recorded."""

    family = SelectField("Family", validate_choice=True)
    valid_from = DayField(
        "First order day", description="Orders entered on this day or later have these terms."
    )
    months = QuantityField(
        "Months", maximum=LONGEST_MONTHS, description="The day before the corresponding day is the last one."
    )
    start_rule = choice_field("The warranty starts", START_WORDS)
    cap_days = QuantityField(
        "At the latest, days after shipping",
        optional=True,
        minimum=0,
        maximum=LONGEST_DAYS,
        description="Empty: the start waits for its day, however late.",
    )
    covers_parts = BooleanField("Parts are covered")
    covers_labor = BooleanField("Labor is covered")
    report_days = QuantityField(
        "Days to report",
        minimum=0,
        maximum=LONGEST_DAYS,
        description="After the last covered day, for a failure that happened before it.",
    )
    replacement_days = QuantityField(
        "A replacement is covered at least, days",
        minimum=0,
        maximum=LONGEST_DAYS,
        description="The day of replacement is the first. 0: only what is left of the original's warranty.",
    )
    source = LineField("Source", description="Where the program says so: document, page, date.")
    reason = ParagraphField("Reason", render_kw={"rows": 3}, description="Why it is recorded now.")
    confirmed = HiddenField()

    @property
    def is_confirmed(self) -> bool:
        """Whether it was sent from the page that says what it changes."""
        return bool(self.confirmed.data == CONFIRMED)

    @property
    def said(self) -> TermInput:
        """Return the terms as they were typed."""
        return TermInput(
            family=self.family.data,
            valid_from=self.valid_from.data,
            months=self.months.data,
            start_rule=StartRule(self.start_rule.data),
            cap_days=self.cap_days.data,
            covers_parts=self.covers_parts.data,
            covers_labor=self.covers_labor.data,
            report_days=self.report_days.data,
            replacement_days=self.replacement_days.data,
            source=self.source.data,
            reason=self.reason.data,
        )
