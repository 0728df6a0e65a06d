import csv
import hashlib
import io
import itertools
import os
import shutil
import subprocess
import sys
import tracemalloc
import zipfile
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import openpyxl
import pytest

from referral.sheetkit.cellwriter import CUT_MARK, Changes, Column, Fact, Kind, clean_text, make_cell_writer
from referral.sheetkit.columnwriter import make_column_writer
from referral.sheetkit.reader import read_table
from referral.sheetkit.sheetwriter import safe_sheet_name
from referral.sheetkit.writer import Sheet, write_csv, write_workbook

COLUMNS = (
    Column("Model number"),
    Column("Quantity", Kind.INTEGER, total=True),
    Column("Amount", Kind.CENTS, total=True),
    Column("Rate", Kind.RATE),
    Column("Share", Kind.PERCENT),
    Column("Day", Kind.DATE),
    Column("Posted at", Kind.INSTANT, width=30),
)
ROWS = (
    ("=1+1", 3, 123_456, 10_000, 750, date(2026, 1, 31), datetime(2026, 1, 31, 12, 30, 15, tzinfo=UTC)),
    ("00123456789012345678", -1, -5, 9_999, 0, date(2024, 2, 29), None),
    ("+49 @SUM(A1) <&> é😀", None, 99_999_999_999_99, 1, 10_000, date(1900, 3, 1), None),
)
AT = datetime(2026, 11, 21, 10, 30, 15, 123_456, tzinfo=UTC)
FACTS = (Fact("Filter", "=dealer & <all>"), Fact("Opening", -5, Kind.CENTS), Fact("As of", AT, Kind.INSTANT))
DANGEROUS = [
    "=1+1",
    '=HYPERLINK("http://x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "#N/A",
    "#REF!",
    "TRUE",
    "1e5",
    "00",
]
OFFICE_FILTER = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"


def make_workbook(rows=ROWS, columns=COLUMNS, name="Lines", **more):
    """Return the bytes and the receipt."""
    out = io.BytesIO()
    receipt = write_workbook(out, [Sheet(name, columns, iter(rows))], title="Statement", **more)
    return out.getvalue(), receipt


def values(content, sheet=None):
    table = read_table(content, filename="a.xlsx", sheet=sheet)
    return [tuple(cell.value for cell in table.cells(row)) for row in table.rows]


def texts(*rows):
    """Return what column A of a workbook of these texts holds below its heading."""
    content, _ = make_workbook([(text,) for text in rows], [Column("Text")])
    return [row[0] for row in values(content)][1:]


def test_every_kind_arrives_as_what_it_is():
    content, receipt = make_workbook()
    assert values(content) == [
        tuple(column.title for column in COLUMNS),
        ("=1+1", "3", "1234.56", "1", "0.075", date(2026, 1, 31), datetime(2026, 1, 31, 12, 30, 15)),  # noqa: DTZ001
        ("00123456789012345678", "-1", "-0.05", "0.9999", "0", date(2024, 2, 29)),
        ("+49 @SUM(A1) <&> é😀", None, "99999999999.99", "0.0001", "1", date(1900, 3, 1)),
        ("Total", "2", "100000001234.5"),
    ]
    (sheet,) = receipt.sheets
    assert (sheet.name, sheet.rows) == ("Lines", 3)
    assert sheet.totals == {"Quantity": 2, "Amount": 10_000_000_123_450}


def test_openpyxl_reads_numbers_formats_and_layout():
    content, _ = make_workbook()
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book["Lines"]
    assert book.sheetnames == ["Lines", "Control"]
    assert [cell.number_format for cell in sheet[2]] == [
        "@",
        "#,##0",
        "#,##0.00",
        "0.0000",
        "0.00%",
        "yyyy-mm-dd",
        'yyyy-mm-dd hh:mm:ss" UTC"',
    ]
    assert sheet["A2"].data_type == "s"
    assert sheet["G2"].value == datetime(2026, 1, 31, 12, 30, 15)  # noqa: DTZ001
    assert (sheet["A1"].font.bold, sheet["A1"].fill.fill_type, sheet["A2"].font.bold) == (
        True,
        "solid",
        False,
    )
    assert (sheet["A5"].value, sheet["A5"].font.bold) == ("Total", True)
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:G4")
    assert (sheet.print_title_rows, sheet.page_setup.orientation) == ("$1:$1", "landscape")
    assert sheet.column_dimensions["G"].width == 30


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_text_becomes_a_formula_an_error_or_a_number(text):
    content, _ = make_workbook([(text,)], [Column(text)], name=text, facts=[Fact(text, text)])
    book = openpyxl.load_workbook(io.BytesIO(content))
    for sheet in book:
        for row in sheet.iter_rows():
            assert all(cell.data_type != "f" for cell in row)
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert all(b"<f" not in package.read(f"xl/worksheets/sheet{at}.xml") for at in (1, 2))
    assert values(content, sheet=book.sheetnames[0]) == [(text,), (text,)]


def test_texts_are_kept_character_by_character():
    kept = [
        " spaces  ",
        "a\r\nb\tc\rd",
        "_x000D_",
        "_x005F_x000D_",
        "<a>&amp;",
        "'apostrophe",
        "\u0085\u202e\ufeff",
        "😀",
    ]
    assert texts(*kept) == kept


def test_control_characters_are_removed_and_counted():
    content, receipt = make_workbook([("a\x00b\x1f\ud800\ufffec",)], [Column("Text")])
    assert values(content) == [("Text",), ("abc",)]
    assert receipt.changes == Changes(characters_removed=4)


def test_a_text_too_long_for_excel_is_cut_with_a_mark_and_counted():
    changes = Changes()
    longest = "x" * 32_767
    assert clean_text(longest, changes) == longest
    for cut in (clean_text(longest + "x", changes), clean_text("😀" * 16_384, changes)):
        assert cut.endswith(CUT_MARK)
        assert 32_760 < len(cut.encode("utf-16-le")) / 2 <= 32_767
    assert changes.texts_cut == 2


def test_numbers_excel_would_round_and_days_it_does_not_know_are_kept_as_text_and_counted():
    rows = [(10**16, 10**15, 10**18 + 1, date(1850, 1, 1)), (10**14, 0, 10**14, date(1900, 2, 28))]
    columns = [Column(kind.value, kind) for kind in (Kind.INTEGER, Kind.INTEGER, Kind.CENTS, Kind.DATE)]
    content, receipt = make_workbook(rows, columns)
    assert values(content)[1:] == [
        ("10000000000000000", "1000000000000000", "10000000000000000.01", "1850-01-01"),
        ("100000000000000", "0", "1000000000000", "1900-02-28"),
    ]
    assert receipt.changes.kept_as_text == 5


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.CENTS, 1.5),
        (Kind.CENTS, "1"),
        (Kind.INTEGER, True),
        (Kind.TEXT, 5),
        (Kind.DATE, datetime(2026, 1, 1, tzinfo=UTC)),
        (Kind.INSTANT, datetime(2026, 1, 1)),  # noqa: DTZ001 - a naive instant is what is refused
        (Kind.INSTANT, date(2026, 1, 1)),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error_and_never_guessed(kind, value):
    with pytest.raises(TypeError):
        make_workbook([(value,)], [Column("x", kind)])


def test_a_row_of_another_length_is_an_error():
    with pytest.raises(ValueError, match="row 1 has 2 values for 1 columns"):
        make_workbook([("a", "b")], [Column("Text")])


def test_instants_are_written_in_utc():
    local = datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    content, _ = make_workbook([(local,)], [Column("At", Kind.INSTANT)])
    assert values(content)[1] == (datetime(2026, 2, 1, 4, 30),)  # noqa: DTZ001


def test_a_long_table_goes_on_in_numbered_sheets_with_totals_below_the_last():
    rows = ((f"A{at}", at) for at in range(1, 8))
    content, receipt = make_workbook(
        rows, [Column("Text"), Column("Cents", Kind.CENTS, total=True)], rows_per_sheet=3
    )
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["Lines", "Lines 2", "Lines 3", "Control"]
    assert [sheet.max_row for sheet in book][:3] == [4, 4, 3]
    assert values(content, "Lines 3") == [("Text", "Cents"), ("A7", "0.07"), ("Total", "0.28")]
    (table,) = receipt.sheets
    assert (table.rows, [(part.name, part.rows) for part in table.parts]) == (
        7,
        [("Lines", 3), ("Lines 2", 3), ("Lines 3", 1)],
    )
    control = dict(row for row in values(content, "Control"))
    assert [
        control[f"Lines: rows{of}"] for of in ("", *(f" in the sheet Lines{n}" for n in ("", " 2", " 3")))
    ] == [
        "7",
        "3",
        "3",
        "1",
    ]


@pytest.mark.parametrize("rows", [99, 100, 101, 200, 512, 513])
def test_no_row_is_lost_or_doubled_where_a_sheet_or_a_piece_ends(rows):
    content, receipt = make_workbook(
        ((at,) for at in range(rows)), [Column("At", Kind.INTEGER)], rows_per_sheet=100
    )
    names = [part.name for part in receipt.sheets[0].parts]
    found = [row[0] for name in names for row in values(content, name)[1:]]
    assert found == [str(at) for at in range(rows)]
    assert len(names) == -(-rows // 100)


def test_the_control_sheet_repeats_the_receipt_in_real_numbers():
    made_at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    facts = [Fact("Filter", "=dealer"), Fact("Opening", 5, Kind.CENTS)]
    content, _ = make_workbook(facts=facts, made_at=made_at)
    assert dict(row for row in values(content, "Control")) == {
        "Item": "Value",
        "Title": "Statement",
        "Made at": made_at.replace(tzinfo=None),
        "Filter": "=dealer",
        "Opening": "0.05",
        "Lines: rows": "3",
        "Lines: total of Quantity": "2",
        "Lines: total of Amount": "100000001234.5",
        "Control characters removed": "0",
        "Texts cut at 32,767 characters": "0",
        "Numbers kept exact as text": "0",
    }


def test_the_same_content_gives_the_same_bytes_and_no_time_unless_given():
    first, second = make_workbook()[0], make_workbook()[0]
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
    with zipfile.ZipFile(io.BytesIO(first)) as package:
        assert {member.date_time for member in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"created" not in package.read("docProps/core.xml")
    dated = make_workbook(made_at=datetime(2026, 11, 21, tzinfo=UTC))[0]
    with zipfile.ZipFile(io.BytesIO(dated)) as package:
        assert b"2026-11-21T00:00:00Z" in package.read("docProps/core.xml")


def test_the_bytes_depend_on_no_clock_locale_hash_order_or_machine(tmp_path):
    """A closed year exports the same file for ever: on another day, in another zone, by another process."""
    program = (
        "import sys, pathlib; sys.path[:0] = sys.argv[2:];"
        "from tests.referral.test_sheetkit_writer import make_workbook, FACTS, AT;"
        "pathlib.Path(sys.argv[1]).write_bytes(make_workbook(facts=FACTS, made_at=AT)[0])"
    )
    surroundings = [
        {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8"},
    ]
    files = []
    for at, surrounding in enumerate(surroundings):
        files.append(tmp_path / f"{at}.xlsx")
        command = [sys.executable, "-c", program, str(files[-1]), str(Path(__file__).parents[2])]
        subprocess.run(command, check=True, env={"PATH": os.environ["PATH"], **surrounding}, cwd=tmp_path)
    first, second = (file.read_bytes() for file in files)
    assert first == second == make_workbook(facts=FACTS, made_at=AT)[0]


def test_every_part_is_the_one_that_was_agreed():
    """What is inside, before it is packed. Another digest here means that closed years export other bytes than
    those people hold: don't, or say in the changelog from when on.
    """
    content, _ = make_workbook(facts=FACTS, made_at=AT)
    digest = hashlib.sha256()
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        for member in package.infolist():
            digest.update(f"{member.filename} {member.file_size}\n".encode() + package.read(member))
            assert (member.create_system, member.date_time) == (0, (1980, 1, 1, 0, 0, 0))
    assert digest.hexdigest() == "2d677d71a28e354e2a21697b85b105fd93256ce577d143a83056264e6249228d"


TRICKY = {
    Kind.TEXT: [
        "",
        None,
        "plain",
        "a & b",
        "<x>",
        "_x000D_",
        " s ",
        "a\nb",
        "\x00",
        "é😀",
        "x" * 16_384,
        "\ufffe",
    ],
    Kind.INTEGER: [None, 0, -1, 7, 10**15 - 1, 10**15, -(10**15), 1 - 10**15],
    Kind.CENTS: [None, 0, 5, -5, 99, 100, -100, -12_345, 10**15 - 1, -(10**15)],
    Kind.RATE: [None, 0, 1, -1, 10_000, -9_999, 10**16],
    Kind.EXCHANGE_RATE: [None, 0, 1, 731_200, 10**16],
    Kind.PERCENT: [None, 750, -1, 0],
    Kind.DATE: [None, date(2026, 1, 31), date(1900, 2, 28), date(1900, 3, 1), date(9999, 12, 31)],
    Kind.INSTANT: [
        None,
        AT,
        AT.replace(hour=23, minute=59, second=59, microsecond=999_999),
        AT.replace(hour=0, minute=0, second=0, microsecond=0),
        AT.astimezone(timezone(timedelta(hours=-5))),
        datetime(1850, 1, 1, tzinfo=UTC),
        datetime(1900, 3, 1, tzinfo=UTC),
    ],
}


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_column_writes_what_its_cells_would_write_one_by_one(kind, length):
    """Values alone, in pairs and in threes, so that a piece is all plain, all odd, or mixed."""
    for piece in itertools.product(TRICKY[kind], repeat=length):
        one_by_one, at_once = Changes(), Changes()
        write = make_cell_writer(kind, 3, one_by_one)
        numbers = [str(number) for number in range(9, 9 + length)]
        expected = [write(value, f"AB{number}") for value, number in zip(piece, numbers, strict=True)]
        assert make_column_writer(kind, 3, "AB", at_once)(piece, numbers) == expected
        assert at_once == one_by_one


def test_a_workbook_without_rows_or_without_tables_is_still_one():
    assert values(make_workbook([])[0])[0][0] == "Model number"
    out = io.BytesIO()
    write_workbook(out, [], title="Nothing")
    assert openpyxl.load_workbook(out).sheetnames == ["Control"]


@pytest.mark.parametrize(
    ("name", "taken", "safe"),
    [
        ("a[b]:c*d?e/f\\g", [], "a-b--c-d-e-f-g"),
        ("'quoted'", [], "quoted"),
        ("", [], "Sheet"),
        ("History", [], "History -"),
        ("x" * 40, [], "x" * 31),
        ("x" * 40, ["X" * 31], "x" * 29 + " 2"),
        ("Lines", ["lines", "Lines 2"], "Lines 3"),
    ],
)
def test_sheet_names_are_made_to_fit(name, taken, safe):
    assert safe_sheet_name(name, taken) == safe


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    def peak(rows):
        tracemalloc.start()
        with (tmp_path / "out.xlsx").open("wb") as out:
            write_workbook(out, [Sheet("Lines", COLUMNS, (ROWS[0] for _ in range(rows)))], title="Long")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(20_000) < peak(2_000) + 200_000


def test_csv_is_what_spreadsheets_open_and_shields_formulas():
    out = io.BytesIO()
    rows = [
        *ROWS,
        (" =x", -1, -5, None, None, None, None),
        ('say "a,b"\r\n', None, None, None, None, None, None),
    ]
    changes = write_csv(out, COLUMNS, rows)
    assert out.getvalue().startswith(b"\xef\xbb\xbfModel number,Quantity")
    found = list(csv.reader(io.StringIO(out.getvalue().decode("utf-8-sig"), newline="")))
    assert found[1] == ["'=1+1", "3", "1234.56", "1.0000", "0.0750", "2026-01-31", "2026-01-31T12:30:15Z"]
    assert [row[0] for row in found[2:]] == [
        "00123456789012345678",
        "'+49 @SUM(A1) <&> é😀",
        "' =x",
        'say "a,b"\r\n',
    ]
    assert found[4][1:3] == ["-1", "-0.05"]
    assert changes.formulas_shielded == 3


def convert(office, source, target, folder):
    """Convert by LibreOffice with a profile of its own, so that tests may run side by side."""
    subprocess.run(
        [
            office,
            f"-env:UserInstallation=file://{folder}/profile",
            "--headless",
            "--convert-to",
            target,
            "--outdir",
            str(folder / "out"),
            str(source),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )


@pytest.fixture
def office():
    """The path of LibreOffice."""
    found = shutil.which("soffice") or shutil.which("libreoffice")
    assert found, (
        "LibreOffice is missing: install it (Debian: apt install libreoffice-calc) to check the exports."
    )
    return found


def test_libreoffice_opens_every_sheet_and_shows_the_same_values(office, tmp_path: Path):
    source = tmp_path / "export.xlsx"
    rows = [
        *ROWS,
        *[(text, None, None, None, None, None, None) for text in (*DANGEROUS, "_x000D_", " a\nb ")],
    ]
    source.write_bytes(make_workbook(rows, made_at=datetime(2026, 11, 21, tzinfo=UTC))[0])
    convert(office, source, OFFICE_FILTER, tmp_path)
    with (tmp_path / "out" / "export-Lines.csv").open(encoding="utf-8", newline="") as file:
        shown = list(csv.reader(file))
    assert shown[1][:5] == ["=1+1", "3", "1234.56", "1", "7.5%"]
    assert [moment.removesuffix(" 00:00:00") for moment in shown[1][5:]] == [
        "2026-01-31",
        "2026-01-31 12:30:15",
    ]
    assert [row[0] for row in shown[1:-1]] == [row[0] for row in rows]
    assert shown[-1][:3] == ["Total", "2", "100000001234.5"]
    assert (tmp_path / "out" / "export-Control.csv").exists()


def test_a_workbook_saved_again_by_libreoffice_reads_the_same(office, tmp_path):
    source = tmp_path / "export.xlsx"
    content, _ = make_workbook()
    source.write_bytes(content)
    convert(office, source, "xlsx", tmp_path)
    assert values((tmp_path / "out" / "export.xlsx").read_bytes()) == values(content)
