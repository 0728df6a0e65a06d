"""Taking in a file of serial numbers: begin, and a batch of rows in each transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import copy_rows, locked, write
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Referral
from referral.operations.records import record_event
from referral.permissions import Viewer
from warranty.models.sources import InstalledSource, SerialImport, SerialNumber
from warranty.operations.recording import Said
from warranty.operations.sites import project_to_record
from warranty.operations.splits import Apart, split_groups
from warranty.queries.facts import CHUNK
from warranty.queries.serials import CheckedSerials, batches, judged, serial_ground
from warranty.rules.serials import RefusedSerial, SerialFile, SerialLine, SerialRow
from warranty.states import IN_PLACE, SourceEventKind

SLICE_TIME = timedelta(seconds=5)
"""For how long one request takes rows in before it shows how far it has come; one batch at least."""


def begin_serial_import(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    filename: str,
    sha256: str,
    row_count: int,
    good_only: bool,
) -> SerialImport:
    """The import of this file into the project is under way; one that stopped is taken up, a finished one walked anew.

    Raises Refusal(forbidden), (not_found), (file_has_errors) for a file without rows.
    """
    referral = project_to_record(tx, actor, ref)
    if not row_count:
        raise Refusal("file_has_errors", "There are no rows below the headings.", "file")
    run = locked(tx, _run_of(referral, actor, sha256))
    if run is None:
        run = SerialImport(
            dealer_id=referral.dealer_id,
            id=new_id(),
            referral_id=referral.id,
            account_id=actor.company_id,
            sha256=sha256,
            filename=filename,
            is_good_only=good_only,
            row_count=row_count,
            walked_count=0,
            new_count=0,
            repeated_count=0,
            refused_count=0,
            started_by=actor.user_id,
            started_at=at,
            finished_at=None,
        )
        tx.add(run)
    elif run.finished_at is not None or good_only is not run.is_good_only:
        run.walked_count = run.new_count = run.repeated_count = run.refused_count = 0
        run.is_good_only, run.started_by, run.started_at = good_only, actor.user_id, at
        run.finished_at = None
    tx.flush()
    return run


def _run_of(referral: Referral, actor: Viewer, sha256: str) -> sa.Select[SerialImport]:
    return sa.select(SerialImport).where(
        SerialImport.dealer_id == referral.dealer_id,
        SerialImport.referral_id == referral.id,
        SerialImport.account_id == actor.company_id,
        SerialImport.sha256 == sha256,
    )


@dataclass(frozen=True)
class SerialBatch:
    """Rows of a file that follow each other, after `start` others, with the serial numbers of the rows above."""

    start: int
    lines: Sequence[SerialLine | RefusedSerial]
    above: dict[str, int]


def take_in_serials(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, sha256: str, batch: SerialBatch
) -> int:
    """Each good row of the batch names one unit, and the import counts it; returns how many rows are settled.

    Rows that are settled already, by whoever takes the same file in at the same time, are left alone. Raises
    Refusal(forbidden), (not_found), and (file_has_errors) where a row is refused and all must be good.
    """
    referral = project_to_record(tx, actor, ref)
    run = locked(tx, _run_of(referral, actor, sha256))
    if run is None:
        raise Refusal("not_found")
    if run.finished_at is not None or run.walked_count != batch.start:
        return run.walked_count
    models = {line.model_number for line in batch.lines if isinstance(line, SerialLine)}
    sources = _locked_sources(tx, referral, actor, models)
    ground = serial_ground(tx, at=at, referral=referral, account_id=actor.company_id, model_numbers=models)
    for serial, row in batch.above.items():
        ground.note(serial, row)
    verdicts = judged(
        tx, at=at, referral=referral, account_id=actor.company_id, ground=ground, lines=batch.lines
    )
    refused = [verdict for verdict in verdicts if isinstance(verdict, RefusedSerial)]
    if refused and not run.is_good_only:
        problems = [problem for verdict in refused for problem in verdict.problems]
        raise Refusal("file_has_errors", problems=tuple(problems))
    good = [verdict for verdict in verdicts if isinstance(verdict, SerialRow)]
    new = [row for row in good if not row.is_repeat]
    _record(tx, actor, at, referral, sources, new)
    run.walked_count += len(verdicts)
    run.new_count += len(new)
    run.repeated_count += len(good) - len(new)
    run.refused_count += len(refused)
    if run.walked_count == run.row_count:
        run.finished_at = at
        _audit(tx, actor, at, ref, run)
    tx.flush()
    return run.walked_count


def _locked_sources(
    tx: Session, referral: Referral, actor: Viewer, models: set[str]
) -> dict[UUID, InstalledSource]:
    """Lock what the rows may take a unit from, in order of id."""
    rows = tx.scalars(
        sa.select(InstalledSource)
        .where(
            InstalledSource.dealer_id == referral.dealer_id,
            InstalledSource.referral_id == referral.id,
            InstalledSource.account_id == actor.company_id,
            InstalledSource.model_number.in_(sorted(models)),
            InstalledSource.serial == "",
            InstalledSource.standing.in_(IN_PLACE),
        )
        .order_by(InstalledSource.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in rows}


def _record(
    tx: Session,
    actor: Viewer,
    at: datetime,
    referral: Referral,
    sources: dict[UUID, InstalledSource],
    rows: Sequence[SerialRow],
) -> None:
    """Every row's unit is taken out of its group, named and dated; the last unit of a group is the group itself."""
    by_source: dict[UUID, list[SerialRow]] = defaultdict(list)
    for row in rows:
        by_source[row.group.source_id].append(row)
    missing = [source_id for source_id in by_source if source_id not in sources]
    sources = sources | _known_sources(tx, referral.dealer_id, missing)
    groups: list[Apart] = []
    bearers: list[tuple[str, UUID | None]] = []
    for source_id, taken in by_source.items():
        source, said = sources[source_id], [_said(actor, at, row) for row in taken]
        day = taken[0].group.site_today
        is_rest = source.quantity == len(taken)
        apart = said[: len(said) - is_rest]
        groups.append(Apart(source, [1] * len(apart), day, apart, said[-1] if is_rest else ()))
        bearers += [(row.line.serial, None) for row in taken[: len(apart)]]
        if is_rest and not taken[-1].is_known:
            bearers.append((taken[-1].line.serial, source_id))
    parts = iter(split_groups(tx, groups=groups, by=actor.user_id, at=at))
    serials = [
        {
            "serial": serial,
            "dealer_id": referral.dealer_id,
            "source_id": next(parts) if source_id is None else source_id,
        }
        for serial, source_id in bearers
    ]
    if serials:
        copy_rows(tx, SerialNumber, sorted(serials, key=lambda row: str(row["serial"])))


def _known_sources(tx: Session, dealer_id: UUID, source_ids: Sequence[UUID]) -> dict[UUID, InstalledSource]:
    """Lock the units that bear their serial number already."""
    ids = sorted(source_ids, key=lambda source_id: source_id.hex)
    return {
        row.id: row
        for start in range(0, len(ids), CHUNK)
        for row in tx.scalars(
            sa.select(InstalledSource)
            .where(InstalledSource.dealer_id == dealer_id, InstalledSource.id.in_(ids[start : start + CHUNK]))
            .order_by(InstalledSource.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }


def _said(actor: Viewer, at: datetime, row: SerialRow) -> list[Said]:
    said = []
    if not row.is_known:
        said.append(
            Said(SourceEventKind.IDENTIFIED, row.group.site_today, actor.user_id, at, serial=row.line.serial)
        )
    for kind, day in (
        (SourceEventKind.DELIVERED, row.delivered_on),
        (SourceEventKind.COMMISSIONED, row.commissioned_on),
    ):
        if day is not None:
            said.append(Said(kind, day, actor.user_id, at))
    return said


def _audit(tx: Session, actor: Viewer, at: datetime, ref: str, run: SerialImport) -> None:
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=run.dealer_id,
        event="serials.imported",
        subject=ref,
        details={
            "file": run.filename,
            "rows": run.row_count,
            "new": run.new_count,
            "repeated": run.repeated_count,
            "refused": run.refused_count,
        },
    )


# a whole import ---------------------------------------------------------------------------------


def start_serial_import(
    *,
    actor: Viewer,
    clock: Callable[[], datetime],
    ref: str,
    file: SerialFile,
    checked: CheckedSerials,
    good_only: bool,
    row_limit: int | None = None,
) -> bool:
    """The import of a checked file is begun, or taken up, and its first rows are taken in; says whether it is over.

    Where rows are refused nothing is saved unless `good_only`: Refusal(file_has_errors) with a problem for
    each. Doors call this in place of one operation: it is no transaction itself.
    """
    if checked.refused_count and not good_only:
        problems = tuple(problem for line in checked.refused for problem in line.problems)
        raise Refusal("file_has_errors", problems=problems)
    run = write(
        begin_serial_import,
        actor=actor,
        at=clock(),
        ref=ref,
        filename=file.filename,
        sha256=file.sha256,
        row_count=checked.row_count,
        good_only=good_only,
    )
    return go_on_with_serials(
        actor=actor, clock=clock, ref=ref, file=file, walked=run.walked_count, row_limit=row_limit
    )


def go_on_with_serials(
    *,
    actor: Viewer,
    clock: Callable[[], datetime],
    ref: str,
    file: SerialFile,
    walked: int,
    row_limit: int | None = None,
) -> bool:
    """Rows after those settled are taken in, a batch in a transaction; says whether it is over.

    It stops after SLICE_TIME, and after `row_limit` rows where that is said. A run that was killed anywhere is taken up by the same call. Raises as take_in_serials.
    """
    lines, above = file.lines(), dict[str, int]()
    for line in islice(lines, walked):
        _note(above, line)
    started_at, first = clock(), walked
    for batch in batches(lines):
        is_enough = row_limit is not None and walked - first >= row_limit
        if is_enough or (walked > first and clock() - started_at > SLICE_TIME):
            return False
        settled = write(
            take_in_serials,
            actor=actor,
            at=clock(),
            ref=ref,
            sha256=file.sha256,
            batch=SerialBatch(walked, batch, above),
        )
        walked += len(batch)
        if settled != walked:  # another request takes the same file in: it goes on
            return False
        for line in batch:
            _note(above, line)
    return True


def _note(above: dict[str, int], line: SerialLine | RefusedSerial) -> None:
    if isinstance(line, SerialLine):
        above.setdefault(line.serial, line.row)
