"""Taking back what shipped of an order."""

from __future__ import annotations

from uuid import UUID, uuid4

from flask import flash, redirect, render_template, request, url_for

from quotes.forms.orders import ConfirmReturnForm, ReturnOrderForm
from quotes.operations import returns
from quotes.queries.order_page import OrderPage
from quotes.queries.previews import return_preview
from quotes.states import ReturnReason, return_words
from quotes.views.blueprint import blueprint
from quotes.views.orders import order_of_mine
from quotes.views.review import Answer
from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import current_viewer, form_status, needs, submitted


@blueprint.get("/orders/<ref>/return")
@blueprint.post("/orders/<ref>/return")
@needs(Permission.ORDER_ENTER)
def return_order(ref: str) -> Answer:
    """Ask what came back and why; say what that takes back; once it is confirmed, do it."""
    if request.method != "POST":
        data = {"idempotency_key": uuid4().hex}
        return _return_form(_order(ref), ReturnOrderForm(formdata=None, data=data), 200)
    form = ReturnOrderForm()
    if "confirm" not in request.form:
        return _return_checked(ref, form)
    returned = None
    if form.validate():
        returned = submitted(
            form,
            returns.return_order,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            quantities=form.quantity.data,
            reason=ReturnReason(form.reason.data),
            words=form.words.data,
            idempotency_key=form.idempotency_key.data,
        )
    if returned is None:
        return _return_form(_order(ref), form, form_status())
    flash("The return is recorded, and its sales credit is taken back.", "success")
    return redirect(url_for("quotes.show_order", ref=ref), 303)


def _order(ref: str) -> OrderPage:
    """Return the order to take back from. Raises Refusal(forbidden), (exceeds_returnable)."""
    page = order_of_mine(ref)
    if not page.returnable_units:
        raise Refusal("exceeds_returnable", "Nothing of this order has shipped and is not back.")
    return page


def _return_form(page: OrderPage, form: ReturnOrderForm, status: int) -> tuple[str, int]:
    everything = return_preview(page, None)
    return render_template("quotes/return_order.html", page=page, form=form, everything=everything), status


def _return_checked(ref: str, form: ReturnOrderForm) -> tuple[str, int]:
    """Return the confirmation with what the return takes back; nothing is saved."""
    page = _order(ref)
    wanted: dict[UUID, int] | None = None if "return_all" in request.form else form.quantity.data
    is_valid = form.validate()
    if is_valid and wanted is not None and not any(wanted.values()):
        form.form_errors.append("Choose at least one line that came back.")
    if is_valid and form.reason.data == ReturnReason.OTHER and not form.words.data:
        form.words.errors = ["Say which reason it is."]
    for row in page.lines:
        if wanted is not None and wanted.get(row.line_id, 0) > row.returnable_quantity:
            form.quantity.of(row.line_id).errors = [f"{row.returnable_quantity} of this line can come back."]
    if not is_valid or form.errors:
        return _return_form(page, form, 422)
    preview = return_preview(page, wanted)
    data = {
        "idempotency_key": form.idempotency_key.data,
        "reason": form.reason.data,
        "words": form.words.data,
        "quantity": {line.row.line_id: line.quantity for line in preview.lines if line.quantity},
    }
    confirmation = ConfirmReturnForm(formdata=None, data=data)
    because = return_words(ReturnReason(form.reason.data), form.words.data)
    return render_template(
        "quotes/return_order_confirm.html", page=page, form=confirmation, preview=preview, because=because
    ), 200
