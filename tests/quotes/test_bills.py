"""Bills of material: pasted or uploaded, previewed row by row, imported all or not at all."""

from __future__ import annotations

import base64
import csv
import io
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
import sqlalchemy as sa

from quotes.models.bills import BillMapping, DesignFile
from quotes.operations.quotes import start_revision
from quotes.operations.recalls import recall_prices
from quotes.queries.quotes import quote_page
from quotes.rules.nearest import NearestModels
from referral.models import AuditEvent, Upload
from tests.factories import AT, ITEMS, make_account, make_price_list, make_world, user_of
from tests.tokens import token_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.factories import World
    from tests.pages import Page, PageClient

BILL = "Room\tModel number\tQty\tList price\nKitchen\tD3-LIGHT\t4\t412.50\nHall\td3-trim\t1,200\t$ 33.33\n"
EMPTY: dict[str, Any] = {"lines": [], "services": []}


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def builder(client: PageClient, tx: Session, world: World) -> PageClient:
    """The account's builder, signed in."""
    return client.sign_in(user_of(tx, world.account))


def paste(builder: PageClient, ref: str, text: str, *, status: int = 303) -> Page:
    """Paste rows; answers the preview."""
    page = builder.post(
        f"/quotes/{ref}/bill", {"pasted": text}, status=status, content_type="multipart/form-data"
    )
    return builder.get(page.location) if status == 303 else page


def upload(
    builder: PageClient, ref: str, content: bytes, name: str = "bill.xlsx", *, status: int = 303
) -> Page:
    """Upload a file; answers the preview."""
    fields = {"file": (io.BytesIO(content), name)}
    page = builder.post(f"/quotes/{ref}/bill", fields, status=status, content_type="multipart/form-data")
    return builder.get(page.location) if status == 303 else page


def workbook(*sheets: list[Any], hidden: tuple[int, ...] = ()) -> bytes:
    book = openpyxl.Workbook()
    for at, rows in enumerate(sheets):
        sheet = book.worksheets[0] if at == 0 else book.create_sheet()
        sheet.title = f"Floor{at + 1}"
        for row in rows:
            sheet.append(row)
        if at in hidden:
            sheet.sheet_state = "hidden"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def lines(world: World, ref: str, revision: int = 1) -> list[tuple[str, str, int]]:
    world.tx.flush()
    world.tx.expire_all()
    page = quote_page(world.tx, viewer=world.account, at=AT, ref=ref, revision_number=revision)
    return [(row.line.model_number, row.line.room, row.line.quantity) for row in page.lines]


# what is read -----------------------------------------------------------------------------------


def test_rows_pasted_from_excel_are_previewed_and_then_become_lines(
    builder: PageClient, world: World
) -> None:
    ref = world.draft(**EMPTY)
    page = paste(builder, ref, BILL)
    for words in (
        "Can be taken 2",
        "Refused 0",
        "Rooms 2",
        "Model number in B",
        "List price in D",
        "41,646.00",
    ):
        assert words in page.text, words
    assert lines(world, ref) == []
    page = builder.submit("Import 2 lines")
    assert "2 lines of pasted.tsv are in the draft." in page.text
    assert lines(world, ref) == [("D3-LIGHT", "Kitchen", 4), ("D3-TRIM", "Hall", 1200)]
    event = world.tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "bill.imported")).one()
    assert event.details["lines"] == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_of_text_is_read_by_its_own_delimiter(
    builder: PageClient, world: World, delimiter: str
) -> None:
    ref = world.draft(**EMPTY)
    text = delimiter.join(["SKU", "Units"]) + "\r\n" + delimiter.join(["D3-LIGHT", "4"]) + "\r\n"
    upload(builder, ref, text.encode(), "bill.csv")
    builder.submit("Import 1 line")
    assert lines(world, ref) == [("D3-LIGHT", "", 4)]


def test_a_workbook_is_read_from_its_first_visible_sheet_and_another_one_can_be_chosen(
    builder: PageClient, world: World
) -> None:
    ref = world.draft(**EMPTY)
    head = ["Catalog No.", "Qty", "Area"]
    content = workbook(
        [["Secret", 1], ["D3-TRIM", 9]], [["Bill of material"], head, ["D3-LIGHT", 4, "Hall"]],
        [head, ["PROC-1", 1, "Attic"]], hidden=(0,),
    )  # fmt: skip
    page = upload(builder, ref, content)
    assert "The hidden sheet “Floor1” was not read." in page.text
    assert "The sheet “Floor3” was not read" in page.text
    assert "Sheet “Floor2”, headings in row 2" in page.text
    builder.get(page.address + "?sheet=Floor3")
    builder.submit("Import 1 line")
    assert lines(world, ref) == [("PROC-1", "Attic", 1)]
    builder.get(page.address + "?sheet=Floor1", status=422)


def test_columns_that_no_heading_names_are_mapped_once_and_remembered_for_the_account(
    builder: PageClient, world: World
) -> None:
    ref = world.draft(**EMPTY)
    strange = "Was\tWieviel\tWo\nD3-LIGHT\t4\tDiele\n"
    page = paste(builder, ref, strange)
    assert "Say first what the columns are" in page.text
    page = builder.submit(
        "Read it like this", {"model_number": "1", "quantity": "2", "room": "3", "heading": "1"}
    )
    if "Import 1 line" not in page.text:  # the headings moved, so the columns are asked for again
        page = builder.submit("Read it like this", {"model_number": "1", "quantity": "2", "room": "3"})
    builder.submit("Import 1 line")
    assert lines(world, ref) == [("D3-LIGHT", "Diele", 4)]
    kept = world.tx.scalars(sa.select(BillMapping)).one()
    assert kept.columns == ["model_number", "quantity", "room"]
    page = paste(builder, world.draft(**EMPTY), strange.replace("D3-LIGHT", "PROC-1"))
    assert "as your company did with the last file of these headings" in page.text
    assert "Can be taken 1" in page.text


def test_rows_without_headings_are_mapped_by_position_and_remembered(
    builder: PageClient, world: World
) -> None:
    ref = world.draft(**EMPTY)
    page = paste(builder, ref, "D3-LIGHT\t4\tKitchen\nD3-TRIM\t2\tHall\n")
    assert "no headings, columns found by what stands in the first rows" in page.text
    builder.submit("Read it like this", {"room": "3"})
    builder.submit("Import 2 lines")
    assert lines(world, ref) == [("D3-LIGHT", "Kitchen", 4), ("D3-TRIM", "Hall", 2)]
    page = paste(builder, ref, "PROC-1\t1\tAttic\n")
    assert "as your company did" in page.text
    assert "Room in C" in page.text


def test_two_headings_that_fit_the_same_are_asked_about_never_guessed(
    builder: PageClient, world: World
) -> None:
    ref = world.draft(**EMPTY)
    page = paste(builder, ref, "SKU\tQty\tQuantity\nD3-LIGHT\t4\t5\n")
    assert "“Qty” and “Quantity” could both be the quantity. Choose one." in page.text
    builder.submit("Read it like this", {"quantity": "3"})
    builder.submit("Import 1 line")
    assert lines(world, ref) == [("D3-LIGHT", "", 5)]


def test_several_rows_of_one_model_stay_several_lines_unless_they_are_added_up(
    builder: PageClient, world: World
) -> None:
    ref = world.draft(**EMPTY)
    text = "SKU\tQty\tRoom\nD3-LIGHT\t4\tHall\nD3-LIGHT\t2\thall\nD3-LIGHT\t1\tAttic\n"
    page = paste(builder, ref, text)
    assert "Lines they make 3" in page.text
    page = builder.submit("Read it like this", {"add_up": "y"})
    assert "Lines they make 2" in page.text
    assert "2 and 1 more" in page.text
    builder.submit("Import 2 lines")
    assert lines(world, ref) == [("D3-LIGHT", "Hall", 6), ("D3-LIGHT", "Attic", 1)]


def test_totals_blank_rows_and_repeated_headings_are_left_out_and_told_of(
    builder: PageClient, world: World
) -> None:
    ref = world.draft(**EMPTY)
    text = (
        "SKU,Qty,Room\nKITCHEN,,\n,,Downstairs\nD3-LIGHT,4,Hall\n\n,4,Subtotal\nSKU,Qty,Room\nD3-TRIM,2,Hall\n"
        "Grand total,6,\n"
    )
    page = upload(builder, ref, text.encode(), "bill.csv")
    for words in ("Can be taken 2", "Refused 1", "Left out 4", "Blank 1", "a total", "the headings again"):
        assert words in page.text, words
    assert "B2 is empty: the quantity is missing." in page.text
    assert "neither a model number nor a quantity Downstairs" in page.text


# what is refused --------------------------------------------------------------------------------


def test_each_refused_row_is_told_with_its_cell_and_nothing_is_imported_by_default(
    builder: PageClient, world: World
) -> None:
    ref = world.draft()
    before = lines(world, ref)
    content = workbook(
        [
            ["Model", "Qty", "Room", "List price"],
            ["D3-LIGHT", 4, "Hall", 412.5],
            ["D3-LIGHT", 2.5, "Hall", None],
            ["D3-LIGHT", "12 ea", "Hall", None],
            ["D3-LIGHT", -1, "Hall", None],
            ["D3-LIGHT", None, "Hall", None],
            [None, 3, "Hall", None],
            ["D3-TRIM", 1, "Hall", 30],
            ["NOPE-1", 1, "Hall", None],
            ["D3-TRIM", "#N/A", "Hall", None],
            ["PROC-1", "2.00", "x" * 81, "1,200.00"],
            ["PROC-1", "2.00", "Hall", "$1,200.00"],
        ],
        [["x"]],
    )
    page = upload(builder, ref, content)
    for words in (
        "Can be taken 2", "Refused 9",
        "Floor1!B3 holds “2.5”, which is no quantity.", "Floor1!B4 holds “12 ea”", "Floor1!B5 holds “-1”",
        "Floor1!B6 is empty: the quantity is missing.", "Floor1!A7 is empty: the model number is missing.",
        "Floor1!D8: list price 33.33, given 30.00.", "Floor1!A9: “NOPE-1” is not on price list 1.",
        "Floor1!C11 holds a room of more than 80 characters.",
    ):  # fmt: skip
        assert words in page.text, words
    builder.submit("Import 2 lines", status=422)
    assert builder.page is not None
    assert "Rows are refused" in builder.page.text
    assert lines(world, ref) == before
    assert not world.tx.scalars(sa.select(BillMapping)).all()


def test_good_rows_alone_are_imported_on_purpose_and_the_refused_ones_come_as_a_file(
    builder: PageClient, world: World
) -> None:
    ref = world.draft(**EMPTY)
    page = paste(builder, ref, "SKU\tQty\tRoom\nD3-LIGHT\t4\tHall\n=NOPE()\t1\tHall\nD3-TRIM\tmany\tAttic\n")
    response = builder.get(page.link("Download the refused rows")).response
    rows = list(csv.reader(io.StringIO(response.get_data().decode("utf-8-sig"))))
    assert rows[0][:4] == ["Model number", "Quantity", "Room", "List price"]
    assert [row[4:6] for row in rows[1:]] == [["3", "model_number_unknown"], ["4", "file_has_errors"]]
    assert rows[1][0] == "'=NOPE()"
    assert "B4 holds “many”" in rows[2][6]
    builder.get(page.address)
    page = builder.submit("Import 1 line", {"good_only": "y"})
    assert "2 refused rows are left out." in page.text
    assert lines(world, ref) == [("D3-LIGHT", "Hall", 4)]


def test_unknown_and_retired_model_numbers_get_the_nearest_and_one_choice_holds_for_all_their_rows(
    builder: PageClient, world: World
) -> None:
    make_price_list(
        world.tx, world.program, items=ITEMS[:1] + ITEMS[2:], valid_from=AT.date(), source="second.csv"
    )
    ref = world.draft(**EMPTY)
    page = paste(builder, ref, "SKU\tQty\nD3LIGHT\t4\nD3-TRIM\t1\nD3LIGHT\t2\n")
    assert "“D3-TRIM” is retired: it was on price list 1, and is not on 2." in page.text
    assert "retired: on price list 1" in page.text
    choices = [option for option in page.all(".//select[@name='use-2']/option") if "D3-LIGHT" in option]
    assert choices == ["D3-LIGHT, Downlight, 25 degrees, 412.50"]
    page = builder.submit("Check again", {"use-2": "D3-LIGHT"})
    assert "Can be taken 2" in page.text
    assert "instead of D3LIGHT" in page.text
    page = builder.submit("Import 2 lines", {"good_only": "y"})
    assert lines(world, ref) == [("D3-LIGHT", "", 4), ("D3-LIGHT", "", 2)]


def test_a_recalled_price_is_marked_in_the_preview_with_its_reason(builder: PageClient, world: World) -> None:
    recall_prices(
        world.tx, actor=world.program, at=AT, version=1, model_numbers=["D3-TRIM"], reason="Typed wrongly"
    )
    page = paste(builder, world.draft(**EMPTY), BILL)
    assert "A price of these lines is recalled" in page.text
    assert "D3-TRIM: Typed wrongly" in page.text
    marked = [row for row in page.all(".//tbody/tr") if "Price recalled" in row]
    assert [("D3-TRIM" in row, "Hall" in row) for row in marked] == [(True, True)]
    assert "Can be taken 2" in page.text


def test_a_file_that_changed_after_its_preview_is_not_imported(builder: PageClient, world: World) -> None:
    ref = world.draft(**EMPTY)
    paste(builder, ref, BILL)
    builder.submit("Import 2 lines", {"sha256": "0" * 64}, status=409)
    assert lines(world, ref) == []


def test_a_draft_that_somebody_else_saved_meanwhile_is_not_touched(builder: PageClient, world: World) -> None:
    ref = world.draft(**EMPTY)
    paste(builder, ref, BILL)
    world.save(ref)
    before = lines(world, ref)
    page = builder.submit("Import 2 lines", status=409)
    assert "Someone else saved this draft" in page.text
    assert lines(world, ref) == before


def test_more_lines_than_a_revision_takes_are_refused_with_the_number(
    builder: PageClient, world: World
) -> None:
    ref = world.draft()
    page = paste(builder, ref, "SKU\tQty\n" + "D3-LIGHT\t1\n" * 2_001)
    assert "The bill has 2,001 lines, and a revision has at most 2,000." in page.text
    page = paste(builder, ref, "SKU\tQty\n" + "D3-LIGHT\t1\n" * 1_998)
    page = builder.submit("Import 1,998 lines", status=422)
    assert "The draft would have 2,001 lines, and a revision has at most 2,000." in page.text
    assert len(lines(world, ref)) == 3


def test_a_submitted_revision_takes_no_bill(builder: PageClient, world: World) -> None:
    ref = world.draft()
    page = paste(builder, ref, BILL)
    world.submit(ref)
    builder.post(page.address, {"action": "check"}, status=409)
    builder.post(f"/quotes/{ref}/bill", {"pasted": BILL}, status=409)
    assert len(lines(world, ref)) == 3


def test_another_accounts_kept_bill_does_not_exist(builder: PageClient, world: World, tx: Session) -> None:
    ref = world.draft()
    address = paste(builder, ref, BILL).address
    other = make_account(tx, world.program)
    builder.other().sign_in(user_of(tx, other)).get(address, status=404)


@pytest.mark.parametrize("fields", [{"pasted": ""}, {"pasted": "\x00SKU\tQty"}, {"pasted": '"SKU\tQty\n'}])
def test_a_paste_that_is_no_table_is_refused_and_not_kept(
    builder: PageClient, world: World, fields: dict[str, str]
) -> None:
    ref = world.draft()
    paste(builder, ref, fields["pasted"], status=422)
    assert not world.tx.scalars(sa.select(Upload.id)).all()


# where it goes ----------------------------------------------------------------------------------


def test_lines_are_added_behind_those_of_the_draft_or_replace_them(builder: PageClient, world: World) -> None:
    ref = world.draft()
    paste(builder, ref, BILL)
    builder.submit("Import 2 lines")
    assert [line[0] for line in lines(world, ref)] == ["D3-LIGHT", "D3-TRIM", "PROC-1", "D3-LIGHT", "D3-TRIM"]
    paste(builder, ref, BILL)
    builder.submit("Import 2 lines", {"placement": "replace"})
    assert [line[0] for line in lines(world, ref)] == ["D3-LIGHT", "D3-TRIM"]
    page = quote_page(world.tx, viewer=world.account, at=AT, ref=ref)
    assert page.revision.account_number == world.number
    assert [row.amount_cents for row in page.services] == [100000]


def test_a_line_that_is_ordered_goes_on_as_the_same_line_when_a_bill_replaces_it(
    builder: PageClient, world: World
) -> None:
    ref = world.approve()
    before = world.line_ids(ref)
    world.order(ref, quantities={before[0]: 3})
    start_revision(world.tx, actor=world.account, at=AT, ref=ref)
    paste(builder, ref, "SKU\tQty\tRoom\nPROC-1\t1\tAttic\nD3-LIGHT\t4\tkitchen\nD3-LIGHT\t9\tKitchen\n")
    builder.submit("Import 3 lines", {"placement": "replace"})
    page = quote_page(world.tx, viewer=world.account, at=AT, ref=ref, revision_number=2)
    assert [(row.line.line_id == before[0], row.ordered_quantity) for row in page.lines] == [
        (False, 0), (True, 3), (False, 0),
    ]  # fmt: skip


def test_the_imported_file_is_attached_by_a_tick(builder: PageClient, world: World) -> None:
    ref = world.draft(**EMPTY)
    paste(builder, ref, BILL)
    builder.submit("Import 2 lines", {"attach": "y"})
    file = world.tx.scalars(sa.select(DesignFile)).one()
    kept = world.tx.scalars(sa.select(Upload)).one()
    assert (file.filename, file.sha256, file.upload_id) == ("pasted.tsv", kept.sha256, kept.id)


def test_the_statements_of_a_preview_do_not_depend_on_its_rows(builder: PageClient, world: World) -> None:
    ref = world.draft(**EMPTY)
    counts = []
    for times in (2, 300):
        said: list[str] = []
        page = paste(
            builder,
            ref,
            "SKU\tQty\tRoom\n" + "".join(f"NEW-{at}\t1\tR{at}\nD3-LIGHT\t1\t\n" for at in range(times)),
        )
        engine = world.tx.get_bind()

        def note(*event: Any, said: list[str] = said) -> None:
            said.append(event[2])

        sa.event.listen(engine, "before_cursor_execute", note)
        builder.get(page.address)
        sa.event.remove(engine, "before_cursor_execute", note)
        counts.append(len(said))
    assert counts[0] == counts[1]


def test_the_nearest_are_found_by_number_and_by_words_within_a_bounded_search() -> None:
    models = NearestModels(
        [(f"D3R-{at:05}-W", f"Downlight {at} white") for at in range(5_000)] + [("L3I-STRIP", "Linear strip")]
    )
    assert models.find("L3I STRP")[0] == "L3I-STRIP"
    assert models.find("linear strip")[0] == "L3I-STRIP"
    assert models.find("D3R-0412-W")
    assert models.find("?!") == []


# the JSON API -----------------------------------------------------------------------------------


def test_a_program_checks_a_bill_and_imports_it_with_the_same_verdicts(
    client: PageClient, tx: Session, world: World
) -> None:
    token = token_of(tx, world.account)
    ref = world.draft(**EMPTY)
    bill = {"text": "SKU,Qty\nD3-LIGHT,4\nD3LIGHT,1\nTotal,5\n"}
    address = f"/api/v1/quotes/{ref}/bill"
    report = client.api("POST", address, bill | {"dry_run": True}, token=token).json
    assert (report["is_saved"], report["rows"], report["good_rows"], report["lines"]) == (False, 3, 1, 1)
    assert report["refused"][0]["problems"][0]["field"] == "A3"
    assert report["left_out"] == [{"row": 4, "why": "a total", "said": "Total · 5"}]
    assert report["unknown_models"][0]["nearest"][0]["model_number"] == "D3-LIGHT"
    answer = client.api("POST", address, bill, token=token, status=422).json
    assert (answer["code"], answer["problems"][0]["code"]) == ("file_has_errors", "model_number_unknown")
    assert lines(world, ref) == []
    report = client.api("POST", address, bill | {"good_only": True}, token=token).json
    assert report["is_saved"]
    assert lines(world, ref) == [("D3-LIGHT", "", 4)]
    file = base64.b64encode(workbook([["a", "b"], ["PROC-1", 2]])).decode()
    columns = {"model_number": 1, "quantity": 2}
    said = {"file": file, "heading_row": 1, "columns": columns, "replace": True, "draft_version": 1}
    assert client.api("POST", address, said, token=token, status=409).json["code"] == "stale_draft"
    client.api("POST", address, said | {"draft_version": report["draft_version"]}, token=token)
    assert lines(world, ref) == [("PROC-1", "", 2)]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "invalid_input"),
        ({"text": "a,b", "file": "YQ=="}, "invalid_input"),
        ({"file": "no base64!"}, "invalid_input"),
        ({"file": "UEsDBAo="}, "file_too_large_or_not_a_workbook"),
        ({"text": "Was,Wieviel\nD3-LIGHT,4"}, "file_has_errors"),
        ({"text": "SKU,Qty,Quantity\nD3-LIGHT,4,5"}, "file_has_errors"),
        ({"text": "SKU,Qty\n", "dry_run": False}, "file_has_errors"),
    ],
)
def test_a_bill_that_a_program_sends_is_refused_and_nothing_is_saved(
    client: PageClient, tx: Session, world: World, said: dict[str, Any], code: str
) -> None:
    token = token_of(tx, world.account)
    ref = world.draft()
    answer = client.api("POST", f"/api/v1/quotes/{ref}/bill", said, token=token, status=422).json
    assert answer["code"] == code
    assert len(lines(world, ref)) == 3
