"""The service catalogue as it is read: entries by version, and the offers they make."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from support.models.catalogue import CatalogueEntry
from support.rules.catalogue import Stored
from support.rules.offers import Offer, offer_of
from support.states import EntryKind


def entry_for(tx: Session, kind: EntryKind, key: str, *, at: datetime) -> CatalogueEntry | None:
    """Return the version of an entry that holds at an instant: the newest loaded by then; None without any."""
    return tx.scalars(
        sa.select(CatalogueEntry)
        .where(CatalogueEntry.kind == kind, CatalogueEntry.key == key, CatalogueEntry.loaded_at <= at)
        .order_by(CatalogueEntry.version.desc())
        .limit(1)
    ).one_or_none()


def entries_for(tx: Session, kind: EntryKind, *, at: datetime) -> tuple[CatalogueEntry, ...]:
    """Return the newest version at an instant of every entry of a kind, by name."""
    newest = (
        sa.select(CatalogueEntry.key, sa.func.max(CatalogueEntry.version).label("version"))
        .where(CatalogueEntry.kind == kind, CatalogueEntry.loaded_at <= at)
        .group_by(CatalogueEntry.key)
        .subquery()
    )
    return tuple(
        tx.scalars(
            sa.select(CatalogueEntry)
            .join(
                newest,
                sa.and_(
                    CatalogueEntry.key == newest.c.key,
                    CatalogueEntry.version == newest.c.version,
                    CatalogueEntry.kind == kind,
                ),
            )
            .order_by(CatalogueEntry.name, CatalogueEntry.key)
        )
    )


def content_of(entry: CatalogueEntry) -> dict[str, Any]:
    """Return what an entry holds."""
    content: dict[str, Any] = json.loads(entry.content)
    return content


def offer_by_id(tx: Session, entry_id: UUID) -> Offer:
    """Return the offer of an entry, with the offers it includes as they were when it was loaded."""
    return offer_of_entry(tx, tx.get_one(CatalogueEntry, entry_id))


def offer_of_entry(tx: Session, entry: CatalogueEntry) -> Offer:
    """Return the offer of an entry, with the offers it includes as they were when it was loaded."""
    content = content_of(entry)
    included = []
    for key in content["includes"]:
        other = entry_for(tx, EntryKind.OFFER, key, at=entry.loaded_at)
        if other is not None:
            included.append(offer_of_entry(tx, other))
    return offer_of(content, entry.version, included)


def stored_entries(tx: Session) -> Stored:
    """Return the newest version of every entry, with what it holds."""
    entries = tx.scalars(
        sa.select(CatalogueEntry).order_by(CatalogueEntry.kind, CatalogueEntry.key, CatalogueEntry.version)
    )
    return {(entry.kind, entry.key): (entry.version, content_of(entry)) for entry in entries}


def newest_load_at(tx: Session) -> datetime | None:
    """Return when an entry was loaded last; None before any."""
    return tx.scalar(sa.select(sa.func.max(CatalogueEntry.loaded_at)))
