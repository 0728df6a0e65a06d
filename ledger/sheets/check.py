"""Comparing a year's workbook with the ledger: line by line, as of the state the workbook itself states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import chain, islice
from pathlib import Path

from sqlalchemy.orm import Session

from ledger.queries.credit import currency_of, guard_program_year
from ledger.queries.year_state import YearState, state_faults, stated_state
from ledger.sheets.year import (
    ALL_DEALERS,
    AS_OF_FACT,
    CHECKPOINT_FACT,
    CLOSED,
    CLOSED_FACT,
    DEALER_FACT,
    HEAD_FACT,
    STATE_FACT,
    YEAR_FACT,
    YearSheets,
    control_facts,
    title_of,
)
from ledger.states import ACCOUNT_WORDS, AccountKind
from referral.errors import Refusal
from referral.permissions import Viewer
from referral.sheetkit import values as read
from referral.sheetkit.cellwriter import Fact, Kind
from referral.sheetkit.compare import (
    Tally,
    control_differences,
    control_values,
    foreign_sheets,
    table_differences,
)
from referral.sheetkit.stream import Book, open_book
from referral.sheetkit.writer import CONTROL_SHEET, change_facts, count_facts

_HEAD = re.compile(r"sequence ([0-9]{1,12}), ", re.ASCII)
_YEAR = re.compile(r"[0-9]{4}", re.ASCII)
_KINDS = {words: kind for kind, words in ACCOUNT_WORDS.items()}


@dataclass(frozen=True)
class Checked:
    """What a comparison found: the first differences as sentences, and what was compared."""

    differences: tuple[str, ...]
    has_more: bool
    rows: int
    cells: int
    program_year: int
    dealer_code: str


def check_export(
    tx: Session, *, viewer: Viewer, path: Path, sheets: Sequence[YearSheets], most: int
) -> Checked:
    """Compare the workbook at `path` with the ledger and return the first `most` differences.

    What the ledger wrote after the workbook's heads is no difference. The file and the ledger are read in a stream.
    Raises Refusal: file_too_large_or_not_a_workbook for a file that is no workbook, file_has_errors for one that does
    not state what it shows, not_found for a dealer that the viewer does not see; OSError where it cannot be opened.
    """
    with open_book(path) as book:
        state = _stated(tx, viewer, book)
        tally = Tally()
        found = tuple(islice(_differences(tx, book, state, sheets, tally), most + 1))
    return Checked(
        differences=found[:most],
        has_more=len(found) > most,
        rows=tally.rows,
        cells=tally.cells,
        program_year=state.program_year,
        dealer_code=state.dealer_code,
    )


def _differences(
    tx: Session, book: Book, state: YearState, sheets: Sequence[YearSheets], tally: Tally
) -> Iterator[str]:
    names = [CONTROL_SHEET]
    counts: list[Fact] = []
    for sheet in chain.from_iterable(make(tx, state=state) for make in sheets):
        yield from table_differences(book, sheet, tally)
        names.append(sheet.name)
        if tally.receipts and tally.receipts[-1].name == sheet.name:
            counts += count_facts(tally.receipts[-1], sheet.columns)
    facts = [Fact("Title", title_of(state))]
    if not state.is_closed:
        facts.append(Fact("Made at", state.at, Kind.INSTANT))
    facts += control_facts(tx, state=state, made_by="")
    yield from control_differences(book, CONTROL_SHEET, [*facts, *counts, *change_facts(tally.changes)])
    yield from foreign_sheets(book, names)
    yield from state_faults(tx, state)


def _stated(tx: Session, viewer: Viewer, book: Book) -> YearState:
    """Return the state that the control sheet states. Raises Refusal."""
    control = {item: value for item, (_, value) in control_values(book, CONTROL_SHEET).items()}
    year, dealer = control.get(YEAR_FACT), control.get(DEALER_FACT)
    if not isinstance(year, str) or not _YEAR.fullmatch(year) or not isinstance(dealer, str):
        raise Refusal(
            "file_has_errors", "The control sheet does not say which program year and dealer it shows."
        )
    program_year = guard_program_year(int(year))
    is_closed = control.get(STATE_FACT) == CLOSED
    state = stated_state(
        tx,
        viewer=viewer,
        at=_instant(control, CLOSED_FACT if is_closed else AS_OF_FACT),
        program_year=program_year,
        dealer_code="" if dealer == ALL_DEALERS else dealer,
        currency=currency_of(tx, program_year),
        is_closed=is_closed,
        checkpoint=str(control.get(CHECKPOINT_FACT)),
        sequences=_sequences(control, program_year),
    )
    if state.is_closed != is_closed:
        raise Refusal(
            "file_has_errors", "The workbook says that its year is closed; in the ledger it is open."
        )
    return state


def _instant(control: Mapping[str, read.Value], item: str) -> datetime:
    value = control.get(item)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise Refusal("file_has_errors", f"The control sheet does not say “{item}”.")


def _sequences(control: Mapping[str, read.Value], program_year: int) -> dict[tuple[str, AccountKind], int]:
    """Return the sequences of the stated heads; a line that cannot be read is a difference later on."""
    found: dict[tuple[str, AccountKind], int] = {}
    for item, value in control.items():
        code, year, words = _words_of(item)
        match = _HEAD.match(value) if isinstance(value, str) else None
        if match and year == str(program_year) and words in _KINDS:
            found[code, _KINDS[words]] = int(match[1])
    return found


def _words_of(item: str) -> tuple[str, str, str]:
    """Split `Head of HARBOR 2026 Sales credit` into code, year and words of the account."""
    if not item.startswith(HEAD_FACT):
        return "", "", ""
    code, _, rest = item.removeprefix(HEAD_FACT).partition(" ")
    year, _, words = rest.partition(" ")
    return code, year, words
