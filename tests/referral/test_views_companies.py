"""Company pages, settings, audit, help, health."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from referral.db import read
from referral.errors import REFUSALS
from referral.models import AccountNumber, Company, Qualification, Setting
from referral.permissions import CompanyKind, Role
from referral.queries.settings import setting_on
from tests.factories import (
    everything,
    make_account,
    make_company,
    make_dealer,
    make_program,
    make_user,
    user_of,
)

COMPANY = {
    "code": "harbor",
    "name": "Harbor Light",
    "kinds": ["dealer", "account"],
    "city": "Camden",
    "region": "ME",
    "serves": "",
    "active_from": "2026-01-01",
}


@pytest.fixture
def program(tx):
    return make_program(tx)


@pytest.fixture
def admin(client, tx, program):
    return client.sign_in(user_of(tx, program))


def refuses(tx, client, path, said, status):
    tx.commit()
    before = read(everything)
    page = client.post(path, said, status=status)
    assert read(everything) == before
    return page


def test_add_company_and_what_it_holds(admin, tx):
    admin.get("/companies/new")
    assert "Harbor Light" in admin.submit("Add the company", COMPANY).text
    admin.get("/companies/HARBOR/account-numbers")
    page = admin.submit("Add the number", {"number": "0048-77", "valid_from": "2026-01-01", "valid_to": ""})
    assert "0048-77" in page.text
    admin.get("/companies/HARBOR/qualifications")
    page = admin.submit(
        "Add the qualification", {"valid_from": "2026-01-01", "valid_to": "", "evidence": "Course"}
    )
    assert "Ketra qualified" in page.text
    number, qualification = tx.scalar(sa.select(AccountNumber)), tx.scalar(sa.select(Qualification))
    admin.get(f"/companies/HARBOR/account-numbers/{number.id}/end")
    admin.submit("Set the last day", {"valid_to": "2026-02-01"})
    admin.get(f"/companies/HARBOR/qualifications/{qualification.id}/end")
    page = admin.submit("Set the last day", {"valid_to": "2026-02-01", "reason": "Moved away"})
    assert "Ketra qualified" not in page.text
    assert admin.get("/companies?words=harb+camden").all(".//tbody/tr/th") == ["Harbor Light"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"code": "A"}, 422),
        ({"code": "1AB"}, 422),
        ({"code": "\x00\x00\x00"}, 422),
        ({"name": " \t "}, 422),
        ({"name": "x" * 10_000}, 422),
        ({"kinds": []}, 422),
        ({"kinds": ["nonsense"]}, 422),
        ({"active_from": "NaN"}, 422),
        ({"active_from": "0001-01-01"}, 422),
        ({"code": "taken"}, 409),
    ],
)
def test_add_company_refuses(admin, tx, change, status):
    make_company(tx, CompanyKind.DEALER, code="TAKEN")
    refuses(tx, admin, "/companies/new", COMPANY | change, status)


def test_add_account_number_refuses_a_number_that_another_company_holds(admin, tx, program):
    make_dealer(tx, program, number="0048-0001")
    other = make_dealer(tx, program)
    said = {"number": "00480001", "valid_from": "2026-01-01"}
    path = f"/companies/{other.company_code}/account-numbers"
    assert "already belongs" in refuses(tx, admin, path, said, 409).text
    refuses(
        tx, admin, path, said | {"number": "77", "valid_from": "2026-02-01", "valid_to": "2026-01-01"}, 422
    )


def test_end_qualification_needs_a_reason(admin, tx, program):
    account = make_account(tx, program)
    row = tx.scalar(sa.select(Qualification))
    path = f"/companies/{account.company_code}/qualifications/{row.id}/end"
    refuses(tx, admin, path, {"valid_to": "2026-02-01", "reason": " "}, 422)


def test_a_dated_row_of_another_company_is_not_found(admin, tx, program):
    account, dealer = make_account(tx, program), make_dealer(tx, program)
    row = tx.scalar(sa.select(Qualification).where(Qualification.company_id == account.company_id))
    admin.get(f"/companies/{dealer.company_code}/qualifications/{row.id}/end", status=404)
    admin.get("/companies/NOSUCH", status=404)


def test_auditors_look_and_change_nothing(client, tx, program):
    auditor = make_user(tx, tx.get_one(Company, program.company_id), Role.PROGRAM_AUDITOR)
    client.sign_in(user_of(tx, auditor))
    for path in ("/companies", f"/companies/{program.company_code}", "/settings", "/audit"):
        client.get(path)
    for path in (
        "/companies/new",
        f"/companies/{program.company_code}/account-numbers",
        "/settings/currency",
        "/people",
    ):
        client.get(path, status=403)
    refuses(tx, client, "/companies/new", COMPANY, 403)


def test_change_setting_is_dated_and_stands_in_the_history(admin, tx):
    admin.get("/settings/quote_valid_days")
    page = admin.submit(
        "Record the change",
        {
            "value": "45",
            "valid_from": "2026-01-01",
            "valid_to": "",
            "reason": "Bulletin 7",
            "source": "Bulletin",
        },
    )
    assert "Bulletin 7" in page.text
    assert setting_on(tx, "quote_valid_days", date(2026, 1, 1)) == 45
    assert setting_on(tx, "quote_valid_days", date(2025, 12, 31)) == 30
    assert "quote_valid_days" in admin.get("/audit?subject=quote_valid_days").text


@pytest.mark.parametrize("value", ["1e9", "-1", "1.5", "NaN", "😀", "0", "9" * 150, ""])
def test_change_setting_refuses_a_value_it_cannot_take(admin, tx, value):
    said = {"value": value, "valid_from": "2026-01-01", "reason": "So"}
    refuses(tx, admin, "/settings/quote_valid_days", said, 422)
    assert tx.scalars(sa.select(Setting)).all() == []


def test_change_setting_of_a_year_starts_on_1_january(admin, tx):
    said = {"value": "0.9", "valid_from": "2026-02-01", "reason": "So"}
    assert "1 January" in refuses(tx, admin, "/settings/credit_rate", said, 422).text
    refuses(tx, admin, "/settings/currency", {"value": "EUR", "valid_from": "2026-01-01", "reason": ""}, 422)
    admin.get("/settings/nonsense", status=404)


def test_the_audit_trail_is_paged_by_key(admin, tx):
    for number in range(55):
        make_company(tx, CompanyKind.DEALER, code=f"AUD{number}")
    first = admin.get("/audit")
    second = admin.click("Older →")
    assert not set(first.all(".//tbody/tr/td[3]")) & set(second.all(".//tbody/tr/td[3]"))
    assert "Nothing recorded" in admin.get("/audit?subject=%F0%9F%98%80").text
    admin.get("/audit?after=nonsense", status=404)
    admin.get("/audit?subject=%00", status=404)


def test_help_explains_every_refusal(client):
    page = client.get("/help")
    assert set(REFUSALS) <= set(page.all(".//th/code"))


def test_health_is_ok_while_the_database_answers(client):
    assert client.get("/healthz").json == {"status": "ok"}


def test_health_says_when_the_database_is_away(client, make_app, tmp_path):
    app = make_app(SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'gone' / 'x.sqlite'}")
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.json) == (503, {"status": "database_away"})
