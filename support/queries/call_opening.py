"""What a service call would be entitled to, and when what would be due, before it is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.permissions import Permission, Viewer
from support.queries.call_facts import calendar_of_entry, entries_by_id, policy_of_entry
from support.queries.call_ways import CallPlace, CallSite, agreement_sites, call_place, ways_at
from support.rules.call_projection import CallFacts, looked_at_by, waiting
from support.rules.call_ways import Way
from support.rules.course import Happening
from support.rules.policy_words import say_policy
from support.rules.why import explain
from support.states import CallEventKind, Platform, Priority
from warranty.states import IN_PLACE


@dataclass(frozen=True)
class WouldBeDue:
    """Something that would be owed by an instant, with why."""

    name: str
    due_at: datetime
    why: tuple[str, ...]


@dataclass(frozen=True)
class WayPreview:
    """A way to open the call: what is promised in words, and what would be due."""

    way: Way
    promises: tuple[str, ...]
    due: tuple[WouldBeDue, ...]
    looked_at_by: datetime | None
    """When the desk looks at it first."""
    pages: bool


@dataclass(frozen=True)
class OpeningPage:
    """Everything the page shows that opens a call."""

    place: CallPlace | None
    """None until a site is chosen."""
    sites: tuple[CallSite, ...]
    """Those of the agreement, to choose from."""
    ways: tuple[WayPreview, ...]
    """The one that is taken where none is picked first."""

    def way(self, under: str) -> WayPreview | None:
        """Return the way that is picked, or the best; None without a place."""
        for each in self.ways:
            if under and each.way.under == under:
                return each
        return self.ways[0] if self.ways else None


def opening_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    source_ref: str,
    site_ref: str,
    agreement_ref: str,
    platform: Platform | None,
    priority: Priority | None,
) -> OpeningPage:
    """Return what a call opened now would be: of a unit, at a site, or at a site of an agreement.

    Raises Refusal(not_found), (forbidden), (not_in_place).
    """
    if not viewer.may(Permission.CALL_OPEN):
        raise Refusal("forbidden")
    sites = agreement_sites(tx, viewer=viewer, ref=agreement_ref) if agreement_ref else ()
    if agreement_ref and not site_ref and not source_ref:
        if len(sites) != 1:
            return OpeningPage(None, sites, ())
        site_ref = sites[0].ref
    if not site_ref and not source_ref:
        raise Refusal("not_found")
    place = call_place(
        tx, viewer, source_ref=source_ref, site_ref="" if source_ref else site_ref, platform=platform
    )
    if place.source is not None and place.source.standing not in IN_PLACE:
        raise Refusal("not_in_place", details={"standing": place.source.standing.value})
    ways = ways_at(tx, place, opened_at=at, as_of=at)
    if agreement_ref:
        ways = tuple(sorted(ways, key=lambda way: way.agreement_ref != agreement_ref))
    return OpeningPage(place, sites, previews(tx, place, ways, at=at, priority=priority))


def previews(
    tx: Session, place: CallPlace, ways: Sequence[Way], *, at: datetime, priority: Priority | None
) -> tuple[WayPreview, ...]:
    """Return what each way would promise to a call that is opened now."""
    entries = entries_by_id(tx, {each for way in ways for each in (way.policy_id, way.calendar_id) if each})
    found = []
    for way in ways:
        policy = policy_of_entry(entries.get(way.policy_id) if way.policy_id else None)
        calendar = calendar_of_entry(
            entries.get(way.calendar_id) if way.calendar_id else None, place.site.time_zone
        )
        said = priority if way.has_priorities else None
        facts = CallFacts(policy, calendar, (Happening(1, CallEventKind.OPENED, at, at, priority=said),))
        line = facts.timeline(at)
        found.append(
            WayPreview(
                way=way,
                promises=say_policy(policy),
                due=tuple(
                    WouldBeDue(due.name, due.due_at, explain(due, calendar))
                    for due in waiting(line, facts.happenings)
                    if due.due_at is not None
                ),
                looked_at_by=looked_at_by(facts, line) if way.policy_id else None,
                pages=line.pages_now,
            )
        )
    return tuple(found)
