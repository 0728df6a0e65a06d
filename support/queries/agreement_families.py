"""Which families of systems an agreement covers parts of, beside what is installed at its sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.text import fold
from support.models.agreements import Agreement
from support.queries.catalogue import content_of, entries_for
from support.rules.offers import Grant
from support.states import EntryKind, GrantKind
from warranty.models.sources import InstalledSource
from warranty.states import IN_PLACE

ALL_PRODUCTS = "*"
"""Stands in a family for every installed source."""


@dataclass(frozen=True)
class FamilyRow:
    """A family of systems: whether its parts are covered, and how many units of it are at the sites."""

    key: str
    name: str
    is_ticked: bool
    units: int

    @property
    def is_missing(self) -> bool:
        """Whether something of it is at the sites, and its parts are not covered."""
        return self.units > 0 and not self.is_ticked


def families_at(
    tx: Session, agreement: Agreement, grants: Sequence[Grant], site_ids: Sequence[UUID], *, at: datetime
) -> tuple[FamilyRow, ...]:
    """Return every family of the catalogue by name; none where the agreement covers no parts at all."""
    parts = [grant for grant in grants if grant.kind is GrantKind.PARTS]
    entries = entries_for(tx, EntryKind.FAMILY, at=at)
    units = units_at(tx, agreement.dealer_id, site_ids)
    return tuple(
        FamilyRow(
            key=entry.key,
            name=entry.name,
            is_ticked=any(not grant.families or entry.key in grant.families for grant in parts),
            units=sum(count for family, count in units.items() if is_of_family(family, content_of(entry))),
        )
        for entry in entries
    )


def is_of_family(product_family: str, family: Mapping[str, Any]) -> bool:
    """Say whether a product family of the price lists belongs to a family of the catalogue."""
    products: Sequence[str] = family.get("product_families", ())
    return ALL_PRODUCTS in products or fold(product_family) in map(fold, products)


def units_at(tx: Session, dealer_id: UUID, site_ids: Sequence[UUID]) -> dict[str, int]:
    """Return the units in place at sites, by product family."""
    if not site_ids:
        return {}
    rows = tx.execute(
        sa.select(InstalledSource.family, sa.func.sum(InstalledSource.quantity))
        .where(
            InstalledSource.dealer_id == dealer_id,
            InstalledSource.site_id.in_(site_ids),
            InstalledSource.standing.in_(IN_PLACE),
        )
        .group_by(InstalledSource.family)
    )
    return {family: int(units) for family, units in rows}
