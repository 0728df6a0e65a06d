"""A project from referral to credit and back, through the JSON API alone."""

from __future__ import annotations

import pytest

from referral.clock import now
from referral.models import Company
from referral.permissions import Role
from referral.signin import make_password_hash
from tests.factories import PASSWORD, make_account, make_dealer, make_program, make_user
from tests.tokens import token_of

ATTESTED = {"suitable": True, "reviewed": True, "complete": True, "account_number": True}
ITEMS = [
    {"model_number": "d3-light", "description": "Light", "category": "light_source", "unit": "each", "list_price": "412.50"},
    {"model_number": "D3-TRIM", "description": "Trim", "category": "accessory", "unit": "each", "list_price": "33.33"},
    {"model_number": "PROC-1", "description": "Processor", "category": "control", "unit": "each", "list_price": "1200.00"},
]  # fmt: skip
LINES = [
    {"model_number": "D3-LIGHT", "quantity": 3, "room": "Kitchen", "list_price": "412.50"},
    {"model_number": "d3-trim", "quantity": 3, "room": "Kitchen"},
    {"model_number": "PROC-1", "quantity": 1},
]
YEAR = now().year


@pytest.fixture
def people(client, tx):
    """Tokens of the program's admin, the dealer's approver and the account's builder."""
    program = make_program(tx)
    dealer = make_dealer(tx, program, number="0048-1234", code="HARBOR")
    make_user(
        tx,
        tx.get_one(Company, dealer.company_id),
        Role.DEALER_APPROVER,
        name="Ann Harbor",
        email="ann@harbor.example",
        password_hash=make_password_hash(PASSWORD),
    )
    builder = make_account(tx, program, code="GLOW")
    sign_in = {"email": "Ann@Harbor.example", "password": PASSWORD}
    made = client.api("POST", "/api/v1/tokens", sign_in, status=201).json
    assert made["user"] == {"name": "Ann Harbor", "company": "HARBOR", "roles": ["dealer_approver"]}
    return {"admin": token_of(tx, program), "dealer": made["token"], "builder": token_of(tx, builder)}


def test_a_referred_project_becomes_credit_by_program_alone(client, people):
    """Each entry of Harbor's account:

    order         two lights, three trims, and a processor that earns nothing    +924.99
    cancellation  the three trims                                                 -99.99
    order         the light that is left, and the trims again                    +512.49
    """

    def call(who, method, path, body=None, status=200, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = client.api(method, f"/api/v1{path}", body, token=people[who], status=status, headers=names)
        return answer.json

    price_list = {"valid_from": f"{YEAR}-01-01", "source": "list.json", "items": ITEMS}
    assert call("admin", "POST", "/price-lists", price_list, 201)["version"] == 1
    assert [
        item["model_number"] for item in call("builder", "GET", "/price-lists/1/items?words=d3")["items"]
    ] == [
        "D3-LIGHT",
        "D3-TRIM",
    ]

    assert [account["id"] for account in call("dealer", "GET", "/accounts")["items"]] == ["GLOW"]
    project = {"account": "GLOW", "project_name": "Marsh house", "place": "Camden, ME", "is_suitable": True}
    referral = call("dealer", "POST", "/referrals", project, 201)["id"]
    assert referral == "R-HARBOR-1"
    assert call("builder", "POST", f"/referrals/{referral}/accept")["state"] == "accepted"
    assert call("dealer", "GET", "/referrals?state=accepted")["items"][0]["id"] == referral

    quote = call("builder", "POST", f"/referrals/{referral}/quotes", status=201)["id"]
    revision = f"/quotes/{quote}/revisions/1"
    draft = {"account_number": "00481234", "lines": LINES, "has_no_services": True}
    saved = call("builder", "PUT", revision, draft | {"draft_version": 1})
    call("dealer", "GET", f"/quotes/{quote}", status=404)
    assert (
        call("builder", "POST", f"{revision}/submit", {"draft_version": saved["draft_version"]})["state"]
        == "submitted"
    )

    page = call("dealer", "GET", revision)
    assert page["totals"]["products"] == "2537.49"
    assert page["credit"] == "1337.49"
    assert call("builder", "GET", revision)["credit"] is None
    lights, trims, processor = (line["line_id"] for line in page["lines"])
    words = {
        "digest": page["digest"],
        "attestations": ATTESTED,
        "account_number": "0048-1234",
        "name": "Ann Harbor",
    }
    assert call("dealer", "POST", f"{revision}/approve", words)["state"] == "approved"
    assert call("dealer", "POST", f"{revision}/approve", words)["approval"]["digest"] == page["digest"]

    part = {
        "purchase_order": "PO-7",
        "lines": [
            {"line_id": lights, "quantity": 2},
            {"line_id": trims, "quantity": 3},
            {"line_id": processor, "quantity": 1},
        ],
    }
    order = call("builder", "POST", f"{revision}/orders", part, 201, Idempotency_Key="k-1")
    assert (order["id"], order["key"], order["amount"], order["dealer"]) == (
        "O-HARBOR-1",
        "k-1",
        "2124.99",
        "HARBOR",
    )
    assert call("builder", "POST", f"{revision}/orders", part, 201, Idempotency_Key="k-1") == order

    taken = {"reason": "Wrong trim", "lines": [{"line_id": trims, "quantity": 3}]}
    place = f"/orders/{order['id']}/cancellations"
    cancelled = call("builder", "POST", place, taken, 201, Idempotency_Key="c-1")
    assert cancelled["amount"] == "99.99"
    assert call("builder", "POST", place, taken, 201, Idempotency_Key="c-1") == cancelled
    assert call("builder", "POST", f"{revision}/orders", part, 201, Idempotency_Key="k-1") == order
    rest = call("builder", "POST", f"{revision}/orders", {}, 201, Idempotency_Key="k-2")
    assert rest["amount"] == "512.49"

    listed = call("dealer", "GET", "/orders")["items"]
    assert [(row["id"], row["credit"], row["state"]) for row in listed] == [
        ("O-HARBOR-2", "512.49", "entered"),
        ("O-HARBOR-1", "924.99", "part_cancelled"),
    ]
    assert {row["credit"] for row in call("builder", "GET", "/orders")["items"]} == {None}
    shown = call("dealer", "GET", f"/orders/{order['id']}")
    assert [(line["cancelled"], line["reversed"]) for line in shown["lines"]] == [
        (0, "0.00"),
        (3, "99.99"),
        (0, "0.00"),
    ]
    assert call("builder", "GET", f"/orders/{order['id']}")["cancellations"][0]["credit"] is None

    credits_ = call("dealer", "GET", f"/credits?year={YEAR}")["items"]
    assert [(row["order"], row["kind"], row["amount"], row["balance"]) for row in credits_] == [
        ("O-HARBOR-1", "order", "924.99", "924.99"),
        ("O-HARBOR-1", "cancellation", "-99.99", "825.00"),
        ("O-HARBOR-2", "order", "512.49", "1337.49"),
    ]
    assert credits_[2]["account"] == {"dealer": "HARBOR", "year": YEAR, "kind": "sales_credit", "sequence": 3}
    for who in ("dealer", "admin"):
        (balance,) = call(who, "GET", "/balances")["items"]
        assert (balance["dealer"], balance["sales_credit"], balance["total"]) == (
            "HARBOR",
            "1337.49",
            "1337.49",
        )
    call("builder", "GET", "/balances", status=403)
