"""Bills of material as people paste or upload them: which columns, and every row with what is wrong in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quotes.forms.builder import MODEL_NUMBER_LENGTH, ROOM_LENGTH, has_pictures
from quotes.rules.bills import (
    COLUMN_WORDS,
    MAX_BILL_ROWS,
    NEEDED,
    BillColumn,
    BillFile,
    BillRow,
    LeftOutRow,
    RefusedRow,
    fold_heading,
    guess_by_content,
    guess_by_headings,
    headings_digest,
    is_total,
    read_list_price,
    read_units,
)
from referral.errors import Problem, Refusal
from referral.money import NotANumber
from referral.sheetkit.reader import read_table
from referral.sheetkit.table import HEADER_ROWS_TRIED, Cell, Row, Table, column_letters
from referral.sheetkit.values import Unreadable, Value
from referral.text import clean_line, fold_model_number

LONGEST_CELL = 1_000
"""Characters of a cell that is read; nothing of a bill is longer, and a hostile file costs no time."""
SAID = 40
"""Characters of a cell that a sentence repeats."""
SAMPLES = 3
SAMPLE_ROWS = 20


def open_bill(content: bytes, filename: str, sheet: str = "") -> Table:
    """Read one visible sheet of a file, by default the first that is not blank.

    Raises Refusal (file_too_large_or_not_a_workbook) or (file_has_errors) with the file as its field.
    """
    try:
        table = read_table(content, filename=filename, sheet=sheet or None)
        if not table.rows:
            raise Refusal("file_has_errors", "This file has no rows.")
        if len(table.rows) > MAX_BILL_ROWS + HEADER_ROWS_TRIED:
            words = (
                f"This file has {len(table.rows):,} rows, and a bill has at most {MAX_BILL_ROWS:,}. Split it."
            )
            raise Refusal("file_too_large_or_not_a_workbook", words)
    except Refusal as refusal:
        raise Refusal(refusal.code, refusal.message, "file") from refusal
    return table


# columns ----------------------------------------------------------------------------------------


def headings_of(table: Table, row_number: int) -> tuple[str, ...]:
    """Return the texts of a row as headings; 0 stands for no headings: an empty text for each column."""
    if row_number == 0:
        width = max(len(row.values) for row in table.rows[:SAMPLE_ROWS])
        return ("",) * width
    row = next((row for row in table.rows[:HEADER_ROWS_TRIED] if row.number == row_number), None)
    return () if row is None else tuple(_plain(value) for value in row.values)


def heading_digests(table: Table) -> dict[str, int]:
    """Return the rows that can be the headings by their digest, 0 for none of them; the first one wins."""
    numbers = [row.number for row in table.rows[:HEADER_ROWS_TRIED]]
    digests: dict[str, int] = {}
    for number in [*numbers, 0]:
        digests.setdefault(headings_digest(headings_of(table, number)), number)
    return digests


def _plain(value: Value) -> str:
    """Return a value as one cleaned line, of a long text its beginning."""
    if value is None or isinstance(value, Unreadable):
        return ""
    return clean_line(Cell("", value).text[:LONGEST_CELL])


@dataclass(frozen=True)
class Reading:
    """How a file is read: where its headings are and what its columns mean."""

    heading: int
    """The row of the headings; 0 where the file has none."""
    columns: Mapping[BillColumn, int]
    """Counted from 1."""
    origin: str
    """headings, content, remembered or chosen."""
    doubts: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[BillColumn, ...]:
        """The columns without which no row can be read."""
        return tuple(column for column in NEEDED if column not in self.columns)

    @property
    def twice(self) -> bool:
        """Whether one column of the file is to be two things at once."""
        return len(set(self.columns.values())) < len(self.columns)


@dataclass(frozen=True)
class SaidReading:
    """What the person says of a file's reading; None where nothing is said."""

    heading: int | None = None
    columns: Mapping[BillColumn, int] | None = None


def find_reading(table: Table, said: SaidReading, remembered: Mapping[str, Sequence[str]]) -> Reading:
    """Return how a file is read: as said, else as remembered for these headings, else as it looks."""
    digests = heading_digests(table)
    heading = said.heading
    if heading is None:
        known = [number for digest, number in digests.items() if digest in remembered]
        heading = known[0] if known else _likely_heading(table)
    headings = headings_of(table, heading)
    if said.columns is not None:
        width = max(len(row.values) for row in table.rows)
        return Reading(heading, {key: at for key, at in said.columns.items() if 0 < at <= width}, "chosen")
    kept = remembered.get(headings_digest(headings))
    if kept is not None:
        columns = {BillColumn(name): at for at, name in enumerate(kept, start=1) if name}
        return Reading(heading, columns, "remembered")
    if heading:
        guess = guess_by_headings(headings)
        return Reading(heading, guess.columns, "headings", guess.doubts)
    rows = [[_plain(value) for value in row.values] for row in table.rows[:SAMPLE_ROWS]]
    return Reading(heading, guess_by_content(rows).columns, "content")


def _likely_heading(table: Table) -> int:
    """Return the first of the upper rows that names most of the needed columns; 0 where none names one."""
    best, most = 0, 0
    for row in table.rows[:HEADER_ROWS_TRIED]:
        guess = guess_by_headings([_plain(value) for value in row.values])
        named = (
            sum(2 for column in NEEDED if column in guess.columns) + len(guess.columns) + len(guess.doubts)
        )
        if named > most and len([value for value in row.values if value is not None]) > 1:
            best, most = row.number, named
    return best


def columns_to_keep(table: Table, reading: Reading) -> tuple[str, list[str]]:
    """Return the digest and the columns by which the account's next file with these headings is read."""
    headings = headings_of(table, reading.heading)
    by_place = {at: column.value for column, at in reading.columns.items()}
    width = max([len(headings), *by_place])
    return headings_digest(headings), [by_place.get(at, "") for at in range(1, width + 1)]


@dataclass(frozen=True)
class FileColumn:
    """A column of a file as the person chooses among them."""

    at: int
    letters: str
    heading: str
    samples: tuple[str, ...]

    @property
    def words(self) -> str:
        """Its letters, its heading, and what stands in it."""
        named = f"{self.letters} “{self.heading[:SAID]}”" if self.heading else self.letters
        return (
            f"{named}: {', '.join(self.samples)}" if self.samples else f"{named}: nothing in the first rows"
        )


def file_columns(table: Table, heading: int) -> tuple[FileColumn, ...]:
    """Return the columns of a file with the first things that stand in each."""
    rows = [row for row in table.rows if row.number > heading][:SAMPLE_ROWS]
    headings = headings_of(table, heading)
    width = max([len(headings), *(len(row.values) for row in rows)])
    columns = []
    for at in range(width):
        texts = [_plain(row.values[at])[:16] for row in rows if at < len(row.values)]
        samples = tuple(dict.fromkeys(text for text in texts if text))[:SAMPLES]
        heading_text = headings[at] if at < len(headings) else ""
        if heading_text or samples:
            columns.append(FileColumn(at + 1, column_letters(at + 1), heading_text, samples))
    return tuple(columns)


# rows -------------------------------------------------------------------------------------------


def read_bill(table: Table, reading: Reading, filename: str) -> BillFile:
    """Read every row below the headings. Raises Refusal(file_has_errors) where a needed column is missing."""
    if reading.missing:
        words = " and ".join(f"the {COLUMN_WORDS[column].lower()}" for column in reading.missing)
        raise Refusal("file_has_errors", " ".join([f"Say which column holds {words}.", *reading.doubts]))
    if reading.twice:
        raise Refusal("file_has_errors", "One column cannot be two things. Choose another one.")
    reader = _RowReader(table, reading)
    rows = [row for row in table.rows if row.number > reading.heading]
    for row in rows:
        reader.read(row)
    numbers = [row.number for row in rows]
    span = numbers[-1] - reading.heading if numbers else 0
    return BillFile(
        filename=filename,
        sha256=table.sha256,
        rows=tuple(reader.rows),
        refused=tuple(reader.refused),
        left_out=tuple(reader.left_out),
        blank_count=(span - len(numbers) if reading.heading else 0) + reader.blank,
        address=reader.address,
    )


@dataclass
class _RowReader:
    """Reads one row after the other."""

    table: Table
    reading: Reading
    rows: list[BillRow] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    left_out: list[LeftOutRow] = field(default_factory=list)
    blank: int = 0

    def __post_init__(self) -> None:
        self._headings = [fold_heading(text) for text in headings_of(self.table, self.reading.heading)]

    def address(self, column: BillColumn, row: int) -> str:
        """Return the address of a cell; the row alone where the file has no such column."""
        at = self.reading.columns.get(column)
        return f"Row {row}" if at is None else self.table.address(row, at)

    def read(self, row: Row) -> None:
        """Sort a row into good, refused and left out."""
        values = {column: self._value(row, column) for column in BillColumn}
        why = self._why_left_out(row, values)
        if why == "blank":
            self.blank += 1
            return
        if why:
            texts = [_plain(value) for value in row.values]
            self.left_out.append(
                LeftOutRow(row.number, why, " · ".join(text for text in texts if text)[:200])
            )
            return
        problems = [
            self._problem(column, row, str(value))
            for column, value in values.items()
            if isinstance(value, Unreadable)
        ]
        if not problems:
            good = self._good(row, {column: _plain(value) for column, value in values.items()}, problems)
            if good is not None:
                self.rows.append(good)
                return
        said = tuple(
            f"({value})" if isinstance(value, Unreadable) else Cell("", value).text
            for value in values.values()
        )
        self.refused.append(RefusedRow(row.number, tuple(problems), said))

    def _value(self, row: Row, column: BillColumn) -> Value:
        at = self.reading.columns.get(column, 0)
        value = row.values[at - 1] if 0 < at <= len(row.values) else None
        if isinstance(value, str) and len(value) > LONGEST_CELL:
            return Unreadable(f"holds more than {LONGEST_CELL:,} characters")
        return value

    def _why_left_out(self, row: Row, values: Mapping[BillColumn, Value]) -> str:
        """Return why a row is no line of the bill; '' where it is one. Nothing unreadable is left out."""
        if any(isinstance(value, Unreadable) for value in values.values()):
            return ""
        model, units = (_plain(values[column]) for column in NEEDED)
        if model:
            if is_total(model):
                return "a total"
            return "the headings again" if self._repeats_headings(row, model) else ""
        others = [text for value in row.values if (text := _plain(value))]
        if not others:
            return "blank"
        if any(is_total(text) for text in others):
            return "a total"
        return "" if units else "neither a model number nor a quantity"

    def _repeats_headings(self, row: Row, model: str) -> bool:
        at = self.reading.columns[BillColumn.MODEL_NUMBER] - 1
        if at >= len(self._headings) or fold_heading(model) != self._headings[at]:
            return False
        return [fold_heading(_plain(value)) for value in row.values] == self._headings

    def _good(self, row: Row, texts: Mapping[BillColumn, str], problems: list[Problem]) -> BillRow | None:
        number = fold_model_number(texts[BillColumn.MODEL_NUMBER])
        room = texts[BillColumn.ROOM]
        if not number:
            problems.append(
                self._problem(BillColumn.MODEL_NUMBER, row, "is empty: the model number is missing")
            )
        elif len(number) > MODEL_NUMBER_LENGTH:
            words = f"holds a model number of more than {MODEL_NUMBER_LENGTH} characters"
            problems.append(self._problem(BillColumn.MODEL_NUMBER, row, words))
        units = self._number(BillColumn.QUANTITY, row, texts, problems)
        cents = self._number(BillColumn.LIST_PRICE, row, texts, problems)
        if len(room) > ROOM_LENGTH:
            words = f"holds a room of more than {ROOM_LENGTH} characters"
            problems.append(self._problem(BillColumn.ROOM, row, words))
        elif has_pictures(room):
            words = "holds a picture; use letters, digits and punctuation"
            problems.append(self._problem(BillColumn.ROOM, row, words))
        if problems or units is None:
            return None
        return BillRow(row.number, number, units, room, cents, texts[BillColumn.MODEL_NUMBER])

    def _number(
        self, column: BillColumn, row: Row, texts: Mapping[BillColumn, str], problems: list[Problem]
    ) -> int | None:
        """Return units or cents; a list price may be left out."""
        text = texts[column]
        if not text:
            if column is BillColumn.QUANTITY:
                problems.append(self._problem(column, row, "is empty: the quantity is missing"))
            return None
        try:
            return read_units(text) if column is BillColumn.QUANTITY else read_list_price(text)
        except NotANumber as error:
            words = "quantity" if column is BillColumn.QUANTITY else "list price"
            said = f"holds “{text[:SAID]}”, which is no {words}. {error}".rstrip(".")
            problems.append(self._problem(column, row, said))
            return None

    def _problem(self, column: BillColumn, row: Row, words: str) -> Problem:
        address = self.address(column, row.number)
        return Problem("file_has_errors", f"{address} {words}.", address)
