"""Visits in a person's calendar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from sqlalchemy.orm import Session

from quotes.queries.calendar_days import CalendarTime
from referral.clock import start_of_day
from referral.permissions import Permission, Viewer
from support.models.visits import ServiceVisit
from support.queries.visits import VisitRow, found_by, row_of
from support.states import VisitState

_NOT_THERE = frozenset({VisitState.CANCELLED, VisitState.CONVERTED})
"""Visits to which nobody comes; they stay in the calendar as cancelled."""


def visit_times(tx: Session, *, viewer: Viewer, since: date) -> Iterator[CalendarTime]:
    """Yield the visits that the viewer may see from a day on; one statement. Nothing in them names the customer."""
    if not viewer.may(Permission.SUPPORT_VIEW):
        return
    statement = (
        found_by(viewer)
        .where(ServiceVisit.ends_at >= start_of_day(since, "UTC"))
        .order_by(ServiceVisit.starts_at, ServiceVisit.dealer_id, ServiceVisit.number)
    )
    for found in tx.execute(statement):
        yield _time_of(found[0], row_of(found))


def _time_of(visit: ServiceVisit, row: VisitRow) -> CalendarTime:
    what = {
        VisitState.DATED: "Visit",
        VisitState.DONE: "Visit (done)",
        VisitState.CONVERTED: "Visit (now a remote session)",
        VisitState.CANCELLED: "Visit (cancelled)",
    }[visit.state]
    return CalendarTime(
        uid=f"visit-{visit.id}",
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        summary=f"{what}: {row.project_name}",
        place=", ".join(dict.fromkeys(filter(None, [row.site_name, row.place]))),
        notes="\n".join([", ".join(row.purposes), f"{row.ref}, agreement {row.agreement_ref}"]),
        endpoint="support.show_visit",
        ref=row.ref,
        said_at=visit.changed_at,
        sequence=visit.sequence,
        is_cancelled=visit.state in _NOT_THERE,
    )
