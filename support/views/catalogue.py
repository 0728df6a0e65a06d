"""Pages of loading the service catalogue: take a file, see what becomes new, load it."""

from __future__ import annotations

from pathlib import PurePath

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.models import Upload
from referral.operations.records import keep_upload
from referral.permissions import Permission
from referral.queries.records import upload_of
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, show_refusal, submitted
from support.forms.catalogue import LoadCatalogueForm, UploadCatalogueForm
from support.operations import catalogue as operations
from support.queries.catalogue_pages import count_entries, preview_catalogue
from support.rules.catalogue import SECTIONS, Change
from support.schemas.catalogue import FILE_BYTES, SHIPPED, read_catalogue
from support.views.blueprint import blueprint

PURPOSE = "catalogue"
LONGEST_NAME = 200
Answer = Response | tuple[str, int]


@blueprint.get("/support/load")
@blueprint.post("/support/load")
@needs(Permission.SETTING_CHANGE)
def load_catalogue() -> Answer:
    """Keep a catalogue for its preview: a file, or the shipped one. One that cannot be loaded is not kept."""
    form = UploadCatalogueForm()
    if form.validate_on_submit():
        filename, content = _sent(form)
        if _changes(form, content) is not None:
            upload = submitted(
                form,
                keep_upload,
                actor=current_viewer(),
                at=now(),
                purpose=PURPOSE,
                filename=filename,
                content=content,
            )
            if upload is not None:
                return redirect(url_for("support.preview_load", upload_id=upload.id), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template(
        "support/load_catalogue.html", form_=form, counts=ask(count_entries), sections=SECTIONS
    ), status


@blueprint.get("/support/load/<upload_id>")
@blueprint.post("/support/load/<upload_id>")
@needs(Permission.SETTING_CHANGE)
def preview_load(upload_id: str) -> Answer:
    """Show what a kept file makes new, and load it with a reason."""
    upload: Upload = ask(upload_of, viewer=current_viewer(), upload_id=upload_id, purpose=PURPOSE)
    form = LoadCatalogueForm(data={"sha256": upload.sha256})
    if form.validate_on_submit():
        if form.sha256.data != upload.sha256:
            show_refusal(form, Refusal("file_changed"))
        else:
            changes = submitted(
                form,
                operations.load_catalogue,
                actor=current_viewer(),
                at=now(),
                catalogue=read_catalogue(upload.content),
                reason=form.reason.data,
            )
            if changes is not None:
                flash(_said(changes), "success")
                return redirect(url_for("support.offers"), 303)
    status = form_status() if form.is_submitted() else 200
    changes = _changes(form, upload.content)
    return render_template(
        "support/preview_catalogue.html", form_=form, upload=upload, changes=changes or ()
    ), status


def _sent(form: UploadCatalogueForm) -> tuple[str, bytes]:
    """Return the name and content of what was sent; of the shipped file where its button was pressed."""
    if "shipped" in request.form:
        return f"{SHIPPED.name}, as shipped", SHIPPED.read_bytes()
    if not form.file.data:
        return "", b""
    name = PurePath(form.file.data.filename.replace("\\", "/")).name
    return clean_line(name)[:LONGEST_NAME] or "file", form.file.data.read(FILE_BYTES + 1)


def _changes(form: UploadCatalogueForm | LoadCatalogueForm, content: bytes) -> tuple[Change, ...] | None:
    """Return what a file would make new; None where it cannot be loaded, which stands on the form then."""
    try:
        if not content:
            raise Refusal("invalid_input", "Choose a file.", "file")
        return ask(preview_catalogue, catalogue=read_catalogue(content))
    except Refusal as refusal:
        show_refusal(form, refusal)
        return None


def _said(changes: tuple[Change, ...]) -> str:
    if not changes:
        return "Nothing is new: the catalogue says all of this already."
    return "1 entry became new." if len(changes) == 1 else f"{len(changes)} entries became new."
