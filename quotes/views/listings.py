"""The lists of quotes and orders: filtered by the address, added up, as pages and as workbooks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flask import render_template, request
from werkzeug.wrappers import Response

from quotes.forms.lists import FilterOrdersForm, FilterQuotesForm
from quotes.queries.listings import quote_list
from quotes.queries.order_listings import order_list
from quotes.sheets.lists import write_order_list, write_quote_list
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.listkit import read_filters, readable_filters, send_workbook, shown_list
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs

QUOTE_TABS: Mapping[str, str] = MappingProxyType(
    {
        "": "All",
        "draft": "Drafts",
        "submitted": "Waiting for approval",
        "changes_requested": "Changes asked for",
        "approved": "Approved, to order",
        "ordered": "Ordered",
        "declined": "Declined",
        "expired": "Expired",
    }
)
"""The states as tabs above the list of quotes; each shows the quotes whose badge says so."""
ORDER_TABS: Mapping[str, str] = MappingProxyType(
    {
        "": "All",
        "entered": "To ship",
        "part_shipped": "Partly shipped",
        "shipped": "Shipped",
        "cancelled": "Cancelled",
        "returned": "Returned",
    }
)


@blueprint.get("/quotes")
@needs(Permission.QUOTE_VIEW)
def quotes() -> str | tuple[str, int]:
    """Show the quotes the viewer may see, newest first, narrowed by the address, with their totals."""
    form = read_filters(FilterQuotesForm, request.args)
    shown = shown_list("quotes.quotes", form)
    viewer = current_viewer()
    tabs = {
        name: word
        for name, word in QUOTE_TABS.items()
        if viewer.may(Permission.QUOTE_BUILD) or name != "draft"
    }
    if form.errors:
        return render_template("quotes/quotes.html", shown=shown, tabs=tabs, found=None), 422
    found = ask(quote_list, viewer=viewer, at=now(), asked=form.asked, after=shown.after)
    return render_template("quotes/quotes.html", shown=shown, tabs=tabs, found=found)


@blueprint.get("/quotes.xlsx")
@needs(Permission.QUOTE_VIEW)
def export_quotes() -> Response:
    """Send the list of quotes as it is filtered, whole, as a workbook."""
    form = readable_filters(FilterQuotesForm, request.args)
    viewer, at = current_viewer(), now()
    return send_workbook(
        "quotes.xlsx",
        lambda out: ask(
            write_quote_list, viewer=viewer, at=at, asked=form.asked, words=form.in_words, out=out
        ),
    )


@blueprint.get("/orders")
@needs(Permission.ORDER_VIEW)
def orders() -> str | tuple[str, int]:
    """Show the orders the viewer may see, newest first, narrowed by the address, with their totals."""
    form = read_filters(FilterOrdersForm, request.args)
    shown = shown_list("quotes.orders", form)
    if form.errors:
        return render_template("quotes/orders.html", shown=shown, tabs=ORDER_TABS, found=None), 422
    found = ask(order_list, viewer=current_viewer(), asked=form.asked, after=shown.after)
    return render_template("quotes/orders.html", shown=shown, tabs=ORDER_TABS, found=found)


@blueprint.get("/orders.xlsx")
@needs(Permission.ORDER_VIEW)
def export_orders() -> Response:
    """Send the list of orders as it is filtered, whole, as a workbook."""
    form = readable_filters(FilterOrdersForm, request.args)
    viewer, at = current_viewer(), now()
    return send_workbook(
        "orders.xlsx",
        lambda out: ask(
            write_order_list, viewer=viewer, at=at, asked=form.asked, words=form.in_words, out=out
        ),
    )
