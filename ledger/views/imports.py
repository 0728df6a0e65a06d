"""Importing a file: upload, preview, post; and the imports there have been."""

from __future__ import annotations

import io
from pathlib import PurePath

from flask import flash, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from ledger.forms.imports import (
    IMPORT_WORDS,
    PAGE_ROWS,
    REFUSED_COLUMNS,
    CreditSheet,
    PostCreditImportForm,
    UploadCreditImportForm,
    import_kind,
    open_credit_sheet,
    refused_cells,
)
from ledger.operations.import_runs import ImportReport, run_import
from ledger.queries.imports import CheckedImport, check_import, import_runs, refused_of_file
from ledger.states import EntryKind
from ledger.views.blueprint import blueprint
from referral.clock import now
from referral.errors import Refusal
from referral.models import Upload
from referral.money import format_cents
from referral.operations.records import keep_upload
from referral.permissions import Permission
from referral.queries.records import upload_of
from referral.sheetkit.writer import write_csv
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, show_refusal, submitted

PURPOSE = "credit_import"
LONGEST_NAME = 200


@blueprint.get("/credit/imports")
@needs(Permission.CREDIT_RECORD)
def credit_imports() -> str:
    """List the imports there have been, newest first."""
    return render_template("ledger/credit_imports.html", runs=ask(import_runs), words=IMPORT_WORDS)


@blueprint.route("/credit/imports/new", methods=["GET", "POST"])
@needs(Permission.CREDIT_RECORD)
def upload_credit_import() -> Response | tuple[str, int]:
    """Keep a file for its preview; one that cannot be read as a table is not kept."""
    form = UploadCreditImportForm()
    if form.validate_on_submit():
        filename = clean_line(PurePath(form.file.data.filename.replace("\\", "/")).name)[:LONGEST_NAME]
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
                return redirect(_preview_url(upload, import_kind(form.kind.data)), 303)
    status = form_status() if form.is_submitted() else 200
    return render_template("ledger/upload_credit_import.html", form=form, rows=PAGE_ROWS), status


def _is_readable(form: UploadCreditImportForm, content: bytes, filename: str) -> bool:
    """Walk through the whole file once: a row that breaks it off, or too many of them, is said now."""
    try:
        count = sum(1 for _ in open_credit_sheet(io.BytesIO(content), filename).lines())
        if count > PAGE_ROWS:
            words = (
                f"This file has {count:,} rows, and a page imports {PAGE_ROWS:,}. Use `flask ledger import`."
            )
            raise Refusal("file_too_large_or_not_a_workbook", words)
        if not count:
            raise Refusal("file_has_errors", "There are no rows below the headings.")
    except Refusal as refusal:
        show_refusal(form, Refusal(refusal.code, refusal.message, "file"))
        return False
    return True


@blueprint.get("/credit/imports/<upload_id>")
@needs(Permission.CREDIT_RECORD)
def preview_credit_import(upload_id: str) -> tuple[str, int]:
    """Show what a kept file would post, row by row what is refused, and what is posted already."""
    upload, kind = _upload(upload_id), import_kind(request.args.get("kind", ""))
    form = PostCreditImportForm(formdata=None, data={"sha256": upload.sha256, "kind": kind.value})
    return _preview(upload, kind, form, 200)


@blueprint.post("/credit/imports/<upload_id>")
@needs(Permission.CREDIT_RECORD)
def post_credit_import(upload_id: str) -> Response | tuple[str, int]:
    """Post the previewed file: all of it, or its good rows where that is chosen."""
    form = PostCreditImportForm()
    upload = _upload(upload_id)
    kind = import_kind(form.kind.data or "")
    report = _posted(form, upload, kind) if form.validate() else None
    if report is None:
        return _preview(upload, kind, form, form_status())
    words = f"Posted {report.posted:,} rows, {format_cents(report.amount_cents)}."
    if report.repeated:
        words += f" {report.repeated:,} were posted before."
    flash(words, "success")
    if report.refused:
        flash(f"{report.refused:,} refused rows are left out: see below.", "info")
        return redirect(_preview_url(upload, kind), 303)
    return redirect(url_for("ledger.credit_imports"), 303)


def _posted(form: PostCreditImportForm, upload: Upload, kind: EntryKind) -> ImportReport | None:
    """Return what was posted; a refusal stands in the form."""
    try:
        if form.sha256.data != upload.sha256:
            raise Refusal("file_changed")
        sheet = _sheet(upload)
        return run_import(
            actor=current_viewer(),
            clock=now,
            file=sheet.file,
            checked=_checked(sheet, kind),
            reason=form.reason.data,
            good_only=form.good_only.data,
        )
    except Refusal as refusal:
        words = f"{len(refusal.problems):,} cells cannot be taken: see below." if refusal.problems else ""
        show_refusal(form, Refusal(refusal.code, words or refusal.message, refusal.field))
        return None


@blueprint.get("/credit/imports/<upload_id>/refused")
@needs(Permission.CREDIT_RECORD)
def refused_credit_rows(upload_id: str) -> Response:
    """Send the refused rows of a kept file with their reasons, as CSV."""
    upload, kind = _upload(upload_id), import_kind(request.args.get("kind", ""))
    lines = ask(refused_of_file, at=now(), file=_sheet(upload).file, kind=kind)
    out = io.BytesIO()
    write_csv(out, REFUSED_COLUMNS, map(refused_cells, lines))
    out.seek(0)
    name = f"refused-{PurePath(upload.filename).stem[:60]}.csv"
    return send_file(out, mimetype="text/csv", as_attachment=True, download_name=name)


def _upload(upload_id: str) -> Upload:
    return ask(upload_of, viewer=current_viewer(), upload_id=upload_id, purpose=PURPOSE)


def _sheet(upload: Upload) -> CreditSheet:
    return open_credit_sheet(io.BytesIO(upload.content), upload.filename)


def _checked(sheet: CreditSheet, kind: EntryKind) -> CheckedImport:
    return ask(check_import, at=now(), file=sheet.file, kind=kind)


def _preview_url(upload: Upload, kind: EntryKind) -> str:
    return url_for("ledger.preview_credit_import", upload_id=upload.id, kind=kind.value)


def _preview(upload: Upload, kind: EntryKind, form: PostCreditImportForm, status: int) -> tuple[str, int]:
    sheet = _sheet(upload)
    return render_template(
        "ledger/preview_credit_import.html",
        upload=upload,
        sheet=sheet,
        checked=_checked(sheet, kind),
        kind=kind,
        words=IMPORT_WORDS,
        form=form,
    ), status
