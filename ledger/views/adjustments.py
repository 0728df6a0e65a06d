"""Posting by hand: adjustments and purchases outside referrals."""

from __future__ import annotations

from uuid import uuid4

from flask import flash, g, redirect, render_template, url_for
from werkzeug.wrappers import Response

from ledger.forms.adjustments import AdjustCreditForm, RecordOtherPurchaseForm
from ledger.operations import adjustments
from ledger.queries.credit import posting_form
from ledger.states import AccountKind
from ledger.views.asked import dealer_asked
from ledger.views.blueprint import blueprint
from referral.clock import now
from referral.errors import Refusal
from referral.money import format_cents
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, form_status, needs, submitted

KEY_USED = (
    "You sent this form before with other content, and that is posted. Look at the statement; "
    "send this again only if it is to be posted as well."
)


@blueprint.route("/credit/other-purchases", methods=["GET", "POST"])
@needs(Permission.CREDIT_RECORD)
def record_other_purchase() -> Response | tuple[str, int]:
    """Record a purchase outside referrals."""
    form = RecordOtherPurchaseForm(dealer_code=dealer_asked(), idempotency_key=uuid4().hex)
    if form.validate_on_submit():
        entry = submitted(
            form,
            adjustments.record_other_purchase,
            actor=current_viewer(),
            at=now(),
            dealer_code=form.dealer_code.data,
            purchased_on=form.purchased_on.data,
            amount_cents=form.amount_cents.data or 0,
            document=form.document.data,
            reason=form.reason.data,
            idempotency_key=form.idempotency_key.data,
        )
        if entry is not None:
            flash(f"Recorded {format_cents(entry.amount_cents)} as other purchases.", "success")
            return _to_statement(form.dealer_code.data, entry.effective_on.year, AccountKind.OTHER_PURCHASES)
    return _posting_page("ledger/record_other_purchase.html", form)


@blueprint.route("/credit/adjustments", methods=["GET", "POST"])
@needs(Permission.CREDIT_RECORD)
def adjust_credit() -> Response | tuple[str, int]:
    """Post an adjustment of a dealer's sales credit."""
    form = AdjustCreditForm(dealer_code=dealer_asked(), idempotency_key=uuid4().hex)
    if form.validate_on_submit():
        entry = submitted(
            form,
            adjustments.adjust_credit,
            actor=current_viewer(),
            at=now(),
            dealer_code=form.dealer_code.data,
            effective_on=form.effective_on.data,
            amount_cents=form.amount_cents.data or 0,
            reason=form.reason.data,
            idempotency_key=form.idempotency_key.data,
        )
        if entry is not None:
            flash(f"Posted an adjustment of {format_cents(entry.amount_cents)}.", "success")
            return _to_statement(form.dealer_code.data, entry.effective_on.year, AccountKind.SALES_CREDIT)
    return _posting_page("ledger/adjust_credit.html", form)


def _to_statement(dealer_code: str, year: int, kind: AccountKind) -> Response:
    account = None if kind is AccountKind.SALES_CREDIT else kind.value
    return redirect(url_for("ledger.statement", dealer_code=dealer_code, year=year, account=account), 303)


def _posting_page(template: str, form: RecordOtherPurchaseForm | AdjustCreditForm) -> tuple[str, int]:
    """Draw a form that posts by hand: empty, or again with what was refused."""
    page = ask(posting_form, viewer=current_viewer(), at=now())
    form.dealer_code.choices = [("", "Choose a dealer"), *((each.code, each.name) for each in page.dealers)]
    status = form_status() if form.is_submitted() else 200
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "idempotency_key_reused":
        form.form_errors = [KEY_USED]
        form.idempotency_key.data = uuid4().hex
    return render_template(template, form=form, page=page), status
