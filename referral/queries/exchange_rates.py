"""In which currency a dealer is quoted, and how its amounts become the program's on a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.models import Company, DealerCounter, ExchangeRate, User
from referral.money import EXCHANGE_ONE
from referral.queries.settings import setting_on, today


@dataclass(frozen=True)
class Exchange:
    """How an amount of `currency` becomes one of the program's currency, `into`."""

    currency: str
    into: str
    rate: int
    """In millionths; 1_000_000 in the program's own currency, 0 where no rate holds."""
    valid_from: date | None
    """The first day of the rate; None in the program's own currency, and where no rate holds."""

    @property
    def foreign(self) -> str | None:
        """The currency where it is not the program's, to be named beside an amount."""
        return None if self.currency == self.into else self.currency

    @property
    def is_missing(self) -> bool:
        """Say whether no rate holds: then no credit can be worked out."""
        return not self.rate


def program_currency(tx: Session, day: date) -> str:
    """Return the program's currency on a day, as a code such as USD."""
    return str(setting_on(tx, "currency", day))


def currency_of_dealer(tx: Session, dealer: Company, day: date) -> str:
    """Return the currency a dealer is quoted in on a day."""
    return dealer.currency or program_currency(tx, day)


def exchanges_on(tx: Session, currencies: Iterable[str], day: date) -> Mapping[str, Exchange]:
    """Return how each of the currencies becomes the program's on a day, in two statements at most.

    Of a currency the rate that started last holds; of several for one first day, the one set last.
    """
    into = program_currency(tx, day)
    foreign = set(currencies) - {into}
    exchanges = {into: Exchange(into, into, EXCHANGE_ONE, None)}
    if not foreign:
        return exchanges
    exchanges |= {currency: Exchange(currency, into, 0, None) for currency in foreign}
    for row in tx.scalars(
        sa.select(ExchangeRate)
        .where(ExchangeRate.currency.in_(foreign), ExchangeRate.valid_from <= day)
        .order_by(ExchangeRate.valid_from, ExchangeRate.set_at, ExchangeRate.id)
    ):
        exchanges[row.currency] = Exchange(row.currency, into, row.rate, row.valid_from)
    return exchanges


def exchange_on(tx: Session, currency: str, day: date) -> Exchange:
    """Return how a currency becomes the program's on a day; the answer says where no rate holds."""
    return exchanges_on(tx, [currency], day)[currency]


def is_currency_fixed(tx: Session, dealer: Company) -> bool:
    """Say whether the dealer has a quote, after which its currency stays: the counter of quotes has begun."""
    counter = tx.get(DealerCounter, (dealer.id, "Q"))
    return counter is not None and counter.last_number > 0


# the page ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExchangeRateRow:
    """A rate as it was set, with who set it."""

    rate: ExchangeRate
    set_by: str
    is_current: bool
    """Whether it holds today."""
    is_replaced: bool
    """Whether another rate was set later for the same first day."""


@dataclass(frozen=True)
class CurrencyRates:
    """A currency with every rate ever set, the latest first day first."""

    exchange: Exchange
    """How it becomes the program's today."""
    rows: tuple[ExchangeRateRow, ...]
    dealers: tuple[str, ...]
    """Names of the dealers that are quoted in it."""


@dataclass(frozen=True)
class ExchangeRatesPage:
    """The exchange rates: each currency that has a rate or a dealer, by its code."""

    into: str
    today: date
    currencies: tuple[CurrencyRates, ...]


def exchange_rates_page(tx: Session, *, at: datetime) -> ExchangeRatesPage:
    """Return every currency with its rates, today's marked. The number of statements does not grow."""
    day = today(tx, at)
    found = tx.execute(
        sa.select(ExchangeRate, User.name)
        .join(User, User.id == ExchangeRate.set_by)
        .order_by(ExchangeRate.valid_from.desc(), ExchangeRate.set_at.desc(), ExchangeRate.id.desc())
    ).all()
    dealers = tx.execute(
        sa.select(Company.currency, Company.name)
        .where(Company.currency.is_not(None))
        .order_by(Company.name, Company.id)
    ).all()
    currencies = sorted({rate.currency for rate, _ in found} | {str(currency) for currency, _ in dealers})
    exchanges = exchanges_on(tx, currencies, day)
    return ExchangeRatesPage(
        into=program_currency(tx, day),
        today=day,
        currencies=tuple(
            CurrencyRates(
                exchange=exchanges[currency],
                rows=_rows([(rate, name) for rate, name in found if rate.currency == currency], day),
                dealers=tuple(name for quoted, name in dealers if quoted == currency),
            )
            for currency in currencies
        ),
    )


def _rows(found: Iterable[tuple[ExchangeRate, str]], day: date) -> tuple[ExchangeRateRow, ...]:
    """Return the rates of one currency, newest first: the first that has begun is the one that holds."""
    rows: list[ExchangeRateRow] = []
    for rate, name in found:
        is_replaced = bool(rows) and rows[-1].rate.valid_from == rate.valid_from
        is_current = rate.valid_from <= day and not any(row.is_current for row in rows)
        rows.append(ExchangeRateRow(rate, name, is_current, is_replaced))
    return tuple(rows)
