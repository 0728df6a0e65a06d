"""Pages: settings."""

from __future__ import annotations

from datetime import date

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.forms.settings import ChangeSettingForm
from referral.operations import settings as operations
from referral.permissions import Permission
from referral.queries.settings import settings_page, today
from referral.views.blueprint import blueprint
from referral.webkit import ask, current_viewer, form_status, needs, submitted


@blueprint.get("/settings")
@needs(Permission.SETTING_VIEW)
def settings() -> str:
    """List every setting with its value of today and its history."""
    return render_template("referral/settings.html", rows=ask(settings_page, at=now()))


@blueprint.route("/settings/<key>", methods=["GET", "POST"])
@needs(Permission.SETTING_CHANGE)
def change_setting(key: str) -> tuple[str, int] | Response:
    """Give a setting a dated value."""
    row = next((each for each in ask(settings_page, at=now()) if each.key == key), None)
    if row is None:
        raise Refusal("not_found")
    form = ChangeSettingForm()
    if not form.is_submitted():
        day = ask(today, now())
        form.value.data = row.value
        form.valid_from.data = date(day.year + 1, 1, 1) if row.per_year else day
    elif form.validate() and submitted(
        form,
        operations.change_setting,
        actor=current_viewer(),
        at=now(),
        key=row.key,
        value=form.value.data,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        reason=form.reason.data,
        source=form.source.data,
    ):
        flash(f"{row.words}: {form.value.data} is recorded.", "success")
        return redirect(url_for("referral.settings"), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/change_setting.html", form_=form, row=row), status
