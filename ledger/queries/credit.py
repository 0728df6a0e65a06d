"""What the pages of sales credit show: a dealer's years, the program's year, a statement with its head."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount
from ledger.models.years import YearClosing
from ledger.queries.disputes import OpenDisputes, open_disputes
from ledger.queries.levels import (
    CreditYear,
    credit_year,
    level_version,
    steps_of,
)
from ledger.queries.projection import OutlookSource, Projection, projection
from ledger.queries.statements import (
    AccountHead,
    DealerYearRow,
    StatementPage,
    account_heads,
    dealer_seen_by,
    dealers_seen_by,
    program_years,
    statement_page,
    year_summary,
)
from ledger.rules.as_of import NOW, AsOf, parse_as_of
from ledger.rules.credit import LevelStep
from ledger.states import AccountKind
from referral.errors import Refusal
from referral.models import Company
from referral.permissions import CompanyKind, Viewer
from referral.queries.settings import setting_on, time_zone, today

FIRST_YEAR = 2000
LAST_YEAR = 2099
"""Program years that can be: those of the days people may type."""


def guard_program_year(program_year: int) -> int:
    """Return a program year that can be. Raises Refusal(not_found)."""
    if not FIRST_YEAR <= program_year <= LAST_YEAR:
        raise Refusal("not_found")
    return program_year


def currency_of(tx: Session, program_year: int) -> str:
    """Return the program's currency of a year, as a code such as USD."""
    return str(setting_on(tx, "currency", date(program_year, 1, 1)))


@dataclass(frozen=True)
class DealerChoice:
    """A dealer in a list to choose from."""

    code: str
    name: str


def dealer_choices(tx: Session, viewer: Viewer) -> tuple[DealerChoice, ...]:
    """Return the dealers the viewer may see, by name."""
    dealers = tx.scalars(dealers_seen_by(viewer).order_by(Company.name, Company.id))
    return tuple(DealerChoice(dealer.code, dealer.name) for dealer in dealers)


@dataclass(frozen=True)
class OwnCredit:
    """A dealer's own credit: this year first, then the years before.

    `held` is the level that holds this year, given by the total of the year before.
    """

    dealer_code: str
    dealer_name: str
    currency: str
    today: date
    current: CreditYear
    held: LevelStep | None
    years: tuple[CreditYear, ...]
    as_of: AsOf
    projection: Projection | None
    """What this year may come to; None where it is looked at as of another day or instant."""
    disputes: OpenDisputes

    @property
    def days_left(self) -> int:
        """Days after today that still count toward this year's total."""
        return (self.current.last_day - self.today).days


def own_credit(
    tx: Session, *, viewer: Viewer, at: datetime, outlook: OutlookSource, as_of: AsOf = NOW
) -> OwnCredit:
    """Return the credit of the viewer's own company. Raises Refusal(not_found) where it is no dealer."""
    dealer = dealer_seen_by(tx, viewer, viewer.company_code)
    day = today(tx, at)
    years = {*program_years(tx, dealer.id), day.year, day.year - 1}
    posted = {year: credit_year(tx, dealer_id=dealer.id, program_year=year, as_of=as_of) for year in years}
    projected = None
    if as_of.is_now:
        projected = projection(
            tx, viewer=viewer, at=at, dealer_code=dealer.code, program_year=day.year, outlook=outlook
        )
    return OwnCredit(
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        currency=currency_of(tx, day.year),
        today=day,
        current=posted[day.year],
        held=posted[day.year - 1].standing.level,
        years=tuple(posted[year] for year in sorted(posted, reverse=True)),
        as_of=as_of,
        projection=projected,
        disputes=open_disputes(tx, viewer=viewer, day=day),
    )


@dataclass(frozen=True)
class TrialBalance:
    """The sums of a program year over all dealers: both sides together must come to nothing."""

    accounts: int
    credited_cents: int
    issued_cents: int

    @property
    def is_balanced(self) -> bool:
        """Whether what dealers hold and what the program issued cancel out."""
        return self.credited_cents + self.issued_cents == 0


def trial_balance(tx: Session, program_year: int) -> TrialBalance:
    """Return the trial balance of a program year, from the account heads."""
    is_issuance = LedgerAccount.kind == AccountKind.ISSUANCE
    accounts, credited, issued = tx.execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(sa.case((is_issuance, 0), else_=LedgerAccount.balance_cents)), 0),
            sa.func.coalesce(sa.func.sum(sa.case((is_issuance, LedgerAccount.balance_cents), else_=0)), 0),
        ).where(LedgerAccount.program_year == program_year)
    ).one()
    return TrialBalance(accounts=accounts, credited_cents=int(credited), issued_cents=int(issued))


@dataclass(frozen=True)
class YearSummary:
    """A program year over all dealers the viewer sees, or over one of them."""

    program_year: int
    years: tuple[int, ...]
    dealer_code: str
    dealers: tuple[DealerChoice, ...]
    currency: str
    levels: tuple[LevelStep, ...]
    rows: tuple[DealerYearRow, ...]
    trial: TrialBalance
    closing: str
    """`closed` where the year is closed for every dealer, `closing` while it is being closed, else ''."""
    level_version: int | None
    as_of: AsOf
    projection: Projection | None
    """What the present year of the one dealer that is named may come to."""
    disputes: OpenDisputes

    @property
    def sales_credit_cents(self) -> int:
        """Sales credit of all rows."""
        return sum(row.year.sales_credit_cents for row in self.rows)

    @property
    def other_purchases_cents(self) -> int:
        """Other purchases of all rows."""
        return sum(row.year.other_purchases_cents for row in self.rows)

    @property
    def total_cents(self) -> int:
        """Both together."""
        return self.sales_credit_cents + self.other_purchases_cents


def summary_of_year(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    outlook: OutlookSource,
    program_year: int | None = None,
    dealer_code: str = "",
    as_of: AsOf = NOW,
) -> YearSummary:
    """Return the program year (the present one unless named) by dealer, for a day, as known at an instant.

    Raises Refusal(not_found) for a year that cannot be, or a dealer the viewer does not see.
    """
    current = today(tx, at).year
    year = guard_program_year(current if program_year is None else program_year)
    projected = None
    if dealer_code:
        dealer_seen_by(tx, viewer, dealer_code)
        if year == current and as_of.is_now:
            projected = projection(
                tx, viewer=viewer, at=at, dealer_code=dealer_code, program_year=year, outlook=outlook
            )
    version = level_version(tx, year + 1, as_of.known_at)
    return YearSummary(
        program_year=year,
        years=tuple(sorted({current, year, *program_years(tx)}, reverse=True)),
        dealer_code=dealer_code,
        dealers=dealer_choices(tx, viewer),
        currency=currency_of(tx, year),
        levels=steps_of(tx, year + 1, version),
        rows=year_summary(tx, viewer=viewer, program_year=year, dealer_code=dealer_code, as_of=as_of),
        trial=trial_balance(tx, year),
        closing=_closing(tx, year),
        level_version=version,
        as_of=as_of,
        projection=projected,
        disputes=open_disputes(tx, viewer=viewer, day=today(tx, at)),
    )


def _closing(tx: Session, program_year: int) -> str:
    closing = tx.get(YearClosing, program_year)
    if closing is None:
        return ""
    return "closing" if closing.finished_at is None else "closed"


def credit_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    program_year: int | None,
    dealer_code: str,
    on: str,
    known_at: str,
    outlook: OutlookSource,
) -> OwnCredit | YearSummary:
    """Return what the credit page shows this viewer: the program its year, a dealer its own credit.

    `on` and `known_at` are a day and a time as they were typed. Raises Refusal(not_found) as the two do, and
    (invalid_input) for what is no day or no time.
    """
    as_of = parse_as_of(on, known_at, time_zone(tx))
    if viewer.acts_as(CompanyKind.PROGRAM):
        return summary_of_year(
            tx,
            viewer=viewer,
            at=at,
            program_year=program_year,
            dealer_code=dealer_code,
            outlook=outlook,
            as_of=as_of,
        )
    return own_credit(tx, viewer=viewer, at=at, outlook=outlook, as_of=as_of)


@dataclass(frozen=True)
class Statement:
    """A page of a statement with the head of its account; None before the first posting."""

    page: StatementPage
    head: AccountHead | None
    currency: str
    years: tuple[int, ...]
    is_first_page: bool
    as_of: AsOf


def statement(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    dealer_code: str,
    program_year: int,
    account_kind: AccountKind,
    after: int,
    on: str = "",
    known_at: str = "",
) -> Statement:
    """Return the postings of a dealer's account after a sequence, and the account's head.

    `on` and `known_at` are a day and a time as they were typed. Raises Refusal(not_found) for another's dealer,
    a year that cannot be, or a page past the last, and (invalid_input) for what is no day or no time.
    """
    guard_program_year(program_year)
    as_of = parse_as_of(on, known_at, time_zone(tx))
    page = statement_page(
        tx,
        viewer=viewer,
        dealer_code=dealer_code,
        program_year=program_year,
        account_kind=account_kind,
        after=after,
        as_of=as_of,
    )
    if after and not page.lines:
        raise Refusal("not_found")
    heads = account_heads(tx, viewer=viewer, program_year=program_year, dealer_code=dealer_code)
    head = next((head for head in heads if head.kind is account_kind), None)
    return Statement(
        page=page,
        head=page.head_known or head,
        currency=currency_of(tx, program_year),
        years=tuple(sorted({today(tx, at).year, program_year, *page.years}, reverse=True)),
        is_first_page=after == 0,
        as_of=as_of,
    )


@dataclass(frozen=True)
class PostingForm:
    """What a form that posts by hand has to know."""

    dealers: tuple[DealerChoice, ...]
    currency: str
    today: date


def posting_form(tx: Session, *, viewer: Viewer, at: datetime) -> PostingForm:
    """Return the dealers to choose from, the currency and the business day."""
    day = today(tx, at)
    return PostingForm(dealers=dealer_choices(tx, viewer), currency=currency_of(tx, day.year), today=day)


def program_company(tx: Session) -> Company | None:
    """Return the program's company, the first where there are several; None before it is set up."""
    return tx.scalars(
        sa.select(Company).where(Company.is_program).order_by(Company.created_at, Company.id)
    ).first()


def dealer_years(
    tx: Session, *, viewer: Viewer, dealer_code: str, program_year: int | None, as_of: AsOf = NOW
) -> tuple[CreditYear, ...]:
    """Return a dealer's program years, newest first, or the one that is named. Raises Refusal(not_found)."""
    dealer: UUID = dealer_seen_by(tx, viewer, dealer_code).id
    years = program_years(tx, dealer) if program_year is None else (guard_program_year(program_year),)
    return tuple(credit_year(tx, dealer_id=dealer, program_year=year, as_of=as_of) for year in years)
