"""Pages: referrals, seen from each side."""

from __future__ import annotations

from datetime import date

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectChoice

from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.forms.referrals import OpenReferralForm, RefuseReferralForm, WithdrawReferralForm
from referral.ids import PublicNumber
from referral.operations import referrals as operations
from referral.permissions import CompanyKind, Permission
from referral.queries.accounts import find_accounts
from referral.queries.referral_history import HistoryRow, referral_view
from referral.queries.referrals import referral_page
from referral.states import ReferralState
from referral.text import clean_line, say_day
from referral.views.blueprint import blueprint
from referral.webkit import (
    ask,
    current_viewer,
    form_status,
    format_instant,
    needs,
    submitted,
)

EVENT_WORDS = {
    "referral.opened": "Referred; suitability attested",
    "referral.parked": "Parked; suitability attested. Another account has the project",
    "referral.chosen": "Referred",
    "referral.passed_over": "Passed over: the other account keeps the project",
    "referral.accepted": "Accepted",
    "referral.refused": "Refused",
    "referral.withdrawn": "Withdrawn by the dealer",
    "referral.expired": "Ended without an answer; the project was referred again",
    "referral.closed": "Closed: the project is with another account",
    "referral.continued": "Let go on",
}
CLOSED_FOR_YOU = "Closed"
WORDS_LENGTH = 100


@blueprint.route("/referrals/new", methods=["GET", "POST"])
@needs(Permission.REFERRAL_OPEN)
def open_referral() -> tuple[str, int] | Response:
    """Refer a project to a qualified account, found by region and family."""
    viewer = current_viewer()
    found = ask(
        find_accounts,
        viewer=viewer,
        at=now(),
        region=clean_line(request.args.get("region", ""))[:WORDS_LENGTH],
        family=clean_line(request.args.get("family", ""))[:WORDS_LENGTH],
    )
    form = OpenReferralForm()
    form.account_code.choices = [SelectChoice(account.code, account.name) for account in found.accounts]
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
            if referral.state is ReferralState.PARKED:
                flash("Another account has this project already. Choose which one keeps it.", "warning")
            else:
                flash("The referral is open. The account is told by mail and answers here.", "success")
            ref = PublicNumber("R", viewer.company_code, referral.number)
            return redirect(url_for("referral.show_referral", ref=ref), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/open_referral.html", form_=form, found=found), status


@blueprint.get("/referrals/<ref>")
@needs(Permission.REFERRAL_VIEW)
def show_referral(ref: str) -> str:
    """Show a referral, its history and what the viewer can do with it."""
    viewer = current_viewer()
    view = ask(referral_view, viewer=viewer, at=now(), ref=ref)
    row = view.row
    is_mine = row.account_code == viewer.company_code and viewer.acts_as(CompanyKind.ACCOUNT)
    return render_template(
        "referral/referral.html",
        view=view,
        row=row,
        is_mine=is_mine,
        is_account_side=is_mine and viewer.may(Permission.QUOTE_BUILD),
        steps=[_step(step, is_mine and row.dealer_code != viewer.company_code) for step in view.history],
    )


def _step(step: HistoryRow, is_for_account: bool) -> dict[str, str]:
    """Return one step of the timeline in words; an account reads of no other."""
    what = EVENT_WORDS.get(step.event, step.event)
    if is_for_account and step.event == "referral.closed":
        what = CLOSED_FOR_YOU
    if step.last_on:
        what = f"{what} through {say_day(date.fromisoformat(step.last_on))}"
    if step.other_ref:
        what = f"{what} ({step.other_ref})"
    return {
        "what": what,
        "when": format_instant(step.at),
        "iso": step.at.isoformat(),
        "who": step.who,
        "note": step.reason,
    }


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
    row = ask(referral_page, viewer=current_viewer(), at=now(), ref=ref)
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
    row = ask(referral_page, viewer=current_viewer(), at=now(), ref=ref)
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
