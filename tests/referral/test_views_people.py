"""People pages: invitations, access, roles; the outbox that shows their mails in the demo."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from referral.clock import now
from referral.db import read
from referral.models import Company, Invitation, User
from referral.operations.people import invite_user
from referral.permissions import GRID, CompanyKind, Permission, Role
from tests.factories import everything, make_company, make_program, make_user, user_of
from tests.pages import PageClient

PASSWORD = "nine lamps in a row"


@pytest.fixture
def admin(tx):
    return make_user(tx, make_company(tx, CompanyKind.DEALER), Role.DEALER_ADMIN)


def invite(tx, admin, **overrides):
    said = {
        "link": str,
        "email": "new@person.example",
        "at": now(),
        "roles": frozenset({Role.DEALER_APPROVER}),
    }
    _, token = invite_user(
        tx, actor=admin, company_code=admin.company_code, name="New Person", **(said | overrides)
    )
    return f"/invitations/{token}"


def nothing_changes(tx, send):
    tx.commit()
    before = read(everything)
    page = send()
    assert read(everything) == before
    return page


def test_an_invited_person_chooses_a_password_and_signs_in(client, tx, admin):
    client.sign_in(user_of(tx, admin)).get("/people")
    client.click("Invite somebody")
    page = client.submit(
        "Send the invitation",
        {"name": "New Person", "email": "new@person.example", "roles": ["dealer_viewer"]},
    )
    assert "new@person.example" in page.text
    link = tx.scalar(sa.text("SELECT body FROM outgoing_mail")).split()[-1].partition("localhost")[2]
    person = client.other()
    assert "dealer viewer" in person.get(link).text
    assert "Sign in" in person.submit("Join", {"password": PASSWORD, "password_again": PASSWORD}).text
    person.sign_in_by_form("new@person.example", PASSWORD)
    person.get("/referrals")
    person.other().get(link, status=410)


@pytest.mark.parametrize(
    ("first", "again"), [("eleven char", "eleven char"), (PASSWORD, "x"), ("", ""), ("a" * 20, "a" * 20)]
)
def test_accept_invitation_refuses_a_password(client, tx, admin, first, again):
    link = invite(tx, admin)
    said = {"password": first, "password_again": again}
    nothing_changes(tx, lambda: client.post(link, said, status=422))


def test_an_expired_or_unknown_invitation_is_gone(client, tx, admin):
    link = invite(tx, admin, at=now() - timedelta(days=15))
    client.get(link, status=410)
    nothing_changes(
        tx, lambda: client.post(link, {"password": PASSWORD, "password_again": PASSWORD}, status=410)
    )
    client.get("/invitations/unknown", status=410)


def test_invite_user_refuses_a_taken_email_beside_its_field(client, tx, admin):
    client.sign_in(user_of(tx, admin))
    said = {"company_code": admin.company_code, "name": "A", "email": admin.email, "roles": "dealer_viewer"}
    page = nothing_changes(tx, lambda: client.post("/people/invitations", said, status=409))
    assert "This e-mail address already has a user." in page.text


@pytest.mark.parametrize("roles", [[], ["program_admin"], ["account_builder"], ["nonsense"]])
def test_invite_user_refuses_roles_that_do_not_fit_the_company(client, tx, admin, roles):
    client.sign_in(user_of(tx, admin))
    said = {"company_code": admin.company_code, "name": "A", "email": "a@b.example", "roles": roles}
    nothing_changes(tx, lambda: client.post("/people/invitations", said, status=422))


def test_a_company_admin_invites_to_no_other_company(client, tx, admin):
    other = make_company(tx, CompanyKind.ACCOUNT)
    client.sign_in(user_of(tx, admin))
    said = {"company_code": other.code, "name": "A", "email": "a@b.example", "roles": "account_admin"}
    nothing_changes(tx, lambda: client.post("/people/invitations", said, status=422))
    assert tx.scalars(sa.select(Invitation)).all() == []


def test_the_program_chooses_the_company_first(client, tx, admin):
    program = make_program(tx)
    client.sign_in(user_of(tx, program)).get("/people/invitations")
    client.submit("Go on", {"company": admin.company_code})
    page = client.submit(
        "Send the invitation",
        {"name": "A", "email": "a@b.example", "roles": ["dealer_viewer", "dealer_approver"]},
    )
    assert "a@b.example" in page.text
    client.get("/people/invitations?company=NOSUCH", status=404)


def test_people_of_other_companies_do_not_exist(client, tx, admin):
    stranger = make_user(tx, make_company(tx, CompanyKind.DEALER), Role.DEALER_ADMIN)
    client.sign_in(user_of(tx, admin))
    assert stranger.email not in client.get("/people").text
    client.get(f"/people/{stranger.user_id}", status=404)
    said = {"roles": "dealer_viewer"}
    nothing_changes(tx, lambda: client.post(f"/people/{stranger.user_id}", said, status=404))


def test_changing_access_signs_the_user_out(client, tx, admin):
    colleague = make_user(tx, tx.get_one(Company, admin.company_id), Role.DEALER_VIEWER)
    theirs = client.other().sign_in(user_of(tx, colleague))
    theirs.get("/referrals")
    client.sign_in(user_of(tx, admin)).get(f"/people/{colleague.user_id}")
    client.submit("Save the access", {"roles": ["dealer_viewer", "dealer_approver"], "is_active": "y"})
    theirs.get("/referrals", status=303)
    client.post(f"/people/{colleague.user_id}", {"roles": ["dealer_viewer"]})
    assert tx.get_one(User, colleague.user_id, populate_existing=True).is_active is False


def test_nobody_changes_their_own_access(client, tx, admin):
    client.sign_in(user_of(tx, admin)).get(f"/people/{admin.user_id}")
    said = {"roles": "dealer_viewer", "is_active": "y"}
    nothing_changes(tx, lambda: client.post(f"/people/{admin.user_id}", said, status=422))


def test_the_page_of_roles_is_the_grid(client, tx, admin):
    page = client.sign_in(user_of(tx, admin)).get("/people/roles")
    rows = {
        row[0]: row[1:]
        for row in ([*map("".join, (c.itertext() for c in tr))] for tr in page.tree.iter("tr"))
    }
    for permission in Permission:
        if permission not in {Permission.PUBLIC, Permission.SIGNED_IN}:
            expected = ["Yes" if permission in allowed else "\u2013" for allowed in GRID.values()]
            assert rows[permission.value] == expected


def test_the_outbox_is_open_in_the_demo_alone(client, tx, admin, make_app):
    link = invite(tx, admin, link=lambda token: f"http://localhost/invitations/{token}")
    client.get("/outbox", status=404)
    client.sign_in(user_of(tx, admin)).get("/outbox", status=404)
    tx.commit()
    demo = PageClient(make_app(DEMO=True), before=tx.commit, after=tx.expire_all)
    page = demo.get("/outbox")
    assert page.link(f"http://localhost{link}").endswith(link)


def test_outside_the_demo_nobody_reads_secret_links(client, tx, admin):
    link = invite(tx, admin, link=lambda token: f"http://localhost/invitations/{token}")
    client.sign_in(user_of(tx, make_program(tx)))
    client.get("/outbox", status=404)
    assert link not in client.get("/mail/failures").html
