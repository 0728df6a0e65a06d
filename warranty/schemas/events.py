"""What programs send and get when something is recorded of installed sources and sites."""

from __future__ import annotations

from marshmallow import fields, validate

from referral.money import MAX_QUANTITY
from referral.schemakit import AnswerSchema, Choice, Day, HouseSchema, Line, Paragraph, WholeNumber
from warranty.states import SourceEventKind

ROOM_LENGTH = 100
SERIAL_LENGTH = 100
REASON_LENGTH = 500
LARGEST_COUNT = 1_000_000_000
REFS = 1_000
REF_LENGTH = 30


class _ReadSchema(HouseSchema):
    """`event_count` is that of the source as it was read; without it what was recorded since is not looked at."""

    event_count = WholeNumber(optional=True, minimum=1, maximum=LARGEST_COUNT)


class RecordEventSchema(_ReadSchema):
    """What happened on a day of the site: delivered, commissioned, moved, retired, voided. A move says where to."""

    kind = Choice(SourceEventKind)
    happened_on = Day()
    site_number = WholeNumber(optional=True, minimum=1, maximum=LARGEST_COUNT)
    room = Line(optional=True, longest=ROOM_LENGTH)
    reason = Paragraph(optional=True, longest=REASON_LENGTH)


class IdentifySourceSchema(_ReadSchema):
    """The serial number a unit bears, and since when that is known; today without a day."""

    serial = Line(longest=SERIAL_LENGTH)
    happened_on = Day(optional=True)


class CorrectEventSchema(_ReadSchema):
    """Why an event was wrong."""

    reason = Paragraph(optional=True, longest=REASON_LENGTH)


class SplitSourceSchema(_ReadSchema):
    """Units to be recorded apart from their group, in another room where one is said."""

    quantity = WholeNumber(minimum=1, maximum=MAX_QUANTITY)
    room = Line(optional=True, longest=ROOM_LENGTH)


class RecordSwapSchema(_ReadSchema):
    """Which unit, sent as a warranty replacement of the same order line, took the place, and when."""

    new_ref = Line(longest=REF_LENGTH)
    happened_on = Day()
    reason = Paragraph(optional=True, longest=REASON_LENGTH)


class RecordProjectEventsSchema(HouseSchema):
    """What happened to many on one day: to those of `source_refs`, or to all of a room or an order."""

    kind = Choice(SourceEventKind)
    happened_on = Day()
    site_number = WholeNumber(optional=True, minimum=1, maximum=LARGEST_COUNT)
    new_room = Line(optional=True, longest=ROOM_LENGTH)
    source_refs = fields.List(
        Line(longest=REF_LENGTH), load_default=None, validate=validate.Length(min=1, max=REFS)
    )
    room = fields.String(load_default=None, validate=validate.Length(max=ROOM_LENGTH))
    order_ref = Line(optional=True, longest=REF_LENGTH)


class AddSiteSchema(HouseSchema):
    """A place of a project, in a time zone such as America/New_York."""

    name = Line(longest=100)
    place = Line(optional=True)
    time_zone = Line(longest=60)


class RecordedSourceSchema(AnswerSchema):
    """An installed source after something was recorded of it."""

    id = fields.String(attribute="ref")
    event_count = fields.Integer()
    model_number = fields.String()
    quantity = fields.Integer()
    standing = fields.String()
    serial = fields.String()
    site_number = fields.Integer()
    room = fields.String()
    shipped_on = fields.Date(allow_none=True)
    delivered_on = fields.Date(allow_none=True)
    commissioned_on = fields.Date(allow_none=True)


class RecordedCountSchema(AnswerSchema):
    """Of how many installed sources it is new."""

    recorded = fields.Integer()


class SiteSchema(AnswerSchema):
    """A site of a project, with the units in place there."""

    number = fields.Integer()
    name = fields.String()
    place = fields.String()
    time_zone = fields.String()
    units = fields.Integer()


class SitesSchema(AnswerSchema):
    """The sites of a project."""

    items = fields.List(fields.Nested(SiteSchema), attribute="sites")
