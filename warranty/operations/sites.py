"""Sites of a project."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Referral
from referral.operations.records import guard_permission, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import time_zone
from referral.text import fold
from warranty.models.sources import Site
from warranty.queries.sites import records_for, seen_project, time_zones


def first_site(tx: Session, *, dealer_id: UUID, referral_id: UUID, at: datetime) -> Site:
    """Return the project's own place, made where it is missing: in the program's time zone until another is said."""
    where = (Site.dealer_id == dealer_id, Site.referral_id == referral_id)
    site = tx.scalars(sa.select(Site).where(*where, Site.number == 1)).one_or_none()
    if site is not None:
        return site
    referral = locked(
        tx, sa.select(Referral).where(Referral.dealer_id == dealer_id, Referral.id == referral_id)
    )
    if referral is None:
        raise LookupError("an order belongs to a project")
    site = tx.scalars(sa.select(Site).where(*where, Site.number == 1)).one_or_none()
    if site is None:
        site = Site(
            dealer_id=dealer_id,
            id=new_id(),
            referral_id=referral_id,
            number=1,
            name=referral.project_name,
            place=referral.place,
            time_zone=time_zone(tx),
            added_by=None,
            added_at=at,
        )
        tx.add(site)
        tx.flush()
    return site


def add_site(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, name: str, place: str, time_zone: str
) -> Site:
    """The project has this place too, in this time zone; one of the same words is that site.

    Raises Refusal(forbidden), (not_found), (invalid_input) for an unknown time zone, or a name that another
    place of the project has.
    """
    referral = project_to_record(tx, actor, ref)
    if time_zone not in time_zones():
        raise Refusal("invalid_input", "Choose a time zone of the list.", "time_zone")
    where = (Site.dealer_id == referral.dealer_id, Site.referral_id == referral.id)
    first_site(tx, dealer_id=referral.dealer_id, referral_id=referral.id, at=at)
    locked(
        tx, sa.select(Referral).where(Referral.dealer_id == referral.dealer_id, Referral.id == referral.id)
    )
    sites = tx.scalars(sa.select(Site).where(*where).order_by(Site.number)).all()
    for known in sites:
        if fold(known.name) == fold(name):
            if (known.place, known.time_zone) == (place, time_zone):
                return known
            words = "This project has a site of that name. Sites stay as they are: choose another name."
            raise Refusal("invalid_input", words, "name")
    site = Site(
        dealer_id=referral.dealer_id,
        id=new_id(),
        referral_id=referral.id,
        number=sites[-1].number + 1,
        name=name,
        place=place,
        time_zone=time_zone,
        added_by=actor.user_id,
        added_at=at,
    )
    tx.add(site)
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=site.dealer_id,
        event="site.added",
        subject=ref,
        details={"site": name, "place": place, "time_zone": time_zone},
    )
    return site


def project_to_record(tx: Session, actor: Viewer, ref: str) -> Referral:
    """Return the project, for an account to record what is of it. Raises Refusal(forbidden), (not_found)."""
    guard_permission(actor, Permission.SOURCE_RECORD)
    referral = seen_project(tx, actor, ref)
    if not records_for(tx, actor, referral):
        raise Refusal("forbidden")
    return referral
