"""What a person types when a program year is closed."""

from __future__ import annotations

from typing import Any

from wtforms import ValidationError

from referral.formkit import HouseForm, LineField, ParagraphField


class CloseYearForm(HouseForm):
    """The year once more, and why it is closed though something is open."""

    reason = ParagraphField("Why close it all the same", optional=True, longest=500)
    typed_year = LineField("Type the year to close it", longest=4)

    def __init__(self, program_year: int, **kwargs: Any) -> None:
        """Ask for this year."""
        self.program_year = program_year
        super().__init__(**kwargs)

    def validate_typed_year(self, field: LineField) -> None:
        """Compare what was typed with the year of the page."""
        if field.data != str(self.program_year):
            raise ValidationError(f"Type {self.program_year}.")
