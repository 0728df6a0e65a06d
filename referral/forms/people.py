"""Forms: invitations, passwords, access."""

from __future__ import annotations

from wtforms import BooleanField, HiddenField, PasswordField, SelectChoice, ValidationError
from wtforms.validators import EqualTo, InputRequired, Length

from referral.formkit import AddressField, HouseForm, LineField, TicksField
from referral.permissions import ROLE_WORDS, Role
from referral.queries.people import ManagedCompany
from referral.text import clean_line

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200


def role_choices(company: ManagedCompany) -> list[SelectChoice]:
    """Return the roles that fit the company, with their words."""
    return [SelectChoice(role.value, ROLE_WORDS[role].capitalize()) for role in company.roles]


class InviteUserForm(HouseForm):
    """Who is invited, to which company, to do what."""

    company_code = HiddenField(filters=[lambda text: clean_line(text or "")])
    name = LineField("Name", render_kw={"autocomplete": "off"})
    email = AddressField("E-mail", render_kw={"autocomplete": "off"})
    roles = TicksField("Roles")

    def chosen_roles(self) -> frozenset[Role]:
        """Return the ticked roles."""
        return frozenset(Role(value) for value in self.roles.data or ())


class AcceptInvitationForm(HouseForm):
    """The password of a new user, typed twice."""

    password = PasswordField(
        "Password",
        [
            InputRequired("This is needed."),
            Length(
                min=SHORTEST_PASSWORD,
                max=LONGEST_PASSWORD,
                message=f"Use {SHORTEST_PASSWORD} characters or more (at most {LONGEST_PASSWORD}).",
            ),
        ],
        render_kw={"autocomplete": "new-password"},
    )
    password_again = PasswordField(
        "The same again",
        [InputRequired("This is needed."), EqualTo("password", "The two passwords are not the same.")],
        render_kw={"autocomplete": "new-password"},
    )

    def validate_password(self, field: PasswordField) -> None:
        """Refuse a password of one repeated character."""
        if len(set(field.data or "")) == 1:
            raise ValidationError("Use more than one character.")


class ChangeUserAccessForm(HouseForm):
    """What a user may do, and whether they may sign in at all."""

    roles = TicksField("Roles")
    is_active = BooleanField("May sign in")

    def chosen_roles(self) -> frozenset[Role]:
        """Return the ticked roles."""
        return frozenset(Role(value) for value in self.roles.data or ())
