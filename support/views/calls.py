"""Pages of service calls: the desk, one call, opening one, recording what happens, correcting it."""

from __future__ import annotations

from uuid import uuid4

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import business_day, now
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.listkit import Shown, read_filters, shown_list
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, submitted, zone
from support.forms.calls import CorrectCallEventForm, FilterCallsForm, OpenCallForm, RecordCallEventForm
from support.operations.calls import open_call as open_operation
from support.operations.calls_recording import Used
from support.operations.calls_recording import correct_call_event as correct_operation
from support.operations.calls_recording import record_call_event as record_operation
from support.queries.call_agreement import UseWords, use_words
from support.queries.call_opening import OpeningPage, opening_page
from support.queries.call_page import CallEventRow, CallPage, call_page
from support.queries.calls import CALL_TABS, CallList, calls_page
from support.rules.call_moves import PEOPLE_RECORD
from support.rules.call_words import (
    DO_WORDS,
    EVENT_WORDS,
    STATUS_WORDS,
    say_at,
)
from support.states import CallEventKind, Platform, Priority
from support.views.blueprint import blueprint

Answer = Response | tuple[str, int]
REF_LENGTH = 40
KEY_USED = "You sent this form before with other content, and that call is open. Look at your calls first."


@blueprint.get("/calls")
@needs(Permission.SUPPORT_VIEW)
def calls() -> str | tuple[str, int]:
    """List the calls the viewer may see, by what is due next; the list alone where it refreshes itself."""
    form = read_filters(FilterCallsForm, request.args)
    shown = shown_list("support.calls", form)
    if form.errors:
        return _desk(shown, None), 422
    found = ask(calls_page, viewer=current_viewer(), at=now(), asked=form.asked, after=shown.after)
    return _desk(shown, found)


@blueprint.get("/calls/<ref>")
@needs(Permission.SUPPORT_VIEW)
def show_call(ref: str) -> str:
    """Show a call: what is due next, what was owed and why, what happened, what may happen next."""
    return _shown("support/show_call.html", _page(ref))


@blueprint.route("/calls/new", methods=["GET", "POST"])
@needs(Permission.CALL_OPEN)
def open_call() -> Answer:
    """Open a call of a unit, at a site, or under an agreement, seeing first what it is entitled to."""
    form = OpenCallForm(idempotency_key=uuid4().hex)
    page = _opening(form)
    way = None
    if page.place is not None:
        form.offer(
            [(each.way.under, each.way.name) for each in page.ways],
            has_platforms=page.place.source is None,
            has_priorities=any(each.way.has_priorities for each in page.ways),
        )
        way = page.way(form.under.data or "")
    is_sent = request.method == "POST" and request.form.get("look") != "1"
    if is_sent and page.place is not None and way is not None and form.validate():
        call = submitted(
            form,
            open_operation,
            actor=current_viewer(),
            at=now(),
            source_ref=page.place.source_ref,
            site_ref="" if page.place.source_ref else page.place.site_ref,
            platform=form.said_platform,
            under=form.under.data,
            problem=form.problem.data,
            priority=form.said_priority(has_priorities=way.way.has_priorities),
            happened_at=form.happened_at(page.place.site.time_zone),
            idempotency_key=form.idempotency_key.data,
        )
        if call is not None:
            ref = str(PublicNumber("S", page.place.dealer_code, call.number))
            flash(f"{ref} is open. Both sides are told by mail.", "success")
            return redirect(url_for("support.show_call", ref=ref), 303)
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "idempotency_key_reused":
        form.form_errors = [KEY_USED]
        form.idempotency_key.data = uuid4().hex
    status = form_status() if is_sent else 200
    asked = {name: _asked(name) for name in ("source", "site", "agreement")}
    words = render_template(
        "support/open_call.html", form_=form, page=page, chosen=way, asked=asked, say_at=say_at
    )
    return words, status


@blueprint.route("/calls/<ref>/record", methods=["GET", "POST"])
@needs(Permission.CALL_OPEN)
def record_call_event(ref: str) -> Answer:
    """Record what happened to a call, now or earlier; a resolution shows what it uses up before it is confirmed."""
    page = _page(ref)
    kind = _kind()
    data = {"event_count": page.call.event_count, "kind": kind.value}
    own = next((each for each in page.quotas if each.is_own), None)
    if own is not None and not own.asks_minutes:
        data |= {"used_grant": own.grant_key, "used": 1}
    form = (
        RecordCallEventForm() if request.method == "POST" else RecordCallEventForm(formdata=None, data=data)
    )
    form.offer(kind, page.reasons, page.quotas, page.stand.priority)
    use = None
    if form.is_submitted() and form.validate():
        used = _used(form)
        use = None if used is None else _use_words(page, form, used)
        if use is None or form["seen"].data == _seen(use):
            call = submitted(
                form,
                record_operation,
                actor=current_viewer(),
                at=now(),
                ref=ref,
                event_count=form.event_count.data,
                kind=kind,
                happened_at=form.happened_at(page.zone),
                priority=form.said_priority,
                reason=form["reason"].data if "reason" in form else "",
                words=form.words.data,
                used=used,
            )
            if call is not None:
                flash(f"{EVENT_WORDS[kind]}: recorded for {ref}.", "success")
                return redirect(url_for("support.show_call", ref=ref), 303)
        else:
            form["seen"].data = _seen(use)
            form["seen"].raw_data = [_seen(use)]
    is_refused = form.is_submitted() and (bool(form.errors) or "refusal" in g)
    words = _shown("support/record_call_event.html", page, form_=form, kind=kind, use=use)
    return words, form_status() if is_refused else 200


@blueprint.route("/calls/<ref>/events/<int:number>/correct", methods=["GET", "POST"])
@needs(Permission.CALL_WORK)
def correct_call_event(ref: str, number: int) -> Answer:
    """Say that an event was wrong: it stays, and counts no more."""
    page = _page(ref)
    event = next((each for each in page.events if each.number == number), None)
    if event is None:
        raise Refusal("not_found")
    data = {"event_count": page.call.event_count}
    form = (
        CorrectCallEventForm() if request.method == "POST" else CorrectCallEventForm(formdata=None, data=data)
    )
    if form.validate_on_submit():
        call = submitted(
            form,
            correct_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            event_count=form.event_count.data,
            number=number,
            reason=form.reason.data,
        )
        if call is not None:
            flash(f"Event {number} of {ref} counts no more. What is due is worked out without it.", "success")
            return redirect(url_for("support.show_call", ref=ref), 303)
    elif not form.is_submitted():
        _guard_correctable(event)
    words = _shown("support/correct_call_event.html", page, form_=form, event=event)
    return words, form_status() if form.is_submitted() else 200


def _desk(shown: Shown, found: CallList | None) -> str:
    is_part = request.headers.get("HX-Request") == "true"
    return render_template(
        "support/_calls.html" if is_part else "support/calls.html",
        shown=shown,
        tabs=CALL_TABS,
        found=found,
        say_at=say_at,
        platform_words={each: each.value.capitalize() for each in Platform},
    )


def _page(ref: str) -> CallPage:
    return ask(call_page, viewer=current_viewer(), at=now(), ref=ref)


def _shown(template: str, page: CallPage, **context: object) -> str:
    return render_template(
        template,
        page=page,
        row=page.row,
        call=page.call,
        do_words=DO_WORDS,
        event_words=EVENT_WORDS,
        status_words=STATUS_WORDS,
        say_at=say_at,
        reader_zone=zone().key,
        **context,
    )


def _opening(form: OpenCallForm) -> OpeningPage:
    """Return what would be opened: what the address names, with what is typed so far."""
    platforms = {each.value: each for each in Platform}
    chosen = clean_line(form.platform.data or "")[:REF_LENGTH]
    form_priority = clean_line(form.priority.data or "")[:REF_LENGTH]
    return ask(
        opening_page,
        viewer=current_viewer(),
        at=now(),
        source_ref=_asked("source"),
        site_ref=_asked("site"),
        agreement_ref=_asked("agreement"),
        platform=platforms.get(chosen),
        priority=next((each for each in Priority if each.value == form_priority), None),
    )


def _asked(name: str) -> str:
    return clean_line(request.args.get(name, ""))[:REF_LENGTH]


def _kind() -> CallEventKind:
    """Return the kind of event that the address, or a button, names. Raises Refusal(not_found)."""
    said = request.args.get("kind") or request.form.get("kind") or CallEventKind.NOTED.value
    for kind in PEOPLE_RECORD:
        if kind.value == said:
            return kind
    raise Refusal("not_found")


def _used(form: RecordCallEventForm) -> Used | None:
    if "used_grant" not in form or not form["used_grant"].data:
        return None
    return Used(form["used_grant"].data, form["used"].data)


def _use_words(page: CallPage, form: RecordCallEventForm, used: Used) -> UseWords | None:
    """Return what was used comes to: shown before it is confirmed."""
    day = business_day(form.happened_at(page.zone) or now(), page.zone)
    return ask(use_words, call=page.call, day=day, grant_key=used.grant_key, asked=used.asked)


def _seen(use: UseWords) -> str:
    return f"{use.covered}/{use.billable}"


def _guard_correctable(event: CallEventRow) -> None:
    """Guard: the event can be corrected. Raises Refusal(event_fixed)."""
    if not event.may_correct:
        raise Refusal("event_fixed")
