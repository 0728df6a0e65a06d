"""A dealer's balances and levels."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import click

from ledger.cli.group import ledger_cli, program_viewer, sentence_of, year_option
from ledger.queries.credit import dealer_years
from ledger.rules.as_of import parse_as_of
from referral.db import read
from referral.errors import Refusal
from referral.money import format_cents
from referral.queries.settings import time_zone
from referral.text import clean_line


@ledger_cli.command("balance")
@click.option("--dealer", "dealer_code", required=True, help="The dealer's code, such as HARBOR.")
@year_option
@click.option(
    "--on", default="", help="For this day, such as 2026-05-04: what is effective by its end counts."
)
@click.option(
    "--known-at",
    default="",
    help='As known at this time in the program\'s zone, such as "2026-05-04 16:05": what was posted by then counts.',
)
def balance(dealer_code: str, program_year: int | None, on: str, known_at: str) -> None:
    """Print a dealer's sales credit, other purchases, total and level: every year, or the one named."""
    zone = read(time_zone)
    try:
        as_of = parse_as_of(clean_line(on), clean_line(known_at), zone)
        years = read(
            dealer_years,
            viewer=read(program_viewer),
            dealer_code=clean_line(dealer_code).upper(),
            program_year=program_year,
            as_of=as_of,
        )
    except Refusal as refusal:
        raise sentence_of(refusal, dealer_code) from refusal
    if as_of.on is not None:
        click.echo(f"For {as_of.on.isoformat()}.")
    if as_of.known_at is not None:
        click.echo(f"As known at {as_of.known_at.astimezone(ZoneInfo(zone)).isoformat(' ')} ({zone}).")
    if not years:
        click.echo("Nothing is posted yet.")
        return
    click.echo(
        f"{'Year':<6}{'Sales credit':>20}{'Other purchases':>20}{'Total':>20}  Level for the next year"
    )
    for year in years:
        level = year.standing.level.name if year.standing.level else "no levels set"
        level += " (closed)" if year.is_closed else ""
        click.echo(
            f"{year.program_year:<6}{format_cents(year.sales_credit_cents):>20}"
            f"{format_cents(year.other_purchases_cents):>20}{format_cents(year.total_cents):>20}  {level}"
        )
