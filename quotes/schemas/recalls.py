"""What programs send and get of recalled prices."""

from __future__ import annotations

from marshmallow import fields, validate

from quotes.operations.recalls import MAX_MODEL_NUMBERS, REASON_LENGTH
from quotes.schemas.price_lists import MODEL_NUMBER_LENGTH
from referral.schemakit import AnswerSchema, HouseSchema, ModelNumber, Paragraph


class RecallPricesSchema(HouseSchema):
    """The model numbers of the list whose price is wrong, and why."""

    model_numbers = fields.List(
        ModelNumber(longest=MODEL_NUMBER_LENGTH),
        required=True,
        validate=validate.Length(min=1, max=MAX_MODEL_NUMBERS),
    )
    reason = Paragraph(longest=REASON_LENGTH)


class RecallSchema(AnswerSchema):
    """A recalled price; nothing is submitted, approved or ordered at it any more."""

    model_number = fields.String()
    reason = fields.String()
    by = fields.String(attribute="who")
    recalled_at = fields.AwareDateTime()


class RecallsSchema(AnswerSchema):
    """What is recalled of a list, newest first; dealers with a live quote at one of these prices, told and to tell."""

    version = fields.Integer(attribute="price_list.version")
    items = fields.List(fields.Nested(RecallSchema), attribute="rows")
    dealers_told = fields.Integer(attribute="told")
    dealers_to_tell = fields.Integer(attribute="to_tell")
