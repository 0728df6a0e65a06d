"""The pages of the ledger: credit, statements, posting by hand, levels, the year's workbook."""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import TemporaryFile
from uuid import uuid4

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from ledger.forms import LEVELS_MAX, AdjustCreditForm, RecordOtherPurchaseForm, SetLevelsForm
from ledger.operations import entries
from ledger.operations import levels as level_operations
from ledger.queries.credit import OwnCredit, credit_page, levels_page, posting_form
from ledger.queries.credit import statement as statement_query
from ledger.sheets import WORKBOOK_TYPE, filename_of, write_year
from ledger.states import ACCOUNT_WORDS, TOTAL_KINDS, AccountKind
from referral.clock import now
from referral.errors import Refusal
from referral.money import format_cents
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, form_status, needs, submitted

blueprint = Blueprint("ledger", __name__)

KEY_USED = (
    "You sent this form before with other content, and that is posted. Look at the statement; "
    "send this again only if it is to be posted as well."
)


def _year_asked() -> int | None:
    """Return the year the address asks for, None where it asks for none. Raises Refusal(not_found)."""
    text = request.args.get("year", "")
    if text and not (text.isascii() and text.isdigit() and len(text) == 4):
        raise Refusal("not_found")
    return int(text) if text else None


def _dealer_asked() -> str:
    return clean_line(request.args.get("dealer", ""))


def _account_asked() -> AccountKind:
    text = request.args.get("account", AccountKind.SALES_CREDIT.value)
    for kind in TOTAL_KINDS:
        if kind.value == text:
            return kind
    raise Refusal("not_found")


def _sequence_asked() -> int:
    text = request.args.get("after", "") or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Refusal("not_found")
    return int(text)


@blueprint.get("/credit")
@needs(Permission.CREDIT_VIEW)
def credit() -> str:
    """Show a dealer its own credit, the program its year."""
    page = ask(
        credit_page,
        viewer=current_viewer(),
        at=now(),
        program_year=_year_asked(),
        dealer_code=_dealer_asked(),
    )
    template = "ledger/credit.html" if isinstance(page, OwnCredit) else "ledger/year.html"
    return render_template(template, page=page)


@blueprint.get("/credit/<dealer_code>/<int:year>")
@needs(Permission.CREDIT_VIEW)
def statement(dealer_code: str, year: int) -> str:
    """Show the postings of a dealer's account with the balance after each."""
    found = ask(
        statement_query,
        viewer=current_viewer(),
        at=now(),
        dealer_code=clean_line(dealer_code),
        program_year=year,
        account_kind=_account_asked(),
        after=_sequence_asked(),
    )
    return render_template(
        "ledger/statement.html", statement=found, page=found.page, words=ACCOUNT_WORDS, kinds=TOTAL_KINDS
    )


@blueprint.get("/credit/export")
@needs(Permission.CREDIT_EXPORT)
def export_year() -> Response:
    """Send a program year as a workbook."""
    at = now()
    year = _year_asked()
    if year is None:
        raise Refusal("not_found")
    with ExitStack() as stack:
        out = stack.enter_context(TemporaryFile())
        ask(
            write_year,
            viewer=current_viewer(),
            at=at,
            program_year=year,
            dealer_code=_dealer_asked(),
            sheets=current_app.extensions["year_sheets"],
            out=out,
        )
        size = out.tell()
        out.seek(0)
        answer = send_file(
            out,
            mimetype=WORKBOOK_TYPE,
            as_attachment=True,
            download_name=filename_of(year, _dealer_asked()),
        )
        answer.content_length = size
        stack.pop_all()
    return answer


# posting by hand --------------------------------------------------------------------------------


@blueprint.route("/credit/other-purchases", methods=["GET", "POST"])
@needs(Permission.CREDIT_RECORD)
def record_other_purchase() -> Response | tuple[str, int]:
    """Record a purchase outside referrals."""
    form = RecordOtherPurchaseForm(dealer_code=_dealer_asked(), idempotency_key=uuid4().hex)
    if form.validate_on_submit():
        entry = submitted(
            form,
            entries.record_other_purchase,
            actor=current_viewer(),
            at=now(),
            dealer_code=form.dealer_code.data,
            purchased_on=form.purchased_on.data,
            amount_cents=form.amount_cents.data or 0,
            document=form.document.data,
            reason=form.reason.data,
            idempotency_key=form.idempotency_key.data,
        )
        if entry is not None:
            flash(f"Recorded {format_cents(entry.amount_cents)} as other purchases.", "success")
            return _to_statement(form.dealer_code.data, entry.effective_on.year, AccountKind.OTHER_PURCHASES)
    return _posting_page("ledger/record_other_purchase.html", form)


@blueprint.route("/credit/adjustments", methods=["GET", "POST"])
@needs(Permission.CREDIT_RECORD)
def adjust_credit() -> Response | tuple[str, int]:
    """Post an adjustment of a dealer's sales credit."""
    form = AdjustCreditForm(dealer_code=_dealer_asked(), idempotency_key=uuid4().hex)
    if form.validate_on_submit():
        entry = submitted(
            form,
            entries.adjust_credit,
            actor=current_viewer(),
            at=now(),
            dealer_code=form.dealer_code.data,
            effective_on=form.effective_on.data,
            amount_cents=form.amount_cents.data or 0,
            reason=form.reason.data,
            idempotency_key=form.idempotency_key.data,
        )
        if entry is not None:
            flash(f"Posted an adjustment of {format_cents(entry.amount_cents)}.", "success")
            return _to_statement(form.dealer_code.data, entry.effective_on.year, AccountKind.SALES_CREDIT)
    return _posting_page("ledger/adjust_credit.html", form)


def _to_statement(dealer_code: str, year: int, kind: AccountKind) -> Response:
    account = None if kind is AccountKind.SALES_CREDIT else kind.value
    return redirect(url_for("ledger.statement", dealer_code=dealer_code, year=year, account=account), 303)


def _posting_page(template: str, form: RecordOtherPurchaseForm | AdjustCreditForm) -> tuple[str, int]:
    """Draw a form that posts by hand: empty, or again with what was refused."""
    page = ask(posting_form, viewer=current_viewer(), at=now())
    form.dealer_code.choices = [("", "Choose a dealer"), *((each.code, each.name) for each in page.dealers)]
    status = form_status() if form.is_submitted() else 200
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "idempotency_key_reused":
        form.form_errors = [KEY_USED]
        form.idempotency_key.data = uuid4().hex
    return render_template(template, form=form, page=page), status


# levels -----------------------------------------------------------------------------------------


@blueprint.get("/levels")
@needs(Permission.SETTING_VIEW)
def levels() -> str:
    """List the levels of every year."""
    return render_template("ledger/levels.html", page=ask(levels_page, at=now()))


@blueprint.route("/levels/<int:level_year>", methods=["GET", "POST"])
@needs(Permission.SETTING_CHANGE)
def set_levels(level_year: int) -> Response | tuple[str, int]:
    """Set the levels of one year; what held before stays readable."""
    form = SetLevelsForm()
    if form.validate_on_submit():
        row = submitted(
            form,
            level_operations.set_levels,
            actor=current_viewer(),
            at=now(),
            level_year=level_year,
            levels=form.steps(),
            reason=form.reason.data,
            source=form.source.data,
        )
        if row is not None:
            flash(f"The levels of {level_year} are set.", "success")
            return redirect(url_for("ledger.levels"), 303)
        form.form_errors += form.levels.errors  # said of all rows together, so of none below
        form.levels.errors = []
    page = ask(levels_page, at=now(), level_year=level_year)
    if not form.is_submitted():
        for row, step in zip(form.levels.entries, page.nearest(level_year)[:LEVELS_MAX], strict=False):
            row.form.name.data, row.form.threshold_cents.data = step.name, step.threshold_cents
    status = form_status() if form.is_submitted() else 200
    return render_template("ledger/set_levels.html", form=form, page=page, level_year=level_year), status
