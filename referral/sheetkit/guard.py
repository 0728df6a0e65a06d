"""The guard at the zip: what a workbook may be, before any of it is understood.

Every limit of the reader stands here: those of uploads, and the wide ones of files named on the command line. Only the parts that are asked for are unpacked, in pieces, through expat, which
never sees a document type definition: without one there are no entities, internal or external.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn, Protocol
from xml.parsers import expat

from referral.errors import Refusal

MAX_UPLOAD_BYTES = 20_000_000
MAX_UNPACKED_BYTES = 64_000_000
MAX_PARTS = 200
MAX_RATIO = 200
"""How many times larger than packed the whole package may unpack."""
RATIO_FREE_BYTES = 1_000_000
"""A package that unpacks to less than this is not measured by MAX_RATIO."""
MAX_TAGS = 2_600_000
"""Opening and closing tags in one file, all parts together."""
MAX_DEPTH = 64
"""Elements within elements; the scanners count, because a deep file costs memory before it costs time."""
MAX_ELEMENTS = 70_000
"""Styles, links or sheets; Excel knows 65,490 cell styles."""
MAX_TAG_BYTES = 256_000
"""One tag with all its attributes."""
MAX_TEXT = 16_000_000
"""Characters kept in memory for one file."""
MAX_STRINGS = 400_000
MAX_CELLS = 400_000
MAX_ROWS = 100_000
MAX_COLUMNS = 64
MAX_CELL_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may hold: bytes unpacked, tags, strings and characters, cells and rows of a sheet, text of a cell."""

    unpacked_bytes: int
    tags: int
    strings: int
    text: int
    cells: int
    rows: int
    cell_text: int


UPLOAD = Limits(MAX_UNPACKED_BYTES, MAX_TAGS, MAX_STRINGS, MAX_TEXT, MAX_CELLS, MAX_ROWS, MAX_CELL_TEXT)
"""For what people send: the whole table is kept in memory."""
OWN_FILE = Limits(
    unpacked_bytes=64_000_000_000,
    tags=4_000_000_000,
    strings=64_000_000,
    text=64_000_000_000,
    cells=1_048_576 * MAX_COLUMNS,
    rows=1_048_576,
    cell_text=32_767,
)
"""For a file that somebody with a shell names: its rows are read in a stream."""

_PIECE = 65_536
_ENCODINGS = {"utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii", "iso-8859-1"}
_ENTRY = b"PK\x01\x02"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_WORKBOOK_NAME = re.compile(r"\.(?:xls[xmb]?|xlt[xm]|ods|numbers)\s*\Z", re.IGNORECASE)
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    expat.ExpatError,
    EOFError,
    LookupError,
    NotImplementedError,  # zipfile's answer to a way of packing it does not know
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def refuse(message: str) -> NoReturn:
    """Raise the refusal for a file that as a whole cannot be read; `message` says what to do."""
    raise Refusal("file_too_large_or_not_a_workbook", message)


def refuse_content(message: str, address: str = "") -> NoReturn:
    """Raise the refusal for readable files whose content cannot be taken as it is; `address` names the cell."""
    raise Refusal("file_has_errors", message, address)


def is_workbook(content: bytes, filename: str) -> bool:
    """Tell from the first bytes whether this is an .xlsx package (True) or delimited text (False).

    Raises Refusal (file_too_large_or_not_a_workbook) for anything else: an old or encrypted workbook, a PDF, a web
    page, nothing at all, or text under the name of a workbook.
    """
    if not content:
        refuse("This file is empty.")
    if content.startswith(_OLE):
        if _ENCRYPTED in content:
            refuse(
                "This workbook is protected with a password. Remove the password, save it and upload it again."
            )
        refuse("This is an old Excel workbook (.xls). Save it as .xlsx and upload that.")
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return True
    start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").replace(b"\0", b"").lower()
    if start.startswith((b"%pdf", b"<!doctype", b"<html", b"<?xml", b"\xff\xfe<", b"\xfe\xff<")):
        refuse("This is a PDF or a web page, not a table. Save the table as .xlsx or .csv and upload that.")
    if _WORKBOOK_NAME.search(filename):
        refuse(
            "The name of this file says workbook, but its content is none. "
            "If it is plain text, name it .csv; otherwise save it again as .xlsx."
        )
    return False


def _entries(file: BinaryIO) -> int:
    """Count what looks like an entry of the zip directory; a mark on the edge of two pieces counts in neither."""
    file.seek(0)
    return sum(piece.count(_ENTRY) for piece in iter(lambda: file.read(_PIECE), b""))


class Scanner(Protocol):
    """What reads one XML part: names are `namespace local`, attributes likewise."""

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        """Take an opening tag."""

    def closed(self, name: str) -> None:
        """Take a closing tag."""

    def said(self, text: str) -> None:
        """Take a piece of text between tags."""


class Package:
    """An .xlsx package that kept to the limits. Its parts are read one at a time by `scan`."""

    def __init__(self, file: BinaryIO, limits: Limits = UPLOAD) -> None:
        """Check the zip directory of `file`. Raises Refusal (file_too_large_or_not_a_workbook)."""
        self.limits = limits
        if _entries(file) > 5 * MAX_PARTS:  # before zipfile makes an object of each; some may be nested files
            refuse(f"This workbook has more than {MAX_PARTS} parts. Save it again in Excel as .xlsx.")
        try:
            self._zip = zipfile.ZipFile(file)
        except _DAMAGED:
            refuse("This workbook is damaged or incomplete. Open it in Excel, save it and upload it again.")
        members = self._zip.infolist()
        self.names = frozenset(member.filename for member in members)
        self._tags_left = limits.tags
        self._bytes_left = limits.unpacked_bytes
        if len(members) > MAX_PARTS:
            refuse(f"This workbook has more than {MAX_PARTS} parts. Save it again in Excel as .xlsx.")
        if len({member.filename.lower() for member in members}) < len(members):
            refuse(
                "This workbook holds two parts of the same name. Open it in Excel, save it and upload it again."
            )
        if any(member.flag_bits & 0x41 for member in members):
            refuse(
                "This workbook is protected with a password. Remove the password, save it and upload it again."
            )
        if any(member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for member in members):
            refuse(
                "This workbook is packed in a way that Excel does not use. Save it again in Excel as .xlsx."
            )
        unpacked = sum(member.file_size for member in members)
        packed = sum(member.compress_size for member in members)
        if unpacked > limits.unpacked_bytes or (
            unpacked > RATIO_FREE_BYTES and unpacked > packed * MAX_RATIO
        ):
            refuse(
                "This workbook unpacks to far more than its size. Copy the table alone into a new workbook."
            )
        for name in sorted(self.names):
            if name.lower().endswith(".rels"):
                self._refuse_links(name)

    def _refuse_links(self, name: str) -> None:
        """Refuse a relationship that leads out of the file, unless it is a hyperlink (which nobody follows)."""
        for _, attributes in self.elements(name, "Relationship"):
            if attributes.get("TargetMode", "").lower() == "external" and not attributes.get(
                "Type", ""
            ).endswith("/hyperlink"):
                refuse(
                    "This workbook is linked to another file. In Excel choose Data, Edit Links, Break Link, "
                    "save it and upload it again."
                )

    def scan(self, name: str, scanner: Scanner) -> None:
        """Feed the part `name` to `scanner`.

        Raises Refusal as `feed` does.
        """
        for _ in self.feed(name, scanner):
            pass

    def feed(self, name: str, scanner: Scanner) -> Iterator[None]:
        """Feed the part `name` to `scanner`, piece by piece, yielding after each.

        Raises Refusal (file_too_large_or_not_a_workbook) when the part is missing, damaged, past a limit, or carries
        a document type definition.
        """
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.XmlDeclHandler = _refuse_encoding
        parser.StartElementHandler, parser.EndElementHandler = scanner.opened, scanner.closed
        parser.CharacterDataHandler = scanner.said
        try:
            fed = 0
            for piece in self._pieces(name):
                parser.Parse(piece)
                fed += len(piece)
                if fed - parser.CurrentByteIndex > MAX_TAG_BYTES:
                    refuse(f"The part {name} of this workbook is not laid out as Excel does it.")
                yield
            parser.Parse(b"", True)
        except _DAMAGED as damage:
            raise Refusal(
                "file_too_large_or_not_a_workbook",
                f"The part {name} of this workbook is missing or damaged. Open it in Excel, save it, upload it again.",
            ) from damage

    def _pieces(self, name: str) -> Iterator[bytes]:
        with self._zip.open(name) as part:
            while piece := part.read(_PIECE):
                self._bytes_left -= len(piece)
                self._tags_left -= piece.count(b"<")
                if self._bytes_left < 0 or self._tags_left < 0:
                    refuse("This workbook holds more than can be read at once. Split it into smaller ones.")
                yield piece

    def elements(self, name: str, *wanted: str) -> list[tuple[str, dict[str, str]]]:
        """Return the local name and the attributes of all `wanted` elements of a small part, in their order."""
        collector = _Collector(frozenset(wanted))
        self.scan(name, collector)
        return collector.found

    def targets(self, name: str) -> dict[str, tuple[str, str]]:
        """Return the relationships of the part `name`: id to (last word of the type, part name); {} if it has none."""
        folder, base = posixpath.split(name)
        relations = posixpath.join(folder, "_rels", f"{base}.rels")
        if relations not in self.names:
            return {}
        return {
            attributes.get("Id", ""): (
                attributes.get("Type", "").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/"),
            )
            for _, attributes in self.elements(relations, "Relationship")
            if attributes.get("TargetMode", "").lower() != "external"
        }


class _Collector:
    """Keeps the attributes of a few kinds of elements."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._depth = 0
        self.found: list[tuple[str, dict[str, str]]] = []

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        local = name.rpartition(" ")[2]
        if local in self._wanted:
            self.found.append((local, attributes))
        if self._depth > MAX_DEPTH or len(self.found) > MAX_ELEMENTS:
            refuse(
                "This workbook has more styles or links than can be read. Copy the table into a new workbook."
            )

    def closed(self, _name: str) -> None:
        self._depth -= 1

    def said(self, text: str) -> None:
        """Nothing to do: only attributes count."""


def _refuse_doctype(*_: object) -> NoReturn:
    refuse("This workbook carries a document type definition, which Excel never writes. It was not read.")


def _refuse_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        refuse(
            "This workbook is written in an encoding that Excel does not use. Save it again in Excel as .xlsx."
        )
