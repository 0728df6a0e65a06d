import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from referral.errors import Refusal
from referral.sheetkit.guard import MAX_UPLOAD_BYTES
from referral.sheetkit.reader import read_table
from tests.referral.sheetfiles import MAIN, make_links, make_parts, make_sheet, make_workbook, pack

SECONDS = 5
MEGABYTES = 200
ROW = '<row r="1"><c r="A1"><v>1</v></c></row>'
SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
NOISE = os.urandom(1_200_000)
"""Bytes that do not pack: with them, a bomb stays below the ratio and has to be stopped by the other limits."""

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from referral.errors import Refusal
from referral.sheetkit.reader import read_table
content = Path(sys.argv[1]).read_bytes()
start = time.process_time()
try:
    answer = len(read_table(content, filename="upload").rows)
except Refusal as refusal:
    answer = refusal.code
seconds = time.process_time() - start
status = Path("/proc/self/status")
if status.exists():  # ru_maxrss also counts what the parent held when it started us
    peak = int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1_000
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000_000
print(json.dumps([answer, seconds, peak]))
"""


def refusal_of(content, filename="upload"):
    with pytest.raises(Refusal) as refusal:
        read_table(content, filename=filename)
    assert refusal.value.code == "file_too_large_or_not_a_workbook"
    assert refusal.value.message.endswith(".")
    return refusal.value.message


def with_part(name, content, **more):
    return pack(make_parts(ROW) | {name: content} | more)


def encrypt_flag(content):
    at = content.index(b"PK\x01\x02")
    return content[: at + 8] + struct.pack("<H", 1) + content[at + 10 :]


@pytest.mark.parametrize(
    ("content", "filename", "words"),
    [
        (b"a,b\n1,2\n", "prices.xlsx", "its content is none"),
        (b"a,b\n1,2\n", "PRICES.XLS", "its content is none"),
        (b"", "a.csv", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.xls", "Save it as .xlsx"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
            "a.xlsx",
            "password",
        ),
        (b"%PDF-1.7\n", "a.csv", "PDF"),
        (b"<html><table>", "a.xls", "web page"),
        ("\ufeff<?xml version='1.0'?>".encode("utf-16-le"), "a.csv", "web page"),
        (b"a,b\n1,\x00\n", "a.csv", "bytes that no text has"),
        (b"a,b\n\x81,\xff\n", "a.csv", "cannot be read"),
        (b"\xff\xfea\x00\x00\xd8", "a.csv", "cannot be read"),
        (b"PK\x03\x04 and no more", "a.xlsx", "damaged"),
        (b"x" * (MAX_UPLOAD_BYTES + 1), "a.csv", "larger than 20 MB"),
        (b",".join([b"x"] * 65), "a.csv", "BM1"),
        (b"x\n" * 100_001, "a.csv", "A100001"),
    ],
    ids=str,
)
def test_what_is_no_table_is_refused_in_words(content, filename, words):
    assert words in refusal_of(content, filename)


def test_a_workbook_under_the_name_of_a_text_is_read_by_its_content():
    assert len(read_table(make_workbook(ROW), filename="prices.csv").rows) == 1


def test_a_truncated_workbook_is_refused():
    whole = make_workbook(ROW)
    for length in range(4, len(whole), 97):
        refusal_of(whole[:length])


def test_a_workbook_with_a_changed_byte_is_refused_or_read_alike():
    """The checksum of each part is checked: no byte of a part can change unseen."""
    whole = pack(make_parts(ROW), compression=zipfile.ZIP_STORED)
    at = whole.index(b"<v>1</v>") + 3
    refusal_of(whole[:at] + b"7" + whole[at + 1 :])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (encrypt_flag(make_workbook(ROW)), "password"),
        (pack([*make_parts(ROW).items(), (SHEET.upper(), make_sheet(ROW))]), "same name"),
        (pack(make_parts(ROW) | {f"xl/media/{at}": b"" for at in range(201)}), "more than 200 parts"),
        (pack(make_parts(ROW) | {f"xl/media/{at}": b"" for at in range(5_000)}), "more than 200 parts"),
        (pack(make_parts(ROW), compression=zipfile.ZIP_BZIP2), "Excel does not use"),
        (pack({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "not an Excel workbook"),
        (with_part("_rels/.rels", make_links(("r", "officeDocument", "xl/workbook.bin"))), "binary"),
        (
            with_part("_rels/.rels", make_links(("r", "officeDocument", "../../etc/passwd"))),
            "missing or damaged",
        ),
        (with_part("xl/media/blank", bytes(60_000_000)), "unpacks to far more"),
        (with_part("xl/media/noise", bytes(70_000_000), more=NOISE), "unpacks to far more"),
        (with_part(SHEET, "<worksheet"), "damaged"),
        (with_part(SHEET, f'<chartsheet xmlns="{MAIN}"/>'), "does not write"),
        (
            with_part("xl/styles.xml", f'<styleSheet xmlns="{MAIN}"><numFmt numFmtId="x"/></styleSheet>'),
            "damaged",
        ),
        (with_part(SHEET, '<?xml version="1.0" encoding="utf-7"?>' + make_sheet(ROW)), "encoding"),
        (with_part(SHEET, '<?xml version="1.0" encoding="nonsense"?>' + make_sheet(ROW)), ""),
        (
            with_part(
                "xl/externalLinks/_rels/e.xml.rels",
                make_links(("r", "externalLinkPath", "http://x", "External")),
            ),
            "linked to another file",
        ),
        (
            with_part("xl/_rels/workbook.xml.rels", make_links(("s0", "worksheet", "file:///x", "External"))),
            "linked to another file",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "file",
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_dangerous_package_is_refused_in_words(content, words):
    if "does not write" in words:
        with pytest.raises(Refusal, match=words):
            read_table(content, filename="a.xlsx")
    else:
        assert words in refusal_of(content)


def test_hyperlinks_are_no_reason_to_refuse():
    links = make_links(("r", "hyperlink", "https://example.com", "External"))
    content = with_part("xl/worksheets/_rels/sheet1.xml.rels", links)
    assert len(read_table(content, filename="a.xlsx").rows) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1"])
@pytest.mark.parametrize(
    "part", [SHEET, STRINGS, "xl/styles.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"]
)
@pytest.mark.parametrize(
    "definition",
    [
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;]>',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        "<!DOCTYPE x>",
    ],
)
def test_a_document_type_definition_is_refused_in_every_encoding_and_part(encoding, part, definition):
    name = {"utf-16-le": "utf-16", "utf-16-be": "utf-16"}.get(encoding, encoding)
    mark = "\ufeff" if encoding in {"utf-16-le", "utf-16-be"} else ""
    text = f'{mark}<?xml version="1.0" encoding="{name}"?>{definition}{make_parts(ROW)[part]}'
    assert "document type definition" in refusal_of(with_part(part, text.encode(encoding)))


HEAVY = {
    "rows that hold nothing": lambda: make_sheet("<row><c/><c/></row>" * 2_000_000),
    "rows before the end": lambda: make_sheet('<row><c s="123456789"/><c/></row>' * 1_040_000),
    "as many cells as are read": lambda: make_sheet(
        "".join("<row>" + f"<c><v>{at}.{at % 100:02d}</v></c>" * 10 + "</row>" for at in range(40_000))
    ),
    "one cell more": lambda: make_sheet(("<row>" + "<c><v>1</v></c>" * 10 + "</row>") * 40_001),
    "texts in every cell": lambda: make_sheet(
        "".join(
            "<row>" + f'<c t="inlineStr"><is><t>é{at}</t></is></c>' * 10 + "</row>" for at in range(40_000)
        )
    ),
    "elements nobody knows": lambda: f'<worksheet xmlns="{MAIN}">' + "<a/>" * 7_900_000 + "</worksheet>",
    "depth": lambda: f'<worksheet xmlns="{MAIN}">' + "<a>" * 20_000_000,
    "one attribute": lambda: f'<worksheet xmlns="{MAIN}" a="{os.urandom(6_000_000).hex()}"/>',
    "many attributes": lambda: (
        f'<worksheet xmlns="{MAIN}" ' + " ".join(f'a{at}=""' for at in range(2_000_000)) + "/>"
    ),
    "one text": lambda: make_sheet(f'<row><c t="inlineStr"><is><t>{"😀" * 15_000_000}</t></is></c></row>'),
    "long addresses": lambda: make_sheet("<row>" + f'<c r="{"A" * 200_000}1"/>' * 300 + "</row>"),
    "merged over everything": lambda: make_sheet(
        "<row><c><v>1</v></c></row>" * 90_000, '<mergeCells><mergeCell ref="A1:BL1048576"/></mergeCells>'
    ),
    "merged often": lambda: make_sheet(
        "<row><c><v>1</v></c></row>" * 50_000,
        '<mergeCells><mergeCell ref="A1:A90000"/></mergeCells>' * 90_000,
    ),
}
HEAVY_STRINGS = {
    "empty shared texts": lambda: f'<sst xmlns="{MAIN}">' + "<si/>" * 3_000_000 + "</sst>",
    "wide shared texts": lambda: (
        f'<sst xmlns="{MAIN}">'
        + "".join(f"<si><t>{at}{'😀' * 12}</t></si>" for at in range(390_000))
        + "</sst>"
    ),
    "many shared texts": lambda: (
        f'<sst xmlns="{MAIN}">' + "".join(f"<si><t>{at}</t></si>" for at in range(390_000)) + "</sst>"
    ),
}
HEAVY_TEXT = {
    "empty lines": lambda: b"\n" * (MAX_UPLOAD_BYTES - 1),
    "an open quote": lambda: b'a,b\n"' + b"x\n" * 9_000_000,
    "wide characters": lambda: (b",".join(["😀".encode() * 60] * 40) + b"\n") * 2_000,
    "delimiters": lambda: b"," * (MAX_UPLOAD_BYTES - 1),
    "all cells": lambda: (b",".join([b"12345678"] * 60) + b"\n") * 8_000,
}
BOMBS = (
    {name: (lambda make=make: with_part(SHEET, make(), noise=NOISE)) for name, make in HEAVY.items()}
    | {
        name: (lambda make=make: with_part(STRINGS, make(), noise=NOISE))
        for name, make in HEAVY_STRINGS.items()
    }
    | HEAVY_TEXT
)


@pytest.mark.parametrize("name", BOMBS)
def test_every_heavy_file_is_answered_in_five_seconds_and_200_megabytes(name, tmp_path):
    file = tmp_path / "upload"
    file.write_bytes(BOMBS[name]())
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(file)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=60,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    answer, seconds, megabytes = json.loads(run.stdout)
    assert isinstance(answer, int) or answer in {"file_too_large_or_not_a_workbook", "file_has_errors"}
    assert seconds < SECONDS, f"{answer} after {seconds:.1f} s"
    assert megabytes < MEGABYTES, f"{answer} with {megabytes:.0f} MB"
