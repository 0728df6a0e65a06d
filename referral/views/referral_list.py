"""The list of referrals: filtered by the address, counted, as a page and as a workbook."""

from __future__ import annotations

from flask import render_template, request
from werkzeug.wrappers import Response

from referral.clock import now
from referral.forms.referral_list import STATE_WORDS, FilterReferralsForm
from referral.listkit import read_filters, readable_filters, send_workbook, shown_list
from referral.permissions import CompanyKind, Permission
from referral.queries.referrals import referral_list
from referral.sheets.referral_list import write_referral_list
from referral.states import ReferralState
from referral.views.blueprint import blueprint
from referral.webkit import ask, current_viewer, needs


@blueprint.get("/referrals")
@needs(Permission.REFERRAL_VIEW)
def referrals() -> str | tuple[str, int]:
    """List the referrals the viewer may see, newest first, narrowed by the address, and count them."""
    viewer = current_viewer()
    form = read_filters(FilterReferralsForm, request.args)
    shown = shown_list("referral.referrals", form)
    sees_parked = viewer.acts_as(CompanyKind.DEALER) or viewer.acts_as(CompanyKind.PROGRAM)
    tabs = {"": "All"} | {
        state.value: word
        for state, word in STATE_WORDS.items()
        if sees_parked or state is not ReferralState.PARKED
    }
    if form.errors:
        return render_template("referral/referrals.html", shown=shown, tabs=tabs, page=None), 422
    page, count = ask(referral_list, viewer=viewer, at=now(), asked=form.asked, after=shown.after)
    return render_template("referral/referrals.html", shown=shown, tabs=tabs, page=page, count=count)


@blueprint.get("/referrals.xlsx")
@needs(Permission.REFERRAL_VIEW)
def export_referrals() -> Response:
    """Send the list of referrals as it is filtered, whole, as a workbook."""
    form = readable_filters(FilterReferralsForm, request.args)
    viewer, at = current_viewer(), now()
    return send_workbook(
        "referrals.xlsx",
        lambda out: ask(
            write_referral_list,
            viewer=viewer,
            at=at,
            asked=form.asked,
            words=form.in_words,
            states=STATE_WORDS,
            out=out,
        ),
    )
