"""Commands of the quotes floor: price lists."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from quotes.forms.price_lists import read_price_sheet
from quotes.operations.price_lists import publish_price_list
from quotes.queries.price_lists import price_lists_page
from referral.clock import now
from referral.db import read, write
from referral.errors import Refusal
from referral.permissions import Viewer
from referral.queries.people import user_by_email, viewer_of

prices_cli = AppGroup("prices", help="List price lists, and import one from Excel or CSV.")


@prices_cli.command("list")
def list_price_lists() -> None:
    """Print every version, newest first; those valid today have a star."""
    for row in read(price_lists_page, at=now()):
        star = "*" if row.is_current else " "
        until = f"to {row.valid_to}" if row.valid_to else "on"
        click.echo(
            f"{star} {row.version:>4}  {row.currency}  from {row.valid_from} {until:<13}  {row.item_count:>7,} items  {row.source}"
        )


@prices_cli.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--valid-from",
    "valid_from",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day these prices are valid, as 2027-01-01.",
)
@click.option(
    "--currency", metavar="CODE", help="Currency of the prices, as CAD; without it the program's own."
)
@click.option("--as", "email", required=True, metavar="EMAIL", help="The program admin who publishes.")
def import_price_list(file: Path, valid_from: datetime, currency: str | None, email: str) -> None:
    """Publish FILE (.xlsx or .csv) as the next price list: all of its rows, or nothing.

    Every cell that cannot be taken is printed with its address; the exit status is then 1.
    """
    try:
        actor = read(_viewer_by_email, email)
        sheet = read_price_sheet(file.read_bytes(), file.name)
        if sheet.problems:
            raise Refusal("file_has_errors", problems=sheet.problems)
        price_list = write(
            publish_price_list,
            actor=actor,
            at=now(),
            items=tuple(sheet.items.values()),
            valid_from=date(valid_from.year, valid_from.month, valid_from.day),
            source=file.name,
            source_sha256=sheet.sha256,
            currency=currency,
        )
    except Refusal as refusal:
        for problem in refusal.problems:
            click.echo(problem.message, err=True)
        raise click.ClickException(f"{refusal.message} ({refusal.code})") from refusal
    click.echo(
        f"Price list {price_list.version}: {price_list.item_count:,} items in {price_list.currency}, "
        f"valid from {price_list.valid_from}."
    )


def _viewer_by_email(tx: Session, email: str) -> Viewer:
    user = user_by_email(tx, email)
    viewer = None if user is None else viewer_of(tx, user.id, at=now())
    if viewer is None:
        raise Refusal("not_found", f"Nobody with the address {email} has a user.")
    return viewer
