"""Companies, account numbers, qualifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.models import (
    AccountNumber,
    AccountProfile,
    Company,
    Qualification,
)
from referral.queries.exchange_rates import Exchange, currency_of_dealer, exchange_on, is_currency_fixed
from referral.queries.records import PAGE_ROWS, holds_words
from referral.queries.settings import today
from referral.rules import is_valid_on
from referral.text import fold_account_number


def is_qualified_on(tx: Session, company_id: UUID, day: date) -> bool:
    """Say whether the account's Ketra qualification covers the day (first and last included)."""
    return (
        tx.scalars(
            sa.select(Qualification.id)
            .where(
                Qualification.company_id == company_id,
                Qualification.valid_from <= day,
                sa.or_(Qualification.valid_to.is_(None), Qualification.valid_to >= day),
            )
            .limit(1)
        ).first()
        is not None
    )


def has_companies(tx: Session) -> bool:
    """Say whether anybody uses this database."""
    return tx.scalars(sa.select(Company.id).limit(1)).first() is not None


def is_active_on(company: Company, day: date) -> bool:
    """Say whether the company is active on the day (first and last included)."""
    return is_valid_on(day, company.active_from, company.active_to)


def account_numbers_on(tx: Session, dealer_id: UUID, day: date) -> tuple[str, ...]:
    """Return the account numbers the company holds on the day, as written."""
    return tuple(
        tx.scalars(
            sa.select(AccountNumber.number)
            .where(
                AccountNumber.company_id == dealer_id,
                AccountNumber.valid_from <= day,
                sa.or_(AccountNumber.valid_to.is_(None), AccountNumber.valid_to >= day),
            )
            .order_by(AccountNumber.valid_from.desc(), AccountNumber.id)
        )
    )


def check_account_number(tx: Session, *, dealer_id: UUID, number: str, day: date) -> None:
    """Guard: the number is one of the dealer's on this day, compared without spaces and hyphens.

    Raises Refusal(account_number_missing) or (account_number_unknown_for_dealer); a number of another
    dealer is answered as an unknown one (program rules, section 1).
    """
    wanted = fold_account_number(number)
    if not wanted:
        raise Refusal("account_number_missing", field="account_number")
    if wanted not in {fold_account_number(held) for held in account_numbers_on(tx, dealer_id, day)}:
        raise Refusal("account_number_unknown_for_dealer", field="account_number")


def company_by_code(tx: Session, code: str) -> Company:
    """Return a company by its code. Raises Refusal(not_found)."""
    company = tx.scalars(sa.select(Company).where(Company.code == code.strip().upper())).one_or_none()
    if company is None:
        raise Refusal("not_found")
    return company


@dataclass(frozen=True)
class CompanyPage:
    """A company with its dated numbers and qualifications, newest first, and what holds today."""

    company: Company
    numbers: tuple[AccountNumber, ...]
    qualifications: tuple[Qualification, ...]
    is_qualified: bool
    is_active: bool
    today: date
    exchange: Exchange
    """The currency a dealer is quoted in, and its rate of today."""
    is_currency_fixed: bool
    profile: AccountProfile | None
    """What an account says of itself."""


def company_page(tx: Session, *, code: str, at: datetime) -> CompanyPage:
    """Return one company for the program. Raises Refusal(not_found)."""
    company = company_by_code(tx, code)
    day = today(tx, at)
    return CompanyPage(
        company=company,
        numbers=tuple(
            tx.scalars(
                sa.select(AccountNumber)
                .where(AccountNumber.company_id == company.id)
                .order_by(AccountNumber.valid_from.desc(), AccountNumber.id)
            )
        ),
        qualifications=tuple(
            tx.scalars(
                sa.select(Qualification)
                .where(Qualification.company_id == company.id)
                .order_by(Qualification.valid_from.desc(), Qualification.id)
            )
        ),
        is_qualified=is_qualified_on(tx, company.id, day),
        is_active=is_active_on(company, day),
        today=day,
        exchange=exchange_on(tx, currency_of_dealer(tx, company, day), day),
        is_currency_fixed=is_currency_fixed(tx, company),
        profile=tx.get(AccountProfile, company.id),
    )


@dataclass(frozen=True)
class CompanyRow:
    """A company as the list shows it."""

    code: str
    name: str
    city: str
    region: str
    is_dealer: bool
    is_account: bool
    is_program: bool
    is_qualified: bool
    account_numbers: tuple[str, ...]


@dataclass(frozen=True)
class CompaniesPage:
    """A page of companies by name; `after` continues the list."""

    rows: tuple[CompanyRow, ...]
    after: str | None


def companies_page(
    tx: Session, *, at: datetime, words: str = "", after: str = "", limit: int = PAGE_ROWS
) -> CompaniesPage:
    """Return `limit` companies by name, those behind the one with the code `after`; `words` narrows.

    Words are of the code, the name or the city. Raises Refusal(not_found) where `after` is no code.
    """
    day = today(tx, at)
    statement = sa.select(Company).where(*holds_words(words, Company.name, Company.code, Company.city))
    if after:
        last = company_by_code(tx, after)
        behind = sa.and_(Company.name == last.name, Company.id > last.id)
        statement = statement.where(sa.or_(Company.name > last.name, behind))
    found = tx.scalars(statement.order_by(Company.name, Company.id).limit(limit + 1)).all()
    companies = found[:limit]
    ids = [company.id for company in companies]
    qualified = set(_qualified_ids(tx, day))
    numbers: dict[UUID, list[str]] = {}
    for company_id, number in tx.execute(
        sa.select(AccountNumber.company_id, AccountNumber.number)
        .where(
            AccountNumber.company_id.in_(ids),
            AccountNumber.valid_from <= day,
            sa.or_(AccountNumber.valid_to.is_(None), AccountNumber.valid_to >= day),
        )
        .order_by(AccountNumber.company_id, AccountNumber.id)
    ):
        numbers.setdefault(company_id, []).append(number)
    rows = tuple(
        CompanyRow(
            code=company.code,
            name=company.name,
            city=company.city,
            region=company.region,
            is_dealer=company.is_dealer,
            is_account=company.is_account,
            is_program=company.is_program,
            is_qualified=company.id in qualified,
            account_numbers=tuple(numbers.get(company.id, ())),
        )
        for company in companies
    )
    return CompaniesPage(rows, rows[-1].code if len(found) > limit else None)


def _qualified_ids(tx: Session, day: date) -> Sequence[UUID]:
    return tx.scalars(
        sa.select(Qualification.company_id)
        .where(
            Qualification.valid_from <= day,
            sa.or_(Qualification.valid_to.is_(None), Qualification.valid_to >= day),
        )
        .distinct()
    ).all()
