"""Users, invitations, credentials, tokens (program rules, section 1)."""

import secrets
from datetime import timedelta

import pytest
import sqlalchemy as sa

from referral.models import ApiToken, AuditEvent, Company, Invitation, OutgoingMail, User, UserRole
from referral.operations.people import (
    accept_invitation,
    add_user,
    change_user_access,
    invite_user,
    issue_api_token,
    save_credentials,
)
from referral.permissions import CompanyKind, Role
from referral.queries.people import user_by_email, viewer_of, viewer_of_token
from referral.rules import API_TOKEN_HOURS, INVITATION_DAYS
from tests.factories import AT, make_company, make_dealer, make_program, make_user, make_world, refused


def invitation_said(actor, **overrides):
    said = {
        "actor": actor,
        "at": AT,
        "company_code": actor.company_code,
        "name": "Nora Field",
        "email": "Nora@North.example",
        "roles": frozenset({Role.DEALER_VIEWER}),
        "link": lambda token: f"https://ledger.example/invitations/{token}",
    }
    return said | overrides


def dealer_admin(tx, program):
    dealer = make_dealer(tx, program)
    return make_user(tx, tx.get_one(Company, dealer.company_id), Role.DEALER_ADMIN)


@pytest.mark.parametrize("role", Role)
def test_a_role_fits_the_kind_of_company(tx, role):
    for kind in CompanyKind:
        company = make_company(tx, kind)
        said = {
            "actor": None,
            "at": AT,
            "company_id": company.id,
            "name": "Nora Field",
            "email": f"nora@{company.code}.example",
            "roles": [role],
            "password_hash": None,
        }
        if role.company_kind is kind:
            add_user(tx, **said)
        else:
            refused(tx, "role_not_for_company", add_user, **said)
    refused(tx, "role_not_for_company", add_user, **said | {"roles": []})


@pytest.mark.parametrize("email", ["nora@north.example", " NORA@north.EXAMPLE ", "ｎora@north.example"])
def test_an_email_address_has_one_user_however_it_is_typed(tx, email):
    company = make_company(tx, CompanyKind.DEALER)
    make_user(tx, company, Role.DEALER_VIEWER, email="nora@north.example")
    said = {
        "actor": None,
        "at": AT,
        "company_id": company.id,
        "name": "Nora",
        "email": email,
        "roles": [Role.DEALER_VIEWER],
        "password_hash": None,
    }
    refused(tx, "email_taken", add_user, **said)


def test_an_invitation_is_owed_by_mail_and_its_token_is_kept_nowhere(tx):
    admin = dealer_admin(tx, make_program(tx))
    invitation, token = invite_user(tx, **invitation_said(admin))
    tx.flush()
    mail = tx.scalars(sa.select(OutgoingMail)).one()
    assert mail.recipient == "Nora@North.example"
    assert f"https://ledger.example/invitations/{token}" in mail.body
    assert token not in repr(vars(invitation))
    assert all(token not in str(event.details) for event in tx.scalars(sa.select(AuditEvent)))
    user = accept_invitation(tx, at=AT + timedelta(hours=1), token=token, password_hash="hash")
    tx.flush()
    viewer = viewer_of(tx, user.id, at=AT)
    assert (viewer.company_code, viewer.roles) == (admin.company_code, {Role.DEALER_VIEWER})


def test_an_invitation_is_used_once_and_until_its_last_instant(tx):
    admin = dealer_admin(tx, make_program(tx))
    _, token = invite_user(tx, **invitation_said(admin))
    ends = AT + timedelta(days=INVITATION_DAYS)
    refused(tx, "invitation_expired", accept_invitation, at=ends, token=token, password_hash="hash")
    refused(tx, "invitation_expired", accept_invitation, at=AT, token="other", password_hash="hash")
    accept_invitation(tx, at=ends - timedelta(seconds=1), token=token, password_hash="hash")
    refused(tx, "invitation_expired", accept_invitation, at=AT, token=token, password_hash="hash")


def test_an_invitation_to_someone_who_became_a_user_meanwhile_is_refused(tx):
    admin = dealer_admin(tx, make_program(tx))
    tokens = [invite_user(tx, **invitation_said(admin))[1] for _ in range(2)]
    accept_invitation(tx, at=AT, token=tokens[0], password_hash="hash")
    refused(tx, "email_taken", accept_invitation, at=AT, token=tokens[1], password_hash="hash")
    refused(tx, "email_taken", invite_user, **invitation_said(admin, email="NORA@north.example"))


def test_a_company_admin_invites_into_the_own_company_only_and_the_program_into_all(tx):
    program = make_program(tx)
    admin = dealer_admin(tx, program)
    other = make_dealer(tx, program).company_code
    refused(tx, "not_found", invite_user, **invitation_said(admin, company_code=other))
    refused(tx, "not_found", invite_user, **invitation_said(admin, company_code="NOBODY"))
    refused(
        tx,
        "role_not_for_company",
        invite_user,
        **invitation_said(admin, roles=frozenset({Role.PROGRAM_ADMIN})),
    )
    invite_user(tx, **invitation_said(program, company_code=other))


@pytest.mark.parametrize("role", [Role.DEALER_APPROVER, Role.ACCOUNT_BUILDER, Role.PROGRAM_AUDITOR])
def test_who_is_no_admin_manages_no_people(tx, role):
    company = make_company(tx, role.company_kind)
    actor = make_user(tx, company, role)
    colleague = make_user(tx, company, role)
    refused(tx, "forbidden", invite_user, **invitation_said(actor, roles=frozenset({role})))
    refused(
        tx,
        "forbidden",
        change_user_access,
        actor=actor,
        at=AT,
        user_id=colleague.user_id,
        roles=frozenset({role}),
        is_active=False,
    )


def test_changing_access_ends_sessions_and_tokens_at_once(tx):
    admin = dealer_admin(tx, make_program(tx))
    user = make_user(tx, tx.get_one(Company, admin.company_id), Role.DEALER_APPROVER)
    _, token = issue_api_token(tx, at=AT, user_id=user.user_id)
    tx.flush()
    before = tx.get_one(User, user.user_id).sign_in_id
    change_user_access(
        tx,
        actor=admin,
        at=AT,
        user_id=user.user_id,
        roles=frozenset({Role.DEALER_VIEWER}),
        is_active=False,
    )
    tx.flush()
    changed = tx.get_one(User, user.user_id)
    assert changed.sign_in_id != before
    assert viewer_of_token(tx, token, at=AT) is None
    assert viewer_of(tx, user.user_id, at=AT) is None
    assert tx.scalars(sa.select(UserRole.role).where(UserRole.user_id == user.user_id)).all() == [
        Role.DEALER_VIEWER
    ]


def test_nobody_changes_the_own_access_or_that_of_another_company(tx):
    world = make_world(tx)
    admin = dealer_admin(tx, world.program)
    said = {"actor": admin, "at": AT, "is_active": True}
    mine, theirs = frozenset({Role.DEALER_APPROVER}), frozenset({Role.ACCOUNT_BUILDER})
    refused(tx, "invalid_input", change_user_access, **said, user_id=admin.user_id, roles=mine)
    refused(tx, "not_found", change_user_access, **said, user_id=world.account.user_id, roles=theirs)
    refused(tx, "not_found", change_user_access, **said, user_id=admin.company_id, roles=mine)
    colleague = make_user(tx, tx.get_one(Company, admin.company_id), Role.DEALER_VIEWER)
    refused(tx, "role_not_for_company", change_user_access, **said, user_id=colleague.user_id, roles=theirs)
    refused(
        tx, "role_not_for_company", change_user_access, **said, user_id=colleague.user_id, roles=frozenset()
    )


def test_a_token_is_valid_for_its_hours_and_kept_as_a_digest(tx):
    world = make_world(tx)
    row, token = issue_api_token(tx, at=AT, user_id=world.dealer.user_id)
    tx.flush()
    assert token not in repr(vars(row))
    ends = AT + timedelta(hours=API_TOKEN_HOURS)
    assert viewer_of_token(tx, token, at=ends - timedelta(seconds=1)) == world.dealer
    assert viewer_of_token(tx, token, at=ends) is None
    assert viewer_of_token(tx, f"{token}x", at=AT) is None


def test_a_new_password_ends_the_tokens_of_the_old_one(tx):
    world = make_world(tx)
    issue_api_token(tx, at=AT, user_id=world.dealer.user_id)
    tx.flush()
    user = tx.get_one(User, world.dealer.user_id)
    said = {"at": AT, "user_id": user.id}
    save_credentials(tx, **said, password_hash="rehashed", sign_in_id=user.sign_in_id)
    assert tx.scalar(sa.select(sa.func.count()).select_from(ApiToken)) == 1
    save_credentials(tx, **said, password_hash="new", sign_in_id=secrets.token_hex(16))
    assert tx.scalar(sa.select(sa.func.count()).select_from(ApiToken)) == 0
    assert tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == "password.changed")).one()
    refused(
        tx,
        "not_found",
        save_credentials,
        at=AT,
        user_id=world.dealer.company_id,
        password_hash="new",
        sign_in_id="x",
    )


def test_people_are_found_by_their_address_as_people_compare(tx):
    company = make_company(tx, CompanyKind.DEALER)
    viewer = make_user(tx, company, Role.DEALER_VIEWER, email="Nora@North.example")
    assert user_by_email(tx, " nora@NORTH.example").id == viewer.user_id
    assert user_by_email(tx, "other@north.example") is None
    assert tx.scalar(sa.select(sa.func.count()).select_from(Invitation)) == 0
