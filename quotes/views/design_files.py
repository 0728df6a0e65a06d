"""Design files of a quote: the list, attaching, removing, and the file itself."""

from __future__ import annotations

import io

from flask import flash, redirect, render_template, send_file, url_for
from werkzeug.wrappers import Response

from quotes.forms.bills import AttachDesignFileForm
from quotes.operations.design_files import attach_design_file as attach
from quotes.operations.design_files import remove_design_file as remove
from quotes.queries.design_files import design_file_content, design_files_page
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.db import write
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, form_status, needs, submitted


@blueprint.get("/quotes/<ref>/files")
@needs(Permission.QUOTE_BUILD)
def design_files(ref: str) -> Response | str:
    """Show the design files of the draft, where one is attached or removed."""
    page = ask(design_files_page, viewer=current_viewer(), ref=ref)
    if page.refused:
        return redirect(url_for("quotes.show_quote", ref=ref), 303)
    return render_template("quotes/design_files.html", page=page, form=AttachDesignFileForm())


@blueprint.post("/quotes/<ref>/files")
@needs(Permission.QUOTE_BUILD)
def attach_design_file(ref: str) -> Response | tuple[str, int]:
    """Attach a file to the draft, with its digest."""
    page = ask(design_files_page, viewer=current_viewer(), ref=ref)
    if page.refused:
        raise Refusal(page.refused)
    form = AttachDesignFileForm()
    if form.validate_on_submit():
        filename, content = form.content()
        file = submitted(
            form, attach, actor=current_viewer(), at=now(), ref=ref, filename=filename, content=content
        )
        if file is not None:
            flash(f"{file.filename} is attached.", "success")
            return redirect(url_for("quotes.design_files", ref=ref), 303)
    return render_template("quotes/design_files.html", page=page, form=form), form_status()


@blueprint.post("/quotes/<ref>/files/<file_id>/remove")
@needs(Permission.QUOTE_BUILD)
def remove_design_file(ref: str, file_id: str) -> Response:
    """Take a file off the draft; earlier revisions keep it."""
    write(remove, actor=current_viewer(), at=now(), ref=ref, file_id=file_id)
    flash("The file is taken off this draft.", "success")
    return redirect(url_for("quotes.design_files", ref=ref), 303)


@blueprint.get("/quotes/<ref>/files/<file_id>")
@needs(Permission.QUOTE_VIEW)
def download_design_file(ref: str, file_id: str) -> Response:
    """Send a design file to whoever may see its revision, after its digest is checked."""
    filename, content = ask(design_file_content, viewer=current_viewer(), ref=ref, file_id=file_id)
    return send_file(
        io.BytesIO(content), mimetype="application/octet-stream", as_attachment=True, download_name=filename
    )
