"""What programs send and get of price lists."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from quotes.queries.price_lists import NewItem
from quotes.rules.hints import LONGEST as GOES_WITH_LENGTH
from quotes.rules.hints import NotUnderstood, parse_goes_with, write_goes_with
from quotes.states import Category
from referral.schemakit import (
    Amount,
    AnswerSchema,
    Choice,
    Currency,
    Cursor,
    Day,
    HouseSchema,
    Line,
    ModelNumber,
    Price,
    QuerySchema,
    make_limit,
)

ITEMS_MAX = 20_000
MODEL_NUMBER_LENGTH = 60
SHORT_LENGTH = 60
MODEL_NUMBER_CURSOR = r"^\S{1,60}$"


class PriceListSchema(AnswerSchema):
    """A version of the list prices of a currency; valid through `valid_to`, null for the last one."""

    version = fields.Integer()
    currency = fields.String()
    valid_from = fields.Date()
    valid_to = fields.Date(allow_none=True)
    is_current = fields.Boolean()
    item_count = fields.Integer()
    source = fields.String()
    published_at = fields.AwareDateTime()


class PriceListsSchema(AnswerSchema):
    """Every version, newest first; the list is never cut."""

    items = fields.List(fields.Nested(PriceListSchema))
    next = fields.String(allow_none=True)


class ListItemsSchema(QuerySchema):
    """Which items: those that have all words in model number, description or family."""

    words = Line(optional=True)
    after = Cursor(MODEL_NUMBER_CURSOR)
    limit = make_limit()

    @post_load
    def begin(self, said: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        """Begin before the first model number."""
        return {**said, "after": said["after"] or ""}


class PriceItemSchema(AnswerSchema):
    """An item with its list price."""

    model_number = fields.String()
    description = fields.String()
    family = fields.String()
    category = fields.Enum(Category, by_value=True)
    unit = fields.String()
    list_price = Amount(attribute="list_price_cents")
    goes_with = fields.String()


class PriceItemsSchema(AnswerSchema):
    """Items by model number."""

    items = fields.List(fields.Nested(PriceItemSchema))
    next = fields.String(attribute="after", allow_none=True)


class NewItemSchema(HouseSchema):
    """An item of a new version; `goes_with` is what it needs beside it, like "trim: MODEL-1 | MODEL-2"."""

    model_number = ModelNumber(longest=MODEL_NUMBER_LENGTH)
    description = Line()
    family = Line(optional=True, longest=SHORT_LENGTH)
    category = Choice(Category)
    unit = Line(longest=SHORT_LENGTH)
    list_price_cents = Price(data_key="list_price")
    goes_with = Line(optional=True, longest=GOES_WITH_LENGTH)

    @post_load
    def make(self, said: dict[str, Any], **_kwargs: object) -> NewItem:
        """Return the item. Raises ValidationError where its needs cannot be read."""
        try:
            needs = parse_goes_with(said["goes_with"])
        except NotUnderstood as error:
            raise ValidationError({"goes_with": [f"{error}."]}) from error
        return NewItem(**{**said, "goes_with": write_goes_with(needs)})


class PublishPriceListSchema(HouseSchema):
    """A whole version: valid from when, where it comes from, each item once; in the program's currency by default."""

    valid_from = Day()
    currency = Currency(optional=True)
    source = Line()
    items = fields.List(
        fields.Nested(NewItemSchema), required=True, validate=validate.Length(min=1, max=ITEMS_MAX)
    )

    @validates_schema
    def each_once(self, said: dict[str, Any], **_kwargs: object) -> None:
        """Refuse a model number that stands twice, at its second place."""
        seen: set[str] = set()
        for index, item in enumerate(said["items"]):
            if item.model_number in seen:
                raise ValidationError(
                    {"items": {index: {"model_number": ["This model number stands twice."]}}}
                )
            seen.add(item.model_number)


class PublishedPriceListSchema(AnswerSchema):
    """The new version."""

    version = fields.Integer()
    valid_from = fields.Date()
    item_count = fields.Integer()
    currency = fields.String()
    source = fields.String()
    source_sha256 = fields.String()
    published_at = fields.AwareDateTime()
