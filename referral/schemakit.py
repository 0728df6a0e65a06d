"""Fields that read what programs send the one way the house reads it, and the bases of every schema.

Input is strict: a field nobody knows, a number where a text belongs, or 1.5 where a whole number belongs is
refused and named. Texts are cleaned as forms clean them. Answers name every field they have.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, TypeVar

from marshmallow import RAISE, Schema, fields, validate

from referral.formkit import EARLIEST_DAY, LATEST_DAY, LINE_LENGTH, PARAGRAPH_LENGTH
from referral.money import MAX_CENTS, NotANumber, format_exchange_rate, format_plain, parse_cents
from referral.text import clean_line, clean_paragraphs, fold_model_number

PAGE_LIMIT = 50
"""Items in one answer of a list unless `limit` says otherwise."""
PAGE_LIMIT_MAX = 200
PASSWORD_LENGTH = 200

PRICE_PATTERN = r"^[0-9]{1,11}\.[0-9]{2}$"
SIGNED_PRICE_PATTERN = r"^-?[0-9]{1,11}\.[0-9]{2}$"
AMOUNT_PATTERN = r"^-?[0-9]+\.[0-9]{2}$"
CURRENCY_PATTERN = r"^[A-Z]{3}$"
EXCHANGE_RATE_PATTERN = r"^[0-9]+\.[0-9]{4,6}$"
DAY_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

Member = TypeVar("Member", bound=enum.StrEnum)


class HouseSchema(Schema):
    """The base of what comes in: every field is named here, and any other is refused."""

    is_body_optional: ClassVar[bool] = False
    """Whether a request without a body says as much as one with an empty object."""

    class Meta:
        """A field nobody knows is refused."""

        unknown = RAISE

    error_messages = {"unknown": "There is no such field.", "type": "Send an object."}  # noqa: RUF012 - the library's place


class AnswerSchema(HouseSchema):
    """The base of what goes out: every field is always there, null where there is nothing to say."""

    def on_bind_field(self, _field_name: str, field_obj: fields.Field[Any]) -> None:
        """Document each field as one that is there."""
        field_obj.required = True


class QuerySchema(HouseSchema):
    """The base of query strings; a parameter that is misspelt or repeated is refused."""

    error_messages = {"unknown": "There is no such parameter."}  # noqa: RUF012 - the library's place


def _keywords(given: Mapping[str, Any], *, optional: bool, default: object) -> dict[str, Any]:
    """Return a field's keyword arguments: needed, or with a default."""
    return {**given, "load_default": default} if optional else {**given, "required": True}


# what comes in ----------------------------------------------------------------------------------


class Line(fields.String):
    """One cleaned line of text; '' where optional and missing."""

    def __init__(self, *, optional: bool = False, longest: int = LINE_LENGTH, **kwargs: Any) -> None:
        """Take at most `longest` characters."""
        length = validate.Length(min=None if optional else 1, max=longest)
        super().__init__(validate=length, **_keywords(kwargs, optional=optional, default=""))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return clean_line(super()._deserialize(value, attr, data, **kwargs))


class Paragraph(fields.String):
    """Several cleaned lines of text; '' where optional and missing."""

    def __init__(self, *, optional: bool = False, longest: int = PARAGRAPH_LENGTH, **kwargs: Any) -> None:
        """Take at most `longest` characters."""
        length = validate.Length(min=None if optional else 1, max=longest)
        super().__init__(validate=length, **_keywords(kwargs, optional=optional, default=""))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return clean_paragraphs(super()._deserialize(value, attr, data, **kwargs))


class ModelNumber(Line):
    """A model number, upper case and without spaces."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return fold_model_number(super()._deserialize(value, attr, data, **kwargs))


class Secret(fields.String):
    """A password: taken as it is, in the form in which passwords are kept (NFKC)."""

    default_error_messages = {"secret": "This is no password."}  # noqa: RUF012 - the library's place

    def __init__(self, **kwargs: Any) -> None:
        """Take at most PASSWORD_LENGTH characters."""
        super().__init__(required=True, validate=validate.Length(min=1, max=PASSWORD_LENGTH), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        secret = super()._deserialize(value, attr, data, **kwargs)
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in secret):
            raise self.make_error("secret")
        return unicodedata.normalize("NFKC", secret)


class Price(fields.String):
    """An amount of money as a text with two decimals, such as "1234.50"; loads as cents."""

    default_error_messages = {"price": 'Send an amount as a text with two decimals, such as "1234.50".'}  # noqa: RUF012 - the library's place

    def __init__(self, *, optional: bool = False, **kwargs: Any) -> None:
        """Take an amount from 0.00 on; None where optional and missing."""
        said = {"metadata": {"pattern": PRICE_PATTERN, "example": "1234.50"}} | kwargs
        super().__init__(allow_none=optional, **_keywords(said, optional=optional, default=None))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # cents
        if not isinstance(value, str) or not re.fullmatch(PRICE_PATTERN[1:-1], value):
            raise self.make_error("price")
        try:
            return parse_cents(super()._deserialize(value, attr, data, **kwargs))
        except NotANumber as error:
            raise self.make_error("price") from error


class SignedPrice(fields.String):
    """An amount of money that may be below zero, as a text with two decimals; loads as cents."""

    default_error_messages = {"price": 'Send an amount as a text with two decimals, such as "-1234.50".'}  # noqa: RUF012 - the library's place

    def __init__(self, *, optional: bool = False, **kwargs: Any) -> None:
        """Take an amount; None where optional and missing."""
        said = {"metadata": {"pattern": SIGNED_PRICE_PATTERN, "example": "-1234.50"}} | kwargs
        super().__init__(allow_none=optional, **_keywords(said, optional=optional, default=None))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # cents
        if not isinstance(value, str) or not re.fullmatch(SIGNED_PRICE_PATTERN[1:-1], value):
            raise self.make_error("price")
        try:
            return parse_cents(super()._deserialize(value, attr, data, **kwargs), minimum=-MAX_CENTS)
        except NotANumber as error:
            raise self.make_error("price") from error


class WholeNumber(fields.Integer):
    """A whole number as a JSON number: 1.5, true and "5" are refused."""

    def __init__(
        self, *, minimum: int, maximum: int, optional: bool = False, default: int | None = None, **kwargs: Any
    ) -> None:
        """Take a number from `minimum` to `maximum`; `default` where optional and missing."""
        super().__init__(
            strict=True,
            allow_none=optional and default is None,
            validate=validate.Range(min=minimum, max=maximum),
            **_keywords(kwargs, optional=optional, default=default),
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class QueryNumber(fields.Integer):
    """A whole number in a query string, in plain digits."""

    def __init__(self, *, minimum: int, maximum: int, default: int | None = None, **kwargs: Any) -> None:
        """Take a number from `minimum` to `maximum`; `default` where it is missing."""
        super().__init__(validate=validate.Range(min=minimum, max=maximum), load_default=default, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", str(value), re.ASCII):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class Currency(fields.String):
    """The code of a currency, three capital letters such as "CAD"; None where optional and missing."""

    default_error_messages = {"currency": 'Send a currency code such as "CAD".'}  # noqa: RUF012 - the library's place

    def __init__(self, *, optional: bool = False, **kwargs: Any) -> None:
        """Take a code."""
        said = {"metadata": {"pattern": CURRENCY_PATTERN, "example": "CAD"}} | kwargs
        super().__init__(allow_none=optional, **_keywords(said, optional=optional, default=None))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(CURRENCY_PATTERN[1:-1], value):
            raise self.make_error("currency")
        return super()._deserialize(value, attr, data, **kwargs)


class Tick(fields.Boolean):
    """True or false and nothing else; false where optional and missing."""

    def __init__(self, *, optional: bool = False, **kwargs: Any) -> None:
        """Take a JSON boolean."""
        super().__init__(**_keywords(kwargs, optional=optional, default=False))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class Day(fields.Date):
    """A calendar day as 2026-11-21, from 2000 to 2099; None where optional and missing."""

    default_error_messages = {"day": "Send a day from 2000 to 2099, such as 2026-11-21."}  # noqa: RUF012 - the library's place

    def __init__(self, *, optional: bool = False, **kwargs: Any) -> None:
        """Take a day."""
        super().__init__(allow_none=optional, **_keywords(kwargs, optional=optional, default=None))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if not isinstance(value, str) or not re.fullmatch(DAY_PATTERN[1:-1], value, re.ASCII):
            raise self.make_error("day")
        day = super()._deserialize(value, attr, data, **kwargs)
        if not EARLIEST_DAY <= day <= LATEST_DAY:
            raise self.make_error("day")
        return day


class Choice(fields.Enum[Member]):
    """One value of an enumeration, as its text."""

    def __init__(self, members: type[Member], *, optional: bool = False, **kwargs: Any) -> None:
        """Take a value of `members`; None where optional and missing."""
        said = _keywords(kwargs, optional=optional, default=None)
        super().__init__(members, by_value=fields.String, **said)


class Id(fields.UUID):
    """An identifier that an answer gave; None where optional and missing."""

    default_error_messages = {"id": "This is no identifier."}  # noqa: RUF012 - the library's place

    def __init__(self, *, optional: bool = False, **kwargs: Any) -> None:
        """Take a UUID as text."""
        super().__init__(allow_none=optional, **_keywords(kwargs, optional=optional, default=None))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise self.make_error("id")
        return super()._deserialize(value, attr, data, **kwargs)


class Cursor(fields.String):
    """Where a list continues: what `next` of the answer before said."""

    default_error_messages = {"cursor": "This is no cursor of this list."}  # noqa: RUF012 - the library's place

    def __init__(self, pattern: str, **kwargs: Any) -> None:
        """Take a cursor of this pattern; None begins the list."""
        self.pattern = pattern
        super().__init__(load_default=None, metadata={"pattern": pattern}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(self.pattern.strip("^$"), value, re.ASCII):
            raise self.make_error("cursor")
        return super()._deserialize(value, attr, data, **kwargs)


ID_CURSOR = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
"""The cursor of lists that are in order of identifiers."""


def make_limit() -> QueryNumber:
    """Return the parameter that every list has: how many items an answer holds."""
    return QueryNumber(minimum=1, maximum=PAGE_LIMIT_MAX, default=PAGE_LIMIT)


# what goes out ----------------------------------------------------------------------------------


class ExchangeRate(fields.String):
    """Millionths as a text with four to six decimals, such as "0.7312"; null where no rate holds."""

    def __init__(self, **kwargs: Any) -> None:
        """Give a rate."""
        said = {"pattern": EXCHANGE_RATE_PATTERN, "example": "0.7312"}
        super().__init__(metadata=said, allow_none=True, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002 - the library's signature
        return format_exchange_rate(value) if value else None


class Amount(fields.String):
    """Cents as a text with two decimals, such as "-1234.50"."""

    def __init__(self, **kwargs: Any) -> None:
        """Give an amount, below zero too."""
        super().__init__(metadata={"pattern": AMOUNT_PATTERN, "example": "1234.50"}, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002 - the library's signature
        return None if value is None else format_plain(value)


class ProblemItemSchema(AnswerSchema):
    """One thing wrong at one place."""

    code = fields.String()
    message = fields.String()
    field = fields.String()


class ProblemSchema(HouseSchema):
    """A no, by RFC 9457; `code` is stable, `detail` is for people."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)
    field = fields.String()
    details = fields.Dict()
    problems = fields.List(fields.Nested(ProblemItemSchema))
