"""Forms: a referral from opening to answer."""

from __future__ import annotations

from wtforms import BooleanField, RadioField
from wtforms.validators import InputRequired

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
