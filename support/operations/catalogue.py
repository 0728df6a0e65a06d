"""Loading the service catalogue: what a file says otherwise becomes the next version; nothing is overwritten."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.queries.credit import program_company
from quotes.rules.content import canonical_json
from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Company
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer
from support.models.catalogue import CatalogueEntry
from support.queries.catalogue import newest_load_at, stored_entries
from support.rules.catalogue import (
    CATALOGUE_LOADED,
    SECTIONS,
    Catalogue,
    Change,
    changes_of,
    entry_digest,
    guard_catalogue,
    told_of,
)

_MOMENT = timedelta(microseconds=1)


def load_catalogue(
    tx: Session, *, actor: Viewer | None, at: datetime, catalogue: Catalogue, reason: str
) -> tuple[Change, ...]:
    """Each entry that says something else than its newest version has a next one; returns what became new.

    An offer that includes one of them becomes new with it. What says the same stays, and so does what the file
    does not hold; the same file again changes nothing. Files are loaded one after the other, each later than the
    one before. Agreements and calls keep the version they were made with. `actor` is None for the command line.
    Raises Refusal(forbidden), (reason_required), (not_found) before there is a program company, and
    (catalogue_invalid) with everything that cannot hold.
    """
    if actor is not None:
        guard_permission(actor, Permission.SETTING_CHANGE)
    reason = guard_reason(reason)
    program = program_company(tx)
    if program is None:
        raise Refusal("not_found", "There is no program company yet: make one with `flask admin create`.")
    locked(tx, sa.select(Company).where(Company.id == program.id))
    stored = stored_entries(tx)
    guard_catalogue(catalogue, stored)
    changes = changes_of(catalogue, stored)
    newest = newest_load_at(tx)
    loaded_at = at if newest is None else max(at, newest + _MOMENT)
    entries = [_entry(change, actor, loaded_at, reason) for change in changes]
    tx.add_all(entries)
    if entries:
        record_event(
            tx,
            actor=actor,
            at=at,
            company_id=program.id if actor is None else actor.company_id,
            event=CATALOGUE_LOADED,
            subject=", ".join(dict.fromkeys(SECTIONS[entry.kind] for entry in entries)),
            details={
                "reason": reason,
                "entries": {told_of(entry.kind, entry.key, entry.version): entry.digest for entry in entries},
            },
        )
    tx.flush()
    return changes


def _entry(change: Change, actor: Viewer | None, loaded_at: datetime, reason: str) -> CatalogueEntry:
    content = canonical_json(change.content)
    return CatalogueEntry(
        id=new_id(),
        kind=change.kind,
        key=change.key,
        version=change.version,
        name=change.name,
        content=content,
        digest=entry_digest(change.kind, change.key, change.version, content),
        reason=reason,
        loaded_by=None if actor is None else actor.user_id,
        loaded_at=loaded_at,
    )
