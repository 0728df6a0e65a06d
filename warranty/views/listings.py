"""The lists of installed sources: all, what ends soon, and what waits for something to be said."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flask import render_template, request
from werkzeug.wrappers import Response

from referral.clock import now
from referral.listkit import read_filters, readable_filters, send_workbook, shown_list
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from warranty.forms.lists import FilterExpiringForm, FilterSourcesForm
from warranty.queries.ending import WINDOWS, ending_page
from warranty.queries.listings import LACKING_WORDS, STANDING_WORDS, source_list
from warranty.queries.undetermined import undetermined_sources
from warranty.sheets.lists import write_ending_list, write_source_list
from warranty.views.blueprint import blueprint

SOURCE_TABS: Mapping[str, str] = MappingProxyType(
    {
        "": "All",
        "in_place": "In place",
        "replaced": "Replaced",
        "retired": "Retired",
        "voided": "Returned",
    }
)
"""The standings as tabs above the list of sources."""


@blueprint.get("/sources")
@needs(Permission.SOURCE_VIEW)
def sources() -> str | tuple[str, int]:
    """Show the installed sources the viewer may see, newest first, narrowed by the address."""
    form = read_filters(FilterSourcesForm, request.args)
    shown = shown_list("warranty.sources", form)
    said = {"shown": shown, "tabs": SOURCE_TABS, "standings": STANDING_WORDS, "lackings": LACKING_WORDS}
    if form.errors:
        return render_template("warranty/sources.html", found=None, **said), 422
    found = ask(source_list, viewer=current_viewer(), at=now(), asked=form.asked, after=shown.after)
    return render_template("warranty/sources.html", found=found, **said)


@blueprint.get("/sources.xlsx")
@needs(Permission.SOURCE_VIEW)
def export_sources() -> Response:
    """Send the list of sources as it is filtered, whole, as a workbook."""
    form = readable_filters(FilterSourcesForm, request.args)
    viewer, at = current_viewer(), now()
    return send_workbook(
        "sources.xlsx",
        lambda out: ask(
            write_source_list, viewer=viewer, at=at, asked=form.asked, words=form.in_words, out=out
        ),
    )


@blueprint.get("/sources/expiring")
@needs(Permission.SOURCE_VIEW)
def expiring() -> str | tuple[str, int]:
    """Show the sources whose warranty ends soon, soonest first, narrowed by the address."""
    form = read_filters(FilterExpiringForm, request.args)
    shown = shown_list("warranty.expiring", form)
    said = {"shown": shown, "windows": WINDOWS, "standings": STANDING_WORDS}
    if form.errors:
        return render_template("warranty/expiring.html", found=None, **said), 422
    found = ask(
        ending_page, viewer=current_viewer(), at=now(), days=form.days, asked=form.asked, after=shown.after
    )
    return render_template("warranty/expiring.html", found=found, **said)


@blueprint.get("/sources/expiring.xlsx")
@needs(Permission.SOURCE_VIEW)
def export_expiring() -> Response:
    """Send all whose warranty ends soon, as it is filtered, as a workbook."""
    form = readable_filters(FilterExpiringForm, request.args)
    viewer, at = current_viewer(), now()
    return send_workbook(
        "expiring.xlsx",
        lambda out: ask(
            write_ending_list,
            viewer=viewer,
            at=at,
            days=form.days,
            asked=form.asked,
            words=form.in_words,
            out=out,
        ),
    )


@blueprint.get("/sources/undetermined")
@needs(Permission.SOURCE_VIEW)
def undetermined() -> str:
    """Show what is to be said before warranties are determined, by whom and where."""
    found = ask(undetermined_sources, viewer=current_viewer())
    return render_template("warranty/undetermined.html", found=found, lackings=LACKING_WORDS)
