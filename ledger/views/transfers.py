"""Moving credit from one dealer to another: asked, shown, confirmed."""

from __future__ import annotations

from uuid import uuid4

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ledger.forms.corrections import ConfirmTransferForm, TransferCreditForm
from ledger.operations import transfers
from ledger.queries.credit import posting_form
from ledger.queries.transfers import transfer_preview
from ledger.states import ACCOUNT_WORDS
from ledger.views.adjustments import KEY_USED
from ledger.views.asked import account_named, dealer_asked
from ledger.views.blueprint import blueprint
from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, form_status, needs, show_refusal, submitted


@blueprint.route("/credit/transfers", methods=["GET", "POST"])
@needs(Permission.CREDIT_RECORD)
def transfer_credit() -> Response | tuple[str, int]:
    """Ask what to move, show what becomes of both dealers, and once that is confirmed, do it."""
    form = TransferCreditForm(from_dealer_code=dealer_asked(), idempotency_key=uuid4().hex)
    if not form.validate_on_submit():
        return _transfer_form(form)
    if "confirm" not in request.form:
        return _confirmation(form)
    transfer = submitted(
        form,
        transfers.transfer_credit,
        actor=current_viewer(),
        at=now(),
        from_dealer_code=form.from_dealer_code.data,
        to_dealer_code=form.to_dealer_code.data,
        account_kind=account_named(form.account_kind.data),
        amount_cents=form.amount_cents.data,
        effective_on=form.effective_on.data,
        reason=form.reason.data,
        idempotency_key=form.idempotency_key.data,
    )
    if transfer is None:
        return _transfer_form(form)
    flash(f"Transfer {transfer.number} is posted to both dealers.", "success")
    place = {"dealer_code": form.from_dealer_code.data, "year": form.effective_on.data.year}
    return redirect(url_for("ledger.statement", **place, account=form.account_kind.data), 303)


def _transfer_form(form: TransferCreditForm) -> tuple[str, int]:
    page = ask(posting_form, viewer=current_viewer(), at=now())
    choices = [("", "Choose a dealer"), *((each.code, each.name) for each in page.dealers)]
    form.from_dealer_code.choices = form.to_dealer_code.choices = choices
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "idempotency_key_reused":
        form.form_errors = [KEY_USED]
        form.idempotency_key.data = uuid4().hex
    status = form_status() if form.is_submitted() else 200
    return render_template("ledger/transfer_credit.html", form=form, page=page), status


def _confirmation(form: TransferCreditForm) -> tuple[str, int]:
    page = ask(posting_form, viewer=current_viewer(), at=now())
    kind = account_named(form.account_kind.data)
    known = {dealer.code for dealer in page.dealers}
    try:
        transfers.guard_transfer(
            same_dealer=form.from_dealer_code.data == form.to_dealer_code.data,
            account_kind=kind,
            amount_cents=form.amount_cents.data,
            effective_on=form.effective_on.data,
            today=page.today,
        )
        for field in (form.from_dealer_code, form.to_dealer_code):
            if field.data not in known:
                raise Refusal("not_found", "No dealer has this code.", field.name)
    except Refusal as refusal:
        show_refusal(form, refusal)
        return _transfer_form(form)
    sides = ask(
        transfer_preview,
        viewer=current_viewer(),
        from_dealer_code=form.from_dealer_code.data,
        to_dealer_code=form.to_dealer_code.data,
        account_kind=kind,
        program_year=form.effective_on.data.year,
        amount_cents=form.amount_cents.data,
    )
    data = {name: form[name].data for name in form.data if name != "csrf_token"}
    return render_template(
        "ledger/transfer_credit_confirm.html",
        form=ConfirmTransferForm(formdata=None, data=data),
        page=page,
        sides=sides,
        account=ACCOUNT_WORDS[kind],
    ), 200
