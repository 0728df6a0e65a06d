"""Recalling prices that were published wrongly."""

from __future__ import annotations

import re

from quotes.operations.recalls import REASON_LENGTH
from referral.formkit import HouseForm, ParagraphField

MODEL_NUMBERS_LENGTH = 20_000


class RecallPricesForm(HouseForm):
    """Which model numbers of the list, and why."""

    model_numbers = ParagraphField("Model numbers", longest=MODEL_NUMBERS_LENGTH)
    reason = ParagraphField("Why is the price wrong?", longest=REASON_LENGTH)

    @property
    def named(self) -> tuple[str, ...]:
        """The model numbers, one a line or apart by commas or semicolons."""
        parts = re.split(r"[\n,;]", self.model_numbers.data or "")
        return tuple(part.strip() for part in parts if part.strip())
