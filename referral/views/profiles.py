"""Pages: what an account tells dealers of itself."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.forms.profiles import SaveAccountProfileForm
from referral.operations import profiles as operations
from referral.permissions import Permission
from referral.queries.accounts import profile_page
from referral.views.blueprint import blueprint
from referral.webkit import ask, current_viewer, form_status, needs, submitted


@blueprint.route("/profile", methods=["GET", "POST"])
@needs(Permission.PROFILE_EDIT)
def save_account_profile() -> tuple[str, int] | Response:
    """Say which regions the own account serves and how many projects it takes on."""
    viewer = current_viewer()
    page = ask(profile_page, viewer=viewer, at=now())
    profile = page.profile
    form = SaveAccountProfileForm(
        data={"regions": page.home_region}
        if profile is None
        else {"regions": ", ".join(profile.regions), "capacity": profile.capacity, "note": profile.note}
    )
    if form.validate_on_submit() and submitted(
        form,
        operations.save_account_profile,
        actor=viewer,
        at=now(),
        regions=form.regions.data,
        capacity=form.capacity.data,
        note=form.note.data,
    ):
        flash("Dealers see this from now on.", "success")
        return redirect(url_for("referral.save_account_profile"), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/save_account_profile.html", form_=form, page=page), status
