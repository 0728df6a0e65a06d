"""What programs send and get of service calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from referral.schemakit import (
    AnswerSchema,
    Choice,
    Cursor,
    HouseSchema,
    Line,
    Paragraph,
    QuerySchema,
    WholeNumber,
    make_limit,
)
from support.queries.calls import CALL_TABS
from support.states import CallEventKind, CallState, DueStatus, Platform, Priority

PROBLEM_LENGTH = 1_000
WORDS_LENGTH = 1_000
LARGEST_COUNT = 1_000_000_000
MOST_USED = 100_000
REF_LENGTH = 30
UNDER_LENGTH = 100
CURSOR_LENGTH = 100
CURSOR = r"^([0-9]{8}T[0-9]{12}~[0-9a-f]{32}~[0-9]{1,18}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
"""Where a list of calls continues: what is due, the dealer and the number; of closed ones an identifier."""
FIRST_YEAR, LAST_YEAR = 2000, 2099


class Moment(fields.AwareDateTime):
    """An instant with its offset, such as "2026-11-21T22:40:00-05:00"; null is now."""

    default_error_messages = {  # noqa: RUF012 - the library's place
        "moment": 'Send an instant with its offset, such as "2026-11-21T22:40:00-05:00".'
    }

    def __init__(self) -> None:
        """Take an instant that may be missing."""
        super().__init__(format="iso", load_default=None, allow_none=True)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str):
            raise self.make_error("moment")
        try:
            moment = super()._deserialize(value, attr, data, **kwargs)
            is_near = FIRST_YEAR <= moment.astimezone(UTC).year <= LAST_YEAR
        except (ValidationError, OverflowError, ValueError) as error:
            raise self.make_error("moment") from error
        if not is_near:
            raise self.make_error("moment")
        return moment.astimezone(UTC)


class OpenCallSchema(HouseSchema):
    """Help of a unit, or at a site and a kind of system there; `under` "" takes the best commitment.

    `under` is an agreement's number, with a grant after a slash; "warranty"; or "billable".
    """

    source = Line(optional=True, longest=REF_LENGTH)
    site = Line(optional=True, longest=REF_LENGTH)
    platform = Choice(Platform, optional=True)
    under = Line(optional=True, longest=UNDER_LENGTH)
    problem = Paragraph(optional=True, longest=PROBLEM_LENGTH)
    priority = Choice(Priority, optional=True)
    happened_at = Moment()


class UsedSchema(HouseSchema):
    """What was used of a grant's quota: minutes of hours and blocks, else units."""

    grant_key = Line(longest=UNDER_LENGTH)
    asked = WholeNumber(minimum=1, maximum=MOST_USED)


class RecordCallEventSchema(HouseSchema):
    """What happened; `event_count` is that of the call as it was read."""

    event_count = WholeNumber(minimum=1, maximum=LARGEST_COUNT)
    kind = Choice(CallEventKind)
    happened_at = Moment()
    priority = Choice(Priority, optional=True)
    reason = Line(optional=True, longest=UNDER_LENGTH)
    words = Paragraph(optional=True, longest=WORDS_LENGTH)
    used = fields.Nested(UsedSchema, load_default=None, allow_none=True)


class CorrectCallEventSchema(HouseSchema):
    """Why an event was wrong."""

    event_count = WholeNumber(minimum=1, maximum=LARGEST_COUNT)
    reason = Paragraph(optional=True, longest=WORDS_LENGTH)


class ListCallsSchema(QuerySchema):
    """Which calls: those that are not closed without a `state`."""

    state = fields.String(
        load_default="",
        validate=validate.OneOf([each for each in CALL_TABS if each]),
        metadata={"example": "overdue"},
    )
    priority = Choice(Priority, optional=True)
    agreement = Line(optional=True, longest=REF_LENGTH)
    source = Line(optional=True, longest=REF_LENGTH)
    after = Cursor(CURSOR)
    limit = make_limit()


class CallRowSchema(AnswerSchema):
    """A service call, with what is due next."""

    id = fields.String(attribute="ref")
    state = fields.Enum(CallState, by_value=True)
    priority = fields.Enum(Priority, by_value=True, allow_none=True)
    problem = fields.String()
    site = fields.String(attribute="site_name")
    time_zone = fields.String()
    referral = fields.String(attribute="referral_ref")
    project_name = fields.String()
    source = fields.String(attribute="source_ref")
    platform = fields.Enum(Platform, by_value=True, allow_none=True)
    dealer = fields.String(attribute="dealer_code")
    account = fields.String(attribute="account_code")
    handler = fields.String(attribute="handler_code")
    agreement = fields.String(attribute="agreement_ref")
    opened_at = fields.AwareDateTime()
    due_at = fields.AwareDateTime(allow_none=True)
    due_name = fields.String()
    attention_at = fields.AwareDateTime(allow_none=True)
    is_paging = fields.Boolean()
    missed_count = fields.Integer()


class CallsSchema(AnswerSchema):
    """A page of calls: open ones by what is due next, closed ones newest first."""

    items = fields.List(fields.Nested(CallRowSchema))
    next = fields.String(allow_none=True)


class CallObligationSchema(AnswerSchema):
    """Something that is or was owed, with why it is due at its instant."""

    key = fields.String()
    name = fields.String()
    status = fields.Enum(DueStatus, by_value=True)
    is_soft = fields.Boolean()
    started_at = fields.AwareDateTime()
    due_at = fields.AwareDateTime(allow_none=True)
    remaining_seconds = fields.Integer(allow_none=True)
    decided_by = fields.Integer(allow_none=True)
    decided_at = fields.AwareDateTime(allow_none=True)
    why = fields.List(fields.String())


class CallEventSchema(AnswerSchema):
    """Something recorded of a call; one that is struck out counts no more."""

    number = fields.Integer()
    kind = fields.Enum(CallEventKind, by_value=True)
    happened_at = fields.AwareDateTime()
    recorded_at = fields.AwareDateTime()
    recorded_by = fields.String()
    priority = fields.Enum(Priority, by_value=True, allow_none=True)
    voids = fields.Integer(allow_none=True)
    reason = fields.String()
    words = fields.String()
    is_struck = fields.Boolean()


class CallEntitlementSchema(AnswerSchema):
    """What the call was entitled to when it was opened; it never changes."""

    kind = fields.String()
    name = fields.String()
    grant = fields.String()
    policy = fields.String()
    calendar = fields.String()
    covered = fields.Integer()
    billable = fields.Integer()
    reasons = fields.List(fields.String())
    as_of = fields.AwareDateTime()


class CallSchema(CallRowSchema):
    """A call with its obligations as of now, its events and its entitlement."""

    event_count = fields.Integer()
    as_of = fields.AwareDateTime()
    obligations = fields.List(fields.Nested(CallObligationSchema))
    events = fields.List(fields.Nested(CallEventSchema))
    entitlement = fields.Nested(CallEntitlementSchema)
    next_kinds = fields.List(fields.Enum(CallEventKind, by_value=True))
    visit = fields.String()
