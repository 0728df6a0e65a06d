"""The JSON API of the ground floor: tokens, accounts, referrals."""

from __future__ import annotations

from typing import Any

from flask import url_for

from referral import schemas
from referral.apikit import ApiBlueprint
from referral.clock import now
from referral.db import write
from referral.ids import PublicNumber
from referral.operations import assignments, conflicts
from referral.operations import referrals as operations
from referral.operations.people import issue_api_token
from referral.permissions import Permission
from referral.queries import referrals as queries
from referral.queries.accounts import AccountChoice, qualified_accounts
from referral.signin import viewer_with_password
from referral.webkit import ask, current_viewer, needs

blueprint = ApiBlueprint("referral_api", __name__, "Tokens, accounts, referrals")

Said = dict[str, Any]
Answer = dict[str, Any]
Headers = dict[str, str]


# who you are ------------------------------------------------------------------------------------


@blueprint.post("/tokens")
@needs(Permission.PUBLIC)
@blueprint.arguments(schemas.IssueTokenSchema)
@blueprint.response(201, schemas.TokenSchema)
@blueprint.refuses("sign_in_failed", "too_many_tries")
def issue_token(said: Said) -> Answer:
    """Get a bearer token for an e-mail address and a password."""
    viewer = viewer_with_password(**said)
    row, token = write(issue_api_token, at=now(), user_id=viewer.user_id)
    return {"token": token, "expires_at": row.expires_at, "user": viewer}


@blueprint.get("/me")
@needs(Permission.SIGNED_IN)
@blueprint.response(200, schemas.MeSchema)
@blueprint.refuses()
def show_me() -> Answer:
    """See whom your token stands for and what it may do."""
    viewer = current_viewer()
    return {**vars(viewer), "roles": sorted(viewer.roles), "permissions": sorted(viewer.permissions)}


@blueprint.get("/accounts")
@needs(Permission.REFERRAL_OPEN)
@blueprint.arguments(schemas.ListAccountsSchema, location="query")
@blueprint.response(200, schemas.AccountsSchema)
@blueprint.refuses()
def list_accounts(said: Said) -> Answer:
    """List the accounts you can refer a project to today, by region and family."""
    accounts: tuple[AccountChoice, ...] = ask(qualified_accounts, viewer=current_viewer(), at=now(), **said)
    return {"items": accounts, "next": None}


# referrals --------------------------------------------------------------------------------------


@blueprint.get("/referrals")
@needs(Permission.REFERRAL_VIEW)
@blueprint.arguments(schemas.ListReferralsSchema, location="query")
@blueprint.response(200, schemas.ReferralsSchema)
@blueprint.refuses()
def list_referrals(said: Said) -> queries.ReferralPage:
    """List referrals, newest first."""
    return ask(queries.referrals_page, viewer=current_viewer(), at=now(), **said)


@blueprint.post("/referrals")
@needs(Permission.REFERRAL_OPEN)
@blueprint.arguments(schemas.OpenReferralSchema)
@blueprint.response(201, schemas.ReferralStateSchema)
@blueprint.refuses(
    "attestation_missing", "account_not_qualified", "same_company", "account_inactive", "referral_conflict"
)
def open_referral(said: Said) -> tuple[Answer, Headers]:
    """Refer a project to a qualified account; it is parked where another account has the project."""
    viewer = current_viewer()
    referral = write(operations.open_referral, actor=viewer, at=now(), **said)
    ref = str(PublicNumber("R", viewer.company_code, referral.number))
    return {"id": ref, "state": referral.state}, {"Location": url_for("referral_api.show_referral", ref=ref)}


@blueprint.get('/referrals/<public_number("R"):ref>')
@needs(Permission.REFERRAL_VIEW)
@blueprint.response(200, schemas.ReferralSchema)
@blueprint.refuses()
def show_referral(ref: str) -> queries.ReferralRow:
    """See one referral."""
    return ask(queries.referral_page, viewer=current_viewer(), at=now(), ref=ref)


@blueprint.post('/referrals/<public_number("R"):ref>/accept')
@needs(Permission.REFERRAL_ANSWER)
@blueprint.arguments(schemas.AcceptReferralSchema)
@blueprint.response(200, schemas.ReferralStateSchema)
@blueprint.refuses("referral_closed", "account_not_qualified")
def accept_referral(said: Said, ref: str) -> Answer:
    """Take the project on; it can be quoted then."""
    referral = write(operations.accept_referral, actor=current_viewer(), at=now(), ref=ref, **said)
    return {"id": ref, "state": referral.state}


@blueprint.post('/referrals/<public_number("R"):ref>/refuse')
@needs(Permission.REFERRAL_ANSWER)
@blueprint.arguments(schemas.RefuseReferralSchema)
@blueprint.response(200, schemas.ReferralStateSchema)
@blueprint.refuses("referral_closed", "reason_required")
def refuse_referral(said: Said, ref: str) -> Answer:
    """Decline the project, with a reason."""
    referral = write(operations.refuse_referral, actor=current_viewer(), at=now(), ref=ref, **said)
    return {"id": ref, "state": referral.state}


@blueprint.post('/referrals/<public_number("R"):ref>/withdraw')
@needs(Permission.REFERRAL_OPEN)
@blueprint.arguments(schemas.WithdrawReferralSchema)
@blueprint.response(200, schemas.ReferralStateSchema)
@blueprint.refuses("referral_closed", "reason_required")
def withdraw_referral(said: Said, ref: str) -> Answer:
    """Take an unanswered referral back, with a reason."""
    referral = write(operations.withdraw_referral, actor=current_viewer(), at=now(), ref=ref, **said)
    return {"id": ref, "state": referral.state}


# which account has a project --------------------------------------------------------------------


@blueprint.post('/referrals/<public_number("R"):ref>/choose')
@needs(Permission.REFERRAL_CHOOSE)
@blueprint.arguments(schemas.ChooseReferralSchema)
@blueprint.response(200, schemas.ReferralStateSchema)
@blueprint.refuses("referral_closed", "account_not_qualified", "same_company", "reason_required")
def choose_referral(said: Said, ref: str) -> Answer:
    """Give the project to a parked referral's account; the one that had it is closed."""
    said = said | {"instead_of": said["instead_of"] or None}
    referral = write(conflicts.choose_referral, actor=current_viewer(), at=now(), ref=ref, **said)
    return {"id": ref, "state": referral.state}


@blueprint.post('/referrals/<public_number("R"):ref>/pass-over')
@needs(Permission.REFERRAL_CHOOSE)
@blueprint.arguments(schemas.PassOverReferralSchema)
@blueprint.response(200, schemas.ReferralStateSchema)
@blueprint.refuses("referral_closed", "reason_required")
def pass_over_referral(said: Said, ref: str) -> Answer:
    """Leave the project with the account that has it; the parked referral is closed."""
    referral = write(conflicts.pass_over_referral, actor=current_viewer(), at=now(), ref=ref, **said)
    return {"id": ref, "state": referral.state}


@blueprint.post('/referrals/<public_number("R"):ref>/continue')
@needs(Permission.REFERRAL_ASSIGN)
@blueprint.arguments(schemas.ContinueReferralSchema)
@blueprint.response(200, schemas.ContinuationSchema)
@blueprint.refuses("referral_closed", "reason_required")
def continue_referral(said: Said, ref: str) -> Answer:
    """Let the account go on with this one project to a day, without a qualification."""
    granted = write(assignments.continue_referral, actor=current_viewer(), at=now(), ref=ref, **said)
    return {"id": ref, "last_on": granted.last_on}


@blueprint.post('/referrals/<public_number("R"):ref>/reassign')
@needs(Permission.REFERRAL_ASSIGN)
@blueprint.arguments(schemas.ReassignReferralSchema)
@blueprint.response(201, schemas.ReferralStateSchema)
@blueprint.refuses(
    "referral_closed", "account_not_qualified", "same_company", "referral_conflict", "reason_required"
)
def reassign_referral(said: Said, ref: str) -> tuple[Answer, Headers]:
    """Give the project to another account, which needs a quote and an approval of its own."""
    referral = write(assignments.reassign_referral, actor=current_viewer(), at=now(), ref=ref, **said)
    new_ref = f"{ref.rpartition('-')[0]}-{referral.number}"
    location = url_for("referral_api.show_referral", ref=new_ref)
    return {"id": new_ref, "state": referral.state}, {"Location": location}
