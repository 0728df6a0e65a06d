"""The builder of agreements: one form made of an offer, with what it grants beside it while it is filled in."""

from __future__ import annotations

from uuid import uuid4

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, submitted
from support.forms.agreements import BuildAgreementForm, arranged, shown_choices
from support.operations.agreements import build_agreement as build_operation
from support.operations.agreements import edit_agreement as edit_operation
from support.queries.agreement_terms import ref_of_agreement
from support.queries.builder import BuilderPage, builder_page, builder_words, draft_choices, draft_to_edit
from support.rules.agreements import may_be_unlimited, say_unit
from support.views.blueprint import blueprint

Answer = Response | tuple[str, int]
USUAL_MONTHS = 12
LONGEST_ARGUMENT = 60
KEY_USED = (
    "You sent this form before with other content, and that draft is saved. Look at the agreements first."
)


@blueprint.route("/agreements/new", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_BUILD)
def build_agreement() -> Answer:
    """Put an agreement of an offer together. Without an offer, the offers are shown to choose from."""
    if not request.args.get("offer"):
        return redirect(url_for("support.offers"), 303)
    page = _new_page()
    if page.dealers and not page.dealer_code:
        return render_template("support/choose_dealer.html", page=page), 200
    form = _form_of(page)
    if not form.is_submitted():
        key = uuid4().hex
        form = _form_of(page, {"idempotency_key": key, "months": USUAL_MONTHS, "starts_on": page.day})
    elif request.form.get("action") == "grants":
        form.validate()
    elif form.validate_on_submit() and not form.misses_counts(page.offer):
        agreement = submitted(
            form,
            build_operation,
            actor=current_viewer(),
            at=now(),
            offer_key=page.offer.key,
            offer_version=form.offer_version.data,
            customer=form.customer.data,
            sites=form.sites.data,
            starts_on=form.starts_on.data,
            months=form.months.data,
            choices=form.said(page.offer),
            license_cents=form.license_cents.data,
            idempotency_key=form.idempotency_key.data,
        )
        if agreement is not None:
            ref = ask(ref_of_agreement, dealer_id=agreement.dealer_id, number=agreement.number)
            flash(f"{ref} is saved as a draft. The program states its prices next.", "success")
            return redirect(url_for("support.show_agreement", ref=ref), 303)
    return _builder(page, form)


@blueprint.route("/agreements/<ref>/edit", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_BUILD)
def edit_agreement(ref: str) -> Answer:
    """Change a draft, by the newest version of its offer."""
    page = ask(draft_to_edit, viewer=current_viewer(), at=now(), ref=ref)
    form = _form_of(page)
    if not form.is_submitted():
        form = _form_of(page, {**page.said, "idempotency_key": "edit"})
    elif request.form.get("action") == "grants":
        form.validate()
    elif form.validate_on_submit() and not form.misses_counts(page.offer):
        saved = submitted(
            form,
            edit_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            edit_count=form.edit_count.data or 0,
            offer_version=form.offer_version.data,
            customer=form.customer.data,
            sites=form.sites.data,
            starts_on=form.starts_on.data,
            months=form.months.data,
            choices=form.said(page.offer),
            license_cents=form.license_cents.data,
        )
        if saved is not None:
            flash(f"{ref} is saved.", "success")
            return redirect(url_for("support.show_agreement", ref=ref), 303)
    return _builder(page, form)


@blueprint.post("/agreements/grants")
@needs(Permission.AGREEMENT_BUILD)
def show_grants() -> str:
    """Show what the typed form grants, as a part of the builder's page. Nothing is saved."""
    ref = clean_line(request.args.get("ref", ""))[:LONGEST_ARGUMENT]
    page = ask(draft_to_edit, viewer=current_viewer(), at=now(), ref=ref) if ref else _new_page()
    form = _form_of(page)
    form.validate()
    words = ask(builder_words, page=page, typed=form.typed(page.offer))
    return render_template("support/_builder_words.html", page=page, words=words)


def _new_page() -> BuilderPage:
    return ask(
        builder_page,
        viewer=current_viewer(),
        at=now(),
        offer_key=clean_line(request.args.get("offer", ""))[:LONGEST_ARGUMENT],
        dealer_code=clean_line(request.args.get("dealer", ""))[:LONGEST_ARGUMENT],
    )


def _form_of(page: BuilderPage, shown: dict[str, object] | None = None) -> BuildAgreementForm:
    """Return the form as it came in, or with what is `shown`; its rows are the offer's, in its order."""
    if shown is None:
        form = BuildAgreementForm(formdata=arranged(MultiDict(request.form), page.offer))
    else:
        choices = {} if page.agreement is None else draft_choices(page)
        said = {"offer_version": page.offer.version, "choices": shown_choices(page.offer, choices)}
        form = BuildAgreementForm(formdata=None, data=said | shown)
    form.sites.choices = [(site.ref, site.label) for site in page.sites]
    return form


def _builder(page: BuilderPage, form: BuildAgreementForm) -> Answer:
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "idempotency_key_reused":
        form.form_errors = [KEY_USED]
        form.idempotency_key.data = uuid4().hex
    if refusal is not None and refusal.code == "offer_outdated":
        form.offer_version.data = page.offer.version
        form.offer_version.raw_data = []
    is_shown_only = request.form.get("action") == "grants" or not form.is_submitted()
    words = ask(builder_words, page=page, typed=form.typed(page.offer))
    html = render_template(
        "support/build_agreement.html",
        page=page,
        form=form,
        words=words,
        rows=form.rows(page.offer),
        sites={site.ref: site for site in page.sites},
        units=say_unit,
        is_open=may_be_unlimited,
        faults=[] if is_shown_only else form.choice_faults,
    )
    return html, 200 if is_shown_only else form_status()
