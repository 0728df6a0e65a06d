"""Pages of price lists: versions, items, import by preview, the search of the builder."""

from __future__ import annotations

from datetime import date
from pathlib import PurePath

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from quotes.forms.price_lists import (
    PreviewPriceListForm,
    PriceSheet,
    PublishPriceListForm,
    UploadPriceListForm,
    read_price_sheet,
)
from quotes.operations.price_lists import publish_price_list as publish
from quotes.queries.price_lists import (
    ItemChange,
    PriceListDiff,
    diff_price_list,
    items_page,
    price_lists_page,
)
from quotes.queries.price_lists import (
    search_items as find_items,
)
from quotes.views.blueprint import blueprint
from referral.clock import now
from referral.errors import Refusal
from referral.models import Upload
from referral.operations.records import keep_upload
from referral.permissions import Permission
from referral.queries.records import upload_of
from referral.text import clean_line, fold_model_number
from referral.webkit import ask, current_viewer, form_status, needs, show_refusal, submitted

PURPOSE = "price_list"
DIFF_ROWS = 500
"""Differences a preview shows of each kind; it counts them all."""
LONGEST_SEARCH = 200
CURRENCY_LENGTH = 3


@blueprint.get("/prices")
@needs(Permission.PRICE_LIST_VIEW)
def price_lists() -> str:
    """Show every version, newest first."""
    return render_template("quotes/price_lists.html", versions=ask(price_lists_page, at=now()))


@blueprint.get("/prices/<int(max=999999):version>")
@needs(Permission.PRICE_LIST_VIEW)
def show_price_list(version: int) -> str:
    """Show the items of a version, by model number, narrowed by words."""
    words = clean_line(request.args.get("words", ""))[:LONGEST_SEARCH]
    after = fold_model_number(clean_line(request.args.get("after", "")))
    page = ask(items_page, version=version, words=words, after=after)
    return render_template("quotes/show_price_list.html", page=page, words=words, after=after)


@blueprint.get("/prices/search")
@needs(Permission.PRICE_LIST_VIEW)
def search_items() -> str:
    """Show the items of today's list that fit the words, as a part of the builder's page."""
    words = clean_line(request.args.get("words", ""))[:LONGEST_SEARCH]
    currency = clean_line(request.args.get("currency", ""))[:CURRENCY_LENGTH]
    hits = ask(find_items, at=now(), words=words, currency=currency or None) if words else ()
    return render_template("quotes/_hits.html", hits=hits, words=words, is_part=True)


@blueprint.get("/prices/imports/new")
@needs(Permission.PRICE_LIST_PUBLISH)
def import_price_list() -> str:
    """Show the form for a price list file."""
    return render_template("quotes/import_price_list.html", form=UploadPriceListForm())


@blueprint.post("/prices/imports")
@needs(Permission.PRICE_LIST_PUBLISH)
def upload_price_list() -> Response | tuple[str, int]:
    """Keep a price list file for its preview; a file that cannot be read as a table is not kept."""
    form = UploadPriceListForm()
    if form.validate_on_submit():
        filename = clean_line(PurePath(form.file.data.filename.replace("\\", "/")).name)[:LONGEST_SEARCH]
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
                chosen = {
                    "valid_from": form.valid_from.data.isoformat(),
                    "currency": form.currency.data or None,
                }
                return redirect(url_for("quotes.preview_price_list", upload_id=upload.id, **chosen), 303)
    return render_template("quotes/import_price_list.html", form=form), form_status()


def _is_readable(form: UploadPriceListForm, content: bytes, filename: str) -> bool:
    try:
        read_price_sheet(content, filename)
    except Refusal as refusal:
        show_refusal(form, refusal)
        return False
    return True


@blueprint.get("/prices/imports/<upload_id>")
@needs(Permission.PRICE_LIST_PUBLISH)
def preview_price_list(upload_id: str) -> str | tuple[str, int]:
    """Show what a kept file would change, and every row that cannot be read. Nothing is written."""
    chosen = PreviewPriceListForm(request.args)
    upload = _upload(upload_id)
    if not chosen.validate():
        return render_template(
            "quotes/preview_price_list.html",
            upload=upload,
            chosen=chosen,
            sheet=read_price_sheet(upload.content, upload.filename),
            diff=None,
        ), 422
    form = PublishPriceListForm(data={"sha256": upload.sha256, **chosen.data})
    return _preview(upload, chosen, form)


@blueprint.post("/prices/imports/<upload_id>/publish")
@needs(Permission.PRICE_LIST_PUBLISH)
def publish_price_list(upload_id: str) -> Response | tuple[str, int]:
    """Make the previewed file the list of its first valid day on: all of it, or nothing."""
    form = PublishPriceListForm()
    upload = _upload(upload_id)
    sheet = read_price_sheet(upload.content, upload.filename)
    if form.validate_on_submit() and _is_publishable(form, upload, sheet):
        price_list = submitted(
            form,
            publish,
            actor=current_viewer(),
            at=now(),
            items=tuple(sheet.items.values()),
            valid_from=form.valid_from.data,
            source=upload.filename,
            source_sha256=upload.sha256,
            currency=form.currency.data or None,
        )
        if price_list is not None:
            flash(f"Price list {price_list.version} is published.", "success")
            return redirect(url_for("quotes.show_price_list", version=price_list.version), 303)
    chosen = PreviewPriceListForm(data={"valid_from": form.valid_from.data, "currency": form.currency.data})
    return _preview(upload, chosen, form), form_status()


def _is_publishable(form: PublishPriceListForm, upload: Upload, sheet: PriceSheet) -> bool:
    if form.sha256.data != upload.sha256:
        show_refusal(form, Refusal("file_changed"))
    elif sheet.problems:
        show_refusal(form, Refusal("file_has_errors", problems=sheet.problems))
    else:
        return True
    return False


def _upload(upload_id: str) -> Upload:
    return ask(upload_of, viewer=current_viewer(), upload_id=upload_id, purpose=PURPOSE)


def _preview(upload: Upload, chosen: PreviewPriceListForm, form: PublishPriceListForm) -> str:
    sheet = read_price_sheet(upload.content, upload.filename)
    day: date | None = form.valid_from.data
    currency = None if form.currency.errors else form.currency.data or None
    diff = None if day is None else ask(diff_price_list, items=sheet.items, valid_from=day, currency=currency)
    return render_template(
        "quotes/preview_price_list.html",
        upload=upload,
        chosen=chosen,
        form=form,
        sheet=sheet,
        diff=diff,
        kinds=_kinds(diff),
    )


def _kinds(diff: PriceListDiff | None) -> list[tuple[ItemChange, int, list[object]]]:
    """Return each kind of difference with its count and the rows shown of it."""
    if diff is None:
        return []
    kinds = []
    for kind in ItemChange:
        rows = [row for row in diff.changes if row.change is kind]
        kinds.append((kind, len(rows), list[object](rows[:DIFF_ROWS])))
    return kinds
