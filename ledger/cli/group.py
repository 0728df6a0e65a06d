"""The command group of the ledger, and who the command line is."""

from __future__ import annotations

from uuid import UUID

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from ledger.queries.credit import FIRST_YEAR, LAST_YEAR, program_company
from referral.errors import REFUSALS, Refusal
from referral.permissions import Role, Viewer

ledger_cli = AppGroup("ledger", help="Export, verify, import, close and read the sales-credit ledger.")

year_option = click.option(
    "--year", "program_year", type=click.IntRange(FIRST_YEAR, LAST_YEAR), help="Program year, such as 2026."
)


def program_viewer(tx: Session) -> Viewer:
    """Return the command line as a viewer: it reads what the program's auditor reads, and writes nothing.

    Raises Refusal(not_found) before there is a program company.
    """
    company = program_company(tx)
    if company is None:
        raise Refusal("not_found", "There is no program company yet: make one with `flask admin create`.")
    return Viewer(
        user_id=UUID(int=0),
        name="Command line",
        email="",
        company_id=company.id,
        company_code=company.code,
        company_name=company.name,
        roles=frozenset({Role.PROGRAM_AUDITOR}),
    )


def sentence_of(refusal: Refusal, dealer_code: str) -> click.ClickException:
    """Return what the command says to a refusal."""
    is_plain = refusal.message == REFUSALS["not_found"]
    return click.ClickException(f"No dealer has the code {dealer_code}." if is_plain else refusal.message)
