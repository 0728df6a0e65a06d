"""Taking back one entry."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ledger.forms.corrections import ReverseEntryForm
from ledger.operations import reversals
from ledger.queries.reversals import reversal_page
from ledger.states import ACCOUNT_WORDS
from ledger.views.asked import account_named
from ledger.views.blueprint import blueprint
from referral.clock import now
from referral.money import format_cents
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, submitted


@blueprint.route(
    "/credit/<dealer_code>/<int:year>/<account>/<int(max=999999999):sequence>/reverse",
    methods=["GET", "POST"],
)
@needs(Permission.CREDIT_RECORD)
def reverse_entry(dealer_code: str, year: int, account: str, sequence: int) -> Response | tuple[str, int]:
    """Show what taking back an entry does, and do it."""
    said: dict[str, Any] = {
        "dealer_code": clean_line(dealer_code),
        "program_year": year,
        "account_kind": account_named(account),
        "sequence": sequence,
    }
    form = ReverseEntryForm(idempotency_key=uuid4().hex)
    if form.validate_on_submit():
        posted = submitted(
            form,
            reversals.reverse_entry,
            actor=current_viewer(),
            at=now(),
            effective_on=form.effective_on.data,
            reason=form.reason.data,
            idempotency_key=form.idempotency_key.data,
            **said,
        )
        if posted is not None:
            flash(f"The entry is taken back: {format_cents(posted.amount_cents)} is posted.", "success")
            place: dict[str, Any] = {
                "dealer_code": said["dealer_code"],
                "year": posted.program_year,
                "account": account,
            }
            return redirect(url_for("ledger.entry", **place, sequence=posted.sequence), 303)
    page = ask(reversal_page, viewer=current_viewer(), at=now(), **said)
    if request.method == "GET":
        form.effective_on.data = page.today if page.moves_on else page.earliest
    status = form_status() if form.is_submitted() else 200
    return render_template("ledger/reverse_entry.html", page=page, form=form, words=ACCOUNT_WORDS), status
