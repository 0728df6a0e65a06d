"""Listings for programs: every posting of the dealers' own accounts, every dealer's balances, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models import LedgerAccount, LedgerEntry, LedgerPosting
from ledger.queries.levels import CreditYear, level_steps, make_credit_year
from ledger.queries.statements import dealers_seen_by
from ledger.states import TOTAL_KINDS, AccountKind, EntryKind
from referral.errors import Refusal
from referral.models import Company
from referral.permissions import Viewer
from referral.queries.settings import today

LISTING_ROWS = 50
_ORDER_KINDS = frozenset({EntryKind.ORDER, EntryKind.CANCELLATION})


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
) -> CreditRows:
    """Return postings by dealer, program year, account and sequence.

    Dealers stand in the order in which they joined. Postings never move, so a walk meets each that stood
    when it began exactly once. Raises Refusal(not_found) for a cursor of a dealer the viewer does not see.
    """
    visible = dealers_seen_by(viewer).subquery()
    key = (
        LedgerPosting.dealer_id,
        LedgerPosting.program_year,
        LedgerPosting.account_kind,
        LedgerPosting.sequence,
    )
    statement = (
        sa.select(visible.c.code, LedgerPosting, LedgerEntry)
        .select_from(LedgerPosting)
        .join(visible, visible.c.id == LedgerPosting.dealer_id)
        .join(
            LedgerEntry,
            sa.and_(
                LedgerEntry.dealer_id == LedgerPosting.dealer_id, LedgerEntry.id == LedgerPosting.entry_id
            ),
        )
        .where(LedgerPosting.account_kind.in_(TOTAL_KINDS))
        .order_by(*key)
        .limit(limit + 1)
    )
    if year is not None:
        statement = statement.where(LedgerPosting.program_year == year)
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
        sa.literal(dealer_id, LedgerPosting.dealer_id.type),
        sa.literal(int(year)),
        sa.literal(AccountKind(kind), LedgerPosting.account_kind.type),
        sa.literal(int(sequence)),
    )


def _credit_row(code: str, posting: LedgerPosting, entry: LedgerEntry) -> CreditRow:
    return CreditRow(
        account=PostingPlace(code, posting.program_year, posting.account_kind, posting.sequence),
        kind=entry.kind,
        source=entry.source,
        amount_cents=posting.amount_cents,
        balance_cents=posting.balance_cents,
        effective_on=entry.effective_on,
        posted_at=entry.posted_at,
        digest=posting.digest,
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
) -> BalanceRows:
    """Return the dealers the viewer sees, by code, with the balances of a program year (today's by default)."""
    program_year = today(tx, at).year if year is None else year
    dealers = dealers_seen_by(viewer).order_by(Company.code).limit(limit + 1)
    if after is not None:
        dealers = dealers.where(Company.code > after)
    found = tx.scalars(dealers).all()
    balances = _balances(tx, [dealer.id for dealer in found], program_year)
    levels = level_steps(tx, program_year + 1)
    rows = tuple(
        BalanceRow(
            dealer.code,
            dealer.name,
            make_credit_year(
                program_year,
                balances.get((dealer.id, AccountKind.SALES_CREDIT), 0),
                balances.get((dealer.id, AccountKind.OTHER_PURCHASES), 0),
                levels,
            ),
        )
        for dealer in found[:limit]
    )
    return BalanceRows(rows=rows, after=rows[-1].dealer_code if len(found) > limit else None)


def _balances(
    tx: Session, dealer_ids: Sequence[UUID], program_year: int
) -> dict[tuple[UUID, AccountKind], int]:
    heads = tx.execute(
        sa.select(LedgerAccount.dealer_id, LedgerAccount.kind, LedgerAccount.balance_cents).where(
            LedgerAccount.dealer_id.in_(dealer_ids), LedgerAccount.program_year == program_year
        )
    )
    return {(dealer_id, kind): balance for dealer_id, kind, balance in heads}
