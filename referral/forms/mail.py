"""Form: how a person wants mail."""

from __future__ import annotations

from wtforms import RadioField
from wtforms.fields.choices import SelectChoice

from referral.formkit import HouseForm


class ChooseMailForm(HouseForm):
    """Each mail at once, or one a day."""

    wants_digest = RadioField(
        "How do you want news of your projects?",
        choices=[
            SelectChoice("no", "Each mail at once"),
            SelectChoice("yes", "One mail a day, with everything that can wait"),
        ],
        default="no",
    )
