"""Credit, statements and the year's workbook."""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import TemporaryFile

from flask import current_app, render_template, send_file
from werkzeug.wrappers import Response

from ledger.queries.credit import OwnCredit, credit_page
from ledger.queries.credit import statement as statement_query
from ledger.sheets.year import WORKBOOK_TYPE, filename_of, write_year
from ledger.states import ACCOUNT_WORDS, TOTAL_KINDS
from ledger.views.asked import (
    account_asked,
    as_of_asked,
    dealer_asked,
    looking_back,
    sequence_asked,
    year_asked,
)
from ledger.views.blueprint import blueprint
from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, needs


@blueprint.get("/credit")
@needs(Permission.CREDIT_VIEW)
def credit() -> str:
    """Show a dealer its own credit, the program its year."""
    page = ask(
        credit_page,
        viewer=current_viewer(),
        at=now(),
        program_year=year_asked(),
        dealer_code=dealer_asked(),
        outlook=current_app.extensions["credit_outlook"],
        **as_of_asked(),
    )
    template = "ledger/credit.html" if isinstance(page, OwnCredit) else "ledger/year.html"
    return render_template(template, page=page, **looking_back(page.as_of))


@blueprint.get("/credit/<dealer_code>/<int:year>")
@needs(Permission.CREDIT_VIEW)
def statement(dealer_code: str, year: int) -> str:
    """Show the postings of a dealer's account with the balance after each."""
    found = ask(
        statement_query,
        viewer=current_viewer(),
        at=now(),
        dealer_code=clean_line(dealer_code),
        program_year=year,
        account_kind=account_asked(),
        after=sequence_asked(),
        **as_of_asked(),
    )
    return render_template(
        "ledger/statement.html",
        statement=found,
        page=found.page,
        words=ACCOUNT_WORDS,
        kinds=TOTAL_KINDS,
        **looking_back(found.as_of),
    )


@blueprint.get("/credit/export")
@needs(Permission.CREDIT_EXPORT)
def export_year() -> Response:
    """Send a program year as a workbook."""
    at = now()
    year = year_asked()
    if year is None:
        raise Refusal("not_found")
    with ExitStack() as stack:
        out = stack.enter_context(TemporaryFile())
        ask(
            write_year,
            viewer=current_viewer(),
            at=at,
            program_year=year,
            dealer_code=dealer_asked(),
            sheets=current_app.extensions["year_sheets"],
            out=out,
        )
        size = out.tell()
        out.seek(0)
        answer = send_file(
            out,
            mimetype=WORKBOOK_TYPE,
            as_attachment=True,
            download_name=filename_of(year, dealer_asked()),
        )
        answer.content_length = size
        stack.pop_all()
    return answer
