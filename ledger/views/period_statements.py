"""Statements of a month, quarter or year: the list, the page, the print, the workbook."""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import TemporaryFile

from flask import render_template, request, send_file
from werkzeug.wrappers import Response

from ledger.queries.period_statements import PRINT_ROWS
from ledger.queries.period_statements import period_statement as period_statement_query
from ledger.queries.periods import statements_page
from ledger.sheets.statement import filename_of, write_statement
from ledger.sheets.year import WORKBOOK_TYPE
from ledger.views.asked import year_asked
from ledger.views.blueprint import blueprint
from referral.clock import now
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, needs


@blueprint.get("/credit/<dealer_code>/statements")
@needs(Permission.CREDIT_VIEW)
def statements(dealer_code: str) -> str:
    """List the periods of a calendar year with their sums."""
    page = ask(
        statements_page,
        viewer=current_viewer(),
        at=now(),
        dealer_code=clean_line(dealer_code),
        year=year_asked(),
    )
    return render_template("ledger/statements.html", page=page)


@blueprint.get("/credit/<dealer_code>/statements/<period>")
@needs(Permission.CREDIT_VIEW)
def period_statement(dealer_code: str, period: str) -> str:
    """Show the statement of a period, page by page."""
    page = ask(
        period_statement_query,
        viewer=current_viewer(),
        at=now(),
        dealer_code=clean_line(dealer_code),
        period_name=period,
        after=clean_line(request.args.get("after", "")),
    )
    return render_template("ledger/period_statement.html", page=page)


@blueprint.get("/credit/<dealer_code>/statements/<period>/print")
@needs(Permission.CREDIT_VIEW)
def print_statement(dealer_code: str, period: str) -> str:
    """Show the statement of a period on one page, to be printed."""
    page = ask(
        period_statement_query,
        viewer=current_viewer(),
        at=now(),
        dealer_code=clean_line(dealer_code),
        period_name=period,
        limit=PRINT_ROWS,
    )
    return render_template("ledger/print_statement.html", page=page, limit=PRINT_ROWS)


@blueprint.get("/credit/<dealer_code>/statements/<period>/workbook")
@needs(Permission.CREDIT_VIEW)
def export_statement(dealer_code: str, period: str) -> Response:
    """Send the statement of a period as a workbook."""
    with ExitStack() as stack:
        out = stack.enter_context(TemporaryFile())
        ask(
            write_statement,
            viewer=current_viewer(),
            at=now(),
            dealer_code=clean_line(dealer_code),
            period_name=period,
            out=out,
        )
        size = out.tell()
        out.seek(0)
        answer = send_file(
            out,
            mimetype=WORKBOOK_TYPE,
            as_attachment=True,
            download_name=filename_of(clean_line(dealer_code), period),
        )
        answer.content_length = size
        stack.pop_all()
    return answer
