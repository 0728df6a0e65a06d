import csv
import io
import subprocess
from datetime import date, datetime

import openpyxl
import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.operations.adjustments import adjust_credit, record_other_purchase
from ledger.operations.levels import set_levels
from ledger.rules.credit import LevelStep
from ledger.states import AccountKind
from quotes.models.orders import Order
from quotes.operations.cancellations import cancel_order
from referral.models import User
from tests.factories import AT, make_dealer, make_world

MEMO = '=HYPERLINK("http://x","1") <&> 😀 \'café\''
OFFICE_FILTER = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"


@pytest.fixture
def world(tx):
    """A dealer with an order, a part of another cancelled, an adjustment and a purchase; a second with one entry."""
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
    hand = {"actor": world.program, "at": AT, "dealer_code": world.dealer.company_code}
    adjust_credit(
        tx,
        **hand,
        effective_on=date(2026, 5, 4),
        amount_cents=-1,
        reason=MEMO,
        idempotency_key="a-1",
    )
    record_other_purchase(
        tx,
        **hand,
        purchased_on=date(2026, 2, 1),
        amount_cents=123_456,
        document="00123",
        reason="Imported",
        idempotency_key="p-1",
    )
    record_other_purchase(
        tx,
        **hand,
        purchased_on=date(2025, 2, 1),
        amount_cents=999,
        document="old",
        reason="Imported",
        idempotency_key="p-2",
    )
    world.other = make_dealer(tx, world.program)
    adjust_credit(
        tx,
        **hand | {"dealer_code": world.other.company_code},
        effective_on=date(2026, 5, 4),
        amount_cents=77,
        reason="Opening",
        idempotency_key="a-2",
    )
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
def export(client, tx, world):
    """Fetch the workbook of a year as the program."""
    client.sign_in(tx.get(User, world.program.user_id))

    def fetch(query="year=2026"):
        return client.get(f"/credit/export?{query}", buffered=True).response

    return fetch


def book_of(response):
    return openpyxl.load_workbook(io.BytesIO(response.get_data()))


def rows_of(book, sheet):
    """Return the rows below the headings as dictionaries, the totals row apart."""
    heads, *rows = book[sheet].iter_rows(values_only=True)
    rows = [dict(zip(heads, row, strict=True)) for row in rows]
    has_total = bool(rows) and rows[-1][heads[0]] == "Total"
    return (rows[:-1], rows[-1]) if has_total else (rows, None)


def cents(value):
    return round(value * 100)


def test_the_workbook_is_a_download_with_its_year_in_its_name(export, world):
    answer = export(f"year=2026&dealer={world.dealer.company_code}")
    assert answer.mimetype == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    name = f"sales-credit-2026-{world.dealer.company_code}.xlsx"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    assert answer.content_length == len(answer.get_data())
    assert book_of(answer).sheetnames == ["Summary", "Postings", "Accounts", "Orders", "Control"]


def test_sums_equal_the_ledger_to_the_cent(export, tx, world):
    book = book_of(export())
    heads = dict(
        tx.execute(
            sa.select(LedgerAccount.kind, sa.func.sum(LedgerAccount.balance_cents))
            .where(LedgerAccount.program_year == 2026)
            .group_by(LedgerAccount.kind)
        ).all()
    )
    credit, other = int(heads[AccountKind.SALES_CREDIT]), int(heads[AccountKind.OTHER_PURCHASES])
    rows, total = rows_of(book, "Summary")
    assert (cents(total["Sales credit"]), cents(total["Other purchases"])) == (credit, other)
    assert cents(total["Total"]) == credit + other == sum(cents(row["Total"]) for row in rows)
    postings, total = rows_of(book, "Postings")
    assert cents(total["Amount"]) == credit + other == sum(cents(row["Amount"]) for row in postings)
    orders, total = rows_of(book, "Orders")
    earned = tx.scalars(sa.select(sa.func.sum(Order.credit_cents))).one()
    assert cents(total["Credit earned"]) == int(earned) == sum(cents(row["Credit earned"]) for row in orders)
    _, total = rows_of(book, "Accounts")
    assert total["Balance"] == 0


def test_every_posting_is_there_with_its_digest(export, tx, world):
    rows, _ = rows_of(book_of(export()), "Postings")
    kept = tx.scalars(sa.select(LedgerEntry).where(LedgerEntry.program_year == 2026)).all()
    assert {row["Digest"]: (row["Sequence"], cents(row["Balance"])) for row in rows} == {
        row.digest: (row.sequence, row.balance_cents) for row in kept
    }
    assert all(isinstance(row["Effective day"], datetime) for row in rows)
    assert {"00123"} < {row["Source"] for row in rows}
    (taken,) = [row for row in rows if row["Kind"] == "Cancellation"]
    assert taken["Takes back"] == taken["Source"]
    assert taken["Amount"] < 0


def test_the_control_sheet_names_filters_counts_and_heads(export, tx, world):
    book = book_of(export())
    control = dict(book["Control"].iter_rows(values_only=True))
    assert control["Program year"] == "2026"
    assert control["Dealer"] == "all dealers"
    assert isinstance(control["Made at"], datetime)
    assert control["Postings: rows"] == len(rows_of(book, "Postings")[0])
    assert control["Accounts: total of Balance"] == 0
    heads = tx.scalars(sa.select(LedgerAccount).where(LedgerAccount.program_year == 2026)).all()
    said = " ".join(value for item, value in control.items() if str(item).startswith("Head of"))
    assert len(heads) == 5
    assert all(f"sequence {head.sequence}, " in said and head.digest in said for head in heads)
    rows, _ = rows_of(book, "Accounts")
    assert {(row["Last sequence"], cents(row["Balance"]), row["Digest"]) for row in rows} == {
        (head.sequence, head.balance_cents, head.digest) for head in heads
    }


def test_a_dealer_filter_leaves_the_others_out(export, world):
    book = book_of(export(f"year=2026&dealer={world.other.company_code}"))
    for sheet in ("Summary", "Postings", "Accounts"):
        assert {row["Dealer"] for row in rows_of(book, sheet)[0]} == {world.other.company_code}
    assert rows_of(book, "Orders")[0] == []
    assert dict(book["Control"].iter_rows(values_only=True))["Dealer"] == world.other.company_code


def test_a_year_without_postings_is_still_a_workbook(export):
    book = book_of(export("year=2031"))
    assert rows_of(book, "Postings")[0] == []
    assert len(rows_of(book, "Summary")[0]) == 2


def test_nothing_people_wrote_becomes_a_formula(export):
    book = book_of(export())
    assert MEMO in {row["Memo"] for row in rows_of(book, "Postings")[0]}
    assert all(cell.data_type != "f" for sheet in book for row in sheet.iter_rows() for cell in row)


@pytest.mark.sqlite_only("the file is the same on both")
def test_libreoffice_opens_it_and_shows_the_same_sums(export, soffice, tmp_path):
    source = tmp_path / "year.xlsx"
    source.write_bytes(export().get_data())
    subprocess.run(
        [
            soffice,
            f"-env:UserInstallation=file://{tmp_path}/profile",
            "--headless",
            "--convert-to",
            OFFICE_FILTER,
            "--outdir",
            str(tmp_path / "out"),
            str(source),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    shown = {}
    for sheet in ("Summary", "Postings", "Accounts", "Orders", "Control"):
        text = (tmp_path / "out" / f"year-{sheet}.csv").read_text(encoding="utf-8")
        assert "#" not in text.replace("#,##0", "")
        assert "Err:" not in text
        shown[sheet] = list(csv.reader(io.StringIO(text, newline="")))
    _, total = rows_of(book_of(export()), "Summary")
    assert float(shown["Summary"][-1][4]) == pytest.approx(total["Total"])
    assert len(shown["Postings"]) == 8
