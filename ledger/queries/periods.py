"""The periods a dealer has statements of, with what was posted in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount
from ledger.queries.credit import currency_of
from ledger.queries.disputed_postings import last_dispute_day
from ledger.queries.places import AccountPlaces, accounts_at
from ledger.queries.statements import dealer_seen_by
from ledger.rules.periods import Period, PeriodKind, periods_of_year
from ledger.states import TOTAL_KINDS, AccountKind
from referral.clock import business_day
from referral.errors import Refusal
from referral.permissions import Viewer
from referral.queries.settings import time_zone, today


@dataclass(frozen=True)
class PeriodRow:
    """A period in the list, with what was posted in it."""

    period: Period
    count: int
    sales_credit_cents: int
    other_purchases_cents: int
    is_over: bool
    last_dispute_on: date
    is_window_open: bool

    @property
    def total_cents(self) -> int:
        """Both together."""
        return self.sales_credit_cents + self.other_purchases_cents


@dataclass(frozen=True)
class StatementsPage:
    """A dealer's periods of one calendar year: its months, and its quarters with the year itself."""

    dealer_code: str
    dealer_name: str
    year: int
    years: tuple[int, ...]
    currency: str
    months: tuple[PeriodRow, ...]
    longer: tuple[PeriodRow, ...]


def statements_page(
    tx: Session, *, viewer: Viewer, at: datetime, dealer_code: str, year: int | None = None
) -> StatementsPage:
    """Return the periods of a calendar year (the present one unless named) that have begun.

    Raises Refusal(not_found) for another's dealer, or a year before the first posting or still to come.
    """
    dealer = dealer_seen_by(tx, viewer, dealer_code)
    zone, day = time_zone(tx), today(tx, at)
    opened_at = tx.scalar(
        sa.select(sa.func.min(LedgerAccount.opened_at)).where(LedgerAccount.dealer_id == dealer.id)
    )
    first = day.year if opened_at is None else min(business_day(opened_at, zone).year, day.year)
    years = tuple(range(day.year, first - 1, -1))
    shown = day.year if year is None else year
    if shown not in years:
        raise Refusal("not_found")
    periods = periods_of_year(shown)
    months = periods[-1].months
    instants = [months[0].bounds(zone)[0], *(month.bounds(zone)[1] for month in months)]
    accounts = accounts_at(tx, dealer_id=dealer.id, instants=instants)
    rows = tuple(
        _period_row(tx, period, day, accounts, months.index(period.months[0]))
        for period in periods
        if period.has_begun(day)
    )
    return StatementsPage(
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        year=shown,
        years=years,
        currency=currency_of(tx, shown),
        months=tuple(row for row in rows if row.period.kind is PeriodKind.MONTH)[::-1],
        longer=tuple(row for row in rows if row.period.kind is not PeriodKind.MONTH)[::-1],
    )


def _period_row(
    tx: Session, period: Period, day: date, accounts: Sequence[AccountPlaces], first: int
) -> PeriodRow:
    """Return a period's row; its first month begins at the instant of this place."""
    last = first + len(period.months)
    moves = [(account.kind, account.places[first], account.places[last]) for account in accounts]
    cents = {
        kind: sum(end.balance_cents - start.balance_cents for each, start, end in moves if each is kind)
        for kind in TOTAL_KINDS
    }
    last_day = last_dispute_day(tx, period.last_on)
    return PeriodRow(
        period=period,
        count=sum(end.sequence - start.sequence for _, start, end in moves),
        sales_credit_cents=cents[AccountKind.SALES_CREDIT],
        other_purchases_cents=cents[AccountKind.OTHER_PURCHASES],
        is_over=period.is_over(day),
        last_dispute_on=last_day,
        is_window_open=day <= last_day,
    )
