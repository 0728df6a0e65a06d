"""Bad input in every field of the quote workbench's API: a refusal, nothing saved, never a crash."""

from __future__ import annotations

import pytest

from quotes.operations.projects import add_trade
from quotes.queries.order_page import order_page
from referral.clock import now
from tests.factories import make_account, make_world
from tests.journeys.test_bad_input import (
    ACCOUNT,
    DEALER,
    PROGRAM,
    TODAY,
    new_referral,
    referred_twice,
    saved,
    shipped,
    submitted,
)
from tests.tokens import token_of

NASTY = [
    None, True, 1.5, -1, 10**30, "", "\x00Lamp\x00", "\ud800\udfff\ud800", "9" * 5_000, "1e9", "NaN", "2026-02-30", [], {},
    [None], [[]], [{}], [{"kind": {}, "line_id": "x", "quantity": 10**30}], {"": {}},
]  # fmt: skip


@pytest.fixture
def world(tx):
    return make_world(tx)


def ref_of(address):
    return address.rsplit("/", 1)[1]


def offer(world):
    said = {"kind": "install", "description": "Installation", "amount": "800.00"}
    return f"/quotes/{ref_of(submitted(world))}/revisions/1/services/offers", {
        "offer": 1,
        "services": [said],
        "note": "Less",
    }


def agreement(world):
    return f"/quotes/{ref_of(submitted(world))}/revisions/1/services/agree", {"offer": 1}


def remark(world):
    ref = ref_of(submitted(world))
    line = str(world.line_ids(ref)[0])
    return f"/quotes/{ref}/revisions/1/remarks", {"line_id": line, "text": "Is it lit?"}


def bill(world):
    text = "SKU,Qty,Room\nD3-LIGHT,4,Hall\n"
    said = {"text": text, "filename": "a.csv", "sheet": "", "heading_row": 1, "draft_version": 2}
    said |= {"columns": {"model_number": 1, "quantity": 2, "room": 3}}
    return f"/quotes/{world.draft(at=now())}/bill", said


def pasted_file(world):
    return f"/quotes/{world.draft(at=now())}/bill", {"file": "U0tVLFF0eQpEMy1MSUdIVCw0Cg==", "filename": "a"}


def copy(world):
    source, draft = world.draft(at=now()), world.draft(at=now())
    return f"/quotes/{draft}/draft/copy", {"source": source, "source_revision": 1, "draft_version": 2}


def milestone(world):
    days = dict.fromkeys(("planned_on", "forecast_on", "actual_on"), TODAY)
    return f"/projects/{world.refer(at=now())}/milestones/install", days | {
        "number": 0,
        "owner": "Jo",
        "slip_reason": "Rain",
    }


TRADE = {"trade": "Electrician", "name": "N", "contact": "", "scope": "", "agreed_on": TODAY, "done_on": None}


def trade(world):
    return f"/projects/{world.refer(at=now())}/trades", TRADE


def kept_trade(world):
    ref = world.refer(at=now())
    said = {"name": "N", "contact": "", "scope": "", "agreed_on": None, "done_on": None}
    made = add_trade(world.tx, actor=world.dealer, at=now(), ref=ref, trade="Electrician", **said)
    world.tx.flush()
    return f"/projects/{ref}/trades/{made.id}"


def changed_trade(world):
    return kept_trade(world), TRADE | {"version": 1}


def removed_trade(world):
    return f"{kept_trade(world)}/removal", {"version": 1}


def recall(_world):
    return "/price-lists/1/recalls", {"model_numbers": ["L3I-STRIP"], "reason": "Wrong"}


def replacement(world):
    ref = ref_of(shipped(world))
    line = str(order_page(world.tx, viewer=world.account, ref=ref).lines[0].line_id)
    return f"/orders/{ref}/replacements", {
        "lines": [{"line_id": line, "quantity": 1}],
        "reason": "Dark",
        "failed_on": TODAY,
    }


def chosen(world):
    return f"/referrals/{ref_of(referred_twice(world))}/choose", {"reason": "Nearer"}


def passed_over(world):
    return f"/referrals/{ref_of(referred_twice(world))}/pass-over", {"reason": "First come"}


def continued(world):
    return f"/referrals/{ref_of(new_referral(world))}/continue", {"last_on": "2098-01-01", "reason": "Begun"}


def reassigned(world):
    other = make_account(world.tx, world.program).company_code
    return f"/referrals/{ref_of(new_referral(world))}/reassign", {"account": other, "reason": "Moved away"}


CASES = [
    (DEALER, "POST", offer), (DEALER, "POST", agreement), (ACCOUNT, "POST", remark), (ACCOUNT, "POST", bill),
    (ACCOUNT, "POST", pasted_file), (ACCOUNT, "POST", copy), (ACCOUNT, "PUT", milestone), (DEALER, "POST", trade),
    (DEALER, "PUT", changed_trade), (DEALER, "POST", removed_trade), (PROGRAM, "POST", recall),
    (ACCOUNT, "POST", replacement), (DEALER, "POST", chosen), (DEALER, "POST", passed_over),
    (PROGRAM, "POST", continued), (PROGRAM, "POST", reassigned),
]  # fmt: skip


def spoilt(said):
    """Yield the body with one field after the other spoilt, of its lists the fields of the first row too."""
    for name, value in said.items():
        for bad in NASTY:
            yield said | {name: bad}
        rows = value if isinstance(value, list) else []
        for row in rows[:1]:
            for inner in row if isinstance(row, dict) else ():
                for bad in NASTY:
                    yield said | {name: [row | {inner: bad}]}
        for inner in value if isinstance(value, dict) else ():
            for bad in NASTY:
                yield said | {name: value | {inner: bad}}


@pytest.mark.parametrize(("who", "method", "make"), CASES, ids=[case[2].__name__ for case in CASES])
def test_bad_input_in_any_field_of_a_body_is_refused_or_harmless(who, method, make, client, world):
    token = token_of(world.tx, getattr(world, who))

    def begin():
        made = make(world)
        world.tx.commit()
        return *made, saved()

    def send(body, key):
        headers = {"Idempotency-Key": f"bad-{key}"}
        return client.api(method, f"/api/v1{path}", body, token=token, status=None, headers=headers)

    path, said, before = begin()
    for key, body in enumerate(spoilt(said)):
        answer = send(body, key)
        assert answer.status < 500, (body, answer.text[:300])
        if answer.status < 400:  # what the field may hold was taken: begin anew
            path, said, before = begin()
    assert saved() == before
    answer = send(said, "good")
    assert answer.status < 300, answer.text
