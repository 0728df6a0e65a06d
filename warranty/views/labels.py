"""Labels of a project's sources as sheets to be printed."""

from __future__ import annotations

import io

import segno
from flask import current_app, render_template, request, url_for
from markupsafe import Markup

from referral.listkit import readable_filters
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from warranty.forms.coverage import WITH_SERIAL, ChooseLabelsForm
from warranty.queries.labels import LabelFilter, label_sheet
from warranty.views.blueprint import blueprint


@blueprint.get("/referrals/<ref>/labels")
@needs(Permission.SOURCE_VIEW)
def source_labels(ref: str) -> str:
    """Show the labels of what is in place in a project, on sheets of thirty; each opens its source."""
    form = readable_filters(ChooseLabelsForm, request.args)
    asked = LabelFilter(
        room=form.room.data or None,
        only_serials=form.serial.data == WITH_SERIAL,
        after=form.past.data or 0,
    )
    sheet = ask(label_sheet, viewer=current_viewer(), ref=ref, asked=asked)
    codes = {label.ref: Markup(_qr(_address(label.ref))) for label in sheet.labels}  # noqa: S704 - drawn from an address of this site
    return render_template("warranty/source_labels.html", sheet=sheet, form=form, codes=codes)


def _address(ref: str) -> str:
    """Return where a label leads: under the set address, else under this request's host."""
    base = str(current_app.config.get("BASE_URL") or request.host_url).rstrip("/")
    return base + url_for("warranty.scan_source", ref=ref)


def _qr(address: str) -> str:
    """Return a QR code as SVG, black on white, without a size of its own."""
    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, nl=False, light="#fff", border=2, omitsize=True
    )
    return out.getvalue().decode()
