"""A closed program year exports the same bytes for ever."""

import io
import re
from datetime import UTC, datetime, timedelta

import openpyxl
import pytest

from ledger.operations.adjustments import adjust_credit
from ledger.operations.levels import set_levels
from ledger.operations.years import close_dealer_year, finish_closing, start_closing
from ledger.queries.years import dealers_to_close
from ledger.rules.credit import LevelStep
from ledger.sheets.year import write_year
from quotes.operations.cancellations import cancel_order
from referral.models import Company
from referral.permissions import Role
from tests.factories import AT, make_dealer, make_user, make_world
from tests.house.source import ROOT

CLOSED_AT = datetime(2027, 1, 20, 15, 0, tzinfo=UTC)
YEARS_LATER = datetime(2031, 6, 1, 9, 30, tzinfo=UTC)


def set_high(tx, world, at, cents):
    set_levels(
        tx,
        actor=world.program,
        at=at,
        level_year=2027,
        levels=[LevelStep("Base", 0), LevelStep("High", cents)],
        reason="Agreed",
        source="Letter",
    )


def adjust(tx, world, key, at, cents=500):
    adjust_credit(
        tx,
        actor=world.program,
        at=at,
        dealer_code=world.dealer.company_code,
        effective_on=at.date(),
        amount_cents=cents,
        reason="Agreed",
        idempotency_key=key,
    )


@pytest.fixture
def world(tx):
    """2026 with two orders, an adjustment and two dealers; closed on 20 January 2027."""
    world = make_world(tx)
    world.order()
    world.order()
    adjust(tx, world, "a-1", AT)
    world.other = make_dealer(tx, world.program)
    set_high(tx, world, AT, 500_000)
    closing = {"actor": world.program, "at": CLOSED_AT, "program_year": 2026}
    start_closing(tx, **closing, reason="Nothing is open", open_items=())
    for dealer_id in dealers_to_close(tx, program_year=2026):
        close_dealer_year(tx, **closing, dealer_id=dealer_id)
    finish_closing(tx, **closing)
    tx.flush()
    return world


@pytest.fixture
def export(app, tx, world):
    """Write 2026 and return the bytes."""

    def write(at, viewer=world.program, dealer_code=""):
        out = io.BytesIO()
        write_year(
            tx,
            viewer=viewer,
            at=at,
            program_year=2026,
            dealer_code=dealer_code,
            sheets=app.extensions["year_sheets"],
            out=out,
        )
        return out.getvalue()

    return write


@pytest.mark.parametrize("of_one", [False, True])
def test_it_is_the_same_bytes_by_anybody_at_any_time_whatever_happened_since(of_one, tx, world, export):
    """
    2026-05-04 * Order O-1
        Sales credit 2026     3,858.00
    2027-01-20 2026 is closed
    2031-06-01 * O-1 is cancelled: that goes to 2031
        Sales credit 2031    -3,858.00
    """
    code = world.dealer.company_code if of_one else ""
    first = export(CLOSED_AT + timedelta(minutes=1), dealer_code=code)
    cancel_order(
        tx,
        actor=world.account,
        at=YEARS_LATER,
        ref=f"O-{world.dealer.company_code}-1",
        quantities=None,
        reason="Returned",
        idempotency_key="c-1",
    )
    adjust(tx, world, "a-2", YEARS_LATER)
    make_dealer(tx, world.program)
    auditor = make_user(tx, tx.get(Company, world.program.company_id), Role.PROGRAM_AUDITOR)
    assert export(YEARS_LATER, auditor, code) == first


def test_it_says_when_the_year_was_closed_and_not_when_or_by_whom_the_file_was_made(export, world):
    book = openpyxl.load_workbook(io.BytesIO(export(YEARS_LATER)))
    control = dict(book["Control"].iter_rows(values_only=True))
    assert control["The year is"] == "closed"
    assert control["Closed at"] == CLOSED_AT.replace(tzinfo=None)
    assert re.fullmatch("[0-9a-f]{64}", control[f"Close of {world.dealer.company_code}"])
    assert not {"Made at", "Made by", "Business day", "Newest checkpoint"} & control.keys()
    assert "State" not in [cell.value for cell in book["Orders"][1]]
    assert book["Summary"]["F2"].value in {"Base", "High"}
    assert book.properties.created is None or book.properties.created.year != YEARS_LATER.year


def test_its_columns_are_the_ones_that_were_agreed(export):
    """Another column changes every closed year: don't, or say in the changelog from when on."""
    book = openpyxl.load_workbook(io.BytesIO(export(YEARS_LATER)))
    assert {sheet.title: " · ".join(cell.value for cell in sheet[1]) for sheet in book} == {
        "Summary": "Dealer · Name · Sales credit · Other purchases · Total · Level for 2027 · Next level · "
        "Missing to the next",
        "Postings": "Dealer · Account · Sequence · Effective day · Posted at · Kind · Source · Takes back · Memo · By · "
        "Amount · Balance · Digest",
        "Accounts": "Dealer · Program year · Account · Last sequence · Balance · Digest",
        "Orders": "Order · Quote · Revision · Order day · Entered at · Dealer · Dealer name · Qualified account · "
        "Project · Purchase order · Products · Products, other currency · Currency · Exchange rate · Credit earned",
        "Control": "Item · Value",
    }


def test_it_equals_the_ledger_for_ever_and_an_edit_is_found(app, tx, export, world, tmp_path):
    path = tmp_path / "closed.xlsx"
    path.write_bytes(export(CLOSED_AT))
    adjust(tx, world, "a-2", YEARS_LATER)
    tx.commit()

    def run():
        return app.test_cli_runner().invoke(args=["ledger", "check-export", str(path)])

    found = run()
    assert found.exit_code == 0, found.output
    book = openpyxl.load_workbook(path)
    row = next(row for row in book["Control"].iter_rows() if str(row[0].value).startswith("Close of"))
    row[1].value = "0" * 64
    book["Summary"]["F2"].value = "Higher"
    book.save(path)
    found = run()
    assert found.exit_code == 1
    assert "Close of " in found.output
    assert "workbook “Higher”" in found.output


def test_a_workbook_of_the_open_year_still_equals_the_closed_one(app, tx, tmp_path):
    world = make_world(tx)
    world.order()
    set_high(tx, world, AT, 500_000)
    path = tmp_path / "open.xlsx"
    with path.open("wb") as out:
        write_year(
            tx,
            viewer=world.program,
            at=AT + timedelta(hours=1),
            program_year=2026,
            dealer_code="",
            sheets=app.extensions["year_sheets"],
            out=out,
        )
    closing = {"actor": world.program, "at": CLOSED_AT, "program_year": 2026}
    start_closing(tx, **closing, reason="Nothing is open", open_items=())
    for dealer_id in dealers_to_close(tx, program_year=2026):
        close_dealer_year(tx, **closing, dealer_id=dealer_id)
    finish_closing(tx, **closing)
    tx.commit()
    found = app.test_cli_runner().invoke(args=["ledger", "check-export", str(path)])
    assert found.exit_code == 0, found.output


def test_no_operation_changes_a_name_that_stands_in_the_workbook():
    """Names of people, accounts and projects are read as they are today. Whoever lets one change must freeze
    what closed years show, as dealer names are frozen in `year_close`.
    """
    change = re.compile(
        r"\.(?:name|code|project_name|purchase_order) = (?!purchase_order)|values\([^)]*\bname="
    )
    for floor in ("referral", "ledger", "quotes"):
        for path in (ROOT / floor / "operations").rglob("*.py"):
            assert not change.search(path.read_text(encoding="utf-8")), path
