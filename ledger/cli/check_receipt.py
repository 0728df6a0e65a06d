"""Proving that a receipt's posting still stands."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.checkpoint import signer_of_app
from ledger.cli.group import ledger_cli, program_viewer, sentence_of
from ledger.queries.checkpoints import receipt_faults
from ledger.rules.checkpoints import read_receipt
from referral.db import read
from referral.errors import Refusal
from referral.money import format_cents


@ledger_cli.command("check-receipt")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--public-key", default="", help="The key that must have signed it. Default: the application's own."
)
def check_receipt(path: Path, public_key: str) -> None:
    """Prove that the posting a receipt names still stands, and that the receipt was signed here."""
    try:
        receipt = read_receipt(path.read_bytes())
    except ValueError as error:
        raise click.ClickException(f"{path}: {error}") from error
    key = public_key or signer_of_app().public_key
    try:
        faults = read(
            lambda tx: list(receipt_faults(tx, viewer=program_viewer(tx), receipt=receipt, public_key=key))
        )
    except Refusal as refusal:
        raise sentence_of(refusal, receipt.dealer_code) from refusal
    if faults:
        raise click.ClickException(faults[0])
    click.echo(
        f"{receipt.order}: {format_cents(receipt.amount_cents)} stands as posting {receipt.sequence} of "
        f"{receipt.dealer_code} {receipt.program_year}."
    )
