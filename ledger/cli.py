"""Commands of the ledger: the year's workbook, verification, balances."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import UUID

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from ledger.queries.credit import FIRST_YEAR, LAST_YEAR, dealer_years, program_company
from ledger.queries.verification import LedgerCounts, ledger_counts
from ledger.sheets import write_year
from referral.clock import now
from referral.db import read
from referral.errors import REFUSALS, Refusal
from referral.money import format_cents
from referral.permissions import Role, Viewer
from referral.text import clean_line

FAULTS_SHOWN = 20

ledger_cli = AppGroup("ledger", help="Export, verify and read the sales-credit ledger.")

year_option = click.option(
    "--year", "program_year", type=click.IntRange(FIRST_YEAR, LAST_YEAR), help="Program year, such as 2026."
)


def program_viewer(tx: Session) -> Viewer:
    """Return the command line as a viewer: it reads what the program's auditor reads, and writes nothing.

    Raises Refusal(not_found) before there is a program company.
    """
    company = program_company(tx)
    if company is None:
        raise Refusal("not_found", "There is no program company yet: make one with `flask admin create`.")
    return Viewer(
        user_id=UUID(int=0),
        name="Command line",
        email="",
        company_id=company.id,
        company_code=company.code,
        company_name=company.name,
        roles=frozenset({Role.PROGRAM_AUDITOR}),
    )


def _sentence(refusal: Refusal, dealer_code: str) -> click.ClickException:
    """Return what the command says to a refusal."""
    is_plain = refusal.message == REFUSALS["not_found"]
    return click.ClickException(f"No dealer has the code {dealer_code}." if is_plain else refusal.message)


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
        raise _sentence(refusal, dealer_code) from refusal
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    counts = ", ".join(f"{sheet.name} {sheet.rows}" for sheet in receipt.sheets)
    click.echo(f"Wrote {path} (rows: {counts}).")


@ledger_cli.command("verify")
def verify() -> None:
    """Recompute every posting, digest, balance and head, and what stands behind them.

    Prints what is counted and ends with 0 when everything recomputes; prints the first faults and ends
    with 1 when something does not.
    """
    faults, counts = read(_verified, current_app.extensions["ledger_checks"])
    for fault in faults[:FAULTS_SHOWN]:
        click.echo(fault, err=True)
    if len(faults) > FAULTS_SHOWN:
        click.echo("There are more.", err=True)
    if faults:
        raise click.ClickException("The ledger does not recompute.")
    click.echo(
        f"Everything recomputes: {counts.accounts} accounts, {counts.entries} entries, {counts.postings} postings."
    )


def _verified(
    tx: Session, checks: Sequence[Callable[[Session], Iterator[str]]]
) -> tuple[list[str], LedgerCounts]:
    """Return the first faults of all checks, one more than is shown, and the counts, as of one snapshot."""
    faults = itertools.chain.from_iterable(check(tx) for check in checks)
    return list(itertools.islice(faults, FAULTS_SHOWN + 1)), ledger_counts(tx)


@ledger_cli.command("balance")
@click.option("--dealer", "dealer_code", required=True, help="The dealer's code, such as HARBOR.")
@year_option
def balance(dealer_code: str, program_year: int | None) -> None:
    """Print a dealer's sales credit, other purchases, total and level: every year, or the one named."""
    try:
        years = read(
            dealer_years,
            viewer=read(program_viewer),
            dealer_code=clean_line(dealer_code).upper(),
            program_year=program_year,
        )
    except Refusal as refusal:
        raise _sentence(refusal, dealer_code) from refusal
    if not years:
        click.echo("Nothing is posted yet.")
        return
    click.echo(
        f"{'Year':<6}{'Sales credit':>20}{'Other purchases':>20}{'Total':>20}  Level for the next year"
    )
    for year in years:
        level = year.standing.level.name if year.standing.level else "no levels set"
        click.echo(
            f"{year.program_year:<6}{format_cents(year.sales_credit_cents):>20}"
            f"{format_cents(year.other_purchases_cents):>20}{format_cents(year.total_cents):>20}  {level}"
        )
