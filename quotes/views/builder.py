"""Pages of the account's side of a quote: the builder, the check before submission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from quotes.forms.builder import (
    EMPTY_LINES,
    MAX_EMPTY_LINES,
    MORE_LINES,
    Grid,
    SaveDraftForm,
    SubmitRevisionForm,
    faults,
    number_of,
    read_addition,
    read_grid,
    row_errors,
    saved_draft,
    service_cents,
)
from quotes.forms.merge import MINE, SAVED, merge_of
from quotes.models.price_lists import PriceItem
from quotes.operations.quotes import save_draft as save
from quotes.operations.quotes import start_quote as start
from quotes.operations.quotes import start_revision as start_next
from quotes.operations.submissions import submit_revision as submit
from quotes.queries.drafts import DraftPage, DraftTotals, PricedLine, draft_page, draft_state
from quotes.queries.drafts import draft_totals as totals_of
from quotes.queries.hints import HintRow
from quotes.queries.price_lists import search_items as find_items
from quotes.rules.diff import count_changes
from quotes.views.blueprint import blueprint
from quotes.views.review import number_asked_for
from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, submitted, zone

LONGEST_SEARCH = 200
CURRENCY_LENGTH = 3
NOT_KEPT = frozenset(
    {"csrf_token", "draft_version", "action", "words", "empty_lines", "currency", "ignore", "all"}
)
"""What the page of two drafts does not send on: it has its own, or they are buttons and searches."""


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
    if draft.refused:
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
        is_valid = form.validate_on_submit()
        if is_valid and _saved(ref, form):
            return _after_save(ref)
        if is_valid and _is_stale():
            return _side_by_side(ref, form, grid)
        shown, status = _Shown(), form_status()
    return _shown_again(ref, form, grid, shown), status


def _shown_again(ref: str, form: SaveDraftForm, grid: Grid, shown: _Shown) -> str:
    draft = ask(draft_page, viewer=current_viewer(), at=now(), ref=ref, model_numbers=grid.model_numbers())
    if draft.refused:
        raise Refusal(draft.refused)
    return _builder(draft, form, shown, is_unsaved=True)


def _after_save(ref: str) -> Response:
    """Go where the button that saved leads: the check, copying, a hint, or back to the builder."""
    action = request.form.get("action")
    number, _, need = request.form.get("ignore", "").partition(" ")
    if action == "check":
        return redirect(url_for("quotes.check_draft", ref=ref), 303)
    if action == "copy":
        return redirect(url_for("quotes.copy_lines", ref=ref), 303)
    if need:
        return redirect(url_for("quotes.ignore_hint", ref=ref, model_number=number, need=need), 303)
    flash("Saved.", "success")
    return redirect(url_for("quotes.edit_draft", ref=ref), 303)


def _is_stale() -> bool:
    refusal: Refusal | None = g.get("refusal")
    return refusal is not None and refusal.code == "stale_draft"


def _saved(ref: str, form: SaveDraftForm, *, is_autosave: bool = False) -> bool:
    return (
        submitted(
            form,
            save,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number_of(form.revision_number),
            draft_version=number_of(form.draft_version),
            account_number=form.account_number.data,
            note=form.note.data,
            lines=form.line_inputs(),
            services=form.service_inputs(),
            has_no_services=form.has_no_services.data,
            is_autosave=is_autosave,
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
        number, units = read_addition(pressed["add"])
        grid.add_line(number, units)
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


def _builder(draft: DraftPage, form: SaveDraftForm, shown: _Shown, *, is_unsaved: bool = False) -> str:
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
        hints=_hints(draft, rows),
        shown=shown,
        is_unsaved=is_unsaved,
    )


def _hints(draft: DraftPage, rows: list[tuple[Any, PricedLine]]) -> tuple[HintRow, ...]:
    """Return what the typed rows are short of."""
    return draft.catalogue.hints(
        (row.model_number.data or "", line.quantity) for row, line in rows if not row.remove.data
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
    return render_template(
        "quotes/_live.html", draft=draft, rows=rows, totals=totals, hints=_hints(draft, rows)
    )


# saving by itself, and two people at once -------------------------------------------------------


@blueprint.post("/quotes/<ref>/draft/autosave")
@needs(Permission.QUOTE_BUILD)
def autosave_draft(ref: str) -> tuple[dict[str, Any], int]:
    """Save what is typed, all of it or nothing, and answer what the page needs to go on: no page.

    The answer has the words for the status line; when saved also the new version and, by the row's number
    on the page, the id of each line, so that the next save carries the lines on.
    """
    grid = read_grid(request.form)
    numbers = {id(row): row.index for row in grid.lines}
    grid.drop_removed()
    shown_at = [numbers[id(row)] for row in grid.lines]
    form = SaveDraftForm(formdata=grid.fields())
    if form.validate_on_submit() and _saved(ref, form, is_autosave=True):
        state = ask(draft_state, viewer=current_viewer(), ref=ref)
        ids = dict(zip(map(str, shown_at), map(str, state.line_ids), strict=False))
        return {
            "state": "saved",
            "words": f"Saved {_clock()}",
            "draft_version": state.draft_version,
            "lines": ids,
        }, 200
    if _is_stale():
        last = ask(draft_state, viewer=current_viewer(), ref=ref).last_saved
        if last is not None and last.actor_id == current_viewer().user_id:
            words = "You saved this draft elsewhere while you worked on it here."
        else:
            who = last.name if last is not None and last.name else "Somebody"
            words = f"{who} saved this draft while you worked on it."
        return {"state": "conflict", "words": f"Not saved: {words}"}, form_status()
    return {"state": "unsaved", "words": f"Not saved: {faults(form, shown_at)}"}, form_status()


def _clock() -> str:
    local = now().astimezone(zone())
    return f"{local.hour % 12 or 12}:{local:%M:%S %p}"


def _side_by_side(
    ref: str, form: SaveDraftForm, grid: Grid, *, tried: bool = False
) -> Response | tuple[str, int]:
    """Show what was typed beside what is saved now; where both say the same there is nothing to choose."""
    draft = ask(draft_page, viewer=current_viewer(), at=now(), ref=ref)
    if draft.refused:
        raise Refusal(draft.refused)
    merge = merge_of(form, draft.page, request.form)
    if not merge.differs:
        flash("Saved: both drafts say the same.", "success")
        return redirect(url_for("quotes.edit_draft", ref=ref), 303)
    sent = [(name, text) for name, text in grid.fields().items(multi=True) if name not in NOT_KEPT]
    sent = [(name, text) for name, text in sent if not name.startswith("pick-")]
    return render_template(
        "quotes/merge_draft.html", draft=draft, page=draft.page, merge=merge, sent=sent, tried=tried
    ), 422 if tried else 409


@blueprint.post("/quotes/<ref>/draft/merge")
@needs(Permission.QUOTE_BUILD)
def merge_draft(ref: str) -> Response | tuple[str, int]:
    """Save the draft put together from mine and the saved one, line by line as chosen."""
    every = request.form.get("all", "")
    if every == SAVED:
        flash("What you typed is set aside. This is the saved draft.", "success")
        return redirect(url_for("quotes.edit_draft", ref=ref), 303)
    grid = read_grid(request.form)
    grid.drop_removed()
    form = SaveDraftForm(formdata=grid.fields())
    if not form.validate_on_submit():
        return _shown_again(ref, form, grid, _Shown()), form_status()
    draft = ask(draft_page, viewer=current_viewer(), at=now(), ref=ref)
    if draft.refused:
        raise Refusal(draft.refused)
    if draft.page.revision.draft_version != form.draft_version.data:
        return _side_by_side(ref, form, grid)
    merge = merge_of(form, draft.page, request.form, MINE if every == MINE else "")
    if merge.open:
        return _side_by_side(ref, form, grid, tried=True)
    merged = read_grid(merge.fields(grid.fields()))
    both = SaveDraftForm(formdata=merged.fields())
    if both.validate_on_submit() and _saved(ref, both):
        flash("Saved, put together as you chose.", "success")
        return redirect(url_for("quotes.edit_draft", ref=ref), 303)
    if _is_stale():
        return _side_by_side(ref, form, grid)
    return _shown_again(ref, both, merged, _Shown()), form_status()


# the check before submission --------------------------------------------------------------------


@blueprint.get("/quotes/<ref>/draft/check")
@needs(Permission.QUOTE_BUILD)
def check_draft(ref: str) -> Response | str:
    """Show the draft as the dealer will see it, with what is missing."""
    draft = ask(draft_page, viewer=current_viewer(), at=now(), ref=ref, against=number_asked_for("against"))
    if draft.refused:
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
    if draft.refused:
        raise Refusal(draft.refused)
    return _check(draft, form), form_status()


def _check(draft: DraftPage, form: SubmitRevisionForm) -> str:
    lines = [draft.pricing.line(row.line.model_number, row.line.quantity) for row in draft.page.lines]
    totals: DraftTotals = totals_of(draft.pricing, lines, draft.page.totals.services_cents)
    return render_template(
        "quotes/check_draft.html",
        draft=draft,
        page=draft.page,
        form=form,
        totals=totals,
        change_counts=count_changes(draft.page.changes),
    )
