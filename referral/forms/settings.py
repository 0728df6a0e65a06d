"""Forms: settings."""

from __future__ import annotations

from referral.formkit import DayField, HouseForm, LineField, ParagraphField


class ChangeSettingForm(HouseForm):
    """A value from a day on, with its reason and source. The setting itself says which values it takes."""

    value = LineField("Value")
    valid_from = DayField("First day")
    valid_to = DayField("Last day", optional=True, description="Leave it empty while no end is known.")
    reason = ParagraphField("Reason", render_kw={"rows": 3})
    source = LineField("Source", optional=True, description="Such as a bulletin and its date.")
