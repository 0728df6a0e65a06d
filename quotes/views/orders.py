"""Orders: the list, entering one, what it earned and why, cancelling."""

from __future__ import annotations

from uuid import uuid4

from flask import flash, redirect, render_template, request, url_for

from quotes.forms.orders import CancelOrderForm, ConfirmCancellationForm, PlaceOrderForm
from quotes.operations.orders import cancel_order, place_order
from quotes.queries.orders import OrderPage, order_page, orders_page
from quotes.queries.previews import cancellation_preview, order_preview
from quotes.queries.quotes import QuotePage, quote_page
from quotes.states import SETTLED_SERVICES
from quotes.views.blueprint import blueprint
from quotes.views.review import OUT_OF_DATE, Answer, out_of_date, out_of_date_page
from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, submitted


@blueprint.get("/orders")
@needs(Permission.ORDER_VIEW)
def orders() -> str:
    """List orders, newest first; of one quote where it is named."""
    quote_ref = clean_line(request.args.get("quote", ""))
    page = ask(orders_page, viewer=current_viewer(), quote_ref=quote_ref, after=request.args.get("after"))
    return render_template("quotes/orders.html", page=page, quote_ref=quote_ref)


@blueprint.get("/orders/<ref>")
@needs(Permission.ORDER_VIEW)
def show_order(ref: str) -> str:
    """Show an order: what, why it earned, who approved, what was cancelled."""
    return render_template("quotes/show_order.html", page=ask(order_page, viewer=current_viewer(), ref=ref))


# entering ---------------------------------------------------------------------------------------


def _quote(ref: str, number: int) -> QuotePage:
    return ask(quote_page, viewer=current_viewer(), at=now(), ref=ref, revision_number=number)


def _guard_orderable(page: QuotePage) -> None:
    """Guard: the order form may be shown. Raises Refusal(forbidden) or what stands against the order."""
    if not page.is_mine_to_build:
        raise Refusal("forbidden")
    if page.state == "superseded":
        raise Refusal("stale_revision")
    if page.state == "expired":
        raise Refusal("quote_expired")
    if page.state != "approved":
        raise Refusal("revision_not_approved")
    if page.revision.services_state not in SETTLED_SERVICES:
        raise Refusal("services_not_agreed")


@blueprint.get("/quotes/<ref>/revisions/<int(max=999999):number>/order")
@needs(Permission.ORDER_ENTER)
def show_order_entry(ref: str, number: int) -> Answer:
    """Show the approved lines with everything that remains filled in, and what that earns."""
    page = _quote(ref, number)
    try:
        _guard_orderable(page)
    except Refusal as refusal:
        if refusal.code not in OUT_OF_DATE:
            raise
        return out_of_date_page(ref, refusal)
    if not page.is_orderable:
        flash("Everything that is approved is ordered already.")
        return redirect(url_for("quotes.show_quote", ref=ref, revision=number), 303)
    remaining = {row.line.line_id: row.remaining_quantity for row in page.lines if row.remaining_quantity}
    form = PlaceOrderForm(formdata=None, data={"idempotency_key": uuid4().hex, "quantity": remaining})
    return render_template(
        "quotes/place_order.html", page=page, form=form, preview=order_preview(page, remaining)
    )


@blueprint.post("/quotes/<ref>/revisions/<int(max=999999):number>/order", endpoint="place_order")
@needs(Permission.ORDER_ENTER)
def _place_order(ref: str, number: int) -> Answer:
    """Enter the order with its credit; `check` only works out again what it would earn."""
    form = PlaceOrderForm()
    is_check = "check" in request.form
    answer = None
    is_valid = form.validate()
    if is_valid and not is_check:
        answer = submitted(
            form,
            place_order,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number,
            quantities=form.quantity.data,
            purchase_order=form.purchase_order.data,
            idempotency_key=form.idempotency_key.data,
        )
    if answer is None:
        stale = out_of_date(ref)
        if stale is not None:
            return stale
        page = _quote(ref, number)
        _guard_orderable(page)
        shown = render_template(
            "quotes/place_order.html", page=page, form=form, preview=order_preview(page, form.quantity.data)
        )
        return shown, 200 if is_check and is_valid else form_status()
    order_ref = answer[1]
    flash(f"Order {order_ref} is entered. The dealer's sales credit was posted with it.", "success")
    return redirect(url_for("quotes.show_order", ref=order_ref), 303)


# cancelling -------------------------------------------------------------------------------------


def _order(ref: str) -> OrderPage:
    """Return the order to cancel. Raises Refusal(forbidden) for the other side, (already_cancelled)."""
    page = ask(order_page, viewer=current_viewer(), ref=ref)
    if page.order.account_id != current_viewer().company_id:
        raise Refusal("forbidden")
    if not page.is_mine_to_cancel:
        raise Refusal("already_cancelled")
    return page


@blueprint.get("/orders/<ref>/cancel")
@needs(Permission.ORDER_ENTER)
def show_cancellation(ref: str) -> str:
    """Show what is left of the order, nothing chosen yet."""
    page = _order(ref)
    form = CancelOrderForm(formdata=None, data={"idempotency_key": uuid4().hex, "quantity": {}})
    return render_template(
        "quotes/cancel_order.html", page=page, form=form, everything=cancellation_preview(page, None)
    )


@blueprint.post("/orders/<ref>/cancel", endpoint="cancel_order")
@needs(Permission.ORDER_ENTER)
def _cancel_order(ref: str) -> Answer:
    """Say what the cancellation takes back; once that is confirmed, do it."""
    if "confirm" in request.form:
        return _confirmed(ref)
    form = CancelOrderForm()
    page = _order(ref)
    everything = cancellation_preview(page, None)
    if form.validate():
        wanted = None if "cancel_all" in request.form else form.quantity.data
        preview = cancellation_preview(page, wanted)
        if _is_possible(form, page, wanted):
            confirmation = ConfirmCancellationForm(
                formdata=None,
                data={
                    "idempotency_key": form.idempotency_key.data,
                    "reason": form.reason.data,
                    "quantity": {line.row.line_id: line.quantity for line in preview.lines if line.quantity},
                },
            )
            return render_template(
                "quotes/cancel_order_confirm.html", page=page, form=confirmation, preview=preview
            )
    return render_template("quotes/cancel_order.html", page=page, form=form, everything=everything), 422


def _is_possible(form: CancelOrderForm, page: OrderPage, wanted: dict[object, int] | None) -> bool:
    """Say whether the units can be cancelled, with the reason beside the field where not."""
    if wanted is None:
        return True
    if not any(wanted.values()):
        form.form_errors.append("Choose at least one line to cancel.")
        return False
    for row in page.lines:
        field = form.quantity.of(row.line_id)
        if (field.data or 0) > row.open_quantity:
            field.errors = [f"{row.open_quantity} can still be cancelled."]
    return not form.quantity.errors


def _confirmed(ref: str) -> Answer:
    form = ConfirmCancellationForm()
    cancellation = None
    if form.validate():
        cancellation = submitted(
            form,
            cancel_order,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            quantities=form.quantity.data,
            reason=form.reason.data,
            idempotency_key=form.idempotency_key.data,
        )
    if cancellation is None:
        page = _order(ref)
        again = CancelOrderForm()
        again.form_errors.extend(form.form_errors)
        again.quantity = form.quantity
        return (
            render_template(
                "quotes/cancel_order.html", page=page, form=again, everything=cancellation_preview(page, None)
            ),
            form_status(),
        )
    flash("The units are cancelled, and their sales credit is taken back.", "success")
    return redirect(url_for("quotes.show_order", ref=ref), 303)
