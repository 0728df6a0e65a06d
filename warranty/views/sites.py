"""Pages of a project's sites, and of what happened to many of its sources at once."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for

from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import clean_line, say_day
from referral.webkit import NavLink, ask, current_viewer, form_status, needs, submitted
from warranty.forms.events import TOGETHER_WORDS, RecordProjectEventsForm
from warranty.forms.sites import AddSiteForm
from warranty.operations import sites as operations
from warranty.operations.project_events import record_project_events as record_events
from warranty.queries.events import LISTED, project_sources_to_record
from warranty.queries.sites import sites_page
from warranty.states import SourceEventKind
from warranty.views.blueprint import blueprint
from warranty.views.events import Answer, kind_asked_for


@blueprint.get("/referrals/<ref>/sites")
@needs(Permission.SOURCE_VIEW)
def sites(ref: str) -> Answer:
    """List the sites of a project, with what is there."""
    page = ask(sites_page, viewer=current_viewer(), at=now(), ref=ref)
    form = AddSiteForm(formdata=None)
    form.offer(page.default_zone)
    return render_template("warranty/sites.html", page=page, form_=form)


@blueprint.post("/referrals/<ref>/sites")
@needs(Permission.SOURCE_RECORD)
def add_site(ref: str) -> Answer:
    """Add a site to a project."""
    page = ask(sites_page, viewer=current_viewer(), at=now(), ref=ref)
    if not page.is_recordable:
        raise Refusal("forbidden")
    form = AddSiteForm()
    form.offer(page.default_zone)
    if form.validate():
        site = submitted(
            form,
            operations.add_site,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            name=form.name.data,
            place=form.place.data,
            time_zone=form.time_zone.data,
        )
        if site is not None:
            flash(f"{site.name} is a site of this project now.", "success")
            return redirect(url_for("warranty.sites", ref=ref), 303)
    return render_template("warranty/sites.html", page=page, form_=form), form_status()


@blueprint.get("/referrals/<ref>/record")
@blueprint.post("/referrals/<ref>/record")
@needs(Permission.SOURCE_RECORD)
def record_project_events(ref: str) -> Answer:
    """Record the same of all sources of a project, a room or an order, or of those that are ticked."""
    room = clean_line(request.args["room"]) if "room" in request.args else None
    order_ref = clean_line(request.args.get("order", ""))
    kind = kind_asked_for(TOGETHER_WORDS, SourceEventKind.DELIVERED)
    page = ask(
        project_sources_to_record,
        viewer=current_viewer(),
        at=now(),
        ref=ref,
        room=None if room == "*" else room,
        order_ref=order_ref,
    )
    data = {"happened_on": page.today, "count": page.count, "site_number": "1", "every": True}
    form = (
        RecordProjectEventsForm()
        if request.method == "POST"
        else RecordProjectEventsForm(formdata=None, data=data)
    )
    form.offer(kind, page.sites, [row.ref for row in page.rows])
    if form.is_submitted() and form.validate():
        done = submitted(
            form,
            record_events,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            kind=kind,
            happened_on=form.happened_on.data,
            **{"new_room": ""} | form.place,
            source_refs=form.chosen,
            room=page.room,
            order_ref=page.order_ref,
            count=None if form.chosen is not None else form.count.data,
        )
        if done is not None:
            words = f"{TOGETHER_WORDS[kind]} on {say_day(form.happened_on.data)}"
            flash(
                f"{words}: recorded for {done:,} installed {'source' if done == 1 else 'sources'}.", "success"
            )
            return redirect(url_for("warranty.project_sources", ref=ref), 303)
    kept: dict[str, Any] = {"room": room, "order": order_ref or None}
    tabs = [
        NavLink(
            words,
            url_for("warranty.record_project_events", ref=ref, kind=name.value, **kept),
            name is kind,
        )
        for name, words in TOGETHER_WORDS.items()
    ]
    here = url_for("warranty.record_project_events", ref=ref, kind=kind.value, **kept)
    html = render_template(
        "warranty/record_project_events.html",
        page=page,
        form_=form,
        kind=kind.value,
        tabs=tabs,
        here=here,
        shown=LISTED,
    )
    return html, form_status() if form.is_submitted() else 200
