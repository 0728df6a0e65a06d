"""Pages: agreeing to an offer for services, and making another one."""

from __future__ import annotations

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from quotes.forms.builder import read_grid
from quotes.forms.services import AgreeServicesForm, CounterServicesForm, offer_to_change
from quotes.operations import services as operations
from quotes.queries.quote_view import QuoteView, quote_view
from quotes.states import RevisionState, ServicesState
from quotes.views.blueprint import blueprint
from quotes.views.review import OUT_OF_DATE, out_of_date_page
from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, form_status, needs, submitted

Answer = str | BaseResponse | tuple[str, int]


def _view(ref: str, number: int) -> QuoteView:
    return ask(quote_view, viewer=current_viewer(), at=now(), ref=ref, revision_number=number)


def _talk_url(ref: str, number: int) -> str:
    return url_for("quotes.show_quote", ref=ref, revision=number, _anchor="services")


@blueprint.get("/quotes/<ref>/revisions/<int(max=999999):number>/services/agree")
@blueprint.post("/quotes/<ref>/revisions/<int(max=999999):number>/services/agree")
@needs(Permission.SERVICES_AGREE)
def agree_services(ref: str, number: int) -> Answer:
    """Agree to the other side's newest offer; loading this address again leads back to the quote."""
    if request.method != "POST":
        return redirect(_talk_url(ref, _view(ref, number).page.revision.number), 303)
    form = AgreeServicesForm()
    agreed = None
    if form.validate():
        agreed = submitted(
            form,
            operations.agree_services,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number,
            offer_number=form.offer_number.data,
        )
    if agreed is None:
        return out_of_date_page(ref, g.get("refusal") or Refusal("stale_offer"))
    flash("The services are agreed. The other side gets a mail.", "success")
    return redirect(_talk_url(ref, number), 303)


@blueprint.get("/quotes/<ref>/revisions/<int(max=999999):number>/services/counter")
@blueprint.post("/quotes/<ref>/revisions/<int(max=999999):number>/services/counter")
@needs(Permission.SERVICES_AGREE)
def counter_services(ref: str, number: int) -> Answer:
    """Show the newest offer to change; make another one of it."""
    if request.method != "POST":
        return _counter_page(ref, number, None)
    grid = read_grid(request.form)
    grid.drop_removed()
    form = CounterServicesForm(formdata=grid.fields())
    offer = None
    if form.validate():
        offer = submitted(
            form,
            operations.counter_services,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number,
            offer_number=form.offer_number.data,
            services=form.service_inputs(),
            note=form.note.data,
        )
    if offer is None:
        return _counter_page(ref, number, form)
    flash("Your offer is made. The other side gets a mail, and agrees or makes another.", "success")
    return redirect(_talk_url(ref, number), 303)


def _counter_page(ref: str, number: int, form: CounterServicesForm | None) -> Answer:
    """Return the form of an offer as it was typed, or why no offer can be made now."""
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code in OUT_OF_DATE:
        return out_of_date_page(ref, refusal)
    view = _view(ref, number)
    newest = view.talk.newest
    if newest is None or not view.talk.may_answer:
        return out_of_date_page(ref, _against_answering(view))
    status = 200 if form is None else form_status()
    if form is None:
        form = CounterServicesForm(formdata=None, data=offer_to_change(newest))
    errors = form.row_errors()
    form.add_empty_rows()
    page = render_template(
        "quotes/counter_services.html", view=view, page=view.page, form=form, row_errors=errors, offer=newest
    )
    return page, status


def _against_answering(view: QuoteView) -> Refusal:
    """Return what stands against another offer for this revision now."""
    if view.talk.my_side is None:
        raise Refusal("forbidden")
    state = view.page.state
    if view.page.is_closed:
        return Refusal("referral_closed")
    if state == "expired":
        return Refusal("quote_expired")
    if view.page.revision.state is RevisionState.SUPERSEDED:
        return Refusal("stale_revision")
    if view.talk.state is not ServicesState.PROPOSED or state not in {"submitted", "approved"}:
        return Refusal("not_pending")
    raise Refusal("forbidden")
