"""What surrounds the sheets of a workbook: contents, relationships, styles, properties.

Written out word for word, so that the same content gives the same bytes whatever libraries are installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from referral.sheetkit.cellwriter import Kind, inline_text, plain_text
from referral.sheetkit.sheetwriter import Styles

_HEADER = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"

_HEADING_FILL = "FF1F3A4D"
_RULE = "FF5B6B76"
_NUMBERS = frozenset({Kind.INTEGER, Kind.CENTS, Kind.RATE, Kind.EXCHANGE_RATE, Kind.PERCENT})
_FORMATS = {
    Kind.TEXT: (49, ""),  # up to 163 the number says it all; from 164 on the workbook defines it
    Kind.INTEGER: (3, ""),
    Kind.CENTS: (4, ""),
    Kind.RATE: (164, "0.0000"),
    Kind.EXCHANGE_RATE: (167, "0.000000"),
    Kind.PERCENT: (10, ""),
    Kind.DATE: (165, "yyyy-mm-dd"),
    Kind.INSTANT: (166, "yyyy-mm-dd hh:mm:ss&quot; UTC&quot;"),
}
_ROLES = ("heading", "cell", "total", "fact")
_LOOKS = {"heading": (1, 2, 0), "cell": (0, 0, 0), "total": (2, 0, 1), "fact": (0, 0, 0)}
"""Font, fill and border of each role, by their place in the lists below."""
_FONTS = (
    '<font><sz val="11"/><name val="Calibri"/><family val="2"/></font>',
    '<font><b/><sz val="11"/><color rgb="FFFFFFFF"/><name val="Calibri"/><family val="2"/></font>',
    '<font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font>',
)
_FILLS = (
    '<fill><patternFill patternType="none"/></fill>',
    '<fill><patternFill patternType="gray125"/></fill>',
    f'<fill><patternFill patternType="solid"><fgColor rgb="{_HEADING_FILL}"/></patternFill></fill>',
)
_RULES = (
    f'<top style="thin"><color rgb="{_RULE}"/></top><bottom style="double"><color rgb="{_RULE}"/></bottom>'
)
_BORDERS = (
    "<border><left/><right/><top/><bottom/><diagonal/></border>",
    f"<border><left/><right/>{_RULES}<diagonal/></border>",
)
_APP = (
    f'{_HEADER}<Properties xmlns="{_OFFICE}/extended-properties">'
    "<Application>Microsoft Excel Compatible</Application></Properties>"
)

STYLES = Styles(
    *(
        {kind: 1 + place * len(Kind) + at for at, kind in enumerate(Kind)}  # 0 is the plain cell
        for place in range(len(_ROLES))
    )
)
"""The numbers of the cell styles, by role and kind."""


@dataclass(frozen=True, slots=True)
class WrittenSheet:
    """A sheet that stands in the package: its name, and the area of its headings and rows, such as A1:G4."""

    name: str
    area: str


def sheet_part(number: int) -> str:
    """Return the part that holds the sheet of this number, counted from 1."""
    return f"xl/worksheets/sheet{number}.xml"


def shell_parts(
    sheets: Sequence[WrittenSheet], *, title: str, made_at: datetime | None
) -> Iterator[tuple[str, str]]:
    """Yield the name and the content of every part but the sheets; `made_at` (aware) is the only time in them."""
    yield "xl/workbook.xml", _workbook(sheets)
    yield "xl/styles.xml", _styles()
    yield "docProps/core.xml", _core(title, made_at)
    yield "docProps/app.xml", _APP
    targets = [
        (f"{_OFFICE}/relationships/worksheet", f"worksheets/sheet{at}.xml")
        for at in range(1, len(sheets) + 1)
    ]
    yield (
        "xl/_rels/workbook.xml.rels",
        _relationships([*targets, (f"{_OFFICE}/relationships/styles", "styles.xml")]),
    )
    yield (
        "_rels/.rels",
        _relationships(
            [
                (f"{_OFFICE}/relationships/officeDocument", "xl/workbook.xml"),
                (f"{_PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"),
                (f"{_OFFICE}/relationships/extended-properties", "docProps/app.xml"),
            ]
        ),
    )
    yield "[Content_Types].xml", _content_types(len(sheets))


def _content_types(sheets: int) -> str:
    kinds = {
        "xl/workbook.xml": f"{_TYPES}.sheet.main+xml",
        **{sheet_part(at): f"{_TYPES}.worksheet+xml" for at in range(1, sheets + 1)},
        "xl/styles.xml": f"{_TYPES}.styles+xml",
        "docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
        "docProps/app.xml": "application/vnd.openxmlformats-officedocument.extended-properties+xml",
    }
    parts = "".join(
        f'<Override PartName="/{name}" ContentType="{content}"/>' for name, content in kinds.items()
    )
    return (
        f'{_HEADER}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{parts}</Types>'
    )


def _relationships(targets: Sequence[tuple[str, str]]) -> str:
    links = "".join(
        f'<Relationship Id="rId{at}" Type="{kind}" Target="{target}"/>'
        for at, (kind, target) in enumerate(targets, start=1)
    )
    return f'{_HEADER}<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'


def _workbook(sheets: Sequence[WrittenSheet]) -> str:
    """Return the contents: the sheets, their filters, and the heading row that each printed page repeats."""
    listed = "".join(
        f'<sheet name="{_attribute(sheet.name)}" sheetId="{at}" r:id="rId{at}"/>'
        for at, sheet in enumerate(sheets, start=1)
    )
    names = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{at}" hidden="1">'
        f"{_quoted(sheet.name)}!{_absolute(sheet.area)}</definedName>"
        f'<definedName name="_xlnm.Print_Titles" localSheetId="{at}">{_quoted(sheet.name)}!$1:$1</definedName>'
        for at, sheet in enumerate(sheets)
    )
    return (
        f'{_HEADER}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}/relationships"><workbookPr/>'
        f'<bookViews><workbookView activeTab="0"/></bookViews><sheets>{listed}</sheets>'
        f"<definedNames>{names}</definedNames></workbook>"
    )


def _quoted(sheet: str) -> str:
    return "'" + inline_text(sheet.replace("'", "''")) + "'"


def _attribute(text: str) -> str:
    return inline_text(text).replace('"', "&quot;")


def _absolute(area: str) -> str:
    """Turn A1:G4 into $A$1:$G$4."""
    corners = []
    for corner in area.split(":"):
        letters = corner.rstrip("0123456789")
        corners.append(f"${letters}${corner[len(letters) :]}")
    return ":".join(corners)


def _styles() -> str:
    defined = [(number, code) for number, code in _FORMATS.values() if code]
    formats = "".join(f'<numFmt numFmtId="{number}" formatCode="{code}"/>' for number, code in defined)
    plain = '<xf numFmtId="0" fontId="0" fillId="0" borderId="0"'
    cells = [f'{plain} xfId="0"/>', *(_cell_style(kind, role) for role in _ROLES for kind in Kind)]
    return (
        f'{_HEADER}<styleSheet xmlns="{_MAIN}"><numFmts count="{len(defined)}">{formats}</numFmts>'
        f'<fonts count="{len(_FONTS)}">{"".join(_FONTS)}</fonts>'
        f'<fills count="{len(_FILLS)}">{"".join(_FILLS)}</fills>'
        f'<borders count="{len(_BORDERS)}">{"".join(_BORDERS)}</borders>'
        f'<cellStyleXfs count="1">{plain}/></cellStyleXfs>'
        f'<cellXfs count="{len(cells)}">{"".join(cells)}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )


def _cell_style(kind: Kind, role: str) -> str:
    font, fill, border = _LOOKS[role]
    number = _FORMATS[Kind.TEXT if role == "heading" else kind][0]
    across = "right" if kind in _NUMBERS and role != "fact" else "left"
    down = "center" if role == "heading" else "top"
    return (
        f'<xf numFmtId="{number}" fontId="{font}" fillId="{fill}" borderId="{border}" xfId="0" applyNumberFormat="1"'
        ' applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1">'
        f'<alignment horizontal="{across}" vertical="{down}" indent="1"/></xf>'
    )


def _core(title: str, made_at: datetime | None) -> str:
    times = ""
    if made_at is not None:
        instant = plain_text(made_at.replace(microsecond=0), Kind.INSTANT)
        times = "".join(
            f'<dcterms:{name} xsi:type="dcterms:W3CDTF">{instant}</dcterms:{name}>'
            for name in ("created", "modified")
        )
    return (
        f'{_HEADER}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{inline_text(title)}</dc:title>{times}</cp:coreProperties>"
    )
