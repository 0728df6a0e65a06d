"""Installed sources as the rules read them: as they were known at an instant, with terms and what they replaced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.ids import PublicNumber
from referral.models import Company
from referral.text import fold
from warranty.models.sources import InstalledSource, SourceEvent
from warranty.models.terms import WarrantyTerm
from warranty.rules.coverage import SourceFacts, Term, term_for
from warranty.rules.standing import Event, known_at, stand
from warranty.states import SourceEventKind

CHUNK = 500
"""How many ids one statement names."""


def event_of(row: SourceEvent) -> Event:
    """Return a stored event as the rules read it."""
    return Event(
        number=row.number,
        kind=row.kind,
        happened_on=row.happened_on,
        recorded_at=row.recorded_at,
        quantity=row.quantity,
        site_id=row.site_id,
        room=row.room,
        serial=row.serial,
        other_id=row.other_id,
        voids=row.voids,
        reason=row.reason,
    )


def events_of(tx: Session, dealer_id: UUID, source_ids: Collection[UUID]) -> dict[UUID, list[Event]]:
    """Return all events of these sources of one dealer, in order of number."""
    found: dict[UUID, list[Event]] = defaultdict(list)
    ids = sorted(source_ids, key=lambda source_id: source_id.hex)
    for start in range(0, len(ids), CHUNK):
        rows = tx.scalars(
            sa.select(SourceEvent)
            .where(SourceEvent.dealer_id == dealer_id, SourceEvent.source_id.in_(ids[start : start + CHUNK]))
            .order_by(SourceEvent.source_id, SourceEvent.number)
        )
        for row in rows:
            found[row.source_id].append(event_of(row))
    return found


def terms_of(tx: Session, families: Collection[str]) -> dict[str, list[Term]]:
    """Return all terms ever recorded for these families, by the family's folded name."""
    keys = sorted({fold(family) for family in families})
    found: dict[str, list[Term]] = defaultdict(list)
    for start in range(0, len(keys), CHUNK):
        rows = tx.scalars(
            sa.select(WarrantyTerm)
            .where(WarrantyTerm.family_key.in_(keys[start : start + CHUNK]))
            .order_by(WarrantyTerm.set_at, WarrantyTerm.id)
        )
        for row in rows:
            found[row.family_key].append(
                Term(
                    family=row.family,
                    valid_from=row.valid_from,
                    months=row.months,
                    start_rule=row.start_rule,
                    cap_days=row.cap_days,
                    covers_parts=row.covers_parts,
                    covers_labor=row.covers_labor,
                    report_days=row.report_days,
                    replacement_days=row.replacement_days,
                    set_at=row.set_at,
                )
            )
    return found


def facts_of(
    tx: Session, dealer_id: UUID, source_ids: Collection[UUID], *, as_of: datetime | None = None
) -> Mapping[UUID, SourceFacts]:
    """Return these sources of one dealer, and all they replaced, as they were known at the instant.

    Without an instant everything that is recorded counts. A source of which nothing was recorded by then is
    left out.
    """
    rows: dict[UUID, InstalledSource] = {}
    events: dict[UUID, tuple[Event, ...]] = {}
    wanted = set(source_ids)
    while wanted:
        ids = sorted(wanted, key=lambda source_id: source_id.hex)
        for start in range(0, len(ids), CHUNK):
            for row in tx.scalars(
                sa.select(InstalledSource).where(
                    InstalledSource.dealer_id == dealer_id,
                    InstalledSource.id.in_(ids[start : start + CHUNK]),
                )
            ):
                rows[row.id] = row
        recorded = events_of(tx, dealer_id, wanted)
        events |= {source_id: _known(recorded.get(source_id, []), as_of) for source_id in wanted}
        wanted = {
            event.other_id
            for source_id in wanted
            for event in events[source_id]
            if event.kind is SourceEventKind.REPLACES and event.other_id is not None
        } - rows.keys()
    terms = terms_of(tx, {row.family for row in rows.values()})
    companies = _names(tx, {row.account_id for row in rows.values()} | {dealer_id})
    code = companies.get(dealer_id, ("", ""))[1]
    made: dict[UUID, SourceFacts] = {}

    def _make(source_id: UUID) -> SourceFacts | None:
        if source_id in made:
            return made[source_id]
        row = rows.get(source_id)
        if row is None or not events[source_id]:
            return None
        standing = stand(events[source_id])
        facts = SourceFacts(
            ref=str(PublicNumber("U", code, row.number)),
            family=row.family,
            provider=companies[row.account_id][0],
            ordered_on=row.ordered_on,
            standing=standing,
            term=term_for(terms.get(fold(row.family), []), row.ordered_on, as_of),
            is_replacement=row.replacement_number is not None,
            original=None if standing.replaces is None else _make(standing.replaces),
        )
        made[source_id] = facts
        return facts

    for source_id in source_ids:
        _make(source_id)
    return {source_id: made[source_id] for source_id in source_ids if source_id in made}


def _known(events: Sequence[Event], as_of: datetime | None) -> tuple[Event, ...]:
    return tuple(events) if as_of is None else known_at(events, as_of)


def _names(tx: Session, company_ids: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    rows = tx.execute(sa.select(Company.id, Company.name, Company.code).where(Company.id.in_(company_ids)))
    return {company_id: (name, code) for company_id, name, code in rows}
