"""Saying something about a revision or one of its lines."""

from __future__ import annotations

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for

from quotes.forms.remarks import AddRemarkForm
from quotes.operations import remarks as operations
from quotes.queries.quotes import LineRow, QuotePage, quote_page
from quotes.views.blueprint import blueprint
from quotes.views.review import Answer
from referral.clock import now
from referral.errors import Refusal
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, submitted


@blueprint.get("/quotes/<ref>/revisions/<int(max=999999):number>/remark")
@blueprint.post("/quotes/<ref>/revisions/<int(max=999999):number>/remark")
@needs(Permission.QUOTE_REMARK)
def add_remark(ref: str, number: int) -> Answer:
    """Ask what is to be said about a revision or a line of it; say it to the other side."""
    if request.method != "POST":
        return _ask(ref, number)
    form = AddRemarkForm()
    remark = None
    if form.validate():
        remark = submitted(
            form,
            operations.add_remark,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            revision_number=number,
            line_id=_line_id(form.line_id.data),
            text=form.text.data,
        )
    if remark is None:
        page = _page(ref, number)
        line = _line(page, form.line_id.data)
        return render_template("quotes/add_remark.html", page=page, line=line, form=form), form_status()
    flash("Your remark is in the thread, and the other side gets a mail.", "success")
    return redirect(url_for("quotes.show_quote", ref=ref, revision=number, _anchor="thread"), 303)


def _ask(ref: str, number: int) -> Answer:
    page = _page(ref, number)
    if page.state == "draft":
        raise Refusal("not_found")
    line_id = clean_line(request.args.get("line", ""))
    line = _line(page, line_id)
    if line_id and line is None:
        raise Refusal("not_found")
    is_missing = line is not None and "missing" in request.args
    data = {
        "line_id": "" if line is None else str(line.line.line_id),
        "text": f"Missing in {line.line.room or 'this part'}: " if is_missing and line is not None else "",
    }
    form = AddRemarkForm(formdata=None, data=data)
    return render_template("quotes/add_remark.html", page=page, line=line, form=form)


def _page(ref: str, number: int) -> QuotePage:
    return ask(quote_page, viewer=current_viewer(), at=now(), ref=ref, revision_number=number)


def _line_id(text: str) -> UUID | None:
    """Return the line that is meant. Raises Refusal(not_on_revision) for what names none."""
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise Refusal("not_on_revision") from None


def _line(page: QuotePage, text: str | None) -> LineRow | None:
    return next((row for row in page.lines if str(row.line.line_id) == text), None)
