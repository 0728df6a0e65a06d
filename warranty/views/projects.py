"""A project's installed sources, room by room."""

from __future__ import annotations

from flask import render_template, request

from referral.clock import now
from referral.listkit import PLACE
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from warranty.queries.listings import LACKING_WORDS
from warranty.queries.projects import project_sources as read_project_sources
from warranty.views.blueprint import blueprint


@blueprint.get("/referrals/<ref>/sources")
@needs(Permission.SOURCE_VIEW)
def project_sources(ref: str) -> str:
    """Show the project's sources by room, what has not shipped yet, and counts that add up."""
    page = ask(
        read_project_sources,
        viewer=current_viewer(),
        at=now(),
        ref=ref,
        after=request.args.get(PLACE) or None,
    )
    return render_template(
        "warranty/project_sources.html", page=page, lackings=LACKING_WORDS, after=request.args.get(PLACE)
    )
