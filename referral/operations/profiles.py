"""What an account says of itself to dealers that look for one."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.models import AccountProfile, Company
from referral.operations.records import guard_permission, record_event
from referral.permissions import Permission, Viewer
from referral.rules import parse_regions

MAX_CAPACITY = 9_999


def save_account_profile(
    tx: Session, *, actor: Viewer, at: datetime, regions: str, capacity: int, note: str
) -> AccountProfile:
    """Dealers see which regions the actor's account serves and how many projects it takes on at once.

    Raises Refusal(forbidden) also where the company is no account, (invalid_input).
    """
    guard_permission(actor, Permission.PROFILE_EDIT)
    company = locked(tx, sa.select(Company).where(Company.id == actor.company_id))
    if company is None or not company.is_account:
        raise Refusal("forbidden")
    codes = parse_regions(regions)
    if not 0 <= capacity <= MAX_CAPACITY:
        raise Refusal("invalid_input", f"Type a number from 0 to {MAX_CAPACITY:,}.", "capacity")
    profile = tx.get(AccountProfile, company.id)
    if profile is None:
        profile = AccountProfile(company_id=company.id)
        tx.add(profile)
    profile.regions, profile.capacity, profile.note = codes, capacity, note
    profile.changed_by, profile.changed_at = actor.user_id, at
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=company.id,
        event="profile.saved",
        subject=company.code,
        details={"regions": codes, "capacity": capacity, "note": note},
    )
    return profile
