"""The year's workbook."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app

from ledger.cli.group import ledger_cli, program_viewer, sentence_of
from ledger.queries.credit import FIRST_YEAR, LAST_YEAR
from ledger.sheets.year import write_year
from referral.clock import now
from referral.db import read
from referral.errors import Refusal
from referral.text import clean_line


@ledger_cli.command("export")
@click.option(
    "--year", "program_year", type=click.IntRange(FIRST_YEAR, LAST_YEAR), required=True, help="Program year."
)
@click.option("--dealer", "dealer_code", default="", help="Only this dealer, by code. Default: all.")
@click.option(
    "--out",
    "path",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    required=True,
    help="Where the workbook goes, such as credit-2026.xlsx. It is replaced only when it is complete.",
)
def export(program_year: int, dealer_code: str, path: Path) -> None:
    """Write a program year as an Excel workbook: summary, postings, accounts, orders, control sheet."""
    part = path.with_name(f"{path.name}.part")
    try:
        viewer = read(program_viewer)
        with part.open("wb") as out:
            receipt = read(
                write_year,
                viewer=viewer,
                at=now(),
                program_year=program_year,
                dealer_code=clean_line(dealer_code).upper(),
                sheets=current_app.extensions["year_sheets"],
                out=out,
            )
        part.replace(path)
    except Refusal as refusal:
        raise sentence_of(refusal, dealer_code) from refusal
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    counts = ", ".join(f"{sheet.name} {sheet.rows}" for sheet in receipt.sheets)
    click.echo(f"Wrote {path} (rows: {counts}).")
