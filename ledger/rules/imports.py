"""Rows of an imported file: whose they are, what speaks against them, and the key that posts each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from uuid import UUID

from ledger.rules.digests import digest_of
from ledger.states import AccountKind, EntryKind
from referral.errors import REFUSALS, Problem
from referral.money import format_plain
from referral.rules import is_valid_on
from referral.text import fold_account_number, say_day

IMPORT_ACCOUNTS: Mapping[EntryKind, AccountKind] = {
    EntryKind.OTHER_PURCHASE: AccountKind.OTHER_PURCHASES,
    EntryKind.OPENING_CREDIT: AccountKind.SALES_CREDIT,
}
"""What can be imported, and the account it is posted to."""
BATCH_ROWS = 1_000
"""Rows that are posted in one transaction."""
FIRST_IMPORT_YEAR = 2000
_SLOTS = 1 << 24
_MEMO_FILENAME = 60

fold_number = lru_cache(maxsize=8_192)(fold_account_number)


@dataclass(frozen=True, slots=True)
class CreditLine:
    """A row of a file as it was read: every cell is what its column asks for."""

    row: int
    dealer: str
    """What stands in the dealer's column: a code or an account number."""
    account_number: str
    day: date
    amount_cents: int
    document: str
    memo: str
    address: Callable[[str, int], str]
    """Gives the address of a field's cell in a row, such as C54321."""

    @property
    def said(self) -> tuple[str, ...]:
        """The row as it can be written into a file again."""
        amount = format_plain(self.amount_cents)
        return (self.dealer, self.account_number, self.day.isoformat(), amount, self.document, self.memo)


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A row that is not posted, with everything that speaks against it."""

    row: int
    problems: tuple[Problem, ...]
    said: tuple[str, ...]
    """Dealer, account number, day, amount, document and memo, as they stand in the file."""


@dataclass(frozen=True, slots=True)
class CreditRow:
    """A row that can be posted. Equal rows of equal files have equal digests."""

    row: int
    dealer_id: UUID
    day: date
    amount_cents: int
    document: str
    memo: str
    digest: str

    def key(self, ordinal: int) -> str:
        """Return the idempotency key: of the content, and of which one it is among equal rows, from 0."""
        return f"import:{self.digest[:32]}:{ordinal}"


@dataclass(frozen=True)
class CreditFile:
    """A file to import: its lines can be read again and again, each time from the first one."""

    filename: str
    sha256: str
    """Of the whole file, in hexadecimal."""
    lines: Callable[[], Iterator[CreditLine | RefusedLine]]


def import_digest(kind: EntryKind, sha256: str) -> str:
    """Return what one import is known by: the same file of the same kind is one import."""
    return digest_of("credit_import", kind, sha256)


def memo_of(row: CreditRow, reason: str, filename: str) -> str:
    """Return the words of a posted row: its memo, or else the reason of the import; and where it stood."""
    return f"{row.memo or reason} ({filename[-_MEMO_FILENAME:]}, row {row.row})"


# whose a row is ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class NumberHeld:
    """A dealer's account number with the days on which it holds it, both included."""

    dealer_id: UUID
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True)
class ImportGround:
    """What decides about the rows of a file, as it stood when the file was checked."""

    kind: EntryKind
    today: date
    dealers: Mapping[str, UUID]
    """By code."""
    numbers: Mapping[str, tuple[NumberHeld, ...]]
    """By folded account number."""
    closed: frozenset[tuple[UUID, int]]
    """Dealers with years whose accounts take nothing more."""
    closed_years: frozenset[int]
    balances: Mapping[tuple[UUID, int], int]
    """Cents in the account that is posted to."""

    def judge(self, line: CreditLine) -> CreditRow | RefusedLine:
        """Return the row to post, or everything that speaks against it.

        Account numbers are compared without spaces and hyphens, as they are held on the row's day.
        """
        problems: list[Problem] = []
        dealer_id = self._dealer(line, problems)
        year = line.day.year
        if line.day > self.today:
            problems.append(_problem(line, "day", "invalid_input", f"{say_day(line.day)} is still to come"))
        elif year < FIRST_IMPORT_YEAR:
            problems.append(
                _problem(line, "day", "invalid_input", f"{say_day(line.day)} is before {FIRST_IMPORT_YEAR}")
            )
        if year in self.closed_years or (dealer_id, year) in self.closed:
            problems.append(_problem(line, "day", "year_closed", f"program year {year} is closed"))
        if line.amount_cents == 0:
            problems.append(_problem(line, "amount", "invalid_input", "the amount is zero"))
        if problems or dealer_id is None:
            return RefusedLine(line.row, tuple(problems), line.said)
        digest = digest_of(
            "import", self.kind, dealer_id, line.day, line.amount_cents, line.document, line.memo
        )
        return CreditRow(line.row, dealer_id, line.day, line.amount_cents, line.document, line.memo, digest)

    def _dealer(self, line: CreditLine, problems: list[Problem]) -> UUID | None:
        found: dict[UUID, str] = {}
        if line.dealer:
            code = self.dealers.get(line.dealer.upper())
            holder = self._holder(line.dealer, line.day)
            if code is None and holder is None:
                words = f"“{line.dealer[:40]}” is no dealer’s code and no dealer’s account number on {say_day(line.day)}"
                problems.append(_problem(line, "dealer", "not_found", words))
                return None
            found |= {dealer_id: "dealer" for dealer_id in (code, holder) if dealer_id is not None}
        if line.account_number:
            holder = self._holder(line.account_number, line.day)
            if holder is None:
                words = f"“{line.account_number[:40]}” is no dealer’s account number on {say_day(line.day)}"
                problems.append(_problem(line, "account_number", "account_number_unknown_for_dealer", words))
                return None
            found[holder] = "account_number"
        if len(found) == 1:
            return next(iter(found))
        field = "dealer" if line.dealer or not line.account_number else "account_number"
        words = "this names two dealers" if found else "the dealer is missing"
        problems.append(_problem(line, field, "invalid_input", words))
        return None

    def _holder(self, number: str, day: date) -> UUID | None:
        for held in self.numbers.get(fold_number(number), ()):
            if is_valid_on(day, held.valid_from, held.valid_to):
                return held.dealer_id
        return None


def too_large(line: CreditLine) -> RefusedLine:
    """Return the refusal of a row that would make its account hold more than the ledger can keep."""
    words = REFUSALS["amount_too_large"].rstrip(".")
    return RefusedLine(line.row, (_problem(line, "amount", "amount_too_large", words),), line.said)


def _problem(line: CreditLine, field: str, code: str, words: str) -> Problem:
    address = line.address(field, line.row)
    return Problem(code, f"{address}: {words}.", address)


# equal rows -------------------------------------------------------------------------------------


class Ordinals:
    """Tells equal rows of one file apart, in memory that does not grow with the file.

    Two walks: the first notes every row; then `number` gives the first of equal rows 0, the next one 1.
    What is kept of a row is one bit of 24, so only rows that are equal, and a few that share their bit by
    chance, are counted one by one.
    """

    def __init__(self) -> None:
        """Begin with no row."""
        self._seen = bytearray(_SLOTS // 8)
        self._doubled = bytearray(_SLOTS // 8)
        self._counts: dict[str, int] = {}

    def note(self, digest: str) -> None:
        """Take note of a row."""
        slot = int(digest[:6], 16)
        at, bit = slot >> 3, 1 << (slot & 7)
        if self._seen[at] & bit:
            self._doubled[at] |= bit
        else:
            self._seen[at] |= bit

    def begin(self) -> None:
        """Begin another walk through the same rows."""
        self._counts.clear()

    def number(self, digest: str) -> int:
        """Return how many equal rows came before this one in this walk."""
        slot = int(digest[:6], 16)
        if not self._doubled[slot >> 3] & 1 << (slot & 7):
            return 0
        ordinal = self._counts.get(digest, 0)
        self._counts[digest] = ordinal + 1
        return ordinal
