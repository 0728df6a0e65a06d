"""Reading a workbook of any length, row by row, in constant memory: for files named on the command line."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, overload

from referral.sheetkit.guard import OWN_FILE, Package, is_workbook, refuse, refuse_content
from referral.sheetkit.sheetscan import SheetScan
from referral.sheetkit.table import Row
from referral.sheetkit.values import Unreadable
from referral.sheetkit.workbook import SheetEntry, contents, format_kinds, read_strings, workbook_part

_START_BYTES = 4096


class Book:
    """A workbook whose sheets are read one after the other; made by `open_book`."""

    def __init__(self, package: Package, texts: _Texts) -> None:
        """Read everything but the rows. Raises Refusal (file_too_large_or_not_a_workbook)."""
        self._package, self._texts = package, texts
        self._epoch_1904, entries, targets = contents(package, workbook_part(package))
        self._sheets = {entry.name: entry for entry in entries}
        self._kinds = format_kinds(package, targets.get("styles"))
        read_strings(package, targets.get("sharedStrings"), texts.append)

    @property
    def sheets(self) -> tuple[str, ...]:
        """The names of all sheets in their order, hidden ones too."""
        return tuple(self._sheets)

    def rows(self, sheet: str) -> Iterator[Row]:
        """Yield the rows of a sheet that are not blank. Cells that cannot be read, and formulas, are Unreadable.

        Raises Refusal: file_has_errors where the layout of the sheet cannot be trusted, or cells are merged;
        file_too_large_or_not_a_workbook where it is damaged.
        """
        entry: SheetEntry = self._sheets[sheet]
        if not entry.part:
            refuse_content(f"“{sheet}” is no sheet of cells.")
        scan = SheetScan(
            sheet,
            self._texts,
            self._kinds,
            self._epoch_1904,
            limits=self._package.limits,
            takes_formulas=False,
        )
        for _ in self._package.feed(entry.part, scan):
            yield from scan.take()
        yield from scan.take()
        if scan.merged:
            refuse_content(f"The cells {scan.merged[0]} of “{sheet}” are merged.")


@contextmanager
def open_book(path: Path) -> Iterator[Book]:
    """Open a workbook for reading in a stream.

    Raises Refusal (file_too_large_or_not_a_workbook) for a file that is no .xlsx workbook or damaged, OSError for one
    that cannot be opened.
    """
    with path.open("rb") as file, tempfile.TemporaryFile() as store:
        if not is_workbook(file.read(_START_BYTES), path.name):
            refuse("This file is no Excel workbook (.xlsx).")
        yield Book(Package(file, OWN_FILE), _Texts(store))


class _Texts(Sequence[str]):
    """The shared strings of a workbook, kept in a file: a long workbook has millions of them."""

    def __init__(self, store: IO[bytes]) -> None:
        self._store = store
        self._ends = array("q", [0])

    def append(self, text: str) -> None:
        """Keep one more; what cannot be read stays unreadable."""
        kept = (b"!" if isinstance(text, Unreadable) else b" ") + text.encode()
        self._store.write(kept)
        self._ends.append(self._ends[-1] + len(kept))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        start, end = self._ends[index], self._ends[index + 1]
        self._store.seek(start)
        kept = self._store.read(end - start)
        text = kept[1:].decode()
        return Unreadable(text) if kept.startswith(b"!") else text
