"""Pages of parked, expired and reassigned referrals, as each side sees them."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from referral.clock import now
from referral.db import db, read
from referral.operations.referrals import accept_referral
from tests.factories import (
    everything,
    make_account,
    make_world,
    user_of,
)
from tests.referral.test_operations_referrals import open_ref


@pytest.fixture
def world(tx):
    return make_world(tx)


def parked(world):
    """Return (path of the first, path of the parked one, its account), opened now."""
    other = make_account(world.tx, world.program)
    first = open_ref(world, at=now())
    second = open_ref(world, at=now(), account_code=other.company_code)
    return f"/referrals/{first}", f"/referrals/{second}", other


def test_a_dealer_that_refers_a_project_twice_is_asked_which_account_has_it(client, tx, world):
    first, second, other = parked(world)
    client.sign_in(user_of(tx, world.dealer))
    assert "Another account is parked for this project" in client.get(first).text
    assert "Parked referrals" in client.get("/").text
    assert "Parked: choose" in client.get("/referrals?state=parked").text
    page = client.get(second)
    assert "Which account has this project?" in page.text
    client.click(f"Give it to {other.company_name}…")
    page = client.submit("Give it to this account", {"reason": "Nearer."})
    assert "is asked now" in page.text
    theirs = client.other().sign_in(user_of(tx, other))
    assert "Waiting for you" in theirs.get(second).text
    assert "Nearer." not in theirs.get(second).text
    closed = client.other().sign_in(user_of(tx, world.account)).get(first)
    assert "Its quotes go no further" in closed.text
    for told, hidden in ((closed, other), (theirs.get(second), world.account)):
        assert hidden.company_name not in told.html


def test_a_dealer_keeps_the_first_account(client, tx, world):
    _, second, other = parked(world)
    client.sign_in(user_of(tx, world.dealer)).get(second)
    client.click(f"Keep {world.account.company_name}…")
    assert "The parked referral is closed" in client.submit("Pass it over", {"reason": "First come."}).text
    client.other().sign_in(user_of(tx, other)).get(second, status=404)


def test_neither_account_sees_the_other_s_referral_nor_may_choose(client, tx, world):
    first, second, other = parked(world)
    for person, path in ((other, first), (other, second), (world.account, second)):
        client.sign_in(user_of(tx, person)).get(path, status=404)
    page = client.sign_in(user_of(tx, world.account)).get(first)
    assert "parked" not in page.text.lower()
    assert second.rpartition("/")[2] not in client.get("/referrals").text


@pytest.mark.parametrize("verb", ["choose", "pass-over", "continue", "reassign"])
def test_a_decision_without_a_reason_is_refused_and_one_about_a_settled_referral_too(client, tx, world, verb):
    first, second, _ = parked(world)
    client.sign_in(user_of(tx, world.program))
    path = f"{second if verb in {'choose', 'pass-over'} else first}/{verb}"
    said = {
        "reason": " ",
        "last_on": "2099-01-01",
        "account_code": make_account(tx, world.program).company_code,
    }
    tx.commit()
    before = read(everything)
    client.post(path, said, status=422)
    client.post(path, said | {"reason": "\x00", "last_on": "x", "account_code": ""}, status=422)
    assert read(everything) == before
    wrong = f"{first if verb in {'choose', 'pass-over'} else second}/{verb}"
    client.get(wrong, status=409)


def test_the_program_lets_a_project_go_on_and_gives_another_away(client, tx, world):
    ref = open_ref(world, at=now())
    accept_referral(tx, actor=world.account, at=now(), ref=ref)
    other = make_account(tx, world.program)
    client.sign_in(user_of(tx, world.program)).get(f"/referrals/{ref}")
    client.click("Let it go on to a day…")
    page = client.submit("Let it go on", {"last_on": "2098-12-31", "reason": "Half is installed."})
    assert "Goes on through 31 Dec 2098" in page.text
    client.click("Give it to another account…")
    said = {"account_code": other.company_code, "reason": "They moved."}
    assert "The other account is asked now" in client.submit("Give it to this account", said).text
    old = client.other().sign_in(user_of(tx, world.account)).get(f"/referrals/{ref}")
    assert "Let go on through 31 Dec 2098" in old.text
    assert other.company_name not in old.html


def test_an_expired_referral_says_so_to_both_sides_and_how_to_go_on(client, tx, world):
    ref = open_ref(world, at=now() - timedelta(days=40))
    page = client.sign_in(user_of(tx, world.dealer)).get(f"/referrals/{ref}")
    assert "Not answered in time" in page.text
    assert "Refer the project again" in page.text
    assert ref in client.get("/referrals?state=expired").text
    assert ref not in client.get("/referrals?state=open").text
    account = client.other().sign_in(user_of(tx, world.account))
    assert "can refer the project again" in account.get(f"/referrals/{ref}").text
    account.post(f"/referrals/{ref}/accept", status=409)
    assert ref not in account.get("/").text


def test_a_list_is_narrowed_by_words_in_its_address(client, tx, world):
    mill, barn = open_ref(world, project_name="Old Mill"), open_ref(world, project_name="Barn")
    client.sign_in(user_of(tx, world.dealer))
    page = client.get("/referrals?words=mill")
    assert mill in page.text
    assert barn not in page.text
    client.get("/referrals?state=nonsense", status=404)
    assert "No referral fits" in client.get("/referrals?words=zzz").text


def test_the_number_of_statements_of_a_list_does_not_grow_with_it(client, tx, world, app):
    seen = []

    def note(_connection, _cursor, statement, *_more):
        seen.append(statement)

    def count(path):
        client.get(path)
        seen.clear()
        client.get(path)
        return len(seen)

    client.sign_in(user_of(tx, world.dealer))
    ref = open_ref(world, at=now())
    sa.event.listen(db.engine, "before_cursor_execute", note)
    paths = ["/referrals", "/referrals/new", f"/referrals/{ref}"]
    few = [count(path) for path in paths]
    for number in range(5):
        open_ref(world, project_name=f"House {number}", at=now())
        open_ref(world, account_code=make_account(tx, world.program).company_code, at=now())
    many = [count(path) for path in paths]
    sa.event.remove(db.engine, "before_cursor_execute", note)
    assert many == few


def test_the_program_reviews_what_was_done_after_a_qualification_was_set_back(client, tx, world):
    _, order = world.order()
    client.sign_in(user_of(tx, world.program)).get(f"/companies/{world.account.company_code}")
    client.click("End the qualification of 1 Jan 2020")
    page = client.submit("Set the last day", {"valid_to": "2026-04-30", "reason": "Lapsed."})
    assert "Nothing of it is changed" in page.text
    assert order in page.text
    client.get(f"/companies/{world.dealer.company_code}/qualifications/review", status=404)
