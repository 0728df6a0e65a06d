"""Commands of the ground floor: the program's first admin, and the list of doors."""

from __future__ import annotations

import json

import click
from flask import current_app, url_for
from flask.cli import AppGroup, with_appcontext

from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.operations.admins import create_admin
from referral.rules import INVITATION_DAYS
from referral.text import clean_line
from referral.webkit import permission_of

admin_cli = AppGroup("admin", help="The admins of the program.")


def _line(_context: click.Context, parameter: click.Parameter, text: str) -> str:
    cleaned = clean_line(text)
    if not cleaned:
        raise click.BadParameter("is empty", param=parameter)
    return cleaned


def _address(context: click.Context, parameter: click.Parameter, text: str) -> str:
    address = _line(context, parameter, text)
    local, _, domain = address.rpartition("@")
    if not (local and domain) or " " in address or "@" in local:
        raise click.BadParameter("is no e-mail address such as ann@example.com", param=parameter)
    return address


@admin_cli.command("create")
@click.option("--email", required=True, callback=_address, help="The admin's e-mail address.")
@click.option("--name", required=True, callback=_line, help="The admin's name.")
@click.option(
    "--company-code",
    default="PROGRAM",
    show_default=True,
    callback=_line,
    help="Code of a new program company.",
)
@click.option(
    "--company-name",
    default="The program",
    show_default=True,
    callback=_line,
    help="Name of a new program company.",
)
@click.option(
    "--recovery", is_flag=True, help="Invite an admin though there is one already; this is recorded."
)
def create_admin_command(email: str, name: str, company_code: str, company_name: str, recovery: bool) -> None:
    """Invite the program's first admin and print the one-time link.

    Makes the program's company where there is none. No password is made or printed: the admin chooses it
    behind the link. Exits with 1 and the refusal's code where there is an admin already.
    """
    try:
        token = write(
            create_admin,
            at=now(),
            email=email,
            name=name,
            company_code=company_code,
            company_name=company_name,
            is_recovery=recovery,
        )
    except Refusal as refusal:
        raise click.ClickException(f"{refusal.code}: {refusal.message}") from refusal
    with current_app.test_request_context():
        path = url_for("referral.accept_invitation", token=token)
    click.echo(f"Open this path of the ledger within {INVITATION_DAYS} days and choose a password:")
    click.echo(path)


@click.command("permissions")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per route.")
@with_appcontext
def permissions_command(as_json: bool) -> None:
    """Print every route: endpoint, methods, path, and the permission it asks for.

    A route without a permission answers 403 to everyone and is shown as "nobody".
    """
    routes = sorted(
        (
            rule.endpoint,
            ",".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})),
            rule.rule,
            permission_of(current_app, rule.endpoint) or "nobody",
        )
        for rule in current_app.url_map.iter_rules()
    )
    if as_json:
        names = ("endpoint", "methods", "path", "permission")
        click.echo(json.dumps([dict(zip(names, route, strict=True)) for route in routes], indent=2))
        return
    widths = [max(len(route[column]) for route in routes) for column in range(3)]
    for endpoint, methods, path, permission in routes:
        click.echo(f"{endpoint:{widths[0]}}  {methods:{widths[1]}}  {path:{widths[2]}}  {permission}")
