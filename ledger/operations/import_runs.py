"""A whole import: many transactions, one a batch, which a kill at any point leaves whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ledger.operations.imports import begin_import, finish_import, post_credit_rows
from ledger.queries.imports import CheckedImport, Progress, batches, keyed_rows
from ledger.rules.imports import CreditFile
from referral.db import refresh_statistics, write
from referral.errors import Problem, Refusal
from referral.permissions import Viewer

TABLES = ("ledger_entry", "ledger_account")


@dataclass(frozen=True)
class ImportReport:
    """What a run did: rows it posted and their sum, rows that were posted before, rows it refused."""

    posted: int
    repeated: int
    refused: int
    amount_cents: int


def run_import(
    *,
    actor: Viewer | None,
    clock: Callable[[], datetime],
    file: CreditFile,
    checked: CheckedImport,
    reason: str,
    good_only: bool,
    progress: Progress | None = None,
) -> ImportReport:
    """Every good row of a checked file is posted, those of before left alone: BATCH_ROWS in a transaction.

    Doors call this in place of one operation: it is no transaction itself. A run that was stopped is taken
    up by running the same file again. Rows are posted at the instants the clock gives. Where rows are
    refused, nothing is posted unless `good_only`: Refusal(file_has_errors) with a problem for each. Raises
    Refusal(forbidden), (reason_required), (invalid_input); and where the ground changed after the check
    (year_closed), (amount_too_large), with the batches before posted.
    """
    if checked.refused_count and not good_only:
        raise Refusal("file_has_errors", problems=problems_of(checked))
    started = write(
        begin_import,
        actor=actor,
        at=clock(),
        kind=checked.kind,
        filename=file.filename,
        sha256=file.sha256,
        row_count=checked.row_count,
        reason=reason,
    )
    if started.is_finished:
        return ImportReport(posted=0, repeated=checked.good_count, refused=0, amount_cents=0)
    posted = repeated = amount_cents = 0
    for batch in batches(keyed_rows(checked.ground, checked.ordinals, file)):
        done = write(post_credit_rows, actor=actor, at=clock(), started=started, rows=batch)
        if (
            started.is_first and done.posted and not posted
        ):  # plans made for empty tables read a whole account for each row
            write(refresh_statistics, TABLES)
        posted, repeated = posted + done.posted, repeated + done.repeated
        amount_cents += done.amount_cents
        if progress is not None:
            progress(len(batch))
    write(finish_import, actor=actor, at=clock(), started=started, good_count=checked.good_count)
    if started.is_first:
        write(refresh_statistics, TABLES)
    return ImportReport(
        posted=posted, repeated=repeated, refused=checked.refused_count, amount_cents=amount_cents
    )


def problems_of(checked: CheckedImport) -> tuple[Problem, ...]:
    """Return what speaks against the first refused rows, cell by cell."""
    return tuple(problem for line in checked.refused for problem in line.problems)
