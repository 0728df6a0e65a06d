"""Statements, balances and the year's export rows. Postings are ordered by the account's sequence only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.models.years import YearClose, YearClosing
from ledger.queries.levels import CreditYear, credit_year, year_books
from ledger.queries.places import account_at
from ledger.queries.time_travel import balances_as_of
from ledger.rules.as_of import NOW, AsOf
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


def dealers_of_year(viewer: Viewer, program_year: int) -> sa.Select[Company]:
    """Return the dealers the viewer sees that a program year is about.

    A dealer that joined after the year was closed is no part of it.
    """
    is_closed = sa.exists().where(
        YearClosing.program_year == program_year, YearClosing.finished_at.is_not(None)
    )
    is_part = sa.exists().where(YearClose.dealer_id == Company.id, YearClose.program_year == program_year)
    return dealers_seen_by(viewer).where(sa.or_(~is_closed, is_part))


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
    head_known: AccountHead | None
    """The head as known at the instant asked for; None for the present."""


def statement_page(
    tx: Session,
    *,
    viewer: Viewer,
    dealer_code: str,
    program_year: int,
    account_kind: AccountKind = AccountKind.SALES_CREDIT,
    after: int = 0,
    as_of: AsOf = NOW,
) -> StatementPage:
    """Return STATEMENT_ROWS lines after a sequence. Raises Refusal(not_found) for another's dealer.

    For a day, the balances are those of the lines shown: of what is effective by then.
    """
    dealer = dealer_seen_by(tx, viewer, dealer_code)
    head = None
    if as_of.known_at is not None:
        head = _head_known(tx, dealer, program_year, account_kind, as_of.known_at)
    lines = list(
        statement_lines(
            tx,
            dealer_id=dealer.id,
            program_year=program_year,
            account_kind=account_kind,
            after=after,
            limit=STATEMENT_ROWS + 1,
            through=None if head is None else head.sequence,
            on=as_of.on,
        )
    )
    page = tuple(lines[:STATEMENT_ROWS])
    opening = page[0].balance_cents - page[0].amount_cents if page else 0
    if as_of.on is not None:
        before = balances_as_of(tx, program_year, as_of, [dealer.id], through=after)
        opening = before.get((dealer.id, account_kind), 0)
        page = tuple(_running(page, opening))
    return StatementPage(
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        account_kind=account_kind,
        year=credit_year(tx, dealer_id=dealer.id, program_year=program_year, as_of=as_of),
        years=program_years(tx, dealer.id),
        lines=page,
        opening_cents=opening,
        closing_cents=page[-1].balance_cents if page else 0,
        after=page[-1].sequence if len(lines) > STATEMENT_ROWS else None,
        head_known=head,
    )


def _head_known(
    tx: Session, dealer: Company, program_year: int, kind: AccountKind, known_at: datetime
) -> AccountHead:
    """Return the head of an account as it was known at an instant, the instant included."""
    (place,) = account_at(
        tx,
        dealer_id=dealer.id,
        program_year=program_year,
        kind=kind,
        instants=[known_at + timedelta(microseconds=1)],
    ).places
    return AccountHead(dealer.code, program_year, kind, place.sequence, place.balance_cents, place.digest)


def _running(lines: Sequence[StatementLine], balance_cents: int) -> Iterator[StatementLine]:
    """Yield the lines with the balance of these lines alone."""
    for line in lines:
        balance_cents += line.amount_cents
        yield replace(line, balance_cents=balance_cents)


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
    through: int | None = None,
    on: date | None = None,
) -> Iterator[StatementLine]:
    """Yield postings of one account by sequence, streamed; up to a sequence, and effective by a day, if given."""
    related = aliased(LedgerEntry)
    order = LedgerEntry.sequence.desc() if newest_first else LedgerEntry.sequence
    rows = tx.execute(
        sa.select(
            LedgerEntry.sequence,
            LedgerEntry.effective_on,
            LedgerEntry.posted_at,
            LedgerEntry.kind,
            LedgerEntry.source,
            LedgerEntry.memo,
            User.name.label("actor"),
            related.source.label("related_source"),
            LedgerEntry.amount_cents,
            LedgerEntry.balance_cents,
            LedgerEntry.digest,
        )
        .outerjoin(User, User.id == LedgerEntry.actor_id)
        .outerjoin(
            related,
            sa.and_(related.dealer_id == LedgerEntry.dealer_id, related.id == LedgerEntry.related_entry_id),
        )
        .where(
            LedgerEntry.dealer_id == dealer_id,
            LedgerEntry.program_year == program_year,
            LedgerEntry.account_kind == account_kind,
            LedgerEntry.sequence > after,
            sa.true() if through is None else LedgerEntry.sequence <= through,
            sa.true() if on is None else LedgerEntry.effective_on <= on,
        )
        .order_by(order)
        .limit(limit)
        .execution_options(yield_per=1000)
    )
    for row in rows:
        yield StatementLine(
            sequence=row.sequence,
            effective_on=row.effective_on,
            posted_at=row.posted_at,
            kind=row.kind,
            words=ENTRY_WORDS[row.kind],
            source=row.source,
            memo=row.memo,
            actor=row.actor or "",
            related_source=row.related_source or "",
            amount_cents=row.amount_cents,
            balance_cents=row.balance_cents,
            digest=row.digest,
        )


@dataclass(frozen=True)
class DealerYearRow:
    """A dealer in the year's summary."""

    dealer_id: UUID
    dealer_code: str
    dealer_name: str
    year: CreditYear


def year_summary(
    tx: Session, *, viewer: Viewer, program_year: int, dealer_code: str = "", as_of: AsOf = NOW
) -> tuple[DealerYearRow, ...]:
    """Return every dealer of the year the viewer sees, with its balances and level, by name."""
    dealers = dealers_of_year(viewer, program_year).order_by(Company.name, Company.id)
    if dealer_code:
        dealers = dealers.where(Company.code == dealer_code)
    books = year_books(tx, program_year, as_of=as_of)
    return tuple(
        DealerYearRow(
            dealer_id=dealer.id,
            dealer_code=dealer.code,
            dealer_name=dealer.name,
            year=books.year_of(dealer.id),
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
