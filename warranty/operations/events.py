"""Recording what happened to an installed source: delivered, commissioned, moved, identified, replaced, retired."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer
from referral.text import fold_model_number, say_day
from warranty.models.sources import InstalledSource, SerialNumber, Site
from warranty.operations.guards import guard_count, guard_day, guard_no_claim, local_day, site_of, stands
from warranty.operations.recording import Said, record_events
from warranty.operations.sources import source_to_record
from warranty.operations.splits import split_units
from warranty.queries.facts import events_of
from warranty.queries.sources import source_by_ref
from warranty.rules.standing import Event
from warranty.states import IN_PLACE, SourceEventKind, Standing

_Kind = SourceEventKind
RECORDED = (_Kind.DELIVERED, _Kind.COMMISSIONED, _Kind.MOVED, _Kind.RETIRED)
"""What a person records of a source by its day alone; the others have operations of their own."""


def record_source_event(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    event_count: int | None,
    kind: SourceEventKind,
    happened_on: date,
    site_number: int | None,
    room: str,
    reason: str,
) -> InstalledSource:
    """This happened to the source on a day of its site. `kind` is one of RECORDED.

    A move says the number of the project's site and the room; the others leave both empty. `event_count` is
    that of the source as it was read; None where it was not. What is recorded already is recorded once.
    Raises Refusal(forbidden), (not_found), (not_in_place), (stale_source), (claim_open), (reason_required),
    (invalid_input) for a day to come or before it shipped, or an unknown site.
    """
    source = source_to_record(tx, actor, ref)
    site = site_to_move_to(tx, source, site_number) if kind is _Kind.MOVED else None
    said = make_said(actor, at, kind=kind, happened_on=happened_on, site=site, room=room, reason=reason)
    if stands(events_of(tx, source.dealer_id, [source.id])[source.id], event_of_said(said)):
        return source
    guard_count(source, event_count)
    if kind is _Kind.RETIRED:
        guard_no_claim(tx, source)
    here = local_day(site_of(tx, source), at)
    guard_day(source, kind, happened_on, here if site is None else max(here, local_day(site, at)))
    record_events(
        tx, dealer_id=source.dealer_id, said={source.id: [said]}, counts={source.id: source.event_count}
    )
    tx.refresh(source)
    _audit(tx, actor, at, source, ref, said)
    return source


def make_said(
    actor: Viewer,
    at: datetime,
    *,
    kind: SourceEventKind,
    happened_on: date,
    site: Site | None,
    room: str,
    reason: str,
) -> Said:
    """Return the event. Raises Refusal(reason_required), (invalid_input) for a kind that is not in RECORDED."""
    if kind not in RECORDED:
        raise Refusal("invalid_input", "This is not recorded here.", "kind")
    why = guard_reason(reason) if kind is _Kind.RETIRED else ""
    is_moved = kind is _Kind.MOVED and site is not None
    return Said(
        kind,
        happened_on,
        actor.user_id,
        at,
        site_id=site.id if is_moved and site is not None else None,
        room=room if is_moved else "",
        reason=why,
    )


def event_of_said(said: Said) -> Event:
    """Return an event as the rules read it, before it has a number."""
    return Event(
        number=0,
        kind=said.kind,
        happened_on=said.happened_on,
        recorded_at=said.at,
        site_id=said.site_id,
        room=said.room,
        serial=said.serial,
        other_id=said.other_id,
    )


def site_to_move_to(tx: Session, source: InstalledSource, number: int | None) -> Site:
    """Return a site of the source's project; without a number the one it is at. Raises Refusal(invalid_input)."""
    if number is None:
        return site_of(tx, source)
    site = tx.scalars(
        sa.select(Site).where(
            Site.dealer_id == source.dealer_id,
            Site.referral_id == source.referral_id,
            Site.number == number,
        )
    ).one_or_none()
    if site is None:
        raise Refusal("invalid_input", "Choose a site of this project.", "site_number")
    return site


# serial numbers ---------------------------------------------------------------------------------


def identify_source(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    event_count: int | None,
    serial: str,
    happened_on: date | None,
) -> InstalledSource:
    """The unit bears this serial number, as of the day (today at its site where None); no other source does.

    A serial number is compared in upper case without spaces. Of two who say the same one at once, one is
    refused. Saying it again changes nothing. Raises Refusal(forbidden), (not_found), (not_in_place),
    (stale_source), (serial_of_one_unit), (serial_taken), (invalid_input).
    """
    source = source_to_record(tx, actor, ref)
    key = fold_model_number(serial)
    if not key:
        raise Refusal("invalid_input", "Type the serial number.", "serial")
    if source.serial == key:
        return source
    guard_count(source, event_count)
    if source.quantity != 1:
        raise Refusal("serial_of_one_unit", field="serial")
    local = local_day(site_of(tx, source), at)
    day = local if happened_on is None else happened_on
    guard_day(
        source, _Kind.IDENTIFIED, min(day, source.gone_on or day) if happened_on is None else day, local
    )
    if source.serial:
        words = f"It bears {source.serial}. If that is wrong, correct it first."
        raise Refusal("invalid_input", words, "serial")
    if tx.get(SerialNumber, key) is not None:
        raise Refusal("serial_taken", field="serial")
    tx.add(SerialNumber(serial=key, dealer_id=source.dealer_id, source_id=source.id))
    tx.flush()
    said = Said(_Kind.IDENTIFIED, day, actor.user_id, at, serial=key)
    record_events(
        tx, dealer_id=source.dealer_id, said={source.id: [said]}, counts={source.id: source.event_count}
    )
    tx.refresh(source)
    _audit(tx, actor, at, source, ref, said)
    return source


# replacing --------------------------------------------------------------------------------------


def record_swap(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    new_ref: str,
    happened_on: date,
    reason: str,
    event_count: int | None = None,
) -> tuple[InstalledSource, InstalledSource]:
    """The source `new_ref`, sent as a warranty replacement of the same order line, took the place of `ref`.

    Both are of as many units as the smaller of the two: the rest of a larger group stays apart, as it was.
    The new one is where the old one was. Returns both; the same swap said again changes nothing. Raises
    Refusal(forbidden), (not_found), (not_in_place), (stale_source), (invalid_input) where the new one is no
    replacement of that line or in use, or for a day to come or before either was there.
    """
    old, new = _locked_pair(tx, actor, ref, new_ref)
    before = _swapped_before(tx, old, new, happened_on)
    if before is not None:
        return before
    guard_count(old, event_count)
    is_for_it = new.replacement_number is not None and (new.order_id, new.line_id) == (
        old.order_id,
        old.line_id,
    )
    if old.id == new.id or not is_for_it:
        words = "Choose a unit that was sent as a warranty replacement of the same order line."
        raise Refusal("invalid_input", words, "new_ref")
    if new.standing not in IN_PLACE or new.replaces_id is not None:
        raise Refusal("invalid_input", "This replacement is in use for another unit, or gone.", "new_ref")
    local = local_day(site_of(tx, old), at)
    guard_day(old, _Kind.REPLACED, happened_on, local)
    if new.shipped_on is not None and happened_on < new.shipped_on:
        raise Refusal(
            "invalid_input", f"The replacement was sent on {say_day(new.shipped_on)}.", "happened_on"
        )
    units = min(old.quantity, new.quantity)
    if old.quantity > units:
        (old,) = split_units(tx, source=old, quantities=[units], day=happened_on, by=actor.user_id, at=at)
    if new.quantity > units:
        (new,) = split_units(tx, source=new, quantities=[units], day=happened_on, by=actor.user_id, at=at)
    gone = Said(_Kind.REPLACED, happened_on, actor.user_id, at, other_id=new.id, reason=reason)
    came = [Said(_Kind.REPLACES, happened_on, actor.user_id, at, other_id=old.id, reason=reason)]
    if (new.site_id, new.room) != (old.site_id, old.room):
        came.append(Said(_Kind.MOVED, happened_on, actor.user_id, at, site_id=old.site_id, room=old.room))
    record_events(
        tx,
        dealer_id=old.dealer_id,
        said={old.id: [gone], new.id: came},
        counts={old.id: old.event_count, new.id: new.event_count},
    )
    tx.refresh(old)
    tx.refresh(new)
    _audit(tx, actor, at, old, ref, gone, by=new_ref, units=units)
    return old, new


def _locked_pair(
    tx: Session, actor: Viewer, ref: str, new_ref: str
) -> tuple[InstalledSource, InstalledSource]:
    """Lock both in order of id, so that two swaps cannot wait for each other. Raises as source_to_record."""
    guard_permission(actor, Permission.SOURCE_RECORD)
    ids = {}
    for name in (ref, new_ref):
        found = tx.scalars(source_by_ref(tx, actor, name)).one_or_none()
        if found is None and name == new_ref != ref:
            raise Refusal("invalid_input", "Choose a unit that was sent as a replacement.", "new_ref")
        if found is None:
            raise Refusal("not_found")
        ids[name] = found.id
    rows = {
        name: source_to_record(tx, actor, name)
        for name, _ in sorted(ids.items(), key=lambda item: item[1].hex)
    }
    return rows[ref], rows[new_ref]


def _swapped_before(
    tx: Session, old: InstalledSource, new: InstalledSource, on: date
) -> tuple[InstalledSource, InstalledSource] | None:
    """Return the pair where this swap is recorded already, also of units that were taken out of a group for it."""
    pairs = sa.select(InstalledSource).where(
        InstalledSource.dealer_id == old.dealer_id,
        InstalledSource.order_id == old.order_id,
        InstalledSource.line_id == old.line_id,
        InstalledSource.replaces_id.is_not(None),
        sa.or_(InstalledSource.id == new.id, InstalledSource.split_from_id == new.id),
    )
    for row in tx.scalars(pairs.order_by(InstalledSource.number)).all():
        was = tx.get_one(InstalledSource, (row.dealer_id, row.replaces_id))
        is_of_it = old.id in {was.id, was.split_from_id}
        if is_of_it and was.standing is Standing.REPLACED and was.gone_on == on:
            return was, row
    return None


def _audit(
    tx: Session, actor: Viewer, at: datetime, source: InstalledSource, ref: str, said: Said, **more: object
) -> None:
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=source.dealer_id,
        event=f"source.{said.kind.value}",
        subject=ref,
        details={"on": said.happened_on.isoformat(), "room": said.room, "reason": said.reason} | more,
    )
