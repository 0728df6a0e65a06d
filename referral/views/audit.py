"""Pages: the audit trail."""

from __future__ import annotations

from flask import render_template, request, url_for

from referral.permissions import Permission
from referral.queries.records import audit_page
from referral.text import clean_line
from referral.views.blueprint import blueprint
from referral.webkit import ask, needs

SUBJECT_LENGTH = 254


@blueprint.get("/audit")
@needs(Permission.AUDIT_VIEW)
def audit() -> str:
    """List what was done, newest first, about one subject or all."""
    subject = clean_line(request.args.get("subject", ""))[:SUBJECT_LENGTH]
    rows, after = ask(audit_page, subject=subject, after=request.args.get("after") or None)
    next_url = after and url_for("referral.audit", subject=subject or None, after=after)
    return render_template("referral/audit.html", rows=rows, subject=subject, next_url=next_url)
