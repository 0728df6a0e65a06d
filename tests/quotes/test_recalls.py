"""Recalling a wrong price: what it stops, what it leaves alone, and that both sides are told once."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerEntry
from quotes.models.orders import Order
from quotes.models.quotes import Approval
from quotes.models.recalls import PriceRecall, RecallNotice
from quotes.operations.decisions import approve_revision
from quotes.operations.orders import place_order
from quotes.operations.quotes import start_revision
from quotes.operations.recalls import recall_prices, tell_of_recalls
from quotes.operations.submissions import submit_revision
from quotes.queries.quotes import quote_page
from quotes.queries.recalls import dealers_to_tell, recalls_of_list
from quotes.states import RevisionState
from referral.clock import now
from referral.models import AuditEvent, OutgoingMail
from tests.factories import AT, ITEMS, World, make_dealer, make_price_list, make_world, refused, user_of
from tests.quotes.test_operations_decisions import approving
from tests.quotes.test_operations_orders import ordering
from tests.quotes.test_operations_quotes import submitting
from tests.tokens import token_of


@pytest.fixture
def world(tx):
    return make_world(tx)


def recalling(world, *model_numbers, **overrides):
    """What `recall_prices` takes."""
    said = {
        "actor": world.program,
        "at": AT,
        "version": 1,
        "model_numbers": model_numbers or ("D3-TRIM",),
        "reason": "Typed 33.33 for 333.30",
    }
    return said | overrides


def recall(tx, world, *model_numbers, **overrides):
    rows = recall_prices(tx, **recalling(world, *model_numbers, **overrides))
    tx.flush()
    return rows


def tell(tx, world, **overrides):
    said = {"actor": world.program, "at": AT, "dealer_id": world.dealer.company_id}
    told = tell_of_recalls(tx, **(said | overrides))
    tx.flush()
    return told


def count(tx, table):
    return tx.scalar(sa.select(sa.func.count()).select_from(table))


def recalled_mails(tx):
    rows = tx.scalars(sa.select(OutgoingMail).where(OutgoingMail.subject.contains("recalled")))
    return [(row.recipient, row.body) for row in rows]


# what it stops ----------------------------------------------------------------------------------


def test_nothing_is_submitted_at_a_recalled_price_of_today(tx, world):
    ref = world.draft()
    recall(tx, world)
    refusal = refused(tx, "price_recalled", submit_revision, **submitting(world, ref))
    (problem,) = refusal.problems
    assert problem.field == "lines-1-model_number"
    assert "D3-TRIM, Kitchen" in problem.message
    assert "Typed 33.33 for 333.30" in problem.message
    assert "new list" in problem.message


def test_nothing_is_approved_at_a_recalled_price_and_each_line_is_named(tx, world):
    ref = world.submit()
    recall(tx, world, "D3-TRIM", "PROC-1")
    refusal = refused(tx, "price_recalled", approve_revision, **approving(world, ref))
    lines = world.line_ids(ref)
    assert [problem.field for problem in refusal.problems] == [f"line-{lines[1]}", f"line-{lines[2]}"]
    assert count(tx, Approval) == 0


def test_a_recalled_line_is_not_ordered_while_the_others_still_are(tx, world):
    ref = world.approve()
    light, trim, _ = world.line_ids(ref)
    recall(tx, world)
    refusal = refused(tx, "price_recalled", place_order, **ordering(world, ref, quantities=None))
    assert [problem.field for problem in refusal.problems] == [f"quantity-{trim}"]
    world.order(ref, quantities={light: 4})
    page = quote_page(tx, viewer=world.dealer, at=AT, ref=ref)
    assert [(row.ordered_quantity, bool(row.recalled)) for row in page.lines] == [
        (4, False),
        (0, True),
        (0, False),
    ]
    assert page.is_orderable


def test_a_recall_never_moves_posted_credit(tx, world):
    ref = world.approve()
    world.order(ref)
    before = count(tx, LedgerEntry), tx.scalars(sa.select(Order)).one().credit_cents
    recall(tx, world)
    tell(tx, world)
    tx.expire_all()
    assert (count(tx, LedgerEntry), tx.scalars(sa.select(Order)).one().credit_cents) == before
    assert count(tx, RecallNotice) == 0, "all of it is ordered: there is nothing to tell"


def test_the_next_revision_takes_the_price_of_the_new_list(tx, world):
    ref = world.submit()
    recall(tx, world)
    right = [item if item.model_number != "D3-TRIM" else price(item, 33330) for item in ITEMS]
    make_price_list(tx, world.program, items=right, valid_from=AT.date())
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    world.submit(ref, revision=2)
    page = quote_page(tx, viewer=world.dealer, at=AT, ref=ref)
    assert (page.lines[1].line.list_price_cents, page.recalled) == (33330, ())
    world.approve(ref, revision=2)


def price(item, cents):
    return type(item)(**(vars(item) | {"list_price_cents": cents}))


# recalling --------------------------------------------------------------------------------------


def test_recalling_twice_is_one_recall_with_its_first_reason(tx, world):
    recall(tx, world)
    (row,) = recall(tx, world, "d3-trim", reason="Another reason")
    assert (row.reason, count(tx, PriceRecall)) == ("Typed 33.33 for 333.30", 1)
    events = tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "price.recalled")).all()
    assert [event.details["model_numbers"] for event in events] == [["D3-TRIM"]]


@pytest.mark.parametrize(
    ("code", "overrides"),
    [
        ("not_found", {"version": 9}),
        ("reason_required", {"reason": "  "}),
        ("invalid_input", {"model_numbers": ()}),
        ("model_number_unknown", {"model_numbers": ("D3-TRIM", "NO-SUCH")}),
    ],
)
def test_a_recall_is_refused_whole(tx, world, code, overrides):
    refused(tx, code, recall_prices, **recalling(world, **overrides))


@pytest.mark.parametrize("who", ["dealer", "account"])
def test_only_the_programs_admin_recalls_and_tells(tx, world, who):
    actor = getattr(world, who)
    refused(tx, "forbidden", recall_prices, **recalling(world, actor=actor))
    refused(tx, "forbidden", tell_of_recalls, actor=actor, at=AT, dealer_id=world.dealer.company_id)


# telling ----------------------------------------------------------------------------------------


def test_both_sides_of_a_waiting_and_of_an_approved_revision_are_told_once(tx, world):
    waiting, approved = world.submit(), world.approve()
    recall(tx, world)
    assert dealers_to_tell(tx, at=AT) == (world.dealer.company_id,)
    assert tell(tx, world) == 2
    mails = recalled_mails(tx)
    assert sorted(recipient for recipient, _ in mails) == sorted(
        2 * [world.dealer.email, world.account.email]
    )
    assert {("can no longer be approved" in body) for _, body in mails if waiting in body} == {True}
    assert {("the approval stands" in body) for _, body in mails if approved in body} == {True}
    assert (tell(tx, world), count(tx, RecallNotice), dealers_to_tell(tx, at=AT)) == (0, 2, ())


def test_an_interrupted_telling_goes_on_with_the_other_dealers(tx, world):
    other = World(tx, world.program, make_dealer(tx, world.program, number="77-1"), world.account, "77-1")
    for each in (world, other):
        each.submit()
    recall(tx, world)
    tell(tx, other, actor=None)
    assert [recalls_of_list(tx, at=AT, version=1).told, recalls_of_list(tx, at=AT, version=1).to_tell] == [
        1,
        1,
    ]
    assert dealers_to_tell(tx, at=AT, limit=5) == (world.dealer.company_id,)
    tell(tx, world, actor=None)
    assert [recalls_of_list(tx, at=AT, version=1).told, recalls_of_list(tx, at=AT, version=1).to_tell] == [
        2,
        0,
    ]


def test_sent_back_superseded_and_expired_revisions_need_no_notice(tx, world):
    world.submit(at=AT.replace(month=3))
    superseded = world.submit()
    start_revision(tx, actor=world.account, at=AT, ref=superseded)
    world.submit(superseded, revision=2)
    recall(tx, world)
    assert tell(tx, world) == 1
    assert tx.scalars(sa.select(RecallNotice.revision_number)).all() == [2]


def test_an_approval_that_came_before_the_recall_stands_and_the_notice_says_so(tx, world):
    ref = world.approve()
    recall(tx, world)
    tell(tx, world)
    assert quote_page(tx, viewer=world.dealer, at=AT, ref=ref).revision.state is RevisionState.APPROVED
    assert all("the approval stands" in body for _, body in recalled_mails(tx))


# pages and API ----------------------------------------------------------------------------------


def test_the_price_list_shows_what_is_recalled_and_the_admin_recalls_there(client, tx, world):
    ref = world.submit(at=now())
    tx.commit()
    browser = client.sign_in(user_of(tx, world.program))
    assert "Recall" in browser.get("/prices/1").text
    assert "D3-TRIM" in browser.get("/prices/1/recalls?model=D3-TRIM").html
    asked = {"model_numbers": "D3-TRIM\nNO-SUCH", "reason": "A digit too few"}
    browser.post("/prices/1/recalls", asked, status=422)
    assert count(tx, PriceRecall) == 0
    browser.post("/prices/1/recalls", asked | {"model_numbers": "D3-TRIM"})
    page = browser.get("/prices/1/recalls")
    assert "1 dealer has a quote at one of these prices" in page.text
    assert "A digit too few" in browser.get("/prices/1").text
    page = client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}")
    assert "A list price was recalled" in page.text
    assert "Approve revision 1" not in page.text
    assert "Your turn: ask for changes" in page.text


def test_the_order_page_leaves_recalled_lines_out_and_says_why(client, tx, world):
    ref = world.approve(world.submit(at=now()), at=now())
    trim = world.line_ids(ref)[1]
    recall(tx, world)
    tx.commit()
    page = client.sign_in(user_of(tx, world.account)).get(f"/quotes/{ref}/revisions/1/order")
    assert "Typed 33.33 for 333.30" in page.text
    assert f'name="quantity-{trim}"' not in page.html


def test_the_api_recalls_lists_and_tells(client, tx, world):
    ref = world.submit(at=now())
    program, dealer = (token_of(tx, who) for who in (world.program, world.dealer))
    tx.commit()
    path = "/api/v1/price-lists/1/recalls"
    said = {"model_numbers": ["D3-TRIM"], "reason": "A digit too few"}
    client.api("POST", path, said, token=dealer, status=403)
    client.api("POST", path, said | {"model_numbers": ["NO-SUCH"]}, token=program, status=422)
    answer = client.api("POST", path, said, token=program, status=201).response.json
    assert (answer["dealers_told"], answer["dealers_to_tell"]) == (1, 0)
    assert [row["model_number"] for row in answer["items"]] == ["D3-TRIM"]
    assert client.api("GET", path, token=program).response.json == answer
    answer = client.api("GET", f"/api/v1/quotes/{ref}/revisions/1", token=dealer).response.json
    assert [row["recalled"] for row in answer["lines"]] == ["", "A digit too few", ""]
