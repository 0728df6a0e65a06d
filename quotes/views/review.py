"""Reading a quote, and the dealer's decision on it."""

from __future__ import annotations

import hashlib
import json

from flask import flash, g, redirect, render_template, request, session, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as BaseResponse

from ledger.queries.statements import sees_credit_of
from quotes.forms.remarks import AddRemarkForm
from quotes.forms.review import ApproveRevisionForm, DeclineRevisionForm, RequestChangesForm
from quotes.operations import decisions
from quotes.queries.quote_view import QuoteView, quote_view
from quotes.queries.quotes import QuotePage
from quotes.rules.content import ATTESTATIONS
from quotes.rules.diff import count_changes
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import clean_line, fold_account_number
from referral.webkit import ask, current_viewer, form_status, needs, status_of, submitted

BROWSER_LENGTH = 300
LOGIN_LENGTH = 16
OUT_OF_DATE = frozenset(
    {
        "digest_mismatch",
        "not_pending",
        "own_offer",
        "quote_expired",
        "referral_closed",
        "revision_not_approved",
        "services_not_agreed",
        "stale_offer",
        "stale_revision",
    }
)
"""Refusals after which the page that was sent is worth nothing: the newest one is shown instead."""

Answer = str | BaseResponse | tuple[str, int]


@blueprint.get("/quotes/<ref>")
@needs(Permission.QUOTE_VIEW)
def show_quote(ref: str) -> str:
    """Show one revision, the newest by default; an approver decides on the same page."""
    view = _view(ref, number_asked_for("revision"), number_asked_for("against"))
    form = ApproveRevisionForm(formdata=None, data=_read(view))
    return render_template("quotes/show_quote.html", **_shown(view), form=form)


def _read(view: QuoteView) -> dict[str, object]:
    """Return what an approval names of what is read: the digest, and the newest offer for the services."""
    return {"digest": view.page.revision.digest, "offer_number": view.talk.newest_number}


def number_asked_for(name: str) -> int | None:
    """Return a revision number of the address, or None. Raises Refusal(not_found) for what is no number."""
    text = request.args.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise Refusal("not_found")
    return int(text)


def _view(ref: str, revision_number: int | None, against: int | None = None) -> QuoteView:
    return ask(
        quote_view,
        viewer=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        against=against,
    )


def _shown(view: QuoteView) -> dict[str, object]:
    """Return what the templates of a quote need: `view`, its `page`, and what depends on the viewer."""
    page = view.page
    stated = fold_account_number(page.revision.account_number)
    texts = {} if page.approval is None else json.loads(page.approval.attestation_text)
    return {
        "view": view,
        "page": page,
        "changes": {line.after.line_id: line for line in page.changes if line.after is not None},
        "change_counts": count_changes(page.changes),
        "is_number_known": stated in {fold_account_number(number) for number in page.dealer_numbers},
        "attestations": [texts[name] for name in ATTESTATIONS if name in texts],
        "shows_credit": sees_credit_of(current_viewer(), page.dealer_code),
        "may_decide": page.is_mine_to_decide and current_viewer().may(Permission.QUOTE_DECIDE),
        "may_remark": page.state != "draft" and current_viewer().may(Permission.QUOTE_REMARK),
        "remark_form": AddRemarkForm(formdata=None),
    }


def _against_deciding(page: QuotePage) -> Refusal | None:
    """Return what stands against a decision on this revision now, if anything does."""
    if page.is_mine_to_decide:
        return None
    if page.dealer_code != current_viewer().company_code:
        raise Refusal("forbidden")
    if page.is_closed:
        return Refusal("referral_closed")
    if page.state == "superseded":
        return Refusal("stale_revision")
    return Refusal("quote_expired" if page.state == "expired" else "not_pending")


def out_of_date_page(ref: str, refusal: Refusal) -> tuple[str, int]:
    """Return the page that says why, that nothing was saved, and where the newest revision is."""
    page = _view(ref, None).page
    return render_template("quotes/review_stale.html", page=page, refusal=refusal), status_of(refusal)


# the three answers ------------------------------------------------------------------------------


@blueprint.get("/quotes/<ref>/revisions/<int(max=999999):number>/approve")
@blueprint.post("/quotes/<ref>/revisions/<int(max=999999):number>/approve")
@needs(Permission.QUOTE_DECIDE)
def approve_revision(ref: str, number: int) -> Answer:
    """Approve exactly what was read, with everything by which it can be proved.

    The form stands on the quote's own page; loading this address again leads back there.
    """
    if request.method != "POST":
        return redirect(url_for("quotes.show_quote", ref=ref, revision=number), 303)
    form = ApproveRevisionForm()
    approval = None
    if form.validate():
        approval = submitted(
            form,
            decisions.approve_revision,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number,
            digest=form.digest.data,
            offer_number=form.offer_number.data,
            attested=form.attested,
            typed_account_number=form.typed_account_number.data,
            typed_name=form.typed_name.data,
            evidence=_evidence(),
        )
    if approval is None:
        return _refused("quotes/show_quote.html", ref, number, form)
    flash(f"Revision {number} is approved. Thank you.", "success")
    return redirect(url_for("quotes.show_quote", ref=ref, revision=number), 303)


def _evidence() -> decisions.Evidence:
    """Return where this request comes from; the sign-in is named by a digest, not by its secret."""
    sign_in = "|".join(str(session.get(name, "")) for name in ("_user_id", "_id", "fs_paa"))
    return decisions.Evidence(
        address=request.remote_addr or "",
        browser=clean_line(request.user_agent.string)[:BROWSER_LENGTH],
        login=hashlib.sha256(sign_in.encode()).hexdigest()[:LOGIN_LENGTH],
    )


@blueprint.get("/quotes/<ref>/revisions/<int(max=999999):number>/request-changes")
@blueprint.post("/quotes/<ref>/revisions/<int(max=999999):number>/request-changes")
@needs(Permission.QUOTE_DECIDE)
def request_changes(ref: str, number: int) -> Answer:
    """Show every line with room for a remark; send the revision back with what should change."""
    if request.method != "POST":
        return _decision_page("quotes/request_changes.html", ref, number, RequestChangesForm(formdata=None))
    form = RequestChangesForm()
    revision = None
    if form.validate():
        revision = submitted(
            form,
            decisions.request_changes,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number,
            digest=form.digest.data,
            reason=form.reason.data,
            remarks=form.remark.data,
        )
    if revision is None:
        return _refused("quotes/request_changes.html", ref, number, form)
    flash(
        f"Revision {number} went back with your remarks. You get a mail when the next one is here.", "success"
    )
    return redirect(url_for("quotes.show_quote", ref=ref, revision=number), 303)


@blueprint.get("/quotes/<ref>/revisions/<int(max=999999):number>/decline")
@blueprint.post("/quotes/<ref>/revisions/<int(max=999999):number>/decline")
@needs(Permission.QUOTE_DECIDE)
def decline_revision(ref: str, number: int) -> Answer:
    """Say what declining means and ask why; decline."""
    if request.method != "POST":
        return _decision_page("quotes/decline_revision.html", ref, number, DeclineRevisionForm(formdata=None))
    form = DeclineRevisionForm()
    revision = None
    if form.validate():
        revision = submitted(
            form,
            decisions.decline_revision,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number,
            digest=form.digest.data,
            reason=form.reason.data,
        )
    if revision is None:
        return _refused("quotes/decline_revision.html", ref, number, form)
    flash(f"Revision {number} is declined, and the account is told why.", "success")
    return redirect(url_for("quotes.show_quote", ref=ref, revision=number), 303)


def _decision_page(template: str, ref: str, number: int, form: FlaskForm) -> Answer:
    """Return the form of a decision on this revision, or why it is too late for one."""
    view = _view(ref, number)
    standing = _against_deciding(view.page)
    if standing is not None:
        return out_of_date_page(ref, standing)
    form.digest.data = view.page.revision.digest
    return render_template(template, **_shown(view), form=form)


def _refused(template: str, ref: str, number: int, form: FlaskForm) -> tuple[str, int]:
    """Return the page again with what was typed, or the way to the newest revision."""
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code in OUT_OF_DATE:
        return out_of_date_page(ref, refusal)
    view = _view(ref, number)
    standing = _against_deciding(view.page)
    if standing is not None:
        return out_of_date_page(ref, standing)
    return render_template(template, **_shown(view), form=form), form_status()
