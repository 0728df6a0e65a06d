"""Pages: help, and whether the application is well."""

from __future__ import annotations

from flask import Response, current_app, jsonify, render_template
from sqlalchemy.exc import SQLAlchemyError

from referral.errors import REFUSALS
from referral.permissions import Permission
from referral.queries.records import answers
from referral.views.blueprint import blueprint
from referral.webkit import ask, needs


@blueprint.get("/help")
@needs(Permission.PUBLIC)
def help_page() -> str:
    """Say what a referral is, how a project flows, whom to ask and what each refusal means."""
    return render_template("referral/help.html", refusals=sorted(REFUSALS.items()))


@blueprint.get("/healthz")
@needs(Permission.PUBLIC)
def health() -> tuple[Response, int]:
    """Answer 200 while the database answers, else 503."""
    try:
        ask(answers)
    except SQLAlchemyError as error:
        current_app.logger.error("the database does not answer", exc_info=error)  # noqa: TRY400 - as webkit logs
        return jsonify(status="database_away"), 503
    return jsonify(status="ok"), 200
