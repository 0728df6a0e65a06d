"""Orders: the list, entering one, what it earned and why, cancelling."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

from flask import current_app, flash, g, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from quotes.forms.orders import CancelOrderForm, ConfirmCancellationForm, PlaceOrderForm
from quotes.operations import cancellations
from quotes.operations import orders as operations
from quotes.queries.order_page import OrderPage, order_page
from quotes.queries.previews import cancellation_preview, order_preview
from quotes.queries.quotes import QuotePage, quote_page
from quotes.queries.receipts import order_receipt as receipt_query
from quotes.schemas.orders import ReceiptSchema
from quotes.states import SETTLED_SERVICES, OrderState
from quotes.views.blueprint import blueprint
from quotes.views.review import OUT_OF_DATE, Answer, out_of_date_page
from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.signing import load_signer
from referral.webkit import ask, current_viewer, form_status, needs, submitted


@blueprint.get("/orders/<ref>")
@needs(Permission.ORDER_VIEW)
def show_order(ref: str) -> str:
    """Show an order: what, why it earned, who approved, what was cancelled."""
    return render_template("quotes/show_order.html", page=ask(order_page, viewer=current_viewer(), ref=ref))


@blueprint.get("/orders/<ref>/receipt")
@needs(Permission.ORDER_VIEW)
def order_receipt(ref: str) -> Response:
    """Send the order's signed receipt, to be kept."""
    receipt = ask(receipt_query, viewer=current_viewer(), ref=ref)
    if receipt is None:
        raise Refusal("not_found")
    signed = receipt.signed(load_signer(Path(current_app.config["SIGNING_KEY"])))
    answer = jsonify(ReceiptSchema().dump(signed))
    answer.headers.set("Content-Disposition", "attachment", filename=f"receipt-{receipt.order}.json")
    return answer


# entering ---------------------------------------------------------------------------------------


@blueprint.get("/quotes/<ref>/revisions/<int(max=999999):number>/order")
@blueprint.post("/quotes/<ref>/revisions/<int(max=999999):number>/order")
@needs(Permission.ORDER_ENTER)
def place_order(ref: str, number: int) -> Answer:
    """Show the approved lines with all that remains filled in, and what that earns; enter the order.

    The button `check` only works out again what the typed units earn.
    """
    if request.method != "POST":
        return _order_entry(ref, number)
    form = PlaceOrderForm()
    if "check" in request.form:
        return _order_checked(ref, number, form)
    answer = None
    if form.validate():
        answer = submitted(
            form,
            operations.place_order,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number,
            quantities=form.quantity.data,
            purchase_order=form.purchase_order.data,
            wanted_on=form.wanted_on.data,
            idempotency_key=form.idempotency_key.data,
        )
    if answer is None:
        refusal: Refusal | None = g.get("refusal")
        if refusal is not None and refusal.code in OUT_OF_DATE:
            return out_of_date_page(ref, refusal)
        return _order_form(_quote(ref, number), form, form_status())
    flash(f"Order {answer[1]} is entered. The dealer's sales credit was posted with it.", "success")
    return redirect(url_for("quotes.show_order", ref=answer[1]), 303)


def _quote(ref: str, number: int) -> QuotePage:
    return ask(quote_page, viewer=current_viewer(), at=now(), ref=ref, revision_number=number)


def _order_entry(ref: str, number: int) -> Answer:
    page = _quote(ref, number)
    if page.is_orderable or _against_ordering(page) is not None:
        remaining = {
            row.line.line_id: row.remaining_quantity
            for row in page.lines
            if row.remaining_quantity and not row.recalled
        }
        data = {"idempotency_key": uuid4().hex, "quantity": remaining}
        return _order_form(page, PlaceOrderForm(formdata=None, data=data), 200)
    flash("Everything that is approved is ordered already.")
    return redirect(url_for("quotes.show_quote", ref=ref, revision=number), 303)


def _order_checked(ref: str, number: int, form: PlaceOrderForm) -> tuple[str, int]:
    """Return the form with what the typed units earn; nothing is saved."""
    page = _quote(ref, number)
    is_valid = form.validate()
    for row in page.lines:
        field = form.quantity.of(row.line.line_id)
        if (field.data or 0) > row.remaining_quantity:
            field.errors = [f"{row.remaining_quantity} are left of this line."]
    return _order_form(page, form, 200 if is_valid and not form.quantity.errors else 422)


def _order_form(page: QuotePage, form: PlaceOrderForm, status: int) -> tuple[str, int]:
    standing = _against_ordering(page)
    if standing is not None:
        return out_of_date_page(page.ref, standing)
    preview = order_preview(page, form.quantity.data)
    return render_template("quotes/place_order.html", page=page, form=form, preview=preview), status


def _against_ordering(page: QuotePage) -> Refusal | None:
    """Return what stands against an order of this revision now, if anything does."""
    if not page.is_mine_to_build:
        raise Refusal("forbidden")
    if page.is_closed:
        return Refusal("referral_closed")
    if page.state == "superseded":
        return Refusal("stale_revision")
    if page.state == "expired":
        return Refusal("quote_expired")
    if page.state != "approved":
        return Refusal("revision_not_approved")
    return None if page.revision.services_state in SETTLED_SERVICES else Refusal("services_not_agreed")


# cancelling -------------------------------------------------------------------------------------


@blueprint.get("/orders/<ref>/cancel")
@blueprint.post("/orders/<ref>/cancel")
@needs(Permission.ORDER_ENTER)
def cancel_order(ref: str) -> Answer:
    """Ask what to cancel and why; say what that takes back; once it is confirmed, do it."""
    if request.method != "POST":
        data = {"idempotency_key": uuid4().hex}
        return _cancel_form(guard_open(order_of_mine(ref)), CancelOrderForm(formdata=None, data=data), 200)
    form = CancelOrderForm()
    if "confirm" not in request.form:
        return _cancellation_checked(ref, form)
    cancellation = None
    if form.validate():
        cancellation = submitted(
            form,
            cancellations.cancel_order,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            quantities=form.quantity.data,
            reason=form.reason.data,
            idempotency_key=form.idempotency_key.data,
        )
    if cancellation is None:
        return _cancel_form(guard_open(order_of_mine(ref)), form, form_status())
    flash("The units are cancelled, and their sales credit is taken back.", "success")
    return redirect(url_for("quotes.show_order", ref=ref), 303)


def order_of_mine(ref: str) -> OrderPage:
    """Return an order of the viewer's own account. Raises Refusal(not_found), (forbidden) for the other side."""
    page = ask(order_page, viewer=current_viewer(), ref=ref)
    if not page.is_mine:
        raise Refusal("forbidden")
    return page


def guard_open(page: OrderPage) -> OrderPage:
    """Return the page of an order with units to ship or to cancel.

    Raises Refusal(already_cancelled), (already_shipped).
    """
    if not page.open_units:
        raise Refusal("already_cancelled" if page.row.state is OrderState.CANCELLED else "already_shipped")
    return page


def _cancel_form(page: OrderPage, form: CancelOrderForm, status: int) -> tuple[str, int]:
    everything = cancellation_preview(page, None)
    return render_template("quotes/cancel_order.html", page=page, form=form, everything=everything), status


def _cancellation_checked(ref: str, form: CancelOrderForm) -> tuple[str, int]:
    """Return the confirmation with what the cancellation takes back; nothing is saved."""
    page = guard_open(order_of_mine(ref))
    wanted: dict[UUID, int] | None = None if "cancel_all" in request.form else form.quantity.data
    is_valid = form.validate()
    if is_valid and wanted is not None and not any(wanted.values()):
        form.form_errors.append("Choose at least one line to cancel.")
    for row in page.lines:
        if wanted is not None and wanted.get(row.line_id, 0) > row.open_quantity:
            form.quantity.of(row.line_id).errors = [f"{row.open_quantity} can be cancelled of this line."]
    if not is_valid or form.errors:
        return _cancel_form(page, form, 422)
    preview = cancellation_preview(page, wanted)
    data = {
        "idempotency_key": form.idempotency_key.data,
        "reason": form.reason.data,
        "quantity": {line.row.line_id: line.quantity for line in preview.lines if line.quantity},
    }
    confirmation = ConfirmCancellationForm(formdata=None, data=data)
    return render_template(
        "quotes/cancel_order_confirm.html", page=page, form=confirmation, preview=preview
    ), 200
