"""Pages: what an account did on days without a qualification, for the program to review."""

from __future__ import annotations

from flask import render_template

from quotes.queries.unqualified_work import unqualified_page
from quotes.views.blueprint import blueprint
from referral.permissions import Permission
from referral.webkit import ask, needs


@blueprint.get("/companies/<code>/qualifications/review")
@needs(Permission.COMPANY_VIEW)
def unqualified_work(code: str) -> str:
    """List what is to be reviewed after the end of a qualification was set back."""
    return render_template("quotes/unqualified_work.html", page=ask(unqualified_page, code=code))
