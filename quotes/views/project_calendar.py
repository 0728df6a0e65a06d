"""The calendar of projects: a secret address that calendar programs read, and the page that gives it."""

from __future__ import annotations

from datetime import timedelta

from flask import Response, current_app, flash, make_response, redirect, render_template, request, url_for
from icalendar import Calendar, Event
from werkzeug.wrappers import Response as BaseResponse

from quotes.operations.calendar_feeds import end_calendar_feed as end_calendar_feed_operation
from quotes.operations.calendar_feeds import renew_calendar_feed as renew_calendar_feed_operation
from quotes.queries.calendar_days import CalendarDay, CalendarTime, calendar_days, calendar_feed_of
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.db import write
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs


@blueprint.get("/calendar")
@needs(Permission.REFERRAL_VIEW)
def calendar() -> str:
    """Show whether the viewer has a calendar address, and how to get one."""
    feed = ask(calendar_feed_of, viewer=current_viewer())
    return render_template("quotes/calendar.html", feed=feed, address=None)


@blueprint.post("/calendar/renew")
@needs(Permission.REFERRAL_VIEW)
def renew_calendar_feed() -> str:
    """Make a new address and show it this once: it is kept nowhere, so there is no page to go to."""
    token = write(renew_calendar_feed_operation, actor=current_viewer(), at=now())
    feed = ask(calendar_feed_of, viewer=current_viewer())
    address = url_for("quotes.calendar_feed", token=token, _external=True)
    return render_template("quotes/calendar.html", feed=feed, address=address)


@blueprint.post("/calendar/end")
@needs(Permission.REFERRAL_VIEW)
def end_calendar_feed() -> BaseResponse:
    """Switch the address off."""
    write(end_calendar_feed_operation, actor=current_viewer(), at=now())
    flash("Your calendar address is switched off.", "success")
    return redirect(url_for("quotes.calendar"), 303)


@blueprint.get("/calendar/<token>.ics")
@needs(Permission.PUBLIC)
def calendar_feed(token: str) -> Response:
    """Answer a calendar program; the secret address is the sign-in."""
    providers = current_app.extensions["calendar_times"]
    days, times = ask(calendar_days, token=token, at=now(), providers=providers)
    response = make_response(_written(days, times))
    response.content_type = "text/calendar; charset=utf-8"
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value] # the same response, typed as its base


def _written(days: tuple[CalendarDay, ...], times: tuple[CalendarTime, ...]) -> bytes:
    """Return the days and times as iCalendar (RFC 5545): the same ones are the same bytes."""
    made = Calendar()
    made.add("prodid", "-//Ketra Referral Ledger//Projects//EN")
    made.add("version", "2.0")
    made.add("x-wr-calname", "Ketra projects")
    for day in days:
        event = _event(day)
        event.add("dtstart", day.on)
        event.add("dtend", day.on + timedelta(days=1))
        event.add("transp", "TRANSPARENT")
        made.add_component(event)
    for time in times:
        event = _event(time)
        event.add("dtstart", time.starts_at)
        event.add("dtend", time.ends_at)
        event.add("status", "CANCELLED" if time.is_cancelled else "CONFIRMED")
        event.add("transp", "TRANSPARENT" if time.is_cancelled else "OPAQUE")
        made.add_component(event)
    return bytes(made.to_ical())


def _event(said: CalendarDay | CalendarTime) -> Event:
    event = Event()
    event.add("uid", f"{said.uid}@referral-ledger")
    event.add("dtstamp", said.said_at)
    event.add("sequence", said.sequence)
    event.add("summary", said.summary)
    event.add("location", said.place)
    if said.notes:
        event.add("description", said.notes)
    event.add("url", url_for(said.endpoint, ref=said.ref, _external=True))
    return event
