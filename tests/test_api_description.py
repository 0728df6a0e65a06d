"""The API's description: it holds for any request, names every refusal, and the docs say the same."""

from __future__ import annotations

import inspect
import re

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from ledger.operations import disputes
from ledger.schemas import disputes as dispute_schemas
from quotes.operations import (
    cancellations,
    copies,
    decisions,
    orders,
    price_lists,
    projects,
    quotes,
    submissions,
)
from quotes.schemas import orders as order_schemas
from quotes.schemas import price_lists as price_list_schemas
from quotes.schemas import projects as project_schemas
from quotes.schemas import quotes as quote_schemas
from referral import schemas as referral_schemas
from referral.errors import REFUSALS
from referral.operations import referrals
from tests.api_docs import PLACE, openapi, operations, rendered
from tests.factories import make_world
from tests.tokens import token_of

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SETTINGS = hypothesis.settings(
    max_examples=3,
    database=None,
    derandomize=True,
    deadline=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)
"""Three requests for each of some 25 operations, the same ones in each run."""

DIGEST = {"digest": "0"}
REASON = {"reason": "x"}
VERBS = [
    (referrals.open_referral, referral_schemas.OpenReferralSchema, {"account": "A", "project_name": "a", "place": "b"}, ""),
    (referrals.accept_referral, referral_schemas.AcceptReferralSchema, {}, "ref"),
    (referrals.refuse_referral, referral_schemas.RefuseReferralSchema, REASON, "ref"),
    (referrals.withdraw_referral, referral_schemas.WithdrawReferralSchema, REASON, "ref"),
    (price_lists.publish_price_list, price_list_schemas.PublishPriceListSchema, {"valid_from": "2026-01-01", "source": "s", "items": [
        {"model_number": "a", "description": "b", "category": "other", "unit": "c", "list_price": "1.00"}]}, "source_sha256"),
    (quotes.start_quote, quote_schemas.StartQuoteSchema, {}, "referral_ref"),
    (quotes.start_revision, quote_schemas.StartRevisionSchema, {}, "ref"),
    (quotes.save_draft, quote_schemas.SaveDraftSchema, {"lines": []}, "ref revision_number is_autosave"),
    (copies.copy_lines, quote_schemas.CopyLinesSchema, {"source": "Q-A-1"}, "ref"),
    (submissions.submit_revision, quote_schemas.SubmitRevisionSchema, {}, "ref revision_number"),
    (decisions.approve_revision, quote_schemas.ApproveRevisionSchema, DIGEST | {"account_number": "1", "name": "a"},
     "ref revision_number evidence"),
    (decisions.request_changes, quote_schemas.RequestChangesSchema, DIGEST, "ref revision_number"),
    (decisions.decline_revision, quote_schemas.DeclineRevisionSchema, DIGEST, "ref revision_number"),
    (orders.place_order, order_schemas.PlaceOrderSchema, {}, "ref revision_number idempotency_key"),
    (cancellations.cancel_order, order_schemas.CancelOrderSchema, REASON, "ref idempotency_key"),
    (projects.set_milestone, project_schemas.SetMilestoneSchema, {"number": 0}, "ref kind"),
    (projects.add_trade, project_schemas.AddTradeSchema, {"trade": "a", "name": "b"}, "ref"),
    (projects.change_trade, project_schemas.ChangeTradeSchema, {"trade": "a", "name": "b", "version": 1}, "ref trade_id"),
    (projects.remove_trade, project_schemas.RemoveTradeSchema, {"version": 1}, "ref trade_id"),
    (disputes.open_dispute, dispute_schemas.OpenDisputeSchema, REASON | {
        "dealer": "A", "year": 2026, "account": "sales_credit", "sequence": 1}, "idempotency_key"),
    (disputes.answer_dispute, dispute_schemas.AnswerDisputeSchema, {"outcome": "dismissed", "words": "x"}, "ref"),
    (disputes.withdraw_dispute, dispute_schemas.WithdrawDisputeSchema, {}, "ref"),
]  # fmt: skip
"""operation, its schema, the least that the schema takes, what the door adds besides actor and at."""
NAMED = [pytest.param(*verb, id=verb[0].__name__) for verb in VERBS]


@pytest.mark.parametrize(("operation", "schema", "least", "added"), NAMED)
def test_what_a_schema_loads_is_what_its_operation_takes(operation, schema, least, added):
    takes = {
        name
        for name, each in inspect.signature(operation).parameters.items()
        if each.kind is each.KEYWORD_ONLY
    }
    assert schema().load(least).keys() | {"actor", "at", *added.split()} == takes


@pytest.mark.sqlite_only("the description is the same on both")
def test_every_refusal_an_operation_raises_is_described(app):
    described = {
        operation["summary"]: " ".join(answer["description"] for answer in operation["responses"].values())
        for _, _, operation in operations(openapi(app))
    }
    for operation, *_ in VERBS:
        view = next(
            view for name, view in app.view_functions.items() if name.endswith(f"_api.{operation.__name__}")
        )
        text = described[(view.__doc__ or "").strip()]
        raised = set(re.findall(r"\(([a-z_]+)\)", operation.__doc__ or "")) & REFUSALS.keys()
        assert not [code for code in raised if f"`{code}`" not in text], operation.__name__


KEYED = (
    "/orders", "/shipments", "/cancellations", "/returns", "/replacements", "/disputes", "/claims", "/agreements",
    "/renewal", "/calls", "/uses", "/top-ups", "/visits",
)  # fmt: skip
"""What is made by these, or put down by them, has a key: sent twice it counts once."""
SEEN = {"order:view", "credit:view", "source:view", "support:view"}
UNITS = {(name, "amount") for name in ("SubLimitAnswer", "TopUpAgreement", "Option", "Entitlement")}
"""Amounts of a quota, which are counts; money is a text."""


@pytest.mark.sqlite_only("the description is the same on both")
def test_the_description_says_how_things_are_sent(app):
    described = openapi(app)
    assert described["openapi"] == "3.1.0"
    assert described["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}
    for path, _, operation in operations(described):
        keyed = any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
        assert keyed == path.endswith(KEYED) or operation["x-permission"] in SEEN
        assert operation.get("security") == ([] if path.endswith("/tokens") else None)
    for name, schema in described["components"]["schemas"].items():
        assert schema["additionalProperties"] is False, name
        for field, said in schema["properties"].items():
            assert "number" not in str(said.get("type")), f"{name}.{field}"
            if any(word in field for word in ("amount", "price", "credit", "total", "balance")):
                is_money = field != "price_list" and (name, field) not in UNITS
                assert said.get("type") != "integer" or not is_money, f"{name}.{field}"


@pytest.mark.sqlite_only("the docs are the same on both")
def test_the_docs_say_what_the_code_does(app):
    assert PLACE.read_text(encoding="utf-8") == rendered(app), "run python -m tests.api_docs"


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_any_request_gets_an_answer_that_is_described(app, tx, mode):
    world = make_world(tx)
    world.order()
    world.submit()
    headers = {"Authorization": f"Bearer {token_of(tx, world.program)}"}
    tx.commit()
    schema = schemathesis.openapi.from_dict(openapi(app))
    schema.app = app
    seen = []

    def ask(case):
        seen.append(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

    for found in schema.get_all_operations():
        cases = found.ok().as_strategy(generation_mode=mode)
        SETTINGS(hypothesis.given(case=cases)(ask))()
    assert len(seen) > 50
    assert not [status for status in seen if status >= 500]
    assert mode is GenerationMode.NEGATIVE or 200 in seen
    assert {404, 422} <= set(seen)
