"""Pages: which account has a project: choosing between two, letting one go on, giving it to another."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import SelectChoice

from referral.clock import now
from referral.errors import Refusal
from referral.forms.referrals import (
    ChooseReferralForm,
    ContinueReferralForm,
    PassOverReferralForm,
    ReassignReferralForm,
)
from referral.ids import PublicNumber
from referral.operations import assignments, conflicts
from referral.permissions import Permission
from referral.queries.accounts import accounts_for
from referral.queries.referral_history import ReferralView, referral_view
from referral.views.blueprint import blueprint
from referral.webkit import ask, current_viewer, form_status, needs, submitted


def _parked(ref: str) -> ReferralView:
    """Return a referral that the viewer chooses about. Raises Refusal(not_found), (referral_closed)."""
    view = ask(referral_view, viewer=current_viewer(), at=now(), ref=ref)
    if not view.row.is_mine_to_choose:
        raise Refusal("referral_closed", "This referral is not parked: nothing is to be chosen.")
    return view


def _assignable(ref: str) -> ReferralView:
    """Return a referral whose account the viewer can change. Raises Refusal(not_found), (referral_closed)."""
    view = ask(referral_view, viewer=current_viewer(), at=now(), ref=ref)
    if not view.row.is_mine_to_assign:
        raise Refusal("referral_closed")
    return view


@blueprint.route("/referrals/<ref>/choose", methods=["GET", "POST"])
@needs(Permission.REFERRAL_CHOOSE)
def choose_referral(ref: str) -> tuple[str, int] | Response:
    """Give the project to the parked referral's account."""
    view = _parked(ref)
    form = ChooseReferralForm(data={"instead_of": view.holder.ref if view.holder else ""})
    if form.validate_on_submit() and submitted(
        form,
        conflicts.choose_referral,
        actor=current_viewer(),
        at=now(),
        ref=view.row.ref,
        reason=form.reason.data,
        instead_of=form.seen(),
    ):
        flash(f"{view.row.account_name} is asked now, and answers here.", "success")
        return redirect(url_for("referral.show_referral", ref=view.row.ref), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/choose_referral.html", form_=form, view=view), status


@blueprint.route("/referrals/<ref>/pass-over", methods=["GET", "POST"])
@needs(Permission.REFERRAL_CHOOSE)
def pass_over_referral(ref: str) -> tuple[str, int] | Response:
    """Leave the project with the account that has it."""
    view = _parked(ref)
    form = PassOverReferralForm()
    if form.validate_on_submit() and submitted(
        form,
        conflicts.pass_over_referral,
        actor=current_viewer(),
        at=now(),
        ref=view.row.ref,
        reason=form.reason.data,
    ):
        flash("The parked referral is closed. Nobody else was told.", "success")
        return redirect(url_for("referral.show_referral", ref=view.row.ref), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/pass_over_referral.html", form_=form, view=view), status


@blueprint.route("/referrals/<ref>/continue", methods=["GET", "POST"])
@needs(Permission.REFERRAL_ASSIGN)
def continue_referral(ref: str) -> tuple[str, int] | Response:
    """Let the account go on with this one project to a day."""
    view = _assignable(ref)
    form = ContinueReferralForm()
    if form.validate_on_submit() and submitted(
        form,
        assignments.continue_referral,
        actor=current_viewer(),
        at=now(),
        ref=view.row.ref,
        last_on=form.last_on.data,
        reason=form.reason.data,
    ):
        flash(f"{view.row.account_name} can go on with this project. Both sides are told.", "success")
        return redirect(url_for("referral.show_referral", ref=view.row.ref), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/continue_referral.html", form_=form, view=view), status


@blueprint.route("/referrals/<ref>/reassign", methods=["GET", "POST"])
@needs(Permission.REFERRAL_ASSIGN)
def reassign_referral(ref: str) -> tuple[str, int] | Response:
    """Give the project to another account, which needs a quote and an approval of its own."""
    view = _assignable(ref)
    found = ask(accounts_for, at=now(), ref=view.row.ref)
    accounts = [account for account in found.accounts if account.code != view.row.account_code]
    form = ReassignReferralForm()
    form.account_code.choices = [SelectChoice(account.code, account.name) for account in accounts]
    if form.validate_on_submit():
        referral = submitted(
            form,
            assignments.reassign_referral,
            actor=current_viewer(),
            at=now(),
            ref=view.row.ref,
            account_code=form.account_code.data,
            reason=form.reason.data,
        )
        if referral is not None:
            flash("The other account is asked now. The dealer and both accounts are told.", "success")
            new_ref = PublicNumber("R", view.row.dealer_code, referral.number)
            return redirect(url_for("referral.show_referral", ref=new_ref), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template(
        "referral/reassign_referral.html", form_=form, view=view, accounts=accounts
    ), status
