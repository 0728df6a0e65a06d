"""Pages: referrals, seen from each side."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectChoice

from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.forms.referrals import OpenReferralForm, RefuseReferralForm, WithdrawReferralForm
from referral.ids import PublicNumber
from referral.operations import referrals as operations
from referral.permissions import Permission
from referral.queries.companies import qualified_accounts
from referral.queries.referrals import referral_page, referrals_page
from referral.states import ReferralState
from referral.views.blueprint import blueprint
from referral.webkit import NavLink, ask, current_viewer, form_status, needs, submitted

STATE_WORDS = {
    None: "All",
    ReferralState.OPEN: "Open",
    ReferralState.ACCEPTED: "Accepted",
    ReferralState.REFUSED: "Refused",
    ReferralState.WITHDRAWN: "Withdrawn",
}


@blueprint.get("/referrals")
@needs(Permission.REFERRAL_VIEW)
def referrals() -> str:
    """List the referrals the viewer may see, of one state or all."""
    word = request.args.get("state") or None
    if word not in {None, *ReferralState}:
        raise Refusal("not_found")
    state = None if word is None else ReferralState(word)
    page = ask(referrals_page, viewer=current_viewer(), state=state, after=request.args.get("after") or None)
    views = [
        NavLink(label, url_for("referral.referrals", state=each), each is state)
        for each, label in STATE_WORDS.items()
    ]
    next_url = page.after and url_for("referral.referrals", state=state, after=page.after)
    return render_template("referral/referrals.html", page=page, views=views, state=state, next_url=next_url)


@blueprint.route("/referrals/new", methods=["GET", "POST"])
@needs(Permission.REFERRAL_OPEN)
def open_referral() -> tuple[str, int] | Response:
    """Refer a project to a qualified account."""
    viewer = current_viewer()
    accounts = ask(qualified_accounts, viewer=viewer, at=now())
    form = OpenReferralForm()
    form.account_code.choices = [SelectChoice(account.code, account.name) for account in accounts]
    if form.validate_on_submit():
        referral = submitted(
            form,
            operations.open_referral,
            actor=viewer,
            at=now(),
            account_code=form.account_code.data,
            project_name=form.project_name.data,
            place=form.place.data,
            spaces=form.spaces.data,
            wanted_on=form.wanted_on.data,
            client_name=form.client_name.data,
            client_contact=form.client_contact.data,
            client_shared=form.client_shared.data,
            is_suitable=form.is_suitable.data,
        )
        if referral is not None:
            flash("The referral is open. The account is told by mail and answers here.", "success")
            ref = PublicNumber("R", viewer.company_code, referral.number)
            return redirect(url_for("referral.show_referral", ref=ref), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/open_referral.html", form_=form, accounts=accounts), status


@blueprint.get("/referrals/<ref>")
@needs(Permission.REFERRAL_VIEW)
def show_referral(ref: str) -> str:
    """Show a referral and what the viewer can do with it."""
    viewer = current_viewer()
    row = ask(referral_page, viewer=viewer, ref=ref)
    is_account_side = row.account_code == viewer.company_code and viewer.may(Permission.QUOTE_BUILD)
    return render_template("referral/referral.html", row=row, is_account_side=is_account_side)


@blueprint.post("/referrals/<ref>/accept")
@needs(Permission.REFERRAL_ANSWER)
def accept_referral(ref: str) -> Response:
    """Take the project on."""
    ref = ref.strip().upper()
    write(operations.accept_referral, actor=current_viewer(), at=now(), ref=ref)
    flash("You take this project on. Next: its quote.", "success")
    return redirect(url_for("referral.show_referral", ref=ref), 303)


@blueprint.route("/referrals/<ref>/refuse", methods=["GET", "POST"])
@needs(Permission.REFERRAL_ANSWER)
def refuse_referral(ref: str) -> tuple[str, int] | Response:
    """Decline the project, with a reason."""
    row = ask(referral_page, viewer=current_viewer(), ref=ref)
    if not row.is_mine_to_answer:
        raise Refusal("referral_closed")
    form = RefuseReferralForm()
    if form.validate_on_submit() and submitted(
        form,
        operations.refuse_referral,
        actor=current_viewer(),
        at=now(),
        ref=row.ref,
        reason=form.reason.data,
    ):
        flash("The dealer is told, with your reason.", "success")
        return redirect(url_for("referral.show_referral", ref=row.ref), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/refuse_referral.html", form_=form, row=row), status


@blueprint.route("/referrals/<ref>/withdraw", methods=["GET", "POST"])
@needs(Permission.REFERRAL_OPEN)
def withdraw_referral(ref: str) -> tuple[str, int] | Response:
    """Take an unanswered referral back, with a reason."""
    row = ask(referral_page, viewer=current_viewer(), ref=ref)
    if not row.is_mine_to_withdraw:
        raise Refusal("referral_closed")
    form = WithdrawReferralForm()
    if form.validate_on_submit() and submitted(
        form,
        operations.withdraw_referral,
        actor=current_viewer(),
        at=now(),
        ref=row.ref,
        reason=form.reason.data,
    ):
        flash("The referral is withdrawn; the project can be referred again.", "success")
        return redirect(url_for("referral.show_referral", ref=row.ref), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/withdraw_referral.html", form_=form, row=row), status
