"""Quotas: contract years, started blocks, partial cover, sub-limits, and nothing that carries over or substitutes."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from referral.errors import Refusal
from support.models.agreements import Agreement, QuotaTopUp, QuotaUse
from support.operations.top_ups import top_up_agreement
from support.operations.uses import record_use, reverse_use
from support.queries.agreement_book import agreement_book
from support.queries.quota_verification import quota_faults
from support.rules.offers import Grant, Quota, SubLimit
from support.rules.quotas import (
    ContractYear,
    Meter,
    TopUp,
    Use,
    contract_year_of,
    contract_years,
    count_use,
    guard_limits,
    meter_of,
    say_amount,
    split_use,
)
from support.states import GrantKind, QuotaUnit
from tests.factories import AT, make_account, refused
from tests.support.using import LATER, Using

START = AT.date()
VISITS = Grant("visits", GrantKind.VISIT, "Visits", "", "", quota=Quota(QuotaUnit.VISIT, 2))
BLOCKS = Grant("blocks", GrantKind.REMOTE, "Blocks", "", "", quota=Quota(QuotaUnit.BLOCK, 3))
HOURS = Grant("hours", GrantKind.SERVICE, "Recovery", "", "", quota=Quota(QuotaUnit.HOUR, 8))
HARVEST = Grant(
    "harvest",
    GrantKind.SERVICE,
    "Registry harvests",
    "",
    "",
    quota=Quota(QuotaUnit.TIME, 2, (SubLimit("exports", 2), SubLimit("submittals", 1))),
)


@pytest.fixture
def using(tx):
    return Using.made(tx)


# contract years -------------------------------------------------------------------------------------


def test_contract_years_follow_each_other_by_the_month_rule():
    assert contract_years(date(2026, 1, 1), 36, date(2028, 12, 31)) == (
        ContractYear(1, date(2026, 1, 1), date(2026, 12, 31)),
        ContractYear(2, date(2027, 1, 1), date(2027, 12, 31)),
        ContractYear(3, date(2028, 1, 1), date(2028, 12, 31)),
    )


def test_years_from_29_february_end_on_28_february_and_begin_on_1_march_until_the_next_leap_year():
    years = contract_years(date(2024, 2, 29), 60, date(2029, 2, 28))
    assert [(year.first_on, year.last_on) for year in years] == [
        (date(2024, 2, 29), date(2025, 2, 28)),
        (date(2025, 3, 1), date(2026, 2, 28)),
        (date(2026, 3, 1), date(2027, 2, 28)),
        (date(2027, 3, 1), date(2028, 2, 28)),
        (date(2028, 2, 29), date(2029, 2, 28)),
    ]


def test_a_term_that_is_no_whole_year_ends_its_last_year_early():
    years = contract_years(date(2026, 5, 31), 18, date(2027, 11, 30))
    assert [(year.first_on, year.last_on) for year in years] == [
        (date(2026, 5, 31), date(2027, 5, 30)),
        (date(2027, 5, 31), date(2027, 11, 30)),
    ]


def test_a_terminated_term_has_the_years_until_its_last_day():
    years = contract_years(date(2026, 1, 1), 36, date(2027, 3, 3))
    assert years[-1] == ContractYear(2, date(2027, 1, 1), date(2027, 3, 3))
    assert contract_years(date(2026, 1, 1), 12, date(2025, 12, 31)) == ()


def test_a_day_belongs_to_the_year_it_lies_in_first_and_last_day_included():
    said = (date(2026, 1, 1), 24, date(2027, 12, 31))
    assert [getattr(contract_year_of(day, *said), "number", None) for day in (
        date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1), date(2028, 1, 1),
    )] == [None, 1, 1, 2, None]  # fmt: skip


# counting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "blocks"), [(1, 1), (240, 1), (241, 2), (300, 2), (480, 2), (481, 3)])
def test_a_started_block_counts_whole(minutes, blocks):
    assert count_use(BLOCKS, minutes) == blocks


def test_hours_are_counted_in_minutes_and_others_in_units():
    assert (count_use(HOURS, 90), count_use(VISITS, 2)) == (90, 2)
    for asked in (0, -1, 1_000_001):
        with pytest.raises(Refusal, match="invalid_input"):
            count_use(VISITS, asked)


def test_a_use_is_covered_up_to_what_is_left_and_the_rest_is_billable():
    meter = meter_of(BLOCKS, 1, [Use(1, "blocks", 1, 2, 2, 0)])
    assert (meter.left, split_use(meter, 1), split_use(meter, 3)) == (1, (1, 0), (1, 2))
    assert split_use(meter_of(BLOCKS, 2, [Use(1, "blocks", 1, 2, 2, 0)]), 3) == (3, 0)


def test_an_unlimited_quota_covers_everything():
    meter = Meter("visits", 1, QuotaUnit.VISIT, None, 0, 40, None)
    assert split_use(meter, 500) == (500, 0)


def test_a_reversed_use_and_its_reversal_count_no_more():
    uses = [
        Use(1, "visits", 1, 2, 2, 0),
        Use(2, "visits", 1, 1, 0, 1),
        Use(3, "visits", 1, 2, 2, 0, reverses=1),
    ]
    meter = meter_of(VISITS, 1, uses)
    assert (meter.used, meter.left, meter.billable) == (0, 2, 1)


def test_a_top_up_adds_to_its_own_year_and_grant_alone():
    bought = [TopUp(1, "hours", 2, 3)]
    assert [meter_of(HOURS, year, (), bought).left for year in (1, 2, 3)] == [480, 660, 480]
    assert meter_of(VISITS, 2, (), bought).left == 2


def test_a_limit_within_a_quota_is_refused_by_its_name():
    guard_limits(HARVEST, {"exports": 2, "submittals": 1})
    with pytest.raises(Refusal) as caught:
        guard_limits(HARVEST, {"exports": 3})
    assert caught.value.code == "not_granted"
    assert caught.value.message == "Registry harvests: at most 2 exports each time; 3 are asked."
    with pytest.raises(Refusal, match="invalid_input"):
        guard_limits(HARVEST, {"visits": 1})


def test_amounts_are_said_in_words():
    said = [say_amount(QuotaUnit.HOUR, minutes) for minutes in (0, 30, 60, 90)]
    assert said == ["0 h", "30 min", "1 h", "1 h 30 min"]
    assert [say_amount(QuotaUnit.BLOCK, count) for count in (1, 3)] == ["1 4-hour block", "3 4-hour blocks"]


# recorded -------------------------------------------------------------------------------------------


def test_record_use_covers_to_the_rest_and_bills_the_remainder(using):
    ref = using.agree("custom", choices={"remote-programming": 3}, months=24)
    using.connect()
    assert using.use(ref, "remote-programming", 300) == (2, 2, 0)
    assert using.use(ref, "remote-programming", 481) == (3, 1, 2)
    assert using.use(ref, "remote-programming", 10) == (1, 0, 1)
    assert using.meter(ref, "remote-programming").left == 0
    assert using.faults() == []


def test_what_is_left_of_a_year_is_not_carried_over(using):
    ref = using.agree("gold", months=24)
    last_of_first, first_of_second = date(2027, 5, 3), date(2027, 5, 4)
    at = LATER + timedelta(days=400)
    assert using.use(ref, "visits", 1, used_on=last_of_first, at=at) == (1, 1, 0)
    assert using.use(ref, "visits", 3, used_on=first_of_second, at=at) == (3, 2, 1)
    assert using.use(ref, "visits", 2, used_on=last_of_first, at=at) == (2, 1, 1)
    assert [using.meter(ref, "visits", year).left for year in (1, 2)] == [0, 0]
    assert using.faults() == []


def test_a_year_from_29_february_takes_the_use_of_its_last_day(tx):
    using = Using.made(tx, before=date(2024, 2, 1))
    ref = using.agree("gold", starts_on=date(2024, 2, 29), months=60)
    uses = [
        using.row(ref, "visits", 1, used_on=day).contract_year
        for day in (date(2024, 2, 29), date(2025, 2, 28), date(2025, 3, 1), date(2026, 2, 28))
    ]
    assert uses == [1, 1, 2, 2]


def test_no_grant_stands_in_for_another(using):
    """Disaster recovery cannot be substituted: what is left of it serves nothing else, nor the other way."""
    ref = using.agree("premium", license_cents=10_000_001)
    assert using.use(ref, "disaster-recovery", 9 * 60) == (540, 480, 60)
    assert using.use(ref, "registry-class", 1) == (1, 1, 0)
    assert using.use(ref, "registry-class", 1) == (1, 0, 1)
    assert using.meter(ref, "registry-harvest").left == 2


def test_record_use_refuses_a_third_export_of_a_harvest(using, tx):
    ref = using.agree("premium", license_cents=10_000_001)
    said = using.said(ref, "registry-harvest", 1, within={"data validation exports": 3})
    refusal = refused(tx, "not_granted", record_use, **said)
    assert "at most 2 data validation exports" in refusal.message
    using.use(ref, "registry-harvest", 1, within={"data validation exports": 2, "submittal": 1})
    using.use(ref, "annual-visit", 1, within={"day on site": 1})
    refused(tx, "not_granted", record_use, **using.said(ref, "annual-visit", 1, within={"day on site": 2}))
    assert using.faults() == []


def test_silver_has_no_visit_and_takes_a_paid_day(using, tx):
    ref = using.agree("silver")
    assert using.use(ref, "additional-days", 1) == (1, 0, 1)
    using.top_up(ref, "additional-days")
    assert using.use(ref, "additional-days", 1) == (1, 1, 0)
    assert using.use(ref, "additional-days", 1) == (1, 0, 1)
    refused(tx, "not_granted", record_use, **using.said(ref, "visits", 1))
    assert using.faults() == []


def test_a_top_up_counts_for_uses_recorded_after_it(using):
    ref = using.agree("gold", choices={"visits": 1}, months=24)
    assert using.use(ref, "visits", 2) == (2, 1, 1)
    bought = using.top_up(ref, "visits", amount=2)
    assert (bought.net_cents, bought.tax_cents) == (90_000, 7_425)
    assert using.use(ref, "visits", 1) == (1, 1, 0)
    assert (using.meter(ref, "visits").billable, using.meter(ref, "visits").left) == (1, 1)
    assert using.meter(ref, "visits", 2).left == 1
    assert using.faults() == []


def test_an_unlimited_count_is_never_used_up_and_cannot_be_bought(using, tx):
    ref = using.agree("custom", choices={"response-24h": None})
    assert using.use(ref, "response-24h", 30) == (30, 30, 0)
    refused(tx, "invalid_input", top_up_agreement, **using.buying(ref, "response-24h"))


def test_a_reversed_use_is_free_again_and_later_ones_stay(using, tx):
    ref = using.agree("gold", choices={"visits": 1})
    first = using.row(ref, "visits", 1)
    assert using.use(ref, "visits", 1) == (1, 0, 1)
    said = {
        "actor": using.world.program,
        "at": LATER,
        "ref": ref,
        "number": first.number,
        "reason": "Never came",
    }
    reversal = reverse_use(tx, **said)
    assert reverse_use(tx, **said).number == reversal.number
    assert using.use(ref, "visits", 1) == (1, 1, 0)
    assert using.meter(ref, "visits").billable == 1
    refused(tx, "use_reversed", reverse_use, **said | {"reason": "Again"})
    refused(tx, "reversal_of_reversal", reverse_use, **said | {"number": reversal.number})
    refused(tx, "not_found", reverse_use, **said | {"number": 99})
    refused(tx, "reason_required", reverse_use, **said | {"number": 2, "reason": " "})
    assert using.faults() == []


def test_the_same_use_sent_twice_counts_once(using, tx):
    ref = using.agree("gold")
    said = using.said(ref, "visits", 1, idempotency_key="once")
    assert record_use(tx, **said).number == record_use(tx, **said).number
    assert using.meter(ref, "visits").used == 1
    refused(tx, "idempotency_key_reused", record_use, **said | {"words": "Another"})
    refused(tx, "idempotency_key_missing", record_use, **said | {"idempotency_key": " "})
    bought = using.buying(ref, "visits", idempotency_key="bought")
    assert top_up_agreement(tx, **bought).number == top_up_agreement(tx, **bought).number
    refused(tx, "idempotency_key_reused", top_up_agreement, **bought | {"amount": 5})


def test_record_use_refuses_days_outside_of_the_term_and_to_come(using, tx):
    ref = using.agree("gold")
    refused(tx, "agreement_not_active", record_use, **using.said(ref, "visits", 1, used_on=date(2026, 5, 3)))
    refused(tx, "agreement_not_active", record_use, **using.said(ref, "visits", 1, used_on=date(2027, 5, 4)))
    refused(
        tx, "invalid_input", record_use, **using.said(ref, "visits", 1, used_on=LATER.date() + timedelta(2))
    )
    draft = using.agree("gold", until="offered")
    refused(tx, "agreement_not_active", record_use, **using.said(draft, "visits", 1))


def test_a_terminated_agreement_takes_uses_until_its_last_day(using, tx):
    ref = using.agree("gold")
    using.terminate(ref, last_on=date(2026, 6, 30), at=datetime.combine(date(2026, 6, 1), AT.timetz()))
    at = LATER + timedelta(days=90)
    assert using.use(ref, "visits", 1, used_on=date(2026, 6, 30), at=at) == (1, 1, 0)
    said = using.said(ref, "visits", 1, used_on=date(2026, 7, 1), at=at)
    refused(tx, "agreement_not_active", record_use, **said)
    assert using.faults() == []


def test_record_use_refuses_other_companies_and_roles(using, tx):
    ref = using.agree("gold")
    said = using.said(ref, "visits", 1)
    stranger = make_account(tx, using.world.program)
    refused(tx, "not_found", record_use, **said | {"actor": stranger})
    refused(tx, "forbidden", record_use, **said | {"actor": using.world.dealer})
    refused(tx, "forbidden", top_up_agreement, **using.buying(ref, "visits") | {"actor": using.world.dealer})
    assert record_use(tx, **said | {"actor": using.world.account}).covered == 1


def test_a_top_up_refuses_years_and_grants_that_there_are_not(using, tx):
    ref = using.agree("gold")
    refused(tx, "invalid_input", top_up_agreement, **using.buying(ref, "visits", contract_year=2))
    refused(tx, "not_granted", top_up_agreement, **using.buying(ref, "labor"))
    refused(tx, "not_granted", top_up_agreement, **using.buying(ref, "registry-class"))
    refused(tx, "invalid_input", top_up_agreement, **using.buying(ref, "visits", bought_on=date(2027, 1, 1)))
    assert tx.scalar(sa.select(sa.func.count()).select_from(QuotaTopUp)) == 0


def test_the_book_shows_meters_uses_and_what_was_bought(using, tx):
    ref = using.agree("gold", choices={"visits": 1}, months=24)
    using.use(ref, "visits", 2)
    using.top_up(ref, "visits")
    book = agreement_book(tx, viewer=using.world.dealer, at=LATER, ref=ref)
    assert [row.year.number for row in book.years] == [1, 2]
    (meter,) = [each for each in book.current.meters if each.key == "visits"]
    assert (meter.used, meter.whole, meter.left, meter.x) == ("1", "2 visits", "1", 500)
    assert (meter.topped_up, meter.billable) == ("1 visit", "1 visit")
    assert (book.uses[0].covered, book.uses[0].billable, len(book.top_ups)) == ("1 visit", "1 visit", 1)
    assert (book.may_use, book.may_top_up) == (False, False)


def test_verification_tells_of_a_use_that_was_covered_otherwise(using, tx):
    ref = using.agree("gold", choices={"visits": 1})
    using.use(ref, "visits", 1)
    number = int(ref.rpartition("-")[2])
    agreement = tx.scalars(sa.select(Agreement).where(Agreement.number == number)).one()
    forged = QuotaUse(
        **{
            column.key: getattr(tx.scalars(sa.select(QuotaUse)).one(), column.key)
            for column in QuotaUse.__table__.c
        }
        | {"number": 2, "idempotency_key": "forged"}
    )
    assert agreement.id == forged.agreement_id
    tx.add(forged)
    tx.flush()
    assert list(quota_faults(tx)) == [
        f"agreement {ref}: use 2 is not covered as the meter stood when it was recorded",
        f"agreement {ref}: number 2 was recorded otherwise than the audit trail tells",
    ]
