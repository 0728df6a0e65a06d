"""Agreements: the list, one of them, and every step of it: priced, accepted, declined, taken back, ended, renewed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from uuid import uuid4

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.formkit import HouseForm
from referral.listkit import read_filters, readable_filters, send_workbook, shown_list
from referral.permissions import Permission
from referral.text import say_day
from referral.webkit import ask, current_viewer, form_status, needs, submitted
from support.forms.agreements import (
    AcceptAgreementForm,
    DeclineAgreementForm,
    FilterAgreementsForm,
    OfferAgreementForm,
    RenewAgreementForm,
    ReviseAgreementForm,
    TerminateAgreementForm,
    WithdrawAgreementForm,
)
from support.operations.agreements_deciding import accept_agreement as accept_operation
from support.operations.agreements_deciding import decline_agreement as decline_operation
from support.operations.agreements_deciding import offer_agreement as offer_operation
from support.operations.agreements_deciding import revise_agreement as revise_operation
from support.operations.agreements_deciding import withdraw_agreement as withdraw_operation
from support.operations.agreements_ending import renew_agreement as renew_operation
from support.operations.agreements_ending import terminate_agreement as terminate_operation
from support.queries.agreement_page import AgreementPage, agreement_page
from support.queries.agreement_terms import ref_of_agreement
from support.queries.agreements import STANDING_WORDS, agreements_page
from support.rules.agreements import TERMS_STATEMENT
from support.sheets.agreements import write_agreement_list
from support.views.blueprint import blueprint

Answer = Response | tuple[str, int]
AGREEMENT_TABS: Mapping[str, str] = MappingProxyType({"": "All", **STANDING_WORDS})
KEY_USED = (
    "You sent this form before with other content, and that draft is saved. Look at the agreements first."
)


@blueprint.get("/agreements")
@needs(Permission.SUPPORT_VIEW)
def agreements() -> str | tuple[str, int]:
    """List the agreements the viewer may see, newest first or by their end, narrowed by the address."""
    form = read_filters(FilterAgreementsForm, request.args)
    shown = shown_list("support.agreements", form)
    if form.errors:
        return render_template("support/agreements.html", shown=shown, tabs=AGREEMENT_TABS, found=None), 422
    found = ask(agreements_page, viewer=current_viewer(), at=now(), asked=form.asked, after=shown.after)
    return render_template("support/agreements.html", shown=shown, tabs=AGREEMENT_TABS, found=found)


@blueprint.get("/agreements.xlsx")
@needs(Permission.SUPPORT_VIEW)
def export_agreements() -> Response:
    """Send the whole list, as it is filtered, as a workbook."""
    form = readable_filters(FilterAgreementsForm, request.args)
    viewer, at = current_viewer(), now()
    return send_workbook(
        "agreements.xlsx",
        lambda out: ask(
            write_agreement_list, viewer=viewer, at=at, asked=form.asked, words=form.in_words, out=out
        ),
    )


@blueprint.get("/agreements/<ref>")
@needs(Permission.SUPPORT_VIEW)
def show_agreement(ref: str) -> str:
    """Show an agreement: what it grants, where, for how much, who accepted it, what is next."""
    return render_template("support/show_agreement.html", page=_page(ref))


@blueprint.route("/agreements/<ref>/offer", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_OFFER)
def offer_agreement(ref: str) -> Answer:
    """State the net price of each contract year and the tax; the terms are frozen with them."""
    form = OfferAgreementForm()
    if form.validate_on_submit():
        saved = submitted(
            form,
            offer_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            edit_count=form.edit_count.data or 0,
            net_cents=[entry.data for entry in form.net_cents],
            tax_basis_points=form.tax_rate.data or 0,
        )
        if saved is not None:
            flash(f"{ref} is offered. The dealer is told by mail.", "success")
            return _shown(ref)
    page = _page(ref)
    _guard_next(page.is_to_price or form.is_submitted(), page)
    if not form.is_submitted():
        form.edit_count.data = page.agreement.edit_count
        form.tax_rate.data = page.prices[0].tax_basis_points if page.prices else None
    for number, year in enumerate(page.years):
        if number >= len(form.net_cents):
            known = page.prices[number].net_cents if number < len(page.prices) else None
            form.net_cents.append_entry(known if not form.is_submitted() else None)
        days = f"{say_day(year.first_on)} to {say_day(year.last_on)}"
        form.net_cents[number].label.text = f"Net price of contract year {year.number}, {days}"
    return render_template("support/offer_agreement.html", page=page, form=form), _status(form)


@blueprint.route("/agreements/<ref>/revise", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_BUILD)
def revise_agreement(ref: str) -> Answer:
    """Take what is offered or declined back to a draft."""
    form = ReviseAgreementForm()
    if form.validate_on_submit():
        saved = submitted(
            form, revise_operation, actor=current_viewer(), at=now(), ref=ref, reason=form.reason.data
        )
        if saved is not None:
            flash(f"{ref} is a draft again. Change it, and the program states its prices.", "success")
            return _shown(ref)
    page = _page(ref)
    _guard_next(page.is_to_revise or form.is_submitted(), page)
    return render_template("support/revise_agreement.html", page=page, form=form), _status(form)


@blueprint.route("/agreements/<ref>/accept", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_ACCEPT)
def accept_agreement(ref: str) -> Answer:
    """Accept what is offered: the standard terms ticked, the own name typed, the digest as it was read."""
    form = AcceptAgreementForm()
    if form.validate_on_submit():
        saved = submitted(
            form,
            accept_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            digest=form.digest.data,
            is_accepted=bool(form.is_accepted.data),
            typed_name=form.typed_name.data,
        )
        if saved is not None:
            flash(f"{ref} is accepted. It covers its sites from {say_day(saved.starts_on)}.", "success")
            return _shown(ref)
    page = _page(ref)
    _guard_next(page.is_to_accept or form.is_submitted(), page)
    if not form.is_submitted():
        form.digest.data = page.agreement.terms_digest
    form.is_accepted.label.text = TERMS_STATEMENT
    return render_template("support/accept_agreement.html", page=page, form=form), _status(form)


@blueprint.route("/agreements/<ref>/decline", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_ACCEPT)
def decline_agreement(ref: str) -> Answer:
    """Decline what is offered, and say why."""
    form = DeclineAgreementForm()
    if form.validate_on_submit():
        saved = submitted(
            form, decline_operation, actor=current_viewer(), at=now(), ref=ref, reason=form.reason.data
        )
        if saved is not None:
            flash(f"{ref} is declined. The program is told by mail.", "success")
            return _shown(ref)
    page = _page(ref)
    _guard_next(page.is_to_accept or form.is_submitted(), page)
    return render_template("support/decline_agreement.html", page=page, form=form), _status(form)


@blueprint.route("/agreements/<ref>/withdraw", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_BUILD)
def withdraw_agreement(ref: str) -> Answer:
    """Take back what is not accepted."""
    form = WithdrawAgreementForm()
    if form.validate_on_submit():
        saved = submitted(
            form, withdraw_operation, actor=current_viewer(), at=now(), ref=ref, reason=form.reason.data
        )
        if saved is not None:
            flash(f"{ref} is withdrawn. Both sides are told by mail.", "success")
            return _shown(ref)
    page = _page(ref)
    _guard_next(page.may_withdraw or form.is_submitted(), page)
    return render_template("support/withdraw_agreement.html", page=page, form=form), _status(form)


@blueprint.route("/agreements/<ref>/terminate", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_END)
def terminate_agreement(ref: str) -> Answer:
    """End an accepted agreement before its last day."""
    form = TerminateAgreementForm()
    if form.validate_on_submit():
        saved = submitted(
            form,
            terminate_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            last_on=form.last_on.data,
            reason=form.reason.data,
        )
        if saved is not None:
            flash(f"{ref} ends: its last covered day is {say_day(saved.last_on)}.", "success")
            return _shown(ref)
    page = _page(ref)
    _guard_next(page.may_terminate or form.is_submitted(), page)
    return render_template("support/terminate_agreement.html", page=page, form=form), _status(form)


@blueprint.route("/agreements/<ref>/renew", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_BUILD)
def renew_agreement(ref: str) -> Answer:
    """Continue an agreement by a new draft; a gap or an overlap is said first, and confirmed."""
    form = RenewAgreementForm(idempotency_key=uuid4().hex)
    if form.validate_on_submit():
        made = submitted(
            form,
            renew_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            starts_on=form.starts_on.data,
            months=form.months.data,
            is_confirmed=bool(form.is_confirmed.data),
            idempotency_key=form.idempotency_key.data,
        )
        if made is not None:
            new = ask(ref_of_agreement, dealer_id=made.dealer_id, number=made.number)
            flash(f"{new} continues {ref}. Look it over; the program states its prices next.", "success")
            return _shown(new)
    page = _page(ref)
    _guard_next(page.is_to_renew or form.is_submitted(), page)
    if not form.is_submitted():
        form.starts_on.data = page.next_on
        form.months.data = page.agreement.months
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "idempotency_key_reused":
        form.form_errors = [KEY_USED]
        form.idempotency_key.data = uuid4().hex
    needs_word = refusal is not None and refusal.code == "not_confirmed"
    html = render_template(
        "support/renew_agreement.html",
        page=page,
        form=form,
        asks=needs_word or form.is_confirmed.data or page.next_gap != "",
    )
    return html, _status(form)


def _page(ref: str) -> AgreementPage:
    return ask(agreement_page, viewer=current_viewer(), at=now(), ref=ref)


def _shown(ref: str) -> Response:
    return redirect(url_for("support.show_agreement", ref=ref), 303)


def _status(form: HouseForm) -> int:
    return form_status() if form.is_submitted() else 200


def _guard_next(is_next: bool, page: AgreementPage) -> None:
    """Guard: this is the next step of the agreement. Raises Refusal(not_pending)."""
    if not is_next:
        raise Refusal("not_pending", details={"state": page.agreement.state.value})
