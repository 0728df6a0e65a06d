"""The API's promises that hold for every endpoint, and tokens and referrals."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from referral.apikit import BODY_BYTES
from referral.models import ApiToken, AuditEvent, Referral
from referral.permissions import Role
from referral.signin import make_password_hash
from tests.factories import PASSWORD, make_account, make_dealer, make_program, make_user, make_world, user_of
from tests.tokens import token_of

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def program(tx):
    return make_program(tx)


@pytest.fixture
def dealer(tx, program):
    return make_dealer(tx, program)


@pytest.fixture
def call(client, tx, dealer):
    """Call the API as the dealer; no answer is anything but JSON or problem+json."""
    token = token_of(tx, dealer)

    def call(method, path, body=None, status=200, **options):
        answer = client.api(method, path, body, token=token, status=status, **options).response
        assert answer.mimetype == ("application/json" if status < 400 else "application/problem+json")
        if status >= 400:
            assert answer.json["status"] == status
            assert {"type", "title", "code", "detail"} <= answer.json.keys()
        return answer

    return call


def raw(call, data, status, path="/api/v1/referrals", headers=JSON):
    return call("POST", path, status=status, data=data, headers=headers).json


REFERRAL = {"account": "GLOW", "project_name": "House", "place": "Camden", "is_suitable": True}


# errors -----------------------------------------------------------------------------------------


def test_errors_outside_the_api_stay_pages(client, tx, dealer):
    client.sign_in(user_of(tx, dealer))
    for path, method, status in (("/nowhere", "GET", 404), ("/help", "POST", 405), ("/apis", "GET", 404)):
        page = client.open(method, path, status=None, data={"csrf_token": client.token()})
        assert page.status == status
        assert page.response.mimetype == "text/html"


def test_errors_under_the_api_are_problems(call):
    assert call("GET", "/api/v1/nowhere", status=404).json["code"] == "not_found"
    assert call("GET", "/api/v1/referrals/R-NOBODY-1", status=404).json["code"] == "not_found"
    assert call("GET", "/api/v1/referrals/r-harbor-1", status=404).json["code"] == "not_found"


def test_a_wrong_method_keeps_its_allow_header(call):
    assert {"GET", "POST"} <= set(
        call("DELETE", "/api/v1/referrals", status=405).headers["Allow"].split(", ")
    )


def test_a_request_without_a_token_is_asked_for_one(client, tx, dealer):
    for headers in (
        {},
        {"Authorization": "Bearer no"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
    ):
        answer = client.api("GET", "/api/v1/me", status=401, headers=headers)
        assert answer.json["code"] == "sign_in_failed"
        assert answer.response.headers["WWW-Authenticate"] == "Bearer"


def test_cookies_are_not_looked_at(client, tx, dealer):
    client.sign_in(user_of(tx, dealer))
    client.get("/")
    client.api("GET", "/api/v1/me", status=401)
    client.api("POST", "/api/v1/referrals", REFERRAL, status=401)


def test_a_permission_that_is_not_there_is_forbidden(client, tx, program):
    token = token_of(tx, program)
    assert (
        client.api("POST", "/api/v1/referrals", REFERRAL, token=token, status=403).json["code"] == "forbidden"
    )


# bodies and query strings -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"NaN", 400),
        (b'{"place": Infinity}', 400),
        (b'{"place": "a", "place": "b"}', 400),
        (b"[" * 100_000, 400),
        (b'{"wanted_on": ' + b"9" * 5000 + b"}", 400),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"{}", 422),
    ],
)
def test_a_body_that_is_no_object_of_ours_is_a_problem(call, tx, data, status):
    raw(call, data, status)
    assert not tx.scalars(sa.select(Referral)).all()


def test_a_body_of_another_type_is_a_problem(call):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        raw(call, json.dumps(REFERRAL), 415, headers={"Content-Type": kind})
    raw(call, b"x=1", 415, headers={})


def test_a_body_that_is_too_large_is_a_problem(call):
    assert raw(call, b'"' + b"x" * BODY_BYTES + b'"', 413)["code"] == "http_error"


def test_unknown_fields_are_refused_and_named(call):
    answer = raw(call, json.dumps(REFERRAL | {"discount": "5.00", "x" * 5000: 1}), 422)
    assert answer["code"] == "invalid_input"
    assert {problem["field"][:100] for problem in answer["problems"]} == {"discount", "x" * 100}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/referrals?stat=open", "stat"),
        ("/api/v1/referrals?state=open&state=open", "state"),
        ("/api/v1/referrals?state=lost", "state"),
        ("/api/v1/referrals?limit=0", "limit"),
        ("/api/v1/referrals?limit=201", "limit"),
        ("/api/v1/referrals?limit=1e2", "limit"),
        ("/api/v1/referrals?limit=%D9%A1", "limit"),
        ("/api/v1/referrals?after=x", "after"),
        ("/api/v1/me?verbose=1", "verbose"),
        ("/api/v1/orders?year=2026", "year"),
        ("/api/v1/credits?year=99999999999999999999", "year"),
        ("/api/v1/credits?after=HARBOR.2026.issuance.1", "after"),
        ("/api/v1/balances?after=%00", ""),
    ],
)
def test_a_query_parameter_that_is_unknown_repeated_or_wrong_is_refused(call, path, field):
    answer = call("GET", path, status=422 if field else 404).json
    assert answer["code"] == ("invalid_input" if field else "not_found")
    assert answer.get("field", "") == field


@pytest.mark.parametrize(
    "changed",
    [
        {"project_name": ""},
        {"project_name": " \u0000\u200b "},
        {"project_name": 5},
        {"project_name": None},
        {"project_name": "x" * 201},
        {"spaces": "x" * 10_000},
        {"is_suitable": 1},
        {"is_suitable": "true"},
        {"wanted_on": "2026-02-30"},
        {"wanted_on": "21.11.2026"},
        {"wanted_on": "1999-12-31"},
        {"wanted_on": 20261121},
        {"wanted_on": "２０２６-01-01"},
    ],
)
def test_a_field_of_another_shape_is_refused_and_named(call, tx, changed):
    answer = raw(call, json.dumps(REFERRAL | changed), 422)
    assert (answer["code"], answer["field"]) == ("invalid_input", next(iter(changed)))
    assert not tx.scalars(sa.select(Referral)).all()


def test_texts_are_cleaned_as_forms_clean_them(client, call, tx, program):
    make_account(tx, program, code="GLOW")
    odd = {"project_name": " Hill \u0000 \ud800 house \U0001f3e0 ", "spaces": "Hall\r\n  Den\u202e "}
    place = raw(call, json.dumps(REFERRAL | odd), 201)["id"]
    shown = call("GET", f"/api/v1/referrals/{place}").json
    assert (shown["project_name"], shown["spaces"]) == ("Hill house \U0001f3e0", "Hall\nDen")


# tokens -----------------------------------------------------------------------------------------


def sign_in(client, email, password, status=401):
    return client.api("POST", "/api/v1/tokens", {"email": email, "password": password}, status=status).json


def test_a_token_is_given_for_the_right_password_alone(client, tx, program, dealer):
    company = user_of(tx, program).company_id
    person = make_user(
        tx,
        type("Company", (), {"id": company, "code": "X"}),
        Role.PROGRAM_AUDITOR,
        email="eve@program.example",
        password_hash=make_password_hash(PASSWORD),
    )
    wrong = sign_in(client, person.email, "something else")
    unknown = sign_in(client, "nobody@program.example", "something else")
    without = sign_in(client, dealer.email, "something else")
    assert wrong == unknown == without
    assert wrong["code"] == "sign_in_failed"
    for odd in ("\u0000", "\ud800", "x" * 201, ""):
        assert sign_in(client, person.email, odd, 422)["field"] == "password"
    assert not tx.scalars(sa.select(ApiToken)).all()

    made = sign_in(client, person.email, PASSWORD, 201)
    assert made["user"]["roles"] == ["program_auditor"]
    me = client.api("GET", "/api/v1/me", token=made["token"]).json
    assert me["email"] == person.email
    assert "audit:view" in me["permissions"]
    assert tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "api_token.issued")).one()
    assert made["token"] not in {row.token_digest for row in tx.scalars(sa.select(ApiToken))}


# referrals --------------------------------------------------------------------------------------


def test_a_referral_of_others_is_not_there(client, tx):
    world = make_world(tx)
    ref = world.refer()
    other = token_of(tx, make_dealer(tx, world.program))
    client.api("GET", f"/api/v1/referrals/{ref}", token=other, status=404)
    client.api("POST", f"/api/v1/referrals/{ref}/withdraw", {"reason": "Mine"}, token=other, status=404)
    assert client.api("GET", "/api/v1/referrals", token=other).json == {"items": [], "next": None}
    shown = client.api("GET", f"/api/v1/referrals/{ref}", token=token_of(tx, world.account)).json
    assert (shown["client_name"], shown["state"]) == ("", "accepted")


def test_an_answer_without_a_reason_or_to_a_closed_referral_is_refused(client, tx):
    world = make_world(tx)
    ref, account, dealer = world.refer(), token_of(tx, world.account), token_of(tx, world.dealer)
    place = f"/api/v1/referrals/{ref}"
    assert (
        client.api("POST", f"{place}/refuse", {}, token=account, status=422).json["code"] == "reason_required"
    )
    closed = client.api("POST", f"{place}/accept", token=account, status=409).json
    assert closed["code"] == "referral_closed"
    closed = client.api("POST", f"{place}/withdraw", {"reason": "Late"}, token=dealer, status=409).json
    assert closed["code"] == "referral_closed"
    client.api("POST", f"{place}/accept", {"reason": "x"}, token=account, status=422)


def test_a_list_goes_on_after_its_cursor(client, tx):
    world = make_world(tx)
    refs = [world.refer() for _ in range(5)]
    token, seen, after = token_of(tx, world.dealer), [], ""
    while True:
        page = client.api("GET", f"/api/v1/referrals?limit=2{after}", token=token).json
        seen += [row["id"] for row in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == refs[::-1]


OPENING = {
    "project": {"project_name": "Boat House", "place": "Camden, ME", "is_suitable": True},
}


def test_two_accounts_for_one_project_are_parked_and_chosen_between(client, tx):
    world = make_world(tx)
    dealer, other = token_of(tx, world.dealer), make_account(tx, world.program)
    said = OPENING["project"] | {"account": world.account.company_code}
    first = client.api("POST", "/api/v1/referrals", said, token=dealer, status=201).json
    again = said | {"account": other.company_code}
    parked = client.api("POST", "/api/v1/referrals", again, token=dealer, status=201).json
    assert (first["state"], parked["state"]) == ("open", "parked")
    theirs = token_of(tx, other)
    place = f"/api/v1/referrals/{parked['id']}"
    client.api("GET", place, token=theirs, status=404)
    client.api("POST", f"{place}/choose", {}, token=dealer, status=422)
    stale = {"reason": "Nearer", "instead_of": "R-X-9"}
    client.api("POST", f"{place}/choose", stale, token=dealer, status=409)
    chosen = client.api("POST", f"{place}/choose", {"reason": "Nearer"}, token=dealer).json
    assert chosen == {"id": parked["id"], "state": "open"}
    assert client.api("GET", place, token=theirs).json["days_left"] == 30
    client.api("POST", f"{place}/pass-over", {"reason": "Late"}, token=dealer, status=409)
    client.api("POST", f"{place}/choose", {"reason": "Mine"}, token=theirs, status=403)


def test_the_program_continues_and_reassigns_a_referral(client, tx):
    world = make_world(tx)
    place, program = f"/api/v1/referrals/{world.refer()}", token_of(tx, world.program)
    granted = {"last_on": "2098-01-01", "reason": "Installed"}
    answer = client.api("POST", f"{place}/continue", granted, token=program).json
    assert answer["last_on"] == "2098-01-01"
    past = client.api(
        "POST", f"{place}/continue", granted | {"last_on": "2020-01-01"}, token=program, status=422
    )
    assert past.json["field"] == "last_on"
    other = make_account(tx, world.program)
    said = {"account": other.company_code, "reason": "Moved"}
    new = client.api("POST", f"{place}/reassign", said, token=program, status=201).json
    assert new["state"] == "open"
    client.api("POST", f"{place}/reassign", said, token=program, status=409)
    found = client.api("GET", "/api/v1/accounts?region=ME", token=token_of(tx, world.dealer)).json["items"]
    assert {row["id"] for row in found} == {world.account.company_code, other.company_code}
    assert not client.api("GET", "/api/v1/accounts?region=ZZ", token=token_of(tx, world.dealer)).json["items"]
