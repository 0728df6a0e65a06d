"""What programs send and get of projects: milestones, trades, completeness."""

from __future__ import annotations

from marshmallow import fields

from referral.schemakit import Amount, AnswerSchema, Day, HouseSchema, Line, Paragraph, WholeNumber

NAME_LENGTH = 100
REASON_LENGTH = 500
MAX_VERSION = 1_000_000


class SetMilestoneSchema(HouseSchema):
    """What holds of a milestone from now on; `number` is that of the one read, 0 for the first."""

    number = WholeNumber(minimum=0, maximum=MAX_VERSION)
    planned_on = Day(optional=True)
    forecast_on = Day(optional=True)
    actual_on = Day(optional=True)
    owner = Line(optional=True, longest=NAME_LENGTH)
    slip_reason = Paragraph(optional=True, longest=REASON_LENGTH)


class AddTradeSchema(HouseSchema):
    """A trade: whom to call, for what, agreed for when."""

    trade = Line(longest=NAME_LENGTH)
    name = Line(longest=NAME_LENGTH)
    contact = Line(optional=True)
    scope = Paragraph(optional=True, longest=REASON_LENGTH)
    agreed_on = Day(optional=True)
    done_on = Day(optional=True)


class ChangeTradeSchema(AddTradeSchema):
    """The whole trade as it is from now on; `version` is the one read."""

    version = WholeNumber(minimum=1, maximum=MAX_VERSION)


class RemoveTradeSchema(HouseSchema):
    """The `version` that was read."""

    version = WholeNumber(minimum=1, maximum=MAX_VERSION)


class MilestoneSchema(AnswerSchema):
    """A milestone as it was said last; `number` 0 is one of which nothing was said."""

    kind = fields.String()
    number = fields.Integer()
    planned_on = fields.Date(attribute="days.planned_on", allow_none=True)
    forecast_on = fields.Date(attribute="days.forecast_on", allow_none=True)
    actual_on = fields.Date(attribute="days.actual_on", allow_none=True)
    owner = fields.String()
    slip_reason = fields.String()
    days_late = fields.Integer()
    standing = fields.String()


class TradeSchema(AnswerSchema):
    """A trade of a project."""

    id = fields.UUID()
    trade = fields.String()
    name = fields.String()
    contact = fields.String()
    scope = fields.String()
    agreed_on = fields.Date(allow_none=True)
    done_on = fields.Date(allow_none=True)
    version = fields.Integer()


class CompletenessLineSchema(AnswerSchema):
    """A product line in units; `credit` is null where you do not see the dealer's."""

    quote = fields.String(attribute="quote_ref")
    line_id = fields.UUID()
    model_number = fields.String()
    room = fields.String()
    currency = fields.String()
    list_price = Amount(attribute="list_price_cents")
    quoted_quantity = fields.Integer()
    approved_quantity = fields.Integer()
    ordered_quantity = fields.Integer()
    missing_quantity = fields.Integer()
    missing = Amount(attribute="missing_cents")
    shipped_quantity = fields.Integer()
    returned_quantity = fields.Integer()
    credit = Amount(attribute="credit_cents", allow_none=True)


class ProjectSchema(AnswerSchema):
    """A project with its plan, its trades and what became of what was approved."""

    id = fields.String(attribute="ref")
    state = fields.String()
    project_name = fields.String()
    place = fields.String()
    dealer = fields.String(attribute="dealer_name")
    account = fields.String(attribute="account_name")
    milestones = fields.List(fields.Nested(MilestoneSchema))
    trades = fields.List(fields.Nested(TradeSchema))
    credit_currency = fields.String()
    lines = fields.List(fields.Nested(CompletenessLineSchema))
