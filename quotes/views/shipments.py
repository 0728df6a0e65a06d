"""Recording what shipped of an order."""

from __future__ import annotations

from uuid import uuid4

from flask import flash, redirect, render_template, request, url_for

from quotes.forms.orders import ShipOrderForm
from quotes.operations import shipments
from quotes.queries.order_page import OrderPage
from quotes.views.blueprint import blueprint
from quotes.views.orders import guard_open, order_of_mine
from quotes.views.review import Answer
from referral.clock import now
from referral.permissions import Permission
from referral.webkit import current_viewer, form_status, needs, submitted


@blueprint.get("/orders/<ref>/ship")
@blueprint.post("/orders/<ref>/ship")
@needs(Permission.ORDER_ENTER)
def ship_order(ref: str) -> Answer:
    """Ask what shipped and when, with all that is left filled in; record it. Credit does not move."""
    if request.method != "POST":
        page = guard_open(order_of_mine(ref))
        left = {line.line_id: line.open_quantity for line in page.lines if line.open_quantity}
        data = {"idempotency_key": uuid4().hex, "quantity": left}
        return _ship_form(page, ShipOrderForm(formdata=None, data=data), 200)
    form = ShipOrderForm()
    shipment = None
    if form.validate():
        shipment = submitted(
            form,
            shipments.ship_order,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            quantities=form.quantity.data,
            shipped_on=form.shipped_on.data,
            carrier=form.carrier.data,
            tracking_number=form.tracking_number.data,
            idempotency_key=form.idempotency_key.data,
        )
    if shipment is None:
        return _ship_form(guard_open(order_of_mine(ref)), form, form_status())
    flash(f"Shipment {shipment.number} is recorded. The dealer's sales credit stays as it is.", "success")
    return redirect(url_for("quotes.show_order", ref=ref), 303)


def _ship_form(page: OrderPage, form: ShipOrderForm, status: int) -> tuple[str, int]:
    return render_template("quotes/ship_order.html", page=page, form=form), status
