"""Importing other purchases or earlier credit from a file: begin, post a batch, finish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.imports import CreditImport
from ledger.operations.batches import NewEntry, PostedBatch, post_entries
from ledger.operations.entries import Source
from ledger.queries.credit import program_company
from ledger.rules.imports import IMPORT_ACCOUNTS, CreditRow, import_digest, memo_of
from ledger.states import EntryKind
from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer


@dataclass(frozen=True)
class StartedImport:
    """An import that is under way, or was finished before."""

    id: UUID
    kind: EntryKind
    filename: str
    reason: str
    is_finished: bool
    is_first: bool
    """Whether no import was finished before: the database may not know yet how large its tables are."""


def begin_import(
    tx: Session,
    *,
    actor: Viewer | None,
    at: datetime,
    kind: EntryKind,
    filename: str,
    sha256: str,
    row_count: int,
    reason: str,
) -> StartedImport:
    """The import of this file is under way; one that was begun before is taken up. `actor` None is the command line.

    The same file of the same kind is one import, whatever its name. Raises Refusal(forbidden),
    (reason_required), (invalid_input) for a file without rows.
    """
    _guard(actor)
    reason = guard_reason(reason)
    if not row_count:
        raise Refusal("invalid_input", "There are no rows below the headings.", "file")
    sha256 = import_digest(kind, sha256)
    run = tx.scalars(sa.select(CreditImport).where(CreditImport.sha256 == sha256)).one_or_none()
    if run is None:
        run = CreditImport(
            id=new_id(),
            sha256=sha256,
            kind=kind,
            filename=filename,
            row_count=row_count,
            posted_count=0,
            repeated_count=0,
            total_cents=0,
            reason=reason,
            started_by=None if actor is None else actor.user_id,
            started_at=at,
            finished_at=None,
        )
        tx.add(run)
        tx.flush()
    return StartedImport(
        id=run.id,
        kind=kind,
        filename=run.filename,
        reason=run.reason,
        is_finished=run.finished_at is not None,
        is_first=tx.scalars(
            sa.select(CreditImport.id).where(CreditImport.finished_at.is_not(None)).limit(1)
        ).first()
        is None,
    )


def post_credit_rows(
    tx: Session,
    *,
    actor: Viewer | None,
    at: datetime,
    started: StartedImport,
    rows: Sequence[tuple[CreditRow, str]],
) -> PostedBatch:
    """Each row with a new key is posted, and the import counts it, in one transaction.

    Raises Refusal(forbidden), (year_closed), (amount_too_large).
    """
    _guard(actor)
    posted = post_entries(
        tx,
        actor=actor,
        at=at,
        account_kind=IMPORT_ACCOUNTS[started.kind],
        kind=started.kind,
        entries=[
            NewEntry(
                dealer_id=row.dealer_id,
                amount_cents=row.amount_cents,
                effective_on=row.day,
                idempotency_key=key,
                source=Source(row.document, row.digest, memo_of(row, started.reason, started.filename)),
            )
            for row, key in rows
        ],
    )
    if posted.posted:
        tx.execute(
            sa.update(CreditImport)
            .where(CreditImport.id == started.id)
            .values(
                posted_count=CreditImport.posted_count + posted.posted,
                total_cents=CreditImport.total_cents + posted.amount_cents,
            )
        )
    return posted


def finish_import(
    tx: Session, *, actor: Viewer | None, at: datetime, started: StartedImport, good_count: int
) -> CreditImport:
    """The walk through the file is over: the import says how many rows were posted before by other files.

    Where rows are left, because they were refused, the import stays open: the same file is taken up again.
    Raises Refusal(forbidden).
    """
    _guard(actor)
    run = locked(tx, sa.select(CreditImport).where(CreditImport.id == started.id))
    if run is None:
        raise Refusal("not_found")
    if run.finished_at is not None:
        return run
    run.repeated_count = max(run.repeated_count, good_count - run.posted_count)
    if run.posted_count + run.repeated_count == run.row_count:
        run.finished_at = at
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=_company_of(tx, actor),
        event="credit_import.posted",
        subject=run.filename,
        details={
            "kind": run.kind.value,
            "rows": run.row_count,
            "posted": run.posted_count,
            "repeated": run.repeated_count,
            "total_cents": run.total_cents,
        },
    )
    tx.flush()
    return run


def _guard(actor: Viewer | None) -> None:
    if actor is not None:
        guard_permission(actor, Permission.CREDIT_RECORD)


def _company_of(tx: Session, actor: Viewer | None) -> UUID:
    """Return the company that did it; for the command line the program's."""
    if actor is not None:
        return actor.company_id
    company = program_company(tx)
    if company is None:
        raise Refusal("not_found", "There is no program company yet: make one with `flask admin create`.")
    return company.id
