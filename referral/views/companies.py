"""Pages: companies, their account numbers and qualifications."""

from __future__ import annotations

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.forms.companies import (
    AddAccountNumberForm,
    AddCompanyForm,
    AddQualificationForm,
    EndAccountNumberForm,
    EndQualificationForm,
)
from referral.operations import companies as operations
from referral.permissions import Permission
from referral.queries.companies import companies_page, company_page
from referral.queries.settings import today
from referral.text import clean_line
from referral.views.blueprint import blueprint
from referral.webkit import ask, current_viewer, form_status, needs, submitted

WORDS_LENGTH = 100


@blueprint.get("/companies")
@needs(Permission.COMPANY_VIEW)
def companies() -> str:
    """List companies by name, narrowed by words."""
    words = clean_line(request.args.get("words", ""))[:WORDS_LENGTH]
    after = clean_line(request.args.get("after", ""))[:WORDS_LENGTH]
    page = ask(companies_page, at=now(), words=words, after=after)
    return render_template("referral/companies.html", page=page, words=words, after=after)


@blueprint.route("/companies/new", methods=["GET", "POST"])
@needs(Permission.COMPANY_MANAGE)
def add_company() -> tuple[str, int] | Response:
    """Add a company."""
    form = AddCompanyForm()
    if not form.is_submitted():
        form.active_from.data = ask(today, now())
    elif form.validate():
        company = submitted(
            form,
            operations.add_company,
            actor=current_viewer(),
            at=now(),
            code=form.code.data,
            name=form.name.data,
            kinds=form.chosen_kinds(),
            city=form.city.data,
            region=form.region.data,
            serves=form.serves.data,
            active_from=form.active_from.data,
        )
        if company is not None:
            flash(f"{company.name} is here. Next: its numbers, qualification and people.", "success")
            return redirect(url_for("referral.show_company", code=company.code), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/add_company.html", form_=form), status


@blueprint.get("/companies/<code>")
@needs(Permission.COMPANY_VIEW)
def show_company(code: str) -> str:
    """Show a company with what is dated."""
    return render_template("referral/company.html", page=ask(company_page, code=code, at=now()))


@blueprint.route("/companies/<code>/account-numbers", methods=["GET", "POST"])
@needs(Permission.COMPANY_MANAGE)
def add_account_number(code: str) -> tuple[str, int] | Response:
    """Add an account number."""
    page = ask(company_page, code=code, at=now())
    form = AddAccountNumberForm(data={"valid_from": page.today})
    if form.validate_on_submit() and submitted(
        form,
        operations.add_account_number,
        actor=current_viewer(),
        at=now(),
        code=page.company.code,
        number=form.number.data,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
    ):
        flash(f"{page.company.name} has the number {form.number.data}.", "success")
        return redirect(url_for("referral.show_company", code=page.company.code), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/add_account_number.html", form_=form, company=page.company), status


@blueprint.route("/companies/<code>/account-numbers/<uuid:number_id>/end", methods=["GET", "POST"])
@needs(Permission.COMPANY_MANAGE)
def end_account_number(code: str, number_id: UUID) -> tuple[str, int] | Response:
    """Say when an account number ends."""
    page = ask(company_page, code=code, at=now())
    number = next((each for each in page.numbers if each.id == number_id), None)
    if number is None:
        raise Refusal("not_found")
    form = EndAccountNumberForm(data={"valid_to": page.today})
    if form.validate_on_submit() and submitted(
        form,
        operations.end_account_number,
        actor=current_viewer(),
        at=now(),
        code=page.company.code,
        number_id=number_id,
        valid_to=form.valid_to.data,
    ):
        flash(f"The number {number.number} has its last day.", "success")
        return redirect(url_for("referral.show_company", code=page.company.code), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template(
        "referral/end_account_number.html", form_=form, company=page.company, number=number
    ), status


@blueprint.route("/companies/<code>/qualifications", methods=["GET", "POST"])
@needs(Permission.COMPANY_MANAGE)
def add_qualification(code: str) -> tuple[str, int] | Response:
    """Add a Ketra qualification."""
    page = ask(company_page, code=code, at=now())
    form = AddQualificationForm(data={"valid_from": page.today})
    if form.validate_on_submit() and submitted(
        form,
        operations.add_qualification,
        actor=current_viewer(),
        at=now(),
        code=page.company.code,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        evidence=form.evidence.data,
        families=form.families.data,
    ):
        flash(f"The qualification of {page.company.name} is recorded.", "success")
        return redirect(url_for("referral.show_company", code=page.company.code), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("referral/add_qualification.html", form_=form, company=page.company), status


@blueprint.route("/companies/<code>/qualifications/<uuid:qualification_id>/end", methods=["GET", "POST"])
@needs(Permission.COMPANY_MANAGE)
def end_qualification(code: str, qualification_id: UUID) -> tuple[str, int] | Response:
    """Say when a qualification ends, and why."""
    page = ask(company_page, code=code, at=now())
    qualification = next((each for each in page.qualifications if each.id == qualification_id), None)
    if qualification is None:
        raise Refusal("not_found")
    form = EndQualificationForm(data={"valid_to": page.today})
    if form.validate_on_submit() and submitted(
        form,
        operations.end_qualification,
        actor=current_viewer(),
        at=now(),
        code=page.company.code,
        qualification_id=qualification_id,
        valid_to=form.valid_to.data,
        reason=form.reason.data,
    ):
        flash(f"The qualification of {page.company.name} has its last day.", "success")
        if form.valid_to.data < page.today:
            flash("Below is what was submitted and ordered after it. Nothing of it is changed.", "info")
            return redirect(url_for("quotes.unqualified_work", code=page.company.code), 303)
        return redirect(url_for("referral.show_company", code=page.company.code), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template(
        "referral/end_qualification.html", form_=form, company=page.company, qualification=qualification
    ), status
