"""Statements of a period: page, print and workbook say the same to the cent, and where each posting belongs."""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime

import openpyxl
import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.operations.adjustments import adjust_credit, record_other_purchase
from ledger.operations.disputes import open_dispute
from ledger.queries import period_statements
from ledger.queries.period_statements import period_lines, period_statement, whole_statement
from ledger.queries.periods import statements_page
from ledger.queries.places import accounts_at
from ledger.states import AccountKind
from referral.db import read
from tests.factories import AT, make_dealer, make_world, user_of

LATE = datetime(2026, 6, 1, 3, 59, 59, tzinfo=UTC)
"""31 May 2026, 23:59:59 in New York."""


@pytest.fixture
def world(tx):
    """A dealer with an order and a purchase in May, an adjustment in its last second, one in June."""
    made = make_world(tx)
    made.order()
    purchase(made, AT, 2_000_05, "p-1")
    adjust(made, LATE, -33_33, "a-1")
    adjust(made, datetime(2026, 6, 1, 4, 0, tzinfo=UTC), 7_07, "a-2")
    return made


def adjust(world, at, cents, key):
    adjust_credit(
        world.tx, actor=world.program, at=at, dealer_code=world.dealer.company_code, effective_on=date(2026, 5, 4),
        amount_cents=cents, reason="=1+1 Counted", idempotency_key=key,
    )  # fmt: skip


def purchase(world, at, cents, key, day=date(2026, 5, 3)):
    record_other_purchase(
        world.tx, actor=world.program, at=at, dealer_code=world.dealer.company_code, purchased_on=day,
        amount_cents=cents, document=f"INV-{key}", reason="Invoice", idempotency_key=key,
    )  # fmt: skip


def said(world, period="2026-05", at=datetime(2026, 7, 1, tzinfo=UTC), **overrides):
    return {
        "viewer": world.dealer, "at": at, "dealer_code": world.dealer.company_code, "period_name": period,
    } | overrides  # fmt: skip


def address(world, period="2026-05", ending=""):
    return f"/credit/{world.dealer.company_code}/statements/{period}{ending}"


def amounts(page):
    """Every amount of the page's tables, row by row, without the places that only one of them has."""
    return [re.findall(r"-?[0-9,]+\.[0-9]{2}", row) for row in page.all(".//table//tr")]


def book_of(page):
    content = page.response.get_data()
    page.response.close()
    return openpyxl.load_workbook(io.BytesIO(content))


def sheets_of(page):
    book = book_of(page)
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def shown(value):
    return f"{value:,.2f}"


# which postings ---------------------------------------------------------------------------------


def test_a_posting_belongs_to_the_business_day_of_its_posting_in_the_programs_zone(tx, world):
    may, june = (period_statement(tx, **said(world, name)) for name in ("2026-05", "2026-06"))
    assert [(each.words, each.posted_cents, each.count) for each in may.accounts] == [
        ("Sales credit 2026", 445_830 - 3_333, 2),
        ("Other purchases 2026", 200_005, 1),
    ]
    assert [line.posted_on for line in may.sections[0].lines] == [date(2026, 5, 4), date(2026, 5, 31)]
    assert june.accounts[0].opening == may.accounts[0].closing
    assert (june.accounts[0].posted_cents, june.accounts[0].closing.sequence) == (707, 3)


def test_quarter_and_year_are_the_sum_of_their_months_and_end_where_the_accounts_stand(tx, world):
    year = period_statement(tx, **said(world, "2026"))
    parts = [period_statement(tx, **said(world, name)) for name in ("2026-04", "2026-05", "2026-06")]
    quarter = period_statement(tx, **said(world, "2026-Q2"))
    for number in (0, 1):
        total = sum(part.accounts[number].posted_cents for part in parts)
        assert quarter.accounts[number].posted_cents == year.accounts[number].posted_cents == total
    heads = tx.scalars(
        sa.select(LedgerAccount)
        .where(LedgerAccount.kind != AccountKind.ISSUANCE)
        .order_by(LedgerAccount.kind.desc())
    ).all()
    assert [
        (each.closing.sequence, each.closing.balance_cents, each.closing.digest) for each in year.accounts
    ] == [(head.sequence, head.balance_cents, head.digest) for head in heads]


def test_a_purchase_of_last_year_that_is_posted_this_year_stands_in_this_years_statement(tx, world):
    at = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)
    purchase(world, at, 100, "late", day=date(2026, 12, 30))
    january = period_statement(tx, **said(world, "2027-01", at))
    assert [(each.words, each.opening.balance_cents, each.posted_cents) for each in january.accounts] == [
        ("Sales credit 2027", 0, 0),
        ("Other purchases 2027", 0, 0),
        ("Other purchases 2026", 200_005, 100),
    ]
    december = period_statement(tx, **said(world, "2026-12", at))
    assert (december.line_count, december.accounts[1].closing.balance_cents) == (0, 200_005)


def test_the_place_at_an_instant_is_what_counting_gives_at_any_depth(tx, world):
    for number in range(60):
        adjust(world, datetime(2026, 6, 2, 0, number // 3, tzinfo=UTC), 1, f"many-{number}")
    entries = tx.scalars(
        sa.select(LedgerEntry)
        .where(LedgerEntry.account_kind == AccountKind.SALES_CREDIT)
        .order_by(LedgerEntry.sequence)
    ).all()
    instants = [AT, LATE, *(datetime(2026, 6, 2, 0, minute, tzinfo=UTC) for minute in range(22))]
    account = next(
        each for each in accounts_at(tx, dealer_id=world.dealer.company_id, instants=instants)
        if each.kind is AccountKind.SALES_CREDIT
    )  # fmt: skip
    for instant, place in zip(instants, account.places, strict=True):
        before = [entry for entry in entries if entry.posted_at < instant]
        assert place.sequence == len(before)
        assert place.balance_cents == sum(entry.amount_cents for entry in before)


def test_the_list_of_periods_has_the_same_sums_and_says_until_when_one_can_dispute(tx, world):
    page = statements_page(
        tx,
        viewer=world.dealer,
        at=datetime(2026, 7, 31, 12, 0, tzinfo=UTC),
        dealer_code=world.dealer.company_code,
    )
    rows = {row.period.name: row for row in (*page.months, *page.longer)}
    assert len(page.months) == 7
    for name, row in rows.items():
        statement = whole_statement(tx, **said(world, name, datetime(2026, 7, 31, 12, 0, tzinfo=UTC)))
        assert (row.sales_credit_cents, row.other_purchases_cents, row.count) == (
            statement.sales_credit_cents, statement.other_purchases_cents, statement.line_count,
        )  # fmt: skip
    assert (rows["2026-05"].is_window_open, rows["2026-06"].last_dispute_on) == (False, date(2026, 8, 29))
    assert (rows["2026-06"].is_over, rows["2026-07"].is_over, rows["2026"].is_over) == (True, False, False)


# page, print, workbook --------------------------------------------------------------------------


def test_page_print_and_workbook_are_equal_to_the_cent(tx, world, client):
    client.sign_in(user_of(tx, world.dealer))
    page = client.get(address(world))
    printed = client.get(address(world, ending="/print"))
    sheets = sheets_of(client.get(address(world, ending="/workbook")))
    assert amounts(page) == amounts(printed)
    accounts = [row for row in sheets["Accounts"] if row[0] and str(row[0]).endswith("2026")]
    for row in accounts:
        assert f"{row[0]} {shown(row[1])} {shown(row[2])} {shown(row[3])} {row[4]}" in page.text
        assert row[6] in page.text
    postings = [row for row in sheets["Postings"] if isinstance(row[1], int)]
    lines = [row for row in page.all(".//table/tbody/tr") if "Why posting" in row]
    assert len(postings) == len(lines) == 3
    for row, line in zip(postings, lines, strict=True):
        assert f": {shown(row[10])} {shown(row[11])} {row[1]} {row[12][:8]}" in line
    kinds = [row for row in sheets["By kind"] if isinstance(row[1], int) and row[0] not in (None, "Total")]
    for row in kinds:
        assert f"{row[0]} {row[1]} {shown(row[2])} {shown(row[3])}" in page.text
    assert "All kinds 3 4,424.97 2,000.05" in page.text
    total = round(sum(row[10] for row in postings) * 100)
    assert total == 445_830 - 3_333 + 200_005
    assert round(sum(row[2] for row in accounts) * 100) == total


def test_a_memo_that_looks_like_a_formula_stays_text_in_the_workbook(tx, world, client):
    page = client.sign_in(user_of(tx, world.dealer)).get(address(world, ending="/workbook"))
    book = book_of(page)
    cells = [
        cell for row in book["Postings"].iter_rows() for cell in row if str(cell.value).startswith("=1+1")
    ]
    assert [cell.data_type for cell in cells] == ["s"]
    assert "statement-" in page.response.headers["Content-Disposition"]


def test_a_period_that_is_not_over_says_so_far_and_one_to_come_does_not_exist(tx, world, client):
    client.sign_in(user_of(tx, world.dealer))
    assert "So far" not in client.get(address(world)).text
    page = client.get(address(world, "2026"))
    assert ("So far" in page.text) == ("Balance so far" in page.text)
    client.get(address(world, "2099-01"), status=404)
    for name in ("2026-13", "May", "2026-Q5", "26-05"):
        client.get(address(world, name), status=404)


def test_a_long_statement_goes_on_by_key_and_its_print_shows_all_up_to_the_limit(
    tx, world, client, monkeypatch
):
    for number in range(105):
        adjust(world, datetime(2026, 6, 20, 12, 0, tzinfo=UTC), 1, f"n-{number}")
    june = address(world, "2026-06")
    client.sign_in(user_of(tx, world.dealer))
    page = client.get(june)
    assert len([row for row in page.all(".//table/tbody/tr") if "Why posting" in row]) == 100
    assert "Balance carried forward" in page.text
    rest = client.click("Next lines →")
    assert len([row for row in rest.all(".//table/tbody/tr") if "Why posting" in row]) == 6
    assert rest.all(".//table/tbody/tr")[0].startswith("Balance brought forward")
    assert "Balance carried forward" not in client.get(f"{june}/print").text
    monkeypatch.setattr("ledger.views.period_statements.PRINT_ROWS", 50)
    assert "first 50 of 106 lines" in client.get(f"{june}/print").text
    for after in (
        "2026.sales_credit.9999",
        "2025.sales_credit.1",
        "2026.issuance.1",
        "x",
        "2026.sales_credit.0",
    ):
        client.get(f"{june}?after={after}", status=404)


def test_lines_streamed_are_the_lines_of_the_pages(tx, world):
    whole = whole_statement(tx, **said(world, "2026"))
    streamed = [(account.kind, line.sequence) for account, line, _ in period_lines(tx, whole)]
    seen, after = [], ""
    while True:
        page = period_statement(tx, **said(world, "2026"), after=after, limit=1)
        seen += [(part.account.kind, row.line.sequence) for part in page.sections for row in part.lines]
        if page.after is None:
            break
        after = page.after
    assert seen == streamed
    assert len(seen) == 4


# who sees it, and what leads where --------------------------------------------------------------


def test_another_dealers_statements_do_not_exist_and_an_account_sees_none(tx, world, client):
    other = make_dealer(tx, world.program)
    client.sign_in(user_of(tx, other))
    for ending in ("", "/print", "/workbook"):
        client.get(address(world, ending=ending), status=404)
    client.get(f"/credit/{world.dealer.company_code}/statements", status=404)
    client.sign_in(user_of(tx, world.account)).get(address(world), status=403)


def test_statements_are_reached_from_the_credit_page_and_show_each_lines_dispute(tx, world, client):
    open_dispute(
        tx, actor=world.dealer, at=AT, dealer_code=world.dealer.company_code, program_year=2026,
        account_kind=AccountKind.SALES_CREDIT, sequence=1, claimed_cents=None, reason="Why?", idempotency_key="d",
    )  # fmt: skip
    client.sign_in(user_of(tx, world.dealer)).get("/credit")
    assert "1 dispute is open" in client.page.text
    client.click("Statements by month")
    client.get(f"{client.page.address}?year=2026")
    page = client.click("May 2026")
    assert f"D-{world.dealer.company_code}-1 Open" in page.text
    assert "none taken yet" in page.text


@pytest.mark.sqlite_only("only the page's query is stood in for")
def test_the_newest_checkpoint_at_the_periods_end_is_printed(tx, world, monkeypatch):
    asked = []

    class Found:
        code, taken_at = "C-7-abcd", AT

    def newest(_tx, *, before):
        asked.append(before)
        return Found

    monkeypatch.setattr(period_statements, "newest_checkpoint", newest)
    assert period_statement(tx, **said(world)).checkpoint_code == "C-7-abcd"
    assert asked == [datetime(2026, 6, 1, 4, 0, tzinfo=UTC)]


def test_reading_a_statement_asks_no_more_of_the_database_for_ten_times_the_postings(app, tx, world):
    def statements():
        count = 0

        def note(*_):
            nonlocal count
            count += 1

        tx.commit()
        sa.event.listen(tx.get_bind(), "before_cursor_execute", note)
        read(period_statement, **said(world))
        sa.event.remove(tx.get_bind(), "before_cursor_execute", note)
        return count

    few = statements()
    for number in range(30):
        adjust(world, datetime(2026, 6, 20, tzinfo=UTC), 1, f"m-{number}")
    assert statements() <= few + 4
