"""Price lists as people upload them: the forms, and the rows of a file with every bad cell named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from flask_wtf.file import FileField, FileRequired
from wtforms.widgets import HiddenInput

from quotes.queries.price_lists import NewItem
from quotes.rules.hints import NotUnderstood, parse_goes_with, write_goes_with
from quotes.states import Category
from referral.errors import Problem, Refusal
from referral.formkit import CurrencyField, DayField, HouseForm, LineField
from referral.money import NotANumber, parse_cents
from referral.sheetkit.reader import read_table
from referral.sheetkit.table import Cell, Record
from referral.text import clean_line, fold, fold_model_number

MAX_LIST_PRICE_CENTS = 99_999_999_99
"""The largest list price: 2,000 lines of the largest quantity stay a number every database can add."""
SHA256_LENGTH = 64
MISSING_SHOWN = 20
"""Model numbers that the file goes with and does not have: so many are named."""
_SEARCHED_BYTES = 2_000
"""What the search index of an item can hold."""

REQUIRED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "model_number": (
            "Model number", "Model", "Model no", "Model no.", "Model #", "SKU", "Part number", "Item number",
            "Catalog number",
        ),
        "description": ("Description", "Item description", "Product description", "Name"),
        "category": ("Category", "Product category", "Item category", "Type"),
        "list_price": (
            "List price", "Price", "List", "List price USD", "List price (USD)", "List price ($)", "Unit price",
            "MSRP",
        ),
    }
)  # fmt: skip
OPTIONAL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "family": ("Family", "Product family", "Series", "Product line"),
        "unit": ("Unit", "UOM", "Unit of measure", "Units"),
        "goes_with": ("Goes with", "Needs", "Required with", "Requires"),
    }
)
FIELD_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "model_number": "Model number",
        "description": "Description",
        "category": "Category",
        "list_price": "List price",
        "family": "Family",
        "unit": "Unit",
        "goes_with": "Goes with",
    }
)
_LONGEST: Mapping[str, int] = MappingProxyType(
    {"model_number": 60, "description": 400, "family": 60, "unit": 30}
)

_CATEGORY_WORDS: Mapping[str, Category] = MappingProxyType(
    {
        "lightsource": Category.LIGHT_SOURCE,
        "source": Category.LIGHT_SOURCE,
        "light": Category.LIGHT_SOURCE,
        "lamp": Category.LIGHT_SOURCE,
        "fixture": Category.LIGHT_SOURCE,
        "luminaire": Category.LIGHT_SOURCE,
        "accessory": Category.ACCESSORY,
        "accessorie": Category.ACCESSORY,
        "control": Category.CONTROL,
        "service": Category.SERVICE,
        "other": Category.OTHER,
        "misc": Category.OTHER,
        "miscellaneous": Category.OTHER,
    }
)


class UploadPriceListForm(HouseForm):
    """A price list file and the first day it is valid."""

    file = FileField("Price list file", validators=[FileRequired("Choose a file.")])
    valid_from = DayField("First valid day")
    currency = CurrencyField("Currency", optional=True)


class PreviewPriceListForm(HouseForm):
    """The first valid day and the currency a preview compares for; they stand in the address."""

    class Meta:
        """A form that only reads carries no token."""

        csrf = False

    valid_from = DayField("First valid day")
    currency = CurrencyField("Currency", optional=True)


class PublishPriceListForm(HouseForm):
    """What was previewed, sent back: the file's digest, the first valid day, the currency."""

    sha256 = LineField("File", longest=SHA256_LENGTH, widget=HiddenInput())
    valid_from = DayField("First valid day", widget=HiddenInput())
    currency = CurrencyField("Currency", optional=True, widget=HiddenInput())


@dataclass(frozen=True)
class PriceSheet:
    """A price list file, read completely: its good rows, and what is wrong with the others."""

    sha256: str
    items: Mapping[str, NewItem]
    """By model number, as it is compared."""
    problems: tuple[Problem, ...]
    """One for each cell that cannot be taken; its field is the cell's address."""
    row_count: int
    columns: tuple[tuple[str, str], ...]
    """(what it is, the heading's cell and text) of each column found."""
    unused: tuple[str, ...]
    """Headings of columns that are not read."""
    notes: tuple[str, ...]


def read_price_sheet(content: bytes, filename: str) -> PriceSheet:
    """Read a price list; nothing is left out in silence.

    Raises Refusal (file_too_large_or_not_a_workbook) or (file_has_errors) where the file as a whole
    cannot be read, with the file as its field.
    """
    try:
        table = read_table(content, filename=filename)
        found = table.columns(REQUIRED, OPTIONAL)
    except Refusal as refusal:
        raise Refusal(refusal.code, refusal.message, "file") from refusal
    items: dict[str, NewItem] = {}
    places: dict[str, str] = {}
    problems: list[Problem] = []
    for record in found:
        item, wrong = _item(record)
        problems += wrong
        if item is None:
            continue
        first = places.setdefault(item.model_number, record["model_number"].address)
        if item.model_number in items:
            problems.append(
                _problem(record["model_number"], f"{item.model_number} stands in {first} already")
            )
        else:
            items[item.model_number] = item
    if not len(found):
        problems.append(Problem("file_has_errors", "There are no rows below the headings.", ""))
    headings = dict(enumerate(found.header, start=1))
    return PriceSheet(
        sha256=table.sha256,
        items=items,
        problems=tuple(problems),
        row_count=len(found),
        columns=tuple(
            (FIELD_WORDS[name], f"{headings[at].address} “{headings[at].text}”")
            for name, at in found.found.items()
        ),
        unused=tuple(f"{cell.address} “{cell.text}”" for cell in found.unused),
        notes=(*table.notes, *_unknown_needs(items)),
    )


def _unknown_needs(items: Mapping[str, NewItem]) -> list[str]:
    """Return a sentence for each model number that goes with something but is itself not in the file."""
    missing: dict[str, str] = {}
    for item in items.values():
        for need in parse_goes_with(item.goes_with):
            for number in need.model_numbers:
                if number not in items:
                    missing.setdefault(number, f"{item.model_number} ({need.name})")
    sentences = [
        f"{number} goes with {item}, but is not in this file: it can be hinted at, not added to a quote."
        for number, item in missing.items()
    ]
    more = len(sentences) - MISSING_SHOWN
    return [
        *sentences[:MISSING_SHOWN],
        *([f"And {more:,} more that are not in this file."] if more > 0 else []),
    ]


def read_category(text: str) -> Category | None:
    """Read a category as people write it: "Light Sources", "light_source", "accessory"; None for others."""
    letters = "".join(character for character in fold(text) if character.isalnum())
    return _CATEGORY_WORDS.get(letters) or _CATEGORY_WORDS.get(letters.removesuffix("s"))


def _problem(cell: Cell, words: str) -> Problem:
    return Problem("file_has_errors", f"{cell.address}: {words}.", cell.address)


def _item(record: Record) -> tuple[NewItem | None, list[Problem]]:
    if record.problems:
        return None, list(record.problems)
    problems: list[Problem] = []
    texts = {name: clean_line(record[name].text) for name in _LONGEST}
    for name, longest in _LONGEST.items():
        if len(texts[name]) > longest:
            problems.append(
                _problem(record[name], f"{FIELD_WORDS[name].lower()} longer than {longest} characters")
            )
    number = fold_model_number(texts["model_number"])
    if not number:
        problems.append(_problem(record["model_number"], "the model number is missing"))
    if not texts["description"]:
        problems.append(_problem(record["description"], "the description is missing"))
    category = read_category(record["category"].text)
    if category is None:
        said = clean_line(record["category"].text)[:40]
        problems.append(
            _problem(record["category"], f"“{said}” is no category" if said else "the category is missing")
        )
    price = _price(record["list_price"], problems)
    goes_with = _goes_with(record["goes_with"], problems)
    searched = fold(f"{number} {texts['description']} {texts['family']}")
    if not problems and len(searched.encode()) > _SEARCHED_BYTES:
        problems.append(_problem(record["description"], "too long to be searched for"))
    if problems or category is None or price is None:
        return None, problems
    return (
        NewItem(
            number,
            texts["description"],
            texts["family"],
            category,
            texts["unit"] or "each",
            price,
            goes_with,
        ),
        [],
    )


def _price(cell: Cell, problems: list[Problem]) -> int | None:
    text = clean_line(cell.text)
    if not text:
        problems.append(_problem(cell, "the list price is missing"))
        return None
    try:
        return parse_cents(text, maximum=MAX_LIST_PRICE_CENTS)
    except NotANumber as error:
        said = f"“{text[:40]}” is not a list price. {error}"
        problems.append(_problem(cell, said.rstrip(".")))
        return None


def _goes_with(cell: Cell, problems: list[Problem]) -> str:
    try:
        return write_goes_with(parse_goes_with(cell.text))
    except NotUnderstood as error:
        problems.append(_problem(cell, str(error)))
        return ""
