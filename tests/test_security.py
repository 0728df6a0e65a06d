"""What a hostile stranger tried: each test is an attack that must come to nothing."""

from __future__ import annotations

import dataclasses
import io
import re
from datetime import date
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from ledger.operations.adjustments import adjust_credit
from quotes.operations.orders import place_order
from quotes.operations.quotes import LineInput, save_draft
from quotes.operations.submissions import submit_revision
from referral.models import Company, OutgoingMail, User
from referral.money import MAX_CENTS, MAX_QUANTITY, MAX_TOTAL_CENTS, NotANumber, parse_cents, parse_quantity
from referral.operations.companies import add_company, add_qualification
from referral.operations.settings import change_setting
from referral.permissions import CompanyKind, Role
from referral.signin import make_password_hash
from tests.factories import (
    AT,
    ITEMS,
    PASSWORD,
    SINCE,
    make_dealer,
    make_price_list,
    make_user,
    make_world,
    refused,
    user_of,
)
from tests.quotes.test_operations_orders import ordering
from wsgi import CannotStart

if TYPE_CHECKING:
    from tests.factories import World

ENDLESS = "1" + ",000" * 2_000
"""A number of more digits than Python reads."""


@pytest.fixture
def world(tx) -> World:
    return make_world(tx)


# sums ---------------------------------------------------------------------------------------------


def with_absurd_prices(world: World, cents: int) -> World:
    items = [dataclasses.replace(item, list_price_cents=cents) for item in ITEMS]
    make_price_list(world.tx, world.program, items=items, valid_from=date(2021, 1, 1))
    return world


def saving(world: World, ref: str, lines: int) -> dict[str, object]:
    return {
        "actor": world.account, "at": AT, "ref": ref, "revision_number": 1, "draft_version": None,
        "account_number": world.number, "note": "", "services": [], "has_no_services": True,
        "lines": [LineInput("D3-LIGHT", MAX_QUANTITY, "")] * lines,
    }  # fmt: skip


def test_a_draft_that_adds_up_to_more_than_a_database_adds_is_refused(world, tx):
    ref = world.draft()
    with_absurd_prices(world, MAX_CENTS)
    refused(tx, "amount_too_large", save_draft, **saving(world, ref, 20))


def test_a_draft_whose_prices_rose_beyond_every_sum_is_not_submitted(world, tx):
    ref = world.draft(lines=[LineInput("D3-LIGHT", MAX_QUANTITY, "")] * 20)
    with_absurd_prices(world, MAX_CENTS)
    said = {"actor": world.account, "at": AT, "ref": ref, "revision_number": 1, "draft_version": None}
    refused(tx, "amount_too_large", submit_revision, **said)


def test_an_order_whose_credit_no_account_can_hold_is_refused(world, tx):
    year = date(AT.year, 1, 1)
    said = {"actor": world.program, "at": AT, "reason": "Letter.", "source": "Letter", "valid_to": None}
    change_setting(tx, key="credit_rate", value="999.9999", valid_from=year, **said)
    with_absurd_prices(world, MAX_CENTS)
    ref = world.approve(world.submit(lines=[LineInput("D3-LIGHT", 90, "")]))
    refused(tx, "amount_too_large", place_order, **ordering(world, ref))


def test_adjustments_stop_where_an_account_can_hold_no_more(world, tx):
    said = {
        "actor": world.program, "at": AT, "dealer_code": world.dealer.company_code,
        "effective_on": AT.date(), "amount_cents": MAX_CENTS, "reason": "Again.",
    }  # fmt: skip
    for key in range(MAX_TOTAL_CENTS // MAX_CENTS):
        adjust_credit(tx, **said, idempotency_key=f"again-{key}")
    refused(tx, "amount_too_large", adjust_credit, **said, idempotency_key="again")


@pytest.mark.parametrize("parse", [parse_cents, parse_quantity])
def test_a_number_without_an_end_is_no_number(parse):
    with pytest.raises(NotANumber):
        parse(ENDLESS)


def test_a_price_without_an_end_is_a_bad_row(client, world):
    client.sign_in(user_of(world.tx, world.program))
    text = f'Model number,Description,Category,List price\nA1,Light,light source,"{ENDLESS}"\n'
    file = (io.BytesIO(text.encode()), "list.csv")
    said = {"file": file, "valid_from": "2027-01-01"}
    place = client.post("/prices/imports", said, content_type="multipart/form-data").location
    assert "is not a list price" in client.get(place).text


# sign-in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [[1, 2], "text", {"email": 5, "password": [1]}, {"email": {"a": 1}}])
@pytest.mark.parametrize("path", ["/sign-in", "/reset-password", "/reset-password/token"])
def test_the_sign_in_pages_take_no_json(path, body, client, app):
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/sign-in").html)
    assert token is not None
    answer = client.flask.post(path, json=body, headers={"X-CSRFToken": token[1]})
    assert answer.status_code == 415


def test_a_new_password_ends_the_wait_that_a_stranger_caused(client, world, tx):
    tx.get_one(User, world.dealer.user_id).password_hash = make_password_hash(PASSWORD)
    for _ in range(10):
        client.sign_in_by_form(world.dealer.email, "a stranger's guess", status=200)
    client.sign_in_by_form(world.dealer.email, PASSWORD, status=429)
    client.post("/reset-password", {"email": world.dealer.email}, status=200)
    mail = tx.scalars(sa.select(OutgoingMail).where(OutgoingMail.recipient == world.dealer.email)).one()
    link = re.search(r"https?://[^/]+(/reset-password/\S+)", mail.body)
    assert link is not None
    new = "quite another horse"
    client.get(link[1])
    client.post(link[1], {"password": new, "password_confirm": new})
    client.sign_in_by_form(world.dealer.email, new)


@pytest.mark.parametrize("path", ["/sign-in", "/nothing", "/api/v1/me"])
def test_a_foreign_host_gets_a_plain_no(path, make_app):
    client = make_app(TRUSTED_HOSTS=["localhost"]).test_client()
    answer = client.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "Content-Security-Policy" in answer.headers


# who sees and may what ----------------------------------------------------------------------------


def test_the_programs_company_is_no_dealer_whose_admin_could_hand_out_its_roles(world, tx):
    problem = refused(
        tx, "invalid_input", add_company, actor=world.program, at=AT, code="BOTH", name="Both",
        kinds=frozenset({CompanyKind.PROGRAM, CompanyKind.DEALER}), city="", region="", serves="",
        active_from=SINCE,
    )  # fmt: skip
    assert problem.field == "kinds"


def make_qualified(world, code, company_id):
    from_first = {"actor": world.program, "at": AT, "code": code, "valid_from": SINCE, "valid_to": None}
    add_qualification(world.tx, evidence="Certificate", **from_first)
    company = world.tx.get_one(Company, company_id)
    return make_user(world.tx, company, Role.ACCOUNT_BUILDER, Role.DEALER_VIEWER)


def test_an_account_that_is_a_dealer_too_sees_no_other_dealers_credit(client, world, tx):
    both = make_dealer(tx, world.program, kinds=frozenset({CompanyKind.DEALER, CompanyKind.ACCOUNT}))
    account = make_qualified(world, both.company_code, both.company_id)
    world.account = account
    quote = world.approve()
    _, order = world.order(quote)
    client.sign_in(user_of(tx, account))
    assert "4,458.30" not in client.get("/orders").text
    shown = client.get(f"/quotes/{quote}").text
    assert "Sales credit it earns" not in shown
    assert "Network address" not in shown
    assert "Sales credit" not in client.get(f"/orders/{order}").text


# starting -----------------------------------------------------------------------------------------


def test_the_demo_refuses_real_data_for_it_shows_every_mail(make_app, world, tx):
    tx.commit()
    with pytest.raises(CannotStart, match="real data"):
        make_app(DEMO=True, TESTING=False, SQLALCHEMY_ENGINE_OPTIONS={"poolclass": NullPool})


def test_business_days_do_not_follow_the_machine(world, tx):
    refused(
        tx, "setting_invalid", change_setting, actor=world.program, at=AT, key="time_zone",
        value="localtime", valid_from=SINCE, valid_to=None, reason="Letter.", source="Letter",
    )  # fmt: skip
