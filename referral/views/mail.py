"""Pages: how a person wants mail, mails that could not be sent, and the demo's outbox."""

from __future__ import annotations

from email.headerregistry import Address
from uuid import UUID

from flask import Response as FlaskResponse
from flask import current_app, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.forms.mail import ChooseMailForm
from referral.mailkit import SIGNATURE, MailSettings, html_of, mail_server, mail_settings, style_hash, text_of
from referral.operations import mail as operations
from referral.permissions import Permission
from referral.queries.mail import failures_page, mail_choice, mail_of_outbox
from referral.queries.mail import outbox_page as outbox_query
from referral.views.blueprint import blueprint
from referral.webkit import CONTENT_SECURITY_POLICY, ask, current_viewer, form_status, needs, submitted


@blueprint.route("/mail", methods=["GET", "POST"])
@needs(Permission.SIGNED_IN)
def choose_mail() -> tuple[str, int] | Response:
    """Choose between each mail at once and one a day."""
    viewer = current_viewer()
    page = ask(mail_choice, viewer=viewer, at=now())
    form = ChooseMailForm()
    if not form.is_submitted():
        form.wants_digest.data = "yes" if page.wants_digest else "no"
    elif form.validate() and submitted(
        form,
        operations.choose_mail,
        actor=viewer,
        at=now(),
        wants_digest=form.wants_digest.data == "yes",
    ):
        flash("This is how mail reaches you from now on.", "success")
        return redirect(url_for("referral.choose_mail"), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/choose_mail.html", form_=form, page=page), status


@blueprint.get("/mail/failures")
@needs(Permission.AUDIT_VIEW)
def mail_failures() -> str:
    """List mails that the mail server did not take. Their texts may hold secret links and are not shown."""
    page = ask(failures_page, at=now(), after=request.args.get("after") or None)
    return render_template(
        "referral/mail_failures.html",
        page=page,
        next_url=page.after and url_for("referral.mail_failures", after=page.after),
        is_sent_from_here=mail_server() is not None,
    )


@blueprint.post("/mail/failures/<uuid:mail_id>/retry")
@needs(Permission.SETTING_CHANGE)
def retry_mail(mail_id: UUID) -> Response:
    """Make a failed mail due again."""
    mail = write(operations.retry_mail, actor=current_viewer(), at=now(), mail_id=mail_id)
    flash(f"The mail to {mail.recipient} is tried again.", "success")
    return redirect(url_for("referral.mail_failures"), 303)


@blueprint.get("/outbox")
@needs(Permission.PUBLIC)
def outbox() -> str:
    """List the demo's mails with their texts, newest first. They hold secret links: elsewhere nothing is here."""
    _guard_demo()
    rows, after = ask(outbox_query, after=request.args.get("after") or None)
    settings = _demo_settings()
    return render_template(
        "referral/outbox.html",
        mails=[(row, text_of(row, settings).partition(SIGNATURE)[0]) for row in rows],
        next_url=after and url_for("referral.outbox", after=after),
    )


@blueprint.get("/outbox/<uuid:mail_id>")
@needs(Permission.PUBLIC)
def outbox_mail(mail_id: UUID) -> FlaskResponse:
    """Show a mail of the demo as a mail program would; its own styles are all that the policy lets in."""
    _guard_demo()
    html = html_of(ask(mail_of_outbox, mail_id), _demo_settings())
    response = make_response(html)
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
        "script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'",
        f"style-src '{style_hash(html)}'; form-action 'none'",
    )
    return response


def _guard_demo() -> None:
    if not current_app.config["DEMO"]:
        raise Refusal("not_found")


def _demo_settings() -> MailSettings:
    """Return what the demo's mails are shown with: nobody sends them, so the address asked for will do."""
    sender = Address("Ketra Referral Ledger", "ledger", "localhost")
    return mail_settings() or MailSettings(sender, request.url_root.rstrip("/"))
