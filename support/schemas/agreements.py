"""What programs send and get of agreements."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from referral.schemakit import (
    ID_CURSOR,
    Amount,
    AnswerSchema,
    Cursor,
    Day,
    HouseSchema,
    Line,
    Paragraph,
    Price,
    QueryNumber,
    QuerySchema,
    Tick,
    WholeNumber,
    make_limit,
)
from support.queries.agreements import STANDING_WORDS
from support.rules.agreements import MOST_CHOSEN, WHOLE
from support.states import AgreementState, GrantKind

REASON_LENGTH = 500
KEY_LENGTH = 60
LONGEST_MONTHS = 600
LARGEST_VERSION = 999_999_999
MOST_SITES = 400
MOST_CHOICES = 200
MOST_YEARS = 50
LIST_CURSOR = ID_CURSOR.replace("^", "^([0-9]{4}-[0-9]{2}-[0-9]{2}_)?")


class Chosen(fields.Field[Any]):
    """What is said of a grant: a count, null for unlimited, or a tick."""

    default_error_messages = {  # noqa: RUF012 - the library's place
        "chosen": f"Send a whole number from 0 to {MOST_CHOSEN}, null for unlimited, or true or false."
    }

    def __init__(self, **kwargs: Any) -> None:
        """Take one of the three."""
        super().__init__(allow_none=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int | bool:  # noqa: ARG002 - the library's signature
        if isinstance(value, bool) or (type(value) is int and 0 <= value <= MOST_CHOSEN):
            return value
        raise self.make_error("chosen")


def _few(values: Any) -> None:
    if len(values) > MOST_CHOICES:
        raise ValidationError(f"Send at most {MOST_CHOICES} choices.")


class DraftAgreementSchema(HouseSchema):
    """An agreement as it is put together; `choices` by the key of the grant: a count, null (unlimited) or a tick."""

    offer_version = WholeNumber(minimum=1, maximum=LARGEST_VERSION, optional=True)
    customer = Line()
    sites = fields.List(
        Line(longest=KEY_LENGTH), required=True, validate=validate.Length(min=1, max=MOST_SITES)
    )
    """Each as R-HARBOR-3/1: the referral's number and the site's; 1 is the project's own place."""
    starts_on = Day()
    months = WholeNumber(minimum=1, maximum=LONGEST_MONTHS)
    choices = fields.Dict(keys=Line(longest=KEY_LENGTH), values=Chosen(), load_default=dict, validate=_few)
    license_cents = Price(optional=True, data_key="license_worth")


class BuildAgreementSchema(DraftAgreementSchema):
    """A new draft of an offer, by its key; the newest version unless one is said."""

    offer_key = Line(longest=KEY_LENGTH, data_key="offer")


class EditAgreementSchema(DraftAgreementSchema):
    """The draft anew, with the `edit_count` it was read with."""

    edit_count = WholeNumber(minimum=0, maximum=LARGEST_VERSION)


class OfferAgreementSchema(HouseSchema):
    """The net price of each contract year in order, and the tax rate in hundredths of a percent."""

    edit_count = WholeNumber(minimum=0, maximum=LARGEST_VERSION)
    net_cents = fields.List(
        Price(), required=True, data_key="net_prices", validate=validate.Length(min=1, max=MOST_YEARS)
    )
    tax_basis_points = WholeNumber(minimum=0, maximum=WHOLE)


class AcceptAgreementSchema(HouseSchema):
    """The digest of the terms that were read, the standard terms accepted, and the own name."""

    digest = Line()
    is_accepted = Tick()
    typed_name = Line()


class ReasonSchema(HouseSchema):
    """Why."""

    reason = Paragraph(optional=True, longest=REASON_LENGTH)


class TerminateAgreementSchema(ReasonSchema):
    """The last covered day, and why."""

    last_on = Day()


class RenewAgreementSchema(HouseSchema):
    """When the next one starts, the day after unless said, and how long it runs; a gap or an overlap is confirmed."""

    is_body_optional = True
    starts_on = Day(optional=True)
    months = WholeNumber(minimum=1, maximum=LONGEST_MONTHS, optional=True)
    is_confirmed = Tick(optional=True)


class ListAgreementsSchema(QuerySchema):
    """Which agreements; those that end within a number of days stand in order of their last day."""

    state = fields.String(load_default="", validate=validate.OneOf(["", *STANDING_WORDS]))
    offer = Line(optional=True, longest=KEY_LENGTH)
    customer = Line(optional=True)
    within = QueryNumber(minimum=1, maximum=3_660)
    after = Cursor(LIST_CURSOR)
    limit = make_limit()


# what goes out ----------------------------------------------------------------------------------


class AgreementRowSchema(AnswerSchema):
    """An agreement in a list; `standing` is its state, or of an accepted one: coming, active, ended."""

    id = fields.String(attribute="ref")
    state = fields.Enum(AgreementState, by_value=True)
    standing = fields.String()
    offer = fields.String(attribute="offer_key")
    offer_version = fields.Integer()
    customer = fields.String()
    dealer = fields.String(attribute="dealer_code")
    starts_on = fields.Date()
    last_on = fields.Date()
    months = fields.Integer()
    is_continued = fields.Boolean()
    made_at = fields.AwareDateTime()


class AgreementsSchema(AnswerSchema):
    """A page of agreements."""

    items = fields.List(fields.Nested(AgreementRowSchema))
    next = fields.String(allow_none=True)


class AgreementSiteSchema(AnswerSchema):
    """A site of an agreement."""

    id = fields.String()
    name = fields.String()
    place = fields.String()
    time_zone = fields.String()
    referral = fields.String()
    account = fields.String()


class AgreementGrantSchema(AnswerSchema):
    """Something that it grants; `amount` is per contract year, null without a count or a limit."""

    key = fields.String()
    kind = fields.Enum(GrantKind, by_value=True)
    name = fields.String()
    chart = fields.String()
    unit = fields.String(allow_none=True)
    amount = fields.Integer(allow_none=True)
    is_unlimited = fields.Boolean()


class AgreementPriceSchema(AnswerSchema):
    """The price of a contract year: net, and its tax apart."""

    contract_year = fields.Integer()
    first_on = fields.Date()
    last_on = fields.Date()
    net = Amount()
    tax_basis_points = fields.Integer()
    tax = Amount()


class SupportAgreementSchema(AgreementRowSchema):
    """An agreement with what it grants, where, for how much, and who accepted it."""

    edit_count = fields.Integer()
    choices = fields.Dict()
    license_worth = Amount(allow_none=True)
    sites = fields.List(fields.Nested(AgreementSiteSchema))
    grants = fields.List(fields.Nested(AgreementGrantSchema))
    prices = fields.List(fields.Nested(AgreementPriceSchema))
    currency = fields.String()
    net = Amount()
    tax = Amount()
    total = Amount()
    terms = fields.String(allow_none=True)
    """The frozen terms as canonical JSON; null while it is a draft."""
    digest = fields.String(allow_none=True)
    continues = fields.String(allow_none=True)
    continued_by = fields.String(allow_none=True)
    accepted_name = fields.String()
    accepted_at = fields.AwareDateTime(allow_none=True)
    closing_words = fields.String()
    closed_at = fields.AwareDateTime(allow_none=True)
