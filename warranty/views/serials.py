"""Importing serial numbers and days of a project's sources from a file: upload, preview, import, how far it is."""

from __future__ import annotations

import io
from pathlib import PurePath

from flask import flash, redirect, render_template, send_file, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.models import Upload
from referral.operations.records import keep_upload
from referral.permissions import Permission
from referral.queries.records import upload_of
from referral.sheetkit.writer import write_csv
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, show_refusal, submitted
from warranty.forms.serials import (
    PAGE_ROWS,
    REFUSED_COLUMNS,
    ContinueSerialImportForm,
    ImportSerialsForm,
    SerialSheet,
    UploadSerialsForm,
    open_serial_sheet,
    refused_cells,
)
from warranty.operations.serial_imports import go_on_with_serials, start_serial_import
from warranty.queries.serials import (
    CheckedSerials,
    SerialProgress,
    SerialsPage,
    check_serials,
    refused_serials,
    serial_progress,
    serials_page,
)
from warranty.views.blueprint import blueprint
from warranty.views.events import Answer

PURPOSE = "serials"
LONGEST_NAME = 200


def _page(ref: str) -> SerialsPage:
    return ask(serials_page, viewer=current_viewer(), ref=ref)


@blueprint.get("/referrals/<ref>/serials")
@blueprint.post("/referrals/<ref>/serials")
@needs(Permission.SOURCE_RECORD)
def import_serials(ref: str) -> Answer:
    """Keep a file of serial numbers for its preview; one that cannot be read as a table is not kept."""
    page, form = _page(ref), UploadSerialsForm()
    if form.validate_on_submit():
        name = PurePath(form.file.data.filename.replace("\\", "/")).name
        filename = clean_line(name)[:LONGEST_NAME] or "file"
        content = form.file.data.read()
        if _is_readable(form, content, filename):
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
                return redirect(url_for("warranty.preview_serials", ref=ref, upload_id=upload.id), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("warranty/import_serials.html", page=page, form_=form, rows=PAGE_ROWS), status


def _is_readable(form: UploadSerialsForm, content: bytes, filename: str) -> bool:
    """Walk through the whole file once: a row that breaks it off, or too many of them, is said now."""
    try:
        count = sum(1 for _ in open_serial_sheet(io.BytesIO(content), filename).lines())
        if count > PAGE_ROWS:
            words = f"This file has {count:,} rows, and {PAGE_ROWS:,} are taken at once. Split it."
            raise Refusal("file_too_large_or_not_a_workbook", words)
        if not count:
            raise Refusal("file_has_errors", "There are no rows below the headings.")
    except Refusal as refusal:
        show_refusal(form, Refusal(refusal.code, refusal.message, "file"))
        return False
    return True


def _upload(upload_id: str) -> Upload:
    return ask(upload_of, viewer=current_viewer(), upload_id=upload_id, purpose=PURPOSE)


def _sheet(upload: Upload) -> SerialSheet:
    return open_serial_sheet(io.BytesIO(upload.content), upload.filename)


def _checked(ref: str, sheet: SerialSheet) -> CheckedSerials:
    return ask(check_serials, viewer=current_viewer(), at=now(), ref=ref, file=sheet.file)


def _progress(ref: str, upload: Upload) -> SerialProgress | None:
    return ask(serial_progress, viewer=current_viewer(), ref=ref, sha256=upload.sha256)


@blueprint.get("/referrals/<ref>/serials/<upload_id>")
@needs(Permission.SOURCE_RECORD)
def preview_serials(ref: str, upload_id: str) -> Answer:
    """Show what a kept file says of which unit, and row by row what is refused. Nothing is written."""
    upload = _upload(upload_id)
    form = ImportSerialsForm(formdata=None, data={"sha256": upload.sha256})
    return _preview(ref, upload, form, 200)


def _preview(ref: str, upload: Upload, form: ImportSerialsForm, status: int) -> tuple[str, int]:
    sheet = _sheet(upload)
    return render_template(
        "warranty/preview_serials.html",
        page=_page(ref),
        upload=upload,
        sheet=sheet,
        checked=_checked(ref, sheet),
        progress=_progress(ref, upload),
        form_=form,
    ), status


@blueprint.post("/referrals/<ref>/serials/<upload_id>")
@needs(Permission.SOURCE_RECORD)
def start_serials(ref: str, upload_id: str) -> Answer:
    """Begin to import the previewed file: all of it, or its good rows where that is chosen."""
    upload, form = _upload(upload_id), ImportSerialsForm()
    if form.validate() and _is_started(ref, upload, form):
        return redirect(url_for("warranty.serials_progress", ref=ref, upload_id=upload.id), 303)
    return _preview(ref, upload, form, form_status())


def _is_started(ref: str, upload: Upload, form: ImportSerialsForm) -> bool:
    try:
        if form.sha256.data != upload.sha256:
            raise Refusal("file_changed")
        sheet = _sheet(upload)
        start_serial_import(
            actor=current_viewer(),
            clock=now,
            ref=ref,
            file=sheet.file,
            checked=_checked(ref, sheet),
            good_only=form.good_only.data,
        )
    except Refusal as refusal:
        if refusal.code in {"forbidden", "not_found"}:
            raise
        words = "Rows are refused: see below. Mend them, or import the good rows alone."
        show_refusal(form, Refusal(refusal.code, words if refusal.problems else refusal.message))
        return False
    return True


@blueprint.get("/referrals/<ref>/serials/<upload_id>/progress")
@needs(Permission.SOURCE_RECORD)
def serials_progress(ref: str, upload_id: str) -> Answer:
    """Show how far the import of a file is."""
    return _progress_page(ref, _upload(upload_id), ContinueSerialImportForm(formdata=None), 200)


def _progress_page(ref: str, upload: Upload, form: ContinueSerialImportForm, status: int) -> Answer:
    progress = _progress(ref, upload)
    if progress is None:
        return redirect(url_for("warranty.preview_serials", ref=ref, upload_id=upload.id), 303)
    return render_template(
        "warranty/import_serials_progress.html", page=_page(ref), upload=upload, progress=progress, form_=form
    ), status


@blueprint.post("/referrals/<ref>/serials/<upload_id>/progress")
@needs(Permission.SOURCE_RECORD)
def continue_serials(ref: str, upload_id: str) -> Answer:
    """Take in the next rows of an import that is under way, also one that was stopped."""
    upload, form = _upload(upload_id), ContinueSerialImportForm()
    progress = _progress(ref, upload)
    if progress is not None and not progress.is_finished and form.validate():
        try:
            go_on_with_serials(
                actor=current_viewer(),
                clock=now,
                ref=ref,
                file=_sheet(upload).file,
                walked=progress.walked_count,
            )
        except Refusal as refusal:
            if refusal.code in {"forbidden", "not_found"}:
                raise
            flash("Something changed since the preview: rows are refused now. See below.", "error")
            return redirect(url_for("warranty.preview_serials", ref=ref, upload_id=upload.id), 303)
    return redirect(url_for("warranty.serials_progress", ref=ref, upload_id=upload.id), 303)


@blueprint.get("/referrals/<ref>/serials/<upload_id>/refused")
@needs(Permission.SOURCE_RECORD)
def refused_serial_rows(ref: str, upload_id: str) -> Response:
    """Send the refused rows of a kept file with their reasons, as CSV."""
    upload = _upload(upload_id)
    lines = ask(refused_serials, viewer=current_viewer(), at=now(), ref=ref, file=_sheet(upload).file)
    out = io.BytesIO()
    write_csv(out, REFUSED_COLUMNS, map(refused_cells, lines))
    out.seek(0)
    name = f"refused-{PurePath(upload.filename).stem[:60]}.csv"
    return send_file(out, mimetype="text/csv", as_attachment=True, download_name=name)
