"""A submitted revision on paper: a page to print, and a PDF."""

from __future__ import annotations

import io

import segno
from flask import current_app, render_template, request, send_file, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from quotes.queries.papers import SERVICE_WORDS, revision_paper
from quotes.sheets.revision_pdf import SAME_PAGE, PaperSize, verdict, write_revision_pdf
from quotes.views.blueprint import blueprint
from referral.errors import Refusal
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, format_instant, needs

PAPERS = {"letter": PaperSize.LETTER, "a4": PaperSize.A4}


@blueprint.get("/quotes/<ref>/revisions/<int(max=999999):number>/print")
@needs(Permission.QUOTE_VIEW)
def print_revision(ref: str, number: int) -> str:
    """Show a submitted revision on one page, to be printed, with its digest and the way back to it."""
    paper = ask(revision_paper, viewer=current_viewer(), ref=ref, revision_number=number)
    address = _address(ref, number)
    return render_template(
        "quotes/print_revision.html",
        paper=paper,
        verdict=verdict(paper, format_instant),
        service_words=SERVICE_WORDS,
        same_page=SAME_PAGE,
        address=address,
        qr=Markup(_qr(address)),  # noqa: S704 - drawn from an address of this site
    )


@blueprint.get("/quotes/<ref>/revisions/<int(max=999999):number>.pdf")
@needs(Permission.QUOTE_VIEW)
def save_revision_pdf(ref: str, number: int) -> Response:
    """Send a submitted revision as a PDF: the same bytes while its state is the same. `paper` is letter or a4."""
    size = PAPERS.get(request.args.get("paper", "letter"))
    if size is None:
        raise Refusal("not_found")
    paper = ask(revision_paper, viewer=current_viewer(), ref=ref, revision_number=number)
    address = _address(ref, number)
    content = write_revision_pdf(
        paper, address=address, qr_svg=_qr(address), size=size, say_instant=format_instant
    )
    name = f"{ref}-revision-{number}-{paper.content_code}.pdf"
    return send_file(io.BytesIO(content), mimetype="application/pdf", as_attachment=True, download_name=name)


def _address(ref: str, number: int) -> str:
    """Return where the revision is found on the web: under the set address, else under this request's host."""
    base = str(current_app.config.get("BASE_URL") or request.host_url).rstrip("/")
    return base + url_for("quotes.show_quote", ref=ref, revision=number)


def _qr(address: str) -> str:
    """Return a QR code as SVG, black on white, without a size of its own."""
    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, nl=False, light="#fff", border=2, omitsize=True
    )
    return out.getvalue().decode()
