"""What programs send and get of lists of installed sources."""

from __future__ import annotations

from marshmallow import fields, validate

from referral.schemakit import (
    AnswerSchema,
    Choice,
    Cursor,
    Day,
    Line,
    ModelNumber,
    QueryNumber,
    QuerySchema,
    make_limit,
)
from warranty.queries.ending import WINDOWS
from warranty.queries.listings import PLACED
from warranty.states import Lacking, Standing

WORDS_LENGTH = 100
NUMBER_LENGTH = 40
SOURCE_CURSOR = r"^U-[A-Z0-9]{3,8}-[1-9][0-9]{0,8}$"
ENDING_CURSOR = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\.U-[A-Z0-9]{3,8}-[1-9][0-9]{0,8}$"
OBLIGATION_CURSOR = r"^R-[A-Z0-9]{3,8}-[1-9][0-9]{0,8}\.[A-Z0-9]{3,8}$"
DAYS_MAX = 3_650


class SourcesQuerySchema(QuerySchema):
    """Which sources; what is missing narrows nothing. `state` is a standing, or `in_place`."""

    state = fields.String(load_default="", validate=validate.OneOf(("", PLACED, *Standing)))
    lacking = Choice(Lacking, optional=True)
    referral = Line(optional=True, longest=NUMBER_LENGTH)
    order = Line(optional=True, longest=NUMBER_LENGTH)
    project = Line(optional=True, longest=WORDS_LENGTH)
    company = Line(optional=True, longest=WORDS_LENGTH)
    model = ModelNumber(optional=True, longest=WORDS_LENGTH)
    family = Line(optional=True, longest=WORDS_LENGTH)
    serial = Line(optional=True, longest=WORDS_LENGTH)
    room = Line(optional=True, longest=WORDS_LENGTH)
    since = Day(optional=True)
    until = Day(optional=True)
    after = Cursor(SOURCE_CURSOR)
    limit = make_limit()


class ExpiringQuerySchema(QuerySchema):
    """What ends from today through `within` days on; the rest narrows as in the list of sources."""

    within = QueryNumber(minimum=0, maximum=DAYS_MAX, default=WINDOWS[0])
    referral = Line(optional=True, longest=NUMBER_LENGTH)
    project = Line(optional=True, longest=WORDS_LENGTH)
    company = Line(optional=True, longest=WORDS_LENGTH)
    model = ModelNumber(optional=True, longest=WORDS_LENGTH)
    family = Line(optional=True, longest=WORDS_LENGTH)
    room = Line(optional=True, longest=WORDS_LENGTH)
    after = Cursor(ENDING_CURSOR)
    limit = make_limit()


class ListedSourceSchema(AnswerSchema):
    """An installed source, or a counted group of alike ones. Days are the site's."""

    id = fields.String(attribute="ref")
    model_number = fields.String()
    description = fields.String()
    family = fields.String()
    quantity = fields.Integer()
    serial = fields.String()
    standing = fields.Enum(Standing, by_value=fields.String)
    is_replacement = fields.Boolean()
    referral = fields.String(attribute="referral_ref")
    project_name = fields.String()
    place = fields.String()
    order = fields.String(attribute="order_ref")
    site = fields.String()
    room = fields.String()
    dealer_name = fields.String()
    account_name = fields.String()
    shipped_on = fields.Date(allow_none=True)
    delivered_on = fields.Date(allow_none=True)
    commissioned_on = fields.Date(allow_none=True)
    gone_on = fields.Date(allow_none=True)
    starts_on = fields.Date(allow_none=True)
    ends_on = fields.Date(allow_none=True)
    lacking = fields.Enum(Lacking, by_value=fields.String, allow_none=True)


class SourcesSchema(AnswerSchema):
    """Installed sources, each dealer's newest first."""

    items = fields.List(fields.Nested(ListedSourceSchema), attribute="rows")
    next = fields.String(attribute="after", allow_none=True)


class ExpiringSchema(AnswerSchema):
    """What is in place and ends on the days from the first through the last, soonest first."""

    first_on = fields.Date()
    last_on = fields.Date()
    items = fields.List(fields.Nested(ListedSourceSchema), attribute="rows")
    next = fields.String(attribute="after", allow_none=True)


class FamilyGroupSchema(AnswerSchema):
    """A family that has no terms for the days on which its sources were ordered."""

    family = fields.String()
    sources = fields.Integer()
    units = fields.Integer()
    first_ordered_on = fields.Date()
    last_ordered_on = fields.Date()


class ProjectGroupSchema(AnswerSchema):
    """Sources of a project that wait for the same thing."""

    lacking = fields.Enum(Lacking, by_value=fields.String)
    referral = fields.String(attribute="referral_ref")
    project_name = fields.String()
    place = fields.String()
    dealer_name = fields.String()
    account_name = fields.String()
    sources = fields.Integer()
    units = fields.Integer()


class UndeterminedSchema(AnswerSchema):
    """What waits for something: families for terms, projects for days; those of the most units first."""

    families = fields.List(fields.Nested(FamilyGroupSchema))
    projects = fields.List(fields.Nested(ProjectGroupSchema))
    has_more = fields.Boolean()


class ObligationsQuerySchema(QuerySchema):
    """Whose obligations: an account's own without being named; the program names one."""

    account = Line(optional=True, longest=NUMBER_LENGTH)
    after = Cursor(OBLIGATION_CURSOR)
    limit = make_limit()


class YearObligationSchema(AnswerSchema):
    """The units whose warranty ends in a calendar year."""

    year = fields.Integer()
    units = fields.Integer()
    last_end_on = fields.Date()


class ProjectObligationSchema(AnswerSchema):
    """What one account owes in one project."""

    referral = fields.String(attribute="referral_ref")
    project_name = fields.String()
    place = fields.String()
    dealer_name = fields.String()
    account = fields.String(attribute="account_code")
    account_name = fields.String()
    units = fields.Integer()
    first_end_on = fields.Date(allow_none=True)
    last_end_on = fields.Date(allow_none=True)
    undetermined_units = fields.Integer()
    open_claims = fields.Integer()


class ObligationsSchema(AnswerSchema):
    """What is owed today, whether or not the account is qualified now; projects that end first on top."""

    account = fields.String(attribute="account_code")
    account_name = fields.String()
    is_qualified = fields.Boolean()
    qualified_to = fields.Date(allow_none=True)
    day = fields.Date()
    units = fields.Integer()
    undetermined_units = fields.Integer()
    open_claims = fields.Integer()
    years = fields.List(fields.Nested(YearObligationSchema))
    items = fields.List(fields.Nested(ProjectObligationSchema), attribute="projects")
    next = fields.String(attribute="after", allow_none=True)


class ProjectSourcesQuerySchema(QuerySchema):
    """Where the project's list continues."""

    after = Cursor(SOURCE_CURSOR)
    limit = make_limit()


class UnitCountsSchema(AnswerSchema):
    """What became of the project's units: the kinds and what has not shipped add up to ordered − cancelled."""

    ordered = fields.Integer()
    cancelled = fields.Integer()
    not_shipped = fields.Integer()
    in_place = fields.Integer()
    replaced = fields.Integer()
    retired = fields.Integer()
    voided = fields.Integer()
    replacements = fields.Integer()


class PlacedSourceSchema(AnswerSchema):
    """A source where it is in its project."""

    id = fields.String(attribute="ref")
    model_number = fields.String()
    description = fields.String()
    family = fields.String()
    quantity = fields.Integer()
    serial = fields.String()
    standing = fields.Enum(Standing, by_value=fields.String)
    is_replacement = fields.Boolean()
    order = fields.String(attribute="order_ref")
    site = fields.String()
    room = fields.String()
    starts_on = fields.Date(allow_none=True)
    ends_on = fields.Date(allow_none=True)
    gone_on = fields.Date(allow_none=True)
    lacking = fields.Enum(Lacking, by_value=fields.String, allow_none=True)
    has_open_claim = fields.Boolean()


class ProjectSourcesSchema(AnswerSchema):
    """A project's sources by site and room, with counts of all of them."""

    id = fields.String(attribute="ref")
    project_name = fields.String()
    place = fields.String()
    dealer_name = fields.String()
    account_name = fields.String()
    counts = fields.Nested(UnitCountsSchema)
    items = fields.List(fields.Nested(PlacedSourceSchema), attribute="rows")
    next = fields.String(attribute="after", allow_none=True)
