"""Statements of a month, quarter or year: what was posted on its business days, in every account that moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerEntry
from ledger.queries.checkpoints import newest_checkpoint
from ledger.queries.credit import currency_of
from ledger.queries.disputed_postings import LineDispute, disputes_of_lines, last_dispute_day
from ledger.queries.places import AccountPlace, AccountPlaces, account_at, accounts_at
from ledger.queries.statements import STATEMENT_ROWS, StatementLine, dealer_seen_by, statement_lines
from ledger.rules.periods import Period, PeriodKind, parse_period, period_of
from ledger.states import ACCOUNT_WORDS, ENTRY_WORDS, TOTAL_KINDS, AccountKind, EntryKind
from referral.clock import business_day
from referral.errors import Refusal
from referral.models import Company
from referral.permissions import Viewer
from referral.queries.settings import time_zone, today

PRINT_ROWS = 5_000
"""Lines that a print shows; the workbook holds all, however many."""


@dataclass(frozen=True)
class PeriodAccount:
    """One account of a program year in a period: where it stood before, and where after."""

    program_year: int
    kind: AccountKind
    opening: AccountPlace
    closing: AccountPlace

    @property
    def words(self) -> str:
        """How people call it, such as Sales credit 2026."""
        return f"{ACCOUNT_WORDS[self.kind]} {self.program_year}"

    @property
    def count(self) -> int:
        """Postings of the period."""
        return self.closing.sequence - self.opening.sequence

    @property
    def posted_cents(self) -> int:
        """What the postings of the period come to."""
        return self.closing.balance_cents - self.opening.balance_cents


@dataclass(frozen=True)
class KindSum:
    """What postings of one kind come to, by account."""

    kind: EntryKind
    count: int
    sales_credit_cents: int
    other_purchases_cents: int

    @property
    def words(self) -> str:
        """The kind in words."""
        return ENTRY_WORDS[self.kind]


@dataclass(frozen=True)
class PeriodLine:
    """A line of a statement: the posting, the business day it was posted on, its newest dispute."""

    line: StatementLine
    posted_on: date
    dispute: LineDispute | None
    is_disputable: bool
    """Whether the window is open and no dispute of it is."""


@dataclass(frozen=True)
class PeriodSection:
    """Lines of one account on this page, with the balance before them and after them."""

    account: PeriodAccount
    lines: tuple[PeriodLine, ...]
    is_first: bool
    is_last: bool

    @property
    def before_cents(self) -> int:
        """The balance before the first line of this page."""
        first = self.lines[0].line
        return first.balance_cents - first.amount_cents

    @property
    def after_cents(self) -> int:
        """The balance after the last line of this page."""
        return self.lines[-1].line.balance_cents


@dataclass(frozen=True)
class PeriodStatement:
    """A dealer's statement of a period. Everything but `sections` is of the whole period."""

    dealer_id: UUID
    dealer_code: str
    dealer_name: str
    period: Period
    zone: str
    today: date
    made_at: datetime
    currency: str
    accounts: tuple[PeriodAccount, ...]
    kinds: tuple[KindSum, ...]
    checkpoint_code: str
    """Of the newest checkpoint at or before the period's end, '' where there is none."""
    checkpoint_at: datetime | None
    last_dispute_on: date
    """The last day on which a posting of the period's last month can be disputed."""
    sections: tuple[PeriodSection, ...] = ()
    after: str | None = None
    is_first_page: bool = True

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be posted in it."""
        return self.period.is_over(self.today)

    @property
    def is_window_open(self) -> bool:
        """Whether some posting of it can still be disputed."""
        return self.today <= self.last_dispute_on

    @property
    def line_count(self) -> int:
        """Postings of the period in all accounts."""
        return sum(account.count for account in self.accounts)

    @property
    def sales_credit_cents(self) -> int:
        """What was posted as sales credit, of whatever program year."""
        return sum(row.sales_credit_cents for row in self.kinds)

    @property
    def other_purchases_cents(self) -> int:
        """What was posted as other purchases, of whatever program year."""
        return sum(row.other_purchases_cents for row in self.kinds)

    @property
    def total_posted_cents(self) -> int:
        """What was posted in all accounts together."""
        return sum(account.posted_cents for account in self.accounts)


def period_statement(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    dealer_code: str,
    period_name: str,
    after: str = "",
    limit: int = STATEMENT_ROWS,
) -> PeriodStatement:
    """Return the statement with `limit` lines after a place such as 2026.sales_credit.100.

    Raises Refusal(not_found) for another's dealer, a period that can't be or has not begun, a place that is
    none of it.
    """
    dealer = dealer_seen_by(tx, viewer, dealer_code)
    whole = _statement(tx, dealer, at, _period(period_name))
    sections = _sections(tx, dealer, whole, after, limit)
    if after and not sections:
        raise Refusal("not_found")
    last = sections[-1] if sections else None
    is_all = last is None or (last.is_last and last.account == _moved(whole.accounts)[-1])
    return _with(whole, sections, None if is_all or last is None else _cursor(last), is_first_page=not after)


def whole_statement(
    tx: Session, *, viewer: Viewer, at: datetime, dealer_code: str, period_name: str
) -> PeriodStatement:
    """Return the statement without its lines, for whoever streams them. Raises Refusal(not_found)."""
    return _statement(tx, dealer_seen_by(tx, viewer, dealer_code), at, _period(period_name))


def period_lines(
    tx: Session, statement: PeriodStatement
) -> Iterator[tuple[PeriodAccount, StatementLine, date]]:
    """Yield every posting of the period by account and sequence, with its business day; streamed."""
    for account in statement.accounts:
        for line in statement_lines(
            tx,
            dealer_id=statement.dealer_id,
            program_year=account.program_year,
            account_kind=account.kind,
            after=account.opening.sequence,
            limit=account.count,
        ):
            yield account, line, business_day(line.posted_at, statement.zone)


def _period(name: str) -> Period:
    period = parse_period(name)
    if period is None:
        raise Refusal("not_found")
    return period


def _statement(tx: Session, dealer: Company, at: datetime, period: Period) -> PeriodStatement:
    zone, day = time_zone(tx), today(tx, at)
    if not period.has_begun(day):
        raise Refusal("not_found")
    start, end = period.bounds(zone)
    accounts = _accounts(tx, dealer.id, period, start, end)
    checkpoint = newest_checkpoint(tx, before=end)
    return PeriodStatement(
        dealer_id=dealer.id,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        period=period,
        zone=zone,
        today=day,
        made_at=at,
        currency=currency_of(tx, period.year),
        accounts=accounts,
        kinds=_kind_sums(tx, dealer.id, accounts),
        checkpoint_code="" if checkpoint is None else checkpoint.code,
        checkpoint_at=None if checkpoint is None else checkpoint.taken_at,
        last_dispute_on=last_dispute_day(tx, period.last_on),
    )


def _accounts(
    tx: Session, dealer_id: UUID, period: Period, start: datetime, end: datetime
) -> tuple[PeriodAccount, ...]:
    """Return both accounts of the period's own year, then those of other years that moved in it."""
    found = {
        (account.program_year, account.kind): _between(account)
        for account in accounts_at(tx, dealer_id=dealer_id, instants=(start, end))
    }
    for kind in TOTAL_KINDS:
        if (period.year, kind) not in found:
            found[period.year, kind] = _between(
                account_at(
                    tx, dealer_id=dealer_id, program_year=period.year, kind=kind, instants=(start, end)
                )
            )
    shown = [each for each in found.values() if each.program_year == period.year or each.count]
    return tuple(sorted(shown, key=lambda each: (-each.program_year, TOTAL_KINDS.index(each.kind))))


def _between(account: AccountPlaces) -> PeriodAccount:
    opening, closing = account.places
    return PeriodAccount(account.program_year, account.kind, opening, closing)


def _kind_sums(tx: Session, dealer_id: UUID, accounts: Sequence[PeriodAccount]) -> tuple[KindSum, ...]:
    sums: dict[EntryKind, dict[AccountKind, tuple[int, int]]] = {}
    for account in _moved(accounts):
        rows = tx.execute(
            sa.select(LedgerEntry.kind, sa.func.count(), sa.func.sum(LedgerEntry.amount_cents))
            .where(
                LedgerEntry.dealer_id == dealer_id,
                LedgerEntry.program_year == account.program_year,
                LedgerEntry.account_kind == account.kind,
                LedgerEntry.sequence > account.opening.sequence,
                LedgerEntry.sequence <= account.closing.sequence,
            )
            .group_by(LedgerEntry.kind)
        )
        for kind, count, cents in rows:
            of_kind = sums.setdefault(kind, {})
            before = of_kind.get(account.kind, (0, 0))
            of_kind[account.kind] = (before[0] + count, before[1] + int(cents))
    return tuple(
        KindSum(
            kind=kind,
            count=sum(count for count, _ in sums[kind].values()),
            sales_credit_cents=sums[kind].get(AccountKind.SALES_CREDIT, (0, 0))[1],
            other_purchases_cents=sums[kind].get(AccountKind.OTHER_PURCHASES, (0, 0))[1],
        )
        for kind in EntryKind
        if kind in sums
    )


# lines, page by page ----------------------------------------------------------------------------


def _moved(accounts: Sequence[PeriodAccount]) -> list[PeriodAccount]:
    return [account for account in accounts if account.count]


def _cursor(section: PeriodSection) -> str:
    account = section.account
    return f"{account.program_year}.{account.kind.value}.{section.lines[-1].line.sequence}"


def _start(accounts: Sequence[PeriodAccount], after: str) -> tuple[int, int]:
    """Return (place of the account among these, sequence) that a cursor names. Raises Refusal(not_found)."""
    name, _, sequence = after.rpartition(".")
    names = [f"{account.program_year}.{account.kind.value}" for account in accounts]
    if name not in names or not (sequence.isascii() and sequence.isdigit() and len(sequence) <= 15):
        raise Refusal("not_found")
    found, place = names.index(name), int(sequence)
    if not accounts[found].opening.sequence < place <= accounts[found].closing.sequence:
        raise Refusal("not_found")
    return found, place


def _sections(
    tx: Session, dealer: Company, whole: PeriodStatement, after: str, limit: int
) -> tuple[PeriodSection, ...]:
    accounts = _moved(whole.accounts)
    if not accounts:
        return ()
    first, place = _start(accounts, after) if after else (0, accounts[0].opening.sequence)
    start, end = whole.period.bounds(whole.zone)
    disputes = disputes_of_lines(tx, dealer=dealer, start=start, end=end)
    windows: dict[Period, date] = {}
    sections: list[PeriodSection] = []
    for account in accounts[first:]:
        begins = place if account is accounts[first] else account.opening.sequence
        count = min(limit, account.closing.sequence - begins)
        if count <= 0:
            continue
        lines = tuple(
            _line(tx, whole, account, line, disputes, windows)
            for line in statement_lines(
                tx,
                dealer_id=dealer.id,
                program_year=account.program_year,
                account_kind=account.kind,
                after=begins,
                limit=count,
            )
        )
        limit -= count
        is_last = begins + count == account.closing.sequence
        sections.append(PeriodSection(account, lines, begins == account.opening.sequence, is_last))
    return tuple(sections)


def _line(
    tx: Session,
    whole: PeriodStatement,
    account: PeriodAccount,
    line: StatementLine,
    disputes: dict[tuple[int, AccountKind, int], LineDispute],
    windows: dict[Period, date],
) -> PeriodLine:
    posted_on = business_day(line.posted_at, whole.zone)
    month = period_of(posted_on, PeriodKind.MONTH)
    if month not in windows:
        windows[month] = last_dispute_day(tx, posted_on)
    dispute = disputes.get((account.program_year, account.kind, line.sequence))
    is_open = dispute is not None and dispute.outcome is None
    return PeriodLine(line, posted_on, dispute, whole.today <= windows[month] and not is_open)


def _with(
    whole: PeriodStatement, sections: tuple[PeriodSection, ...], after: str | None, *, is_first_page: bool
) -> PeriodStatement:
    return replace(whole, sections=sections, after=after, is_first_page=is_first_page)
