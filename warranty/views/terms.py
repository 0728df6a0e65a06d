"""Pages: the warranty terms of every family, and recording new ones."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectChoice

from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import clean_line, fold
from referral.webkit import ask, current_viewer, form_status, needs, show_refusal, submitted
from warranty.forms.terms import CONFIRMED, SetTermForm
from warranty.operations import terms as operations
from warranty.queries.terms import TermEffect, TermsPage, term_effect, terms_page
from warranty.rules.terms import START_WORDS
from warranty.views.blueprint import blueprint

FAMILY_LENGTH = 100
CARRIED = (
    "months", "cap_days", "covers_parts", "covers_labor", "report_days", "replacement_days", "source"
)  # fmt: skip


@blueprint.get("/warranty/terms")
@needs(Permission.SETTING_VIEW)
def terms() -> str:
    """List the warranty terms of each family with their history, and the families that have none."""
    page = ask(terms_page, at=now())
    return render_template("warranty/terms.html", page=page, start_words=START_WORDS)


@blueprint.route("/warranty/terms/new", methods=["GET", "POST"])
@needs(Permission.SETTING_CHANGE)
def set_term() -> tuple[str, int] | Response:
    """Record terms of a family: first show what they change, then do it."""
    page = ask(terms_page, at=now())
    form = SetTermForm(data=_proposed(page))
    form.family.choices = [SelectChoice("", "Choose a family"), *_families(page)]
    effect: TermEffect | None = None
    is_changing = "change" in request.form
    if not is_changing and form.validate_on_submit():
        if form.is_confirmed:
            term = submitted(form, operations.set_term, actor=current_viewer(), at=now(), said=form.said)
            if term is not None:
                flash(f"The warranty terms of {term.family} are recorded.", "success")
                return redirect(url_for("warranty.terms"), 303)
        else:
            effect = _effect(form)
    status = 200 if effect or is_changing or not form.is_submitted() else form_status()
    form.confirmed.data = CONFIRMED if effect else ""
    form.confirmed.raw_data = None
    return render_template(
        "warranty/set_term.html", form_=form, page=page, effect=effect, start_words=START_WORDS
    ), status


def _effect(form: SetTermForm) -> TermEffect | None:
    """Return what the terms would change; None where they would be refused, which stands beside the field then."""
    try:
        return ask(term_effect, said=form.said)
    except Refusal as refusal:
        show_refusal(form, refusal)
        return None


def _families(page: TermsPage) -> list[SelectChoice]:
    names = {*page.missing, *(each.family for each in page.families if each.is_listed)}
    return [SelectChoice(name, name) for name in sorted(names, key=fold)]


def _proposed(page: TermsPage) -> dict[str, object]:
    """Return what the form begins with: the family that is asked for, and the terms that hold for it today."""
    named = fold(clean_line(request.args.get("family", ""))[:FAMILY_LENGTH])
    data: dict[str, object] = {"valid_from": page.today}
    for family in page.missing:
        if fold(family) == named:
            data["family"] = family
    for each in page.families:
        if fold(each.family) == named:
            data["family"] = each.family
            row = each.current or each.rows[0]
            data |= {name: getattr(row.term, name) for name in CARRIED}
            data["start_rule"] = row.term.start_rule.value
    return data
