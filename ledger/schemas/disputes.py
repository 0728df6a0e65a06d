"""What programs send and get of disputes."""

from __future__ import annotations

import enum
from typing import Any

from marshmallow import fields, post_load, validate

from ledger.schemas.credits import FIRST_YEAR, LAST_YEAR
from ledger.states import TOTAL_KINDS, AccountKind, DisputeOutcome, EntryKind
from referral.schemakit import (
    Amount,
    AnswerSchema,
    Choice,
    Cursor,
    Day,
    HouseSchema,
    Line,
    Paragraph,
    QuerySchema,
    SignedPrice,
    WholeNumber,
    make_limit,
)

REASON_LENGTH = 1_000
SEQUENCE_MAX = 999_999_999_999_999
DISPUTE_CURSOR = r"^D-[A-Z0-9]{3,8}-[1-9][0-9]{0,8}$"
"""The number of the last dispute of the answer before."""


class OpenDisputeSchema(HouseSchema):
    """A dispute of the posting at a place of your account; `claimed` is what it should have been."""

    dealer = Line(longest=8, attribute="dealer_code")
    year = WholeNumber(minimum=FIRST_YEAR, maximum=LAST_YEAR, attribute="program_year")
    account = Choice(AccountKind, attribute="account_kind", validate=validate.OneOf(TOTAL_KINDS))
    sequence = WholeNumber(minimum=1, maximum=SEQUENCE_MAX)
    claimed = SignedPrice(optional=True, attribute="claimed_cents")
    reason = Paragraph(longest=REASON_LENGTH)


class AnswerDisputeSchema(HouseSchema):
    """The program's answer; `amount` and `effective_on` are of the correction, and only to uphold it."""

    outcome = Choice(DisputeOutcome)
    words = Paragraph(longest=REASON_LENGTH)
    amount = SignedPrice(optional=True, attribute="amount_cents")
    effective_on = Day(optional=True)


class WithdrawDisputeSchema(HouseSchema):
    """The dealer takes it back, and may say why."""

    is_body_optional = True

    words = Paragraph(optional=True, longest=REASON_LENGTH)


class OpenedDisputeSchema(AnswerSchema):
    """The dispute as it was opened, the same whenever the request is sent again."""

    id = fields.String()
    key = fields.String(attribute="dispute.idempotency_key")
    claimed = Amount(attribute="dispute.claimed_cents", allow_none=True)
    reason = fields.String(attribute="dispute.reason")
    opened_at = fields.AwareDateTime(attribute="dispute.opened_at")
    answer_due_on = fields.Date(attribute="dispute.answer_due_on")


class AnsweredDisputeSchema(AnswerSchema):
    """The answer as it was given."""

    id = fields.String()
    outcome = fields.Enum(DisputeOutcome, by_value=True, attribute="answer.outcome")
    words = fields.String(attribute="answer.words")
    answered_at = fields.AwareDateTime(attribute="answer.answered_at")


class DisputeView(enum.StrEnum):
    """Which disputes a list holds."""

    OPEN = "open"
    SETTLED = "settled"


class ListDisputesSchema(QuerySchema):
    """Which disputes: those that are open or settled; all without `state`."""

    state = Choice(DisputeView, optional=True)
    after = Cursor(DISPUTE_CURSOR)
    limit = make_limit()

    @post_load
    def as_asked(self, said: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        """Return whether open ones are meant, None for all."""
        state = said.pop("state")
        return {**said, "is_open": None if state is None else state is DisputeView.OPEN}


class DisputedPostingSchema(AnswerSchema):
    """A posting that is disputed, or that puts another one right, with its place."""

    dealer = fields.String(attribute="dealer_code")
    year = fields.Integer(attribute="program_year")
    account = fields.Enum(AccountKind, by_value=True, attribute="account_kind")
    sequence = fields.Integer()
    kind = fields.Enum(EntryKind, by_value=True)
    source = fields.String()
    amount = Amount(attribute="amount_cents")
    effective_on = fields.Date()
    posted_at = fields.AwareDateTime()


class DisputeSchema(AnswerSchema):
    """A dispute; `outcome`, `answered_at` and `correction` are null while it is open."""

    id = fields.String(attribute="ref")
    posting = fields.Nested(DisputedPostingSchema)
    claimed = Amount(attribute="claimed_cents", allow_none=True)
    reason = fields.String()
    opened_by = fields.String()
    opened_at = fields.AwareDateTime()
    answer_due_on = fields.Date()
    outcome = fields.Enum(DisputeOutcome, by_value=True, allow_none=True)
    words = fields.String()
    answered_by = fields.String()
    answered_at = fields.AwareDateTime(allow_none=True)
    correction = fields.Nested(DisputedPostingSchema, allow_none=True)


class DisputesSchema(AnswerSchema):
    """Disputes, newest first."""

    items = fields.List(fields.Nested(DisputeSchema), attribute="rows")
    next = fields.String(attribute="after", allow_none=True)
