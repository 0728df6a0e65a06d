"""Price lists: versions, items, import by preview, the command line."""

from __future__ import annotations

import io
from datetime import date
from typing import TYPE_CHECKING

import openpyxl
import pytest
import sqlalchemy as sa

from quotes.forms.price_lists import read_category, read_price_sheet
from quotes.models.price_lists import PriceItem, PriceList
from quotes.states import Category
from referral.models import Upload
from tests.factories import make_program, make_world, user_of

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask
    from sqlalchemy.orm import Session

    from referral.permissions import Viewer
    from tests.factories import World
    from tests.pages import Page, PageClient

HEAD = "Model number,Description,Family,Category,Unit,List price\n"
LIST = (
    HEAD
    + 'D3-LIGHT,"Downlight, 25 degrees",D3,light source,each,500.00\n'
    + 'D3-TRIM,"Trim, round, black",D3,Accessories,each,33.33\n'
    + 'L3I-STRIP,"Linear, one foot",L3I,Light Sources,ft,99.99\n'
    + 'NEW-1,New,,control,,"$1,234.50"\n'
)
"""Against the factories' list: one price, one description, one new, one retired, one the same."""


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def admin(client: PageClient, tx: Session, world: World) -> PageClient:
    """The program's admin, signed in."""
    return client.sign_in(user_of(tx, world.program))


def upload(admin: PageClient, content: str | bytes, name: str = "list.csv", *, status: int = 303) -> Page:
    content = content.encode() if isinstance(content, str) else content
    fields = {"file": (io.BytesIO(content), name), "valid_from": "2027-01-01"}
    return admin.post("/prices/imports", fields, status=status, content_type="multipart/form-data")


def workbook(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.create_sheet("Notes")
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def versions(tx: Session) -> list[int]:
    return list(tx.scalars(sa.select(PriceList.version).order_by(PriceList.version)))


def test_a_list_is_previewed_against_the_version_before_and_then_published(
    admin: PageClient, tx: Session
) -> None:
    page = admin.get(upload(admin, LIST).location)
    for words in (
        "New: 1",
        "Price changed: 1",
        "Words changed: 1",
        "Retired: 1",
        "Compared with price list 1",
    ):
        assert words in page.text
    assert versions(tx) == [1]
    page = admin.submit("Publish from 1 Jan 2027")
    assert "Price list 2 is published." in page.text
    published = tx.scalars(sa.select(PriceList).where(PriceList.version == 2)).one()
    items = tx.scalars(sa.select(PriceItem).where(PriceItem.price_list_id == published.id))
    assert {item.model_number: item.list_price_cents for item in items} == {
        "D3-LIGHT": 50000,
        "D3-TRIM": 3333,
        "L3I-STRIP": 9999,
        "NEW-1": 123450,
    }
    assert published.valid_from == date(2027, 1, 1)
    assert published.source == "list.csv"


def test_every_bad_row_of_a_workbook_is_listed_with_its_cell_and_none_is_published(
    admin: PageClient, tx: Session
) -> None:
    content = workbook(
        [
            ["Demo prices"],
            ["SKU", "Description", "Type", "Price", "Color"],
            ["D3-LIGHT", "Downlight", "light source", 500.5, "white"],
            ["D3-TRIM", "Trim", "accessory", "abc", None],
            [None, "Nameless", "accessory", 1, None],
            ["X-1", "Strange", "lightbulb", 1, None],
            ["d3-light", "Twice", "light source", 500.5, None],
            ["X-2", "Half a cent", "control", 1.005, None],
            ["X-3", "", "control", -1, None],
            ["X-4", "Huge", "control", 1e12, None],
        ]
    )
    page = admin.get(upload(admin, content, "prices.xlsx").location)
    assert "Rows in the file 8" in page.text
    assert "Rows that can be taken 1" in page.text
    shown = page.all(".//table/tbody/tr/th")
    assert [f"Sheet!{cell}" for cell in ("D4", "A5", "C6", "A7", "D8", "B9", "D9", "D10")] == [
        cell for cell in shown if cell.startswith("Sheet!")
    ]
    assert "D3-LIGHT stands in Sheet!A3 already" in page.text
    assert "Sheet!E2 “Color”" in page.text
    assert "Publish" not in page.text
    kept = tx.scalars(sa.select(Upload)).one()
    page = admin.post(
        f"/prices/imports/{kept.id}/publish",
        {"sha256": kept.sha256, "valid_from": "2027-01-01"},
        status=422,
    )
    assert "Sheet!D4" in page.text
    assert versions(tx) == [1]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"PK\x03\x04 but no zip", "list.xlsx"),
        (LIST.encode(), "list.xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "list.xlsx"),
        (b"", "list.csv"),
        (b"Name,Colour\nD3,white\n", "list.csv"),
        (workbook([["Model number"]]), "list.xlsx"),
    ],
    ids=["broken", "a CSV", "encrypted", "empty", "no headings", "too few columns"],
)
def test_a_file_that_is_no_price_list_is_refused_and_not_kept(
    admin: PageClient, tx: Session, content: bytes, name: str
) -> None:
    page = upload(admin, content, name, status=422)
    assert page.status == 422
    assert tx.scalars(sa.select(Upload)).all() == []
    assert versions(tx) == [1]


def test_a_file_of_30_megabytes_is_refused_before_it_is_read(admin: PageClient, tx: Session) -> None:
    page = admin.open(
        "POST",
        "/prices/imports",
        status=422,
        data=b"--x",
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": "30000000"},
    )
    assert "too large" in page.text
    assert tx.scalars(sa.select(Upload)).all() == []


def test_a_file_other_than_the_previewed_one_is_refused(admin: PageClient, tx: Session) -> None:
    admin.get(upload(admin, LIST).location)
    kept = tx.scalars(sa.select(Upload)).one()
    page = admin.post(
        f"/prices/imports/{kept.id}/publish", {"sha256": "0" * 64, "valid_from": "2027-01-01"}, status=409
    )
    assert "not the one you previewed" in page.text
    assert versions(tx) == [1]


def test_two_lists_cannot_start_on_one_day(admin: PageClient, tx: Session) -> None:
    admin.get(upload(admin, LIST).location.replace("2027-01-01", "2020-01-01"))
    page = admin.submit("Publish from 1 Jan 2020", status=409)
    assert "already starts on this day" in page.text
    assert versions(tx) == [1]


@pytest.mark.parametrize("day", ["", "2027-13-01", "1999-01-01", "nonsense"])
def test_a_preview_without_a_day_asks_for_one(admin: PageClient, day: str) -> None:
    place = upload(admin, LIST).location.partition("?")[0]
    page = admin.get(f"{place}?valid_from={day}", status=422)
    assert "Publish" not in page.text


def test_an_upload_of_another_company_does_not_exist(admin: PageClient, tx: Session) -> None:
    place = upload(admin, LIST).location
    other = admin.other().sign_in(user_of(tx, make_program(tx)))
    other.get(place, status=404)
    other.get("/prices/imports/nonsense?valid_from=2027-01-01", status=404)


def test_only_the_program_imports(client: PageClient, tx: Session, world: World) -> None:
    for person in (world.dealer, world.account):
        someone = client.sign_in(user_of(tx, person))
        assert "Import" not in someone.get("/prices").text
        someone.get("/prices/imports/new", status=403)
        upload(someone, LIST, status=403)


def test_items_are_searched_and_paged_by_key(admin: PageClient, tx: Session) -> None:
    rows = "".join(f"N-{i:03},Item {i},F,control,each,1\n" for i in range(150))
    admin.get(upload(admin, HEAD + rows).location)
    page = admin.submit("Publish from 1 Jan 2027")
    assert len(page.all(".//tbody/tr")) == 100
    assert page.all(".//tbody/tr/th")[-1] == "N-099"
    page = admin.click("Next items →")
    assert page.all(".//tbody/tr/th")[0] == "N-100"
    assert admin.get("/prices/2?words=item+77").all(".//tbody/tr/th") == ["N-077"]
    assert "Nothing fits" in admin.get("/prices/2?words=%25_").text
    admin.get("/prices/99", status=404)
    admin.get("/prices/99999999999999999999", status=404)


@pytest.mark.parametrize(
    "text", ["light_source", "Light source", "LIGHT SOURCES", " light-sources ", "Sources", "Light"]
)
def test_categories_are_read_generously(text: str) -> None:
    assert read_category(text) is Category.LIGHT_SOURCE
    assert read_category("accessory") is read_category("Accessories") is Category.ACCESSORY
    assert read_category("") is read_category("lightbulb") is None


def test_notes_of_the_reader_and_unread_columns_are_told() -> None:
    sheet = read_price_sheet(LIST.replace("Unit,", "Colour,").encode(), "list.csv")
    assert sheet.unused == ("E1 “Colour”",)
    assert {item.unit for item in sheet.items.values()} == {"each"}


def run(app: Flask, tx: Session, *words: object) -> tuple[int, str]:
    tx.commit()
    answer = app.test_cli_runner().invoke(args=["prices", *map(str, words)])
    tx.expire_all()
    return answer.exit_code, answer.output


@pytest.fixture
def program(tx: Session, world: World) -> Viewer:
    return world.program


def test_the_command_line_imports_by_the_same_rules(
    app: Flask, tx: Session, program: Viewer, tmp_path: Path
) -> None:
    file = tmp_path / "next.csv"
    file.write_text(LIST + "BAD,Bad,,control,each,1e9\n")
    arguments = ("import", file, "--valid-from", "2027-01-01", "--as")
    code, said = run(app, tx, *arguments, program.email)
    assert code == 1
    assert "F6: “1e9” is not a list price." in said
    assert "(file_has_errors)" in said
    file.write_text(LIST)
    assert run(app, tx, *arguments, "nobody@nowhere.example")[0] == 1
    assert versions(tx) == [1]
    code, said = run(app, tx, *arguments, program.email)
    assert (code, said) == (0, "Price list 2: 4 items in USD, valid from 2027-01-01.\n")
    code, said = run(app, tx, "list")
    assert code == 0
    assert [line.split()[:2] for line in said.splitlines()] == [["2", "USD"], ["*", "1"]]


def test_the_command_line_refuses_who_may_not_publish(
    app: Flask, tx: Session, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "next.csv"
    file.write_text(LIST)
    code, said = run(app, tx, "import", file, "--valid-from", "2027-01-01", "--as", world.account.email)
    assert code == 1
    assert "(forbidden)" in said
    assert versions(tx) == [1]
