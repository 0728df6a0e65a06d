"""Disputes on their pages and in the API: from a statement's line to the posting that puts it right."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerEntry
from ledger.models.disputes import Dispute, DisputeAnswer
from ledger.operations.disputes import answer_dispute, open_dispute
from ledger.states import AccountKind, DisputeOutcome
from referral.clock import now
from referral.models import Company
from referral.permissions import Role
from referral.queries.settings import today
from tests.factories import make_dealer, make_user, make_world, user_of
from tests.tokens import token_of


@pytest.fixture
def world(tx):
    """A dealer with an order entered now."""
    made = make_world(tx)
    made.order(made.approve(made.submit(at=now()), at=now()), at=now())
    return made


@pytest.fixture
def year(tx):
    return today(tx, now()).year


def disputed(world, year, at=None, **overrides):
    said = {
        "actor": world.dealer, "at": at or now(), "dealer_code": world.dealer.company_code, "program_year": year,
        "account_kind": AccountKind.SALES_CREDIT, "sequence": 1, "claimed_cents": 500_000,
        "reason": "Two trims are missing.", "idempotency_key": "d-1",
    }  # fmt: skip
    dispute = open_dispute(world.tx, **(said | overrides))
    return f"D-{world.dealer.company_code}-{dispute.number}"


def count(tx, table):
    return tx.scalar(sa.select(sa.func.count()).select_from(table))


def test_a_dispute_goes_from_the_line_to_the_program_and_comes_back_as_a_posting(tx, world, year, client):
    dealer = client.sign_in(user_of(tx, world.dealer))
    dealer.get(f"/credit/{world.dealer.company_code}/statements/{year}")
    dealer.click(f"Dispute No. 1 of Sales credit {year}")
    page = dealer.submit(
        "Open the dispute", {"reason": "Two trims are missing.", "claimed_cents": "5,000.00"}
    )
    ref = f"D-{world.dealer.company_code}-1"
    assert f"Dispute {ref}" in page.text
    assert "$5,000.00" in page.text
    assert "$541.70" in page.text
    program = client.other().sign_in(user_of(tx, world.program))
    assert "1 dispute needs your answer" in program.get("/").text
    program.click("Read and answer")
    program.click(ref)
    program.click("Answer it")
    answered = program.submit("Answer the dispute", {"outcome": "upheld", "words": "They were forgotten."})
    assert "Upheld: $541.70 was posted" in answered.text
    back = dealer.get(f"/credit/{world.dealer.company_code}/statements/{year}")
    assert f"{ref} Upheld" in back.text
    assert f"Dispute {ref} upheld: They were forgotten." in back.text
    assert "5,000.00" in back.all(".//table/tfoot/tr")[2]
    assert "needs your answer" not in program.get("/").text


def test_a_dispute_is_dismissed_without_an_amount_whatever_stands_in_the_form(tx, world, year, client):
    ref = disputed(world, year)
    program = client.sign_in(user_of(tx, world.program))
    program.get(f"/disputes/{ref}/answer")
    page = program.submit("Answer the dispute", {"outcome": "dismissed", "words": "They were ordered apart."})
    assert "Dismissed: the posting stands as it is" in page.text
    assert count(tx, LedgerEntry) == 1
    assert "It is settled already" in program.get(f"/disputes/{ref}/answer").text


def test_the_dealer_takes_a_dispute_back(tx, world, year, client):
    ref = disputed(world, year)
    dealer = client.sign_in(user_of(tx, world.dealer))
    dealer.get(f"/disputes/{ref}")
    dealer.click("Take it back…")
    assert "took it back" in dealer.submit("Take the dispute back").text
    assert "It is settled already" in dealer.get(f"/disputes/{ref}/withdraw").text
    refused = dealer.post(f"/disputes/{ref}/withdraw", {"words": "Again"})
    assert refused.status == 303
    assert count(tx, DisputeAnswer) == 1


def test_a_refused_answer_says_why_beside_its_field_and_saves_nothing(tx, world, year, client):
    ref = disputed(world, year)
    program = client.sign_in(user_of(tx, world.program))
    program.get(f"/disputes/{ref}/answer")
    empty = program.submit("Answer the dispute", status=422)
    assert "Choose how it ends." in empty.text
    no_amount = {"outcome": "upheld", "words": "Yes", "amount_cents": ""}
    assert "Type the amount to post" in program.submit("Answer the dispute", no_amount, status=422).text
    too_early = {"outcome": "upheld", "words": "Yes", "amount_cents": "1", "effective_on": "2020-01-01"}
    assert "before the day of" in program.submit("Answer the dispute", too_early, status=422).text
    assert (count(tx, DisputeAnswer), count(tx, LedgerEntry)) == (0, 1)


def test_a_posting_whose_days_are_over_or_that_is_disputed_already_offers_no_form(tx, world, client):
    old = now() - timedelta(days=400)
    world.order(world.approve(world.submit(at=old), at=old), at=old)
    year = today(tx, old).year
    dealer = client.sign_in(user_of(tx, world.dealer))
    address = f"/credit/{world.dealer.company_code}/{year}/sales_credit/1/dispute"
    assert "It can be disputed no more" in dealer.get(address).text
    page = dealer.post(address, {"reason": "Late", "idempotency_key": "k"}, status=409)
    assert "days in which" in page.text or "no more" in page.text
    assert count(tx, Dispute) == 0
    this_year = today(tx, now()).year
    ref = disputed(world, this_year)
    there = f"/credit/{world.dealer.company_code}/{this_year}/sales_credit/1/dispute"
    assert f"Read {ref}" in dealer.get(there).text
    dealer.post(there, {"reason": "Again", "idempotency_key": "k"}, status=409)
    assert count(tx, Dispute) == 1


def test_the_same_page_sent_twice_opens_one_dispute(tx, world, year, client):
    dealer = client.sign_in(user_of(tx, world.dealer))
    address = f"/credit/{world.dealer.company_code}/{year}/sales_credit/1/dispute"
    said = {"reason": "Two are missing.", "claimed_cents": "", "idempotency_key": "k"}
    first, second = (dealer.post(address, said) for _ in range(2))
    assert first.location == second.location
    assert count(tx, Dispute) == 1
    page = dealer.post(address, said | {"reason": "Other"}, status=422)
    assert "this form before with other content" in page.text or "open dispute" in page.text


def test_the_list_has_what_is_open_first_and_marks_what_is_overdue(tx, world, year, client):
    old = now() - timedelta(days=40)
    world.order(world.approve(world.submit(at=old), at=old), at=old)
    settled = disputed(world, year)
    answer_dispute(
        tx, actor=world.program, at=now(), ref=settled, outcome=DisputeOutcome.DISMISSED, words="No",
        amount_cents=None, effective_on=None,
    )  # fmt: skip
    late = disputed(world, year, at=now() - timedelta(days=20), sequence=2, idempotency_key="d-2")
    page = client.sign_in(user_of(tx, world.program)).get("/disputes")
    rows = page.all(".//table/tbody/tr")
    assert rows[0].startswith(late)
    assert "Overdue" in rows[0]
    assert "6 days late" in rows[0]
    assert rows[1].startswith(settled)
    assert "Dismissed" in rows[1]
    assert "overdue" in client.get("/credit").text


def test_who_may_not_sees_no_button_and_reaches_no_form(tx, world, year, client):
    ref = disputed(world, year)
    viewer = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    client.sign_in(user_of(tx, viewer))
    assert "Take it back" not in client.get(f"/disputes/{ref}").text
    assert "Dispute No." not in client.get(f"/credit/{world.dealer.company_code}/statements/{year}").text
    client.get(f"/disputes/{ref}/withdraw", status=403)
    client.get(f"/disputes/{ref}/answer", status=403)
    client.get(f"/credit/{world.dealer.company_code}/{year}/sales_credit/1/dispute", status=403)
    other = client.other().sign_in(user_of(tx, make_dealer(tx, world.program)))
    other.get(f"/disputes/{ref}", status=404)
    other.get(f"/disputes/{ref}/withdraw", status=404)
    other.get(f"/credit/{world.dealer.company_code}/{year}/sales_credit/1/dispute", status=404)
    other.post(
        f"/credit/{world.dealer.company_code}/{year}/sales_credit/1/dispute",
        {"reason": "Mine", "idempotency_key": "k"},
        status=404,
    )
    assert ref not in other.get("/disputes").html


# the API ----------------------------------------------------------------------------------------


def test_programs_open_list_answer_and_withdraw_disputes(tx, world, year, client):
    dealer, program = token_of(tx, world.dealer), token_of(tx, world.program)
    body = {
        "dealer": world.dealer.company_code, "year": year, "account": "sales_credit", "sequence": 1,
        "claimed": "5000.00", "reason": "Two trims are missing.",
    }  # fmt: skip
    keyed = {"Idempotency-Key": "k-1"}
    opened = client.api("POST", "/api/v1/disputes", body, token=dealer, headers=keyed, status=201)
    again = client.api("POST", "/api/v1/disputes", body, token=dealer, headers=keyed, status=201)
    assert again.json == opened.json
    ref = opened.json["id"]
    other = client.api(
        "POST", "/api/v1/disputes", body, token=dealer, headers={"Idempotency-Key": "k-2"}, status=409
    )
    assert other.json["code"] == "dispute_open"
    (row,) = client.api("GET", "/api/v1/disputes?state=open", token=program).json["items"]
    assert (row["id"], row["claimed"], row["outcome"], row["posting"]["amount"]) == (
        ref,
        "5000.00",
        None,
        "4458.30",
    )
    assert client.api("GET", "/api/v1/disputes?state=settled", token=program).json["items"] == []
    said = {
        "outcome": "upheld",
        "words": "Forgotten.",
        "amount": "541.70",
        "effective_on": row["posting"]["effective_on"],
    }
    answered = client.api("POST", f"/api/v1/disputes/{ref}/answer", said, token=program)
    assert answered.json["outcome"] == "upheld"
    assert client.api("POST", f"/api/v1/disputes/{ref}/answer", said, token=program).json == answered.json
    shown = client.api("GET", f"/api/v1/disputes/{ref}", token=dealer).json
    assert (shown["correction"]["amount"], shown["correction"]["sequence"]) == ("541.70", 2)
    late = client.api("POST", f"/api/v1/disputes/{ref}/withdraw", token=dealer, status=409)
    assert late.json["code"] == "not_pending"
    client.api(
        "GET", f"/api/v1/disputes/{ref}", token=token_of(tx, make_dealer(tx, world.program)), status=404
    )


def test_the_api_refuses_a_dispute_without_key_and_of_another_dealer(tx, world, year, client):
    body = {
        "dealer": world.dealer.company_code,
        "year": year,
        "account": "sales_credit",
        "sequence": 1,
        "reason": "x",
    }
    missing = client.api("POST", "/api/v1/disputes", body, token=token_of(tx, world.dealer), status=422)
    assert missing.json["code"] == "idempotency_key_missing"
    other = token_of(tx, make_dealer(tx, world.program))
    client.api("POST", "/api/v1/disputes", body, token=other, headers={"Idempotency-Key": "k"}, status=404)
    for field, value in {"account": "issuance", "sequence": 0, "claimed": "1e3", "year": 1999}.items():
        bad = client.api(
            "POST", "/api/v1/disputes", body | {field: value}, token=token_of(tx, world.dealer),
            headers={"Idempotency-Key": "k"}, status=422,
        )  # fmt: skip
        assert [problem["field"] for problem in bad.json["problems"]] == [field]
    assert count(tx, Dispute) == 0
