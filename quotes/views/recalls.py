"""Recalling prices of a list, and telling both sides of every quote that holds one."""

from __future__ import annotations

from datetime import datetime

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from quotes.forms.recalls import RecallPricesForm
from quotes.operations import recalls as operations
from quotes.queries.recalls import dealers_to_tell, recalls_of_list
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.db import write
from referral.permissions import Permission, Viewer
from referral.text import clean_line, fold_model_number
from referral.webkit import ask, current_viewer, form_status, needs, submitted

DEALERS_AT_ONCE = 100
"""Dealers told by one request; the page goes on from there, and so does the worker."""
MODEL_NUMBER_LENGTH = 60


@blueprint.get("/prices/<int(max=999999):version>/recalls")
@blueprint.post("/prices/<int(max=999999):version>/recalls")
@needs(Permission.PRICE_LIST_PUBLISH)
def recall_prices(version: int) -> Response | str | tuple[str, int]:
    """Show what is recalled of a list and what recalling does; recall prices and tell the dealers."""
    viewer, at = current_viewer(), now()
    if request.method != "POST":
        model_number = fold_model_number(clean_line(request.args.get("model", ""))[:MODEL_NUMBER_LENGTH])
        form = RecallPricesForm(formdata=None, data={"model_numbers": model_number})
        return _page(version, at, form)
    form = RecallPricesForm()
    rows = None
    if form.validate():
        rows = submitted(
            form,
            operations.recall_prices,
            actor=viewer,
            at=at,
            version=version,
            model_numbers=form.named,
            reason=form.reason.data,
        )
    if rows is None:
        return _page(version, at, form), form_status()
    flash(f"{len(rows)} {'price is' if len(rows) == 1 else 'prices are'} recalled.", "success")
    return _tell(viewer, at, version)


@blueprint.post("/prices/<int(max=999999):version>/recalls/tell")
@needs(Permission.PRICE_LIST_PUBLISH)
def tell_of_recalls(version: int) -> Response:
    """Go on telling dealers of recalled prices."""
    return _tell(current_viewer(), now(), version)


def _page(version: int, at: datetime, form: RecallPricesForm) -> str:
    recalls = ask(recalls_of_list, at=at, version=version)
    return render_template("quotes/recall_prices.html", recalls=recalls, form=form)


def _tell(viewer: Viewer, at: datetime, version: int) -> Response:
    """Tell the next dealers, each in a transaction of its own, and show how far that is.

    Whatever stops it, who is told stays told, and the next call takes up the rest.
    """
    for dealer_id in ask(dealers_to_tell, at=at, limit=DEALERS_AT_ONCE):
        write(operations.tell_of_recalls, actor=viewer, at=at, dealer_id=dealer_id)
    return redirect(url_for("quotes.recall_prices", version=version), 303)
