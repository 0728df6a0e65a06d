"""What programs get of offers and service calendars."""

from __future__ import annotations

from marshmallow import fields

from referral.schemakit import AnswerSchema
from support.states import Choice, GrantKind, Platform, QuotaUnit


class SubLimitAnswerSchema(AnswerSchema):
    """A limit within each one that is used."""

    name = fields.String()
    amount = fields.Integer()


class QuotaAnswerSchema(AnswerSchema):
    """How much there is in a contract year; null is unlimited, or what the agreement says of a counted grant."""

    unit = fields.Enum(QuotaUnit, by_value=True)
    amount = fields.Integer(allow_none=True)
    limits = fields.List(fields.Nested(SubLimitAnswerSchema))


class GrantAnswerSchema(AnswerSchema):
    """One thing that an offer grants."""

    key = fields.String()
    kind = fields.Enum(GrantKind, by_value=True)
    name = fields.String()
    words = fields.String()
    chart = fields.String(metadata={"description": "The heading it stands under."})
    choice = fields.Enum(
        Choice,
        by_value=True,
        metadata={"description": "Whether it belongs to the offer, or is counted or ticked by an agreement."},
    )
    families = fields.List(fields.String(), metadata={"description": "Empty is all."})
    platforms = fields.List(fields.Enum(Platform, by_value=True), metadata={"description": "Empty is all."})
    needs_remote_access = fields.Boolean()
    needs_confirmation = fields.Boolean()
    quota = fields.Nested(QuotaAnswerSchema, allow_none=True)
    policy = fields.String(allow_none=True)
    purposes = fields.List(fields.String())
    windows = fields.String(allow_none=True)
    place = fields.String()


class RequirementAnswerSchema(AnswerSchema):
    """Something the customer sees to."""

    key = fields.String()
    name = fields.String()
    is_ground_to_decline = fields.Boolean()


class ScheduleAnswerSchema(AnswerSchema):
    """Work that comes due by itself: days or months after the start, or after a done visit of a grant."""

    key = fields.String()
    name = fields.String()
    after = fields.String()
    days = fields.Integer()
    months = fields.Integer()
    is_remote = fields.Boolean()


class ChecklistAnswerSchema(AnswerSchema):
    """What is checked on a visit for a purpose."""

    purpose = fields.String()
    points = fields.List(fields.String())


class ServiceOfferSchema(AnswerSchema):
    """A version of an offer, with the grants of the offers it includes."""

    key = fields.String()
    version = fields.Integer()
    name = fields.String()
    words = fields.String()
    source = fields.String()
    is_sold = fields.Boolean()
    includes = fields.List(fields.String())
    excluded = fields.List(fields.String())
    calendar = fields.String()
    policies = fields.List(fields.String())
    longest_months = fields.Integer()
    whole_years = fields.Boolean()
    platforms = fields.List(fields.Enum(Platform, by_value=True))
    above_cents = fields.Integer(
        allow_none=True, metadata={"description": "Sold only where licenses are worth more than these cents."}
    )
    grants = fields.List(fields.Nested(GrantAnswerSchema))
    requirements = fields.List(fields.Nested(RequirementAnswerSchema))
    schedules = fields.List(fields.Nested(ScheduleAnswerSchema))
    checklists = fields.List(fields.Nested(ChecklistAnswerSchema))


class ServiceOffersSchema(AnswerSchema):
    """Every offer, by name."""

    items = fields.List(fields.Nested(ServiceOfferSchema))


class EntryVersionSchema(AnswerSchema):
    """A version of an entry of the catalogue."""

    version = fields.Integer()
    name = fields.String()
    reason = fields.String()
    loaded_by = fields.String(allow_none=True, metadata={"description": "null is the command line."})
    loaded_at = fields.AwareDateTime()


class ServiceOfferPageSchema(AnswerSchema):
    """An offer with its versions, newest first."""

    offer = fields.Nested(ServiceOfferSchema)
    versions = fields.List(fields.Nested(EntryVersionSchema))


class ClosedDayAnswerSchema(AnswerSchema):
    """A day that is closed."""

    day = fields.Date()
    name = fields.String()


class ServiceCalendarSchema(AnswerSchema):
    """The newest version of a service calendar."""

    key = fields.String(attribute="row.key")
    version = fields.Integer(attribute="row.version")
    name = fields.String(attribute="row.name")
    words = fields.String(attribute="row.words")
    assumption = fields.String(attribute="row.assumption")
    source = fields.String()
    zone = fields.String(
        attribute="row.zone", metadata={"description": "A time zone, or `site`: that of the site."}
    )
    hours = fields.List(fields.String(), attribute="row.hours")
    observed = fields.String()
    closed = fields.List(
        fields.Nested(ClosedDayAnswerSchema),
        attribute="closed_days",
        metadata={"description": "Of this year and the next."},
    )


class ServiceCalendarsSchema(AnswerSchema):
    """Every service calendar, by name."""

    items = fields.List(fields.Nested(ServiceCalendarSchema))
