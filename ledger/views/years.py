"""Program years: the list, closing one, and the evidence of a closed one."""

from __future__ import annotations

from datetime import datetime

from flask import current_app, flash, g, redirect, render_template, url_for
from werkzeug.wrappers import Response

from ledger.forms.years import CloseYearForm
from ledger.operations import years as operations
from ledger.queries.years import closing_page, dealers_to_close, year_to_close, years_page
from ledger.views.blueprint import blueprint
from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.permissions import Permission, Viewer
from referral.webkit import ask, current_viewer, form_status, needs, submitted

DEALERS_AT_ONCE = 200
"""Dealers closed by one request; the page goes on from there."""


@blueprint.get("/credit/years")
@needs(Permission.SETTING_VIEW)
def years() -> str:
    """List the program years: open, being closed, closed."""
    return render_template("ledger/years.html", page=ask(years_page, at=now()))


@blueprint.get("/credit/years/<int:year>")
@needs(Permission.SETTING_VIEW)
def closing(year: int) -> str:
    """Show how far a year's closing is, and what it froze."""
    page = ask(closing_page, viewer=current_viewer(), program_year=year)
    return render_template("ledger/closing.html", page=page)


@blueprint.route("/credit/years/<int:year>/close", methods=["GET", "POST"])
@needs(Permission.YEAR_CLOSE)
def close_year(year: int) -> Response | tuple[str, int]:
    """Show what closing a year means, and close it."""
    viewer, at, open_items = current_viewer(), now(), current_app.extensions["open_items"]
    form = CloseYearForm(year)
    if form.validate_on_submit():
        begun = submitted(
            form,
            operations.start_closing,
            actor=viewer,
            at=at,
            program_year=year,
            reason=form.reason.data,
            open_items=open_items,
        )
        if begun is not None:
            return _close_dealers(viewer, at, year)
    page = ask(year_to_close, viewer=viewer, at=at, program_year=year, open_items=open_items)
    form.reason.flags.optional = not page.open_items
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "open_items":
        form.reason.errors = [refusal.message]  # the items themselves stand above it
    status = form_status() if form.is_submitted() else 200
    return render_template("ledger/close_year.html", form=form, page=page), status


@blueprint.post("/credit/years/<int:year>/continue")
@needs(Permission.YEAR_CLOSE)
def continue_closing(year: int) -> Response:
    """Go on with a closing that was interrupted."""
    return _close_dealers(current_viewer(), now(), year)


def _close_dealers(viewer: Viewer, at: datetime, year: int) -> Response:
    """Close the next dealers, each in its own transaction, and show how far that is.

    Whatever stops it, what is closed stays closed, and the next call takes up the rest.
    """
    for dealer_id in ask(dealers_to_close, program_year=year, limit=DEALERS_AT_ONCE):
        write(operations.close_dealer_year, actor=viewer, at=at, dealer_id=dealer_id, program_year=year)
    return _finish(viewer, at, year)


def _finish(viewer: Viewer, at: datetime, year: int) -> Response:
    closing = write(operations.finish_closing, actor=viewer, at=at, program_year=year)
    if closing.finished_at is not None:
        flash(f"{year} is closed. The levels of {year + 1} are frozen.", "success")
    return redirect(url_for("ledger.closing", year=year), 303)
