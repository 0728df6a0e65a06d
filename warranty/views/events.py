"""Pages that record what happened to an installed source, correct it, and take units out of a group."""

from __future__ import annotations

from typing import TypeAlias

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import say_day
from referral.webkit import NavLink, ask, current_viewer, form_status, needs, submitted
from warranty.forms.events import (
    KIND_WORDS,
    CorrectEventForm,
    IdentifySourceForm,
    RecordEventForm,
    RecordSwapForm,
    SplitSourceForm,
)
from warranty.operations import corrections, splits
from warranty.operations import events as operations
from warranty.queries.coverage import EVENT_WORDS
from warranty.queries.events import RecordedSource, event_to_correct, free_replacements, recorded_source
from warranty.states import SourceEventKind
from warranty.views.blueprint import blueprint

Answer: TypeAlias = Response | str | tuple[str, int]


def _source(ref: str) -> RecordedSource:
    return ask(recorded_source, viewer=current_viewer(), at=now(), ref=ref)


def _shown(ref: str) -> Response:
    return redirect(url_for("warranty.show_source", ref=ref), 303)


def kind_asked_for(words: dict[SourceEventKind, str], default: SourceEventKind) -> SourceEventKind:
    """Return the kind that the address names. Raises Refusal(not_found)."""
    text = request.args.get("kind", "")
    if not text:
        return default
    for kind in words:
        if kind.value == text:
            return kind
    raise Refusal("not_found")


def _next_kind(source: RecordedSource) -> SourceEventKind:
    if source.delivered_on is None and source.commissioned_on is None:
        return SourceEventKind.DELIVERED
    return SourceEventKind.COMMISSIONED if source.commissioned_on is None else SourceEventKind.MOVED


@blueprint.get("/sources/<ref>/record")
@blueprint.post("/sources/<ref>/record")
@needs(Permission.SOURCE_RECORD)
def record_event(ref: str) -> Answer:
    """Record that a source was delivered, commissioned, moved, taken out, or recorded by mistake."""
    source = _source(ref)
    kind = kind_asked_for(KIND_WORDS, _next_kind(source))
    data = {
        "event_count": source.event_count,
        "happened_on": source.today,
        "site_number": str(source.site_number),
        "room": source.room,
    }
    form = RecordEventForm() if request.method == "POST" else RecordEventForm(formdata=None, data=data)
    form.offer(kind, source.sites)
    if form.is_submitted() and form.validate():
        done = submitted(
            form,
            operations.record_source_event,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            event_count=form.event_count.data,
            kind=kind,
            happened_on=form.happened_on.data,
            **form.place,
        )
        if done is not None:
            flash(f"{EVENT_WORDS[kind]} on {say_day(form.happened_on.data)}: recorded for {ref}.", "success")
            return _shown(ref)
    tabs = [
        NavLink(words, url_for("warranty.record_event", ref=ref, kind=name.value), name is kind)
        for name, words in KIND_WORDS.items()
    ]
    page = render_template(
        "warranty/record_event.html", source=source, form_=form, kind=kind.value, tabs=tabs
    )
    return page, form_status() if form.is_submitted() else 200


@blueprint.get("/sources/<ref>/serial")
@blueprint.post("/sources/<ref>/serial")
@needs(Permission.SOURCE_RECORD)
def identify_source(ref: str) -> Answer:
    """Record the serial number of a unit."""
    source = _source(ref)
    data = {"event_count": source.event_count, "serial": source.serial}
    form = IdentifySourceForm() if request.method == "POST" else IdentifySourceForm(formdata=None, data=data)
    if form.is_submitted() and form.validate():
        done = submitted(
            form,
            operations.identify_source,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            event_count=form.event_count.data,
            serial=form.serial.data,
            happened_on=None,
        )
        if done is not None:
            flash(f"{ref} bears {done.serial}.", "success")
            return _shown(ref)
    page = render_template("warranty/identify_source.html", source=source, form_=form)
    return page, form_status() if form.is_submitted() else 200


@blueprint.get("/sources/<ref>/split")
@blueprint.post("/sources/<ref>/split")
@needs(Permission.SOURCE_RECORD)
def split_source(ref: str) -> Answer:
    """Record some units of a group apart from the others."""
    source = _source(ref)
    data = {"event_count": source.event_count, "quantity": 1, "room": source.room}
    form = SplitSourceForm() if request.method == "POST" else SplitSourceForm(formdata=None, data=data)
    if form.is_submitted() and form.validate():
        done = submitted(
            form,
            splits.split_source,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            event_count=form.event_count.data,
            quantity=form.quantity.data,
            room=form.room.data,
        )
        if done is not None:
            new_ref = f"{ref.rpartition('-')[0]}-{done.number}"
            flash(f"{done.quantity} of {ref} are {new_ref} from now on.", "success")
            return _shown(new_ref)
    page = render_template("warranty/split_source.html", source=source, form_=form)
    return page, form_status() if form.is_submitted() else 200


@blueprint.get("/sources/<ref>/replaced")
@blueprint.post("/sources/<ref>/replaced")
@needs(Permission.SOURCE_RECORD)
def record_swap(ref: str) -> Answer:
    """Record which warranty replacement took the place of a source."""
    source = _source(ref)
    choices = ask(free_replacements, viewer=current_viewer(), ref=ref)
    data = {"event_count": source.event_count, "happened_on": source.today}
    form = RecordSwapForm() if request.method == "POST" else RecordSwapForm(formdata=None, data=data)
    form.offer([(choice.ref, choice.words) for choice in choices])
    if form.is_submitted() and form.validate():
        done = submitted(
            form,
            operations.record_swap,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            new_ref=form.new_ref.data,
            happened_on=form.happened_on.data,
            reason=form.reason.data,
            event_count=form.event_count.data,
        )
        if done is not None:
            prefix, new_ref = ref.rpartition("-")[0], f"{ref.rpartition('-')[0]}-{done[1].number}"
            flash(f"{new_ref} took the place of {prefix}-{done[0].number}.", "success")
            return _shown(new_ref)
    page = render_template("warranty/record_swap.html", source=source, form_=form, choices=choices)
    return page, form_status() if form.is_submitted() else 200


@blueprint.get("/sources/<ref>/events/<int:number>/correct")
@blueprint.post("/sources/<ref>/events/<int:number>/correct")
@needs(Permission.SOURCE_RECORD)
def correct_event(ref: str, number: int) -> Answer:
    """Say that an event was recorded wrongly: it stays, and counts no more."""
    source = _source(ref)
    event = ask(event_to_correct, viewer=current_viewer(), ref=ref, number=number)
    data = {"event_count": source.event_count}
    form = CorrectEventForm() if request.method == "POST" else CorrectEventForm(formdata=None, data=data)
    if form.is_submitted() and form.validate():
        done = submitted(
            form,
            corrections.correct_event,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            event_count=form.event_count.data,
            number=number,
            reason=form.reason.data,
        )
        if done is not None:
            flash("That event is corrected, and counts no more.", "success")
            return _shown(ref)
    words = EVENT_WORDS[event.kind]
    page = render_template("warranty/correct_event.html", source=source, event=event, words=words, form_=form)
    return page, form_status() if form.is_submitted() else 200
