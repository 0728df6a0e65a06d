"""Agreements as coverage asks for them: the plans of sites, with what they grant of parts and labor."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.text import fold
from support.models.catalogue import CatalogueEntry
from support.queries.agreement_facts import agreement_facts, binding_agreements
from support.rules.entitlement import AgreementFacts
from support.rules.offers import Grant
from support.states import EntryKind, GrantKind
from warranty.rules.coverage import Plan

EVERY = "*"
"""Among the product families of a catalogue's family it means all of them."""


def plans_known(
    tx: Session, *, dealer_id: UUID, site_ids: Collection[UUID], families: Collection[str], as_of: datetime
) -> Mapping[str, tuple[Plan, ...]]:
    """Return by product family the plans for any of these sites, by start.

    They are of agreements that were accepted by the instant, ended as far as that was recorded by then. Which
    parts a tick covers is read off the families of the catalogue as it was when the agreement was accepted. An
    offer without labor and parts is no plan.
    """
    agreements = tx.scalars(binding_agreements(dealer_id, site_ids, as_of)).all()
    known = [
        facts for facts in agreement_facts(tx, agreements, as_of=as_of, with_book=False) if _covering(facts)
    ]
    if not known:
        return {}
    entries = _families(tx)
    return {
        family: tuple(_plan(facts, family_keys(entries, family, facts.accepted_at)) for facts in known)
        for family in families
    }


def family_keys(
    entries: Sequence[CatalogueEntry], product_family: str, at: datetime | None
) -> frozenset[str]:
    """Return the keys of the catalogue's families that a product family belongs to, as loaded by an instant."""
    newest: dict[str, CatalogueEntry] = {}
    for entry in entries:
        if at is None or entry.loaded_at <= at:
            newest[entry.key] = entry
    name = fold(product_family)
    return frozenset(
        entry.key
        for entry in newest.values()
        if any(
            each == EVERY or fold(each) == name
            for each in json.loads(entry.content).get("product_families", ())
        )
    )


def families_of(tx: Session, product_family: str, at: datetime) -> frozenset[str]:
    """Return the keys of the catalogue's families that a product family belongs to, as loaded by an instant."""
    return family_keys(_families(tx), product_family, at)


def _families(tx: Session) -> Sequence[CatalogueEntry]:
    return tx.scalars(
        sa.select(CatalogueEntry)
        .where(CatalogueEntry.kind == EntryKind.FAMILY)
        .order_by(CatalogueEntry.key, CatalogueEntry.version)
    ).all()


def _covering(facts: AgreementFacts) -> list[Grant]:
    return [
        grant
        for grant in facts.grants
        if grant.kind in {GrantKind.LABOR, GrantKind.PARTS} and grant.quota is None
    ]


def _plan(facts: AgreementFacts, keys: frozenset[str]) -> Plan:
    covering = [grant for grant in _covering(facts) if not grant.families or keys & set(grant.families)]
    return Plan(
        name=facts.name,
        provider=facts.provider,
        starts_on=facts.starts_on,
        ends_on=facts.last_on,
        site_ids=facts.site_ids,
        covers_parts=any(grant.kind is GrantKind.PARTS for grant in covering),
        covers_labor=any(grant.kind is GrantKind.LABOR for grant in covering),
    )
