"""What programs send and get of visits."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Any

from marshmallow import fields, validate

from referral.schemakit import (
    ID_CURSOR,
    AnswerSchema,
    Choice,
    Cursor,
    Day,
    HouseSchema,
    Id,
    Line,
    Paragraph,
    QuerySchema,
    WholeNumber,
    make_limit,
)
from support.rules.slots import MOST_SLOTS
from support.states import VisitState

REASON_LENGTH = 500
WORDS_LENGTH = 1_000
NAME_LENGTH = 100
KEY_LENGTH = 100
LONGEST_WORDS = 100
MOST_PURPOSES = 40
MOST_POINTS = 400
POINT_LENGTH = 500
LARGEST_COUNT = 1_000_000_000
MOST_YEARS = 50
TIME_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
MONTH_PATTERN = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
PLACE_PATTERN = r"^[0-9T:+.-]{25,32}_V-[A-Z0-9]{3,8}-[1-9][0-9]{0,8}$"


class TimeOfDay(fields.String):
    """A time of day as "09:00"."""

    default_error_messages = {"time": 'Send a time of day such as "09:00".'}  # noqa: RUF012 - the library's place

    def __init__(self, **kwargs: Any) -> None:
        """Take hours and minutes."""
        super().__init__(required=True, metadata={"pattern": TIME_PATTERN, "example": "09:00"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # a time
        if not isinstance(value, str) or not re.fullmatch(TIME_PATTERN[1:-1], value, re.ASCII):
            raise self.make_error("time")
        return time.fromisoformat(super()._deserialize(value, attr, data, **kwargs))


class Month(fields.String):
    """A month as "2026-05"; loads as its first day."""

    default_error_messages = {"month": 'Send a month such as "2026-05".'}  # noqa: RUF012 - the library's place

    def __init__(self, **kwargs: Any) -> None:
        """Take a month from 2000 to 2099; None where it is missing."""
        super().__init__(load_default=None, metadata={"pattern": MONTH_PATTERN}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # a date
        if not isinstance(value, str) or not re.fullmatch(MONTH_PATTERN[1:-1], value, re.ASCII):
            raise self.make_error("month")
        return date.fromisoformat(f"{super()._deserialize(value, attr, data, **kwargs)}-01")


def _lines(longest: int, most: int) -> fields.List[str]:
    return fields.List(Line(longest=longest), load_default=list, validate=validate.Length(max=most))


class _DateSchema(HouseSchema):
    """When and where a visit is, in wall times of the site, and for what."""

    site_id = Id()
    day = Day()
    starts = TimeOfDay()
    ends = TimeOfDay()
    purposes = _lines(KEY_LENGTH, MOST_PURPOSES)
    words = Paragraph(optional=True, longest=WORDS_LENGTH)


class PlanVisitSchema(_DateSchema):
    """A slot gets its date: the first that is free where `contract_year` or `slot` are null."""

    grant_key = Line(longest=KEY_LENGTH)
    contract_year = WholeNumber(minimum=1, maximum=MOST_YEARS, optional=True)
    slot = WholeNumber(minimum=1, maximum=MOST_SLOTS, optional=True)


class MoveVisitSchema(_DateSchema):
    """Another date; `sequence` is that of the visit as it was read, null does not ask."""

    sequence = WholeNumber(minimum=0, maximum=LARGEST_COUNT, optional=True)


class CancelVisitSchema(HouseSchema):
    """Why the visit does not take place."""

    sequence = WholeNumber(minimum=0, maximum=LARGEST_COUNT, optional=True)
    reason = Paragraph(optional=True, longest=REASON_LENGTH)


class ConvertVisitSchema(HouseSchema):
    """The emergency that a remote session is needed for."""

    sequence = WholeNumber(minimum=0, maximum=LARGEST_COUNT, optional=True)
    problem = Paragraph(optional=True, longest=REASON_LENGTH)


class SignOffVisitSchema(HouseSchema):
    """What was done, which points were checked, and who signed for the customer."""

    sequence = WholeNumber(minimum=0, maximum=LARGEST_COUNT, optional=True)
    report = Paragraph(optional=True, longest=WORDS_LENGTH * 4)
    checked = _lines(POINT_LENGTH, MOST_POINTS)
    signed_name = Line(optional=True, longest=NAME_LENGTH)


class ListVisitsSchema(QuerySchema):
    """Which visits."""

    state = Choice(VisitState, optional=True)
    month = Month()
    project = Line(optional=True, longest=LONGEST_WORDS)
    after = Cursor(PLACE_PATTERN)
    limit = make_limit()


class ListVisitsToPlanSchema(QuerySchema):
    """Which visits without a date."""

    project = Line(optional=True, longest=LONGEST_WORDS)
    after = Cursor(ID_CURSOR)
    limit = make_limit()


class VisitRowSchema(AnswerSchema):
    """A visit; its instants are in UTC, `when` says them as it is at the site."""

    id = fields.String(attribute="ref")
    state = fields.Enum(VisitState, by_value=True)
    agreement = fields.String(attribute="agreement_ref")
    customer = fields.String()
    grant_key = fields.String()
    contract_year = fields.Integer()
    slot = fields.Integer()
    purposes = fields.List(fields.String())
    site = fields.String(attribute="site_name")
    time_zone = fields.String()
    starts_at = fields.AwareDateTime()
    ends_at = fields.AwareDateTime()
    when = fields.String()
    referral = fields.String(attribute="referral_ref")
    project_name = fields.String()
    dealer = fields.String(attribute="dealer_code")
    account = fields.String(attribute="account_code")
    sequence = fields.Integer()


class VisitsSchema(AnswerSchema):
    """A page of visits."""

    items = fields.List(fields.Nested(VisitRowSchema))
    next = fields.String(allow_none=True)


class VisitEventSchema(AnswerSchema):
    """Something that happened to a visit."""

    what = fields.String()
    at = fields.AwareDateTime()
    by = fields.String()
    note = fields.String()


class VisitSchema(VisitRowSchema):
    """A visit with its checklist, its report and its history."""

    site_id = fields.UUID()
    words = fields.String()
    checklist = fields.List(fields.String())
    checked = fields.List(fields.String())
    report = fields.String()
    signed_name = fields.String()
    done_at = fields.AwareDateTime(allow_none=True)
    is_billable = fields.Boolean()
    closing_words = fields.String()
    call = fields.String()
    """The remote session it became; empty otherwise."""
    history = fields.List(fields.Nested(VisitEventSchema))


class VisitToPlanSchema(AnswerSchema):
    """Visits of one kind in one contract year without a date, or scheduled work; `slot` is the first of them."""

    agreement = fields.String(attribute="agreement_ref")
    customer = fields.String()
    what = fields.String()
    grant_key = fields.String()
    contract_year = fields.Integer()
    slot = fields.Integer()
    undated = fields.Integer()
    whole = fields.Integer()
    first_on = fields.Date()
    due_on = fields.Date()
    why = fields.String()
    is_late = fields.Boolean()
    is_scheduled = fields.Boolean()


class VisitsToPlanSchema(AnswerSchema):
    """A page of what is to plan."""

    items = fields.List(fields.Nested(VisitToPlanSchema))
    next = fields.String(allow_none=True)
