"""What is asked before something is recorded of an installed source: days of its site, and what was read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from referral.clock import business_day
from referral.errors import Refusal
from referral.text import say_day
from warranty.models.sources import InstalledSource, Site
from warranty.queries.claims import live_claim_of
from warranty.rules.standing import Event, standing_events
from warranty.states import IN_PLACE, SourceEventKind, Standing

_Kind = SourceEventKind
LATER_KINDS = frozenset({_Kind.DELIVERED, _Kind.COMMISSIONED, _Kind.IDENTIFIED})
"""What may be recorded of a source that is gone already: its warranty goes on in the one that replaced it."""
ONCE_WORDS = {_Kind.DELIVERED: "delivered", _Kind.COMMISSIONED: "commissioned"}


def site_of(tx: Session, source: InstalledSource) -> Site:
    """Return the site a source is at."""
    return tx.get_one(Site, (source.dealer_id, source.site_id))


def local_day(site: Site, at: datetime) -> date:
    """Return the day of an instant at a site."""
    return business_day(at, site.time_zone)


def guard_count(source: InstalledSource, event_count: int | None) -> None:
    """Guard: nothing was recorded since the source was read. None says it was not. Raises Refusal(stale_source)."""
    if event_count is not None and event_count != source.event_count:
        raise Refusal("stale_source")


def guard_no_claim(tx: Session, source: InstalledSource) -> None:
    """Guard: no claim of the source waits for its end. Raises Refusal(claim_open)."""
    if live_claim_of(tx, source) is not None:
        raise Refusal("claim_open", "This source has an open claim: end that first.")


def guard_day(
    source: InstalledSource, kind: SourceEventKind, day: date, local: date, field: str = "happened_on"
) -> None:
    """Guard: the source may be said to have had this happen on the day, `local` being today at its site.

    Raises Refusal(not_in_place), (invalid_input) for a day to come, before it shipped, or after it was gone.
    """
    if source.standing not in IN_PLACE and (
        source.standing is Standing.VOIDED or kind not in LATER_KINDS or source.gone_on is None
    ):
        raise Refusal("not_in_place", details={"standing": source.standing.value})
    if day > local:
        raise Refusal(
            "invalid_input", f"This day is still to come: at its site it is {say_day(local)}.", field
        )
    if source.shipped_on is not None and day < source.shipped_on:
        raise Refusal("invalid_input", f"It shipped on {say_day(source.shipped_on)}.", field)
    if source.gone_on is not None and day > source.gone_on:
        raise Refusal("invalid_input", f"It was taken out on {say_day(source.gone_on)}.", field)
    there = {_Kind.DELIVERED: source.delivered_on, _Kind.COMMISSIONED: source.commissioned_on}.get(kind)
    if there is not None:
        words = f"It was {ONCE_WORDS[kind]} on {say_day(there)}. If that is wrong, correct it first."
        raise Refusal("invalid_input", words, field)


def stands(events: Sequence[Event], event: Event) -> bool:
    """Say whether an event of the same kind, day, place, serial and other source is recorded and not corrected."""
    return any(_same(event) == _same(known) for known in standing_events(events))


def _same(event: Event) -> tuple[object, ...]:
    return (
        event.kind,
        event.happened_on,
        event.site_id,
        event.room,
        event.serial,
        event.other_id,
    )
