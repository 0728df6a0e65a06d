"""Commands of the warranty floor: coverage, terms, and keeping up with orders and terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from uuid import UUID

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from ledger.cli.group import program_viewer
from referral.clock import now
from referral.db import read, write
from referral.errors import Refusal
from referral.permissions import Viewer
from referral.queries.people import user_by_email, viewer_of
from referral.text import clean_line, clean_paragraphs, say_day
from warranty.operations.jobs import follow_orders, read_terms
from warranty.operations.terms import set_term
from warranty.queries.coverage import coverage_of
from warranty.queries.jobs import orders_due, terms_due
from warranty.queries.terms import TermEffect, TermRow, term_effect, terms_page
from warranty.rules.terms import LONGEST_DAYS, LONGEST_MONTHS, TermInput
from warranty.states import StartRule

warranty_cli = AppGroup(
    "warranty",
    help="Ask whether a source is covered; list and record terms; keep installed sources up to date.",
)
_DAY = click.DateTime(["%Y-%m-%d"])


@warranty_cli.command("terms")
def list_terms() -> None:
    """Print the terms of every family, newest first; those of an order entered today have a star."""
    page = read(terms_page, at=now())
    for each in page.families:
        click.echo(each.family)
        for row in each.rows:
            click.echo(_line(row))
    for family in page.missing:
        click.echo(f"{family}\n  no terms: what is ordered of it is undetermined")
    if page.waiting:
        click.echo(
            f"{page.waiting:,} installed sources wait to be read with newer terms: flask warranty follow"
        )


def _line(row: TermRow) -> str:
    term = row.term
    star = "*" if row.is_current else " "
    cap = "" if term.cap_days is None else f", at the latest {term.cap_days} days after shipping"
    covers = " and ".join(
        word
        for word, is_covered in (("parts", term.covers_parts), ("labor", term.covers_labor))
        if is_covered
    )
    said = "  (replaced)" if row.is_replaced else ""
    return (
        f"  {star} from {term.valid_from}: {term.months} months from {term.start_rule.value}{cap}; {covers}; "
        f"{term.report_days} days to report; replacement at least {term.replacement_days} days; "
        f"{term.source}{said}"
    )


@warranty_cli.command("set-term")
@click.argument("family")
@click.option(
    "--from",
    "valid_from",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    help="First order day, as 2027-01-01.",
)
@click.option("--months", required=True, type=click.IntRange(1, LONGEST_MONTHS))
@click.option(
    "--start",
    required=True,
    type=click.Choice([rule.value for rule in StartRule]),
    help="The event that the warranty starts with.",
)
@click.option(
    "--cap-days",
    type=click.IntRange(0, LONGEST_DAYS),
    help="The start is at the latest so many days after shipping; without it, never capped.",
)
@click.option("--parts/--no-parts", required=True, help="Whether parts are covered.")
@click.option("--labor/--no-labor", required=True, help="Whether labor is covered.")
@click.option(
    "--report-days",
    required=True,
    type=click.IntRange(0, LONGEST_DAYS),
    help="Days after the last covered one to report a failure within it.",
)
@click.option(
    "--replacement-days",
    required=True,
    type=click.IntRange(0, LONGEST_DAYS),
    help="A replacement is covered at least so many days; 0 is no minimum.",
)
@click.option("--source", required=True, help="Where the program says so.")
@click.option("--reason", required=True, help="Why it is recorded now.")
@click.option("--as", "email", required=True, metavar="EMAIL", help="The program admin who records it.")
@click.option("--check", is_flag=True, help="Only say what it would change.")
def set_family_term(
    family: str,
    valid_from: datetime,
    months: int,
    start: str,
    cap_days: int | None,
    parts: bool,
    labor: bool,
    report_days: int,
    replacement_days: int,
    source: str,
    reason: str,
    email: str,
    check: bool,
) -> None:
    """Record warranty terms of FAMILY for orders from a day on, and say how many sources that is.

    The same terms again change nothing. The sources are read with them by the worker, or by
    `flask warranty follow`.
    """
    said = TermInput(
        family=clean_line(family),
        valid_from=date(valid_from.year, valid_from.month, valid_from.day),
        months=months,
        start_rule=StartRule(start),
        cap_days=cap_days,
        covers_parts=parts,
        covers_labor=labor,
        report_days=report_days,
        replacement_days=replacement_days,
        source=clean_line(source),
        reason=clean_paragraphs(reason),
    )
    try:
        actor = read(_viewer_by_email, email)
        effect = read(term_effect, said=said)
        if not check:
            write(set_term, actor=actor, at=now(), said=said)
    except Refusal as refusal:
        raise click.ClickException(f"{refusal.message} ({refusal.code})") from refusal
    click.echo(_said_of(effect, said))
    if check:
        click.echo("Nothing was recorded.")


def _said_of(effect: TermEffect, said: TermInput) -> str:
    if effect.is_recorded:
        return f"Exactly these terms of {effect.family} are recorded already."
    until = "" if effect.until is None else f" and before {say_day(effect.until)}"
    return (
        f"Terms of {effect.family} for orders from {say_day(said.valid_from)}{until}: "
        f"{effect.sources:,} installed sources with {effect.units:,} units."
    )


@warranty_cli.command("follow")
def follow() -> None:
    """Make the installed sources of orders that have none yet, and read sources with newer terms, all of them now.

    The worker does the same by itself. Stopped at any point, run it again; several may run at the same time.
    """
    at = now()
    orders = _work_off("Orders", orders_due, follow_orders, at)
    terms = _work_off("Terms", terms_due, read_terms, at)
    click.echo(f"{orders:,} installed sources made or voided, {terms:,} read otherwise with newer terms.")


def _work_off(label: str, due: Callable[..., Sequence[UUID]], run: Callable[..., int], at: datetime) -> int:
    """Run a job until a round changes nothing that is due; returns what its runs counted."""
    done, before = 0, list[UUID]()
    while True:
        keys = read(due, at=at)
        if not keys or list(keys) == before:
            return done
        with click.progressbar(keys, label=label) as bar:
            for key in bar:
                done += write(run, actor=None, at=now(), dealer_id=key)
        before = list(keys)


@warranty_cli.command("coverage")
@click.argument("ref", metavar="U-DEALER-NUMBER")
@click.option("--failed-on", type=_DAY, help="Day of failure; without it, it is unknown.")
@click.option("--reported-on", type=_DAY, help="Day of report; without it, the day of --as-of.")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]),
    help="As it was known at the end of this day, or at 2026-11-21T16:05:00Z; without it, now.",
)
def coverage(
    ref: str, failed_on: datetime | None, reported_on: datetime | None, as_of: datetime | None
) -> None:
    """Print whether a failure of an installed source is covered, by whom, and why: the same as its page says."""
    known = as_of if as_of is None or as_of.tzinfo is not None else as_of.date()
    try:
        answer = read(
            coverage_of,
            viewer=read(program_viewer),
            ref=clean_line(ref).upper(),
            at=now(),
            as_of=known,
            failed_on=None if failed_on is None else failed_on.date(),
            reported_on=None if reported_on is None else reported_on.date(),
        )
    except Refusal as refusal:
        raise click.ClickException(f"{refusal.message} ({refusal.code})") from refusal
    click.echo("\n".join(answer.words))
    click.echo("Why:")
    for number, reason in enumerate(answer.coverage.reasons, 1):
        click.echo(f"{number:>3}. {reason}")
    if answer.site is not None:
        click.echo(f"At {answer.site.name}, {answer.site.place}; days are days in {answer.site.time_zone}.")
    if answer.term is not None:
        click.echo(
            f"Terms of {answer.term.family} from {say_day(answer.term.valid_from)}: {answer.term.source}"
        )
    click.echo(
        f"Reported {say_day(answer.reported_on)}, as known at {answer.as_of.isoformat(' ', 'seconds')}."
    )
    for each in answer.later:
        click.echo(f"Recorded later: {each.what}, of {say_day(each.happened_on)}.")
    if answer.known_now:
        click.echo(f"With what was recorded since: {' '.join(answer.known_now)}")


def _viewer_by_email(tx: Session, email: str) -> Viewer:
    user = user_by_email(tx, email)
    viewer = None if user is None else viewer_of(tx, user.id, at=now())
    if viewer is None:
        raise Refusal("not_found", f"Nobody with the address {email} has a user.")
    return viewer
