"""Pages of an agreement's quotas and requirements: using, taking back, buying more, marking, and asking."""

from __future__ import annotations

from typing import TypeAlias
from uuid import uuid4

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.formkit import HouseForm
from referral.listkit import read_filters
from referral.permissions import Permission
from referral.webkit import NavLink, ask, current_viewer, form_status, needs, show_refusal, submitted
from support.forms.quotas import (
    AskEntitlementForm,
    MarkRequirementForm,
    RecordUseForm,
    ReverseUseForm,
    TopUpAgreementForm,
)
from support.operations import requirements, top_ups, uses
from support.queries.agreement_book import AgreementBook, GrantChoice, agreement_book
from support.queries.entitlement import entitlement_of
from support.rules.quotas import say_amount
from support.views.blueprint import blueprint

Answer: TypeAlias = Response | str | tuple[str, int]
KEY_USED = "You sent this form before with other content, and that was recorded. Look at the agreement first."


@blueprint.route("/agreements/<ref>/use", methods=["GET", "POST"])
@needs(Permission.CALL_WORK)
def record_use(ref: str) -> Answer:
    """Record what was used of a grant."""
    book = _book(ref)
    grant = _grant_asked_for(book)
    data = {"used_on": book.day, "count": 1, "idempotency_key": uuid4().hex}
    form = RecordUseForm() if request.method == "POST" else RecordUseForm(formdata=None, data=data)
    form.offer(grant, book.sites)
    if form.is_submitted() and form.validate():
        use = submitted(
            form,
            uses.record_use,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            grant_key=grant.key,
            used_on=form.used_on.data,
            asked=form.asked,
            within=form.limited(grant),
            site_ref=form.place,
            words=form.words.data,
            idempotency_key=form.idempotency_key.data,
        )
        if use is not None:
            rest = f", {say_amount(grant.unit, use.billable)} billable" if use.billable else ""
            flash(f"{grant.name}: {say_amount(grant.unit, use.covered)} covered{rest}.", "success")
            return _shown(ref)
    _renew_key(form)
    tabs = [
        NavLink(each.name, url_for("support.record_use", ref=ref, grant=each.key), each.key == grant.key)
        for each in book.usable
    ]
    page = render_template("support/record_use.html", book=book, grant=grant, form_=form, tabs=tabs)
    return page, _status(form)


@blueprint.route("/agreements/<ref>/uses/<int:number>/reverse", methods=["GET", "POST"])
@needs(Permission.CALL_WORK)
def reverse_use(ref: str, number: int) -> Answer:
    """Take a use back."""
    form = ReverseUseForm()
    if form.validate_on_submit():
        done = submitted(
            form,
            uses.reverse_use,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            number=number,
            reason=form.reason.data,
        )
        if done is not None:
            flash("It is taken back, and counts no more.", "success")
            return _shown(ref)
    book = ask(agreement_book, viewer=current_viewer(), at=now(), ref=ref, use_number=number)
    page = render_template("support/reverse_use.html", book=book, use=book.use(number), form_=form)
    return page, _status(form)


@blueprint.route("/agreements/<ref>/top-up", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_OFFER)
def top_up_agreement(ref: str) -> Answer:
    """Record that more of a grant was bought."""
    book = _book(ref)
    if not book.may_top_up:
        raise Refusal("not_granted", "Nothing can be bought of this agreement.")
    current = book.current or book.years[-1] if book.years else None
    data = {
        "bought_on": book.day,
        "contract_year": "" if current is None else str(current.year.number),
        "amount": 1,
        "idempotency_key": uuid4().hex,
    }
    form = TopUpAgreementForm() if request.method == "POST" else TopUpAgreementForm(formdata=None, data=data)
    form.offer(book.grants, book.years)
    if form.is_submitted() and form.validate():
        done = submitted(
            form,
            top_ups.top_up_agreement,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            grant_key=form.grant_key.data,
            contract_year=int(form.contract_year.data),
            amount=form.amount.data,
            bought_on=form.bought_on.data,
            net_cents=form.net_cents.data,
            tax_basis_points=form.tax_basis_points.data,
            words=form.words.data,
            idempotency_key=form.idempotency_key.data,
        )
        if done is not None:
            flash(f"It counts in contract year {done.contract_year} from now on.", "success")
            return _shown(ref)
    _renew_key(form)
    return render_template("support/top_up_agreement.html", book=book, form_=form), _status(form)


@blueprint.route("/agreements/<ref>/requirements/<key>", methods=["GET", "POST"])
@needs(Permission.AGREEMENT_BUILD)
def mark_requirement(ref: str, key: str) -> Answer:
    """Say how a requirement stands."""
    book = _book(ref)
    requirement = next((row for row in book.requirements if row.key == key), None)
    if requirement is None:
        raise Refusal("not_found")
    if not requirement.may_mark:
        raise Refusal("forbidden")
    data = {"is_met": "no" if requirement.is_met else "yes", "since_on": book.day}
    form = (
        MarkRequirementForm() if request.method == "POST" else MarkRequirementForm(formdata=None, data=data)
    )
    if form.is_submitted() and form.validate():
        done = submitted(
            form,
            requirements.mark_requirement,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            requirement_key=key,
            is_met=form.is_met.data == "yes",
            since_on=form.since_on.data,
            words=form.words.data,
        )
        if done is not None:
            flash("It is recorded.", "success")
            return _shown(ref)
    page = render_template("support/mark_requirement.html", book=book, row=requirement, form_=form)
    return page, _status(form)


@blueprint.get("/agreements/<ref>/entitlement")
@needs(Permission.SUPPORT_VIEW)
def ask_entitlement(ref: str) -> Answer:
    """Answer whether something is covered by an agreement, how much of it, and why."""
    form = read_filters(AskEntitlementForm, request.args)
    answer = None
    if request.args and not form.errors:
        try:
            answer = ask(entitlement_of, viewer=current_viewer(), at=now(), ref=ref, **form.said)
        except Refusal as refusal:
            if refusal.code == "not_found" and not form.source_ref.data:
                raise
            if refusal.code == "not_found":
                refusal = Refusal("invalid_input", "There is no such unit that you may see.", "source_ref")
            show_refusal(form, refusal)
    book = _book(ref)
    page = render_template(
        "support/ask_entitlement.html", book=book, form=form, answer=answer, say_amount=say_amount
    )
    return page, form_status() if form.errors or g.get("refusal") else 200


def _book(ref: str) -> AgreementBook:
    return ask(agreement_book, viewer=current_viewer(), at=now(), ref=ref)


def _shown(ref: str) -> Response:
    return redirect(url_for("support.show_agreement", ref=ref), 303)


def _status(form: HouseForm) -> int:
    return form_status() if form.is_submitted() else 200


def _renew_key(form: RecordUseForm | TopUpAgreementForm) -> None:
    """A key that was used for something else is of no use any more."""
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "idempotency_key_reused":
        form.form_errors = [KEY_USED]
        form.idempotency_key.data = uuid4().hex


def _grant_asked_for(book: AgreementBook) -> GrantChoice:
    """Return the grant that the address names, else the first. Raises Refusal(not_found), (not_granted)."""
    if not book.may_use:
        raise Refusal("not_granted", "Nothing of this agreement is counted, or it is not accepted.")
    text = request.args.get("grant", "")
    if not text:
        return book.usable[0]
    found = book.grant(text)
    if found is None:
        raise Refusal("not_found")
    return found
