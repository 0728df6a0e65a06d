"""Recording the same of many installed sources of a project at once: all of them, or none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from referral.errors import Problem, Refusal
from referral.ids import PublicNumber, parse_public_number
from referral.models import Company, Referral
from referral.operations.records import record_event
from referral.permissions import Viewer
from warranty.models.sources import InstalledSource, Site
from warranty.operations.events import event_of_said, make_said
from warranty.operations.guards import guard_day, local_day, stands
from warranty.operations.recording import Said, record_events
from warranty.operations.sites import project_to_record
from warranty.queries.facts import CHUNK, events_of
from warranty.states import IN_PLACE, SourceEventKind

TOGETHER = (SourceEventKind.DELIVERED, SourceEventKind.COMMISSIONED, SourceEventKind.MOVED)
"""What is recorded of many at once."""
PROBLEMS_SHOWN = 50


def record_project_events(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    kind: SourceEventKind,
    happened_on: date,
    site_number: int | None,
    new_room: str,
    source_refs: Sequence[str] | None,
    room: str | None,
    order_ref: str,
    count: int | None,
) -> int:
    """This happened to these sources of the project on a day; returns of how many it is new. `kind` is of TOGETHER.

    `source_refs` names them; None means all in place of the account's, of the room and of the order where
    those are said. `count` is how many these were when read; None where it was not. One of which it is
    recorded already, with whatever day, is left as it is. A move goes to the site of that number, and to
    `new_room`. Raises Refusal(forbidden), (not_found), (stale_source) where there are more or fewer,
    (invalid_input) with a problem for each source that cannot have it.
    """
    referral = project_to_record(tx, actor, ref)
    if kind not in TOGETHER:
        raise Refusal("invalid_input", "Choose what happened.", "kind")
    sites = _sites(tx, referral)
    target = next((site for site in sites.values() if site.number == site_number), None)
    if kind is SourceEventKind.MOVED and target is None:
        raise Refusal("invalid_input", "Choose a site of this project.", "site_number")
    chosen = _locked_sources(tx, actor, referral, source_refs=source_refs, room=room, order_ref=order_ref)
    if count is not None and count != len(chosen):
        raise Refusal("stale_source")
    said = make_said(actor, at, kind=kind, happened_on=happened_on, site=target, room=new_room, reason="")
    open_ones = _open_ones(tx, chosen, said)
    problems = _problems(tx, open_ones, sites, target, said, at)
    if problems:
        words = f"{len(problems):,} of these sources cannot have it: nothing is recorded."
        raise Refusal("invalid_input", words, "", {}, problems[:PROBLEMS_SHOWN])
    record_events(
        tx,
        dealer_id=referral.dealer_id,
        said={source.id: [said] for source in open_ones},
        counts={source.id: source.event_count for source in open_ones},
    )
    if open_ones:
        record_event(
            tx,
            actor=actor,
            at=at,
            company_id=referral.dealer_id,
            event=f"sources.{kind.value}",
            subject=ref,
            details={"sources": len(open_ones), "on": happened_on.isoformat(), "room": new_room},
        )
    return len(open_ones)


def _sites(tx: Session, referral: Referral) -> dict[object, Site]:
    rows = tx.scalars(
        sa.select(Site).where(Site.dealer_id == referral.dealer_id, Site.referral_id == referral.id)
    )
    return {site.id: site for site in rows}


def _locked_sources(
    tx: Session,
    actor: Viewer,
    referral: Referral,
    *,
    source_refs: Sequence[str] | None,
    room: str | None,
    order_ref: str,
) -> list[InstalledSource]:
    """Lock the sources in order of id. Raises Refusal(not_found) where one that is named is not there."""
    where = [
        InstalledSource.dealer_id == referral.dealer_id,
        InstalledSource.referral_id == referral.id,
        InstalledSource.account_id == actor.company_id,
    ]
    if source_refs is None:
        where += [InstalledSource.standing.in_(IN_PLACE), InstalledSource.quantity > 0]
        if room is not None:
            where.append(InstalledSource.room == room)
        if order_ref:
            where.append(InstalledSource.order_id == _order_of(tx, referral, order_ref))
        return _lock(tx, where)
    code = tx.get_one(Company, referral.dealer_id).code
    said = {parse_public_number(text, "U") for text in source_refs}
    numbers = sorted(found.number for found in said if found is not None and found.dealer_code == code)
    rows = [
        row
        for start in range(0, len(numbers), CHUNK)
        for row in _lock(tx, [*where, InstalledSource.number.in_(numbers[start : start + CHUNK])])
    ]
    if len(rows) != len(said) or not rows:
        raise (
            Refusal("not_found")
            if rows or said
            else Refusal("invalid_input", "Tick what it happened to.", "source_refs")
        )
    return rows


def _lock(tx: Session, where: Sequence[sa.ColumnElement[bool]]) -> list[InstalledSource]:
    rows = tx.scalars(
        sa.select(InstalledSource)
        .where(*where)
        .order_by(InstalledSource.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(rows)


def _order_of(tx: Session, referral: Referral, order_ref: str) -> object:
    number = parse_public_number(order_ref, "O")
    if number is not None:
        code = tx.get_one(Company, referral.dealer_id).code
        found = tx.scalars(
            sa.select(Order.id).where(Order.dealer_id == referral.dealer_id, Order.number == number.number)
        ).one_or_none()
        if found is not None and number.dealer_code == code:
            return found
    raise Refusal("not_found")


def _open_ones(tx: Session, sources: Sequence[InstalledSource], said: Said) -> list[InstalledSource]:
    """Return those of which it is not recorded yet."""
    if said.kind is SourceEventKind.DELIVERED:
        return [source for source in sources if source.delivered_on is None]
    if said.kind is SourceEventKind.COMMISSIONED:
        return [source for source in sources if source.commissioned_on is None]
    if not sources:
        return []
    events = events_of(tx, sources[0].dealer_id, [source.id for source in sources])
    wanted = event_of_said(said)
    return [
        source
        for source in sources
        if (source.site_id, source.room) != (said.site_id, said.room)
        and not stands(events[source.id], wanted)
    ]


def _problems(
    tx: Session,
    sources: Sequence[InstalledSource],
    sites: dict[object, Site],
    target: Site | None,
    said: Said,
    at: datetime,
) -> list[Problem]:
    if not sources:
        return []
    code = tx.get_one(Company, sources[0].dealer_id).code
    problems = []
    for source in sources:
        local = local_day(sites[source.site_id], at)
        if target is not None:
            local = max(local, local_day(target, at))
        try:
            guard_day(source, said.kind, said.happened_on, local)
        except Refusal as refusal:
            words = f"{PublicNumber('U', code, source.number)}: {refusal.message}"
            problems.append(Problem(refusal.code, words, "happened_on"))
    return problems
