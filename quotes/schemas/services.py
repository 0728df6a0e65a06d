"""What the API takes and answers about offers for services."""

from __future__ import annotations

from marshmallow import fields, validate

from quotes.rules.diff import Change
from quotes.schemas.quotes import SERVICES_MAX, QuotedServiceSchema, ServiceSchema
from quotes.states import ServicesState, Side
from referral.schemakit import Amount, AnswerSchema, HouseSchema, Paragraph, WholeNumber

OFFER_NUMBER_MAX = 999_999
NOTE_LENGTH = 1_000


class ServiceChangeSchema(AnswerSchema):
    """A service against the offer before."""

    change = fields.Enum(Change, by_value=True)
    before = fields.Nested(QuotedServiceSchema, allow_none=True)
    after = fields.Nested(QuotedServiceSchema, allow_none=True)


class OfferSchema(AnswerSchema):
    """An offer of one side, and how it differs from the one before."""

    number = fields.Integer()
    side = fields.Enum(Side, by_value=True)
    made_by = fields.String(attribute="by")
    made_at = fields.AwareDateTime()
    note = fields.String()
    total = Amount(attribute="total_cents")
    services = fields.List(fields.Nested(QuotedServiceSchema))
    changes = fields.List(fields.Nested(ServiceChangeSchema))
    is_agreed = fields.Boolean()


class AgreementSchema(AnswerSchema):
    """Who agreed to which offer."""

    offer = fields.Integer(attribute="offer_number")
    side = fields.Enum(Side, by_value=True)
    agreed_by = fields.String(attribute="by")
    agreed_at = fields.AwareDateTime()


class OffersSchema(AnswerSchema):
    """Every offer for the services of a revision, oldest first; `agreed` is null until one is agreed to."""

    services_state = fields.Enum(ServicesState, by_value=True, attribute="state")
    offers = fields.List(fields.Nested(OfferSchema))
    agreed = fields.Nested(AgreementSchema, allow_none=True)
    may_agree = fields.Boolean()
    may_counter = fields.Boolean(attribute="may_answer")


class CounterServicesSchema(HouseSchema):
    """Another offer: every service with its price, and the number of the newest offer you read."""

    offer_number = WholeNumber(minimum=1, maximum=OFFER_NUMBER_MAX, data_key="offer")
    services = fields.List(
        fields.Nested(ServiceSchema), required=True, validate=validate.Length(max=SERVICES_MAX)
    )
    note = Paragraph(optional=True, longest=NOTE_LENGTH)


class AgreeServicesSchema(HouseSchema):
    """The number of the offer you read and agree to."""

    offer_number = WholeNumber(minimum=1, maximum=OFFER_NUMBER_MAX, data_key="offer")
