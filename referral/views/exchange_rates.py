"""Pages: exchange rates, and the currency of a dealer."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.forms.exchange_rates import SetDealerCurrencyForm, SetExchangeRateForm
from referral.operations import exchange_rates as operations
from referral.permissions import Permission
from referral.queries.companies import company_page
from referral.queries.exchange_rates import exchange_rates_page
from referral.text import clean_line
from referral.views.blueprint import blueprint
from referral.webkit import ask, current_viewer, form_status, needs, submitted

CODE_LENGTH = 3


@blueprint.get("/settings/exchange-rates")
@needs(Permission.SETTING_VIEW)
def exchange_rates() -> str:
    """List the exchange rates of each currency with their history."""
    return render_template("referral/exchange_rates.html", page=ask(exchange_rates_page, at=now()))


@blueprint.route("/settings/exchange-rates/new", methods=["GET", "POST"])
@needs(Permission.SETTING_CHANGE)
def set_exchange_rate() -> tuple[str, int] | Response:
    """Set a rate from a day on."""
    page = ask(exchange_rates_page, at=now())
    named = clean_line(request.args.get("currency", ""))[:CODE_LENGTH]
    form = SetExchangeRateForm(data={"currency": named, "valid_from": page.today})
    if form.validate_on_submit() and submitted(
        form,
        operations.set_exchange_rate,
        actor=current_viewer(),
        at=now(),
        currency=form.currency.data,
        rate=form.rate.data,
        valid_from=form.valid_from.data,
        reason=form.reason.data,
        source=form.source.data,
    ):
        flash(f"The rate of {form.currency.data} is recorded.", "success")
        return redirect(url_for("referral.exchange_rates"), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/set_exchange_rate.html", form_=form, page=page), status


@blueprint.route("/companies/<code>/currency", methods=["GET", "POST"])
@needs(Permission.COMPANY_MANAGE)
def set_dealer_currency(code: str) -> tuple[str, int] | Response:
    """Choose the currency a dealer is quoted in."""
    page = ask(company_page, code=code, at=now())
    form = SetDealerCurrencyForm(data={"currency": page.exchange.currency})
    if form.validate_on_submit() and submitted(
        form,
        operations.set_dealer_currency,
        actor=current_viewer(),
        at=now(),
        code=page.company.code,
        currency=form.currency.data,
        reason=form.reason.data,
    ):
        flash(f"{page.company.name} is quoted in {form.currency.data}.", "success")
        return redirect(url_for("referral.show_company", code=page.company.code), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/set_dealer_currency.html", form_=form, page=page), status
