"""Disputes: the list, one of them, opening, answering, taking back."""

from __future__ import annotations

from uuid import uuid4

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ledger.forms.disputes import AnswerDisputeForm, OpenDisputeForm, WithdrawDisputeForm
from ledger.operations import disputes as operations
from ledger.queries.disputed_postings import disputable_posting
from ledger.queries.disputes import dispute_page, disputes_page
from ledger.states import DisputeOutcome
from ledger.views.asked import account_named
from ledger.views.blueprint import blueprint
from referral.clock import now
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.permissions import Permission
from referral.text import clean_line, say_day
from referral.webkit import ask, current_viewer, form_status, needs, submitted

KEY_USED = (
    "You sent this form before with other content, and that dispute is open. Look at your disputes first."
)


@blueprint.get("/disputes")
@needs(Permission.CREDIT_VIEW)
def disputes() -> str:
    """List the disputes: what is open first, then what is settled."""
    after = clean_line(request.args.get("after", "")) or None
    page = ask(disputes_page, viewer=current_viewer(), at=now(), after=after)
    return render_template("ledger/disputes.html", page=page)


@blueprint.get("/disputes/<ref>")
@needs(Permission.CREDIT_VIEW)
def show_dispute(ref: str) -> str:
    """Show a dispute with its posting and what was answered."""
    page = ask(dispute_page, viewer=current_viewer(), at=now(), ref=ref)
    return render_template("ledger/show_dispute.html", page=page)


@blueprint.route(
    "/credit/<dealer_code>/<int:year>/<account>/<int(max=999999999999999):sequence>/dispute",
    methods=["GET", "POST"],
)
@needs(Permission.DISPUTE_OPEN)
def open_dispute(dealer_code: str, year: int, account: str, sequence: int) -> Response | tuple[str, int]:
    """Dispute the posting at this place."""
    form = OpenDisputeForm(idempotency_key=uuid4().hex)
    kind = account_named(account)
    if form.validate_on_submit():
        dispute = submitted(
            form,
            operations.open_dispute,
            actor=current_viewer(),
            at=now(),
            dealer_code=clean_line(dealer_code),
            program_year=year,
            account_kind=kind,
            sequence=sequence,
            claimed_cents=form.claimed_cents.data,
            reason=form.reason.data,
            idempotency_key=form.idempotency_key.data,
        )
        if dispute is not None:
            ref = str(PublicNumber("D", current_viewer().company_code, dispute.number))
            flash(f"{ref} is open. The program answers by {say_day(dispute.answer_due_on)}.", "success")
            return redirect(url_for("ledger.show_dispute", ref=ref), 303)
    page = ask(
        disputable_posting,
        viewer=current_viewer(),
        at=now(),
        dealer_code=clean_line(dealer_code),
        program_year=year,
        account_kind=kind,
        sequence=sequence,
    )
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "idempotency_key_reused":
        form.form_errors = [KEY_USED]
        form.idempotency_key.data = uuid4().hex
    status = form_status() if form.is_submitted() else 200
    return render_template("ledger/open_dispute.html", form=form, page=page), status


@blueprint.route("/disputes/<ref>/answer", methods=["GET", "POST"])
@needs(Permission.DISPUTE_ANSWER)
def answer_dispute(ref: str) -> Response | tuple[str, int]:
    """Uphold a dispute with a posting, or dismiss it."""
    form = AnswerDisputeForm()
    if form.validate_on_submit():
        is_upheld = form.outcome.data == DisputeOutcome.UPHELD.value
        answer = submitted(
            form,
            operations.answer_dispute,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            outcome=DisputeOutcome(form.outcome.data),
            words=form.words.data,
            amount_cents=form.amount_cents.data if is_upheld else None,
            effective_on=form.effective_on.data if is_upheld else None,
        )
        if answer is not None:
            flash(f"{ref} is {answer.outcome.value}. The dealer is told by mail.", "success")
            return redirect(url_for("ledger.show_dispute", ref=ref), 303)
    page = ask(dispute_page, viewer=current_viewer(), at=now(), ref=ref)
    if not form.is_submitted():
        form.amount_cents.data = page.difference_cents
        form.effective_on.data = page.today if page.is_year_closed else page.row.posting.effective_on
    status = form_status() if form.is_submitted() else 200
    return render_template("ledger/answer_dispute.html", form=form, page=page), status


@blueprint.route("/disputes/<ref>/withdraw", methods=["GET", "POST"])
@needs(Permission.DISPUTE_OPEN)
def withdraw_dispute(ref: str) -> Response | tuple[str, int]:
    """Take a dispute back."""
    form = WithdrawDisputeForm()
    if form.validate_on_submit():
        answer = submitted(
            form,
            operations.withdraw_dispute,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            words=form.words.data,
        )
        if answer is not None:
            flash(f"{ref} is withdrawn.", "success")
            return redirect(url_for("ledger.show_dispute", ref=ref), 303)
    page = ask(dispute_page, viewer=current_viewer(), at=now(), ref=ref)
    status = form_status() if form.is_submitted() else 200
    return render_template("ledger/withdraw_dispute.html", form=form, page=page), status
