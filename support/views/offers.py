"""Pages: what is sold, an offer with all its versions, calendars and policies."""

from __future__ import annotations

import re

from flask import render_template, request

from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import ask, needs
from support.queries.catalogue_pages import (
    calendar_page,
    calendars_page,
    offer_page,
    offers_page,
    policies_page,
)
from support.rules.charts import say_quota, say_share
from support.rules.service_hours import SITE_ZONE
from support.views.blueprint import blueprint

_VERSION = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


@blueprint.get("/support/offers")
@needs(Permission.SUPPORT_VIEW)
def offers() -> str:
    """List what is sold, and set side by side what can be compared."""
    page = ask(offers_page, at=now())
    return render_template("support/offers.html", page=page, say_share=say_share)


@blueprint.get("/support/offers/<key>")
@needs(Permission.SUPPORT_VIEW)
def show_offer(key: str) -> str:
    """Show what an offer grants, and every version it ever had."""
    page = ask(offer_page, at=now(), key=key, version=_version())
    return render_template("support/show_offer.html", page=page, say_quota=say_quota, say_share=say_share)


@blueprint.get("/support/calendars")
@needs(Permission.SUPPORT_VIEW)
def service_calendars() -> str:
    """List the service calendars."""
    rows = ask(calendars_page, at=now())
    return render_template("support/service_calendars.html", rows=rows)


@blueprint.get("/support/calendars/<key>")
@needs(Permission.SUPPORT_VIEW)
def show_calendar(key: str) -> str:
    """Show a calendar's hours and closed days, and every version it ever had."""
    page = ask(calendar_page, at=now(), key=key, version=_version())
    return render_template("support/show_calendar.html", page=page, site_zone=SITE_ZONE)


@blueprint.get("/support/policies")
@needs(Permission.SUPPORT_VIEW)
def policies() -> str:
    """Say in plain words what each policy promises."""
    return render_template("support/policies.html", rows=ask(policies_page, at=now()))


def _version() -> int | None:
    """Return the version that is asked for; None is the newest. Raises Refusal(not_found) for no number."""
    said = request.args.get("version", "")
    if said and not _VERSION.fullmatch(said):
        raise Refusal("not_found")
    return int(said) if said else None
