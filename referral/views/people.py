"""Pages: the people of the companies a viewer manages, invitations, roles."""

from __future__ import annotations

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.forms.people import AcceptInvitationForm, ChangeUserAccessForm, InviteUserForm, role_choices
from referral.operations import people as operations
from referral.permissions import GRID, ROLE_WORDS, Permission, Role
from referral.queries.people import managed_companies, open_invitation, people_page, user_access
from referral.signin import make_password_hash
from referral.text import clean_line
from referral.views.blueprint import blueprint
from referral.webkit import ask, current_viewer, form_status, needs, submitted


@blueprint.get("/people")
@needs(Permission.USER_MANAGE)
def people() -> str:
    """List users and open invitations."""
    after = request.args.get("after") or None
    page = ask(people_page, viewer=current_viewer(), at=now(), after=after)
    return render_template("referral/people.html", page=page, after=after, role_words=ROLE_WORDS, Role=Role)


@blueprint.get("/people/roles")
@needs(Permission.SIGNED_IN)
def roles() -> str:
    """Show the permission grid as it is."""
    asked = [each for each in Permission if each not in {Permission.PUBLIC, Permission.SIGNED_IN}]
    return render_template("referral/roles.html", grid=GRID, permissions=asked, role_words=ROLE_WORDS)


def _invitation_link(token: str) -> str:
    return url_for("referral.accept_invitation", token=token, _external=True)


@blueprint.route("/people/invitations", methods=["GET", "POST"])
@needs(Permission.USER_MANAGE)
def invite_user() -> str | tuple[str, int] | Response:
    """Invite somebody; who manages several companies chooses one first."""
    viewer = current_viewer()
    companies = ask(managed_companies, viewer=viewer)
    form = InviteUserForm()
    code = clean_line(
        (form.company_code.data if form.is_submitted() else request.args.get("company")) or ""
    ).upper()
    company = (
        companies[0] if len(companies) == 1 else next((each for each in companies if each.code == code), None)
    )
    if company is None:
        if code:
            raise Refusal("not_found")
        return render_template("referral/choose_company.html", companies=companies)
    form.company_code.data = company.code
    form.roles.choices = role_choices(company)
    if form.validate_on_submit() and submitted(
        form,
        operations.invite_user,
        actor=viewer,
        at=now(),
        company_code=company.code,
        name=form.name.data,
        email=form.email.data,
        roles=form.chosen_roles(),
        link=_invitation_link,
    ):
        flash(f"The invitation to {form.email.data} is on its way.", "success")
        return redirect(url_for("referral.people"), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template(
        "referral/invite_user.html", form_=form, company=company, count=len(companies)
    ), status


@blueprint.route("/invitations/<token>", methods=["GET", "POST"])
@needs(Permission.PUBLIC)
def accept_invitation(token: str) -> tuple[str, int] | Response:
    """Let the holder of the link choose a password and become a user."""
    form = AcceptInvitationForm()
    invitation, company = ask(open_invitation, token, at=now())
    if form.validate_on_submit() and submitted(
        form,
        operations.accept_invitation,
        at=now(),
        token=token,
        password_hash=make_password_hash(form.password.data),
    ):
        flash(f"Welcome, {invitation.name}. Sign in with your e-mail and new password.", "success")
        return redirect(url_for("security.login"), 303)
    status = form_status() if form.is_submitted() else 200
    words = ", ".join(ROLE_WORDS[Role(role)] for role in invitation.roles)
    return render_template(
        "referral/accept_invitation.html", form_=form, invitation=invitation, company=company, words=words
    ), status


@blueprint.route("/people/<uuid:user_id>", methods=["GET", "POST"])
@needs(Permission.USER_MANAGE)
def change_user_access(user_id: UUID) -> tuple[str, int] | Response:
    """Change what a user may do, or end their access."""
    viewer = current_viewer()
    user, company = ask(user_access, viewer=viewer, user_id=user_id)
    form = ChangeUserAccessForm(roles=[role.value for role in user.roles], is_active=user.is_active)
    form.roles.choices = role_choices(company)
    if form.validate_on_submit() and submitted(
        form,
        operations.change_user_access,
        actor=viewer,
        at=now(),
        user_id=user_id,
        roles=form.chosen_roles(),
        is_active=form.is_active.data,
    ):
        flash(f"The access of {user.name} is changed; they sign in again to use it.", "success")
        return redirect(url_for("referral.people"), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template(
        "referral/change_user_access.html", form_=form, user=user, is_self=user_id == viewer.user_id
    ), status
