"""Form fields that read what people type the one way the house reads it, and the base of every form."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, TypeVar

from flask_wtf import FlaskForm
from wtforms import (
    DateField,
    EmailField,
    Field,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from referral.money import (
    MAX_CENTS,
    MAX_EXCHANGE_RATE,
    MAX_QUANTITY,
    NotANumber,
    format_cents,
    format_exchange_rate,
    parse_cents,
    parse_currency,
    parse_exchange_rate,
    parse_quantity,
)
from referral.text import clean_line, clean_paragraphs, fold_model_number

LINE_LENGTH = 200
PARAGRAPH_LENGTH = 4_000
EARLIEST_DAY = date(2000, 1, 1)
LATEST_DAY = date(2099, 12, 31)

Member = TypeVar("Member", bound=enum.StrEnum)


class HouseForm(FlaskForm):
    """The base of every form. `form_errors` are shown on top, field errors beside their field."""


def _needed(is_optional: bool, more: Iterable[Callable[..., None]]) -> list[Any]:
    first = Optional(strip_whitespace=True) if is_optional else InputRequired("This is needed.")
    return [first, *more]


class LineField(StringField):
    """One cleaned line of text; '' where optional and empty."""

    data: Any

    def __init__(
        self, label: str, *, optional: bool = False, longest: int = LINE_LENGTH, **kwargs: Any
    ) -> None:
        """Take at most `longest` characters."""
        super().__init__(label, _needed(optional, [Length(max=longest)]), **kwargs)

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Clean what came in; a text of white space alone is missing."""
        super().process_formdata(valuelist)
        self.data = clean_line(self.data or "")
        self.raw_data = [self.data] if valuelist else valuelist


class ParagraphField(TextAreaField):
    """Several cleaned lines of text; '' where optional and empty."""

    data: Any

    def __init__(
        self, label: str, *, optional: bool = False, longest: int = PARAGRAPH_LENGTH, **kwargs: Any
    ) -> None:
        """Take at most `longest` characters."""
        super().__init__(label, _needed(optional, [Length(max=longest)]), **kwargs)

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Clean what came in; a text of white space alone is missing."""
        super().process_formdata(valuelist)
        self.data = clean_paragraphs(self.data or "")
        self.raw_data = [self.data] if valuelist else valuelist


class AddressField(EmailField):
    """An e-mail address: something, an @, something with a dot or localhost; 254 characters at most."""

    data: Any

    def __init__(self, label: str, **kwargs: Any) -> None:
        """Ask for an address."""
        super().__init__(label, _needed(is_optional=False, more=[Length(max=254), _is_address]), **kwargs)

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Clean what came in."""
        super().process_formdata(valuelist)
        self.data = clean_line(self.data or "")


def _is_address(_form: object, field: Field) -> None:
    local, at, domain = (field.data or "").rpartition("@")
    if not (local and at and domain) or " " in field.data or "@" in local:
        raise ValidationError("Type an e-mail address such as ann@example.com.")


class _NumberField(StringField):
    """A whole number behind what people type; `data` is an int, None where optional and empty."""

    data: Any

    def __init__(self, label: str, *, optional: bool, minimum: int, maximum: int, **kwargs: Any) -> None:
        self.minimum, self.maximum = minimum, maximum
        super().__init__(label, _needed(optional, []), **kwargs)

    def parse(self, text: str) -> int:
        """Read the text. Raises NotANumber with what to type instead."""
        raise NotANumber(text)

    def show(self, number: int) -> str:
        """Write a number that nobody typed."""
        return str(number)

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Parse what came in; white space alone is missing."""
        text = str(valuelist[0]).strip() if valuelist else ""
        self.data = None
        if not text:
            self.raw_data = [""]
            return
        try:
            self.data = self.parse(text)
        except NotANumber as error:
            raise ValueError(str(error)) from error

    def _value(self) -> str:
        if self.raw_data:
            return clean_line(str(self.raw_data[0]))[:LINE_LENGTH]
        return "" if self.data is None else self.show(self.data)


class CentsField(_NumberField):
    """An amount of money as people type it; `data` is cents, None where optional and empty."""

    def __init__(
        self, label: str, *, optional: bool = False, minimum: int = 0, maximum: int = MAX_CENTS, **kwargs: Any
    ) -> None:
        """Take an amount from `minimum` to `maximum` cents."""
        super().__init__(label, optional=optional, minimum=minimum, maximum=maximum, **kwargs)

    def parse(self, text: str) -> int:
        """Read an amount such as 1,234.50."""
        return parse_cents(text, minimum=self.minimum, maximum=self.maximum)

    def show(self, number: int) -> str:
        """Write cents as 1,234.50."""
        return format_cents(number)


class QuantityField(_NumberField):
    """A whole number of units; `data` is an int, None where optional and empty."""

    def __init__(
        self,
        label: str,
        *,
        optional: bool = False,
        minimum: int = 1,
        maximum: int = MAX_QUANTITY,
        **kwargs: Any,
    ) -> None:
        """Take a number from `minimum` to `maximum`."""
        super().__init__(label, optional=optional, minimum=minimum, maximum=maximum, **kwargs)

    def parse(self, text: str) -> int:
        """Read a whole number."""
        return parse_quantity(text, minimum=self.minimum, maximum=self.maximum)


class ExchangeRateField(_NumberField):
    """An exchange rate as people type it, above 0; `data` is millionths."""

    def __init__(self, label: str, **kwargs: Any) -> None:
        """Take a rate of at most six decimals."""
        super().__init__(label, optional=False, minimum=1, maximum=MAX_EXCHANGE_RATE, **kwargs)

    def parse(self, text: str) -> int:
        """Read a rate such as 0.7312."""
        return parse_exchange_rate(text)

    def show(self, number: int) -> str:
        """Write millionths as 0.7312."""
        return format_exchange_rate(number)


class CurrencyField(StringField):
    """The code of a currency, three letters such as USD, in capitals however they are typed; '' where optional."""

    data: Any

    def __init__(self, label: str, *, optional: bool = False, **kwargs: Any) -> None:
        """Take a code."""
        super().__init__(label, _needed(optional, [_is_currency]), **kwargs)

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Clean what came in."""
        super().process_formdata(valuelist)
        self.data = clean_line(self.data or "").upper()
        self.raw_data = [self.data] if valuelist else valuelist


def _is_currency(_form: object, field: Field) -> None:
    try:
        parse_currency(field.data or "")
    except NotANumber as error:
        raise ValidationError(str(error)) from error


class ModelNumberField(LineField):
    """A model number, upper case and without spaces."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Fold what came in."""
        super().process_formdata(valuelist)
        self.data = fold_model_number(self.data or "")
        self.raw_data = [self.data] if valuelist else valuelist


class DayField(DateField):
    """A calendar day, as 2026-11-21; `data` is a date, None where optional and empty."""

    def __init__(self, label: str, *, optional: bool = False, **kwargs: Any) -> None:
        """Take a day from 2000 to 2099."""
        super().__init__(label, _needed(optional, [_is_near]), **kwargs)

    def _value(self) -> str:
        if self.raw_data:
            return clean_line(str(self.raw_data[0]))[:LINE_LENGTH]
        return "" if self.data is None else self.data.isoformat()


def _is_near(_form: object, field: Field) -> None:
    if field.data is not None and not EARLIEST_DAY <= field.data <= LATEST_DAY:
        raise ValidationError("Type a day from 2000 to 2099.")


def choice_field(label: str, words: dict[Member, str], **kwargs: Any) -> SelectField:
    """Return a select over an enumeration; `data` is the value's text."""
    return SelectField(
        label, choices=[SelectChoice(member.value, text) for member, text in words.items()], **kwargs
    )


class TicksField(SelectMultipleField):
    """Several ticks; `data` is the list of chosen values."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def __init__(self, label: str, **kwargs: Any) -> None:
        """Take some of the choices."""
        super().__init__(label, invalid_choice_message="Choose from the list.", **kwargs)
