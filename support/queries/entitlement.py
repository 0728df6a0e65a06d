"""What an agreement entitles to, as it was known at an instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from referral.clock import business_day, start_of_day
from referral.errors import Refusal
from referral.permissions import Viewer
from support.models.agreements import Agreement
from support.queries.agreement_facts import agreement_facts
from support.queries.agreement_sites import AgreementSiteRow, sites_of_agreements
from support.queries.call_facts import policy_of_entry
from support.queries.catalogue import entries_for
from support.queries.plans import families_of
from support.queries.seen import agreement_by_ref
from support.queries.systems import systems_at
from support.rules.call_ways import promise_of
from support.rules.entitlement import Asked, Entitlement, System, entitle
from support.states import BINDING_STATES, EntryKind, GrantKind, Platform
from warranty.models.sources import InstalledSource, Site
from warranty.queries.coverage import answer_for, sites_of
from warranty.queries.facts import events_of
from warranty.queries.sources import source_by_ref
from warranty.rules.coverage import Coverage
from warranty.rules.standing import known_at, site_on

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class EntitlementAnswer:
    """What was asked of an agreement, as of when, and the answer."""

    ref: str
    as_of: datetime
    site: AgreementSiteRow | None
    """Where it is asked for; None where that is no site of the agreement."""
    source_ref: str
    systems: tuple[System, ...]
    """Those at the site on that day, as they were known."""
    entitlement: Entitlement


def entitlement_of(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    ref: str,
    kind: GrantKind,
    day: date | None = None,
    as_of: datetime | date | None = None,
    site_ref: str = "",
    source_ref: str = "",
    platform: Platform | None = None,
    family: str = "",
    grant_key: str = "",
    amount: int = 1,
) -> EntitlementAnswer:
    """Return what the agreement covers of what is asked, on a day of the site, as it was known at `as_of`.

    `day` is today at the site where it is not said; `as_of` is now, or of a day its last moment there. With
    `source_ref` it is about a unit: where that is decides the site, and of its parts and labor the warranty
    comes first. `amount` is in minutes for hours and blocks. The same question has the same answer for ever.
    Raises Refusal(not_found), (agreement_not_active) where it was not accepted by then, (invalid_input).
    """
    agreement = tx.scalars(agreement_by_ref(tx, viewer, ref)).one_or_none()
    if agreement is None:
        raise Refusal("not_found")
    rows = sites_of_agreements(tx, [agreement])[agreement.id]
    source = None
    if source_ref:
        source = tx.scalars(source_by_ref(tx, viewer, source_ref)).one_or_none()
        if source is None or source.dealer_id != agreement.dealer_id:
            raise Refusal("not_found")
    site_id = _site_row(rows, site_ref).site_id if source is None else source.site_id
    site = tx.get_one(Site, (agreement.dealer_id, site_id))
    instant = _instant(as_of, site.time_zone, at)
    _guard_accepted(agreement, instant)
    on = day or business_day(instant, site.time_zone)
    if source is not None:
        site = _site_then(tx, source, on, instant)
    facts = agreement_facts(tx, [agreement], as_of=instant)
    systems = systems_at(tx, site.dealer_id, site.id, day=on, as_of=instant)
    coverage = None if source is None else _coverage(tx, source, on, instant, at)
    asked = Asked(
        kind=kind,
        day=on,
        site_id=site.id,
        site_name=site.name,
        amount=amount,
        family=family or _family_of(tx, source, agreement),
        platform=platform,
        grant_key=grant_key,
    )
    answer = entitle(asked, facts, systems, _promises(tx, instant), coverage)
    return EntitlementAnswer(
        ref=ref,
        as_of=instant,
        site=next((each for each in rows if each.site_id == site.id), None),
        source_ref=source_ref,
        systems=systems,
        entitlement=answer,
    )


def _site_row(rows: Sequence[AgreementSiteRow], site_ref: str) -> AgreementSiteRow:
    """Return the site that is asked about, or the only one. Raises Refusal(invalid_input)."""
    if site_ref:
        found = next((row for row in rows if row.term.ref == site_ref), None)
        if found is None:
            raise Refusal("invalid_input", "Choose a site of the agreement.", "site_ref")
        return found
    if len(rows) != 1:
        raise Refusal("invalid_input", "Say which site of the agreement.", "site_ref")
    return rows[0]


def _site_then(tx: Session, source: InstalledSource, day: date, instant: datetime) -> Site:
    """Return where a unit was on a day, by what was recorded by then. Raises Refusal(invalid_input)."""
    known = known_at(events_of(tx, source.dealer_id, [source.id])[source.id], instant)
    site_id = site_on(known, day)[0]
    if site_id is None:
        raise Refusal("invalid_input", "Nothing was recorded of this unit by then.", "as_of")
    return tx.get_one(Site, (source.dealer_id, site_id))


def _guard_accepted(agreement: Agreement, instant: datetime) -> None:
    """Guard: the agreement was accepted by then. Raises Refusal(agreement_not_active)."""
    is_binding = agreement.state in BINDING_STATES and agreement.accepted_at is not None
    if not is_binding or agreement.accepted_at is None or agreement.accepted_at > instant:
        raise Refusal("agreement_not_active", "This agreement was not accepted by then: it covers nothing.")


def _instant(as_of: datetime | date | None, zone: str, at: datetime) -> datetime:
    if as_of is None:
        return at
    if isinstance(as_of, datetime):
        return min(as_of, at)
    return min(start_of_day(as_of + timedelta(days=1), zone) - _MOMENT, at)


def _coverage(tx: Session, source: InstalledSource, day: date, instant: datetime, at: datetime) -> Coverage:
    events = events_of(tx, source.dealer_id, [source.id])[source.id]
    answer = answer_for(
        tx,
        source=source,
        events=events,
        sites=sites_of(tx, source.dealer_id, events),
        at=at,
        as_of=instant,
        failed_on=day,
    )
    return answer.coverage


def _family_of(tx: Session, source: InstalledSource | None, agreement: Agreement) -> str:
    """Return the catalogue's family of a unit, as the catalogue was when the agreement was accepted."""
    if source is None or agreement.accepted_at is None:
        return ""
    return min(families_of(tx, source.family, agreement.accepted_at), default="")


def _promises(tx: Session, at: datetime) -> Mapping[str, timedelta]:
    """Return how long each response policy of that instant takes, by its key."""
    return {
        entry.key: promise_of(policy_of_entry(entry)) for entry in entries_for(tx, EntryKind.POLICY, at=at)
    }
