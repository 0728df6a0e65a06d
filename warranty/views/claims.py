"""Warranty claims: the list, one of them, opening, deciding, fulfilling, taking back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from uuid import uuid4

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.ids import PublicNumber, parse_public_number
from referral.listkit import read_filters, shown_list
from referral.permissions import Permission
from referral.text import say_day
from referral.webkit import ask, current_viewer, form_status, needs, submitted
from warranty.forms.claims import (
    ACCEPT,
    REPLACE,
    DecideClaimForm,
    FilterClaimsForm,
    FulfilClaimForm,
    OpenClaimForm,
    SwapClaimForm,
    WithdrawClaimForm,
)
from warranty.operations import claims as operations
from warranty.operations.claims_deciding import decide_claim as decide_operation
from warranty.operations.claims_fulfilling import fulfil_claim as fulfil_operation
from warranty.operations.claims_fulfilling import swap_claim as swap_operation
from warranty.queries.claims import claims_page
from warranty.queries.claims_page import ClaimPage, claim_page, claimable_source
from warranty.rules.wording import MEND_WORDS, VERDICT_WORDS, say_answer
from warranty.views.blueprint import blueprint

Answer = Response | tuple[str, int]
CLAIM_TABS: Mapping[str, str] = MappingProxyType(
    {
        "": "All",
        "open": "To decide",
        "accepted": "To fulfil",
        "fulfilled": "Fulfilled",
        "refused": "Refused",
        "withdrawn": "Withdrawn",
    }
)
KEY_USED = "You sent this form before with other content, and that claim is open. Look at your claims first."


@blueprint.get("/claims")
@needs(Permission.SOURCE_VIEW)
def claims() -> str | tuple[str, int]:
    """List the claims the viewer may see, newest first, narrowed by the address."""
    form = read_filters(FilterClaimsForm, request.args)
    shown = shown_list("warranty.claims", form)
    if form.errors:
        return render_template("warranty/claims.html", shown=shown, tabs=CLAIM_TABS, found=None), 422
    found = ask(claims_page, viewer=current_viewer(), asked=form.asked, after=shown.after)
    return render_template("warranty/claims.html", shown=shown, tabs=CLAIM_TABS, found=found)


@blueprint.get("/claims/<ref>")
@needs(Permission.SOURCE_VIEW)
def show_claim(ref: str) -> str:
    """Show a claim: what failed, what coverage answers, what happened, what is next."""
    return _shown("warranty/show_claim.html", _page(ref))


@blueprint.route("/sources/<ref>/claim", methods=["GET", "POST"])
@needs(Permission.CLAIM_OPEN)
def open_claim(ref: str) -> Answer:
    """Open a claim of units of this source."""
    form = OpenClaimForm(idempotency_key=uuid4().hex)
    if form.validate_on_submit():
        claim = submitted(
            form,
            operations.open_claim,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            quantity=form.quantity.data,
            problem=form.problem.data,
            failed_on=form.failed_on.data,
            idempotency_key=form.idempotency_key.data,
        )
        if claim is not None:
            number = parse_public_number(ref, "U")
            claim_ref = str(PublicNumber("C", number.dealer_code if number else "", claim.number))
            flash(f"{claim_ref} is open. Both sides are told by mail.", "success")
            return redirect(url_for("warranty.show_claim", ref=claim_ref), 303)
    source = ask(claimable_source, viewer=current_viewer(), at=now(), ref=ref)
    if not form.is_submitted() and source.quantity == 1:
        form.quantity.data = 1
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "idempotency_key_reused":
        form.form_errors = [KEY_USED]
        form.idempotency_key.data = uuid4().hex
    status = form_status() if form.is_submitted() else 200
    return render_template("warranty/open_claim.html", form=form, source=source), status


@blueprint.route("/claims/<ref>/decide", methods=["GET", "POST"])
@needs(Permission.CLAIM_DECIDE)
def decide_claim(ref: str) -> Answer:
    """Accept or refuse a claim by the coverage answer of now, which is kept."""
    form = DecideClaimForm()
    if form.validate_on_submit():
        claim = submitted(
            form,
            decide_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            is_accepted=form.decision.data == ACCEPT,
            reason=form.reason.data,
        )
        if claim is not None:
            flash(f"{ref} is {claim.state.value}. The dealer is told by mail.", "success")
            return redirect(url_for("warranty.show_claim", ref=ref), 303)
    page = _page(ref)
    _guard_next(page.is_to_decide or form.is_submitted(), page)
    form.reason.flags.optional = False  # it is asked for where the page shows it
    return _shown("warranty/decide_claim.html", page, form=form), _status(form)


@blueprint.route("/claims/<ref>/fulfil", methods=["GET", "POST"])
@needs(Permission.CLAIM_DECIDE)
def fulfil_claim(ref: str) -> Answer:
    """Order the replacement of an accepted claim, or say how it was made good without one."""
    form = FulfilClaimForm()
    if not form.is_submitted():
        form.how.data = REPLACE
    if form.validate_on_submit():
        claim = submitted(
            form,
            fulfil_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            is_replaced=form.how.data == REPLACE,
            words=form.words.data,
            swapped_on=form.swapped_on.data,
        )
        if claim is not None:
            done = (
                f"Replacement {claim.replacement_number} is ordered. The dealer’s sales credit stays as it is."
                if claim.replacement_number
                else f"{ref} is fulfilled without a replacement. The dealer is told by mail."
            )
            flash(done, "success")
            return redirect(url_for("warranty.show_claim", ref=ref), 303)
    page = _page(ref)
    _guard_next(page.is_to_fulfil or form.is_submitted(), page)
    return _shown("warranty/fulfil_claim.html", page, form=form), _status(form)


@blueprint.route("/claims/<ref>/swap", methods=["GET", "POST"])
@needs(Permission.CLAIM_DECIDE)
def swap_claim(ref: str) -> Answer:
    """Say on which day the replacement took the failed one's place."""
    form = SwapClaimForm()
    if form.validate_on_submit():
        claim = submitted(
            form,
            swap_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            swapped_on=form.swapped_on.data,
        )
        if claim is not None:
            words = f"The new one is in place since {say_day(form.swapped_on.data)}, with the rest of the warranty."
            flash(words, "success")
            return redirect(url_for("warranty.show_claim", ref=ref), 303)
    page = _page(ref)
    _guard_next((page.may_decide and page.is_to_swap) or form.is_submitted(), page)
    return _shown("warranty/swap_claim.html", page, form=form), _status(form)


@blueprint.route("/claims/<ref>/withdraw", methods=["GET", "POST"])
@needs(Permission.CLAIM_OPEN)
def withdraw_claim(ref: str) -> Answer:
    """Take a claim back."""
    form = WithdrawClaimForm()
    if form.validate_on_submit():
        claim = submitted(
            form,
            operations.withdraw_claim,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            reason=form.reason.data,
        )
        if claim is not None:
            flash(f"{ref} is withdrawn. Both sides are told by mail.", "success")
            return redirect(url_for("warranty.show_claim", ref=ref), 303)
    page = _page(ref)
    _guard_next(page.may_withdraw or form.is_submitted(), page)
    return _shown("warranty/withdraw_claim.html", page, form=form), _status(form)


def _page(ref: str) -> ClaimPage:
    return ask(claim_page, viewer=current_viewer(), at=now(), ref=ref)


def _shown(template: str, page: ClaimPage, **context: object) -> str:
    coverage = page.answer.coverage
    return render_template(
        template,
        page=page,
        row=page.row,
        verdict_words=VERDICT_WORDS[coverage.verdict],
        sentences=say_answer(coverage),
        mend_words=MEND_WORDS[coverage.lacking] if coverage.lacking else "",
        **context,
    )


def _status(form: DecideClaimForm | FulfilClaimForm | SwapClaimForm | WithdrawClaimForm) -> int:
    return form_status() if form.is_submitted() else 200


def _guard_next(is_next: bool, page: ClaimPage) -> None:
    """Guard: this is the next step of the claim. Raises Refusal(not_pending)."""
    if not is_next:
        raise Refusal("not_pending", details={"state": page.claim.state.value})
