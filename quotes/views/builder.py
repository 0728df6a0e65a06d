"""Pages of the account's side of a quote: the list, the builder, the check before submission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from quotes.forms.builder import (
    EMPTY_LINES,
    MAX_EMPTY_LINES,
    MORE_LINES,
    Grid,
    SaveDraftForm,
    SubmitRevisionForm,
    number_of,
    read_grid,
    row_errors,
    saved_draft,
    service_cents,
)
from quotes.models.price_lists import PriceItem
from quotes.operations.quotes import save_draft as save
from quotes.operations.quotes import start_quote as start
from quotes.operations.quotes import start_revision as start_next
from quotes.operations.submissions import submit_revision as submit
from quotes.queries.drafts import DraftPage, DraftTotals, PricedLine, draft_page
from quotes.queries.drafts import draft_totals as totals_of
from quotes.queries.listings import QuotesPage, quotes_page
from quotes.queries.price_lists import search_items as find_items
from quotes.states import RevisionState
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, submitted

LONGEST_SEARCH = 200
CURRENCY_LENGTH = 3
_LIVE = frozenset({RevisionState.SUBMITTED, RevisionState.APPROVED})


# the list ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class View:
    """A way to look at the list of quotes: the word in the address, its label, what it narrows to."""

    name: str
    label: str
    states: frozenset[RevisionState] = frozenset()
    is_expired: bool | None = None


_VIEWS: Mapping[str, View] = MappingProxyType(
    {
        view.name: view
        for view in (
            View("", "All"),
            View("draft", "Drafts", frozenset({RevisionState.DRAFT})),
            View("submitted", "Waiting for approval", frozenset({RevisionState.SUBMITTED}), is_expired=False),
            View("changes_requested", "Changes asked for", frozenset({RevisionState.CHANGES_REQUESTED})),
            View("approved", "Approved", frozenset({RevisionState.APPROVED}), is_expired=False),
            View("declined", "Declined", frozenset({RevisionState.DECLINED})),
            View("expired", "Expired", _LIVE, is_expired=True),
        )
    }
)


@blueprint.get("/quotes")
@needs(Permission.QUOTE_VIEW)
def quotes() -> str:
    """Show the quotes the viewer may see, newest first, narrowed by the address."""
    chosen = _VIEWS.get(request.args.get("state", ""))
    if chosen is None:
        raise Refusal("not_found")
    referral = clean_line(request.args.get("referral", ""))[:LONGEST_SEARCH]
    page = _quotes(chosen, referral)
    builds = current_viewer().may(Permission.QUOTE_BUILD)
    return render_template(
        "quotes/quotes.html",
        page=page,
        views=[view for view in _VIEWS.values() if builds or view.name != "draft"],
        chosen=chosen,
        referral=referral,
        after=request.args.get("after"),
    )


def _quotes(chosen: View, referral: str) -> QuotesPage:
    after = request.args.get("after")
    try:
        return ask(
            quotes_page,
            viewer=current_viewer(),
            at=now(),
            states=sorted(chosen.states),
            is_expired=chosen.is_expired,
            referral_ref=referral,
            after=after,
        )
    except Refusal as refusal:
        if refusal.code != "not_found" or not referral or after:
            raise
        return QuotesPage(rows=(), after=None)


# starting ---------------------------------------------------------------------------------------


@blueprint.post("/referrals/<ref>/quote")
@needs(Permission.QUOTE_BUILD)
def start_quote(ref: str) -> Response:
    """Begin a quote for an accepted referral."""
    _, number = write(start, actor=current_viewer(), at=now(), referral_ref=ref)
    return redirect(url_for("quotes.edit_draft", ref=number), 303)


@blueprint.post("/quotes/<ref>/revisions")
@needs(Permission.QUOTE_BUILD)
def start_revision(ref: str) -> Response:
    """Begin the next revision as a copy of the newest one."""
    write(start_next, actor=current_viewer(), at=now(), ref=ref)
    return redirect(url_for("quotes.edit_draft", ref=ref), 303)


# the builder ------------------------------------------------------------------------------------


@blueprint.get("/quotes/<ref>/draft")
@needs(Permission.QUOTE_BUILD)
def edit_draft(ref: str) -> Response | str:
    """Show the draft in the builder; a quote without a draft shows its newest revision instead."""
    draft = ask(draft_page, viewer=current_viewer(), at=now(), ref=ref)
    if not draft.is_draft:
        return redirect(url_for("quotes.show_quote", ref=ref), 303)
    form = SaveDraftForm(formdata=None, data=saved_draft(draft.page))
    return _builder(draft, form, _Shown(focus="" if draft.page.lines else "words"))


@dataclass
class _Shown:
    """What the builder shows besides the grid."""

    focus: str = ""
    """The control that gets the focus."""
    words: str = ""
    hits: tuple[PriceItem, ...] = ()
    has_searched: bool = False
    empty_lines: int = EMPTY_LINES


@blueprint.post("/quotes/<ref>/draft")
@needs(Permission.QUOTE_BUILD)
def save_draft(ref: str) -> Response | tuple[str, int]:
    """Save the whole grid; or, by one of its other buttons, show it changed with nothing saved."""
    grid = read_grid(request.form)
    grid.drop_removed()
    shown = _changed(grid)
    form = SaveDraftForm(formdata=grid.fields())
    status = 200
    if shown is None:
        if form.validate_on_submit() and _saved(ref, form):
            action = request.form.get("action")
            if action == "check":
                return redirect(url_for("quotes.check_draft", ref=ref), 303)
            flash("Saved.", "success")
            return redirect(url_for("quotes.edit_draft", ref=ref), 303)
        shown, status = _Shown(), form_status()
    draft = ask(draft_page, viewer=current_viewer(), at=now(), ref=ref, model_numbers=grid.model_numbers())
    if not draft.is_draft:
        raise Refusal("revision_immutable")
    return _builder(draft, form, shown), status


def _saved(ref: str, form: SaveDraftForm) -> bool:
    version = number_of(form.draft_version)
    if request.form.get("action") == "overwrite":
        version = _number("saved_version", version)
    return (
        submitted(
            form,
            save,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number_of(form.revision_number),
            draft_version=version,
            account_number=form.account_number.data,
            note=form.note.data,
            lines=form.line_inputs(),
            services=form.service_inputs(),
            has_no_services=form.has_no_services.data,
        )
        is not None
    )


def _changed(grid: Grid) -> _Shown | None:
    """Change the grid by the button that was pressed; None where the button saves."""
    pressed = request.form
    action = pressed.get("action", "")
    words = clean_line(pressed.get("words", ""))[:LONGEST_SEARCH]
    shown = _Shown(words=words, empty_lines=_number("empty_lines", EMPTY_LINES))
    if "add" in pressed:
        grid.add_line(clean_line(pressed["add"]))
        shown.focus = f"lines-{len(grid.lines) - 1}-quantity"
    elif "move" in pressed:
        way, _, at = pressed["move"].partition("-")
        index = int(at) if at.isascii() and at.isdigit() and len(at) < 7 else 0
        shown.focus = f"lines-{grid.move_line(index, -1 if way == 'up' else 1)}-model_number"
    elif action == "add_rows":
        shown.empty_lines = min(shown.empty_lines + MORE_LINES, MAX_EMPTY_LINES)
        shown.focus = f"lines-{len(grid.lines)}-model_number"
    elif action == "search" or (action == "enter" and words):
        shown.has_searched = True
        currency = clean_line(pressed.get("currency", ""))[:CURRENCY_LENGTH] or None
        shown.hits = ask(find_items, at=now(), words=words, currency=currency) if words else ()
        shown.focus = "words"
        if action == "enter" and shown.hits:
            grid.add_line(shown.hits[0].model_number)
            shown = _Shown(focus=f"lines-{len(grid.lines) - 1}-quantity", empty_lines=shown.empty_lines)
    else:
        return None
    return shown


def _number(name: str, otherwise: int) -> int:
    """Return a small whole number of the form that no person types."""
    text = request.form.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else otherwise


def _builder(draft: DraftPage, form: SaveDraftForm, shown: _Shown) -> str:
    rows = _priced_rows(draft, form)
    totals = totals_of(draft.pricing, (line for _, line in rows), service_cents(form.services))
    errors = row_errors(form)
    typed = len(rows)
    form.add_empty_rows(min(shown.empty_lines, MAX_EMPTY_LINES))
    return render_template(
        "quotes/edit_draft.html",
        draft=draft,
        page=draft.page,
        form=form,
        rows=[*rows, *((entry.form, None) for entry in list(form.lines)[typed:])],
        row_errors=errors,
        totals=totals,
        shown=shown,
    )


def _priced_rows(draft: DraftPage, form: SaveDraftForm) -> list[tuple[Any, PricedLine]]:
    """Return the rows of the form with what they cost today."""
    pricing = draft.pricing
    return [
        (entry.form, pricing.line(entry.form.model_number.data or "", entry.form.quantity.data))
        for entry in form.lines
    ]


@blueprint.post("/quotes/<ref>/draft/totals")
@needs(Permission.QUOTE_BUILD)
def draft_totals(ref: str) -> str:
    """Show what the typed grid amounts to, as parts of the builder's page. Nothing is saved."""
    grid = read_grid(request.form)
    draft = ask(draft_page, viewer=current_viewer(), at=now(), ref=ref, model_numbers=grid.model_numbers())
    form = SaveDraftForm(formdata=grid.fields())
    form.validate()
    rows = _priced_rows(draft, form)
    kept = (line for row, line in rows if not row.remove.data)
    totals = totals_of(draft.pricing, kept, service_cents(form.services))
    return render_template("quotes/_live.html", draft=draft, rows=rows, totals=totals)


# the check before submission --------------------------------------------------------------------


@blueprint.get("/quotes/<ref>/draft/check")
@needs(Permission.QUOTE_BUILD)
def check_draft(ref: str) -> Response | str:
    """Show the draft as the dealer will see it, with what is missing."""
    draft = ask(draft_page, viewer=current_viewer(), at=now(), ref=ref)
    if not draft.is_draft:
        return redirect(url_for("quotes.show_quote", ref=ref), 303)
    return _check(draft, SubmitRevisionForm(data={"draft_version": draft.page.revision.draft_version}))


@blueprint.post("/quotes/<ref>/revisions/<int(max=999999):number>/submit")
@needs(Permission.QUOTE_BUILD)
def submit_revision(ref: str, number: int) -> Response | tuple[str, int]:
    """Send the draft to the dealer for approval; from then on it does not change."""
    form = SubmitRevisionForm()
    if form.validate_on_submit():
        revision = submitted(
            form,
            submit,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number,
            draft_version=form.draft_version.data,
        )
        if revision is not None:
            flash("Submitted. The dealer's approvers get a mail.", "success")
            return redirect(url_for("quotes.show_quote", ref=ref), 303)
    draft = ask(draft_page, viewer=current_viewer(), at=now(), ref=ref)
    if not draft.is_draft:
        raise Refusal("revision_immutable")
    return _check(draft, form), form_status()


def _check(draft: DraftPage, form: SubmitRevisionForm) -> str:
    lines = [draft.pricing.line(row.line.model_number, row.line.quantity) for row in draft.page.lines]
    totals: DraftTotals = totals_of(draft.pricing, lines, draft.page.totals.services_cents)
    return render_template("quotes/check_draft.html", draft=draft, page=draft.page, form=form, totals=totals)
