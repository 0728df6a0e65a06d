"""The catalogue's file: its shape, with every wrong place named by its path, and every value that it leaves out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from referral.errors import Problem, Refusal
from referral.schemakit import Choice, Day, HouseSchema, Line, Paragraph, Tick, WholeNumber
from referral.text import clean_line, clean_paragraphs
from support.rules.calendar import Calendar
from support.rules.catalogue import CODE, SECTIONS, Catalogue, NewEntry
from support.rules.holidays import HolidayRule, Observed
from support.rules.policy import Obligation, Policy
from support.rules.service_hours import SITE_ZONE, closed_days, windows_of
from support.states import Choice as GrantChoice
from support.states import GrantKind, Platform, Priority, QuotaUnit

SHIPPED = Path(__file__).parent.parent / "catalogue.json"
"""The catalogue that the program ships."""
FILE_BYTES = 1024 * 1024
VERSION = 1
"""Of the file's shape."""
PROBLEMS_SHOWN = 100
PLACE_LENGTH = 120
KEY = r"^[a-z0-9]+(-[a-z0-9]+)*$"
KEY_LENGTH = 60
MOST = 200
"""Values in one list of the file."""
MOST_UNITS = 100_000
MOST_MONTHS = 600
MOST_CENTS = 10**13


class Key(Line):
    """The key of an entry or of a part of one: small letters, digits and single hyphens."""

    def __init__(self, **kwargs: Any) -> None:
        """Take a key."""
        super().__init__(longest=KEY_LENGTH, **kwargs)
        self.validators.append(
            validate.Regexp(KEY, error="Use small letters, digits and single hyphens, such as site-hours.")
        )


class Reviewed(fields.Field[Any]):
    """A part of the file that its own rule reads; what the rule says is wrong is said at its place."""

    def __init__(self, read: Callable[[Any, str], Any], **kwargs: Any) -> None:
        """Take what `read` takes, a value and its path; `read` raises ValueError."""
        super().__init__(required=True, **kwargs)
        self.read = read

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_kwargs: Any) -> Any:  # noqa: ARG002 - the library's signature
        return _read(self.read, value)


def _read(read: Callable[[Any, str], Any], value: object) -> Any:
    """Read a value by its own rule. Raises ValidationError with the place within it."""
    try:
        return read(value, "")
    except ValueError as wrong:
        place, colon, words = str(wrong).partition(": ")
        sentence = f"{words[:1].upper()}{words[1:]}." if colon else f"{place}."
        raise ValidationError({place.strip("."): [sentence]} if colon and place else [sentence]) from wrong


def _listed(inner: Any, *, at_least: int = 0) -> fields.List[Any]:
    """Return a list that may be left out unless it needs something."""
    length = validate.Length(min=at_least, max=MOST)
    if at_least:
        return fields.List(inner, required=True, validate=length)
    return fields.List(inner, load_default=list, validate=length)


# families, calendars, policies ----------------------------------------------------------------------


class EntrySchema(HouseSchema):
    """What every entry says."""

    key = Key()
    name = Line()
    words = Paragraph()
    source = Paragraph()


class FamilySchema(EntrySchema):
    """A family of systems, with the product families of installed sources that it means; * is all of them."""

    product_families = _listed(Line())


class WindowSchema(HouseSchema):
    """Open hours on weekdays: 0 is Monday. It closes at its end, 24:00 at the latest."""

    weekdays = _listed(WholeNumber(minimum=0, maximum=6), at_least=1)
    opens = fields.String(required=True, validate=validate.Regexp(r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z"))
    closes = fields.String(
        required=True, validate=validate.Regexp(r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z")
    )

    @validates_schema
    def _opens_before_it_closes(self, data: dict[str, Any], **_kwargs: object) -> None:
        if data["closes"] <= data["opens"]:
            raise ValidationError("It closes after it opens, on the same day.", "closes")
        if len(set(data["weekdays"])) < len(data["weekdays"]):
            raise ValidationError("Name each weekday once.", "weekdays")


class ClosedDaySchema(HouseSchema):
    """A day that is closed by no rule, such as an official holiday of a country, with where it is from."""

    on = Day()
    name = Line()
    source = Line()

    @post_load
    def _as_text(self, data: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        return data | {"on": data["on"].isoformat()}


class CalendarSchema(EntrySchema):
    """Service hours in a zone, or in that of the site; closed on holidays by rule and on dates of its own."""

    assumption = Paragraph(optional=True)
    zone = Line()
    windows = _listed(fields.Nested(WindowSchema), at_least=1)
    holidays = _listed(Reviewed(HolidayRule.from_data))
    observed = Choice(Observed, optional=True)
    dates = _listed(fields.Nested(ClosedDaySchema))

    @post_load
    def _with_closed_days(self, data: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        observed = data["observed"] or Observed.NONE
        dates = [(date.fromisoformat(each["on"]), each["name"]) for each in data["dates"]]
        try:
            Calendar("UTC" if data["zone"] == SITE_ZONE else data["zone"], windows_of(data))
        except ValueError as wrong:
            raise ValidationError(
                f"There is no such time zone; {SITE_ZONE} is that of the site.", "zone"
            ) from wrong
        return data | {
            "observed": observed.value,
            "holidays": [rule.to_data() for rule in data["holidays"]],
            "closed": closed_days(data["holidays"], observed, dates),
        }


class PolicySchema(EntrySchema):
    """What a call is owed, and when."""

    obligations = _listed(Reviewed(Obligation.from_data))
    pages_out_of_hours_at = Choice(Priority, optional=True, allow_none=True)

    @post_load
    def _fitting(self, data: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        made: Policy = _read(
            lambda said, _path: Policy(
                said["key"], said["name"], tuple(said["obligations"]), said["pages_out_of_hours_at"]
            ),
            data,
        )
        return {"words": data["words"], "source": data["source"], **made.to_data()}


# offers ---------------------------------------------------------------------------------------------


class SubLimitSchema(HouseSchema):
    """A limit within each one that is used."""

    name = Line()
    amount = WholeNumber(minimum=1, maximum=MOST_UNITS)


class QuotaSchema(HouseSchema):
    """How much there is in a contract year; no amount is unlimited, or what the agreement says."""

    unit = Choice(QuotaUnit)
    amount = WholeNumber(minimum=0, maximum=MOST_UNITS, optional=True)
    limits = _listed(fields.Nested(SubLimitSchema))

    @validates_schema
    def _limits_have_names_of_their_own(self, data: dict[str, Any], **_kwargs: object) -> None:
        if len({each["name"] for each in data["limits"]}) < len(data["limits"]):
            raise ValidationError("Name each limit once.", "limits")


class GrantSchema(HouseSchema):
    """One thing that an offer grants."""

    key = Key()
    kind = Choice(GrantKind)
    name = Line()
    words = Paragraph()
    chart = Line()
    choice = Choice(GrantChoice, optional=True)
    families = _listed(Key())
    platforms = _listed(Choice(Platform))
    needs_remote_access = Tick(optional=True)
    needs_confirmation = Tick(optional=True)
    quota = fields.Nested(QuotaSchema, load_default=None, allow_none=True)
    policy = Key(optional=True)
    purposes = _listed(Line())
    windows = Key(optional=True)
    place = Line(optional=True)

    @validates_schema
    def _of_its_kind(self, data: dict[str, Any], **_kwargs: object) -> None:
        kind, quota = data["kind"], data["quota"]
        if data["choice"] is GrantChoice.COUNT and (quota is None or quota["amount"] is not None):
            raise ValidationError(
                "What is counted has a quota without an amount: the agreement says it.", "quota"
            )
        if kind is GrantKind.VISIT and (quota is None or quota["unit"] is not QuotaUnit.VISIT):
            raise ValidationError("Visits have a quota of visits.", "quota")
        if kind is GrantKind.RESPONSE and not data["policy"]:
            raise ValidationError("A response names the policy that its calls run under.", "policy")
        if (kind is GrantKind.HOURS) != bool(data["windows"]):
            raise ValidationError(
                "Hours name the calendar of their windows, and nothing else does.", "windows"
            )

    @post_load
    def _complete(self, data: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        return data | {
            "choice": data["choice"] or GrantChoice.ALWAYS,
            "policy": data["policy"] or None,
            "windows": data["windows"] or None,
        }


class RequirementSchema(HouseSchema):
    """Something the customer sees to."""

    key = Key()
    name = Line()
    is_ground_to_decline = Tick(optional=True)


class ScheduleSchema(HouseSchema):
    """Work that comes due by itself, days or months after something."""

    key = Key()
    name = Line()
    after = Key()
    days = WholeNumber(minimum=0, maximum=3660, optional=True, default=0)
    months = WholeNumber(minimum=0, maximum=120, optional=True, default=0)
    is_remote = Tick(optional=True)

    @validates_schema
    def _days_or_months(self, data: dict[str, Any], **_kwargs: object) -> None:
        if bool(data["days"]) == bool(data["months"]):
            raise ValidationError("Say either days or months.", "days")


class ChecklistSchema(HouseSchema):
    """What is checked on a visit for a purpose of its visit grants, in the same words."""

    purpose = Line()
    points = _listed(Line())


class OfferSchema(EntrySchema):
    """Something that can be sold."""

    is_sold = fields.Boolean(load_default=True, truthy={True}, falsy={False})
    calendar = Key(optional=True)
    policies = _listed(Key())
    includes = _listed(Key())
    longest_months = WholeNumber(minimum=1, maximum=MOST_MONTHS, optional=True, default=120)
    whole_years = Tick(optional=True)
    platforms = _listed(Choice(Platform))
    above_cents = WholeNumber(minimum=0, maximum=MOST_CENTS, optional=True)
    excluded = _listed(Line())
    grants = _listed(fields.Nested(GrantSchema))
    requirements = _listed(fields.Nested(RequirementSchema))
    schedules = _listed(fields.Nested(ScheduleSchema))
    checklists = _listed(fields.Nested(ChecklistSchema))


class CatalogueSchema(HouseSchema):
    """The file."""

    version = fields.Integer(required=True, strict=True, validate=validate.Equal(VERSION))
    families = _listed(fields.Nested(FamilySchema))
    calendars = _listed(fields.Nested(CalendarSchema))
    policies = _listed(fields.Nested(PolicySchema))
    offers = _listed(fields.Nested(OfferSchema))


# reading a file -------------------------------------------------------------------------------------


def read_catalogue(content: bytes) -> Catalogue:
    """Return what a file says, complete. Raises Refusal(catalogue_invalid) with every place that is wrong."""
    if len(content) > FILE_BYTES:
        _refuse([Problem(CODE, f"A catalogue has at most {FILE_BYTES:,} bytes.", "file")])
    try:
        text = content.decode("utf-8-sig")
        said = _cleaned(json.loads(text, object_pairs_hook=_only_once, parse_constant=_no_constant))
    except (ValueError, RecursionError) as error:
        words = (
            "This is no JSON in UTF-8" if isinstance(error, RecursionError) else f"This is no JSON: {error}"
        )
        _refuse([Problem(CODE, f"{clean_line(words)[:200]}.", "file")])
    if not isinstance(said, dict):
        _refuse(
            [Problem(CODE, "The file is one object with families, calendars, policies and offers.", "file")]
        )
    try:
        loaded = CatalogueSchema().load(said)
    except ValidationError as error:
        _refuse(list(_problems(error.messages_dict)))
    return Catalogue(
        tuple(
            NewEntry(kind, each["key"], each["name"], _plain(each), f"{section}[{at}]")
            for kind, section in SECTIONS.items()
            for at, each in enumerate(loaded[section])
        )
    )


def shipped_catalogue() -> Catalogue:
    """Return what the shipped file says."""
    return read_catalogue(SHIPPED.read_bytes())


def _refuse(problems: list[Problem]) -> NoReturn:
    shown = problems[:PROBLEMS_SHOWN]
    raise Refusal(CODE, problems[0].message, "file", {"problems": len(problems)}, shown)


def _problems(messages: object, place: str = "") -> Iterator[Problem]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _problems(inner, place if name == "_schema" else _inside(place, name))
    elif isinstance(messages, list):
        for message in messages:
            yield from _problems(message, place)
    else:
        yield Problem(CODE, f"{place or 'file'}: {messages}", place)


def _inside(place: str, name: object) -> str:
    if isinstance(name, int):
        return f"{place}[{name}]"
    said = clean_line(str(name))[:PLACE_LENGTH]
    return f"{place}.{said}" if place and not said.startswith("[") else f"{place}{said}"


def _cleaned(value: Any) -> Any:
    """Return the same values with every text cleaned: no control characters, no NUL, no half of a character."""
    if isinstance(value, str):
        return clean_paragraphs(value)
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, dict):
        return {name: _cleaned(each) for name, each in value.items()}
    return value


def _plain(value: Any) -> Any:
    """Return values as JSON has them."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value


def _only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return read


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
