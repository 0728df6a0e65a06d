import io
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from referral.errors import Refusal
from referral.sheetkit.cellwriter import Column, Kind
from referral.sheetkit.reader import read_table
from referral.sheetkit.values import Number, read_number
from referral.sheetkit.writer import Sheet, write_csv, write_workbook
from tests.referral.sheetfiles import make_parts, pack

REFUSED = {"file_too_large_or_not_a_workbook", "file_has_errors"}
ANY_TEXT = st.text(st.characters(codec=None), max_size=200)
CELLS = st.sampled_from(
    ["_x000D_", "_x005F_", "_x", "=", "\r\n", "]]>", "<", "&#13;", "\x00", "😀", "\ud800", " "]
)


few = settings(max_examples=25, deadline=None)
"""A workbook takes some time to make, so each example is a whole column."""


def written_and_read(values, kind):
    """Return the cells below the heading, one for each value."""
    out = io.BytesIO()
    columns = [Column("number", Kind.INTEGER), Column("value", kind)]
    receipt = write_workbook(out, [Sheet("S", columns, enumerate(values))], title="t")
    table = read_table(out.getvalue(), filename="a.xlsx")
    cells = [record["value"] for record in table.columns({"value": ["value"]})]
    assert len(cells) == len(values)
    return cells, receipt.changes


@few
@given(st.lists(ANY_TEXT | st.lists(CELLS | ANY_TEXT, max_size=8).map("".join), max_size=50))
def test_any_text_comes_back_character_by_character_or_its_loss_is_counted(texts):
    cells, changes = written_and_read(texts, Kind.TEXT)
    lost = [len(text) - len(cell.text) for text, cell in zip(texts, cells, strict=True)]
    assert sum(lost) == changes.characters_removed
    assert all(cell.text == text for text, cell, count in zip(texts, cells, lost, strict=True) if not count)


@few
@given(st.lists(st.integers(-(10**20), 10**20), max_size=50))
def test_any_cents_come_back_to_the_cent(amounts):
    cells, _ = written_and_read(amounts, Kind.CENTS)
    assert [Decimal(cell.text) * 100 for cell in cells] == amounts


@given(st.integers(-(10**13), 10**13))
def test_cents_stored_as_the_nearest_binary_fraction_are_read_to_the_cent(cents):
    for stored in (f"{cents / 100:.17g}", repr(cents / 100)):
        number = read_number(stored)
        assert isinstance(number, Number)
        assert Decimal(number) * 100 == cents


@few
@given(st.lists(st.dates(), max_size=50))
def test_any_day_comes_back(days):
    cells, changes = written_and_read(days, Kind.DATE)
    assert [cell.text for cell in cells] == [day.isoformat() for day in days]
    assert sum(isinstance(cell.value, str) for cell in cells) == changes.kept_as_text


@few
@given(st.lists(st.datetimes(min_value=datetime(1900, 3, 1)), max_size=50))  # noqa: DTZ001 - hypothesis asks for it
def test_any_instant_comes_back_to_the_millisecond(moments):
    moments = [moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in moments]
    cells, _ = written_and_read([moment.replace(tzinfo=UTC) for moment in moments], Kind.INSTANT)
    assert [datetime.fromisoformat(cell.text) for cell in cells] == moments


@given(ANY_TEXT, ANY_TEXT)
def test_no_csv_cell_of_ours_begins_like_a_formula(first, second):
    out = io.BytesIO()
    write_csv(out, [Column("a"), Column("b")], [(first, second)])
    table = read_table(out.getvalue(), filename="a.csv")
    for row in table.rows[1:]:
        assert not any(str(value or "").lstrip(" ").startswith(tuple("=+-@\t\r\n")) for value in row.values)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content):
    for name in ("a.csv", "a.xlsx"):
        try:
            read_table(content, filename=name)
        except Refusal as refusal:
            assert refusal.code in REFUSED  # noqa: PT017 - being read is as good an answer


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 10_000), st.sampled_from(sorted(make_parts(""))))
def test_any_damage_to_any_part_is_read_or_refused(damage, place, part):
    parts = make_parts(
        '<row r="1"><c r="A1" s="1"><v>1</v></c><c r="B1" t="s"><v>0</v></c></row>', strings=["a"]
    )
    whole = parts[part].encode()
    at = place % (len(whole) + 1)
    try:
        read_table(pack(parts | {part: whole[:at] + damage + whole[at + len(damage) :]}), filename="a.xlsx")
    except Refusal as refusal:
        assert refusal.code in REFUSED  # noqa: PT017 - being read is as good an answer
