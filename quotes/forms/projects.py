"""Saying what holds of a milestone; adding, changing and removing a trade."""

from __future__ import annotations

from wtforms.widgets import HiddenInput

from referral.formkit import DayField, HouseForm, LineField, ParagraphField, QuantityField

NAME_LENGTH = 100
REASON_LENGTH = 500


class SetMilestoneForm(HouseForm):
    """The days of a milestone, who answers for it, and why it slips."""

    number = QuantityField("Version read", minimum=0, widget=HiddenInput())
    planned_on = DayField("Planned")
    forecast_on = DayField("Forecast", optional=True)
    actual_on = DayField("Done on", optional=True)
    owner = LineField("Owner", optional=True, longest=NAME_LENGTH)
    slip_reason = ParagraphField("Why it slips", optional=True, longest=REASON_LENGTH)


class AddTradeForm(HouseForm):
    """A trade: whom to call, for what, agreed for when."""

    trade = LineField("Trade", longest=NAME_LENGTH)
    name = LineField("Name", longest=NAME_LENGTH)
    contact = LineField("Contact", optional=True)
    scope = ParagraphField("Scope", optional=True, longest=REASON_LENGTH)
    agreed_on = DayField("Agreed for", optional=True)
    done_on = DayField("Done on", optional=True)


class ChangeTradeForm(AddTradeForm):
    """The same, as it was read."""

    version = QuantityField("Version read", widget=HiddenInput())


class RemoveTradeForm(HouseForm):
    """The version of the trade that was read."""

    version = QuantityField("Version read", widget=HiddenInput())
