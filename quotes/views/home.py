"""The start page of each kind of user."""

from __future__ import annotations

from flask import current_app, render_template

from quotes.queries.home import home_page
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs, zone


@blueprint.get("/")
@needs(Permission.SIGNED_IN)
def home() -> str:
    """Show what waits for the viewer and what they get."""
    providers = current_app.extensions["home_panels"]
    page = ask(home_page, viewer=current_viewer(), at=now(), providers=providers)
    return render_template("quotes/home.html", page=page, zone_name=str(zone()))
