"""Reading workbooks of any length in a stream, and comparing them with what would be written."""

import tracemalloc
from datetime import UTC, date, datetime, timedelta

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.errors import Refusal
from referral.sheetkit.cellcheck import cell_value
from referral.sheetkit.cellwriter import Changes, Column, Kind
from referral.sheetkit.compare import AHEAD, Tally, foreign_sheets, table_differences
from referral.sheetkit.guard import MAX_ROWS
from referral.sheetkit.reader import read_table
from referral.sheetkit.stream import open_book
from referral.sheetkit.values import Unreadable
from referral.sheetkit.writer import Sheet, write_workbook

COLUMNS = (Column("Key"), Column("Amount", Kind.CENTS, total=True), Column("State", lasting=False))
INSTANTS = st.datetimes(datetime(1900, 3, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
VALUES = {
    Kind.TEXT: st.text(max_size=50),
    Kind.INTEGER: st.integers(-(10**17), 10**17),
    Kind.CENTS: st.integers(-(10**17), 10**17),
    Kind.RATE: st.integers(-(10**17), 10**17),
    Kind.EXCHANGE_RATE: st.integers(-(10**17), 10**17),
    Kind.PERCENT: st.integers(0, 10**6),
    Kind.DATE: st.dates(date(1890, 1, 1), date(2200, 1, 1)),
    Kind.INSTANT: INSTANTS,
}


def rows_of(length):
    return [(f"K-{at}", at * 100 + at, "new") for at in range(length)]


@pytest.fixture
def write(tmp_path):
    """Write tables as a workbook and return its path."""

    def make(rows, columns=COLUMNS, **more):
        path = tmp_path / "book.xlsx"
        with path.open("wb") as out:
            write_workbook(out, [Sheet("Lines", columns, rows)], title="t", **more)
        return path

    return make


def differences(path, rows, **more):
    tally = Tally()
    with open_book(path) as book:
        return list(table_differences(book, Sheet("Lines", COLUMNS, rows, **more), tally)), tally


def test_a_stream_gives_the_rows_that_the_reader_of_uploads_gives(write):
    path = write([(" a\r\n<b>", -5, None), (None, 123_456, "_x000D_"), ("=1+1", None, "é😀")])
    table = read_table(path.read_bytes(), filename="a.xlsx", sheet="Lines")
    with open_book(path) as book:
        assert tuple(book.rows("Lines")) == table.rows
        assert book.sheets == ("Lines", "Control")


def test_a_stream_reads_shared_strings_and_leaves_formulas_unread(write):
    path = write([("text", 100, "x")])
    book = openpyxl.load_workbook(path)
    book["Lines"]["B2"] = "=1+1"
    book.save(path)  # openpyxl shares all strings
    with open_book(path) as again:
        _, row, *_ = again.rows("Lines")
    assert row.values == ("text", "holds a formula", "x")
    assert isinstance(row.values[1], Unreadable)


def test_a_stream_goes_on_where_uploads_end(write):
    """More rows, and longer texts, than an upload may have."""
    rows = [("x" * 32_767, 1, None), *((str(at), at, None) for at in range(MAX_ROWS))]
    path = write(rows)
    with pytest.raises(Refusal, match="lies outside the first 100,000 rows"):
        read_table(path.read_bytes(), filename="a.xlsx", sheet="Lines")
    found, tally = differences(path, rows)
    assert (found, tally.rows) == ([], MAX_ROWS + 1)


def test_memory_does_not_grow_with_the_number_of_rows(write):
    def rows(length):
        return ((f"K-{at}", at * 101, "new") for at in range(length))

    def peak(length):
        path = write(rows(length))
        tracemalloc.start()
        assert differences(path, rows(length))[0] == []
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(30_000) < peak(10_000) + 300_000


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"PK\x03\x04 no more", b"%PDF-1.7"])
def test_what_is_no_workbook_is_refused(content, tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(Refusal) as refusal, open_book(path):
        pass
    assert refusal.value.code == "file_too_large_or_not_a_workbook"


@given(
    st.sampled_from(list(Kind)).flatmap(
        lambda kind: st.tuples(st.just(kind), st.lists(VALUES[kind], max_size=5))
    )
)
def test_a_value_is_found_again_as_it_was_written(tmp_path_factory, chosen):
    kind, values = chosen
    path = tmp_path_factory.mktemp("book") / "a.xlsx"
    with path.open("wb") as out:
        write_workbook(
            out, [Sheet("S", (Column("at"), Column("v", kind)), [("x", v) for v in values])], title="t"
        )
    with open_book(path) as book:
        found = [(*row.values, None)[1] for row in book.rows("S")][1:]
    expected = [cell_value(value, kind, Changes()) for value in values]
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


def test_what_may_change_is_not_compared(write):
    path = write([("A", 1, "old")])
    assert differences(path, [("A", 1, "new")])[0] == []
    assert differences(path, [("A", 2, "new")])[0] == ["Lines row 2, Amount: workbook 0.01, ledger 0.02"]


def test_a_row_that_may_be_missing_is_no_difference_but_is_compared_where_it_stands(write):
    path = write([("A", 1, ""), ("C", 3, "")])
    rows = [("A", 1, ""), ("B", 2, ""), ("C", 4, ""), ("D", 5, "")]
    assert differences(path, rows, may_lack=lambda row: row[0] in "BCD")[0] == [
        "Lines row 3, Amount: workbook 0.03, ledger 0.04"
    ]


def test_rows_are_found_again_after_a_gap(write):
    """First a row whose key was edited; then one missing, one more than there should be, and the last one gone."""
    path = write([("A", 1, ""), ("x", 2, ""), ("C", 3, ""), ("E", 5, ""), ("y", 9, ""), ("F", 6, "")])
    assert differences(path, [(key, at, "") for at, key in enumerate("ABCDEFG", start=1)])[0] == [
        "Lines row 3, Key: workbook “x”, ledger “B”",
        "Lines: the ledger's row “D” is missing before row 5.",
        "Lines row 6: the ledger has no row “y” there.",
        "Lines: the ledger's row “G” is missing at the end.",
    ]


def test_a_gap_longer_than_what_is_looked_ahead_is_still_found(write):
    rows = rows_of(3 * AHEAD)
    path = write([*rows[:10], *rows[10 + AHEAD * 2 :]])
    found, _ = differences(path, rows)
    assert found[0] == f"Lines row 12, Key: workbook “K-{10 + AHEAD * 2}”, ledger “K-10”"
    assert found[-1] == f"Lines: the ledger's row “K-{3 * AHEAD - 1}” is missing at the end."


def test_totals_and_counts_are_those_of_the_workbook(write):
    path = write(rows_of(5), rows_per_sheet=2)
    found, tally = differences(path, rows_of(5))
    (receipt,) = tally.receipts
    assert (found, receipt.rows, receipt.totals) == ([], 5, {"Amount": 1010})
    assert [(part.name, part.rows) for part in receipt.parts] == [
        ("Lines", 2),
        ("Lines 2", 2),
        ("Lines 3", 1),
    ]


def test_sheets_of_no_table_are_named(write):
    with open_book(write(rows_of(5), rows_per_sheet=2)) as book:
        assert list(foreign_sheets(book, ["Lines", "Control"])) == []
        assert next(foreign_sheets(book, ["Control"])) == "The sheet Lines does not belong there."


def test_instants_are_equal_to_the_millisecond(write):
    at = datetime(2026, 5, 4, 23, 59, 59, 999_600, tzinfo=UTC)
    assert cell_value(at, Kind.INSTANT, Changes()) == date(2026, 5, 5)
    assert cell_value(at - timedelta(milliseconds=1), Kind.INSTANT, Changes()) == datetime(  # noqa: DTZ001
        2026, 5, 4, 23, 59, 59, 999_000
    )
