"""Importing files: every row once, whatever happens; nothing where one row is bad, unless that is chosen."""

import io
import itertools
from datetime import date, datetime

import openpyxl
import pytest
import sqlalchemy as sa
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from sqlalchemy import event

from ledger.forms.imports import open_credit_sheet
from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.imports import CreditImport
from ledger.models.years import YearClosing
from ledger.operations.batches import NewEntry, post_entries
from ledger.operations.entries import Source
from ledger.operations.import_runs import run_import
from ledger.operations.imports import begin_import
from ledger.queries.imports import check_import, import_ground, import_runs, refused_lines
from ledger.queries.verification import ledger_faults
from ledger.rules.imports import Ordinals
from ledger.states import AccountKind, EntryKind
from referral.db import db, read, write
from referral.errors import Refusal
from referral.models import AuditEvent
from referral.operations.companies import add_account_number, end_account_number
from tests.factories import AT, everything, make_dealer, make_world, refused

HEADINGS = ("Dealer", "Account number", "Day", "Amount", "Document", "Memo")
OTHER = EntryKind.OTHER_PURCHASE


@pytest.fixture
def world(tx):
    return make_world(tx)


def csv_of(*rows, headings=HEADINGS):
    lines = [headings, *rows]
    return "\n".join(",".join(f'"{cell}"' for cell in line) for line in lines).encode()


def row(world, number=1, *, amount="100.00", day="2026-03-01", document=None, memo="", dealer=None):
    code = world.dealer.company_code if dealer is None else dealer
    return (code, "", day, amount, f"INV-{number}" if document is None else document, memo)


def rows(world, count, first=1):
    return [row(world, number, amount=f"{number}.01") for number in range(first, first + count)]


def sheet_of(content, name="rows.csv"):
    return open_credit_sheet(io.BytesIO(content), name)


def checked(tx, content, *, name="rows.csv", kind=OTHER):
    tx.commit()
    return read(check_import, at=AT, file=sheet_of(content, name).file, kind=kind)


def run(tx, world, content, *, name="rows.csv", kind=OTHER, **overrides):
    """Check the file and post it."""
    tx.commit()
    file = sheet_of(content, name).file
    said = {
        "actor": world.program, "clock": lambda: AT, "file": file, "reason": "Letter of May", "good_only": False,
        "checked": read(check_import, at=AT, file=file, kind=kind),
    }  # fmt: skip
    report = run_import(**(said | overrides))
    tx.expire_all()
    assert read(lambda tx: list(ledger_faults(tx))) == []
    return report


def posted(tx):
    return tx.scalars(sa.select(LedgerEntry.amount_cents).order_by(LedgerEntry.amount_cents)).all()


def why(checked_file):
    """Row, code and cell of everything that is wrong."""
    return [(line.row, each.code, each.field) for line in checked_file.refused for each in line.problems]


# what is posted ---------------------------------------------------------------------------------


def test_every_row_is_posted_with_its_document_day_and_place(tx, world):
    report = run(tx, world, csv_of(row(world, 1), row(world, 2, day="2025-12-31", memo="Shades")))
    assert (report.posted, report.repeated, report.refused, report.amount_cents) == (2, 0, 0, 20_000)
    entries = tx.scalars(sa.select(LedgerEntry).order_by(LedgerEntry.program_year)).all()
    assert [(each.kind, each.account_kind) for each in entries] == [(OTHER, AccountKind.OTHER_PURCHASES)] * 2
    assert [(each.program_year, each.effective_on, each.source, each.memo) for each in entries] == [
        (2025, date(2025, 12, 31), "INV-2", "Shades (rows.csv, row 3)"),
        (2026, date(2026, 3, 1), "INV-1", "Letter of May (rows.csv, row 2)"),
    ]
    assert {each.actor_id for each in entries} == {world.program.user_id}
    (made,) = tx.scalars(sa.select(CreditImport)).all()
    assert (made.row_count, made.posted_count, made.repeated_count, made.total_cents) == (2, 2, 0, 20_000)
    assert made.finished_at == AT
    assert tx.scalars(
        sa.select(AuditEvent.subject).where(AuditEvent.event == "credit_import.posted")
    ).all() == ["rows.csv"]


def test_earlier_credit_is_sales_credit(tx, world):
    run(tx, world, csv_of(row(world)), kind=EntryKind.OPENING_CREDIT)
    (entry,) = tx.scalars(sa.select(LedgerEntry)).all()
    assert (entry.kind, entry.account_kind) == (EntryKind.OPENING_CREDIT, AccountKind.SALES_CREDIT)


def test_the_command_line_needs_no_user(tx, world):
    run(tx, world, csv_of(row(world)), actor=None)
    assert tx.scalars(sa.select(LedgerEntry.actor_id)).all() == [None]
    assert read(import_runs)[0].started_by == "the command line"


def test_an_account_number_is_compared_without_spaces_and_hyphens_and_as_of_the_rows_day(tx, world):
    code = world.dealer.company_code
    other = make_dealer(tx, world.program)
    made = add_account_number(
        tx,
        actor=world.program,
        at=AT,
        code=code,
        number="77-1234",
        valid_from=date(2024, 1, 1),
        valid_to=None,
    )
    tx.flush()
    end_account_number(
        tx, actor=world.program, at=AT, code=code, number_id=made.id, valid_to=date(2025, 12, 31)
    )
    add_account_number(
        tx, actor=world.program, at=AT, code=other.company_code, number="771234", valid_from=date(2026, 1, 1),
        valid_to=None,
    )  # fmt: skip
    written = ("7 7-1234", "", "771234", "77 12 34")
    days = ("2025-12-31", "2026-01-01", "2024-01-01", "2023-12-31")
    both = [
        (text, "", day, "1.00", f"A-{day}", "") if text else ("", "77-12-34", day, "1.00", f"A-{day}", "")
        for text, day in zip(written, days, strict=True)
    ]
    found = checked(tx, csv_of(*both))
    assert {(total.dealer_code, total.program_year) for total in found.totals} == {
        (code, 2025), (code, 2024), (other.company_code, 2026),
    }  # fmt: skip
    assert why(found) == [(5, "not_found", "A5")]


def test_two_columns_that_name_two_dealers_are_refused(tx, world):
    other = make_dealer(tx, world.program, number="0088-1")
    both = (world.dealer.company_code, "0088-1", "2026-03-01", "1.00", "A", "")
    agree = (other.company_code, "00881", "2026-03-01", "1.00", "A", "")
    found = checked(tx, csv_of(both, agree))
    assert why(found) == [(2, "invalid_input", "A2")]
    assert found.good_count == 1


# once -------------------------------------------------------------------------------------------


def test_the_same_file_again_posts_nothing(tx, world):
    content = csv_of(*rows(world, 3))
    run(tx, world, content)
    again = run(tx, world, content, name="renamed.csv")
    assert (again.posted, again.repeated) == (0, 3)
    assert len(posted(tx)) == 3
    assert tx.scalar(sa.select(sa.func.count()).select_from(CreditImport)) == 1


def test_a_longer_file_posts_only_what_is_new(tx, world):
    run(tx, world, csv_of(*rows(world, 3)))
    longer = csv_of(row(world, 9), *reversed(rows(world, 3)), row(world, 10))
    assert checked(tx, longer).repeated_count == 3
    report = run(tx, world, longer)
    assert (report.posted, report.repeated) == (2, 3)
    assert [(each.posted_count, each.repeated_count, each.open_count) for each in read(import_runs)] == [
        (2, 3, 0), (3, 0, 0),
    ]  # fmt: skip


def test_a_workbook_with_the_rows_of_a_csv_file_posts_nothing(tx, world):
    run(tx, world, csv_of(row(world, 1, amount="1,234.50")))
    book = workbook([(world.dealer.company_code, None, date(2026, 3, 1), 1234.5, "INV-1", None)])
    assert run(tx, world, book, name="rows.xlsx").repeated == 1


def test_equal_rows_of_one_file_are_as_many_purchases(tx, world):
    twice = [row(world, 1), row(world, 1)]
    assert run(tx, world, csv_of(*twice)).posted == 2
    assert run(tx, world, csv_of(*twice, row(world, 1))).posted == 1
    assert posted(tx) == [10_000] * 3


def test_the_same_key_twice_in_one_batch_posts_once(tx, world):
    entries = [
        NewEntry(world.dealer.company_id, cents, date(2026, 3, 1), key, Source("A", "0" * 64, ""))
        for cents, key in ((5, "one"), (5, "one"), (7, "two"))
    ]
    said = {"actor": world.program, "at": AT, "account_kind": AccountKind.OTHER_PURCHASES, "kind": OTHER}
    done = post_entries(tx, entries=entries, **said)
    assert (done.posted, done.repeated, done.amount_cents) == (2, 1, 12)
    again = post_entries(tx, entries=entries[:1], **said)
    assert (again.posted, again.repeated) == (0, 1)


def test_ordinals_count_equal_digests_and_nothing_else():
    ordinals = Ordinals()
    digests = ["aaaaaa1", "aaaaaa2", "bbbbbb1", "aaaaaa1", "cccccc1", "aaaaaa1"]
    for digest in digests:
        ordinals.note(digest)
    for _ in range(2):
        ordinals.begin()
        assert [ordinals.number(digest) for digest in digests] == [0, 0, 0, 1, 0, 2]


# what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong, code, cell",
    [
        ({"dealer": ""}, "invalid_input", "A3"),
        ({"dealer": "NOBODY"}, "not_found", "A3"),
        ({"dealer": "0048-9999"}, "not_found", "A3"),
        ({"dealer": "x" * 61}, "file_has_errors", "A3"),
        ({"day": "2026-05-05"}, "invalid_input", "C3"),
        ({"day": "1999-12-31"}, "invalid_input", "C3"),
        ({"day": ""}, "file_has_errors", "C3"),
        ({"day": "5/4/2026"}, "file_has_errors", "C3"),
        ({"day": "2026-02-30"}, "file_has_errors", "C3"),
        ({"day": "46022"}, "file_has_errors", "C3"),
        ({"amount": "0"}, "invalid_input", "D3"),
        ({"amount": "0.00"}, "invalid_input", "D3"),
        ({"amount": ""}, "file_has_errors", "D3"),
        ({"amount": "1.005"}, "file_has_errors", "D3"),
        ({"amount": "1e3"}, "file_has_errors", "D3"),
        ({"amount": "NaN"}, "file_has_errors", "D3"),
        ({"amount": "100,000,000,000.00"}, "file_has_errors", "D3"),
        ({"document": ""}, "file_has_errors", "E3"),
        ({"document": "x" * 81}, "file_has_errors", "E3"),
        ({"memo": "x" * 301}, "file_has_errors", "F3"),
    ],
    ids=str,
)
def test_one_bad_row_posts_nothing_and_names_its_cell(tx, world, wrong, code, cell):
    content = csv_of(row(world, 1), row(world, 2, **wrong), row(world, 3))
    assert why(checked(tx, content)) == [(3, code, cell)]
    before = read(everything)
    with pytest.raises(Refusal) as caught:
        run(tx, world, content)
    assert caught.value.code == "file_has_errors"
    assert [each.field for each in caught.value.problems] == [cell]
    assert read(everything) == before


def test_everything_wrong_with_a_row_is_said_at_once(tx, world):
    found = checked(tx, csv_of(("NOBODY", "", "2026-05-05", "0", "A", "")))
    assert {cell for _, _, cell in why(found)} == {"A2", "C2", "D2"}


def test_good_rows_alone_are_posted_where_that_is_chosen_and_the_rest_later(tx, world):
    content = csv_of(row(world, 1), row(world, 2, dealer="LATER"), row(world, 3))
    report = run(tx, world, content, good_only=True)
    assert (report.posted, report.refused) == (2, 1)
    (open_run,) = read(import_runs)
    assert (open_run.open_count, open_run.finished_at) == (1, None)
    make_dealer(tx, world.program, code="LATER")
    report = run(tx, world, content)
    assert (report.posted, report.repeated, report.refused) == (1, 2, 0)
    (done,) = read(import_runs)
    assert (done.posted_count, done.repeated_count, done.finished_at) == (3, 0, AT)


def test_refused_rows_can_be_written_mended_and_imported_by_themselves(tx, world):
    content = csv_of(row(world, 1), row(world, 2, amount="12.345", memo="=1+1"))
    tx.commit()
    file = sheet_of(content).file
    ground = read(import_ground, at=AT, kind=OTHER)
    (line,) = refused_lines(ground, file)
    assert line.said == (world.dealer.company_code, "", "2026-03-01", "12.345", "INV-2", "=1+1")


def test_a_row_of_a_closed_year_is_refused(tx, world):
    run(tx, world, csv_of(row(world, 1, day="2025-03-01")))
    tx.execute(sa.update(LedgerAccount).values(closed_at=AT))
    content = csv_of(row(world, 2, day="2025-04-01"), row(world, 3))
    assert why(checked(tx, content)) == [(2, "year_closed", "C2")]
    assert run(tx, world, content, good_only=True).posted == 1


def test_a_year_that_is_closed_for_all_is_closed_for_a_dealer_without_accounts(tx, world):
    tx.add(YearClosing(
        program_year=2025, level_version=1, open_items=[], reason="", started_by=None, started_at=AT, finished_at=AT
    ))  # fmt: skip
    assert why(checked(tx, csv_of(row(world, day="2025-03-01")))) == [(2, "year_closed", "C2")]


def test_a_year_closed_between_check_and_posting_stops_the_import_without_half_a_batch(tx, world):
    run(tx, world, csv_of(row(world, 1)))
    tx.commit()
    file = sheet_of(csv_of(*rows(world, 3, first=2))).file
    found = read(check_import, at=AT, file=file, kind=OTHER)
    tx.execute(sa.update(LedgerAccount).values(closed_at=AT))
    tx.commit()
    with pytest.raises(Refusal) as caught:
        run_import(actor=None, clock=lambda: AT, file=file, checked=found, reason="Letter", good_only=False)
    assert caught.value.code == "year_closed"
    assert len(posted(tx)) == 1


def test_a_sum_that_the_ledger_cannot_keep_is_refused_at_its_row(tx, world):
    most = "99,999,999,999.99"
    content = csv_of(*(row(world, number, amount=most) for number in range(101)))
    assert why(checked(tx, content)) == [(102, "amount_too_large", "D102")]


def test_an_unknown_account_number_in_row_54321_is_named_and_nothing_is_posted(tx, world):
    lines = (
        f"{world.number if number != 54_321 else '0048-0000x'},2026-03-01,{number}.00,INV-{number}"
        for number in range(2, 54_400)
    )
    content = "\n".join(itertools.chain(["Account number,Day,Amount,Document"], lines)).encode()
    tx.commit()
    file = sheet_of(content).file
    found = read(check_import, at=AT, file=file, kind=OTHER, with_repeated=False)
    assert why(found) == [(54_321, "account_number_unknown_for_dealer", "A54321")]
    before = read(everything)
    with pytest.raises(Refusal) as caught:
        run_import(actor=None, clock=lambda: AT, file=file, checked=found, reason="Letter", good_only=False)
    assert (
        "A54321: “0048-0000x” is no dealer’s account number on 1 Mar 2026."
        in caught.value.problems[0].message
    )
    assert read(everything) == before


# workbooks --------------------------------------------------------------------------------------


def workbook(lines, *, change=None, epoch=None):
    book = openpyxl.Workbook()
    if epoch is not None:
        book.epoch = epoch
    sheet = book.active
    sheet.append(HEADINGS)
    for line in lines:
        sheet.append(line)
    if change is not None:
        change(sheet)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def cells(world, number=1, **overrides):
    said = {"dealer": world.dealer.company_code, "account": None, "day": date(2026, 3, 1), "amount": 12.5,
            "document": f"INV-{number}", "memo": None}  # fmt: skip
    return tuple((said | overrides).values())


def test_a_workbook_posts_its_rows(tx, world):
    lines = [
        cells(world, 1),
        cells(world, 2, day=datetime(2026, 3, 2, 13, 30)),  # noqa: DTZ001 - Excel knows no time zone
        cells(world, 3, amount="1,234.50", day="2026-03-03"),
        cells(world, 4, document=4711),
        cells(world, 5, dealer=None, account=world.number),
    ]
    assert run(tx, world, workbook(lines), name="rows.xlsx").posted == 5
    assert posted(tx) == [1_250] * 4 + [123_450]
    assert tx.scalars(sa.select(LedgerEntry.source).order_by(LedgerEntry.sequence)).all()[3] == "4711"


def test_days_that_count_from_1904_are_the_days_the_workbook_shows(tx, world):
    run(tx, world, workbook([cells(world)], epoch=CALENDAR_MAC_1904), name="rows.xlsx")
    assert tx.scalars(sa.select(LedgerEntry.effective_on)).all() == [date(2026, 3, 1)]


def number_as_day(sheet):
    sheet["C3"].value, sheet["C3"].number_format = 46_022, "General"


@pytest.mark.parametrize(
    "change, cell",
    [
        (lambda sheet: sheet.__setitem__("D3", "=1+1"), "D3"),
        (lambda sheet: sheet.__setitem__("C3", "#N/A"), "C3"),
        (lambda sheet: sheet.__setitem__("D3", "#DIV/0!"), "D3"),
        (lambda sheet: sheet.__setitem__("A3", True), "A3"),
        (lambda sheet: sheet.__setitem__("C3", "46022"), "C3"),
        (number_as_day, "C3"),
        (lambda sheet: sheet.__setitem__("D3", 12.345), "D3"),
        (lambda sheet: sheet.__setitem__("H3", "Stray"), "H3"),
        (lambda sheet: sheet.merge_cells("D2:D3"), "D3"),
        (lambda sheet: sheet.merge_cells("A3:B3"), "B3"),
    ],
    ids=["formula", "error", "error amount", "truth", "text as day", "number as day", "half cents", "stray", "merged rows", "merged columns"],
)  # fmt: skip
def test_a_cell_that_cannot_be_read_faithfully_refuses_its_row(tx, world, change, cell):
    book = workbook([cells(world, 1), cells(world, 2), cells(world, 3)], change=change)
    found = checked(tx, book, name="rows.xlsx")
    assert (found.row_count, found.good_count) == (3, 2)
    assert [each for _, _, each in why(found)] == [cell]
    with pytest.raises(Refusal):
        run(tx, world, book, name="rows.xlsx")
    assert posted(tx) == []


@pytest.mark.parametrize(
    "content, name, says",
    [
        (b"", "rows.csv", "empty"),
        (b"Dealer,Day\nA,2026-01-01\n", "rows.csv", "“Amount”, nor “Document”"),
        (b"Day,Amount,Document\n2026-01-01,1,A\n", "rows.csv", "“Dealer” nor “Account number”"),
        (b"%PDF-1.7", "rows.csv", "PDF"),
        (b"PK\x03\x04rubbish", "rows.xlsx", "damaged"),
        (b"plain", "rows.xlsx", "its content is none"),
    ],
    ids=str,
)
def test_a_file_that_is_no_table_is_refused_as_a_whole(content, name, says):
    with pytest.raises(Refusal, match=says) as caught:
        sheet_of(content, name)
    assert caught.value.field == "file"


def test_a_quotation_that_never_ends_is_refused_with_its_row(tx, world):
    content = csv_of(*rows(world, 3)) + b'\n"HARBOR'
    tx.commit()
    with pytest.raises(Refusal, match="Row 5 cannot be read"):
        checked(tx, content)


def test_a_file_without_rows_begins_no_import(tx, world):
    said = {
        "actor": world.program, "at": AT, "kind": OTHER, "filename": "a.csv", "sha256": "0" * 64, "row_count": 0,
        "reason": "Letter",
    }  # fmt: skip
    refused(tx, "invalid_input", begin_import, **said)
    refused(tx, "reason_required", begin_import, **said | {"row_count": 1, "reason": " "})
    refused(tx, "forbidden", begin_import, **said | {"row_count": 1, "actor": world.dealer})


# stopped, and at once ---------------------------------------------------------------------------

MANY = 2_500


class Killed(BaseException):
    """What stops a run in these tests: nothing of ours catches it."""


@pytest.mark.parametrize(
    "statement, nth",
    [
        ("INSERT INTO credit_import", 1),
        ("UPDATE ledger_account", 1),
        ("UPDATE credit_import SET posted_count", 2),
        ("UPDATE credit_import SET", 4),
        ("INSERT INTO audit_event", 1),
        ("ANALYZE", 1),
    ],
)
def test_a_run_that_is_stopped_anywhere_is_taken_up_and_posts_each_row_once(tx, world, statement, nth):
    content = csv_of(*rows(world, MANY))
    tx.commit()
    engine = db.engine
    seen = itertools.count(1)

    def stop(_connection, _cursor, text, *_rest):
        if text.startswith(statement) and next(seen) == nth:
            raise Killed

    event.listen(engine, "before_cursor_execute", stop)
    try:
        with pytest.raises(Killed):
            run(tx, world, content)
    finally:
        event.remove(engine, "before_cursor_execute", stop)
    half = len(posted(tx))
    assert half in {0, 1_000, MANY}
    tx.commit()
    report = run(tx, world, content)
    assert report.posted == MANY - half
    assert len(set(posted(tx))) == len(posted(tx)) == MANY
    (made,) = read(import_runs)
    assert (made.posted_count, made.repeated_count, made.open_count) == (MANY, 0, 0)
    assert made.finished_at is not None


def test_the_same_file_imported_at_once_posts_each_row_once(tx, at_once, world):
    other = make_dealer(tx, world.program)
    lines = rows(world, 1_200) + [
        row(world, n, amount=f"{n}.02", dealer=other.company_code) for n in range(1, 1_200)
    ]
    content = csv_of(*lines)
    tx.commit()

    def one():
        file = sheet_of(content).file
        found = read(check_import, at=AT, file=file, kind=OTHER, with_repeated=False)
        return run_import(
            actor=None, clock=lambda: AT, file=file, checked=found, reason="Letter", good_only=False
        )

    answers = at_once(one, times=4)
    assert not [answer for answer in answers if isinstance(answer, BaseException)]
    assert sum(answer.posted for answer in answers) == len(lines)
    assert len(posted(tx)) == len(lines)
    (made,) = read(import_runs)
    assert (made.posted_count, made.repeated_count, made.finished_at) == (len(lines), 0, AT)
    assert read(lambda tx: list(ledger_faults(tx))) == []


def test_the_first_import_tells_the_planner_how_large_the_tables_are(tx, world, database):
    run(tx, world, csv_of(*rows(world, 50)))
    if database.kind == "sqlite":
        known = tx.execute(sa.text("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'ledger_entry'")).scalar()
        assert known
    else:
        known = tx.execute(sa.text("SELECT reltuples FROM pg_class WHERE relname = 'ledger_entry'")).scalar()
        assert known == 50


def test_a_batch_is_one_transaction_of_few_statements(tx, world):
    run(tx, world, csv_of(row(world, 0)))
    content = csv_of(*rows(world, 1_000, first=2))
    tx.commit()
    statements = []

    def note(_connection, _cursor, text, *_rest):
        statements.append(text.split()[0])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        file = sheet_of(content).file
        found = read(check_import, at=AT, file=file, kind=OTHER, with_repeated=False)
        before = len(statements)
        run_import(actor=None, clock=lambda: AT, file=file, checked=found, reason="L", good_only=False)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(statements) - before <= 20


def test_post_entries_locks_in_order_so_that_two_batches_never_deadlock(tx, at_once, world):
    dealers = [world.dealer, *(make_dealer(tx, world.program) for _ in range(4))]
    numbers = iter(range(8))

    def one():
        number = next(numbers)
        order = dealers if number % 2 else dealers[::-1]
        entries = [
            NewEntry(each.company_id, 1, date(2026, 3, 1), f"{number}-{at}", Source("A", "0" * 64, ""))
            for at, each in enumerate(order)
        ]
        return write(
            post_entries,
            actor=None,
            at=AT,
            account_kind=AccountKind.OTHER_PURCHASES,
            kind=OTHER,
            entries=entries,
        )

    answers = at_once(one, times=8)
    assert [answer.posted for answer in answers] == [5] * 8
