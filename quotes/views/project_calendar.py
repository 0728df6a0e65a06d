"""The calendar of projects: a secret address that calendar programs read, and the page that gives it."""

from __future__ import annotations

from datetime import timedelta

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from icalendar import Calendar, Event
from werkzeug.wrappers import Response as BaseResponse

from quotes.operations.calendar_feeds import end_calendar_feed as end_calendar_feed_operation
from quotes.operations.calendar_feeds import renew_calendar_feed as renew_calendar_feed_operation
from quotes.queries.calendar_days import CalendarDay, calendar_days, calendar_feed_of
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
    days = ask(calendar_days, token=token, at=now())
    response = make_response(_written(days))
    response.content_type = "text/calendar; charset=utf-8"
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value] # the same response, typed as its base


def _written(days: tuple[CalendarDay, ...]) -> bytes:
    """Return the days as iCalendar (RFC 5545): the same days are the same bytes."""
    made = Calendar()
    made.add("prodid", "-//Ketra Referral Ledger//Projects//EN")
    made.add("version", "2.0")
    made.add("x-wr-calname", "Ketra projects")
    for day in days:
        event = Event()
        event.add("uid", f"{day.uid}@referral-ledger")
        event.add("dtstamp", day.said_at)
        event.add("sequence", day.sequence)
        event.add("dtstart", day.on)
        event.add("dtend", day.on + timedelta(days=1))
        event.add("summary", day.summary)
        event.add("location", day.place)
        if day.notes:
            event.add("description", day.notes)
        event.add("url", url_for(day.endpoint, ref=day.ref, _external=True))
        event.add("transp", "TRANSPARENT")
        made.add_component(event)
    return bytes(made.to_ical())
