"""`flask ledger check-export`: what is equal, and that every edit is found."""

import shutil
import subprocess
from datetime import date, timedelta

import openpyxl
import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerEntry
from ledger.operations.adjustments import adjust_credit
from ledger.operations.levels import set_levels
from ledger.rules.credit import LevelStep
from ledger.sheets.check import check_export
from ledger.sheets.year import write_year
from quotes.operations.cancellations import cancel_order
from tests.factories import AT, make_dealer, make_world
from tests.tampering import do

MEMO = '=HYPERLINK("http://x","1") <&> 😀 \'café\''
DIFFERS = "does not say what the ledger says"


def adjust(tx, world, key, dealer=None, cents=1_000, memo=MEMO, at=AT):
    adjust_credit(
        tx,
        actor=world.program,
        at=at,
        dealer_code=(dealer or world.dealer).company_code,
        effective_on=date(2026, 5, 4),
        amount_cents=cents,
        reason=memo,
        idempotency_key=key,
    )


@pytest.fixture
def world(tx):
    """A dealer with two orders, a part of one cancelled, four adjustments and a level; a second dealer with one."""
    world = make_world(tx)
    world.order()
    _, ref = world.order()
    lines = world.line_ids(ref.replace("O-", "Q-"))
    cancel_order(
        tx,
        actor=world.account,
        at=AT,
        ref=ref,
        quantities={lines[0]: 3},
        reason="Fewer lights",
        idempotency_key="c-1",
    )
    for number in range(4):
        adjust(tx, world, f"a-{number}", cents=1_000 + number)
    world.other = make_dealer(tx, world.program)
    adjust(tx, world, "b-1", world.other, cents=-77)
    set_levels(
        tx,
        actor=world.program,
        at=AT,
        level_year=2027,
        levels=[LevelStep("Base", 0), LevelStep("High", 500_000)],
        reason="Agreed",
        source="Letter",
    )
    return world


@pytest.fixture
def run(app, tx):
    """Call `flask ledger …` and return its exit code and what it said."""

    def call(*arguments):
        tx.commit()
        result = app.test_cli_runner().invoke(args=["ledger", *map(str, arguments)])
        return result.exit_code, result.output

    return call


@pytest.fixture
def export(app, tx, world, tmp_path):
    """Write the workbook of 2026 an hour after everything happened."""

    def write(dealer_code="", **more):
        path = tmp_path / "year.xlsx"
        with path.open("wb") as out:
            write_year(
                tx,
                viewer=world.program,
                at=AT + timedelta(hours=1),
                program_year=2026,
                dealer_code=dealer_code,
                sheets=app.extensions["year_sheets"],
                out=out,
                **more,
            )
        return path

    return write


@pytest.fixture
def file(export):
    """The workbook of all dealers."""
    return export()


def edited(file, edit):
    """Change the workbook as somebody with a spreadsheet program would."""
    book = openpyxl.load_workbook(file)
    edit(book)
    book.save(file)


def find(sheet, title, row=2):
    """Return the cell below a heading."""
    return sheet.cell(row, [cell.value for cell in sheet[1]].index(title) + 1)


def put(sheet, title, value, row=2):
    def edit(book):
        find(book[sheet], title, row).value = value

    return edit


def fact(item, value):
    """Change the fact whose name begins so."""

    def edit(book):
        row = next(row for row in book["Control"].iter_rows() if str(row[0].value).startswith(item))
        row[1].value = value

    return edit


def swap(book):
    sheet = book["Postings"]
    for third, fourth in zip(sheet[3], sheet[4], strict=True):
        third.value, fourth.value = fourth.value, third.value


def add(book):
    sheet = book["Postings"]
    sheet.insert_rows(4)
    for above, cell in zip(sheet[3], sheet[4], strict=True):
        cell.value, cell.number_format = above.value, above.number_format
    find(sheet, "Sequence", 4).value = 99


def cut_the_tail(book):
    """The last posting of an account, with head, counts and totals mended: only the ledger's clock tells."""
    postings, accounts = book["Postings"], book["Accounts"]
    last = find(accounts, "Last sequence", 4).value
    row = next(
        at
        for at in range(2, postings.max_row)
        if find(postings, "Sequence", at).value == last
        and find(postings, "Dealer", at).value == find(accounts, "Dealer", 4).value
    )
    postings.delete_rows(row)
    for row in book["Control"].iter_rows():
        if str(row[1].value).startswith(f"sequence {last}, "):
            row[1].value = row[1].value.replace(f"sequence {last}, ", f"sequence {last - 1}, ")


EDITS = {
    "an amount": (put("Postings", "Amount", 11), "Postings row 2, Amount: workbook 11.00, ledger "),
    "a cent": (
        put("Postings", "Amount", 10.01, row=5),
        "Postings row 5, Amount: workbook 10.01, ledger 10.00",
    ),
    "a balance": (put("Postings", "Balance", 0), "Postings row 2, Balance: workbook 0.00, ledger "),
    "a digest": (put("Postings", "Digest", "0" * 64), "Postings row 2, Digest: workbook “0000"),
    "a memo": (put("Postings", "Memo", "Another"), "Postings row 2, Memo: workbook “Another”, ledger "),
    "a memo taken out": (put("Postings", "Memo", None), "Postings row 2, Memo: workbook nothing, ledger "),
    "a day": (
        put("Postings", "Effective day", date(2025, 5, 4)),
        "Effective day: workbook 2025-05-04, ledger 2026",
    ),
    "an instant": (
        lambda book: setattr(
            find(book["Postings"], "Posted at"),
            "value",
            find(book["Postings"], "Posted at").value + timedelta(0, 1),
        ),
        "Postings row 2, Posted at: workbook 2026-05-04 15:00:01 UTC, ledger 2026-05-04 15:00:00 UTC",
    ),
    "a sequence": (put("Postings", "Sequence", 77), "Postings row 2, Sequence: workbook 77, ledger 1"),
    "a number as text": (put("Postings", "Amount", "10.00", row=5), "Amount: workbook “10.00”, ledger 10.00"),
    "a formula": (
        put("Postings", "Amount", "=1000/100", row=5),
        "Amount: workbook a cell that holds a formula",
    ),
    "an error": (
        put("Postings", "Amount", "#REF!", row=5),
        "Amount: workbook a cell that holds the error #REF!",
    ),
    "true": (put("Postings", "Memo", True), "Postings row 2, Memo: workbook True, ledger"),
    "a row removed": (lambda book: book["Postings"].delete_rows(3), "Postings: the ledger's row "),
    "many rows removed": (lambda book: book["Postings"].delete_rows(2, 6), "Postings: the ledger's row "),
    "a row emptied": (
        lambda book: [setattr(cell, "value", None) for cell in book["Postings"][3]],
        "Postings row 3 is empty.",
    ),
    "a row added": (add, "Postings row 4: the ledger has no row “"),
    "rows swapped": (swap, "Postings row 4: the ledger has no row “"),
    "a heading": (put("Postings", "Amount", "Amounts", row=1), "Postings row 1: the headings are not those"),
    "a cell beside the table": (
        lambda book: book["Postings"].cell(3, 20, "x"),
        "right of the last column is not empty",
    ),
    "merged cells": (
        lambda book: book["Postings"].merge_cells("I2:I3"),
        "The cells I2:I3 of “Postings” are merged",
    ),
    "the row of totals": (
        lambda book: book["Postings"].delete_rows(book["Postings"].max_row),
        "Postings: the row of totals is missing.",
    ),
    "a total": (
        lambda book: setattr(find(book["Postings"], "Amount", book["Postings"].max_row), "value", 1),
        "Amount: workbook 1.00, the rows above ",
    ),
    "a head on the control sheet": (
        lambda book: fact("Head of", find_fact(book, "Head of").replace("balance ", "balance 9"))(book),
        "Control row ",
    ),
    "a sequence of a head": (fact("Head of", "sequence 1, balance 0.00, digest 00"), "Control row "),
    "a head that cannot be": (fact("Head of", "sequence 999, balance 0.00, digest 00"), "Accounts row "),
    "a head that is no head": (fact("Head of", "none"), "Control row "),
    "a head taken out": (
        lambda book: book["Control"].delete_rows(
            next(row[0].row for row in book["Control"].iter_rows() if str(row[0].value).startswith("Head of"))
        ),
        "the workbook leaves this account out",
    ),
    "a total on the control sheet": (
        fact("Postings: total of Amount", 5),
        "Postings: total of Amount: workbook 5.00",
    ),
    "a count on the control sheet": (fact("Postings: rows", 5), "Control row "),
    "a heading of the control sheet": (fact("Item", "Values"), "Control row 1, Item: workbook “Values”"),
    "a cell beside a fact": (
        lambda book: book["Control"].cell(2, 3, "x"),
        "Control row 2, Title: workbook a cell that ",
    ),
    "the title": (fact("Title", "Mine"), "Control row 2, Title: workbook “Mine”, ledger “Sales credit 2026”"),
    "how to check": (fact("How to check, 2", "Don't"), "Control row "),
    "when it was made": (fact("Made at", date(2026, 1, 1)), "Made at: workbook 2026-01-01"),
    "the tail of an account": (cut_the_tail, "Accounts row "),
    "a name": (put("Summary", "Name", "Other"), "Summary row 2, Name: workbook “Other”, ledger “Dealer"),
    "a level": (put("Summary", "Level for 2027", "Top"), "Summary row 2, Level for 2027: workbook “Top”"),
    "a dealer removed": (lambda book: book["Summary"].delete_rows(2), "Summary: the ledger's row "),
    "an account's balance": (put("Accounts", "Balance", 0, row=3), "Accounts row 3, Balance: workbook 0.00"),
    "the credit of an order": (
        put("Orders", "Credit earned", 1),
        "Orders row 2, Credit earned: workbook 1.00",
    ),
    "an order removed": (lambda book: book["Orders"].delete_rows(2), "Orders: the ledger's row “O-"),
    "a sheet removed": (lambda book: book.remove(book["Orders"]), "The sheet Orders is missing."),
    "a sheet added": (lambda book: book.create_sheet("Mine"), "The sheet Mine does not belong there."),
}


def find_fact(book, item):
    return next(row[1].value for row in book["Control"].iter_rows() if str(row[0].value).startswith(item))


def test_an_export_equals_the_ledger(file, run):
    code, said = run("check-export", file)
    assert (code, "equals the ledger: " in said) == (0, True), said


def test_it_still_does_when_the_ledger_has_moved_on(file, world, tx, run):
    """Postings after the workbook's heads, a dealer, an order, an old order cancelled, other levels."""
    later = AT + timedelta(days=1)
    adjust(tx, world, "z-1", at=later)
    adjust(tx, world, "z-2", make_dealer(tx, world.program), at=later)
    world.order(at=later)
    cancel_order(
        tx,
        actor=world.account,
        at=later,
        ref=f"O-{world.dealer.company_code}-1",
        quantities=None,
        reason="The project ended",
        idempotency_key="c-2",
    )
    set_levels(
        tx,
        actor=world.program,
        at=later,
        level_year=2027,
        levels=[LevelStep("Base", 0), LevelStep("Higher", 100)],
        reason="Agreed",
        source="Letter",
    )
    code, said = run("check-export", file)
    assert code == 0, said


def test_a_posting_that_committed_while_the_workbook_was_made_is_no_fault(file, world, tx, run):
    adjust(tx, world, "z-1", at=AT + timedelta(minutes=59))
    assert run("check-export", file)[0] == 0


def test_a_workbook_that_ends_before_it_says_is_found(file, world, tx, run):
    """As if the last row had been cut, with head, counts, totals and levels mended to fit."""
    adjust(tx, world, "z-1", at=AT + timedelta(minutes=30))
    adjust(tx, world, "z-2", make_dealer(tx, world.program), at=AT + timedelta(minutes=30))
    code, said = run("check-export", file)
    assert code == 1
    assert "the workbook ends this account at 7, but the ledger had posted 8 before" in said
    assert "the workbook leaves this account out, but the ledger had posted 1 before" in said


def test_a_ledger_that_was_changed_is_found(app, file, world, tx):
    """By its owner, past the triggers: the workbook is the witness."""
    do(tx, sa.update(LedgerEntry).where(LedgerEntry.sequence == 3).values(memo="Changed"))
    found = check_export(
        tx, viewer=world.program, path=file, sheets=app.extensions["year_sheets"], most=1
    ).differences
    assert len(found) == 1
    assert found[0].endswith("ledger “Changed”")


def test_a_long_table_is_compared_over_all_its_sheets(export, run):
    file = export(rows_per_sheet=3)
    assert openpyxl.load_workbook(file).sheetnames[:4] == ["Summary", "Postings", "Postings 2", "Postings 3"]
    code, said = run("check-export", file)
    assert code == 0, said
    edited(file, put("Postings 2", "Amount", 5, row=3))
    assert "Postings 2 row 3, Amount: workbook 5.00, ledger " in run("check-export", file)[1]
    edited(file, lambda book: book.remove(book["Postings 3"]))
    assert "is missing at the end" in run("check-export", file)[1]


def test_a_workbook_of_one_dealer_is_compared_with_that_dealer(export, world, tx, run):
    code, said = run("check-export", export(world.other.company_code))
    assert (code, said.rstrip().endswith(f"of 2026, {world.other.company_code}.")) == (0, True), said
    edited(export(world.other.company_code), fact("Dealer", "NOBODY"))


def test_a_workbook_that_a_dealer_made_says_which(export, world, run):
    world.program = world.dealer
    code, said = run("check-export", export())
    assert (code, said.rstrip().endswith(f"of 2026, {world.dealer.company_code}.")) == (0, True), said


def test_a_year_without_postings_is_equal(world, tx, run, tmp_path):
    assert run("export", "--year", "2031", "--out", tmp_path / "empty.xlsx")[0] == 0
    code, said = run("check-export", tmp_path / "empty.xlsx")
    assert code == 0, said


HOSTILE = {
    "nothing": (lambda path: path.write_bytes(b""), "This file is empty."),
    "text": (lambda path: path.write_text("a,b"), "its content is none"),
    "half a workbook": (lambda path: path.write_bytes(path.read_bytes()[:5000]), "damaged or incomplete"),
    "another workbook": (lambda path: openpyxl.Workbook().save(path), "this is no export of the ledger"),
    "a year that is none": (
        lambda path: edited(path, fact("Program year", "never")),
        "does not say which program year",
    ),
    "a year that cannot be": (
        lambda path: edited(path, fact("Program year", "1850")),
        "does not have the year or the",
    ),
    "another year": (lambda path: edited(path, fact("Program year", "2025")), "the headings are not those"),
    "another dealer": (
        lambda path: edited(path, fact("Dealer", "NOBODY")),
        "does not have the year or the dealer",
    ),
    "no instant": (lambda path: edited(path, fact("As of", "now")), "does not say “As of"),
    "closed, it says": (lambda path: edited(path, fact("The year is", "closed")), "does not say “Closed at”"),
    "twice the same line": (
        lambda path: edited(path, lambda book: book["Control"].append(["Title", "x"])),
        "the line “Title” stands there twice",
    ),
}


def test_what_is_no_workbook_of_ours_is_refused_with_a_sentence(file, run, tmp_path):
    unseen = {}
    for name, (spoil, words) in HOSTILE.items():
        copy = tmp_path / "copy.xlsx"
        shutil.copy(file, copy)
        spoil(copy)
        code, said = run("check-export", copy)
        if code != 1 or words not in said:
            unseen[name] = said
    assert not unseen


def test_every_edit_is_found(file, run, tmp_path):
    """Each starts from the same workbook; what is said of it names the sheet, the row and the column."""
    unseen = {}
    for name, (edit, words) in EDITS.items():
        copy = tmp_path / "copy.xlsx"
        shutil.copy(file, copy)
        edited(copy, edit)
        code, said = run("check-export", copy)
        if code != 1 or words not in said or DIFFERS not in said:
            unseen[name] = said
    assert not unseen


def test_a_workbook_saved_again_by_another_program_is_equal(file, run):
    edited(file, lambda _: None)
    code, said = run("check-export", file)
    assert code == 0, said


@pytest.mark.sqlite_only("the file is the same on both")
def test_a_workbook_saved_again_by_libreoffice_is_equal(file, run, soffice, tmp_path):
    subprocess.run(
        [
            soffice,
            f"-env:UserInstallation=file://{tmp_path}/profile",
            "--headless",
            "--convert-to",
            "xlsx",
            "--outdir",
            str(tmp_path / "again"),
            str(file),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    code, said = run("check-export", tmp_path / "again" / "year.xlsx")
    assert code == 0, said
