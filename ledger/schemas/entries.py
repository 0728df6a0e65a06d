"""What programs get of one posting with its explanation, and of a dealer's projection."""

from __future__ import annotations

from marshmallow import fields

from ledger.schemas.credits import CreditAccountSchema
from ledger.states import AccountKind, EntryKind
from referral.money import format_exchange_rate, format_rate
from referral.schemakit import Amount, AnswerSchema


class PlaceSchema(AnswerSchema):
    """Another posting that belongs to this one."""

    dealer = fields.String(attribute="dealer_code")
    year = fields.Integer(attribute="program_year")
    kind = fields.Enum(AccountKind, by_value=True, attribute="account_kind")
    sequence = fields.Integer()
    amount = Amount(attribute="amount_cents")
    source = fields.String()


class SideSchema(AnswerSchema):
    """One of the two accounts an entry is posted to; `digest` chains to `previous_digest`."""

    kind = fields.Enum(AccountKind, by_value=True, attribute="account_kind")
    sequence = fields.Integer()
    amount = Amount(attribute="amount_cents")
    balance_before = Amount(attribute="before_cents")
    balance = Amount(attribute="balance_cents")
    digest = fields.String()
    previous_digest = fields.String()


class ExplainedLineSchema(AnswerSchema):
    """A line's arithmetic; `exact` is the product before it is rounded."""

    model_number = fields.String()
    description = fields.String()
    quantity = fields.Integer()
    list_price = Amount(attribute="list_price_cents")
    credit_rate = fields.Function(lambda line: format_rate(line.credit_rate), metadata={"type": "string"})
    exchange_rate = fields.Function(
        lambda line: None if line.exchange_rate is None else format_exchange_rate(line.exchange_rate),
        metadata={"type": ["string", "null"]},
    )
    exact = fields.String()
    credit = Amount(attribute="credit_cents")
    formula = fields.String()


class ExplanationSchema(AnswerSchema):
    """What stands behind the posting of an order, a cancellation or a return."""

    what = fields.String()
    order = fields.String(attribute="order_ref")
    quote = fields.String(attribute="quote_ref")
    revision = fields.Integer()
    price_list = fields.Integer(attribute="price_list_version")
    currency = fields.String()
    lines = fields.List(fields.Nested(ExplainedLineSchema))
    approved_by = fields.String()
    approved_at = fields.AwareDateTime()
    approval_digest = fields.String()
    entered_by = fields.String()
    entered_at = fields.AwareDateTime()
    reason = fields.String()


class EntrySchema(AnswerSchema):
    """One posting with both its places; `explanation` is null where nothing but the reason stands behind it."""

    account = fields.Nested(CreditAccountSchema, attribute="account")
    kind = fields.Enum(EntryKind, by_value=True)
    source = fields.String()
    source_digest = fields.String()
    reason = fields.String(attribute="memo")
    posted_by = fields.String(attribute="actor")
    posted_at = fields.AwareDateTime()
    effective_on = fields.Date()
    currency = fields.String()
    own = fields.Nested(SideSchema)
    issuance = fields.Nested(SideSchema)
    takes_back = fields.Nested(PlaceSchema, allow_none=True)
    taken_back_by = fields.List(fields.Nested(PlaceSchema))
    explanation = fields.Nested(ExplanationSchema, allow_none=True)


class StageSchema(AnswerSchema):
    """One step: what it adds, the total with the steps before it, and the level of that."""

    name = fields.String()
    adds = Amount(attribute="added_cents")
    total = Amount(attribute="total_cents")
    level = fields.String(attribute="standing.level.name", allow_none=True, dump_default=None)
    next_level = fields.String(attribute="standing.next_level.name", allow_none=True, dump_default=None)
    missing = Amount(attribute="standing.missing_cents")
    quotes = fields.Integer()
    valid_until = fields.Date(allow_none=True)
    days_left = fields.Integer()


class ProjectionSchema(AnswerSchema):
    """A dealer's program year: posted, committed (approved, not ordered), forecast (waiting for approval)."""

    dealer = fields.String(attribute="dealer_code")
    year = fields.Integer(attribute="year.program_year")
    level_year = fields.Integer(attribute="year.level_year")
    currency = fields.String()
    on = fields.Date(attribute="today")
    days_left = fields.Integer()
    stages = fields.List(fields.Nested(StageSchema))
