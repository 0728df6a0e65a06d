"""Visits: the list with what to plan, one of them, planning, moving, cancelling, converting, signing off."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from uuid import uuid4

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from referral.clock import now
from referral.errors import Refusal
from referral.formkit import HouseForm
from referral.ids import PublicNumber, parse_public_number
from referral.listkit import Shown, read_filters, shown_list
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, form_status, needs, submitted
from support.forms.visits import (
    UNSCHEDULED,
    CancelVisitForm,
    ConvertVisitForm,
    FilterVisitsForm,
    MoveVisitForm,
    PlanVisitForm,
    SignOffVisitForm,
)
from support.operations.visits import plan_visit as plan_operation
from support.operations.visits_changing import cancel_visit as cancel_operation
from support.operations.visits_changing import move_visit as move_operation
from support.operations.visits_ending import convert_visit as convert_operation
from support.operations.visits_ending import sign_off_visit as sign_off_operation
from support.queries.visits import VISIT_STATE_WORDS, visits_page
from support.queries.visits_page import SlotPage, VisitPage, move_page, plan_page, visit_page
from support.queries.visits_to_plan import slot_key, slot_text, visits_to_plan
from support.views.blueprint import blueprint

Answer = Response | tuple[str, int]
ROWS_ON_TOP = 6
"""Of what is to plan, above the list of visits."""
VISIT_TABS: Mapping[str, str] = MappingProxyType(
    {"": "All", UNSCHEDULED: "Without a date"}
    | {state.value: words for state, words in VISIT_STATE_WORDS.items()}
)
KEY_USED = (
    "You sent this form before with other content, and that visit is planned. Look at the visits first."
)


@blueprint.get("/visits")
@needs(Permission.SUPPORT_VIEW)
def visits() -> str | tuple[str, int]:
    """List the visits the viewer may see, with what to plan this month above them."""
    form = read_filters(FilterVisitsForm, request.args)
    shown = shown_list("support.visits", form)
    if form.errors:
        return _list(shown, found=None, to_plan=None), 422
    if form.is_unscheduled:
        undated = ask(
            visits_to_plan, viewer=current_viewer(), at=now(), project=form.asked.project, after=shown.after
        )
        return _list(shown, found=None, to_plan=undated)
    found = ask(visits_page, viewer=current_viewer(), asked=form.asked, after=shown.after)
    is_plain = not shown.query and not shown.after
    to_plan = ask(visits_to_plan, viewer=current_viewer(), at=now(), limit=ROWS_ON_TOP) if is_plain else None
    return _list(shown, found=found, to_plan=to_plan)


@blueprint.get("/visits/<ref>")
@needs(Permission.SUPPORT_VIEW)
def show_visit(ref: str) -> str:
    """Show a visit: when, where, what for, what happened, what is next."""
    return _shown("support/show_visit.html", _page(ref))


@blueprint.get("/visits/<ref>/checklist")
@needs(Permission.SUPPORT_VIEW)
def visit_checklist(ref: str) -> str:
    """Show what is checked on a visit as a page to print."""
    return _shown("support/visit_checklist.html", _page(ref))


@blueprint.route("/agreements/<ref>/visits/plan", methods=["GET", "POST"])
@needs(Permission.VISIT_PLAN)
def plan_visit(ref: str) -> Answer:
    """Give a slot of the agreement its date."""
    said = request.form.get("slot", "") if request.method == "POST" else request.args.get("slot", "")
    page = ask(plan_page, viewer=current_viewer(), at=now(), ref=ref, key=slot_key(said))
    data = {"slot": slot_text(page.slot.key)} if page.slot else {}
    form = PlanVisitForm(data=data | {"idempotency_key": uuid4().hex})
    form.offer(page.sites, _purposes(page))
    if form.validate_on_submit():
        grant_key, contract_year, number = form.key
        visit = submitted(
            form,
            plan_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            grant_key=grant_key,
            contract_year=contract_year,
            slot=number,
            idempotency_key=form.idempotency_key.data,
            **form.said,
        )
        if visit is not None:
            number_ = parse_public_number(ref, "A")
            visit_ref = str(PublicNumber("V", number_.dealer_code if number_ else "", visit.number))
            flash(f"{visit_ref} is planned. Both sides are told by mail.", "success")
            return redirect(url_for("support.show_visit", ref=visit_ref), 303)
    refusal: Refusal | None = g.get("refusal")
    if refusal is not None and refusal.code == "idempotency_key_reused":
        form.form_errors = [KEY_USED]
        form.idempotency_key.data = uuid4().hex
    if refusal is not None and refusal.code in {"slot_taken", "no_slot_left"} and page.slot:
        form.slot.data = slot_text(page.slot.key)  # the page shows the next one
    return _dated("support/plan_visit.html", page, form), _status(form)


@blueprint.route("/visits/<ref>/move", methods=["GET", "POST"])
@needs(Permission.VISIT_PLAN)
def move_visit(ref: str) -> Answer:
    """Give a visit another date, site or purpose."""
    page = ask(move_page, viewer=current_viewer(), at=now(), ref=ref)
    visit = _page(ref)
    zoned = visit.local
    form = MoveVisitForm(
        data={
            "site_id": str(visit.visit.site_id),
            "day": zoned[0].date(),
            "starts": zoned[0].time(),
            "ends": zoned[1].time(),
            "purposes": list(visit.row.purposes),
            "words": visit.visit.words,
            "sequence": visit.visit.sequence,
        }
    )
    form.offer(page.sites, _purposes(page))
    if form.validate_on_submit():
        moved = submitted(
            form,
            move_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            sequence=form.sequence.data,
            **form.said,
        )
        if moved is not None:
            flash(f"{ref} is changed. Both sides are told by mail.", "success")
            return redirect(url_for("support.show_visit", ref=ref), 303)
    _guard_next(visit.is_dated or form.is_submitted(), visit)
    return _dated("support/move_visit.html", page, form), _status(form)


@blueprint.route("/visits/<ref>/cancel", methods=["GET", "POST"])
@needs(Permission.VISIT_PLAN)
def cancel_visit(ref: str) -> Answer:
    """Cancel a visit: its slot is free again."""
    page = _page(ref)
    form = CancelVisitForm(data={"sequence": page.visit.sequence})
    if form.validate_on_submit():
        done = submitted(
            form,
            cancel_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            sequence=form.sequence.data,
            reason=form.reason.data,
        )
        if done is not None:
            flash(f"{ref} is cancelled, and can be planned again. Both sides are told by mail.", "success")
            return redirect(url_for("support.show_visit", ref=ref), 303)
    _guard_next(page.is_dated or form.is_submitted(), page)
    return _shown("support/cancel_visit.html", page, form=form), _status(form)


@blueprint.route("/visits/<ref>/convert", methods=["GET", "POST"])
@needs(Permission.VISIT_PLAN)
def convert_visit(ref: str) -> Answer:
    """Change a visit for a remote session, which a service call is opened for."""
    page = _page(ref)
    form = ConvertVisitForm(data={"sequence": page.visit.sequence})
    if form.validate_on_submit():
        done = submitted(
            form,
            convert_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            sequence=form.sequence.data,
            problem=form.problem.data,
        )
        if done is not None:
            flash(f"{ref} is a remote session now: a service call is open for it.", "success")
            return redirect(url_for("support.show_visit", ref=ref), 303)
    _guard_next(page.may_convert or form.is_submitted(), page)
    return _shown("support/convert_visit.html", page, form=form), _status(form)


@blueprint.route("/visits/<ref>/sign-off", methods=["GET", "POST"])
@needs(Permission.VISIT_PLAN)
def sign_off_visit(ref: str) -> Answer:
    """Say what was done on a visit, and who signed for it."""
    page = _page(ref)
    form = SignOffVisitForm(data={"sequence": page.visit.sequence})
    form.offer(page.points)
    if form.validate_on_submit():
        done = submitted(
            form,
            sign_off_operation,
            actor=current_viewer(),
            at=now(),
            ref=ref,
            sequence=form.sequence.data,
            report=form.report.data,
            checked=form.ticked,
            signed_name=form.signed_name.data,
        )
        if done is not None:
            flash(f"{ref} is signed off. Its report stays as it is.", "success")
            return redirect(url_for("support.show_visit", ref=ref), 303)
    _guard_next(page.is_dated or form.is_submitted(), page)
    return _shown("support/sign_off_visit.html", page, form=form), _status(form)


def _page(ref: str) -> VisitPage:
    return ask(visit_page, viewer=current_viewer(), at=now(), ref=ref)


def _list(shown: Shown, **context: object) -> str:
    return render_template(
        "support/visits.html",
        shown=shown,
        tabs=VISIT_TABS,
        state_words=VISIT_STATE_WORDS,
        rows_on_top=ROWS_ON_TOP,
        now=now(),
        **context,
    )


def _shown(template: str, page: VisitPage, **context: object) -> str:
    return render_template(
        template, page=page, row=page.row, state_word=VISIT_STATE_WORDS[page.visit.state], **context
    )


def _dated(template: str, page: SlotPage, form: PlanVisitForm | MoveVisitForm) -> str:
    return render_template(template, page=page, row=page.row, form=form, slot_text=slot_text)


def _purposes(page: SlotPage) -> tuple[str, ...]:
    """Return what can be chosen: a follow-up has its own purpose."""
    return () if page.slot is None or page.slot.is_scheduled else page.slot.purposes


def _status(form: HouseForm) -> int:
    return form_status() if form.is_submitted() else 200


def _guard_next(is_next: bool, page: VisitPage) -> None:
    """Guard: this is a next step of the visit. Raises Refusal(not_pending)."""
    if not is_next:
        raise Refusal("not_pending", details={"state": page.visit.state.value})
