"""Statements, balances and the year's export rows. Postings are ordered by the account's sequence only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ledger.models import LedgerAccount, LedgerEntry, LedgerPosting
from ledger.queries.levels import CreditYear, credit_year, level_steps, make_credit_year
from ledger.states import ENTRY_WORDS, TOTAL_KINDS, AccountKind, EntryKind
from referral.errors import Refusal
from referral.models import Company, User
from referral.permissions import CompanyKind, Permission, Viewer

STATEMENT_ROWS = 100
"""Lines on one page of a statement."""


def dealers_seen_by(viewer: Viewer) -> sa.Select[Company]:
    """Return the dealers whose credit the viewer may see: their own company, or all for the program.

    A qualified account never sees a dealer's credit.
    """
    statement = sa.select(Company).where(Company.is_dealer)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    if viewer.acts_as(CompanyKind.DEALER):
        return statement.where(Company.id == viewer.company_id)
    return statement.where(sa.false())


def sees_credit_of(viewer: Viewer, dealer_code: str) -> bool:
    """Say whether the viewer may see this dealer's credit, as `dealers_seen_by` decides it."""
    is_own = viewer.acts_as(CompanyKind.DEALER) and viewer.company_code == dealer_code
    return viewer.may(Permission.CREDIT_VIEW) and (viewer.acts_as(CompanyKind.PROGRAM) or is_own)


def dealer_seen_by(tx: Session, viewer: Viewer, code: str) -> Company:
    """Return one such dealer by code. Raises Refusal(not_found)."""
    dealer = tx.scalars(dealers_seen_by(viewer).where(Company.code == code)).one_or_none()
    if dealer is None:
        raise Refusal("not_found")
    return dealer


@dataclass(frozen=True)
class StatementLine:
    """One posting of a dealer's account with the balance after it."""

    sequence: int
    effective_on: date
    posted_at: datetime
    kind: EntryKind
    words: str
    source: str
    memo: str
    actor: str
    related_source: str
    amount_cents: int
    balance_cents: int
    digest: str


@dataclass(frozen=True)
class StatementPage:
    """A dealer's account of one program year, in the order it was posted."""

    dealer_code: str
    dealer_name: str
    account_kind: AccountKind
    year: CreditYear
    years: tuple[int, ...]
    lines: tuple[StatementLine, ...]
    opening_cents: int
    closing_cents: int
    after: int | None


def statement_page(
    tx: Session,
    *,
    viewer: Viewer,
    dealer_code: str,
    program_year: int,
    account_kind: AccountKind = AccountKind.SALES_CREDIT,
    after: int = 0,
) -> StatementPage:
    """Return STATEMENT_ROWS lines after a sequence. Raises Refusal(not_found) for another's dealer."""
    dealer = dealer_seen_by(tx, viewer, dealer_code)
    lines = list(
        statement_lines(
            tx,
            dealer_id=dealer.id,
            program_year=program_year,
            account_kind=account_kind,
            after=after,
            limit=STATEMENT_ROWS + 1,
        )
    )
    page = tuple(lines[:STATEMENT_ROWS])
    opening = page[0].balance_cents - page[0].amount_cents if page else 0
    return StatementPage(
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        account_kind=account_kind,
        year=credit_year(tx, dealer_id=dealer.id, program_year=program_year),
        years=program_years(tx, dealer.id),
        lines=page,
        opening_cents=opening,
        closing_cents=page[-1].balance_cents if page else 0,
        after=page[-1].sequence if len(lines) > STATEMENT_ROWS else None,
    )


def program_years(tx: Session, dealer_id: UUID | None = None) -> tuple[int, ...]:
    """Return the program years that have accounts (of one dealer, or of any), newest first."""
    statement = sa.select(LedgerAccount.program_year).distinct()
    if dealer_id is not None:
        statement = statement.where(LedgerAccount.dealer_id == dealer_id)
    return tuple(tx.scalars(statement.order_by(LedgerAccount.program_year.desc())))


def statement_lines(
    tx: Session,
    *,
    dealer_id: UUID,
    program_year: int,
    account_kind: AccountKind,
    after: int = 0,
    limit: int | None = None,
    newest_first: bool = False,
) -> Iterator[StatementLine]:
    """Yield postings of one account by sequence, streamed."""
    related = aliased(LedgerEntry)
    order = LedgerPosting.sequence.desc() if newest_first else LedgerPosting.sequence
    rows = tx.execute(
        sa.select(LedgerPosting, LedgerEntry, User.name, related.source)
        .join(
            LedgerEntry,
            sa.and_(
                LedgerEntry.dealer_id == LedgerPosting.dealer_id, LedgerEntry.id == LedgerPosting.entry_id
            ),
        )
        .outerjoin(User, User.id == LedgerEntry.actor_id)
        .outerjoin(
            related,
            sa.and_(related.dealer_id == LedgerEntry.dealer_id, related.id == LedgerEntry.related_entry_id),
        )
        .where(
            LedgerPosting.dealer_id == dealer_id,
            LedgerPosting.program_year == program_year,
            LedgerPosting.account_kind == account_kind,
            LedgerPosting.sequence > after,
        )
        .order_by(order)
        .limit(limit)
        .execution_options(yield_per=1000)
    )
    for posting, entry, actor, related_source in rows:
        yield StatementLine(
            sequence=posting.sequence,
            effective_on=entry.effective_on,
            posted_at=entry.posted_at,
            kind=entry.kind,
            words=ENTRY_WORDS[entry.kind],
            source=entry.source,
            memo=entry.memo,
            actor=actor or "",
            related_source=related_source or "",
            amount_cents=posting.amount_cents,
            balance_cents=posting.balance_cents,
            digest=posting.digest,
        )


@dataclass(frozen=True)
class DealerYearRow:
    """A dealer in the year's summary."""

    dealer_id: UUID
    dealer_code: str
    dealer_name: str
    year: CreditYear


def year_summary(
    tx: Session, *, viewer: Viewer, program_year: int, dealer_code: str = ""
) -> tuple[DealerYearRow, ...]:
    """Return every dealer the viewer sees with the year's balances and level, by name."""
    dealers = dealers_seen_by(viewer).order_by(Company.name, Company.id)
    if dealer_code:
        dealers = dealers.where(Company.code == dealer_code)
    balances: dict[tuple[UUID, AccountKind], int] = {
        (dealer_id, kind): balance
        for dealer_id, kind, balance in tx.execute(
            sa.select(LedgerAccount.dealer_id, LedgerAccount.kind, LedgerAccount.balance_cents).where(
                LedgerAccount.program_year == program_year
            )
        )
    }
    levels = level_steps(tx, program_year + 1)
    return tuple(
        DealerYearRow(
            dealer_id=dealer.id,
            dealer_code=dealer.code,
            dealer_name=dealer.name,
            year=make_credit_year(
                program_year,
                balances.get((dealer.id, AccountKind.SALES_CREDIT), 0),
                balances.get((dealer.id, AccountKind.OTHER_PURCHASES), 0),
                levels,
            ),
        )
        for dealer in tx.scalars(dealers)
    )


@dataclass(frozen=True)
class AccountHead:
    """The head of an account: what its last posting must say."""

    dealer_code: str
    program_year: int
    kind: AccountKind
    sequence: int
    balance_cents: int
    digest: str


def account_heads(
    tx: Session, *, viewer: Viewer, program_year: int, dealer_code: str = ""
) -> tuple[AccountHead, ...]:
    """Return the heads of a program year's accounts, by dealer and kind."""
    dealers = dealers_seen_by(viewer)
    if dealer_code:
        dealers = dealers.where(Company.code == dealer_code)
    visible = dealers.subquery()
    rows = tx.execute(
        sa.select(visible.c.code, LedgerAccount)
        .join(visible, visible.c.id == LedgerAccount.dealer_id)
        .where(LedgerAccount.program_year == program_year)
        .order_by(visible.c.code, LedgerAccount.kind)
    )
    return tuple(
        AccountHead(
            dealer_code=code,
            program_year=head.program_year,
            kind=head.kind,
            sequence=head.sequence,
            balance_cents=head.balance_cents,
            digest=head.digest,
        )
        for code, head in rows
    )


def year_lines(
    tx: Session, *, dealers: tuple[DealerYearRow, ...], program_year: int
) -> Iterator[tuple[DealerYearRow, AccountKind, StatementLine]]:
    """Yield every posting of the dealers' own accounts of a year: by dealer, account, sequence."""
    for dealer in dealers:
        for kind in TOTAL_KINDS:
            for line in statement_lines(
                tx, dealer_id=dealer.dealer_id, program_year=program_year, account_kind=kind
            ):
                yield dealer, kind, line
