"""Listings for programs: every posting of the dealers' own accounts, every dealer's balances, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerEntry
from ledger.queries.levels import CreditYear, year_books
from ledger.queries.statements import dealers_of_year, dealers_seen_by
from ledger.rules.as_of import AsOf
from ledger.states import AccountKind, EntryKind
from referral.errors import Refusal
from referral.models import Company
from referral.permissions import Viewer
from referral.queries.settings import today

LISTING_ROWS = 50
_ORDER_KINDS = frozenset({EntryKind.ORDER, EntryKind.CANCELLATION, EntryKind.RETURN})


@dataclass(frozen=True)
class PostingPlace:
    """The account a posting stands in, and its place there."""

    dealer_code: str
    program_year: int
    account_kind: AccountKind
    sequence: int

    @property
    def cursor(self) -> str:
        """Dealer, program year, account, sequence: the posting's own key, so a page is one index range."""
        return f"{self.dealer_code}.{self.program_year}.{self.account_kind.value}.{self.sequence}"


@dataclass(frozen=True)
class CreditRow:
    """One posting of a dealer's own account."""

    account: PostingPlace
    kind: EntryKind
    source: str
    amount_cents: int
    balance_cents: int
    effective_on: date
    posted_at: datetime
    digest: str

    @property
    def order(self) -> str | None:
        """The order it comes from, None for adjustments and other purchases."""
        return self.source if self.kind in _ORDER_KINDS else None


@dataclass(frozen=True)
class CreditRows:
    """A page of postings; `after` continues the listing."""

    rows: tuple[CreditRow, ...]
    after: str | None


def credits_page(
    tx: Session,
    *,
    viewer: Viewer,
    year: int | None = None,
    after: str | None = None,
    limit: int = LISTING_ROWS,
    on: date | None = None,
    known_at: datetime | None = None,
) -> CreditRows:
    """Return postings by dealer, program year, account and sequence; effective by a day, known at an instant.

    Dealers stand in the order in which they joined. Postings never move, so a walk meets each that stood
    when it began exactly once. Raises Refusal(not_found) for a cursor of a dealer the viewer does not see.
    """
    visible = dealers_seen_by(viewer).subquery()
    key = (
        LedgerEntry.dealer_id,
        LedgerEntry.program_year,
        LedgerEntry.account_kind,
        LedgerEntry.sequence,
    )
    statement = (
        sa.select(visible.c.code, LedgerEntry)
        .join(visible, visible.c.id == LedgerEntry.dealer_id)
        .order_by(*key)
        .limit(limit + 1)
    )
    if year is not None:
        statement = statement.where(LedgerEntry.program_year == year)
    if on is not None:
        statement = statement.where(LedgerEntry.effective_on <= on)
    if known_at is not None:
        statement = statement.where(LedgerEntry.posted_at <= known_at)
    if after is not None:
        statement = statement.where(sa.tuple_(*key) > sa.tuple_(*_place(tx, viewer, after)))
    rows = tuple(_credit_row(*row) for row in tx.execute(statement))
    return CreditRows(rows=rows[:limit], after=rows[limit - 1].account.cursor if len(rows) > limit else None)


def _place(tx: Session, viewer: Viewer, cursor: str) -> Sequence[sa.ColumnElement[object]]:
    """Return the posting key a cursor names."""
    code, _, rest = cursor.partition(".")
    year, kind, sequence = rest.split(".")
    dealer_id = tx.scalars(
        dealers_seen_by(viewer).where(Company.code == code).with_only_columns(Company.id)
    ).one_or_none()
    if dealer_id is None:
        raise Refusal("not_found")
    return (
        sa.literal(dealer_id, LedgerEntry.dealer_id.type),
        sa.literal(int(year)),
        sa.literal(AccountKind(kind), LedgerEntry.account_kind.type),
        sa.literal(int(sequence)),
    )


def _credit_row(code: str, entry: LedgerEntry) -> CreditRow:
    return CreditRow(
        account=PostingPlace(code, entry.program_year, entry.account_kind, entry.sequence),
        kind=entry.kind,
        source=entry.source,
        amount_cents=entry.amount_cents,
        balance_cents=entry.balance_cents,
        effective_on=entry.effective_on,
        posted_at=entry.posted_at,
        digest=entry.digest,
    )


@dataclass(frozen=True)
class BalanceRow:
    """Where a dealer stands in a program year."""

    dealer_code: str
    dealer_name: str
    year: CreditYear


@dataclass(frozen=True)
class BalanceRows:
    """A page of dealers; `after` continues the listing."""

    rows: tuple[BalanceRow, ...]
    after: str | None


def balances_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    year: int | None = None,
    after: str | None = None,
    limit: int = LISTING_ROWS,
    on: date | None = None,
    known_at: datetime | None = None,
) -> BalanceRows:
    """Return the dealers the viewer sees, by code, with the balances of a program year (today's by default).

    They are those for a day, as known at an instant, where these are given.
    """
    program_year = today(tx, at).year if year is None else year
    dealers = dealers_of_year(viewer, program_year).order_by(Company.code).limit(limit + 1)
    if after is not None:
        dealers = dealers.where(Company.code > after)
    found = tx.scalars(dealers).all()
    books = year_books(tx, program_year, [dealer.id for dealer in found], AsOf(on, known_at))
    rows = tuple(BalanceRow(dealer.code, dealer.name, books.year_of(dealer.id)) for dealer in found[:limit])
    return BalanceRows(rows=rows, after=rows[-1].dealer_code if len(found) > limit else None)
