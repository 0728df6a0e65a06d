"""Checking a file of serial numbers before any row is taken in, and how far an import has come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from referral.clock import business_day
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import Permission, Viewer
from referral.text import fold
from warranty.models.sources import InstalledSource, SerialImport, SerialNumber, Site
from warranty.queries.facts import CHUNK
from warranty.queries.sites import records_for, seen_project
from warranty.rules.serials import (
    BATCH_ROWS,
    KnownUnit,
    OpenGroup,
    RefusedSerial,
    SerialFile,
    SerialGround,
    SerialLine,
    SerialRow,
)
from warranty.states import IN_PLACE, Standing

REFUSED_SHOWN = 200
GOOD_SHOWN = 50
"""Rows that a preview shows; it counts them all."""

Found = tuple[InstalledSource, int, str]


def found_sources(referral: Referral, account_id: UUID) -> sa.Select[InstalledSource, int, str]:
    """Return the statement for the account's sources of a project, each with its order's number and site's zone."""
    return (
        sa.select(InstalledSource, Order.number, Site.time_zone)
        .join(
            Order, sa.and_(Order.dealer_id == InstalledSource.dealer_id, Order.id == InstalledSource.order_id)
        )
        .join(Site, sa.and_(Site.dealer_id == InstalledSource.dealer_id, Site.id == InstalledSource.site_id))
        .where(
            InstalledSource.dealer_id == referral.dealer_id,
            InstalledSource.referral_id == referral.id,
            InstalledSource.account_id == account_id,
        )
    )


def serial_ground(
    tx: Session,
    *,
    at: datetime,
    referral: Referral,
    account_id: UUID,
    model_numbers: Collection[str] | None = None,
) -> SerialGround:
    """Return what decides about rows now; of these model numbers alone where they are said.

    Rows take what was ordered before what replaced it, and what shipped first before the rest.
    """
    code = tx.get_one(Company, referral.dealer_id).code
    rows = found_sources(referral, account_id).where(
        InstalledSource.serial == "", InstalledSource.standing.in_(IN_PLACE), InstalledSource.quantity > 0
    )
    kinds = (
        sa.select(Order.number, InstalledSource.model_number, InstalledSource.room)
        .join(
            Order, sa.and_(Order.dealer_id == InstalledSource.dealer_id, Order.id == InstalledSource.order_id)
        )
        .where(
            InstalledSource.dealer_id == referral.dealer_id,
            InstalledSource.referral_id == referral.id,
            InstalledSource.account_id == account_id,
        )
        .distinct()
    )
    if model_numbers is not None:
        rows = rows.where(InstalledSource.model_number.in_(sorted(model_numbers)))
        kinds = kinds.where(InstalledSource.model_number.in_(sorted(model_numbers)))
    found = sorted(
        tx.execute(rows).all(),
        key=lambda row: (row[0].replacement_number or 0, row[0].shipment_number or 0, row[0].number),
    )
    return SerialGround(
        groups=[_group(code, (source, number, zone), at) for source, number, zone in found],
        kinds=frozenset(
            (str(PublicNumber("O", code, number)), model, fold(room))
            for number, model, room in tx.execute(kinds)
        ),
    )


def _group(code: str, found: Found, at: datetime) -> OpenGroup:
    source, number, zone = found
    return OpenGroup(
        source_id=source.id,
        ref=str(PublicNumber("U", code, source.number)),
        order_ref=str(PublicNumber("O", code, number)),
        model_number=source.model_number,
        room=source.room,
        site_id=source.site_id,
        site_today=business_day(at, zone),
        quantity=source.quantity,
        shipped_on=source.shipped_on,
        delivered_on=source.delivered_on,
        commissioned_on=source.commissioned_on,
        gone_on=source.gone_on,
        is_voided=source.standing is Standing.VOIDED,
    )


def known_units(
    tx: Session, *, at: datetime, referral: Referral, account_id: UUID, serials: Sequence[str]
) -> dict[str, KnownUnit]:
    """Return which of these serial numbers a source bears; of another's nothing but that."""
    code = tx.get_one(Company, referral.dealer_id).code
    known: dict[str, KnownUnit] = {}
    for start in range(0, len(serials), CHUNK):
        chunk = serials[start : start + CHUNK]
        taken = tx.scalars(sa.select(SerialNumber.serial).where(SerialNumber.serial.in_(chunk)))
        known |= {serial: KnownUnit(is_ours=False, group=None) for serial in taken}
        ours = found_sources(referral, account_id).where(InstalledSource.serial.in_(chunk))
        for source, number, zone in tx.execute(ours):
            group = _group(code, (source, number, zone), at)
            known[source.serial] = KnownUnit(is_ours=True, group=group)
    return known


def judged(
    tx: Session,
    *,
    at: datetime,
    referral: Referral,
    account_id: UUID,
    ground: SerialGround,
    lines: Sequence[SerialLine | RefusedSerial],
) -> list[SerialRow | RefusedSerial]:
    """Return the verdict over each of some rows, in their order."""
    serials = sorted({line.serial for line in lines if isinstance(line, SerialLine)})
    known = known_units(tx, at=at, referral=referral, account_id=account_id, serials=serials)
    return [ground.judge(line, known) if isinstance(line, SerialLine) else line for line in lines]


def batches(
    lines: Iterable[SerialLine | RefusedSerial], size: int = BATCH_ROWS
) -> Iterator[list[SerialLine | RefusedSerial]]:
    """Yield the rows `size` at a time."""
    walk = iter(lines)
    while batch := list(islice(walk, size)):
        yield batch


@dataclass(frozen=True)
class CheckedSerials:
    """The verdict over every row of a file."""

    row_count: int
    new_count: int
    repeated_count: int
    refused_count: int
    good: tuple[SerialRow, ...]
    """The first GOOD_SHOWN rows that say something new."""
    refused: tuple[RefusedSerial, ...]
    """The first REFUSED_SHOWN of them."""


def check_serials(tx: Session, *, viewer: Viewer, at: datetime, ref: str, file: SerialFile) -> CheckedSerials:
    """Return the verdict over every row of a file for this project.

    Raises Refusal(not_found), (forbidden), (file_has_errors) at a row that cannot be read.
    """
    referral = recorded_project(tx, viewer, ref)
    new = repeated = refused_count = 0
    good: list[SerialRow] = []
    refused: list[RefusedSerial] = []
    for verdict in _verdicts(tx, viewer, at, referral, file):
        if isinstance(verdict, RefusedSerial):
            refused_count += 1
            if len(refused) < REFUSED_SHOWN:
                refused.append(verdict)
        elif verdict.is_repeat:
            repeated += 1
        else:
            new += 1
            if len(good) < GOOD_SHOWN:
                good.append(verdict)
    return CheckedSerials(
        row_count=new + repeated + refused_count,
        new_count=new,
        repeated_count=repeated,
        refused_count=refused_count,
        good=tuple(good),
        refused=tuple(refused),
    )


def refused_serials(
    tx: Session, *, viewer: Viewer, at: datetime, ref: str, file: SerialFile
) -> tuple[RefusedSerial, ...]:
    """Return every refused row of a file. Raises Refusal(not_found), (forbidden), (file_has_errors)."""
    referral = recorded_project(tx, viewer, ref)
    found = _verdicts(tx, viewer, at, referral, file)
    return tuple(verdict for verdict in found if isinstance(verdict, RefusedSerial))


def _verdicts(
    tx: Session, viewer: Viewer, at: datetime, referral: Referral, file: SerialFile
) -> Iterator[SerialRow | RefusedSerial]:
    account_id = viewer.company_id
    ground = serial_ground(tx, at=at, referral=referral, account_id=account_id)
    for batch in batches(file.lines()):
        yield from judged(tx, at=at, referral=referral, account_id=account_id, ground=ground, lines=batch)


def recorded_project(tx: Session, viewer: Viewer, ref: str) -> Referral:
    """Return a project that the viewer's account records. Raises Refusal(not_found), (forbidden)."""
    referral = seen_project(tx, viewer, ref)
    if not viewer.may(Permission.SOURCE_RECORD) or not records_for(tx, viewer, referral):
        raise Refusal("forbidden")
    return referral


# how far it has come ----------------------------------------------------------------------------


@dataclass(frozen=True)
class SerialProgress:
    """How far the rows of a file are taken in."""

    row_count: int
    walked_count: int
    new_count: int
    repeated_count: int
    refused_count: int
    is_good_only: bool
    is_finished: bool


@dataclass(frozen=True)
class SerialsPage:
    """A project into which serial numbers are imported."""

    ref: str
    project_name: str
    units: int
    """Units in place."""
    open_units: int
    """Those of them without a serial number."""


def serials_page(tx: Session, *, viewer: Viewer, ref: str) -> SerialsPage:
    """Return how many units a project waits for serial numbers of. Raises Refusal(not_found), (forbidden)."""
    referral = recorded_project(tx, viewer, ref)
    units, open_units = tx.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(InstalledSource.quantity), 0),
            sa.func.coalesce(
                sa.func.sum(sa.case((InstalledSource.serial == "", InstalledSource.quantity), else_=0)), 0
            ),
        ).where(
            InstalledSource.dealer_id == referral.dealer_id,
            InstalledSource.referral_id == referral.id,
            InstalledSource.account_id == viewer.company_id,
            InstalledSource.standing.in_(IN_PLACE),
        )
    ).one()
    return SerialsPage(ref, referral.project_name, int(units), int(open_units))


def serial_progress(tx: Session, *, viewer: Viewer, ref: str, sha256: str) -> SerialProgress | None:
    """Return how far this file is taken in, None where it was not begun. Raises Refusal(not_found), (forbidden)."""
    referral = recorded_project(tx, viewer, ref)
    run = tx.scalars(
        sa.select(SerialImport).where(
            SerialImport.dealer_id == referral.dealer_id,
            SerialImport.referral_id == referral.id,
            SerialImport.account_id == viewer.company_id,
            SerialImport.sha256 == sha256,
        )
    ).one_or_none()
    if run is None:
        return None
    return SerialProgress(
        row_count=run.row_count,
        walked_count=run.walked_count,
        new_count=run.new_count,
        repeated_count=run.repeated_count,
        refused_count=run.refused_count,
        is_good_only=run.is_good_only,
        is_finished=run.finished_at is not None,
    )
