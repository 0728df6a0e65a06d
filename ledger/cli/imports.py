"""Importing a file of other purchases or earlier credit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy.orm import Session

from ledger.cli.group import ledger_cli
from ledger.forms.imports import REFUSED_COLUMNS, CreditSheet, open_credit_sheet, refused_cells
from ledger.operations.import_runs import ImportReport, run_import
from ledger.queries.imports import CheckedImport, Progress, check_import, refused_lines
from ledger.rules.imports import RefusedLine
from ledger.states import EntryKind
from referral.clock import now
from referral.db import read
from referral.errors import Refusal
from referral.money import format_cents
from referral.operations.records import guard_reason
from referral.permissions import Viewer
from referral.queries.people import user_by_email, viewer_of
from referral.sheetkit.writer import write_csv
from referral.text import clean_line

KINDS = {"other-purchases": EntryKind.OTHER_PURCHASE, "earlier-credit": EntryKind.OPENING_CREDIT}
SHOWN = 20


@ledger_cli.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="What the rows are.")
@click.option("--reason", default="", help="Why, for the statement; needed unless --check.")
@click.option("--good-only", is_flag=True, help="Post the good rows though others are refused.")
@click.option("--check", "is_check", is_flag=True, help="Say what would be posted, and post nothing.")
@click.option(
    "--refused",
    "refused_path",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the refused rows with their reasons into this CSV file.",
)
@click.option(
    "--as", "email", metavar="EMAIL", help="The program admin who imports. Default: the command line."
)
def import_command(
    file: Path,
    kind: str,
    reason: str,
    good_only: bool,
    is_check: bool,
    refused_path: Path | None,
    email: str | None,
) -> None:
    """Post FILE (.xlsx or .csv): a dealer's code or account number, day, amount, document, memo.

    Rows that are posted already, by this file or another one, are left alone, so a run that was stopped is
    taken up by the same command. If one row is refused, nothing is posted and the exit status is 1, unless
    --good-only. A CSV file is read row by row, however long; a workbook up to 100,000 rows and 20 MB.
    """
    try:
        reason = "" if is_check else guard_reason(clean_line(reason))
        actor = read(_viewer_by_email, email) if email else None
        with file.open("rb") as source:
            sheet = open_credit_sheet(source, file.name)
            checked = read(check_import, at=now(), file=sheet.file, kind=KINDS[kind], with_repeated=is_check)
            _say_check(checked)
            if refused_path is not None and checked.refused_count:
                _write_refused(sheet, checked, refused_path)
            if is_check:
                return
            with _bar(checked.good_count) as progress:
                report = run_import(
                    actor=actor,
                    clock=now,
                    file=sheet.file,
                    checked=checked,
                    reason=reason,
                    good_only=good_only,
                    progress=progress,
                )
    except Refusal as refusal:
        raise click.ClickException(f"{refusal.message} ({refusal.code})") from refusal
    except OSError as error:
        raise click.ClickException(f"{error.filename or file}: {error.strerror}") from error
    _say_report(report)


def _viewer_by_email(tx: Session, email: str) -> Viewer:
    user = user_by_email(tx, email)
    viewer = None if user is None else viewer_of(tx, user.id, at=now())
    if viewer is None:
        raise Refusal("not_found", f"Nobody with the address {email} has a user.")
    return viewer


@contextmanager
def _bar(rows: int) -> Iterator[Progress]:
    with click.progressbar(length=rows, label="Posting", show_pos=True) as bar:
        yield bar.update


def _say_check(checked: CheckedImport) -> None:
    click.echo(f"{checked.row_count:,} rows: {checked.good_count:,} good, {checked.refused_count:,} refused.")
    if checked.repeated_count is not None:
        click.echo(f"{checked.repeated_count:,} are posted already; {checked.new_count:,} are new.")
    for total in checked.totals[:SHOWN]:
        amount = format_cents(total.amount_cents)
        click.echo(f"  {total.dealer_code:<8} {total.program_year} {total.rows:>9,} rows {amount:>22}")
    if len(checked.totals) > SHOWN:
        click.echo(f"  and {len(checked.totals) - SHOWN:,} more dealers and years")
    click.echo(f"  Total of the good rows {format_cents(checked.amount_cents)}")
    for line in checked.refused[:SHOWN]:
        for problem in line.problems:
            click.echo(f"Row {line.row}: {problem.message} ({problem.code})", err=True)
    if checked.refused_count > SHOWN:
        click.echo(f"and {checked.refused_count - SHOWN:,} more rows; --refused FILE writes all.", err=True)


def _say_report(report: ImportReport) -> None:
    click.echo(
        f"Posted {report.posted:,} rows, {format_cents(report.amount_cents)}. "
        f"Left alone {report.repeated:,} posted before. Refused {report.refused:,}."
    )


def _write_refused(sheet: CreditSheet, checked: CheckedImport, path: Path) -> None:
    lines: Iterator[RefusedLine] = refused_lines(checked.ground, sheet.file)
    with path.open("wb") as out:
        write_csv(out, REFUSED_COLUMNS, map(refused_cells, lines))
    click.echo(f"Wrote {checked.refused_count:,} refused rows into {path}.")
