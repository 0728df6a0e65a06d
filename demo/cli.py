"""Commands of the demo."""

from __future__ import annotations

import secrets

import click
from flask import current_app
from flask.cli import AppGroup
from flask_security import hash_password

from demo.loader import SIGN_INS, email_of, load_demo, reissue_passwords
from referral.clock import now
from referral.db import read, write
from referral.errors import Refusal
from referral.queries.settings import is_demo, time_zone

demo_cli = AppGroup("demo", help="Load the demo's invented data into its own database.")


@demo_cli.command("load")
@click.option("--if-empty", is_flag=True, help="Keep a demo that is there; give its people new passwords.")
def load(if_empty: bool) -> None:
    """Load the story and print one sign-in per kind of user, each with a random password.

    Only where LEDGER_DEMO=1. Passwords are random at each call and kept nowhere.
    """
    if not current_app.config["DEMO"]:
        raise click.ClickException("Set LEDGER_DEMO=1: the demo never goes into a real database.")
    passwords = {person: secrets.token_urlsafe(12) for _, person in SIGN_INS}
    try:
        if if_empty and read(is_demo):
            write(reissue_passwords, hash_password=hash_password, passwords=passwords)
        else:
            write(
                load_demo,
                at=now(),
                zone=read(time_zone),
                hash_password=hash_password,
                passwords=passwords,
            )
    except Refusal as refusal:
        raise click.ClickException(refusal.message) from refusal
    click.echo("Demo: companies, people, projects and prices are invented. Sign in as")
    for kind, person in SIGN_INS:
        click.echo(f"  {kind:<34} {email_of(person):<32} {passwords[person]}")
