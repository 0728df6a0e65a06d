"""What can be asked of a source's coverage, and which labels are printed, as addresses carry it."""

from __future__ import annotations

from wtforms import SelectChoice, SelectField

from referral.formkit import DayField, LineField, QuantityField
from referral.listkit import FilterForm

MAX_NUMBER = 999_999_999
WITH_SERIAL = "yes"


class AskCoverageForm(FilterForm):
    """A question about a source; without any day it is whether it is covered today."""

    failed_on = DayField("Failed on", optional=True)
    reported_on = DayField("Reported on", optional=True)
    as_of = DayField("As it was known on", optional=True)


class ChooseLabelsForm(FilterForm):
    """Which labels of a project are printed."""

    room = LineField("Room", optional=True)
    serial = SelectField(
        "Units",
        choices=[SelectChoice("", "All"), SelectChoice(WITH_SERIAL, "With a serial number")],
        default="",
    )
    past = QuantityField("After number", optional=True, maximum=MAX_NUMBER)
