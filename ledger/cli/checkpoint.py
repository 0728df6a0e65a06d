"""Taking checkpoints and keeping them outside the database."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click
from flask import current_app

from ledger.cli.group import ledger_cli
from ledger.operations.checkpoints import take_checkpoint
from ledger.queries.checkpoints import heads_moved
from referral.clock import now
from referral.db import read, write
from referral.errors import Refusal
from referral.signing import NoKey, Signer, load_signer


def signer_of_app() -> Signer:
    """Return the signer whose key the application is configured with. Raises click.ClickException."""
    try:
        return load_signer(Path(current_app.config["SIGNING_KEY"]))
    except (NoKey, OSError) as error:
        raise click.ClickException(str(error)) from error


@ledger_cli.command("checkpoint")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    required=True,
    help="The folder the files go to. Keep it, or a copy, where the database's owner can't write.",
)
@click.option(
    "--every",
    "seconds",
    type=click.IntRange(1, 86400),
    help="Go on taking one each so many seconds while something was posted; stop with Ctrl-C.",
)
def checkpoint(folder: Path, seconds: int | None) -> None:
    """Take a signed checkpoint over the heads of all accounts and evidence, and write it to a file.

    What a checkpoint covers can't be changed or taken away unseen: `flask ledger verify --checkpoint FILE`.
    """
    signer = signer_of_app()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _take(folder, signer)
        while seconds is not None:
            time.sleep(seconds)
            if read(heads_moved):
                _take(folder, signer)
    except Refusal as refusal:
        raise click.ClickException(
            "There is no program company yet: make one with `flask admin create`."
        ) from refusal
    except OSError as error:
        raise click.ClickException(f"{folder}: {error.strerror}") from error
    except KeyboardInterrupt:
        click.echo("Stopped.")


def _take(folder: Path, signer: Signer) -> None:
    taken = write(take_checkpoint, actor=None, at=now(), signer=signer)
    path = folder / taken.filename
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(taken.write())
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    click.echo(f"Checkpoint {taken.code}: {taken.heads.entries} entries, in {path}")


@ledger_cli.command("public-key")
def public_key() -> None:
    """Print the public key that checkpoints and receipts are signed with; keep it apart from the database."""
    click.echo(signer_of_app().public_key)
