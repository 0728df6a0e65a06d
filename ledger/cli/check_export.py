"""Comparing a workbook with the ledger."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app

from ledger.cli.group import ledger_cli, program_viewer
from ledger.sheets.check import check_export as compare
from referral.db import read
from referral.errors import REFUSALS, Refusal

DIFFERENCES_SHOWN = 20


@ledger_cli.command("check-export")
@click.argument("path", metavar="FILE.xlsx", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check_export(path: Path) -> None:
    """Compare a workbook of `flask ledger export` with the ledger, line by line.

    Rows that the ledger wrote later are no difference; each row of the workbook must still stand in its place, and
    say the same. Prints what was compared and ends with 0; prints the first differences and ends with 1.
    """
    try:
        checked = read(
            compare,
            viewer=read(program_viewer),
            path=path,
            sheets=current_app.extensions["year_sheets"],
            most=DIFFERENCES_SHOWN,
        )
    except Refusal as refusal:
        is_plain = refusal.message == REFUSALS["not_found"]
        words = "The ledger does not have the year or the dealer that this workbook names."
        raise click.ClickException(words if is_plain else refusal.message) from refusal
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    for difference in checked.differences:
        click.echo(difference, err=True)
    if checked.has_more:
        click.echo("There are more.", err=True)
    if checked.differences:
        raise click.ClickException(f"{path} does not say what the ledger says.")
    of = checked.dealer_code or "all dealers"
    click.echo(
        f"{path} equals the ledger: {checked.rows:,} rows, {checked.cells:,} cells of {checked.program_year}, {of}."
    )
