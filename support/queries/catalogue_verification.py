"""Recomputing the catalogue: every version is what was loaded, by whom the audit trail says, without gaps."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.rules.content import canonical_json
from referral.models import AuditEvent
from support.models.catalogue import CatalogueEntry
from support.queries.catalogue import content_of
from support.rules.catalogue import CATALOGUE_LOADED, entry_digest, told_of


def catalogue_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each version of the catalogue that is not what was loaded.

    Checked: its digest recomputes from its content, which is written the one way and names its own key and name;
    versions count from 1 without gaps, each loaded later than the one before; the audit trail tells each version
    with its digest, who loaded it and why, and no other.
    """
    told = {
        (name, digest): (event.actor_id, event.details["reason"])
        for event in tx.scalars(sa.select(AuditEvent).where(AuditEvent.event == CATALOGUE_LOADED))
        for name, digest in event.details["entries"].items()
    }
    before: CatalogueEntry | None = None
    for entry in tx.scalars(
        sa.select(CatalogueEntry).order_by(CatalogueEntry.kind, CatalogueEntry.key, CatalogueEntry.version)
    ):
        if before is not None and (before.kind, before.key) != (entry.kind, entry.key):
            before = None
        name = told_of(entry.kind, entry.key, entry.version)
        yield from (f"catalogue, {name}: {fault}" for fault in _faults_of(entry, before))
        if told.pop((name, entry.digest), None) != (entry.loaded_by, entry.reason):
            yield f"catalogue, {name}: is not what the audit trail tells"
        before = entry
    for name, _ in sorted(told):
        yield f"catalogue, {name}: is in the audit trail, but not there"


def _faults_of(entry: CatalogueEntry, before: CatalogueEntry | None) -> Iterator[str]:
    if entry.digest != entry_digest(entry.kind, entry.key, entry.version, entry.content):
        yield "does not recompute to its digest"
    content = content_of(entry)
    if canonical_json(content) != entry.content:
        yield "is not written as it is digested"
    if (content.get("key"), content.get("name")) != (entry.key, entry.name):
        yield "has another key or name than it says"
    if entry.version != (1 if before is None else before.version + 1):
        yield "follows no version right before it"
    elif before is not None and before.loaded_at >= entry.loaded_at:
        yield "was loaded before the version that it follows"
