"""Closing a program year."""

from __future__ import annotations

import click
from flask import current_app
from sqlalchemy.orm import Session

from ledger.cli.group import ledger_cli
from ledger.models.years import YearClosing
from ledger.operations.years import close_dealer_year, finish_closing, start_closing
from ledger.queries.credit import FIRST_YEAR, LAST_YEAR
from ledger.queries.years import dealers_to_close
from referral.clock import now
from referral.db import read, write
from referral.errors import Refusal
from referral.permissions import Viewer
from referral.queries.people import user_by_email, viewer_of
from referral.text import clean_line, clean_paragraphs


@ledger_cli.command("close")
@click.option(
    "--year",
    "program_year",
    type=click.IntRange(FIRST_YEAR, LAST_YEAR),
    required=True,
    help="Program year, such as 2025; it must be over.",
)
@click.option("--reason", default="", help="Why it is closed though something is still open.")
@click.option("--as", "email", default="", metavar="EMAIL", help="The program admin who closes it.")
def close(program_year: int, reason: str, email: str) -> None:
    """Close a program year for good: nothing more is posted to it, totals and levels are frozen.

    What is still open is printed, and needs a reason. Interrupted at any time, the same command goes on
    where it stopped; each dealer is closed in a transaction of its own.
    """
    try:
        actor = read(_actor, clean_line(email)) if email else None
        if not read(_has_begun, program_year):
            write(
                start_closing,
                actor=actor,
                at=now(),
                program_year=program_year,
                reason=clean_paragraphs(reason),
                open_items=current_app.extensions["open_items"],
            )
        closed = _close_dealers(actor, program_year)
        closing = write(finish_closing, actor=actor, at=now(), program_year=program_year)
    except Refusal as refusal:
        for problem in refusal.problems:
            click.echo(problem.message, err=True)
        raise click.ClickException(f"{refusal.message} ({refusal.code})") from refusal
    if closing.finished_at is None:
        raise click.ClickException("Some dealers are not closed yet: run the command once more.")
    click.echo(
        f"{program_year} is closed: {closed} {'dealer' if closed == 1 else 'dealers'} closed by this command."
    )


def _close_dealers(actor: Viewer | None, program_year: int) -> int:
    """Close every dealer that is not closed yet; return how many."""
    dealer_ids = read(dealers_to_close, program_year=program_year)
    with click.progressbar(dealer_ids, label=f"Closing {program_year}", show_pos=True) as bar:
        for dealer_id in bar:
            write(close_dealer_year, actor=actor, at=now(), dealer_id=dealer_id, program_year=program_year)
    return len(dealer_ids)


def _has_begun(tx: Session, program_year: int) -> bool:
    """Say whether there is a closing to go on with. Raises Refusal(year_closed) where it is finished."""
    closing = tx.get(YearClosing, program_year)
    if closing is not None and closing.finished_at is not None:
        raise Refusal("year_closed")
    return closing is not None


def _actor(tx: Session, email: str) -> Viewer:
    """Return the admin with this address. Raises Refusal(not_found)."""
    user = user_by_email(tx, email)
    viewer = None if user is None else viewer_of(tx, user.id, at=now())
    if viewer is None:
        raise Refusal("not_found", f"Nobody active has the address {email}.")
    return viewer
