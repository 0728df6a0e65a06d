"""One posting: why it stands."""

from __future__ import annotations

from flask import current_app, render_template

from ledger.queries.entries import entry_page
from ledger.views.asked import account_named
from ledger.views.blueprint import blueprint
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, needs


@blueprint.get("/credit/<dealer_code>/<int:year>/<account>/<int(max=999999999999999):sequence>")
@needs(Permission.CREDIT_VIEW)
def entry(dealer_code: str, year: int, account: str, sequence: int) -> str:
    """Show a posting with both its places, its chain, and what stands behind it."""
    page = ask(
        entry_page,
        viewer=current_viewer(),
        dealer_code=clean_line(dealer_code),
        program_year=year,
        account_kind=account_named(account),
        sequence=sequence,
        sources=current_app.extensions["entry_sources"],
    )
    return render_template("ledger/entry.html", page=page)
