"""What programs send and get of warranty claims."""

from __future__ import annotations

from marshmallow import fields

from referral.money import MAX_QUANTITY
from referral.schemakit import (
    ID_CURSOR,
    AnswerSchema,
    Choice,
    Cursor,
    Day,
    HouseSchema,
    Paragraph,
    QuerySchema,
    Tick,
    WholeNumber,
    make_limit,
)
from warranty.states import ClaimState, Lacking, Verdict

REASON_LENGTH = 500


class OpenClaimSchema(HouseSchema):
    """What failed: `quantity` units of the source, all where it is null; `failed_on` is null where unknown."""

    quantity = WholeNumber(minimum=1, maximum=MAX_QUANTITY, optional=True)
    problem = Paragraph(optional=True, longest=REASON_LENGTH)
    failed_on = Day(optional=True)


class DecideClaimSchema(HouseSchema):
    """Accept or refuse; a reason is needed for what is not covered, and makes an acceptance goodwill."""

    is_accepted = Tick()
    reason = Paragraph(optional=True, longest=REASON_LENGTH)


class FulfilClaimSchema(HouseSchema):
    """By a replacement, in place since `swapped_on` where that is said; or without one, in words."""

    is_replaced = Tick()
    words = Paragraph(optional=True, longest=REASON_LENGTH)
    swapped_on = Day(optional=True)


class SwapClaimSchema(HouseSchema):
    """The day on which the replacement took the failed one's place."""

    swapped_on = Day()


class WithdrawClaimSchema(HouseSchema):
    """Why the claim is taken back."""

    reason = Paragraph(optional=True, longest=REASON_LENGTH)


class ListClaimsSchema(QuerySchema):
    """Which claims."""

    state = Choice(ClaimState, optional=True)
    after = Cursor(ID_CURSOR)
    limit = make_limit()


class ClaimRowSchema(AnswerSchema):
    """A claim of a source, all of whose units failed."""

    id = fields.String(attribute="ref")
    state = fields.Enum(ClaimState, by_value=True)
    source = fields.String(attribute="source_ref")
    quantity = fields.Integer()
    model_number = fields.String()
    referral = fields.String(attribute="referral_ref")
    project_name = fields.String()
    dealer = fields.String(attribute="dealer_code")
    account = fields.String(attribute="account_code")
    problem = fields.String()
    failed_on = fields.Date(allow_none=True)
    reported_on = fields.Date()
    opened_at = fields.AwareDateTime()
    is_goodwill = fields.Boolean()


class ClaimsSchema(AnswerSchema):
    """A page of claims, newest first."""

    items = fields.List(fields.Nested(ClaimRowSchema))
    next = fields.String(allow_none=True)


class ClaimCoverSchema(AnswerSchema):
    """One thing that covers the failure."""

    by = fields.String()
    provider = fields.String()
    parts = fields.Boolean()
    labor = fields.Boolean()
    starts_on = fields.Date()
    ends_on = fields.Date()


class ClaimAnswerSchema(AnswerSchema):
    """What coverage answers by what was recorded by `as_of`: frozen once the claim is decided."""

    is_frozen = fields.Boolean()
    as_of = fields.AwareDateTime()
    verdict = fields.Enum(Verdict, by_value=True)
    decides_on = fields.Date()
    reportable_on = fields.Date(allow_none=True)
    lacking = fields.Enum(Lacking, by_value=True, allow_none=True)
    covers = fields.List(fields.Nested(ClaimCoverSchema))
    reasons = fields.List(fields.String())


class ClaimSchema(ClaimRowSchema):
    """A claim with its answer, its decision and its replacement."""

    answer = fields.Nested(ClaimAnswerSchema)
    answer_text = fields.String(allow_none=True)
    """The kept answer as canonical JSON, null until it is decided."""
    digest = fields.String(allow_none=True)
    reason = fields.String()
    decided_by = fields.String()
    decided_at = fields.AwareDateTime(allow_none=True)
    order = fields.String()
    replacement = fields.Integer(allow_none=True)
    new_source = fields.String()
    swapped_on = fields.Date(allow_none=True)
    closing_words = fields.String()
    closed_by = fields.String()
    closed_at = fields.AwareDateTime(allow_none=True)
