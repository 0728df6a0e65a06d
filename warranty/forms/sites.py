"""Forms of a project's sites."""

from __future__ import annotations

from wtforms import SelectChoice, SelectField

from referral.formkit import HouseForm, LineField
from warranty.queries.sites import time_zones

NAME_LENGTH = 100
PLACE_LENGTH = 200


class AddSiteForm(HouseForm):
    """A place of a project, in a time zone."""

    name = LineField("Name", longest=NAME_LENGTH)
    place = LineField("Place", optional=True, longest=PLACE_LENGTH)
    time_zone = SelectField("Time zone")

    def offer(self, default: str) -> None:
        """Offer every time zone, with `default` chosen where nothing is said."""
        names = time_zones() if default in time_zones() else (default, *time_zones())
        self.time_zone.choices = [SelectChoice(name, name.replace("_", " ")) for name in names]
        if not self.time_zone.data:
            self.time_zone.data = default
