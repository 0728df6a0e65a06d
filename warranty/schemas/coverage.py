"""What programs send and get of installed sources and their coverage."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from marshmallow import fields

from referral.formkit import EARLIEST_DAY, LATEST_DAY
from referral.schemakit import DAY_PATTERN, AnswerSchema, Day, QuerySchema
from warranty.states import ClaimState, Lacking, SourceEventKind, Standing, StartRule, Verdict

INSTANT_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2}))?$"
)


class DayOrInstant(fields.String):
    """A day as 2026-11-21, or an instant as 2026-11-21T16:05:00Z, from 2000 to 2099; None where it is missing."""

    default_error_messages = {  # noqa: RUF012 - the library's place
        "instant": "Send a day such as 2026-11-21, or an instant such as 2026-11-21T16:05:00Z, from 2000 to 2099."
    }

    def __init__(self, **kwargs: Any) -> None:
        """Take either."""
        super().__init__(load_default=None, metadata={"pattern": INSTANT_PATTERN}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - the library's signature
        if not isinstance(value, str) or not re.fullmatch(INSTANT_PATTERN[1:-1], value, re.ASCII):
            raise self.make_error("instant")
        is_day = re.fullmatch(DAY_PATTERN[1:-1], value, re.ASCII) is not None
        try:
            said = date.fromisoformat(value) if is_day else datetime.fromisoformat(value)
        except ValueError as error:
            raise self.make_error("instant") from error
        if not EARLIEST_DAY <= (said if is_day else datetime.date(said)) <= LATEST_DAY:  # type: ignore[arg-type] # an instant here
            raise self.make_error("instant")
        return said


class AskCoverageSchema(QuerySchema):
    """A question: `failed_on` is missing where unknown, `reported_on` is else the day of `as_of`, `as_of` now."""

    as_of = DayOrInstant()
    failed_on = Day(optional=True)
    reported_on = Day(optional=True)


class CoverSchema(AnswerSchema):
    """One thing that covers the failure: `by` the warranty or a plan, owed by `provider`."""

    by = fields.String()
    provider = fields.String()
    parts = fields.Boolean()
    labor = fields.Boolean()
    starts_on = fields.Date()
    ends_on = fields.Date()


class SiteThenSchema(AnswerSchema):
    """Where the source was on the day that decides; days are of its time zone."""

    name = fields.String()
    place = fields.String()
    time_zone = fields.String()
    room = fields.String()


class TermUsedSchema(AnswerSchema):
    """The warranty terms that the answer rests on, and where they come from."""

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
    set_at = fields.AwareDateTime()


class LaterRecordSchema(AnswerSchema):
    """Something of a day before that was recorded only after `as_of`; it is no part of the answer."""

    what = fields.String()
    happened_on = fields.Date()
    recorded_at = fields.AwareDateTime()


class CoverageSchema(AnswerSchema):
    """Whether the failure is covered, by what (the first of `covers`; the others too), and why.

    `limit_on` is the last day a support plan can cover it, null where the end of its warranty is unknown.
    `known_now` says the answer with all that was recorded since, where that is another one.
    """

    source = fields.String()
    as_of = fields.AwareDateTime()
    failed_on = fields.Date(allow_none=True)
    reported_on = fields.Date()
    decides_on = fields.Date()
    verdict = fields.Enum(Verdict, by_value=True)
    words = fields.List(fields.String())
    reasons = fields.List(fields.String())
    covers = fields.List(fields.Nested(CoverSchema))
    warranty_starts_on = fields.Date(allow_none=True)
    warranty_ends_on = fields.Date(allow_none=True)
    limit_on = fields.Date(allow_none=True)
    reportable_on = fields.Date(allow_none=True)
    lacking = fields.Enum(Lacking, by_value=True, allow_none=True)
    site = fields.Nested(SiteThenSchema, allow_none=True)
    terms = fields.Nested(TermUsedSchema, allow_none=True)
    recorded_later = fields.List(fields.Nested(LaterRecordSchema))
    known_now = fields.List(fields.String())


class SourceEventSchema(AnswerSchema):
    """Something recorded of a source. One that `is_struck` was corrected, and counts no more."""

    number = fields.Integer()
    kind = fields.Enum(SourceEventKind, by_value=True)
    words = fields.String(attribute="what")
    happened_on = fields.Date()
    reason = fields.String()
    recorded_by = fields.String()
    recorded_at = fields.AwareDateTime()
    is_inherited = fields.Boolean()
    is_struck = fields.Boolean()


class SourceClaimSchema(AnswerSchema):
    """A claim of the source."""

    id = fields.String(attribute="ref")
    state = fields.Enum(ClaimState, by_value=True)
    opened_at = fields.AwareDateTime()


class SourceSchema(AnswerSchema):
    """An installed source as it is now, with its coverage today and everything recorded of it, newest first."""

    id = fields.String()
    model_number = fields.String()
    description = fields.String()
    family = fields.String()
    quantity = fields.Integer()
    standing = fields.Enum(Standing, by_value=True)
    serial = fields.String()
    site = fields.String()
    room = fields.String()
    referral = fields.String()
    order = fields.String()
    account = fields.String()
    ordered_on = fields.Date()
    shipped_on = fields.Date(allow_none=True)
    delivered_on = fields.Date(allow_none=True)
    commissioned_on = fields.Date(allow_none=True)
    gone_on = fields.Date(allow_none=True)
    replaces = fields.String(allow_none=True)
    split_from = fields.String(allow_none=True)
    event_count = fields.Integer()
    coverage = fields.Nested(CoverageSchema)
    events = fields.List(fields.Nested(SourceEventSchema))
    claims = fields.List(fields.Nested(SourceClaimSchema))
