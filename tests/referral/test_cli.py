"""Commands of the ground floor."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from referral.models import AuditEvent, Company, User
from referral.webkit import permission_of
from tests.factories import make_program

CREATE = ["admin", "create", "--email", "ann@program.example", "--name", "Ann"]


@pytest.fixture
def run(app, tx):
    """Run a command and see what it did."""

    def call(*arguments):
        tx.commit()
        answer = app.test_cli_runner().invoke(args=list(arguments))
        tx.expire_all()
        return answer

    return call


def test_create_prints_a_link_by_which_the_first_admin_joins(run, client, tx):
    answer = run(*CREATE, "--company-code", "KETRA", "--company-name", "Ketra program")
    assert answer.exit_code == 0
    client.get(answer.output.split()[-1])
    client.submit("Join", {"password": "nine lamps in a row", "password_again": "nine lamps in a row"})
    client.sign_in_by_form("ann@program.example", "nine lamps in a row")
    client.get("/companies/KETRA")
    assert tx.scalars(sa.select(User.name)).all() == ["Ann"]


def test_create_refuses_where_there_is_an_admin(run, tx):
    make_program(tx)
    answer = run(*CREATE)
    assert answer.exit_code == 1
    assert "admin_exists" in answer.output
    assert tx.scalars(sa.select(AuditEvent.event).where(AuditEvent.event.startswith("admin."))).all() == []


def test_create_for_recovery_is_recorded_and_uses_the_company_there_is(run, tx):
    make_program(tx)
    assert run(*CREATE, "--recovery").exit_code == 0
    assert "admin.recovered" in tx.scalars(sa.select(AuditEvent.event)).all()
    assert len(tx.scalars(sa.select(Company.id)).all()) == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--email", "nobody", "--name", "Ann"], 2),
        (["--email", "a@b.example", "--name", " \x00"], 2),
        (["--name", "Ann"], 2),
        (["--email", "a@b.example", "--name", "Ann", "--company-code", "1"], 1),
    ],
)
def test_create_refuses_bad_input(run, tx, arguments, code):
    assert run("admin", "create", *arguments).exit_code == code
    assert tx.scalars(sa.select(Company.id)).all() == []


def test_permissions_lists_every_door(run, app):
    routes = json.loads(run("permissions", "--json").output)
    assert {each["endpoint"] for each in routes} == set(app.view_functions)
    for each in routes:
        assert each["permission"] == (permission_of(app, each["endpoint"]) or "nobody")
    assert "referral.people" in run("permissions").output
