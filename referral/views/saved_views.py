"""Keeping views of lists: what a list shows now, under a name of one's own."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from flask import flash, redirect, render_template, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.forms.saved_views import RemoveViewForm, SaveViewForm
from referral.listkit import PLACE, list_forms, read_filters
from referral.operations import saved_views as operations
from referral.permissions import Permission
from referral.queries.records import page_key
from referral.views.blueprint import blueprint
from referral.webkit import current_viewer, form_status, needs, submitted

LONGEST_QUERY = 4_000
MOST_NAMES = 50


@blueprint.post("/saved-views")
@needs(Permission.SIGNED_IN)
def save_view() -> Response | tuple[str, int]:
    """Keep a list with its filters under a name; the filters are read as the list reads them."""
    form = SaveViewForm()
    list_name = form.list_name.data or ""
    query = _filters(list_name, form.query.data or "")
    if form.validate_on_submit() and submitted(
        form,
        operations.save_view,
        actor=current_viewer(),
        at=now(),
        list_name=list_name,
        name=form.name.data,
        query=query,
    ):
        flash(f"“{form.name.data}” stands above the list now.", "success")
        return redirect(_address(list_name, query), 303)
    back = _address(list_name, query)
    return render_template("referral/save_view.html", form_=form, back=back), form_status()


def _filters(list_name: str, query: str) -> str:
    """Return the filters as the list itself writes them. Raises Refusal(not_found) for what it does not know."""
    make_form = list_forms().get(list_name)
    if make_form is None or len(query) > LONGEST_QUERY or "\x00" in query:
        raise Refusal("not_found")
    try:
        said = MultiDict(parse_qsl(query, max_num_fields=MOST_NAMES))
    except ValueError as error:
        raise Refusal("not_found") from error
    said.poplist(PLACE)
    form = read_filters(make_form, said)
    if form.errors:
        raise Refusal("not_found", "These filters cannot be read. Open the list and set them again.")
    return urlencode(form.query)


def _address(list_name: str, query: str) -> str:
    return f"{url_for(list_name)}?{query}" if query else url_for(list_name)


@blueprint.post("/saved-views/remove")
@needs(Permission.SIGNED_IN)
def remove_view() -> Response:
    """Let one of one's own views go."""
    form = RemoveViewForm()
    if not form.validate_on_submit():
        raise Refusal("not_found")
    list_name = write(
        operations.remove_view, actor=current_viewer(), view_id=page_key(form.view_id.data or "")
    )
    flash("The view is gone. The list is as it was.", "success")
    return redirect(url_for(list_name), 303)
