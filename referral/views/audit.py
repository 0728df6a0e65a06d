"""Pages: the audit trail, and the outbox."""

from __future__ import annotations

from flask import current_app, g, render_template, request, url_for

from referral.errors import Refusal
from referral.permissions import Permission, Viewer
from referral.queries.records import audit_page, outbox_page
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


@blueprint.get("/outbox")
@needs(Permission.PUBLIC)
def outbox() -> str:
    """List the newest mails. Their text holds secret links, so only the demo shows it, to everybody.

    Elsewhere those who read the audit trail see that a mail is owed, to whom and since when.
    """
    viewer: Viewer | None = g.viewer
    shows_text = bool(current_app.config["DEMO"])
    if not shows_text and (viewer is None or not viewer.may(Permission.AUDIT_VIEW)):
        raise Refusal("not_found")
    return render_template("referral/outbox.html", mails=ask(outbox_page), shows_text=shows_text)
