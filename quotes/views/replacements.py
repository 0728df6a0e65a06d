"""Ordering units in place of failed ones under warranty."""

from __future__ import annotations

from uuid import uuid4

from flask import flash, redirect, render_template, request, url_for

from quotes.forms.orders import ConfirmReplacementForm, OrderReplacementForm
from quotes.operations import replacements
from quotes.queries.order_page import OrderPage
from quotes.queries.previews import return_preview
from quotes.views.blueprint import blueprint
from quotes.views.orders import order_of_mine
from quotes.views.review import Answer
from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import current_viewer, form_status, needs, submitted


@blueprint.get("/orders/<ref>/replace")
@blueprint.post("/orders/<ref>/replace")
@needs(Permission.ORDER_ENTER)
def order_replacement(ref: str) -> Answer:
    """Ask which units failed, when and how; say what is sent; once it is confirmed, order it."""
    if request.method != "POST":
        data = {"idempotency_key": uuid4().hex}
        return _replacement_form(_order(ref), OrderReplacementForm(formdata=None, data=data), 200)
    form = OrderReplacementForm()
    if "confirm" not in request.form:
        return _replacement_checked(ref, form)
    replacement = None
    if form.validate():
        replacement = submitted(
            form,
            replacements.order_replacement,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            quantities=form.quantity.data,
            reason=form.reason.data,
            failed_on=form.failed_on.data,
            idempotency_key=form.idempotency_key.data,
        )
    if replacement is None:
        return _replacement_form(_order(ref), form, form_status())
    flash(
        f"Replacement {replacement.number} is ordered. The dealer's sales credit stays as it is.", "success"
    )
    return redirect(url_for("quotes.show_order", ref=ref), 303)


def _order(ref: str) -> OrderPage:
    """Return the order to replace units of. Raises Refusal(forbidden), (exceeds_returnable)."""
    page = order_of_mine(ref)
    if not page.returnable_units:
        raise Refusal("exceeds_returnable", "Nothing of this order has shipped and is not back.")
    return page


def _replacement_form(page: OrderPage, form: OrderReplacementForm, status: int) -> tuple[str, int]:
    return render_template("quotes/order_replacement.html", page=page, form=form), status


def _replacement_checked(ref: str, form: OrderReplacementForm) -> tuple[str, int]:
    """Return the confirmation with what is sent; nothing is saved."""
    page = _order(ref)
    is_valid = form.validate()
    wanted = form.quantity.data
    if is_valid and not any(wanted.values()):
        form.form_errors.append("Choose at least one line that failed.")
    for row in page.lines:
        if wanted.get(row.line_id, 0) > row.returnable_quantity:
            form.quantity.of(row.line_id).errors = [f"{row.returnable_quantity} of this line are on site."]
    if not is_valid or form.errors:
        return _replacement_form(page, form, 422)
    preview = return_preview(page, wanted)
    data = {
        "idempotency_key": form.idempotency_key.data,
        "reason": form.reason.data,
        "failed_on": form.failed_on.data,
        "quantity": {line.row.line_id: line.quantity for line in preview.lines if line.quantity},
    }
    confirmation = ConfirmReplacementForm(formdata=None, data=data)
    return render_template(
        "quotes/order_replacement_confirm.html", page=page, form=confirmation, preview=preview
    ), 200
