"""What programs send and get on the ground floor: sign-in, accounts, referrals."""

from __future__ import annotations

from marshmallow import fields

from referral.permissions import Permission, Role
from referral.schemakit import (
    ID_CURSOR,
    AnswerSchema,
    Choice,
    Cursor,
    Day,
    HouseSchema,
    Line,
    Paragraph,
    QuerySchema,
    Secret,
    Tick,
    make_limit,
)
from referral.states import ReferralState

EMAIL_LENGTH = 254


class IssueTokenSchema(HouseSchema):
    """Who wants a token."""

    email = Line(longest=EMAIL_LENGTH)
    password = Secret()


class TokenUserSchema(AnswerSchema):
    """Whom a token stands for."""

    name = fields.String()
    company = fields.String(attribute="company_code")
    roles = fields.List(fields.Enum(Role, by_value=True))


class TokenSchema(AnswerSchema):
    """A bearer token; it is shown this once."""

    token = fields.String()
    expires_at = fields.AwareDateTime()
    user = fields.Nested(TokenUserSchema)


class MeSchema(AnswerSchema):
    """Who you are to the program."""

    name = fields.String()
    email = fields.String()
    company = fields.String(attribute="company_code")
    company_name = fields.String()
    roles = fields.List(fields.Enum(Role, by_value=True))
    permissions = fields.List(fields.Enum(Permission, by_value=True))


class AccountSchema(AnswerSchema):
    """A qualified account a project can be referred to today."""

    id = fields.String(attribute="code")
    name = fields.String()
    city = fields.String()
    region = fields.String()
    serves = fields.String()
    regions = fields.List(fields.String())
    families = fields.List(fields.String())
    running = fields.Integer()
    capacity = fields.Integer(allow_none=True)
    is_full = fields.Boolean()
    note = fields.String()


class ListAccountsSchema(QuerySchema):
    """Where the account is to work, as a two-letter code, and the Ketra family it is to be qualified for."""

    region = Line(optional=True, longest=20)
    family = Line(optional=True, longest=100)


class AccountsSchema(AnswerSchema):
    """The qualified accounts of today, those with room and of your region first; the list is never cut."""

    items = fields.List(fields.Nested(AccountSchema))
    next = fields.String(allow_none=True)


class ListReferralsSchema(QuerySchema):
    """Which referrals; words are of the project, the place or a company."""

    state = Choice(ReferralState, optional=True)
    words = Line(optional=True, longest=100)
    after = Cursor(ID_CURSOR)
    limit = make_limit()


class ReferralSchema(AnswerSchema):
    """A referral; the client is '' where the dealer does not share it with you."""

    id = fields.String(attribute="ref")
    state = fields.Enum(ReferralState, by_value=True)
    project_name = fields.String()
    place = fields.String()
    spaces = fields.String()
    wanted_on = fields.Date(allow_none=True)
    client_name = fields.String()
    client_contact = fields.String()
    client_shared = fields.Boolean()
    dealer = fields.String(attribute="dealer_code")
    dealer_name = fields.String()
    account = fields.String(attribute="account_code")
    account_name = fields.String()
    opened_at = fields.AwareDateTime()
    opened_by = fields.String()
    expires_on = fields.Date(allow_none=True)
    days_left = fields.Integer(allow_none=True)
    answered_at = fields.AwareDateTime(allow_none=True)
    answer_reason = fields.String()


class ReferralsSchema(AnswerSchema):
    """Referrals, newest first."""

    items = fields.List(fields.Nested(ReferralSchema), attribute="rows")
    next = fields.String(attribute="after", allow_none=True)


class OpenReferralSchema(HouseSchema):
    """The project a dealer refers, to which account, and the dealer's word that Ketra suits it."""

    account_code = Line(data_key="account", longest=20)
    project_name = Line()
    place = Line()
    spaces = Paragraph(optional=True)
    wanted_on = Day(optional=True)
    client_name = Line(optional=True)
    client_contact = Line(optional=True)
    client_shared = Tick(optional=True)
    is_suitable = Tick(optional=True)


class AcceptReferralSchema(HouseSchema):
    """Nothing needs to be said."""

    is_body_optional = True


class RefuseReferralSchema(HouseSchema):
    """Why the account does not take the project on."""

    reason = Paragraph(optional=True)


class WithdrawReferralSchema(HouseSchema):
    """Why the dealer takes the referral back."""

    reason = Paragraph(optional=True)


class ChooseReferralSchema(HouseSchema):
    """Why the parked account has the project now, and instead of which referral, where that is checked."""

    reason = Paragraph(optional=True)
    instead_of = Line(optional=True, longest=40)


class PassOverReferralSchema(HouseSchema):
    """Why the account that has the project keeps it."""

    reason = Paragraph(optional=True)


class ContinueReferralSchema(HouseSchema):
    """Until when the account goes on, and why."""

    last_on = Day()
    reason = Paragraph(optional=True)


class ContinuationSchema(AnswerSchema):
    """The last day on which the account goes on with a project."""

    id = fields.String()
    last_on = fields.Date()


class ReassignReferralSchema(HouseSchema):
    """Which account takes the project over, and why."""

    account_code = Line(data_key="account", longest=20)
    reason = Paragraph(optional=True)


class ReferralStateSchema(AnswerSchema):
    """Where a referral stands now."""

    id = fields.String()
    state = fields.Enum(ReferralState, by_value=True)
