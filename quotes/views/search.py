"""The search box of every page."""

from __future__ import annotations

from typing import Any

from flask import current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from quotes.queries.search import first_page, search_all
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, needs

LONGEST_SEARCH = 100


@blueprint.get("/search")
@needs(Permission.SIGNED_IN)
def search() -> Response | str:
    """Show what fits the words, of what the viewer may see; a whole number goes straight to its page."""
    words = clean_line(request.args.get("q", ""))[:LONGEST_SEARCH]
    viewer = current_viewer()
    searchers = current_app.extensions["searchers"]
    place = ask(first_page, searchers=searchers, viewer=viewer, words=words)
    if place is not None:
        values: dict[str, Any] = dict(place.values)
        return redirect(url_for(place.endpoint, **values), 303)
    groups = ask(search_all, searchers=searchers, viewer=viewer, at=now(), words=words)
    return render_template("quotes/search.html", words=words, groups=groups)
