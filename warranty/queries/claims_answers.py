"""What coverage answers about a claim: live while it is open, kept once it is decided."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource
from warranty.queries.coverage import source_plans
from warranty.queries.facts import events_of, facts_of
from warranty.rules.answers import Answer, answer, read_answer
from warranty.rules.coverage import WARRANTY, Cover, decide
from warranty.rules.standing import known_at, site_on


def asked_answer(
    tx: Session, source: InstalledSource, *, failed_on: date | None, reported_on: date, as_of: datetime
) -> Answer:
    """Return whether a failure of the source is covered, by what was recorded at the instant."""
    facts = facts_of(tx, source.dealer_id, [source.id], as_of=as_of)[source.id]
    events = known_at(events_of(tx, source.dealer_id, [source.id])[source.id], as_of)
    day = reported_on if failed_on is None else failed_on
    site_id, _ = site_on(events, day)
    return answer(facts, as_of=as_of, failed_on=failed_on, reported_on=reported_on, site_id=site_id)


def claim_answer(tx: Session, claim: Claim, source: InstalledSource, at: datetime) -> Answer:
    """Return the answer a claim was decided by; of an undecided one, the answer as of now."""
    if claim.answer:
        return read_answer(claim.answer)
    as_of = claim.closed_at or at
    return asked_answer(tx, source, failed_on=claim.failed_on, reported_on=claim.reported_on, as_of=as_of)


def covering_plans(
    tx: Session, source: InstalledSource, *, failed_on: date | None, reported_on: date, as_of: datetime
) -> tuple[Cover, ...]:
    """Return the support plans that cover a failure which the warranty does not, by what was recorded at the instant.

    A claim is decided by the warranty alone: what a plan covers is asked for by a service call.
    """
    facts = facts_of(tx, source.dealer_id, [source.id], as_of=as_of)[source.id]
    events = known_at(events_of(tx, source.dealer_id, [source.id])[source.id], as_of)
    site_id, _ = site_on(events, reported_on if failed_on is None else failed_on)
    site_ids = {event.site_id for event in events if event.site_id is not None}
    plans = source_plans(tx, source, site_ids, as_of)
    said = decide(facts, failed_on=failed_on, reported_on=reported_on, site_id=site_id, plans=plans)
    return () if any(cover.by == WARRANTY for cover in said.covers) else said.covers
