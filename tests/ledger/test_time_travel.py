"""What a balance, a statement and a level were for a day, and as known at an instant."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.operations.adjustments import adjust_credit, record_other_purchase
from ledger.operations.levels import set_levels
from ledger.operations.years import close_dealer_year, finish_closing, start_closing
from ledger.queries.levels import credit_year
from ledger.queries.statements import statement_page
from ledger.queries.time_travel import balances_as_of, balances_for
from ledger.rules.as_of import AsOf, parse_day, parse_instant
from ledger.rules.credit import LevelStep
from ledger.states import TOTAL_KINDS, AccountKind
from referral.db import db, write
from referral.errors import Refusal
from tests.factories import AT, make_dealer, make_program, make_world, user_of
from tests.tokens import token_of

MAY = date(2026, 5, 4)
LEVELS = [LevelStep("Bronze", 0), LevelStep("Silver", 100_000)]

_count = itertools.count(1)


@pytest.fixture
def world(tx):
    return make_world(tx)


def adjust(tx, world, amount_cents, on=MAY, at=AT, dealer=None):
    return adjust_credit(
        tx,
        actor=world.program,
        at=at,
        dealer_code=(dealer or world.dealer).company_code,
        effective_on=on,
        amount_cents=amount_cents,
        reason="Test",
        idempotency_key=f"key-{next(_count)}",
    )


def purchase(tx, program, dealer, amount_cents, on, at):
    return record_other_purchase(
        tx,
        actor=program,
        at=at,
        dealer_code=dealer.company_code,
        purchased_on=on,
        amount_cents=amount_cents,
        document="INV",
        reason="Test",
        idempotency_key=f"key-{next(_count)}",
    )


def total(tx, world, **as_of):
    found = balances_for(tx, dealer_id=world.dealer.company_id, program_year=2026, **as_of)
    assert set(found) == set(TOTAL_KINDS)
    return sum(found.values())


# against a list ---------------------------------------------------------------------------------

POSTINGS = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(-50_000, 50_000).filter(bool),
        st.integers(0, 40),
        st.sampled_from([0, 0, 0, 1, 7, 30]),
        st.integers(0, 72),
    ),
    min_size=0,
    max_size=12,
)
"""(other purchases?, cents, hours since the posting before, days dated back, hours of the day of asking)."""


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    postings=POSTINGS,
    asked=st.lists(
        st.tuples(st.none() | st.integers(-5, 25), st.none() | st.integers(-9, 520)), min_size=1, max_size=6
    ),
)
def test_every_balance_equals_the_sum_over_a_plain_list(tx, database, postings, asked):
    program = make_program(tx)
    dealer = make_dealer(tx, program)
    world = type("World", (), {"program": program, "dealer": dealer})
    begun, at, listed = datetime(2026, 3, 1, 2, 30, tzinfo=UTC), datetime(2026, 3, 1, 2, 30, tzinfo=UTC), []
    for is_other, cents, hours, back, _ in postings:
        at += timedelta(hours=hours)
        on = (at - timedelta(hours=5)).date() - timedelta(days=back)
        if is_other:
            purchase(tx, program, dealer, cents, on, at)
        else:
            adjust(tx, world, cents, on, at)
        kind = AccountKind.OTHER_PURCHASES if is_other else AccountKind.SALES_CREDIT
        listed.append((kind, cents, on, at))
    for days, hours in asked:
        on = None if days is None else begun.date() + timedelta(days=days)
        known_at = None if hours is None else begun + timedelta(hours=hours)
        expected = {
            kind: sum(
                cents
                for of, cents, effective_on, posted_at in listed
                if of is kind
                and (on is None or effective_on <= on)
                and (known_at is None or posted_at <= known_at)
            )
            for kind in TOTAL_KINDS
        }
        said = {"on": on, "known_at": known_at}
        assert balances_for(tx, dealer_id=dealer.company_id, program_year=2026, **said) == expected
        everybody = balances_as_of(tx, 2026, AsOf(on, known_at))
        assert {kind: everybody.get((dealer.company_id, kind), 0) for kind in TOTAL_KINDS} == expected
        year = credit_year(tx, dealer_id=dealer.company_id, program_year=2026, as_of=AsOf(on, known_at))
        assert year.total_cents == sum(expected.values())
        for kind in TOTAL_KINDS:
            page = statement_page(
                tx, viewer=program, dealer_code=dealer.company_code, program_year=2026, account_kind=kind,
                as_of=AsOf(on, known_at),
            )  # fmt: skip
            assert page.closing_cents == expected[kind]
            assert sum(line.amount_cents for line in page.lines) == expected[kind]


def test_a_statement_for_a_day_goes_on_from_page_to_page_with_its_own_balance(tx, world):
    for number in range(130):
        adjust(tx, world, 100, on=MAY - timedelta(days=number % 2))
    as_of, said = (
        AsOf(on=MAY - timedelta(days=1)),
        {"dealer_code": world.dealer.company_code, "program_year": 2026},
    )
    adjust(tx, world, 7, on=MAY - timedelta(days=9))
    whole = statement_page(tx, viewer=world.program, as_of=as_of, **said)
    assert (len(whole.lines), whole.opening_cents, whole.closing_cents, whole.after) == (66, 0, 6507, None)
    rest = statement_page(tx, viewer=world.program, as_of=as_of, after=100, **said)
    assert (rest.opening_cents, rest.closing_cents) == (5000, 6507)
    assert rest.lines[0].balance_cents == 5100


# both axes --------------------------------------------------------------------------------------


def test_a_back_dated_posting_appears_for_its_day_and_not_as_known_before(tx, world):
    adjust(tx, world, 1_000)
    before = AT + timedelta(days=2)
    adjust(tx, world, 500, on=date(2026, 2, 1), at=AT + timedelta(days=3))
    assert total(tx, world) == 1_500
    assert total(tx, world, on=date(2026, 2, 1)) == 500
    assert total(tx, world, on=date(2026, 1, 31)) == 0
    assert total(tx, world, known_at=before) == 1_000
    assert total(tx, world, on=date(2026, 2, 1), known_at=before) == 0
    assert total(tx, world, on=MAY, known_at=before) == 1_000


def test_a_posting_is_known_at_its_own_instant_and_not_a_microsecond_before(tx, world):
    adjust(tx, world, 1_000)
    assert total(tx, world, known_at=AT) == 1_000
    assert total(tx, world, known_at=AT - timedelta(microseconds=1)) == 0


def test_what_other_dealers_posted_is_in_nobody_elses_balance(tx, world):
    other = make_dealer(tx, world.program)
    adjust(tx, world, 1_000)
    adjust(tx, world, 70, dealer=other)
    found = balances_as_of(tx, 2026, AsOf(on=MAY))
    assert found[world.dealer.company_id, AccountKind.SALES_CREDIT] == 1_000
    assert found[other.company_id, AccountKind.SALES_CREDIT] == 70


def test_a_level_as_of_an_instant_before_the_thresholds_changed_is_the_earlier_one(tx, world):
    def set_at(at, threshold):
        levels = [LevelStep("Bronze", 0), LevelStep("Silver", threshold)]
        said = {"actor": world.program, "level_year": 2027, "reason": "Set", "source": "Letter"}
        set_levels(tx, at=at, levels=levels, **said)

    set_at(AT, 1_000)
    set_at(AT + timedelta(days=5), 5_000)
    adjust(tx, world, 1_000)

    def level(known_at):
        year = credit_year(
            tx, dealer_id=world.dealer.company_id, program_year=2026, as_of=AsOf(known_at=known_at)
        )
        return year.standing.level and year.standing.level.name, year.level_version

    assert level(None) == ("Bronze", 2)
    assert level(AT + timedelta(days=4)) == ("Silver", 1)
    assert level(AT - timedelta(days=1)) == (None, None)


def test_a_closed_year_is_closed_from_the_instant_of_its_closing_on(tx, world):
    said = {"actor": world.program, "reason": "Set", "source": "Letter"}
    set_levels(tx, at=AT, level_year=2027, levels=LEVELS, **said)
    adjust(tx, world, 100_000)
    closed_at = datetime(2027, 1, 10, tzinfo=UTC)
    start_closing(tx, actor=world.program, at=closed_at, program_year=2026, reason="", open_items=())
    close_dealer_year(
        tx, actor=world.program, at=closed_at, dealer_id=world.dealer.company_id, program_year=2026
    )
    finish_closing(tx, actor=world.program, at=closed_at, program_year=2026)
    later = [LevelStep("Bronze", 0), LevelStep("Silver", 900_000)]
    set_levels(tx, at=closed_at + timedelta(days=1), level_year=2027, levels=later, **said)

    def year(**as_of):
        return credit_year(tx, dealer_id=world.dealer.company_id, program_year=2026, as_of=AsOf(**as_of))

    assert (year().is_closed, year().standing.level.name) == (True, "Silver")
    assert (year(known_at=closed_at).is_closed, year(known_at=closed_at).standing.level.name) == (
        True,
        "Silver",
    )
    assert not year(known_at=closed_at - timedelta(seconds=1)).is_closed
    for_a_day = year(on=date(2026, 12, 31), known_at=closed_at + timedelta(days=9))
    assert (for_a_day.total_cents, for_a_day.standing.level.name) == (100_000, "Silver")
    assert year(on=date(2026, 1, 1)).standing.level.name == "Bronze"


# the order of postings --------------------------------------------------------------------------


@pytest.mark.postgresql_only("on SQLite the second writer waits for the first from its beginning")
def test_a_statement_ends_on_the_balance_of_its_head_whoever_began_first(app, tx, world):
    """A starts, B posts and commits, A posts and commits: the last line is A's, at 110 and not at 10."""
    tx.commit()
    with Session(db.engine) as first:
        first.execute(sa.text("SELECT 1"))
        write(adjust, world, 1_000, at=AT + timedelta(seconds=1))
        adjust(first, world, 10_000, at=AT)
        first.commit()
    lines = statement_page(
        tx, viewer=world.program, dealer_code=world.dealer.company_code, program_year=2026
    ).lines
    assert [line.balance_cents for line in lines] == [1_000, 11_000]
    head = tx.get_one(LedgerAccount, (world.dealer.company_id, 2026, AccountKind.SALES_CREDIT))
    assert (head.sequence, head.balance_cents) == (lines[-1].sequence, lines[-1].balance_cents)
    posted = tx.scalars(sa.select(LedgerEntry.posted_at).order_by(LedgerEntry.sequence)).all()
    assert posted == sorted(posted)
    assert total(tx, world, known_at=posted[-1]) == 11_000


# doors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "known_at", "expected"),
    [
        (None, None, "15.50"),
        ("2026-02-01", None, "5.00"),
        (None, "2026-05-05T00:00:00-04:00", "10.50"),
        ("2026-02-01", "2026-05-05T00:00:00-04:00", "0.00"),
        ("2026-05-03", "2026-05-08T16:00:00Z", "5.00"),
    ],
)
def test_every_page_the_api_and_the_command_give_equal_figures(
    app, client, tx, world, on, known_at, expected
):
    adjust(tx, world, 1_050)
    adjust(tx, world, 500, on=date(2026, 2, 1), at=AT + timedelta(days=3))
    said = {name: text for name, text in (("on", on), ("known_at", known_at)) if text}
    client.sign_in(user_of(tx, world.dealer))
    query = "&".join(f"{name}={text}" for name, text in said.items())
    statement = client.get(f"/credit/{world.dealer.company_code}/2026?{query}")
    if expected == "0.00":
        assert "Nothing posted in 2026 by then" in statement.text
    else:
        assert statement.all(".//table/tfoot/tr") == [f"Closing balance {expected}"]
    own = client.get(f"/credit?{query}")
    row = next(text for text in own.all(".//tbody/tr") if text.startswith("2026"))
    assert f"Statement of sales credit, {world.dealer.company_code} 2026: {expected}" in row
    for page in (statement, own):
        assert ("Looking back" in page.text) is bool(said)
        assert ("Back to now" in page.text) is bool(said)
    client.sign_in(user_of(tx, world.program))
    year = client.get(f"/credit?year=2026&{query}")
    assert year.all(".//table/tfoot/tr")[0] == f"1 dealer {expected} 0.00 {expected}"
    token = token_of(tx, world.dealer)
    (balance,) = client.api("GET", f"/api/v1/balances?year=2026&{query}", token=token).json["items"]
    assert balance["sales_credit"] == expected
    rows = client.api("GET", f"/api/v1/credits?year=2026&{query}", token=token).json["items"]
    assert sum(round(float(row["amount"]) * 100) for row in rows) == round(float(expected) * 100)
    arguments = [f"--{name.replace('_', '-')}={text}" for name, text in said.items()]
    command = ["ledger", "balance", "--dealer", world.dealer.company_code, "--year", "2026", *arguments]
    printed = app.test_cli_runner().invoke(args=command).output.splitlines()
    assert printed[-1].split()[1] == expected
    assert len(printed) == 2 + len(said)


def test_a_time_is_typed_and_shown_in_the_programs_zone(client, tx, world):
    adjust(tx, world, 1_000)
    client.sign_in(user_of(tx, world.dealer))
    address = f"/credit/{world.dealer.company_code}/2026"
    page = client.get(f"{address}?known_at=2026-05-04T11:00")
    assert "as known at 4 May 2026, 11:00 AM EDT" in page.text
    assert "As known at (America/New_York)" in page.text
    assert page.tree.find(".//input[@id='known_at']").get("value") == "2026-05-04T11:00:00"
    assert page.all(".//table/tfoot/tr") == ["Closing balance 10.00"]
    assert "Nothing posted in 2026 by then" in client.get(f"{address}?known_at=2026-05-04T10:59").text
    assert "known_at=2026-05-04T14:59:00Z" in client.page.html


BAD = [
    "yesterday",
    "2026-02-30",
    "1999-12-31",
    "2100-01-01",
    "2026-W01-1",
    "20260504",
    "9" * 500,
    "²026-01-01",
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_day_and_no_time_is_refused_everywhere(app, client, tx, world, text):
    token = token_of(tx, world.program)
    client.sign_in(user_of(tx, world.program))
    for name, what in (("on", "Type a day"), ("known_at", "Type a day and a time")):
        for address in ("/credit", f"/credit/{world.dealer.company_code}/2026"):
            assert what in client.get(f"{address}?{name}={text}", status=422).text
        for address in ("/api/v1/balances", "/api/v1/credits"):
            said = client.api("GET", f"{address}?{name}={text}", token=token, status=422).json
            assert (said["code"], said["field"]) == ("invalid_input", name)
        option = f"--{name.replace('_', '-')}={text}"
        command = ["ledger", "balance", "--dealer", world.dealer.company_code, option]
        result = app.test_cli_runner().invoke(args=command)
        assert (result.exit_code, what in result.output) == (1, True)


def test_an_instant_without_an_offset_is_refused_by_the_api(client, tx, world):
    token = token_of(tx, world.program)
    path = "/api/v1/balances?known_at="
    client.api("GET", f"{path}2026-05-04T15:00:00", token=token, status=422)
    for text in ("2026-05-04T15:00:00Z", "2026-05-04T15:00:00+00:00", "2026-05-04T15:00:00%2B00:00"):
        client.api("GET", path + text, token=token)


def test_days_and_times_are_read_one_way():
    assert parse_day("2026-05-04") == MAY
    zone = "America/New_York"
    assert parse_instant("2026-05-04T11:00", zone) == AT
    assert parse_instant("2026-05-04 11:00:00.000000", zone) == AT
    assert parse_instant("2026-05-04T15:00Z", zone) == AT
    assert parse_instant("2026-11-01T01:30", zone) == datetime(2026, 11, 1, 6, 30, tzinfo=UTC), (
        "the later one"
    )
    for text in ("2026-05-04", "2026-05-04T25:00", "2026-05-04T11:00+99:00", "2026-05-04T11", ""):
        with pytest.raises(Refusal):
            parse_instant(text, zone)
