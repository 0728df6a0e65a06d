"""Forms: what an account tells dealers."""

from __future__ import annotations

from referral.formkit import HouseForm, LineField, ParagraphField, QuantityField


class SaveAccountProfileForm(HouseForm):
    """Where an account works and how much it takes on."""

    regions = LineField(
        "Regions served", description="Two-letter codes of states or provinces, such as ME, NH, QC."
    )
    capacity = QuantityField(
        "Projects at the same time",
        minimum=0,
        maximum=9_999,
        description="How many you take on at once. 0 says that you take no new ones now.",
    )
    note = ParagraphField(
        "Note to dealers",
        optional=True,
        longest=1_000,
        description="What you are good at, or from when you have room again.",
        render_kw={"rows": 3},
    )
