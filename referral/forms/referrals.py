"""Forms: a referral from opening to answer."""

from __future__ import annotations

from wtforms import BooleanField, RadioField
from wtforms.validators import InputRequired
from wtforms.widgets import HiddenInput

from referral.formkit import DayField, HouseForm, LineField, ParagraphField
from referral.rules import SUITABILITY_TEXT
from referral.text import clean_line


class OpenReferralForm(HouseForm):
    """A project and the account it is referred to. The operation says whether the account is qualified."""

    project_name = LineField("Project", description="The name you and the client use.")
    place = LineField("Place", description="Town and state, or the address.")
    spaces = ParagraphField(
        "Spaces", description="Rooms and areas to be lit, one per line.", render_kw={"rows": 4}
    )
    wanted_on = DayField("Wanted by", optional=True)
    client_name = LineField("Client", description="The contact stays yours; you choose who sees it.")
    client_contact = LineField("Client's e-mail or phone", optional=True)
    client_shared = BooleanField("Let the account see the client's name and contact")
    account_code = RadioField(
        "Qualified account", [InputRequired("Choose an account.")], coerce=clean_line, validate_choice=False
    )
    is_suitable = BooleanField(SUITABILITY_TEXT)


class RefuseReferralForm(HouseForm):
    """Why the account cannot take the project on."""

    reason = ParagraphField("Reason", description="The dealer reads it.", render_kw={"rows": 4})


class WithdrawReferralForm(HouseForm):
    """Why the dealer takes the referral back."""

    reason = ParagraphField("Reason", description="The account reads it.", render_kw={"rows": 4})


class ChooseReferralForm(HouseForm):
    """Which account has the project from now on, and why; what the person saw comes along."""

    instead_of = LineField("Instead of", optional=True, longest=40, widget=HiddenInput())
    reason = ParagraphField(
        "Reason",
        description="It is kept. The account whose referral ends reads it: name no other company.",
        render_kw={"rows": 3},
    )

    def seen(self) -> str:
        """Return the number of the referral that had the project when the page was made, '' for none."""
        return str(self.instead_of.data or "")


class PassOverReferralForm(HouseForm):
    """Why the account that has the project keeps it."""

    reason = ParagraphField("Reason", description="It is kept. No account reads it.", render_kw={"rows": 3})


class ContinueReferralForm(HouseForm):
    """Until when an account goes on with one project, and why."""

    last_on = DayField("Last day", description="It can submit and order through the end of this day.")
    reason = ParagraphField("Reason", description="Both sides read it.", render_kw={"rows": 3})


class ReassignReferralForm(HouseForm):
    """Which account takes a project over, and why. The operation says whether it is qualified."""

    account_code = RadioField(
        "Qualified account", [InputRequired("Choose an account.")], coerce=clean_line, validate_choice=False
    )
    reason = ParagraphField(
        "Reason",
        description="It is kept. The dealer and the account that has the project now read it.",
        render_kw={"rows": 3},
    )
