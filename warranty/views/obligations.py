"""What an account still owes in warranty."""

from __future__ import annotations

from flask import render_template, request
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.listkit import PLACE, readable_filters, send_workbook
from referral.permissions import CompanyKind, Permission, Viewer
from referral.webkit import ask, current_viewer, needs
from warranty.forms.lists import FilterObligationsForm
from warranty.queries.obligations import obligations as read_obligations
from warranty.queries.obligations import owing_accounts
from warranty.sheets.lists import write_obligations
from warranty.views.blueprint import blueprint


def _account_code() -> str:
    return str(readable_filters(FilterObligationsForm, request.args).account.data or "").upper()


def _is_to_choose(viewer: Viewer, code: str) -> bool:
    """Whether the viewer sees all accounts, and has named none."""
    return not code and viewer.acts_as(CompanyKind.PROGRAM)


@blueprint.get("/obligations")
@needs(Permission.SOURCE_VIEW)
def obligations() -> str:
    """Show what the account owes by project and last day; the program names the account."""
    viewer, code = current_viewer(), _account_code()
    if _is_to_choose(viewer, code):
        return render_template("warranty/obligations_choose.html", accounts=ask(owing_accounts))
    found = ask(
        read_obligations, viewer=viewer, at=now(), account_code=code, after=request.args.get(PLACE) or None
    )
    return render_template("warranty/obligations.html", found=found, code=code, after=request.args.get(PLACE))


@blueprint.get("/obligations.xlsx")
@needs(Permission.SOURCE_VIEW)
def export_obligations() -> Response:
    """Send what the account owes, whole, as a workbook."""
    viewer, at, code = current_viewer(), now(), _account_code()
    if _is_to_choose(viewer, code):
        raise Refusal(
            "invalid_input", "Name the account whose obligations you want: ?account=CODE.", "account"
        )
    return send_workbook(
        "obligations.xlsx",
        lambda out: ask(write_obligations, viewer=viewer, at=at, account_code=code, out=out),
    )
