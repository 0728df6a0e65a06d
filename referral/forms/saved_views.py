"""Forms: keeping a view of a list, and letting it go."""

from __future__ import annotations

from wtforms import HiddenField

from referral.formkit import HouseForm, LineField

NAME_LENGTH = 40


class SaveViewForm(HouseForm):
    """Keep what a list shows under a name. `list_name` is its endpoint, `query` what its address carries."""

    list_name = HiddenField("List")
    query = HiddenField("Filters")
    name = LineField("Name of the view", longest=NAME_LENGTH)


class RemoveViewForm(HouseForm):
    """Let a view go."""

    view_id = HiddenField("View")
