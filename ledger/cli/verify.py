"""Recomputing everything, a part, or from a checkpoint on."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path

import click
from flask import current_app
from sqlalchemy.orm import Session

from ledger.cli.checkpoint import signer_of_app
from ledger.cli.group import ledger_cli, program_viewer, sentence_of
from ledger.queries.checkpoints import kept_faults
from ledger.queries.statements import dealer_seen_by
from ledger.queries.verification import LedgerCounts, Scope, ledger_counts, ledger_faults
from ledger.rules.checkpoints import CheckpointFile, read_checkpoint
from referral.db import read
from referral.errors import Refusal
from referral.text import clean_line

FAULTS_SHOWN = 20
Check = Callable[[Session], Iterator[str]]


class CheckpointPath(click.ParamType[CheckpointFile]):
    """A checkpoint's file."""

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> CheckpointFile:
        """Return the checkpoint; a file that holds none is refused in a sentence."""
        try:
            return read_checkpoint(Path(value).read_bytes())
        except (OSError, ValueError) as error:
            self.fail(f"{value}: {error}", param, ctx)


@ledger_cli.command("verify")
@click.option(
    "--checkpoint",
    "kept",
    type=CheckpointPath(),
    multiple=True,
    help="Prove as well that the heads in this file still stand in their place. May be given often.",
)
@click.option(
    "--since",
    type=CheckpointPath(),
    help="Prove the heads in this file, and recompute only what was posted after them.",
)
@click.option("--dealer", "dealer_code", default="", help="Recompute the chains of this dealer only.")
@click.option(
    "--public-key",
    default="",
    help="The key that must have signed the checkpoints, in hexadecimal. Default: the application's own.",
)
def verify(
    kept: tuple[CheckpointFile, ...], since: CheckpointFile | None, dealer_code: str, public_key: str
) -> None:
    """Recompute every posting, digest, balance and head, and what stands behind them.

    Prints what is counted and ends with 0 when everything recomputes; prints the first faults and ends
    with 1 when something does not. Writers may be at work: everything is read as of one instant.
    """
    files = (*kept, *([since] if since else []))
    key = public_key or (signer_of_app().public_key if files else "")
    checks: list[Check] = [partial(kept_faults, file=file, public_key=key) for file in files]
    whole = since is None and not dealer_code
    try:
        faults, counts = read(
            _verified,
            first=checks,
            others=[check for check in current_app.extensions["ledger_checks"] if check is not ledger_faults]
            if whole
            else [],
            since=since,
            dealer_code=clean_line(dealer_code).upper(),
        )
    except Refusal as refusal:
        raise sentence_of(refusal, dealer_code) from refusal
    for fault in faults[:FAULTS_SHOWN]:
        click.echo(fault, err=True)
    if len(faults) > FAULTS_SHOWN:
        click.echo("There are more.", err=True)
    if faults:
        raise click.ClickException("The ledger does not recompute.")
    for file in files:
        click.echo(f"Checkpoint {file.code} stands: {len(file.heads.accounts)} accounts as they were.")
    if whole:
        click.echo(
            f"Everything recomputes: {counts.accounts} accounts, {counts.entries} entries, "
            f"{counts.postings} postings."
        )
    else:
        what = f"of {dealer_code} " if dealer_code else ""
        since_words = f"since checkpoint {since.code} " if since else ""
        click.echo(f"What was posted {what}{since_words}recomputes.")


def _verified(
    tx: Session,
    *,
    first: list[Check],
    others: Sequence[Check],
    since: CheckpointFile | None,
    dealer_code: str,
) -> tuple[list[str], LedgerCounts]:
    """Return the first faults of all checks, one more than is shown, and the counts, as of one snapshot."""
    dealer_id = dealer_seen_by(tx, program_viewer(tx), dealer_code).id if dealer_code else None
    counts = ledger_counts(tx)
    with click.progressbar(
        length=counts.entries, label="Recomputing", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        scope = Scope(
            dealer_id=dealer_id,
            known=since.heads.accounts if since else {},
            on_entries=bar.update,
        )
        faults: list[str] = []
        checks: list[Check] = [*first, partial(ledger_faults, scope=scope), *others]
        for check in checks:
            faults += _first(check(tx), FAULTS_SHOWN + 1 - len(faults))
        return faults, counts


def _first(faults: Iterator[str], count: int) -> list[str]:
    """Return the first faults; a check that has more lets go of its cursor."""
    found = list(itertools.islice(faults, count))
    if isinstance(faults, Generator):
        faults.close()
    return found
