"""When somebody can come to a site under an agreement: the hours of its offer, widened by what was chosen of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.clock import business_day
from support.models.agreements import Agreement, RequirementMark
from support.queries.catalogue import content_of, entries_for
from support.rules.entitlement import CONFIRMED, Mark, is_met
from support.rules.offers import granted
from support.rules.service_hours import SITE_ZONE, calendar_of, windows_of
from support.rules.slots import Term
from support.rules.visit_hours import ServiceHours, Widening
from support.states import EntryKind, GrantKind
from warranty.models.sources import Site


def service_hours(
    tx: Session,
    agreement: Agreement,
    term: Term,
    sites: Iterable[Site],
    *,
    day: date | None,
    at: datetime,
    is_remote: bool,
) -> Iterator[tuple[Site, ServiceHours]]:
    """Yield each site with its hours on a day, None is its today, by the calendars as they are at the instant `at`.

    On site they are wall times of the site, whatever zone the desk has. A remote session is held in the hours of
    the desk. An option counts where its availability is confirmed on that day.
    """
    entries = {entry.key: content_of(entry) for entry in entries_for(tx, EntryKind.CALENDAR, at=at)}
    content = entries.get(term.offer.calendar)
    options = [
        grant
        for grant in granted(term.offer, term.choices)
        if grant.kind is GrantKind.HOURS and grant.windows in entries
    ]
    marks = _marks(tx, agreement) if options else []
    for site in sites:
        if content is None:
            yield site, ServiceHours(None)
            continue
        calendar = calendar_of(content if is_remote else content | {"zone": SITE_ZONE}, site.time_zone)
        on = day or business_day(at, site.time_zone)
        yield (
            site,
            ServiceHours(
                calendar,
                tuple(
                    Widening(
                        grant.name,
                        windows_of(entries[str(grant.windows)]),
                        not grant.needs_confirmation or is_met(marks, CONFIRMED + grant.key, on),
                    )
                    for grant in options
                ),
            ),
        )


def _marks(tx: Session, agreement: Agreement) -> list[Mark]:
    rows = tx.scalars(
        sa.select(RequirementMark)
        .where(
            RequirementMark.dealer_id == agreement.dealer_id,
            RequirementMark.agreement_id == agreement.id,
        )
        .order_by(RequirementMark.number)
    )
    return [Mark(row.number, row.requirement_key, row.is_met, row.since_on) for row in rows]
