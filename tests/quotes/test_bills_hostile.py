"""Hostile and awkward files as bills of material: refused or read right, in bounded time and memory."""

from __future__ import annotations

import io
import os
import time
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from quotes.forms.bill_files import SaidReading, find_reading, heading_digests, open_bill, read_bill
from quotes.models.quotes import RevisionLine
from quotes.queries.bills import check_bill
from quotes.rules.bills import BillFile, RefusedRow
from referral.clock import now
from referral.models import Upload
from tests.factories import make_world, user_of
from tests.referral.sheetfiles import MAIN, make_parts, make_sheet, make_workbook, pack

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from tests.pages import Page, PageClient

SECONDS = 5
MEGABYTES = 200
SHEET = "xl/worksheets/sheet1.xml"


def cell(address: str, said: object) -> str:
    if isinstance(said, str):
        return f'<c r="{address}" t="inlineStr"><is><t>{said}</t></is></c>'
    return f'<c r="{address}"><v>{said}</v></c>'


def row(number: int, *said: object, more: str = "", attributes: str = "") -> str:
    cells = "".join(cell(f"{letter}{number}", what) for letter, what in zip("ABCDEF", said, strict=False))
    return f'<row r="{number}" {attributes}>{cells}{more}</row>'


HEAD = row(1, "SKU", "Qty", "Room")
GOOD = HEAD + row(2, "D3-LIGHT", 4, "Hall")


def read(content: bytes, name: str = "bill.xlsx") -> BillFile:
    table = open_bill(content, name)
    heading_digests(table)
    return read_bill(table, find_reading(table, SaidReading(), {}), name)


def why(refused: RefusedRow) -> str:
    return " ".join(problem.message for problem in refused.problems)


def with_part(name: str, content: str | bytes, **more: bytes) -> bytes:
    return pack(make_parts(GOOD) | {name: content} | more)


def dtd(encoding: str) -> bytes:
    name = {"utf-16-le": "utf-16", "utf-16-be": "utf-16"}.get(encoding, encoding)
    mark = "\ufeff" if encoding in {"utf-16-le", "utf-16-be"} else ""
    text = (
        f'{mark}<?xml version="1.0" encoding="{name}"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
        f"{make_sheet(GOOD)}"
    )
    return with_part(SHEET, text.encode(encoding))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a zip bomb": lambda: with_part("xl/media/blank", bytes(60_000_000)),
    "a zip bomb among noise": lambda: with_part("xl/media/a", bytes(70_000_000), b=os.urandom(1_200_000)),
    "a bomb of rows": lambda: with_part(
        SHEET, make_sheet("<row><c/><c/></row>" * 2_000_000), b=os.urandom(1_200_000)
    ),
    "merged over everything": lambda: make_workbook(
        "<row><c><v>1</v></c></row>" * 50_000,
        after='<mergeCells><mergeCell ref="A1:BL1048576"/></mergeCells>' * 9,
    ),
    "rows out of order": lambda: make_workbook(row(2, "D3-LIGHT", 4) + HEAD),
    "a row twice": lambda: make_workbook(GOOD + row(2, "D3-TRIM", 9)),
    "cells out of order": lambda: make_workbook(f'<row r="1">{cell("B1", 4)}{cell("A1", "SKU")}</row>'),
    "a single cell in the last row": lambda: make_workbook(GOOD + row(1_048_576, "D3-LIGHT")),
    "a cell in the last column": lambda: make_workbook(HEAD + f'<row r="2">{cell("XFD2", 1)}</row>'),
    "more rows than a bill has": lambda: b"SKU,Qty\n" + b"D3-LIGHT,1\n" * 20_100,
    "an open quote": lambda: b'SKU,Qty\n"D3-LIGHT,1\n' + b"x\n" * 100_000,
    "a web page": lambda: b"<html><table><tr><td>SKU",
    "nothing but blank rows": lambda: make_workbook('<row r="1"/><row r="9"/>'),
    "hidden sheets alone": lambda: make_workbook(GOOD, states=["veryHidden"]),
} | {
    f"an external entity in {encoding}": (lambda encoding=encoding: dtd(encoding))
    for encoding in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1")
}


@pytest.fixture
def ref(tx: Session, client: PageClient) -> str:
    """An empty draft, its builder signed in."""
    world = make_world(tx)
    client.sign_in(user_of(tx, world.account))
    return world.draft(lines=[])


def send(client: PageClient, ref: str, content: bytes, name: str, *, status: int = 303) -> Page:
    """Upload a file as one piece: the test client would leave a large one open."""
    fields = {"csrf_token": client.token(), "file": FileStorage(io.BytesIO(content), name)}
    boundary, body = encode_multipart(fields)
    mimetype = f"multipart/form-data; boundary={boundary}"
    return client.open("POST", f"/quotes/{ref}/bill", data=body, content_type=mimetype, status=status)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.sqlite_only("the file is read before any database is asked")
def test_a_hostile_file_is_refused_in_words_in_bounded_time_and_nothing_is_kept(
    name: str, ref: str, client: PageClient, tx: Session
) -> None:
    content = HOSTILE[name]()
    begun = time.process_time()
    page = send(client, ref, content, "bill.xlsx" if content[:2] == b"PK" else "bill.csv", status=422)
    assert time.process_time() - begun < SECONDS
    assert page.all(".//form//p[@class='error']")[0].startswith("Error: ")
    assert "choose a file" not in page.text
    assert not tx.scalars(sa.select(Upload.id)).all()
    assert not tx.scalars(sa.select(RevisionLine.line_id)).all()


# awkward, and read right ------------------------------------------------------------------------


def test_a_wrong_dimension_changes_nothing() -> None:
    parts = make_parts(GOOD)
    parts[SHEET] = parts[SHEET].replace("<sheetData>", '<dimension ref="A1:A1"/><sheetData>')
    assert [(line.model_number, line.quantity) for line in read(pack(parts)).rows] == [("D3-LIGHT", 4)]


def test_merged_cells_are_refused_with_their_address_and_not_filled_in_silence() -> None:
    rows = GOOD + row(3, "D3-TRIM", 2)
    file = read(make_workbook(rows, after='<mergeCells><mergeCell ref="C2:C3"/></mergeCells>'))
    assert [line.room for line in file.rows] == ["Hall"]
    assert why(file.refused[0]).startswith("C3 is one of the merged cells C2:C3")


def test_a_title_that_is_merged_above_the_headings_is_no_fault() -> None:
    rows = row(1, "Bill of material") + row(2, "SKU", "Qty") + row(3, "D3-LIGHT", 4)
    file = read(make_workbook(rows, after='<mergeCells><mergeCell ref="A1:D1"/></mergeCells>'))
    assert [line.quantity for line in file.rows] == [4]


def test_hidden_rows_columns_and_sheets_are_told_of() -> None:
    rows = HEAD + row(2, "D3-LIGHT", 4, attributes='hidden="1"')
    parts = make_parts(GOOD, rows, states=["hidden"], names=["Secret", "Bill"])
    at = "xl/worksheets/sheet2.xml"
    parts[at] = parts[at].replace("<sheetData>", '<cols><col min="2" max="3" hidden="1"/></cols><sheetData>')
    table = open_bill(pack(parts), "bill.xlsx")
    assert table.notes == (
        "The hidden sheet “Secret” was not read.",
        "1 hidden rows were read like the others.",
        "The hidden columns B:C were read like the others.",
    )


def test_errors_and_formulas_without_a_result_are_refused_with_their_cell_never_left_out() -> None:
    rows = (
        f"{HEAD}"
        '<row r="2"><c r="A2" t="e"><v>#N/A</v></c><c r="B2"><v>1</v></c></row>'
        '<row r="3"><c r="A3" t="inlineStr"><is><t>D3-LIGHT</t></is></c><c r="B3"><f>1+1</f></c></row>'
        '<row r="4"><c r="A4" t="e"><v>#REF!</v></c></row>'
        '<row r="5"><c r="A5" t="inlineStr"><is><t>D3-LIGHT</t></is></c><c r="B5"><f>1+1</f><v>2</v></c></row>'
    )
    file = read(make_workbook(rows))
    assert [why(refused).split(";")[0] for refused in file.refused] == [
        "A2 holds the error #N/A.", "B3 holds a formula without a saved result", "A4 holds the error #REF!.",
    ]  # fmt: skip
    assert [line.quantity for line in file.rows] == [2]


@pytest.mark.parametrize(
    ("said", "quantity"),
    [
        ("4", 4), ("1,234", 1234), (" 4 ", 4), ("4.00", 4), ("4.0", 4), (4.0, 4),
        ("4.000", None), ("1.234", None), ("1,5", None), ("4 ea", None), ("four", None), ("0", None), ("-4", None),
        ("4e2", None), ("100001", None), ("٤", None), ("1,23,4", None), (4.5, None), ("=2+2", None),
    ],
)  # fmt: skip
def test_numbers_as_text_are_read_exactly_or_refused(said: object, quantity: int | None) -> None:
    file = read(make_workbook(HEAD + row(2, "D3-LIGHT", said)))
    assert [line.quantity for line in file.rows] == ([] if quantity is None else [quantity])
    assert len(file.refused) == (quantity is None)


@pytest.mark.parametrize(
    ("said", "cents"),
    [
        ("1,234.50", 123450),
        ("$ 99.90", 9990),
        (412.5, 41250),
        ("99.905", None),
        ("99,90", None),
        ("USD 9", None),
    ],
)
def test_list_prices_as_text_are_read_exactly_or_refused(said: object, cents: int | None) -> None:
    rows = row(1, "SKU", "Qty", "List price") + row(2, "D3-LIGHT", 1, said)
    file = read(make_workbook(rows))
    assert [line.list_price_cents for line in file.rows] == ([] if cents is None else [cents])


def test_cells_far_too_long_are_refused_and_cost_no_time() -> None:
    rows = HEAD + "".join(row(at, *["é" + os.urandom(4_500).hex()] * 3) for at in range(2, 500))
    begun = time.process_time()
    file = read(make_workbook(rows))
    assert time.process_time() - begun < SECONDS
    assert why(file.refused[0]).startswith("A2 holds more than 1,000 characters.")
    assert file.rows == ()


@pytest.mark.sqlite_only("what is measured is the reading, not the database")
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_a_bill_of_10_000_rows_previews_in_bounded_time_and_memory(
    is_known: bool, tx: Session, ref: str, client: PageClient
) -> None:
    rows = [
        row(at, "D3-LIGHT" if is_known else f"D3-LIGHT-{at}", at % 90 + 1, f"Room {at % 200}")
        for at in range(2, 10_002)
    ]
    content = pack(make_parts(HEAD + "".join(rows)), compression=zipfile.ZIP_STORED)
    address = send(client, ref, content, "bill.xlsx").location
    begun = time.process_time()
    page = client.get(address)
    assert time.process_time() - begun < SECONDS
    assert f"{'Can be taken' if is_known else 'Refused'} 10,000" in page.text
    assert len(page.html) < 500_000


def test_the_verdict_over_10_000_rows_takes_bounded_memory(tx: Session) -> None:
    world = make_world(tx)
    ref = world.draft(lines=[])
    content = ("SKU,Qty,Room\n" + "".join(f"D3-{at},1,Room {at}\n" for at in range(10_000))).encode()
    tracemalloc.start()
    try:
        checked = check_bill(tx, viewer=world.account, at=now(), ref=ref, file=read(content, "bill.csv"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert checked.refused_count == checked.unknown_count == 10_000
    assert peak < MEGABYTES * 1_000_000


def test_the_namespace_of_strict_workbooks_is_read_too() -> None:
    strict = "http://purl.oclc.org/ooxml/spreadsheetml/main"
    parts = {
        name: part.replace(MAIN, strict) if isinstance(part, str) else part
        for name, part in make_parts(GOOD).items()
    }
    assert len(read(pack(parts)).rows) == 1
