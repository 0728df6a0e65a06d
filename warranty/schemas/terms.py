"""What programs send and get of warranty terms."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load

from referral.schemakit import AnswerSchema, Choice, Day, HouseSchema, Line, Paragraph, Tick, WholeNumber
from warranty.rules.terms import LONGEST_DAYS, LONGEST_MONTHS, TermInput
from warranty.states import StartRule

FAMILY_LENGTH = 100


class SetTermSchema(HouseSchema):
    """Terms of a family from an order day on, with where the program says so and why they are recorded."""

    family = Line(longest=FAMILY_LENGTH)
    valid_from = Day()
    months = WholeNumber(minimum=1, maximum=LONGEST_MONTHS)
    start_rule = Choice(StartRule)
    cap_days = WholeNumber(optional=True, minimum=0, maximum=LONGEST_DAYS)
    covers_parts = Tick()
    covers_labor = Tick()
    report_days = WholeNumber(minimum=0, maximum=LONGEST_DAYS)
    replacement_days = WholeNumber(minimum=0, maximum=LONGEST_DAYS)
    source = Line()
    reason = Paragraph()

    @post_load
    def _said(self, data: dict[str, Any], **_kwargs: object) -> dict[str, TermInput]:
        return {"said": TermInput(**data)}


class TermSchema(AnswerSchema):
    """Terms as they were recorded. Of two for one first day those recorded later hold."""

    family = fields.String()
    valid_from = fields.Date()
    months = fields.Integer()
    start_rule = fields.Enum(StartRule, by_value=True)
    cap_days = fields.Integer(allow_none=True)
    covers_parts = fields.Boolean()
    covers_labor = fields.Boolean()
    report_days = fields.Integer()
    replacement_days = fields.Integer()
    source = fields.String()
    reason = fields.String()
    set_at = fields.AwareDateTime()


class TermRowSchema(AnswerSchema):
    """Terms of the history of a family."""

    term = fields.Nested(TermSchema)
    set_by = fields.String()
    until = fields.Date(allow_none=True, metadata={"description": "The first order day of the next terms."})
    is_current = fields.Boolean(metadata={"description": "Whether an order entered today has them."})
    is_replaced = fields.Boolean(metadata={"description": "Whether others hold for the same first day."})


class FamilyTermsSchema(AnswerSchema):
    """A family with every term ever recorded of it, the latest first day first."""

    family = fields.String()
    terms = fields.List(fields.Nested(TermRowSchema), attribute="rows")


class TermsSchema(AnswerSchema):
    """The terms of every family, the families of the price lists without any, and the sources still to be read."""

    items = fields.List(fields.Nested(FamilyTermsSchema), attribute="families")
    families_without_terms = fields.List(fields.String(), attribute="missing")
    sources_to_read = fields.Integer(attribute="waiting")
