"""Pages, API and command line of closing a program year."""

from datetime import date

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerEntry
from ledger.models.years import YearClose, YearClosing
from ledger.operations.adjustments import adjust_credit
from ledger.operations.years import close_dealer_year, start_closing
from ledger.views import years as pages
from referral.clock import now
from referral.models import Company
from referral.operations.people import issue_api_token
from referral.permissions import Role
from tests.factories import AT, everything, make_dealer, make_user, make_world, user_of
from tests.ledger.test_operations_years import (
    LEVELS,
    adjust,
    buy,
    close_whole_year,
    closing,
    order_of_2025,
    starting,
    steps,
)


@pytest.fixture
def world(tx):
    """A dealer with 600.00 of sales credit and 25.00 of other purchases in 2025; the levels of 2026 are set."""
    made = make_world(tx)
    steps(made)
    adjust(made)
    buy(made)
    return made


@pytest.fixture
def admin(client, world):
    return client.sign_in(user_of(world.tx, world.program))


def test_the_programs_credit_page_leads_to_the_years_and_they_to_the_closing(admin):
    admin.get("/credit")
    page = admin.click("Program years")
    assert "Over, open" in page.text
    page = admin.click("Close 2025")
    assert "Nothing: no dispute" in page.text
    assert "Silver" in page.text


def test_closing_a_year_takes_the_typed_year_and_shows_what_was_frozen(admin, world, tx):
    admin.get("/credit/years/2025/close")
    page = admin.submit("Close 2025", {"typed_year": "2025"})
    assert page.address == "/credit/years/2025"
    assert "2025 is closed. The levels of 2026 are frozen." in page.text
    assert "Closed on" in page.text
    row = tx.scalars(sa.select(YearClose)).one()
    assert (row.level_name, row.closed_by) == ("Silver", world.program.user_id)
    assert row.digest[:8] in page.text
    assert tx.scalars(sa.select(YearClosing.finished_at)).one() is not None
    assert "Closed" in admin.get("/credit/years").text
    assert "frozen with their evidence" in admin.get("/credit?year=2025").text


@pytest.mark.parametrize("typed", ["", "2024", "2025x", "20 25"])
def test_a_year_is_not_closed_without_typing_it(admin, tx, typed):
    admin.get("/credit/years/2025/close")
    before = everything(tx)
    page = admin.submit("Close 2025", {"typed_year": typed}, status=422)
    assert any(words in page.text for words in ("Type 2025.", "This is needed."))
    assert everything(tx) == before


def test_open_items_are_listed_with_links_and_need_a_reason(admin, world, tx):
    _, ref = order_of_2025(world)
    page = admin.get("/credit/years/2025/close")
    item = f"{ref} of 20 Nov 2025: 21 units are neither shipped nor cancelled."
    assert page.link(item) == f"/orders/{ref}"
    before = everything(tx)
    page = admin.submit("Close 2025", {"typed_year": "2025"}, status=409)
    assert "say why the year is closed all the same" in page.text
    assert everything(tx) == before
    page = admin.submit("Close 2025", {"typed_year": "2025", "reason": "Confirmed by phone."})
    assert item in page.text
    assert "Confirmed by phone." in page.text


def test_a_year_that_cannot_be_closed_says_why_and_has_no_button(admin, world, tx):
    this_year = now().year
    page = admin.get(f"/credit/years/{this_year}/close")
    assert "This year is not over yet" in page.text
    page = admin.get("/credit/years/2024/close")
    assert "The levels of 2025 are not set" in page.text
    before = everything(tx)
    said = {"typed_year": str(this_year), "reason": "Now"}
    assert "not over" in admin.post(f"/credit/years/{this_year}/close", said, status=409).text
    assert "levels" in admin.post("/credit/years/2024/close", {"typed_year": "2024"}, status=409).text
    assert everything(tx) == before
    admin.get("/credit/years/1899/close", status=404)
    admin.get("/credit/years/2024", status=404)
    admin.post("/credit/years/2024/continue", status=404)


def test_a_closed_year_is_not_closed_again(admin, world, tx):
    close_whole_year(world)
    page = admin.get("/credit/years/2025/close")
    assert page.link("See what was frozen") == "/credit/years/2025"
    before = everything(tx)
    admin.post("/credit/years/2025/close", {"typed_year": "2025"}, status=409)
    assert everything(tx) == before


def test_an_interrupted_closing_shows_how_far_it_is_and_goes_on(admin, world, tx, monkeypatch):
    for _ in range(3):
        make_dealer(tx, world.program)
    monkeypatch.setattr(pages, "DEALERS_AT_ONCE", 2)
    admin.get("/credit/years/2025/close")
    page = admin.submit("Close 2025", {"typed_year": "2025"})
    assert "2 of 4 dealers are closed" in page.text
    assert "Go on with it" in admin.get("/credit/years/2025/close").text
    assert "Being closed" in admin.get("/credit?year=2025").text
    admin.get("/credit/years")
    admin.click("Go on closing 2025")
    page = admin.submit("Go on closing 2025")
    assert "2025 is closed." in page.text
    assert len(tx.scalars(sa.select(YearClose)).all()) == 4


def test_an_auditor_sees_the_years_and_closes_none(client, world, tx):
    auditor = make_user(tx, tx.get_one(Company, world.program.company_id), Role.PROGRAM_AUDITOR)
    start_closing(tx, **starting(world))
    client.sign_in(user_of(tx, auditor))
    assert "Go on closing" in client.get("/credit/years").text
    assert "<button" not in client.get("/credit/years/2025").html.partition("<main")[2]
    before = everything(tx)
    client.get("/credit/years/2025/close", status=403)
    client.post("/credit/years/2025/close", {"typed_year": "2025"}, status=403)
    client.post("/credit/years/2025/continue", status=403)
    assert everything(tx) == before


def test_dealers_and_accounts_do_not_see_the_programs_years(client, world, tx):
    close_whole_year(world)
    for viewer in (world.dealer, world.account):
        client.sign_in(user_of(tx, viewer))
        for path in ("/credit/years", "/credit/years/2025", "/credit/years/2025/close"):
            client.get(path, status=403)


def test_a_dealer_sees_the_frozen_level_and_its_evidence_on_the_statement(client, world, tx):
    close_whole_year(world)
    steps(world, (LEVELS[0],))
    row = tx.scalars(sa.select(YearClose)).one()
    client.sign_in(user_of(tx, world.dealer))
    page = client.get(f"/credit/{world.dealer.company_code}/2025")
    assert "Closed: Silver for 2026" in page.text
    assert "version 1 of the levels of 2026" in page.text
    assert row.digest in page.text
    for head in row.heads.values():
        assert head["digest"][:16] in page.text
    page = client.get("/credit")
    assert "Silver for 2026, closed" in page.text
    assert "Your level in 2026 Silver" in page.text


def test_the_levels_page_shows_the_version_a_closed_year_was_closed_with(admin, world, tx):
    close_whole_year(world)
    steps(world, (LEVELS[0],))
    page = admin.get("/levels")
    assert "2025 is closed with this version" in page.text
    assert "Gold" in page.text
    assert "It was closed with version 1." in admin.get("/levels/2026").text


def test_a_form_refuses_a_posting_to_a_closed_year_beside_its_day(admin, world, tx):
    close_whole_year(world)
    before = everything(tx)
    admin.get(f"/credit/adjustments?dealer={world.dealer.company_code}")
    said = {"effective_on": "2025-06-02", "amount_cents": "5.00", "reason": "Late"}
    page = admin.submit("Post adjustment", said, status=409)
    errors = [element for element in page.tree.iter("p") if element.get("id") == "effective_on-error"]
    assert len(errors) == 1
    assert "closed" in "".join(errors[0].itertext())
    assert everything(tx) == before


def test_the_api_says_whether_a_balance_is_frozen(client, world, tx):
    _, token = issue_api_token(tx, at=now(), user_id=world.dealer.user_id)

    def balance():
        (row,) = client.api("GET", "/api/v1/balances?year=2025", token=token).json["items"]
        return row["is_closed"], row["level"]

    assert balance() == (False, "Silver")
    close_whole_year(world)
    steps(world, (LEVELS[0],))
    assert balance() == (True, "Silver")


# command line -----------------------------------------------------------------------------------


@pytest.fixture
def run(app, tx):
    """Call `flask ledger …` and return its exit code and what it said."""

    def call(*arguments):
        tx.commit()
        result = app.test_cli_runner().invoke(args=["ledger", *arguments])
        tx.expire_all()
        return result.exit_code, result.output

    return call


def test_the_command_closes_a_year_and_verify_and_balance_agree(run, world, tx):
    code, says = run("close", "--year", "2025")
    assert (code, "2025 is closed: 1 dealer closed by this command." in says) == (0, True), says
    assert tx.scalars(sa.select(YearClose.closed_by)).one() is None
    assert run("verify")[0] == 0
    assert "Silver (closed)" in run("balance", "--dealer", world.dealer.company_code)[1]
    code, says = run("close", "--year", "2025")
    assert (code, "year_closed" in says) == (1, True)


def test_the_command_prints_what_is_open_and_takes_a_reason_and_a_person(run, world, tx):
    _, ref = order_of_2025(world)
    code, says = run("close", "--year", "2025")
    assert code == 1
    assert f"{ref} of 20 Nov 2025" in says
    assert tx.scalars(sa.select(YearClosing)).all() == []
    code, says = run("close", "--year", "2025", "--reason", "Known", "--as", world.program.email)
    assert code == 0, says
    assert tx.scalars(sa.select(YearClosing.started_by)).one() == world.program.user_id
    code, says = run("close", "--year", "2025", "--as", "nobody@x.example")
    assert (code, "Nobody active" in says) == (1, True)


def test_the_command_refuses_whoever_may_not_close(run, world, tx):
    code, says = run("close", "--year", "2025", "--as", world.dealer.email)
    assert (code, "forbidden" in says) == (1, True)
    assert tx.scalars(sa.select(YearClosing)).all() == []


def test_the_command_goes_on_where_it_was_interrupted(run, world, tx):
    make_dealer(tx, world.program)
    start_closing(tx, **starting(world))
    close_dealer_year(tx, **closing(world))
    code, says = run("close", "--year", "2025")
    assert (code, "1 dealer closed by this command" in says) == (0, True), says
    assert len(tx.scalars(sa.select(YearClose)).all()) == 2


def test_nothing_moves_in_a_closed_year_whoever_asks(run, world, tx):
    run("close", "--year", "2025")
    before = len(tx.scalars(sa.select(LedgerEntry)).all())
    with pytest.raises(Exception, match="year_closed"):
        adjust_credit(
            tx, actor=world.program, at=AT, dealer_code=world.dealer.company_code, effective_on=date(2025, 12, 31),
            amount_cents=1, reason="Late", idempotency_key="late",
        )  # fmt: skip
    assert len(tx.scalars(sa.select(LedgerEntry)).all()) == before
