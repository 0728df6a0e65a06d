"""Commands of the support floor: the service catalogue, and what a call owes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from ledger.cli.group import program_viewer
from referral.clock import now
from referral.db import read, write
from referral.errors import Refusal
from referral.money import format_cents
from referral.permissions import Viewer
from referral.queries.people import user_by_email, viewer_of
from referral.text import clean_line, clean_paragraphs, say_day
from support.operations.catalogue import load_catalogue
from support.queries.call_page import call_page
from support.queries.catalogue_pages import all_offers, preview_catalogue
from support.queries.entitlement import entitlement_of
from support.rules.call_words import STATUS_WORDS, say_at
from support.rules.catalogue import Change
from support.rules.charts import say_share
from support.rules.offers import Offer
from support.rules.quotas import MOST_ASKED, say_amount
from support.schemas.catalogue import SHIPPED, read_catalogue
from support.states import GrantKind, Platform

_DAY = click.DateTime(["%Y-%m-%d"])
support_cli = AppGroup(
    "support", help="Load the service catalogue, list its offers, ask what an agreement covers."
)


@support_cli.command("load")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--reason", default="", help="Why it is loaded; needed unless --check.")
@click.option("--check", "is_check", is_flag=True, help="Say what would become new, and load nothing.")
@click.option(
    "--as", "email", metavar="EMAIL", help="The program admin who loads it. Default: the command line."
)
def load_command(file: Path | None, reason: str, is_check: bool, email: str | None) -> None:
    """Load FILE, a service catalogue as JSON; without FILE the one that is shipped.

    What says something else than before becomes the next version; agreements and calls keep theirs. The same
    file again changes nothing. If anything in it cannot hold, nothing is loaded and the exit status is 1.
    """
    try:
        catalogue = read_catalogue((file or SHIPPED).read_bytes())
        if is_check:
            changes = read(preview_catalogue, catalogue=catalogue)
        else:
            actor = read(_viewer_by_email, email) if email else None
            changes = write(
                load_catalogue,
                actor=actor,
                at=now(),
                catalogue=catalogue,
                reason=clean_paragraphs(reason),
            )
    except Refusal as refusal:
        for problem in refusal.problems:
            click.echo(problem.message, err=True)
        raise click.ClickException(f"{refusal.message} ({refusal.code})") from refusal
    for change in changes:
        click.echo(_line(change))
    total = len(catalogue.entries)
    if is_check:
        click.echo(f"{len(changes)} would become new, the file has {total}. Nothing was loaded.")
    else:
        click.echo(f"{len(changes)} became new, the file has {total}.")


@support_cli.command("offers")
@click.option("--grants", "with_grants", is_flag=True, help="List what each of them grants.")
def list_offers(with_grants: bool) -> None:
    """Print the offers with their newest version, and for what they are sold."""
    offers = read(all_offers, at=now())
    for offer in offers:
        click.echo(f"{offer.key} {offer.version}: {offer.name} ({', '.join(_conditions(offer))})")
        for grant in offer.grants if with_grants else ():
            click.echo(f"    {grant.key}: {grant.name}, {say_share(grant)}")
    if not offers:
        click.echo("There are no offers yet: flask support load")


@support_cli.command("timeline")
@click.argument("ref")
@click.option(
    "--at",
    "as_of",
    type=click.DateTime(["%Y-%m-%dT%H:%M"]),
    help="As of this instant in UTC; now without it.",
)
def timeline_command(ref: str, as_of: datetime | None) -> None:
    """Print what the service call REF owes and owed, each with why it is due at its instant."""
    at = now() if as_of is None else as_of.replace(tzinfo=UTC)
    try:
        page = read(call_page, viewer=read(program_viewer), at=at, ref=clean_line(ref).upper())
    except Refusal as refusal:
        raise click.ClickException(f"{refusal.message} ({refusal.code})") from refusal
    priority = f", priority {page.stand.priority.value}" if page.stand.priority else ""
    click.echo(f"{page.row.ref}: {page.row.state.value}{priority}, as of {say_at(at, page.zone)}")
    for each in page.dues:
        due = each.due
        when = "" if due.due_at is None else f", due {say_at(due.due_at, page.zone)}"
        left = f" ({each.left})" if each.left else ""
        click.echo(f"  {STATUS_WORDS[due.status]}: {due.name}{when}{left}")
        for sentence in each.why:
            click.echo(f"    {sentence}")
    if not page.dues:
        click.echo("  Nothing is due by an instant.")


@support_cli.command("entitlement")
@click.argument("ref", metavar="A-DEALER-NUMBER")
@click.option(
    "--kind", required=True, type=click.Choice([kind.value for kind in GrantKind]), help="What is needed."
)
@click.option("--day", type=_DAY, help="Day at the site; without it, today there.")
@click.option(
    "--site", "site_ref", default="", metavar="R-DEALER-NUMBER/1", help="Needed where there are several."
)
@click.option(
    "--unit", "source_ref", default="", metavar="U-DEALER-NUMBER", help="Then its warranty comes first."
)
@click.option(
    "--platform", type=click.Choice([each.value for each in Platform]), help="The system it is about."
)
@click.option("--family", default="", help="Of parts: the key of their family.")
@click.option("--grant", "grant_key", default="", help="The key of a grant; without it, the best.")
@click.option(
    "--amount",
    default=1,
    type=click.IntRange(1, MOST_ASKED),
    help="Minutes of sessions and hours, else units.",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]),
    help="As it was known at the end of this day, or at 2026-11-21T16:05:00Z; without it, now.",
)
def entitlement(
    ref: str,
    kind: str,
    day: datetime | None,
    site_ref: str,
    source_ref: str,
    platform: str | None,
    family: str,
    grant_key: str,
    amount: int,
    as_of: datetime | None,
) -> None:
    """Print what an agreement covers of what is asked, what is billable, and why: the same as its page says."""
    try:
        answer = read(
            entitlement_of,
            viewer=read(program_viewer),
            at=now(),
            ref=clean_line(ref).upper(),
            kind=GrantKind(kind),
            day=None if day is None else day.date(),
            as_of=as_of if as_of is None or as_of.tzinfo is not None else as_of.date(),
            site_ref=clean_line(site_ref).upper(),
            source_ref=clean_line(source_ref).upper(),
            platform=None if platform is None else Platform(platform),
            family=clean_line(family),
            grant_key=clean_line(grant_key),
            amount=amount,
        )
    except Refusal as refusal:
        raise click.ClickException(f"{refusal.message} ({refusal.code})") from refusal
    found = answer.entitlement
    unit = None if found.by is None or found.by.meter is None else found.by.meter.unit
    if unit is None:
        click.echo("Covered." if found.is_covered else "Not covered: billable.")
    else:
        click.echo(
            f"Covered: {say_amount(unit, found.covered)}. Billable: {say_amount(unit, found.billable)}."
        )
    click.echo("Why:")
    for number, reason in enumerate(found.reasons, 1):
        click.echo(f"{number:>3}. {reason}")
    click.echo(
        f"For {say_day(found.asked.day)} at {found.asked.site_name}, "
        f"as known at {answer.as_of.isoformat(' ', 'seconds')}."
    )


def _line(change: Change) -> str:
    why = f", with {change.because}" if change.because else ""
    return f"{change.kind.value} {change.key} {change.version}: {change.name}{why}"


def _conditions(offer: Offer) -> list[str]:
    words = [f"{len(offer.grants)} grants"]
    if not offer.is_sold:
        return [*words, "not sold by itself"]
    longest = f"up to {offer.longest_months} months"
    words.append(f"{longest}, whole years" if offer.whole_years else longest)
    if offer.platforms:
        words.append(f"only {', '.join(platform.value for platform in offer.platforms)}")
    if offer.above_cents is not None:
        words.append(f"licenses above {format_cents(offer.above_cents)}")
    return words


def _viewer_by_email(tx: Session, email: str) -> Viewer:
    user = user_by_email(tx, email)
    viewer = None if user is None else viewer_of(tx, user.id, at=now())
    if viewer is None:
        raise Refusal("not_found", f"Nobody with the address {email} has a user.")
    return viewer
