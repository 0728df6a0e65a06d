"""What programs send and get of an agreement's quotas, requirements and entitlement, and of systems at sites."""

from __future__ import annotations

from marshmallow import fields, validate

from referral.schemakit import (
    Amount,
    AnswerSchema,
    Choice,
    Day,
    HouseSchema,
    Line,
    Paragraph,
    Price,
    QueryNumber,
    QuerySchema,
    Tick,
    WholeNumber,
)
from support.rules.agreements import WHOLE
from support.rules.quotas import MOST_ASKED
from support.states import GrantKind, Platform, QuotaUnit
from warranty.schemas.coverage import CoverSchema, DayOrInstant

WORDS_LENGTH = 500
KEY_LENGTH = 60
REF_LENGTH = 40
MOST_UNITS = 9_999
MOST_LIMITS = 20


class RecordUseSchema(HouseSchema):
    """A use: `asked` minutes of hours and blocks, else units; `within` counts what the grant limits each time."""

    grant_key = Line(longest=KEY_LENGTH)
    used_on = Day()
    asked = WholeNumber(minimum=1, maximum=MOST_ASKED)
    within = fields.Dict(
        keys=Line(longest=KEY_LENGTH),
        values=WholeNumber(minimum=0, maximum=MOST_UNITS),
        load_default=dict,
        validate=validate.Length(max=MOST_LIMITS),
    )
    site_ref = Line(optional=True, longest=REF_LENGTH)
    words = Paragraph(optional=True, longest=WORDS_LENGTH)


class ReverseUseSchema(HouseSchema):
    """Why a use is taken back."""

    reason = Paragraph(optional=True, longest=WORDS_LENGTH)


class TopUpAgreementSchema(HouseSchema):
    """More of a grant for one contract year; `amount` in units of its quota, the price without tax."""

    grant_key = Line(longest=KEY_LENGTH)
    contract_year = WholeNumber(minimum=1, maximum=MOST_UNITS)
    amount = WholeNumber(minimum=1, maximum=MOST_UNITS)
    bought_on = Day()
    net_cents = Price(data_key="net")
    tax_basis_points = WholeNumber(minimum=0, maximum=WHOLE)
    words = Paragraph(optional=True, longest=WORDS_LENGTH)


class MarkRequirementSchema(HouseSchema):
    """How a requirement stands since a day."""

    requirement_key = Line(longest=KEY_LENGTH)
    is_met = Tick()
    since_on = Day()
    words = Paragraph(optional=True, longest=WORDS_LENGTH)


class RecordSystemSchema(HouseSchema):
    """A system at a site of the project since a day, connected with remote access or not."""

    site_number = WholeNumber(minimum=1, maximum=999_999)
    platform = Choice(Platform)
    since_on = Day()
    is_there = Tick()
    has_remote_access = Tick(optional=True)
    words = Paragraph(optional=True, longest=WORDS_LENGTH)


class AskEntitlementSchema(QuerySchema):
    """A question: `kind` is else a response, `day` today at the site; `amount` in minutes of hours and blocks."""

    kind = Choice(GrantKind, optional=True)
    day = Day(optional=True)
    as_of = DayOrInstant()
    site_ref = Line(optional=True, longest=REF_LENGTH)
    source_ref = Line(optional=True, longest=REF_LENGTH)
    platform = Choice(Platform, optional=True)
    family = Line(optional=True, longest=KEY_LENGTH)
    grant_key = Line(optional=True, longest=KEY_LENGTH)
    amount = QueryNumber(minimum=1, maximum=MOST_ASKED, default=1)


class MeterSchema(AnswerSchema):
    """What there is of a grant in a contract year: minutes of a quota of hours, else units; null is unlimited."""

    grant_key = fields.String()
    contract_year = fields.Integer()
    unit = fields.Enum(QuotaUnit, by_value=True)
    amount = fields.Integer(allow_none=True)
    topped_up = fields.Integer()
    used = fields.Integer()
    left = fields.Integer(allow_none=True)
    billable = fields.Integer()


class ContractYearSchema(AnswerSchema):
    """A contract year; both days are included."""

    number = fields.Integer()
    first_on = fields.Date()
    last_on = fields.Date()
    meters = fields.List(fields.Nested(MeterSchema))


class UseSchema(AnswerSchema):
    """A use. One with `reversed_by` was taken back, and counts no more."""

    number = fields.Integer()
    grant = fields.String()
    used_on = fields.Date()
    contract_year = fields.Integer()
    amount = fields.String()
    covered = fields.String()
    billable = fields.String()
    within = fields.Dict(keys=fields.String(), values=fields.Integer())
    site = fields.String()
    call = fields.String(attribute="call_ref")
    visit = fields.String(attribute="visit_ref")
    words = fields.String()
    recorded_by = fields.String()
    recorded_at = fields.AwareDateTime()
    reversed_by = fields.Integer(allow_none=True)
    reversed_words = fields.String()


class TopUpSchema(AnswerSchema):
    """More of a grant that was bought for one contract year."""

    number = fields.Integer()
    grant = fields.String()
    contract_year = fields.Integer()
    amount = fields.String()
    bought_on = fields.Date()
    net = Amount(attribute="net_cents")
    tax_basis_points = fields.Integer()
    tax = Amount(attribute="tax_cents")
    words = fields.String()
    added_by = fields.String()
    added_at = fields.AwareDateTime()


class ChecklistItemSchema(AnswerSchema):
    """A requirement as it stands today; `since_on` is null where nobody said how it stands."""

    key = fields.String()
    name = fields.String()
    is_met = fields.Boolean()
    is_ground_to_decline = fields.Boolean()
    is_confirmation = fields.Boolean()
    since_on = fields.Date(allow_none=True)
    words = fields.String()
    marked_by = fields.String()


class BookSchema(AnswerSchema):
    """The meters of every contract year, the newest uses, what was bought more, and the requirements."""

    id = fields.String(attribute="ref")
    currency = fields.String()
    years = fields.List(fields.Nested(ContractYearSchema))
    uses = fields.List(fields.Nested(UseSchema))
    has_more_uses = fields.Boolean()
    top_ups = fields.List(fields.Nested(TopUpSchema))
    requirements = fields.List(fields.Nested(ChecklistItemSchema))


class OptionSchema(AnswerSchema):
    """A grant that could serve, and what of it would be covered."""

    agreement = fields.String(attribute="agreement_ref")
    provider = fields.String()
    grant_key = fields.String()
    grant_name = fields.String()
    policy = fields.String(allow_none=True)
    contract_year = fields.Integer(attribute="year.number")
    amount = fields.Integer()
    covered = fields.Integer()
    billable = fields.Integer()
    meter = fields.Nested(MeterSchema, allow_none=True)


class SystemSchema(AnswerSchema):
    """A system that is at a site."""

    platform = fields.Enum(Platform, by_value=True)
    has_remote_access = fields.Boolean()
    since_on = fields.Date()


class EntitlementSchema(AnswerSchema):
    """What is covered of it, by which grant, and why, in order; `cover` names a warranty or a plan of a unit."""

    agreement = fields.String()
    as_of = fields.AwareDateTime()
    kind = fields.Enum(GrantKind, by_value=True)
    day = fields.Date()
    site = fields.String()
    source = fields.String()
    systems = fields.List(fields.Nested(SystemSchema))
    is_covered = fields.Boolean()
    amount = fields.Integer()
    covered = fields.Integer()
    billable = fields.Integer()
    by = fields.Nested(OptionSchema, allow_none=True)
    cover = fields.Nested(CoverSchema, allow_none=True)
    others = fields.List(fields.Nested(OptionSchema))
    reasons = fields.List(fields.String())


class SystemRecordSchema(AnswerSchema):
    """Something recorded of a system; `holds` says that it describes it today."""

    number = fields.Integer()
    platform = fields.Enum(Platform, by_value=True)
    since_on = fields.Date()
    is_there = fields.Boolean()
    has_remote_access = fields.Boolean()
    words = fields.String()
    recorded_by = fields.String()
    recorded_at = fields.AwareDateTime()
    holds = fields.Boolean()


class SiteSystemsSchema(AnswerSchema):
    """A site with its systems of today and all that was recorded, newest first."""

    number = fields.Integer(attribute="site.number")
    name = fields.String(attribute="site.name")
    systems = fields.List(fields.Nested(SystemSchema))
    records = fields.List(fields.Nested(SystemRecordSchema), attribute="rows")


class ProjectSystemsSchema(AnswerSchema):
    """The systems at the sites of a project."""

    id = fields.String(attribute="ref")
    sites = fields.List(fields.Nested(SiteSystemsSchema))
