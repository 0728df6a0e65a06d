import io
from datetime import date, datetime, time

import pytest

from referral.errors import Refusal
from referral.sheetkit.reader import read_table
from referral.sheetkit.values import Number, Unreadable, format_kind, read_number
from tests.referral.sheetfiles import make_workbook

COLUMNS = {"model_number": ("model number", "model", "sku"), "price": ("list price", "price")}


def read(content, **more):
    return read_table(content, filename="upload", **more)


def cells(content, **more):
    """Return value by address."""
    table = read(content, **more)
    return {
        cell.address: cell.value for row in table.rows for cell in table.cells(row) if cell.value is not None
    }


def only_cell(xml, **more):
    (value,) = cells(make_workbook(f'<row r="1">{xml}</row>', **more)).values()
    return value


def csv_table(text, encoding="utf-8"):
    return read(text.encode(encoding))


@pytest.mark.parametrize(
    ("stored", "exact"),
    [
        ("19.99", "19.99"),
        ("19.989999999999998", "19.99"),
        ("0.30000000000000004", "0.3"),
        ("1234567.8900000001", "1234567.89"),
        ("-0.05", "-0.05"),
        ("1E3", "1000"),
        ("1.5e-3", "0.0015"),
        ("007", "7"),
        ("2.0", "2"),
        ("-0", "0"),
        ("0.0", "0"),
        ("100", "100"),
        ("123456789012345", "123456789012345"),
        ("9999999999999.99", "9999999999999.99"),
    ],
)
def test_a_number_is_read_as_excel_shows_it(stored, exact):
    number = read_number(stored)
    assert isinstance(number, Number)
    assert number == exact


@pytest.mark.parametrize(
    "stored",
    ["12345678901234567890", "100000000000.10001", "1e999", "NaN", "Infinity", "1_000", "\uff11", "0x10"],
)
def test_a_number_that_would_lose_digits_or_is_none_is_unreadable(stored):
    assert isinstance(read_number(stored), Unreadable)


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        ('<c r="A1" t="s"><v>0</v></c>', " plain "),
        ('<c r="A1" t="s"><v>1</v></c>', "two runs"),
        ('<c r="A1" t="s"><v>2</v></c>', "a\rb_x000D_😀"),
        ('<c r="A1" t="inlineStr"><is><t>0012</t></is></c>', "0012"),
        ('<c r="A1" t="inlineStr"><is><r><t>one </t></r><r><t>two</t></r></is></c>', "one two"),
        ('<c r="A1" t="str"><f>A2</f><v>=text</v></c>', "=text"),
        ('<c r="A1"><f>1+1</f><v>2</v></c>', "2"),
        ('<c r="A1" t="b"><v>1</v></c>', True),
        ('<c r="A1" s="1"><v>46053</v></c>', date(2026, 1, 31)),
        ('<c r="A1" s="1"><v>59</v></c>', date(1900, 2, 28)),
        ('<c r="A1" s="1"><v>61</v></c>', date(1900, 3, 1)),
        ('<c r="A1" s="2"><v>46053.333333333336</v></c>', datetime(2026, 1, 31, 8)),  # noqa: DTZ001
        ('<c r="A1" s="2"><v>46053</v></c>', date(2026, 1, 31)),
        ('<c r="A1" s="5"><v>0.5</v></c>', time(12)),
        ('<c r="A1" s="4"><v>3.5</v></c>', "3.5"),
        ('<c r="A1" s="99"><v>3.5</v></c>', "3.5"),
        ('<c r="A1" t="d"><v>2026-01-31T00:00:00</v></c>', date(2026, 1, 31)),
    ],
)
def test_a_cell_keeps_what_it_holds(xml, value):
    formatted = (
        "<si><r><t>two </t></r><r><rPr><b/></rPr><t>runs</t></r><rPh sb='0' eb='1'><t>no</t></rPh></si>"
    )
    coded = "<si><t>a_x000D_b_x005F_x000D__xD83D__xDE00_</t></si>"
    assert only_cell(xml, strings=["<si><t xml:space='preserve'> plain </t></si>", formatted, coded]) == value


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        ('<c r="A1" t="e"><v>#N/A</v></c>', "the error #N/A"),
        ('<c r="A1"><f>1+1</f></c>', "formula without a saved result"),
        ('<c r="A1"><f>1+1</f><v/></c>', "formula without a saved result"),
        ('<c r="A1" s="1"><v>60</v></c>', "a date that does not exist"),
        ('<c r="A1" s="1"><v>-1</v></c>', "a date that does not exist"),
        ('<c r="A1" s="1"><v>99999999</v></c>', "a date that does not exist"),
        ('<c r="A1" s="3"><v>1.5</v></c>', "a length of time"),
        ('<c r="A1" t="s"><v>7</v></c>', "a text that is not in the file"),
        ('<c r="A1" t="s"><v>-1</v></c>', "a text that is not in the file"),
        ('<c r="A1" t="zz"><v>1</v></c>', "unknown kind"),
        ('<c r="A1" t="b"><v>2</v></c>', "unknown kind"),
        ('<c r="A1" t="inlineStr"><is><t>a_x0000_b</t></is></c>', "control character"),
        ('<c r="A1" t="inlineStr"><is><t>_xD83D_</t></is></c>', "control character"),
        (f'<c r="A1" t="inlineStr"><is><t>{"x" * 10_001}</t></is></c>', "more than 10,000 characters"),
        ('<c r="A1" t="d"><v>2026-02-30</v></c>', "a date that cannot be read"),
    ],
)
def test_a_cell_that_cannot_be_read_says_so_and_never_passes_for_blank(xml, words):
    table = read(make_workbook(f'<row r="1">{xml}</row>'))
    cell = table.cells(table.rows[0])[0]
    assert words in cell.problem.message
    assert cell.problem.field == "A1"
    assert not cell.is_blank
    with pytest.raises(Refusal, match="A1"):
        _ = cell.text


def test_dates_count_from_1904_where_the_workbook_says_so():
    rows = '<row r="1"><c r="A1" s="1"><v>44591</v></c><c r="B1" s="1"><v>0</v></c></row>'
    found = cells(make_workbook(rows, workbook_properties='<workbookPr date1904="1"/>'))
    assert found == {"A1": date(2026, 1, 31), "B1": date(1904, 1, 1)}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("#,##0.00", "number"),
        ('0" dozen"', "number"),
        ("[Red]0.00", "number"),
        ("General", "number"),
        ("dd/mm/yy", "moment"),
        ("[$-409]d mmm", "moment"),
        ("hh:mm AM/PM", "moment"),
        ("[mm]:ss", "length"),
    ],
)
def test_a_number_format_tells_numbers_from_dates(code, kind):
    assert format_kind(170, code) == kind


def test_cells_and_rows_without_addresses_count_up():
    rows = "<row><c><v>1</v></c><c/><c><v>3</v></c></row><row/><row><c><v>9</v></c></row>"
    assert cells(make_workbook(rows)) == {"A1": "1", "C1": "3", "A3": "9"}


def test_a_wrong_dimension_drops_nothing():
    parts = (
        '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>2</v></c></row><row r="2"><c r="A2"><v>3</v></c></row>'
    )
    content = make_workbook(parts, after='<dimension ref="A1"/>')
    assert cells(content) == {"A1": "1", "B1": "2", "A2": "3"}


@pytest.mark.parametrize(
    ("rows", "address"),
    [
        ('<row r="3"><c r="A3"><v>1</v></c></row><row r="2"><c r="A2"><v>2</v></c></row>', "A3"),
        ('<row r="2"/><row r="2"/>', "A2"),
        ('<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>2</v></c></row>', "B1"),
        ('<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>', "A1"),
        ('<row r="1"><c r="A2"><v>1</v></c></row>', "A1"),
        ('<row r="1"><c r="A1"><v>1</v><v>2</v></c></row>', "A1"),
        ('<row r="1"><c r="A1"><v>1</v><x:v xmlns:x="urn:other">2</x:v></c></row>', "A1"),
        ('<row r="1048577"/>', "A1"),
        ('<row r="x"/>', "A1"),
        ('<row r="1"><c r="XFE1"/></row>', "A1"),
        ('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', "XFD1048576"),
        ('<row r="1"><c r="BM1"><v>1</v></c></row>', "BM1"),
    ],
)
def test_a_layout_that_cannot_be_trusted_is_refused_with_its_cell(rows, address):
    with pytest.raises(Refusal) as refusal:
        read(make_workbook(rows))
    assert (refusal.value.code, refusal.value.field) == ("file_has_errors", address)
    assert address in refusal.value.message


def test_cells_that_are_only_formatted_do_not_count_however_far_out():
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" s="1"/></row>'
    assert cells(make_workbook(rows)) == {"A1": "1"}


def test_merged_cells_are_told_and_not_taken_for_blank():
    rows = (
        '<row r="1"><c r="A1" t="str"><v>Room</v></c></row><row r="2"><c r="A2" t="str"><v>Bar</v></c></row>'
        '<row r="3"><c r="B3"><v>1</v></c></row>'
    )
    found = cells(make_workbook(rows, after='<mergeCells><mergeCell ref="A2:A3"/></mergeCells>'))
    assert found["A2"] == "Bar"
    assert isinstance(found["A3"], Unreadable)
    assert "A2:A3" in found["A3"]


def test_other_sheets_hidden_sheets_and_hidden_rows_are_noted():
    row = '<row r="1" hidden="1"><c r="A1"><v>{}</v></c></row>'
    content = make_workbook(
        row.format(1), row.format(2), row.format(3), states=["veryHidden"], names=["Old", "It's", "More"]
    )
    table = read(content)
    assert table.sheet == "It's"
    assert table.other_sheets == ("More",)
    assert table.address(1, 1) == "'It''s'!A1"
    assert [
        word in " ".join(table.notes) for word in ("“More” was not", "“Old” was not", "1 hidden row")
    ] == [True] * 3
    assert cells(content, sheet="more") == {"More!A1": "3"}
    with pytest.raises(Refusal, match="no visible sheet named “Old”"):
        read(content, sheet="Old")


def test_a_blank_first_sheet_is_passed_over():
    assert cells(make_workbook("", '<row r="1"><c r="A1"><v>5</v></c></row>')) == {"Sheet2!A1": "5"}


def test_streams_are_read_and_the_digest_is_of_the_whole_file():
    content = b"a,b\n1,2\n"
    assert read(io.BytesIO(content)).sha256 == read(content).sha256
    assert read(content).sha256 != read(content + b"\n").sha256


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_in_every_usual_encoding_and_delimiter(encoding, delimiter):
    rows = [("Model", "Préis", "Note"), ("0012", "1", "a"), ("00123456789012345678", "2", '"x\n""y"""')]
    table = csv_table("\r\n".join(delimiter.join(row) for row in rows), encoding)
    assert [row.values for row in table.rows] == [rows[0], rows[1], (*rows[2][:2], 'x\n"y"')]
    assert bool(table.notes) is (encoding == "cp1252")


def test_csv_with_decimal_commas_is_cut_at_semicolons():
    table = csv_table("Price list, 2026\nModel;Price;Note\nA;1,50;a, b\nB;2,50;c\n")
    assert [row.values for row in table.rows][2] == ("A", "1,50", "a, b")


def test_csv_rows_keep_the_numbers_a_spreadsheet_shows():
    table = csv_table('a,b\n\n"x\ny",2\n,,\n3,4\n')
    assert [row.number for row in table.rows] == [1, 3, 5]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b'a,b\n"open,1\n', "Row 2"), (b'a,b\n"x"y,1\n', "Row 2"), (b"a,b\n" + b"x" * 200_000, "Row 2")],
)
def test_csv_with_broken_quotes_is_refused_with_its_row(content, words):
    with pytest.raises(Refusal, match=words) as refusal:
        read(content)
    assert refusal.value.code == "file_has_errors"


def test_columns_are_found_by_heading_below_a_title_whatever_case_spaces_and_order():
    table = csv_table("Prices 2026\n\nLIST  PRICE ($),Notes,Model_Number\n19.99,x,0012\n")
    columns = table.columns(
        {"model_number": ("Model number",), "price": ("List price ($)",)}, {"room": ("room",)}
    )
    (record,) = columns
    assert len(columns) == 1
    assert record.number == 4
    assert (record["model_number"].text, record["price"].text) == ("0012", "19.99")
    assert record["model_number"].address == "C4"
    assert record["room"].is_blank
    assert [cell.text for cell in columns.unused] == ["Notes"]
    assert record.problems == ()


def test_columns_names_every_missing_heading():
    with pytest.raises(Refusal, match="“model number”, nor “list price”") as refusal:
        csv_table("colour,size\n1,2\n").columns(COLUMNS)
    assert refusal.value.code == "file_has_errors"


def test_columns_refuses_two_columns_for_one_field_naming_both():
    with pytest.raises(Refusal, match="A1 “Model” and C1 “SKU” both fit “model number”") as refusal:
        csv_table("Model,Price,SKU\n1,2,3\n").columns(COLUMNS)
    assert refusal.value.field == "A1"


def test_columns_refuses_a_file_without_rows():
    with pytest.raises(Refusal, match="no rows"):
        csv_table("\n\n").columns(COLUMNS)


def test_a_value_in_a_column_without_heading_is_a_problem_of_its_row():
    """An unquoted decimal comma moves everything to the right: 12,50 must not be read as 12."""
    first, second = csv_table("model,price\nA,12,50\nB,13\n").columns(COLUMNS)
    assert [problem.field for problem in first.problems] == ["C2"]
    assert second.problems == ()


def test_a_record_lists_the_problems_of_its_mapped_cells():
    rows = (
        '<row r="1"><c r="A1" t="str"><v>Model</v></c><c r="B1" t="str"><v>Price</v></c></row>'
        '<row r="2"><c r="A2" t="str"><v>X</v></c><c r="B2" t="e"><v>#REF!</v></c></row>'
    )
    (record,) = read(make_workbook(rows)).columns(COLUMNS)
    assert [problem.message for problem in record.problems] == ["B2 holds the error #REF!."]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2026, 1, 31), "2026-01-31"),
        (True, "TRUE"),
        (None, ""),
        (time(8, 30), "08:30:00"),
        (" x ", " x "),
    ],
)
def test_the_text_of_a_cell_is_what_the_parsers_of_forms_take(value, text):
    cell = type(read(b"a").cells(read(b"a").rows[0])[0])("A1", value)
    assert cell.text == text
