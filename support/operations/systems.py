"""What systems are at a site. Nothing recorded is changed: what was wrong is recorded anew, of the same day."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.clock import business_day
from referral.db import locked
from referral.errors import Refusal
from referral.models import Referral
from referral.operations.records import guard_permission, record_event
from referral.permissions import CompanyKind, Permission, Viewer
from referral.text import say_day
from support.models.agreements import SiteSystem
from support.states import Platform
from warranty.models.sources import Site
from warranty.queries.sites import records_for, seen_project


def record_system(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    site_number: int,
    platform: Platform,
    since_on: date,
    is_there: bool,
    has_remote_access: bool,
    words: str,
) -> SiteSystem:
    """A system is at a site of the project since a day, connected with remote access or not; or not there any more.

    `ref` is the project's number, `since_on` a day of the site. The same as what is recorded last of that
    platform is that record. A decision about an earlier day or instant does not change. Raises Refusal(forbidden),
    (not_found), (invalid_input) for an unknown site or a day to come.
    """
    guard_permission(actor, Permission.CALL_WORK)
    referral = seen_project(tx, actor, ref)
    _guard_records(tx, actor, referral)
    site = locked(
        tx,
        sa.select(Site).where(
            Site.dealer_id == referral.dealer_id,
            Site.referral_id == referral.id,
            Site.number == site_number,
        ),
    )
    if site is None:
        raise Refusal("invalid_input", "Choose a site of this project.", "site_number")
    local = business_day(at, site.time_zone)
    if since_on > local:
        raise Refusal(
            "invalid_input", f"This day is still to come: at its site it is {say_day(local)}.", "since_on"
        )
    where = (SiteSystem.dealer_id == site.dealer_id, SiteSystem.site_id == site.id)
    last = tx.scalars(
        sa.select(SiteSystem)
        .where(*where, SiteSystem.platform == platform)
        .order_by(SiteSystem.number.desc())
        .limit(1)
    ).one_or_none()
    has_access = is_there and has_remote_access
    said = (since_on, is_there, has_access, words.strip())
    if last is not None and (last.since_on, last.is_there, last.has_remote_access, last.words) == said:
        return last
    highest = tx.scalar(sa.select(sa.func.max(SiteSystem.number)).where(*where)) or 0
    row = SiteSystem(
        dealer_id=site.dealer_id,
        site_id=site.id,
        number=highest + 1,
        platform=platform,
        since_on=since_on,
        is_there=is_there,
        has_remote_access=has_access,
        words=words.strip(),
        recorded_by=actor.user_id,
        recorded_at=at,
    )
    tx.add(row)
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=site.dealer_id,
        event="system.recorded",
        subject=ref,
        details={
            "site": site.name,
            "platform": platform.value,
            "since_on": since_on.isoformat(),
            "is_there": is_there,
            "remote_access": has_access,
            "words": row.words,
        },
    )
    return row


def _guard_records(tx: Session, actor: Viewer, referral: Referral) -> None:
    """Guard: the program's desk, or an account of the project. Raises Refusal(forbidden)."""
    if not actor.acts_as(CompanyKind.PROGRAM) and not records_for(tx, actor, referral):
        raise Refusal("forbidden")
