"""Pages beside the builder: copying lines from another quote, setting a hint aside."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from quotes.forms.draft_tools import CopyLinesForm, IgnoreHintForm
from quotes.operations.copies import copy_lines as copy
from quotes.operations.hints import heed_hint as heed
from quotes.operations.hints import ignore_hint as ignore
from quotes.queries.copies import CopyPage, copy_page
from quotes.queries.drafts import DraftPage, draft_page
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import clean_line, fold_model_number
from referral.webkit import ask, current_viewer, form_status, needs, submitted

LONGEST_SEARCH = 200
LONGEST_NEED = 60


# copying ----------------------------------------------------------------------------------------


@blueprint.get("/quotes/<ref>/draft/copy")
@needs(Permission.QUOTE_BUILD)
def copy_lines(ref: str) -> Response | str:
    """Show the account's quotes to copy from; of a chosen one, its lines at today's prices."""
    words = clean_line(request.args.get("words", ""))[:LONGEST_SEARCH]
    source = clean_line(request.args.get("source", ""))[:LONGEST_SEARCH]
    number = request.args.get("revision", "")
    page = _copy_page(
        ref, words, source, int(number) if number.isascii() and number.isdigit() and len(number) < 7 else None
    )
    return _show_copy(page, _copy_form(page), words)


@blueprint.post("/quotes/<ref>/draft/copy")
@needs(Permission.QUOTE_BUILD)
def copy_lines_here(ref: str) -> Response | tuple[str, int]:
    """Copy the lines of the chosen revision into the draft: all of them, or on purpose the good ones."""
    form = CopyLinesForm()
    if form.validate_on_submit():
        copied = submitted(
            form,
            copy,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            draft_version=form.draft_version.data,
            source_ref=form.source.data,
            source_revision=form.source_revision.data,
            replaces=form.replaces.data,
            good_only=form.good_only.data,
        )
        if copied is not None:
            lines = "1 line was" if copied.copied == 1 else f"{copied.copied} lines were"
            flash(f"{lines} copied from {form.source.data}, at the prices of today.", "success")
            if copied.left_out:
                flash(f"Left out, not on today's list: {', '.join(copied.left_out)}.", "warning")
            return redirect(url_for("quotes.edit_draft", ref=ref), 303)
    page = _copy_page(ref, "", form.source.data or "", form.source_revision.data)
    form.draft_version.process(None, page.draft.page.revision.draft_version)
    return _show_copy(page, form, ""), form_status()


def _copy_page(ref: str, words: str, source: str, number: int | None) -> CopyPage:
    return ask(
        copy_page,
        viewer=current_viewer(),
        at=now(),
        ref=ref,
        words=words,
        source=source,
        revision_number=number,
    )


def _copy_form(page: CopyPage) -> CopyLinesForm | None:
    if page.chosen is None:
        return None
    return CopyLinesForm(
        formdata=None,
        data={
            "source": page.chosen.ref,
            "source_revision": page.chosen.revision,
            "draft_version": page.draft.page.revision.draft_version,
        },
    )


def _show_copy(page: CopyPage, form: CopyLinesForm | None, words: str) -> str:
    return render_template(
        "quotes/copy_lines.html", copy=page, draft=page.draft, page=page.draft.page, form=form, words=words
    )


# hints ------------------------------------------------------------------------------------------


@blueprint.get("/quotes/<ref>/draft/hint")
@needs(Permission.QUOTE_BUILD)
def ignore_hint(ref: str) -> str:
    """Show one hint of the draft, to set it aside with a reason or to take that back."""
    return _hint(ref, None)


@blueprint.post("/quotes/<ref>/draft/hint")
@needs(Permission.QUOTE_BUILD)
def ignore_hint_here(ref: str) -> Response | tuple[str, int]:
    """Set a hint aside with a reason that both sides see."""
    form = IgnoreHintForm()
    number, need = _named()
    if form.validate_on_submit():
        submitted(
            form,
            ignore,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            model_number=number,
            need=need,
            reason=form.reason.data,
        )
        if not form.errors:
            flash(f"{need.capitalize()} for {number}: set aside. The dealer sees your reason.", "success")
            return redirect(url_for("quotes.edit_draft", ref=ref), 303)
    return _hint(ref, form), form_status()


@blueprint.post("/quotes/<ref>/draft/hint/heed")
@needs(Permission.QUOTE_BUILD)
def heed_hint(ref: str) -> Response:
    """Take back that a hint is set aside."""
    number, need = _named()
    write(heed, actor=current_viewer(), at=now(), ref=ref, model_number=number, need=need)
    flash(f"{need.capitalize()} for {number} is pointed out again.", "success")
    return redirect(url_for("quotes.edit_draft", ref=ref), 303)


def _named() -> tuple[str, str]:
    """Return the model number and the need that the address names."""
    number = fold_model_number(clean_line(request.args.get("model_number", "")))[:LONGEST_NEED]
    return number, clean_line(request.args.get("need", ""))[:LONGEST_NEED]


def _hint(ref: str, form: IgnoreHintForm | None) -> str:
    number, need = _named()
    draft: DraftPage = ask(draft_page, viewer=current_viewer(), at=now(), ref=ref)
    if draft.refused:
        raise Refusal(draft.refused)
    row = next((row for row in draft.hints if (row.hint.model_number, row.hint.need) == (number, need)), None)
    ignored = draft.catalogue.ignored.get((number, need))
    if row is None and ignored is None:
        raise Refusal("not_found")
    return render_template(
        "quotes/ignore_hint.html",
        draft=draft,
        page=draft.page,
        row=row,
        number=number,
        need=need,
        ignored=ignored,
        form=form or IgnoreHintForm(data={"reason": ignored.reason if ignored else ""}),
    )
