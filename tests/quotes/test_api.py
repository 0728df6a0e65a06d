"""Price lists, quotes and orders through the API: what is refused, and that nothing was saved then."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from quotes.models.orders import Cancellation, Order
from quotes.models.price_lists import PriceList
from quotes.models.quotes import Approval, Revision, RevisionLine
from quotes.models.returns import OrderReturn
from quotes.models.shipments import Shipment
from quotes.states import RevisionState
from referral.clock import now
from referral.db import read
from referral.queries.settings import today
from tests.factories import make_dealer, make_world
from tests.tokens import token_of

ITEM = {
    "model_number": "X-1",
    "description": "Lamp",
    "family": "X",
    "category": "light_source",
    "unit": "each",
    "list_price": "10.00",
    "goes_with": "",
}
LINE = {"model_number": "D3-LIGHT", "quantity": 1}


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def call(client, tx, world):
    """Call the API as "program", "dealer" or "account"; returns the JSON."""
    tokens = {who: token_of(tx, getattr(world, who)) for who in ("program", "dealer", "account")}

    def call(who, method, path, body=None, status=200, **options):
        answer = client.api(method, f"/api/v1{path}", body, token=tokens[who], status=status, **options)
        return answer.json

    return call


def keyed(key):
    return {"headers": {"Idempotency-Key": key}}


# price lists ------------------------------------------------------------------------------------


def test_publish_price_list_keeps_every_item_and_the_digest_of_its_source(call, tx):
    said = {"valid_from": "2027-01-01", "source": "list.json", "items": [ITEM]}
    made = call("program", "POST", "/price-lists", said, 201)
    assert (made["version"], made["item_count"], len(made["source_sha256"])) == (2, 1, 64)
    assert call("dealer", "GET", "/price-lists/2/items")["items"] == [ITEM]
    assert call("program", "POST", "/price-lists", said, 409)["code"] == "price_list_date_taken"
    call("dealer", "POST", "/price-lists", said, 403)


@pytest.mark.parametrize(
    "price",
    [
        "10",
        "10.5",
        "10.555",
        "1e3",
        "-1.00",
        "+1.00",
        "NaN",
        "sNaN",
        "Infinity",
        "1_0.00",
        "1,000.00",
        "１.00",
        "1.00\n",
        "100000000000.00",
        10,
        10.5,
        True,
        None,
        ["1.00"],
    ],
)
def test_a_price_that_is_no_text_with_two_decimals_is_refused(call, tx, price):
    said = {
        "valid_from": "2027-01-01",
        "source": "list.json",
        "items": [ITEM, ITEM | {"model_number": "X-2", "list_price": price}],
    }
    answer = call("program", "POST", "/price-lists", said, 422)
    assert answer["field"] == "items-1-list_price"
    assert len(tx.scalars(sa.select(PriceList)).all()) == 1


def test_a_model_number_that_stands_twice_is_refused_at_its_second_place(call):
    said = {
        "valid_from": "2027-01-01",
        "source": "list.json",
        "items": [ITEM, ITEM | {"model_number": " x-1 "}],
    }
    assert call("program", "POST", "/price-lists", said, 422)["field"] == "items-1-model_number"


def test_price_items_go_on_after_their_cursor(call):
    page = call("account", "GET", "/price-lists/1/items?limit=3")
    assert page["next"] == "L3I-STRIP"
    assert [
        item["model_number"]
        for item in call("account", "GET", f"/price-lists/1/items?after={page['next']}")["items"]
    ] == ["PROC-1"]
    call("account", "GET", "/price-lists/7/items", status=404)
    call("account", "GET", f"/price-lists/{'9' * 40}/items", status=404)


# drafts -----------------------------------------------------------------------------------------


def lines_of(tx):
    return [(line.model_number, line.quantity) for line in tx.scalars(sa.select(RevisionLine))]


@pytest.mark.parametrize("quantity", [1.5, True, "5", 1e9, 1_000_000_000, 0, -1, None, [1], 10**30])
def test_a_quantity_that_is_no_whole_number_is_refused(call, tx, world, quantity):
    ref = world.draft()
    before = lines_of(tx)
    answer = call(
        "account", "PUT", f"/quotes/{ref}/revisions/1", {"lines": [LINE, LINE | {"quantity": quantity}]}, 422
    )
    assert (answer["code"], answer["field"]) == ("invalid_input", "lines-1-quantity")
    assert lines_of(tx) == before


def test_save_draft_refuses_what_is_not_list_price_and_names_the_line(call, tx, world):
    ref = world.draft()
    before = lines_of(tx)
    lines = [LINE, LINE | {"list_price": "400.00"}, LINE | {"model_number": "NO-1"}]
    answer = call("account", "PUT", f"/quotes/{ref}/revisions/1", {"lines": lines}, 422)
    assert answer["code"] == "not_list_price"
    assert [(problem["code"], problem["field"]) for problem in answer["problems"]] == [
        ("not_list_price", "lines-1-list_price"),
        ("model_number_unknown", "lines-2-model_number"),
    ]
    assert lines_of(tx) == before


def test_save_draft_refuses_a_stale_version_a_discount_and_a_submitted_revision(call, tx, world):
    ref = world.draft()
    place = f"/quotes/{ref}/revisions/1"
    assert call("account", "PUT", place, {"lines": [LINE], "draft_version": 1}, 409)["code"] == "stale_draft"
    call("account", "PUT", place, {"lines": [LINE | {"discount": "1.00"}]}, 422)
    call("dealer", "PUT", place, {"lines": [LINE]}, 403)
    world.submit(ref)
    assert call("account", "PUT", place, {"lines": [LINE]}, 409)["code"] == "revision_immutable"
    assert call("account", "POST", f"{place}/submit", status=409)["code"] == "revision_immutable"


def test_save_draft_carries_a_line_on_and_keeps_services(call, world):
    ref = world.draft()
    place = f"/quotes/{ref}/revisions/1"
    line_id = str(world.line_ids(ref)[0])
    service = {"kind": "install", "description": "Installation", "amount": "250.00"}
    call("account", "PUT", place, {"lines": [LINE | {"line_id": line_id}], "services": [service]})
    page = call("account", "GET", place)
    assert (page["lines"][0]["line_id"], page["lines"][0]["list_price"]) == (line_id, "412.50")
    assert (page["services"], page["services_state"], page["totals"]["all"]) == (
        [service],
        "proposed",
        "662.50",
    )


def test_a_draft_is_its_accounts_alone(call, client, tx, world):
    ref = world.draft()
    for who in ("dealer", "program"):
        call(who, "GET", f"/quotes/{ref}", status=404)
        assert call(who, "GET", "/quotes")["items"] == []
    assert call("account", "GET", "/quotes?state=draft")["items"][0]["id"] == ref
    for number in ("0", "2", "x", "9" * 5000):
        call("account", "GET", f"/quotes/{ref}/revisions/{number}", status=404)


# decisions --------------------------------------------------------------------------------------


def approval(world, ref, **changes):
    words = dict.fromkeys(("suitable", "reviewed", "complete", "account_number"), True)
    said = {
        "digest": world.digest(ref),
        "attestations": words,
        "account_number": world.number,
        "name": world.dealer.name,
    }
    return said | changes


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"digest": "0" * 64}, 409, "digest_mismatch"),
        ({"digest": "\ud800"}, 409, "digest_mismatch"),
        ({"attestations": {"suitable": True}}, 422, "attestation_missing"),
        ({"attestations": {}}, 422, "attestation_missing"),
        ({"attestations": {"suitable": "yes"}}, 422, "invalid_input"),
        ({"attestations": {"all": True}}, 422, "invalid_input"),
        ({"account_number": "0048-0000"}, 422, "typed_account_mismatch"),
        ({"name": "Somebody else"}, 422, "typed_name_mismatch"),
        ({"approved": True}, 422, "invalid_input"),
    ],
)
def test_approve_revision_refuses(call, tx, world, changes, status, code):
    ref = world.submit(at=now())
    said = approval(world, ref, **changes)
    assert call("dealer", "POST", f"/quotes/{ref}/revisions/1/approve", said, status)["code"] == code
    assert not tx.scalars(sa.select(Approval)).all()


def test_approve_revision_is_for_the_quotes_dealer(call, client, tx, world):
    ref = world.submit(at=now())
    place = f"/quotes/{ref}/revisions/1/approve"
    call("account", "POST", place, approval(world, ref), 403)
    other = token_of(tx, make_dealer(tx, world.program))
    client.api("POST", f"/api/v1{place}", approval(world, ref), token=other, status=404)
    old = world.submit(at=now() - timedelta(days=60))
    assert (
        call("dealer", "POST", f"/quotes/{old}/revisions/1/approve", approval(world, old), 409)["code"]
        == "quote_expired"
    )
    assert not tx.scalars(sa.select(Approval)).all()


def test_request_changes_and_decline_need_a_reason_and_keep_remarks(call, tx, world):
    ref = world.submit(at=now())
    place, line_id = f"/quotes/{ref}/revisions/1", str(world.line_ids(ref)[0])
    digest = {"digest": world.digest(ref)}
    for verb in ("request-changes", "decline"):
        assert call("dealer", "POST", f"{place}/{verb}", digest, 422)["code"] == "reason_required"
    remark = {"line_id": line_id, "text": "Twelve, please"}
    call("dealer", "POST", f"{place}/request-changes", digest | {"remarks": [remark, remark]}, 422)
    call("dealer", "POST", f"{place}/request-changes", digest | {"remarks": [remark | {"line_id": "x"}]}, 422)
    sent = call("dealer", "POST", f"{place}/request-changes", digest | {"remarks": [remark]})
    assert sent["state"] == "changes_requested"
    assert call("account", "GET", place)["lines"][0]["remarks"] == ["Twelve, please"]
    assert call("dealer", "POST", f"{place}/decline", digest | {"reason": "No"}, 409)["code"] == "not_pending"
    assert call("account", "POST", f"/quotes/{ref}/revisions", status=201)["revision"] == 2


# orders -----------------------------------------------------------------------------------------


@pytest.fixture
def approved(world):
    ref = world.submit(at=now())
    world.approval(ref, at=now())
    return ref


def test_place_order_needs_a_key_and_refuses_it_with_other_content(call, tx, world, approved):
    place = f"/quotes/{approved}/revisions/1/orders"
    assert call("account", "POST", place, {}, 422)["code"] == "idempotency_key_missing"
    for odd in ("x" * 201, "a b", "ä"):
        assert call("account", "POST", place, {}, 422, **keyed(odd))["field"] == "idempotency_key"
    call("account", "POST", place, None, 400, **keyed("k"))
    assert not tx.scalars(sa.select(Order)).all()
    first = call("account", "POST", place, {"purchase_order": "PO"}, 201, **keyed("k"))
    same = {"purchase_order": "PO", "lines": None}
    assert call("account", "POST", place, same, 201, **keyed("k")) == first
    assert call("account", "POST", place, {"purchase_order": "PO"}, 201, **keyed(" k ")) == first
    assert call("account", "POST", place, {}, 422, **keyed("k"))["code"] == "idempotency_key_reused"
    assert len(tx.scalars(sa.select(Order)).all()) == 1


def test_place_order_refuses_more_than_approved_foreign_and_doubled_lines(call, tx, world, approved):
    place, line_id = f"/quotes/{approved}/revisions/1/orders", str(world.line_ids(approved)[0])
    foreign = str(world.line_ids(world.submit(at=now()))[0])
    for lines, status, code in (
        ([], 422, "empty_order"),
        ([{"line_id": line_id, "quantity": 11}], 409, "exceeds_approved_qty"),
        ([{"line_id": foreign, "quantity": 1}], 409, "not_on_revision"),
        ([{"line_id": line_id, "quantity": 1}] * 2, 422, "invalid_input"),
        ([{"line_id": line_id, "quantity": 1e9}], 422, "invalid_input"),
        ([{"line_id": 5, "quantity": 1}], 422, "invalid_input"),
    ):
        assert call("account", "POST", place, {"lines": lines}, status, **keyed("k"))["code"] == code
    waiting = world.submit(at=now())
    answer = call("account", "POST", f"/quotes/{waiting}/revisions/1/orders", {}, 409, **keyed("k"))
    assert answer["code"] == "revision_not_approved"
    call("dealer", "POST", place, {}, 403, **keyed("k"))
    assert not tx.scalars(sa.select(Order)).all()


def test_twenty_orders_at_once_with_one_key_are_one_order_and_one_answer(at_once, app, tx, world, approved):
    token = token_of(tx, world.account)

    def order():
        answer = app.test_client().post(
            f"/api/v1/quotes/{approved}/revisions/1/orders",
            json={},
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "k"},
        )
        return answer.status_code, answer.get_data()

    answers = at_once(order)
    assert {status for status, _ in answers} == {201}
    assert len({body for _, body in answers}) == 1
    assert len(tx.scalars(sa.select(Order)).all()) == 1


def test_cancel_order_refuses_without_reason_and_more_than_ordered(call, tx, world, approved):
    order = call("account", "POST", f"/quotes/{approved}/revisions/1/orders", {}, 201, **keyed("k"))
    place, line_id = f"/orders/{order['id']}/cancellations", str(world.line_ids(approved)[0])
    said = {"reason": "Wrong"}
    assert call("account", "POST", place, {}, 422, **keyed("c"))["code"] == "reason_required"
    assert call("account", "POST", place, said, 422)["code"] == "idempotency_key_missing"
    more = said | {"lines": [{"line_id": line_id, "quantity": 11}]}
    assert call("account", "POST", place, more, 409, **keyed("c"))["code"] == "exceeds_ordered_qty"
    call("dealer", "POST", place, said, 403, **keyed("c"))
    assert not tx.scalars(sa.select(Cancellation)).all()
    call("account", "POST", place, said, 201, **keyed("c"))
    assert (
        call("account", "POST", place, said | {"reason": "Other"}, 422, **keyed("c"))["code"]
        == "idempotency_key_reused"
    )
    assert call("account", "POST", place, said, 409, **keyed("c-2"))["code"] == "already_cancelled"


def test_shipments_and_returns_say_what_became_of_the_lines(call, tx, world, approved):
    order = call("account", "POST", f"/quotes/{approved}/revisions/1/orders", {}, 201, **keyed("k"))
    place, line_id = f"/orders/{order['id']}", str(world.line_ids(approved)[0])
    day = read(today, now()).isoformat()
    four = {"lines": [{"line_id": line_id, "quantity": 4}]}
    said = four | {"shipped_on": day, "carrier": "UPS"}
    made = call("account", "POST", f"{place}/shipments", said, 201, **keyed("s"))
    assert (made["number"], made["shipped_on"], made["carrier"], made["key"]) == (1, day, "UPS", "s")
    assert call("account", "POST", f"{place}/shipments", said, 201, **keyed("s")) == made
    back = {"reason": "defective", "words": "Flickers", "lines": [{"line_id": line_id, "quantity": 1}]}
    taken = call("account", "POST", f"{place}/returns", back, 201, **keyed("r"))
    assert (taken["amount"], taken["reason"], taken["words"]) == ("412.50", "defective", "Flickers")
    shown = call("dealer", "GET", place)
    line = next(line for line in shown["lines"] if line["line_id"] == line_id)
    assert [line[name] for name in ("quantity", "shipped", "cancelled", "returned", "open")] == [
        10,
        4,
        0,
        1,
        6,
    ]
    assert (shown["state"], line["reversed"], shown["returns"][0]["credit"]) == (
        "part_shipped",
        "412.50",
        "412.50",
    )
    assert shown["shipments"][0]["units"] == 4
    assert call("account", "GET", place)["returns"][0]["credit"] is None


def test_shipments_and_returns_refuse_and_save_nothing(call, tx, world, approved):
    order = call("account", "POST", f"/quotes/{approved}/revisions/1/orders", {}, 201, **keyed("k"))
    place, line_id = f"/orders/{order['id']}", str(world.line_ids(approved)[0])
    day = read(today, now()).isoformat()
    more = {"lines": [{"line_id": line_id, "quantity": 11}]}
    for path, said, status, code in (
        ("shipments", {}, 422, "invalid_input"),
        ("shipments", {"shipped_on": "2099-01-01"}, 422, "invalid_input"),
        ("shipments", {"shipped_on": day} | more, 409, "exceeds_ordered_qty"),
        ("returns", {"reason": "theft"}, 422, "invalid_input"),
        ("returns", {"reason": "other"}, 422, "reason_required"),
        ("returns", {"reason": "damaged"}, 409, "exceeds_returnable"),
    ):
        assert call("account", "POST", f"{place}/{path}", said, status, **keyed("x"))["code"] == code
    assert (
        call("account", "POST", f"{place}/shipments", {"shipped_on": day}, 422)["code"]
        == "idempotency_key_missing"
    )
    for path, said in (("shipments", {"shipped_on": day}), ("returns", {"reason": "damaged"})):
        call("dealer", "POST", f"{place}/{path}", said, 403, **keyed("x"))
    assert not tx.scalars(sa.select(Shipment)).all()
    assert not tx.scalars(sa.select(OrderReturn)).all()
    call("account", "POST", f"{place}/shipments", {"shipped_on": day}, 201, **keyed("s"))
    said = {"reason": "Late"}
    assert (
        call("account", "POST", f"{place}/cancellations", said, 409, **keyed("c"))["code"]
        == "already_shipped"
    )


def test_orders_and_quotes_of_others_are_not_there(client, tx, call, world, approved):
    order = call("account", "POST", f"/quotes/{approved}/revisions/1/orders", {}, 201, **keyed("k"))["id"]
    other = token_of(tx, make_dealer(tx, world.program))
    for path in (f"/orders/{order}", f"/quotes/{approved}", f"/quotes/{approved}/revisions/1"):
        client.api("GET", f"/api/v1{path}", token=other, status=404)
    assert client.api("GET", "/api/v1/orders", token=other).json["items"] == []
    assert call("program", "GET", f"/orders/{order}")["credit"] is not None
    assert json.dumps(call("account", "GET", f"/orders/{order}")).count('"credit": null') == 4
    assert tx.scalars(sa.select(Revision.state)).all() == [RevisionState.APPROVED]
