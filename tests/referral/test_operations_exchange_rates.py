"""Exchange rates are dated and only ever added; a dealer's currency is chosen before its first quote."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from referral.models import Company, ExchangeRate
from referral.operations.exchange_rates import set_dealer_currency, set_exchange_rate
from referral.queries.exchange_rates import exchange_on, exchange_rates_page, exchanges_on
from tests.factories import AT, make_account, make_dealer, make_program, make_rate, make_world, refused

DAY = date(2026, 5, 4)


def currency_of(tx, viewer):
    return tx.get_one(Company, viewer.company_id).currency


def test_the_rate_that_started_last_holds_and_of_two_for_one_day_the_one_set_last(tx):
    program = make_program(tx)
    make_rate(tx, program, rate=730_000, valid_from=date(2026, 1, 1))
    make_rate(tx, program, rate=700_000, valid_from=DAY)
    make_rate(tx, program, rate=731_200, valid_from=DAY, at=AT + timedelta(hours=1))
    make_rate(tx, program, rate=999_999, valid_from=date(2026, 5, 5), at=AT - timedelta(days=9))
    assert exchange_on(tx, "CAD", date(2026, 5, 3)).rate == 730_000
    held = exchange_on(tx, "CAD", DAY)
    assert (held.rate, held.valid_from, held.into, held.foreign) == (731_200, DAY, "USD", "CAD")
    assert exchange_on(tx, "CAD", date(2025, 12, 31)).is_missing
    own = exchange_on(tx, "USD", DAY)
    assert (own.rate, own.valid_from, own.foreign, own.is_missing) == (1_000_000, None, None, False)
    assert set(exchanges_on(tx, ["EUR", "USD"], DAY)) == {"EUR", "USD"}


def test_the_page_of_rates_says_which_holds_which_is_later_and_which_was_replaced(tx):
    program = make_program(tx)
    make_rate(tx, program, rate=730_000, valid_from=date(2026, 1, 1))
    make_rate(tx, program, rate=700_000, valid_from=DAY)
    make_rate(tx, program, rate=731_200, valid_from=DAY, at=AT + timedelta(hours=1))
    make_rate(tx, program, rate=740_000, valid_from=date(2026, 6, 1))
    (cad,) = exchange_rates_page(tx, at=AT).currencies
    seen = [(row.rate.rate, row.is_current, row.is_replaced) for row in cad.rows]
    assert seen == [
        (740_000, False, False),
        (731_200, True, False),
        (700_000, False, True),
        (730_000, False, False),
    ]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"currency": "USD"}, "invalid_input"),
        ({"currency": "cad"}, "invalid_input"),
        ({"currency": "C$D"}, "invalid_input"),
        ({"rate": 0}, "invalid_input"),
        ({"rate": 10_000_000_000}, "invalid_input"),
        ({"reason": " "}, "reason_required"),
    ],
)
def test_set_exchange_rate_refuses_what_is_no_rate(tx, said, code):
    rate = {
        "actor": make_program(tx), "at": AT, "currency": "CAD", "rate": 731_200, "valid_from": DAY,
        "reason": "Letter", "source": "Bank",
    }  # fmt: skip
    refused(tx, code, set_exchange_rate, **(rate | said))


def test_set_exchange_rate_is_the_programs_alone(tx):
    dealer = make_dealer(tx, make_program(tx))
    said = {"currency": "CAD", "rate": 731_200, "valid_from": DAY, "reason": "Letter", "source": "Bank"}
    refused(tx, "forbidden", set_exchange_rate, actor=dealer, at=AT, **said)
    refused(tx, "forbidden", set_dealer_currency, actor=dealer, at=AT, code=dealer.company_code,
            currency="CAD", reason="Letter")  # fmt: skip


def test_a_rate_that_is_set_is_never_changed_or_replaced(tx, database):
    make_rate(tx, make_program(tx))
    tx.commit()
    statements = ["UPDATE exchange_rate SET rate = 1", "DELETE FROM exchange_rate"]
    if database.kind == "sqlite":
        statements.append("INSERT OR REPLACE INTO exchange_rate SELECT * FROM exchange_rate")
    else:
        statements.append("TRUNCATE exchange_rate")
    for statement in statements:
        with pytest.raises(sa.exc.DBAPIError, match="append_only"):
            tx.execute(sa.text(statement))
        tx.rollback()
    assert tx.scalars(sa.select(ExchangeRate.rate)).all() == [731_200]


def test_set_dealer_currency_holds_until_it_is_the_programs_own_again(tx):
    program = make_program(tx)
    dealer = make_dealer(tx, program)
    said = {"actor": program, "at": AT, "code": dealer.company_code, "reason": "Canadian"}
    set_dealer_currency(tx, currency="CAD", **said)
    assert currency_of(tx, dealer) == "CAD"
    set_dealer_currency(tx, currency="USD", **said)
    assert currency_of(tx, dealer) is None


def test_set_dealer_currency_refuses_a_company_that_is_no_dealer_and_what_is_no_currency(tx):
    program = make_program(tx)
    account, dealer = make_account(tx, program), make_dealer(tx, program)
    said = {"actor": program, "at": AT, "reason": "Canadian"}
    refused(tx, "invalid_input", set_dealer_currency, code=account.company_code, currency="CAD", **said)
    refused(tx, "invalid_input", set_dealer_currency, code=dealer.company_code, currency="CA", **said)
    refused(tx, "not_found", set_dealer_currency, code="NOBODY", currency="CAD", **said)
    said["reason"] = ""
    refused(tx, "reason_required", set_dealer_currency, code=dealer.company_code, currency="CAD", **said)


def test_set_dealer_currency_refuses_once_the_dealer_has_a_quote(tx):
    world = make_world(tx)
    world.draft()
    refused(
        tx, "currency_fixed", set_dealer_currency, actor=world.program, at=AT, currency="CAD",
        code=world.dealer.company_code, reason="Canadian",
    )  # fmt: skip
