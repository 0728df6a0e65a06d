"""The page of an installed source, and the short one that its label opens."""

from __future__ import annotations

from flask import render_template, request

from referral.clock import now
from referral.errors import Refusal
from referral.listkit import read_filters
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, form_status, needs, show_refusal
from warranty.forms.coverage import AskCoverageForm
from warranty.queries.source_page import scanned_source, source_page
from warranty.views.blueprint import blueprint


@blueprint.get("/sources/<ref>")
@needs(Permission.SOURCE_VIEW)
def show_source(ref: str) -> str | tuple[str, int]:
    """Show a source with its coverage bar and history, and whether what is asked is covered."""
    form = read_filters(AskCoverageForm, request.args)
    viewer, at = current_viewer(), now()
    if not form.errors:
        try:
            page = ask(
                source_page,
                viewer=viewer,
                ref=ref,
                at=at,
                as_of=form.as_of.data,
                failed_on=form.failed_on.data,
                reported_on=form.reported_on.data,
            )
            return render_template("warranty/show_source.html", page=page, form=form)
        except Refusal as refusal:
            if not refusal.field:
                raise
            show_refusal(form, refusal)
    page = ask(source_page, viewer=viewer, ref=ref, at=at)
    return render_template("warranty/show_source.html", page=page, form=form), form_status()


@blueprint.get("/u/<ref>")
@needs(Permission.SOURCE_VIEW)
def scan_source(ref: str) -> str:
    """Show what a label opens: what it is, where it belongs, whether it is covered, and the claim."""
    found = ask(scanned_source, viewer=current_viewer(), ref=ref, at=now())
    return render_template("warranty/scan_source.html", found=found)
