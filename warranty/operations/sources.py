"""Locking the installed sources a person works on."""

from __future__ import annotations

from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.operations.records import guard_permission
from referral.permissions import Permission, Viewer
from warranty.models.sources import InstalledSource
from warranty.queries.sources import source_by_ref
from warranty.states import IN_PLACE


def locked_source(tx: Session, actor: Viewer, ref: str) -> InstalledSource:
    """Return the source the actor sees, locked. Raises Refusal(not_found)."""
    source = locked(tx, source_by_ref(tx, actor, ref))
    if source is None:
        raise Refusal("not_found")
    return source


def source_to_record(tx: Session, actor: Viewer, ref: str) -> InstalledSource:
    """Return the source, locked, for its account to record something of it.

    Raises Refusal(forbidden), (not_found).
    """
    guard_permission(actor, Permission.SOURCE_RECORD)
    source = locked_source(tx, actor, ref)
    if source.account_id != actor.company_id:
        raise Refusal("forbidden")
    return source


def guard_in_place(source: InstalledSource) -> None:
    """Guard: the source was not taken out, nor voided. Raises Refusal(not_in_place)."""
    if source.standing not in IN_PLACE:
        raise Refusal("not_in_place", details={"standing": source.standing.value})
