"""The JSON API of offers and service calendars."""

from __future__ import annotations

from referral.clock import now
from referral.permissions import Permission
from referral.webkit import ask, needs
from support.api.blueprint import Answer, blueprint
from support.queries.catalogue_pages import CalendarPage, OfferPage, all_offers, calendar_pages, offer_page
from support.schemas import offers as offer_schemas


@blueprint.get("/offers")
@needs(Permission.SUPPORT_VIEW)
@blueprint.response(200, offer_schemas.ServiceOffersSchema)
@blueprint.refuses()
def offers() -> Answer:
    """List the newest version of every offer with everything it grants."""
    return {"items": ask(all_offers, at=now())}


@blueprint.get("/offers/<key>")
@needs(Permission.SUPPORT_VIEW)
@blueprint.response(200, offer_schemas.ServiceOfferPageSchema)
@blueprint.refuses()
def show_offer(key: str) -> OfferPage:
    """Return the newest version of an offer, with when and why each of its versions was loaded."""
    return ask(offer_page, at=now(), key=key)


@blueprint.get("/service-calendars")
@needs(Permission.SUPPORT_VIEW)
@blueprint.response(200, offer_schemas.ServiceCalendarsSchema)
@blueprint.refuses()
def service_calendars() -> dict[str, tuple[CalendarPage, ...]]:
    """List the service calendars with their hours, and the closed days of this year and the next."""
    return {"items": ask(calendar_pages, at=now())}
