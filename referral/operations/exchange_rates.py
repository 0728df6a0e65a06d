"""Dealers of another currency: the currency they are quoted in, and the dated exchange rates."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Company, DealerCounter, ExchangeRate
from referral.money import MAX_EXCHANGE_RATE, NotANumber, format_exchange_rate, parse_currency
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer
from referral.queries.exchange_rates import is_currency_fixed, program_currency
from referral.queries.settings import today


def guard_currency(currency: str) -> None:
    """Guard: this is the code of a currency. Raises Refusal(invalid_input)."""
    try:
        parse_currency(currency)
    except NotANumber as error:
        raise Refusal("invalid_input", str(error), "currency") from error


def set_exchange_rate(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    currency: str,
    rate: int,
    valid_from: date,
    reason: str,
    source: str,
) -> ExchangeRate:
    """From `valid_from` on, orders in the currency are converted at this rate (in millionths).

    It also replaces a rate that was set before for the same first day; what is posted stays as it is.
    Raises Refusal(forbidden), (reason_required), (invalid_input) for the program's own currency, a currency
    that is none, or a rate out of bounds.
    """
    guard_permission(actor, Permission.SETTING_CHANGE)
    guard_currency(currency)
    if currency == program_currency(tx, today(tx, at)):
        raise Refusal("invalid_input", f"{currency} is the program's own currency.", "currency")
    if not 0 < rate <= MAX_EXCHANGE_RATE:
        raise Refusal("invalid_input", "Type a rate above 0 and below 10,000.", "rate")
    row = ExchangeRate(
        id=new_id(),
        currency=currency,
        valid_from=valid_from,
        rate=rate,
        source=source.strip(),
        reason=guard_reason(reason),
        set_by=actor.user_id,
        set_at=at,
    )
    tx.add(row)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=actor.company_id,
        event="exchange_rate.set",
        subject=currency,
        details={"rate": format_exchange_rate(rate), "valid_from": valid_from.isoformat()},
    )
    return row


def set_dealer_currency(
    tx: Session, *, actor: Viewer, at: datetime, code: str, currency: str, reason: str
) -> Company:
    """The dealer is quoted in this currency, at the prices of its list.

    Raises Refusal(forbidden), (not_found), (reason_required), (invalid_input) where the company is no dealer
    or the currency is none, (currency_fixed) once the dealer has a quote.
    """
    guard_permission(actor, Permission.COMPANY_MANAGE)
    dealer = locked(tx, sa.select(Company).where(Company.code == code))
    if dealer is None:
        raise Refusal("not_found")
    guard_currency(currency)
    guard_reason(reason)
    if not dealer.is_dealer:
        raise Refusal("invalid_input", "Only a dealer is quoted.", "currency")
    _hold_first_quote(tx, dealer)
    if is_currency_fixed(tx, dealer):
        raise Refusal("currency_fixed", field="currency")
    dealer.currency = None if currency == program_currency(tx, today(tx, at)) else currency
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer.id,
        event="company.currency_set",
        subject=code,
        details={"currency": currency, "reason": reason.strip()},
    )
    return dealer


def _hold_first_quote(tx: Session, dealer: Company) -> None:
    """Lock the counter that the dealer's first quote takes: quote and currency can't pass each other."""
    counter = sa.select(DealerCounter).where(DealerCounter.dealer_id == dealer.id, DealerCounter.kind == "Q")
    if locked(tx, counter) is None:
        tx.add(DealerCounter(dealer_id=dealer.id, kind="Q", last_number=0))
        tx.flush()
