"""Bills of material: what the columns of a file mean, and what each of its rows says."""

from __future__ import annotations

import enum
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from referral.errors import Problem
from referral.money import NotANumber, parse_cents, parse_quantity
from referral.text import clean_line, fold

MAX_BILL_ROWS = 20_000
"""Rows of a file that is previewed."""


class BillColumn(enum.StrEnum):
    """What a column of a bill of material can be."""

    MODEL_NUMBER = "model_number"
    QUANTITY = "quantity"
    ROOM = "room"
    LIST_PRICE = "list_price"


NEEDED = (BillColumn.MODEL_NUMBER, BillColumn.QUANTITY)

HEADINGS: Mapping[BillColumn, tuple[frozenset[str], frozenset[str]]] = MappingProxyType(
    {
        BillColumn.MODEL_NUMBER: (
            frozenset({
                "model", "modelnumber", "modelno", "modelno.", "model#", "modelnum", "sku", "skunumber",
                "part", "partnumber", "partno", "partno.", "part#", "partnum", "pn", "catalog",
                "catalognumber", "catalogno", "catalogno.", "catalog#", "cataloguenumber", "catno",
                "catno.", "cat#", "lutronmodel", "lutronmodelnumber", "mfrpartnumber",
                "manufacturerpartnumber", "mpn", "ordercode",
            }),
            frozenset({
                "item", "itemnumber", "itemno", "itemno.", "item#", "itemcode", "product", "productnumber",
                "productcode", "productno", "code",
            }),
        ),
        BillColumn.QUANTITY: (
            frozenset({
                "quantity", "qty", "qty.", "orderqty", "quantityordered", "qtyordered", "numberofunits",
                "no.ofunits",
            }),
            frozenset({
                "units", "count", "pcs", "pieces", "ea", "each", "totalqty", "qtytotal", "totalquantity",
                "#",
            }),
        ),
        BillColumn.ROOM: (
            frozenset({
                "room", "roomname", "roomarea", "room/area", "area/room", "roomlocation",
            }),
            frozenset({
                "area", "areaname", "location", "space", "zone", "place",
            }),
        ),
        BillColumn.LIST_PRICE: (
            frozenset({
                "listprice", "listpriceusd", "listprice(usd)", "listprice($)", "listpricecad",
                "listprice(cad)", "listpriceeach", "unitlistprice", "unitlist", "listeach", "msrp",
            }),
            frozenset({
                "list", "price", "unitprice", "priceeach",
            }),
        ),
    }
)  # fmt: skip
"""Headings that a column of each kind has, folded: the plain ones, and those that give way to them."""


def fold_heading(text: str) -> str:
    """Return a heading as headings are compared: folded, without spaces, hyphens and underscores."""
    return re.sub(r"[\s_\-:]+", "", fold(text))


def headings_digest(headings: Sequence[str]) -> str:
    """Return the digest by which an account's mapping is found again, whoever made the next file.

    Blank headings at the end do not count. Without any heading, what counts is how many columns there are:
    hand over as many empty texts.
    """
    folded = [fold_heading(text) for text in headings]
    while any(folded) and not folded[-1]:
        folded.pop()
    return hashlib.sha256(json.dumps(folded, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Guess:
    """What the columns of a file seem to be, counted from 1, and what is not clear."""

    columns: Mapping[BillColumn, int]
    doubts: tuple[str, ...] = ()
    """Sentences about headings that fit twice: neither column is taken."""


def guess_by_headings(headings: Sequence[str]) -> Guess:
    """Return what the headings say. Two that fit the same are in doubt, and neither is taken."""
    folded = [fold_heading(text) for text in headings]
    places: dict[BillColumn, list[int]] = {}
    for column, (plain, others) in HEADINGS.items():
        found = [at for at, text in enumerate(folded, start=1) if text in plain]
        found = found or [at for at, text in enumerate(folded, start=1) if text in others]
        if found:
            places[column] = found
    doubts = []
    for column, found in places.items():
        if len(found) > 1:
            said = " and ".join(f"“{clean_line(headings[at - 1])[:40]}”" for at in found)
            doubts.append(f"{said} could both be the {COLUMN_WORDS[column].lower()}. Choose one.")
    return Guess({column: found[0] for column, found in places.items() if len(found) == 1}, tuple(doubts))


def guess_by_content(rows: Sequence[Sequence[str]]) -> Guess:
    """Return what columns without headings seem to be, by their first rows: whole numbers, codes, words."""
    width = max((len(row) for row in rows), default=0)
    columns: dict[BillColumn, int] = {}
    texts = [[row[at] for row in rows if at < len(row) and row[at].strip()] for at in range(width)]
    for at, said in enumerate(texts, start=1):
        if not said:
            continue
        if all(_is_quantity(text) for text in said):
            columns.setdefault(BillColumn.QUANTITY, at)
        elif all(_CODE.fullmatch(text.strip()) for text in said):
            columns.setdefault(BillColumn.MODEL_NUMBER, at)
    return Guess(columns)


_CODE = re.compile(r"(?=.*[0-9-])[A-Za-z0-9][A-Za-z0-9./_-]{2,59}")

COLUMN_WORDS: Mapping[BillColumn, str] = MappingProxyType(
    {
        BillColumn.MODEL_NUMBER: "Model number",
        BillColumn.QUANTITY: "Quantity",
        BillColumn.ROOM: "Room",
        BillColumn.LIST_PRICE: "List price",
    }
)


def _is_quantity(text: str) -> bool:
    try:
        read_units(text)
    except NotANumber:
        return False
    return True


def read_units(text: str) -> int:
    """Read a whole quantity from 1 on; 4.0 and 4.00 are four. Raises NotANumber."""
    return parse_quantity(re.sub(r"\.00?\Z", "", text.strip()))


def read_list_price(text: str) -> int:
    """Read a list price in cents. Raises NotANumber."""
    return parse_cents(text)


_TOTAL = re.compile(r"(?:grand|sub|room|area|project|page)?\s*-?\s*totals?\b.*|sum\b.*|subtotals?\b.*")


def is_total(text: str) -> bool:
    """Say whether a text begins as that of a row of totals does."""
    return _TOTAL.fullmatch(fold(text)) is not None


# rows -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BillRow:
    """A row that can be read: a model number and how many of it, where."""

    number: int
    """As the spreadsheet shows it."""
    model_number: str
    """Folded."""
    quantity: int
    room: str
    list_price_cents: int | None
    """What the file says; None where it says nothing."""
    typed: str = ""
    """The model number as it stands in the file."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that cannot be taken, and why; the field of a problem is a cell's address."""

    number: int
    problems: tuple[Problem, ...]
    said: tuple[str, ...]
    """What stands in the cells of each BillColumn, in their order."""


@dataclass(frozen=True, slots=True)
class LeftOutRow:
    """A row that is no line of the bill, such as a subtotal."""

    number: int
    why: str
    said: str


Address = Callable[[BillColumn, int], str]
"""The address of a column's cell in a row; `row 7` where the file has no such column."""


@dataclass(frozen=True)
class BillFile:
    """A file whose columns are known, read completely."""

    filename: str
    sha256: str
    rows: tuple[BillRow, ...]
    refused: tuple[RefusedRow, ...]
    left_out: tuple[LeftOutRow, ...]
    blank_count: int
    """Blank rows between others."""
    address: Address

    @property
    def row_count(self) -> int:
        """Rows below the headings that hold something."""
        return len(self.rows) + len(self.refused) + len(self.left_out)
