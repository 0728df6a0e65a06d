"""Importing a bill of material into a draft: paste or upload, preview with its verdicts, import."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from flask import flash, redirect, render_template, request, send_file, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from quotes.forms.bill_files import (
    Reading,
    columns_to_keep,
    find_reading,
    heading_digests,
    open_bill,
    read_bill,
)
from quotes.forms.bills import (
    REFUSED_COLUMNS,
    REPLACE,
    ChosenBill,
    ImportBillForm,
    ReadBillForm,
    UploadBillForm,
    import_data,
    refused_cells,
)
from quotes.forms.builder import number_of
from quotes.operations.bills import BillColumns, BillSource, lines_of_bill
from quotes.operations.bills import import_bill as import_lines
from quotes.queries.bills import BillDraft, CheckedBill, bill_draft, bill_mappings, check_bill
from quotes.rules.bills import COLUMN_WORDS
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.errors import Refusal
from referral.models import Upload
from referral.operations.records import keep_upload
from referral.permissions import Permission
from referral.queries.records import upload_of
from referral.sheetkit.table import Table, column_letters
from referral.sheetkit.writer import write_csv
from referral.webkit import ask, current_viewer, form_status, needs, show_refusal, submitted

PURPOSE = "bill"
SHOWN = 200
"""Rows of each kind that a preview shows; it counts them all."""
ORIGIN_WORDS = {
    "headings": "by its headings",
    "content": "by what stands in the first rows",
    "remembered": "as your company did with the last file of these headings",
    "chosen": "as you chose",
}


@blueprint.get("/quotes/<ref>/bill")
@needs(Permission.QUOTE_BUILD)
def upload_bill(ref: str) -> Response | str:
    """Show where rows are pasted or a file is dropped."""
    draft = ask(bill_draft, viewer=current_viewer(), at=now(), ref=ref)
    if draft.refused:
        return redirect(url_for("quotes.show_quote", ref=ref), 303)
    return render_template("quotes/upload_bill.html", draft=draft, form=UploadBillForm())


@blueprint.post("/quotes/<ref>/bill")
@needs(Permission.QUOTE_BUILD)
def keep_bill(ref: str) -> Response | tuple[str, int]:
    """Keep what was pasted or uploaded for its preview; what cannot be read as a table is not kept."""
    draft = _draft(ref)
    form = UploadBillForm()
    if form.validate_on_submit():
        filename, content = form.content()
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
                return redirect(url_for("quotes.preview_bill", ref=ref, upload_id=upload.id), 303)
    return render_template("quotes/upload_bill.html", draft=draft, form=form), form_status()


def _draft(ref: str) -> BillDraft:
    draft = ask(bill_draft, viewer=current_viewer(), at=now(), ref=ref)
    if draft.refused:
        raise Refusal(draft.refused)
    return draft


def _is_readable(form: UploadBillForm, content: bytes, filename: str) -> bool:
    try:
        open_bill(content, filename)
    except Refusal as refusal:
        field = "pasted" if form.has_text else "file"
        show_refusal(form, Refusal(refusal.code, refusal.message, field))
        return False
    return True


@dataclass(frozen=True)
class _Bill:
    """A kept file as it is read now, with the verdict over its rows; None where a column is missing."""

    upload: Upload
    table: Table
    reading: Reading
    chosen: ChosenBill
    checked: CheckedBill | None
    missing: str
    """What is to be said before rows can be read."""

    @property
    def query(self) -> Mapping[str, str]:
        return self.chosen.query(self.reading, self.table)

    @property
    def columns(self) -> BillColumns:
        return BillColumns(*columns_to_keep(self.table, self.reading))


def _bill(ref: str, upload_id: str, fields: MultiDict[str, str]) -> _Bill:
    viewer = current_viewer()
    upload: Upload = ask(upload_of, viewer=viewer, upload_id=upload_id, purpose=PURPOSE)
    chosen = ChosenBill(fields)
    table = open_bill(upload.content, upload.filename, chosen.sheet)
    remembered = ask(bill_mappings, viewer=viewer, digests=heading_digests(table))
    reading = find_reading(table, chosen.said(table), remembered)
    try:
        file = read_bill(table, reading, upload.filename)
    except Refusal as refusal:
        return _Bill(upload, table, reading, chosen, None, refusal.message)
    checked = ask(
        check_bill, viewer=viewer, at=now(), ref=ref, file=file, chosen=chosen.uses, adds_up=chosen.add_up
    )
    return _Bill(upload, table, reading, chosen, checked, "")


@blueprint.get("/quotes/<ref>/bill/<upload_id>")
@needs(Permission.QUOTE_BUILD)
def preview_bill(ref: str, upload_id: str) -> Response | tuple[str, int]:
    """Show how a kept file is read and the verdict over its rows. Nothing is written."""
    draft = ask(bill_draft, viewer=current_viewer(), at=now(), ref=ref)
    if draft.refused:
        return redirect(url_for("quotes.show_quote", ref=ref), 303)
    bill = _bill(ref, upload_id, request.args)
    data = {} if bill.checked is None else import_data(bill.checked, bill.upload.sha256)
    return _preview(draft, bill, ImportBillForm(formdata=None, data=data), 200)


def _preview(draft: BillDraft, bill: _Bill, form: ImportBillForm, status: int) -> tuple[str, int]:
    read_form = ReadBillForm(formdata=None, data={"add_up": bill.chosen.add_up})
    read_form.offer(bill.table, bill.reading)
    if bill.checked is not None:
        form.offer(bill.checked)
    return render_template(
        "quotes/preview_bill.html",
        draft=draft,
        bill=bill,
        upload=bill.upload,
        checked=bill.checked,
        read_form=read_form,
        form=form,
        shown=SHOWN,
        found=[
            (COLUMN_WORDS[column], column_letters(bill.reading.columns[column]))
            for column in COLUMN_WORDS
            if column in bill.reading.columns
        ],
        origin=ORIGIN_WORDS[bill.reading.origin],
    ), status


@blueprint.post("/quotes/<ref>/bill/<upload_id>")
@needs(Permission.QUOTE_BUILD)
def import_bill(ref: str, upload_id: str) -> Response | tuple[str, int]:
    """Import the previewed file: all of its rows, or its good ones where that is chosen."""
    draft = _draft(ref)
    bill = _bill(ref, upload_id, request.form)
    if request.form.get("action") == "check" or bill.checked is None:
        query: dict[str, Any] = dict(bill.query)
        return redirect(url_for("quotes.preview_bill", ref=ref, upload_id=upload_id, **query), 303)
    form = ImportBillForm()
    form.offer(bill.checked)
    if form.validate() and _is_imported(ref, form, bill, bill.checked):
        left = bill.checked.refused_count
        flash(f"{len(bill.checked.lines):,} lines of {bill.upload.filename} are in the draft.", "success")
        if left:
            flash(f"{left:,} refused {'row is' if left == 1 else 'rows are'} left out.", "info")
        return redirect(url_for("quotes.edit_draft", ref=ref), 303)
    return _preview(draft, bill, form, form_status())


def _is_imported(ref: str, form: ImportBillForm, bill: _Bill, checked: CheckedBill) -> bool:
    try:
        if form.sha256.data != bill.upload.sha256:
            raise Refusal("file_changed")
        lines = lines_of_bill(checked, good_only=form.good_only.data)
    except Refusal as refusal:
        words = "Rows are refused: see below. Mend them, or import the good rows alone."
        show_refusal(form, Refusal(refusal.code, words if refusal.problems else refusal.message))
        return False
    revision = submitted(
        form,
        import_lines,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=number_of(form.revision_number),
        draft_version=number_of(form.draft_version),
        lines=lines,
        replaces=form.placement.data == REPLACE,
        source=BillSource(
            bill.upload.filename, bill.upload.sha256, bill.upload.id if form.attach.data else None
        ),
        columns=bill.columns,
        left_behind=checked.refused_count,
    )
    return revision is not None


@blueprint.get("/quotes/<ref>/bill/<upload_id>/refused")
@needs(Permission.QUOTE_BUILD)
def refused_bill_rows(ref: str, upload_id: str) -> Response:
    """Send the refused rows of a kept file with their reasons, as CSV."""
    bill = _bill(ref, upload_id, request.args)
    if bill.checked is None:
        raise Refusal("file_has_errors", bill.missing)
    out = io.BytesIO()
    write_csv(out, REFUSED_COLUMNS, map(refused_cells, bill.checked.refused))
    out.seek(0)
    name = f"refused-{PurePath(bill.upload.filename).stem[:60]}.csv"
    return send_file(out, mimetype="text/csv", as_attachment=True, download_name=name)
