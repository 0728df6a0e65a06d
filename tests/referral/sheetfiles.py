"""Workbooks made by hand, part by part, so that a test can get any one part wrong."""

import io
import zipfile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm"/>'
    '<numFmt numFmtId="165" formatCode="[h]:mm"/><numFmt numFmtId="166" formatCode="0.00&quot; days&quot;"/></numFmts>'
    '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
    '<xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/><xf numFmtId="20"/></cellXfs></styleSheet>'
)
"""Cell styles: 0 number, 1 date, 2 date and time, 3 length of time, 4 number with a word, 5 time."""


def make_links(*links):
    """Return a relationships part; each link is (id, type, target) or (id, type, target, "External")."""
    lines = [
        f'<Relationship Id="{link[0]}" Type="{OFFICE}/{link[1]}" Target="{link[2]}"'
        + (f' TargetMode="{link[3]}"/>' if len(link) > 3 else "/>")
        for link in links
    ]
    return f'<Relationships xmlns="{LINKS}">{"".join(lines)}</Relationships>'


def make_sheet(rows, after=""):
    """Return a sheet part around the XML of its rows."""
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{after}</worksheet>'


def make_parts(*rows, after="", strings=(), states=(), names=(), workbook_properties=""):
    """Return the parts of a workbook with one sheet per string of rows, by name."""
    states = [*states, *["visible"] * len(rows)]
    names = [*names, *[f"Sheet{at}" for at in range(1, len(rows) + 1)][len(names) :]]
    listed = "".join(
        f'<sheet name="{names[at]}" sheetId="{at + 1}" state="{states[at]}" r:id="s{at}"/>'
        for at in range(len(rows))
    )
    links = [(f"s{at}", "worksheet", f"worksheets/sheet{at + 1}.xml") for at in range(len(rows))]
    texts = "".join(text if text.startswith("<si>") else f"<si><t>{text}</t></si>" for text in strings)
    return {
        "_rels/.rels": make_links(("r1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{workbook_properties}'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": make_links(
            *links, ("st", "styles", "styles.xml"), ("ss", "sharedStrings", "/xl/sharedStrings.xml")
        ),
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>',
    } | {f"xl/worksheets/sheet{at}.xml": make_sheet(body, after) for at, body in enumerate(rows, start=1)}


def pack(parts, *, compression=zipfile.ZIP_DEFLATED):
    """Return the bytes of a package of `parts`: texts or bytes by name, or pairs where names may repeat."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as package:
        for name, content in parts.items() if isinstance(parts, dict) else parts:
            package.writestr(name, content)
    return out.getvalue()


def make_workbook(*rows, **more):
    """Return the bytes of a workbook with one sheet per string of rows."""
    return pack(make_parts(*rows, **more))
