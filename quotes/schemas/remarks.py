"""What programs send and get of remarks."""

from __future__ import annotations

from marshmallow import fields

from quotes.operations.remarks import REMARK_LENGTH
from referral.schemakit import AnswerSchema, HouseSchema, Id, Paragraph


class AddRemarkSchema(HouseSchema):
    """What is said; `line_id` names the line it is about, without it it is about the whole revision."""

    line_id = Id(optional=True)
    text = Paragraph(longest=REMARK_LENGTH)


class AddedRemarkSchema(AnswerSchema):
    """The remark."""

    id = fields.UUID()
    line_id = fields.UUID(allow_none=True)
    text = fields.String()
    made_at = fields.AwareDateTime()


class RemarkRowSchema(AddedRemarkSchema):
    """A remark of either side; `is_request` is one made when the revision was sent back."""

    model_number = fields.String()
    room = fields.String()
    is_request = fields.Boolean()
    by = fields.String(attribute="who")
    company = fields.String()


class RemarksSchema(AnswerSchema):
    """The thread of a revision, oldest first; it is never cut."""

    items = fields.List(fields.Nested(RemarkRowSchema))
    next = fields.String(allow_none=True)
