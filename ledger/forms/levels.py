"""What a person types when levels are set."""

from __future__ import annotations

from typing import Any

from wtforms import FieldList, Form, FormField

from ledger.rules.credit import LevelStep
from referral.formkit import CentsField, HouseForm, LineField, ParagraphField

LEVELS_MAX = 8
"""Levels that one year can have."""


class LevelForm(Form):
    """One level: its name and the total from which it is reached; both or neither."""

    name = LineField("Name", optional=True, longest=40)
    threshold_cents = CentsField("From a total of", optional=True)

    def validate(self, extra_validators: Any = None) -> bool:
        """Ask for the half that is missing."""
        if not super().validate(extra_validators):
            return False
        name, threshold = self.name.data, self.threshold_cents.data
        if name and threshold is None:
            self.threshold_cents.errors = ["Type the total from which this level is reached."]
        elif not name and threshold is not None:
            self.name.errors = ["Name this level."]
        return not (self.name.errors or self.threshold_cents.errors)


class SetLevelsForm(HouseForm):
    """The levels of a level year, base first; rows left empty are no levels."""

    levels = FieldList(FormField(LevelForm), min_entries=LEVELS_MAX, max_entries=LEVELS_MAX)
    reason = ParagraphField("Reason", longest=500)
    source = LineField("Source")

    def steps(self) -> list[LevelStep]:
        """Return the levels that were filled in, in their order."""
        return [
            LevelStep(row.form.name.data, row.form.threshold_cents.data)
            for row in self.levels.entries
            if row.form.name.data
        ]
