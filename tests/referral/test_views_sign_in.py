"""Sign-in, sign-out, passwords: what a person meets, and which doors stay closed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from referral.clock import now
from referral.models import FailedSignIn, OutgoingMail, User
from referral.permissions import CompanyKind, Role
from referral.rules import TRIES_PER_ADDRESS, TRIES_PER_EMAIL
from referral.signin import make_password_hash
from tests.factories import make_company, make_user

PASSWORD = "nine lamps in a row"
NEW_PASSWORD = "ten lamps in a row"


@pytest.fixture
def user(tx):
    company = make_company(tx, CompanyKind.DEALER)
    viewer = make_user(tx, company, Role.DEALER_VIEWER, password_hash=make_password_hash(PASSWORD))
    return tx.get_one(User, viewer.user_id)


def hash_of(tx, user):
    return tx.scalar(sa.select(User.password_hash).where(User.id == user.id))


def mails(tx):
    return tx.scalars(sa.select(OutgoingMail).order_by(OutgoingMail.created_at, OutgoingMail.id)).all()


def link_in(mail):
    return next(word for word in mail.body.split() if word.startswith("http")).partition("localhost")[2]


def test_a_person_signs_in_and_out(client, user):
    assert client.sign_in_by_form(user.email, PASSWORD).location == "/"
    client.get("/change-password")
    assert client.post("/sign-out").location == "/sign-in"
    assert client.get("/change-password", status=303).location.startswith("/sign-in")


def test_the_email_is_compared_as_people_compare(client, user):
    client.sign_in_by_form(f" {user.email.upper()}", PASSWORD)


def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(client, user):
    wrong = client.sign_in_by_form(user.email, "not the password", status=200).text
    unknown = client.sign_in_by_form("nobody@nowhere.example", "not the password", status=200).text
    assert "E-mail and password do not match." in wrong
    assert wrong == unknown
    client.get("/change-password", status=303)


def test_a_user_whose_access_ended_cannot_sign_in(client, tx, user):
    user.is_active = False
    assert "do not match" in client.sign_in_by_form(user.email, PASSWORD, status=200).text


def test_sign_in_and_sign_out_need_a_token_and_a_post(client, user):
    assert client.open("POST", "/sign-in", data={"email": user.email, "password": PASSWORD}, status=400)
    client.get("/change-password", status=303)
    client.get("/sign-out", status=405)


def test_after_signing_in_a_person_is_where_they_wanted_to_go(client, user):
    assert client.get("/referrals?state=open", status=303).location == "/sign-in?next=/referrals?state%3Dopen"
    client.get("/sign-in?next=/referrals?state%3Dopen")
    page = client.post(
        "/sign-in", {"email": user.email, "password": PASSWORD, "next": "/referrals?state=open"}
    )
    assert page.location == "/referrals?state=open"


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "https://evil.example",
        "\\\\evil.example",
        " //evil.example",
    ],
)
def test_no_other_site_is_gone_to_after_signing_in(client, user, target):
    said = {"email": user.email, "password": PASSWORD}
    client.post("/sign-in", said | {"next": target}, status=404)
    client.open("GET", "/sign-in", query_string={"next": target}, status=404)
    client.open(
        "POST",
        "/sign-in",
        query_string={"next": target},
        data=said | {"csrf_token": client.token()},
        status=404,
    )
    client.get("/change-password", status=303)


def test_a_forgotten_password_is_renewed_by_mail_and_old_sessions_are_dead(client, tx, user):
    old = client.other()
    old.sign_in_by_form(user.email, PASSWORD)
    client.get("/reset-password")
    client.submit("Send me a link", {"email": user.email}, status=200)
    (mail,) = mails(tx)
    assert mail.recipient == user.email
    client.get(link_in(mail))
    page = client.submit("Save the password", {"password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD})
    assert "Sign in with it" in page.text
    old.get("/change-password", status=303)
    assert "do not match" in client.sign_in_by_form(user.email, PASSWORD, status=200).text
    client.sign_in_by_form(user.email, NEW_PASSWORD)
    client.other().get(link_in(mail), status=302)


def test_asking_for_a_new_password_does_not_say_who_is_known(client, tx, user):
    known = client.post("/reset-password", {"email": user.email}, status=200).text
    unknown = client.post("/reset-password", {"email": "no@body.example"}, status=200).text
    assert known.replace(user.email, "X") == unknown.replace("no@body.example", "X")
    assert len(mails(tx)) == 1


def test_a_forged_link_changes_nothing(client, tx, user):
    before = hash_of(tx, user)
    said = {"password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD}
    assert client.post("/reset-password/forged", said).location == "/reset-password"
    assert hash_of(tx, user) == before


@pytest.mark.parametrize(
    ("present", "new", "again"),
    [
        ("not the password", NEW_PASSWORD, NEW_PASSWORD),
        (PASSWORD, "eleven char", "eleven char"),
        (PASSWORD, NEW_PASSWORD, "another one here"),
        (PASSWORD, "", ""),
    ],
)
def test_a_password_is_not_changed_when(client, tx, user, present, new, again):
    before = hash_of(tx, user)
    client.sign_in(user)
    client.post(
        "/change-password",
        {"password": present, "new_password": new, "new_password_confirm": again},
        status=200,
    )
    assert hash_of(tx, user) == before
    assert mails(tx) == []


def test_changing_the_password_keeps_this_session_and_ends_the_others(client, tx, user):
    other = client.other().sign_in(user)
    client.sign_in_by_form(user.email, PASSWORD)
    client.get("/change-password")
    said = {"password": PASSWORD, "new_password": NEW_PASSWORD, "new_password_confirm": NEW_PASSWORD}
    client.post("/change-password", said)
    client.get("/change-password")
    other.get("/change-password", status=303)
    assert [mail.subject for mail in mails(tx)] == ["Your password for the Ketra referral ledger is new"]


def test_json_opens_no_door_at_sign_in(client, user):
    said = {"email": user.email, "password": PASSWORD}
    headers = {"X-CSRFToken": client.token(), "Accept": "application/json"}
    for sent in (said, said | {"password": "not the password"}):
        page = client.open("POST", "/sign-in?include_auth_token", json=sent, headers=headers, status=None)
        assert page.response.mimetype == "text/html"
        assert "auth" not in page.html


def test_no_token_of_sign_in_stands_for_a_person(app, client, user):
    with app.test_request_context():
        from_library = app.extensions["security"].remember_token_serializer.dumps(
            {"ver": "5", "uid": user.sign_in_id}
        )
    client.get(f"/change-password?auth_token={from_library}", status=303)


def test_remembering_is_not_offered_nor_taken(client, user):
    page = client.post("/sign-in", {"email": user.email, "password": PASSWORD, "remember": "y"})
    assert "remember_token" not in str(page.response.headers)


def test_what_sign_in_brings_besides_is_closed(client, user):
    client.sign_in(user)
    for path in (
        "/verify",
        "/register",
        "/confirm",
        "/us-signin",
        "/tf-setup",
        "/wan-register",
        "/change-email",
    ):
        assert client.get(path, status=None).status in {403, 404}


def test_too_many_wrong_passwords_for_one_email_make_sign_in_wait(client, tx, user):
    for _ in range(TRIES_PER_EMAIL):
        client.sign_in_by_form(user.email.upper(), "not the password", status=200)
    page = client.sign_in_by_form(user.email, PASSWORD, status=429)
    assert 0 < int(page.response.headers["Retry-After"]) <= 15 * 60
    said = {"email": user.email, "password": PASSWORD}
    assert client.api("POST", "/api/v1/tokens", said, status=429).json["code"] == "too_many_tries"
    tx.execute(sa.update(FailedSignIn).values(tried_at=now() - timedelta(minutes=15)))
    client.sign_in_by_form(user.email, PASSWORD)
    assert tx.get_one(User, user.id, populate_existing=True).is_active


def test_too_many_wrong_passwords_from_one_address_make_sign_in_wait(client, tx, user):
    for number in range(TRIES_PER_ADDRESS):
        said = {"email": f"nobody{number}@nowhere.example", "password": "not the password"}
        client.api("POST", "/api/v1/tokens", said, status=401)
    client.sign_in_by_form(user.email, PASSWORD, status=429)
    elsewhere = {"REMOTE_ADDR": "192.0.2.1"}
    said = {"email": user.email, "password": PASSWORD}
    client.post("/sign-in", said, environ_overrides=elsewhere)


@pytest.mark.parametrize("email", ["", "no address", "a@b@c", "\x00@x.example", "😀@x.example", "a" * 10_000])
def test_bad_input_at_sign_in_is_answered(client, user, email):
    client.sign_in_by_form(email, "\x00😀", status=200)
    client.post("/reset-password", {"email": email}, status=200)
