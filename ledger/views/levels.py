"""The levels of every year."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from ledger.forms.levels import LEVELS_MAX, SetLevelsForm
from ledger.operations import levels as operations
from ledger.queries.level_pages import level_set_page, levels_page
from ledger.views.blueprint import blueprint
from referral.clock import now
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, form_status, needs, submitted


@blueprint.get("/levels")
@needs(Permission.SETTING_VIEW)
def levels() -> str:
    """List the levels of every year."""
    return render_template("ledger/levels.html", page=ask(levels_page, at=now()))


@blueprint.get("/levels/<int:level_year>/versions/<int(max=999999):version>")
@needs(Permission.CREDIT_VIEW)
def level_set(level_year: int, version: int) -> str:
    """Show one version of a year's levels and where it comes from."""
    page = ask(level_set_page, level_year=level_year, version=version)
    return render_template("ledger/level_set.html", row=page.row, currency=page.currency, latest=page.latest)


@blueprint.route("/levels/<int:level_year>", methods=["GET", "POST"])
@needs(Permission.SETTING_CHANGE)
def set_levels(level_year: int) -> Response | tuple[str, int]:
    """Set the levels of one year; what held before stays readable."""
    form = SetLevelsForm()
    if form.validate_on_submit():
        row = submitted(
            form,
            operations.set_levels,
            actor=current_viewer(),
            at=now(),
            level_year=level_year,
            levels=form.steps(),
            reason=form.reason.data,
            source=form.source.data,
        )
        if row is not None:
            flash(f"The levels of {level_year} are set.", "success")
            return redirect(url_for("ledger.levels"), 303)
        form.form_errors += form.levels.errors  # said of all rows together, so of none below
        form.levels.errors = []
    page = ask(levels_page, at=now(), level_year=level_year)
    if not form.is_submitted():
        for row, step in zip(form.levels.entries, page.nearest(level_year)[:LEVELS_MAX], strict=False):
            row.form.name.data, row.form.threshold_cents.data = step.name, step.threshold_cents
    status = form_status() if form.is_submitted() else 200
    return render_template("ledger/set_levels.html", form=form, page=page, level_year=level_year), status
