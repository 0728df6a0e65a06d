"""The JSON API of visits."""

from __future__ import annotations

from dataclasses import asdict

from flask import url_for

from referral.apikit import idempotency_key
from referral.clock import now
from referral.db import write
from referral.ids import PublicNumber, parse_public_number
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from support.api.blueprint import AGREEMENT, VISIT, Answer, Headers, Said, blueprint
from support.operations.visits import plan_visit as plan_operation
from support.operations.visits_changing import cancel_visit as cancel_operation
from support.operations.visits_changing import move_visit as move_operation
from support.operations.visits_ending import convert_visit as convert_operation
from support.operations.visits_ending import sign_off_visit as sign_off_operation
from support.queries.visits import VisitFilter, VisitRow, visits_page
from support.queries.visits_page import visit_page
from support.queries.visits_to_plan import visits_to_plan
from support.schemas import visits as schemas


@blueprint.get("/visits")
@needs(Permission.SUPPORT_VIEW)
@blueprint.arguments(schemas.ListVisitsSchema, location="query")
@blueprint.response(200, schemas.VisitsSchema)
@blueprint.refuses()
def list_visits(said: Said) -> Answer:
    """List visits: those that are planned the next first, others the last first."""
    asked = VisitFilter(state=said["state"], month=said["month"], project=said["project"])
    page = ask(visits_page, viewer=current_viewer(), asked=asked, after=said["after"], limit=said["limit"])
    return {"items": [_row(row) for row in page.rows], "next": page.after}


@blueprint.get("/visits-to-plan")
@needs(Permission.SUPPORT_VIEW)
@blueprint.arguments(schemas.ListVisitsToPlanSchema, location="query")
@blueprint.response(200, schemas.VisitsToPlanSchema)
@blueprint.refuses()
def list_visits_to_plan(said: Said) -> Answer:
    """List what has no date in contract years that run, and scheduled work that is due, by agreement."""
    page = ask(
        visits_to_plan,
        viewer=current_viewer(),
        at=now(),
        project=said["project"],
        after=said["after"],
        limit=said["limit"],
    )
    items = [
        asdict(row) | {"grant_key": row.key[0], "contract_year": row.key[1], "slot": row.key[2]}
        for row in page.rows
    ]
    return {"items": items, "next": page.after}


@blueprint.get(VISIT)
@needs(Permission.SUPPORT_VIEW)
@blueprint.response(200, schemas.VisitSchema)
@blueprint.refuses()
def show_visit(ref: str) -> Answer:
    """See a visit with its checklist, its report and its history."""
    return _visit(ref)


@blueprint.post(f"{AGREEMENT}/visits")
@needs(Permission.VISIT_PLAN)
@blueprint.arguments(schemas.PlanVisitSchema)
@blueprint.response(201, schemas.VisitSchema)
@blueprint.refuses(
    "agreement_not_active",
    "idempotency_key_missing",
    "idempotency_key_reused",
    "no_slot_left",
    "not_confirmed",
    "not_eligible",
    "not_granted",
    "outside_hours",
    "slot_taken",
    keyed=True,
)
def plan_visit(said: Said, ref: str) -> tuple[Answer, Headers]:
    """Give a slot of an agreement its date, within the service hours of the site."""
    visit = write(
        plan_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        idempotency_key=idempotency_key(),
        **said,
    )
    number = parse_public_number(ref, "A")
    visit_ref = str(PublicNumber("V", number.dealer_code if number else "", visit.number))
    return _visit(visit_ref), {"Location": url_for("support_api.show_visit", ref=visit_ref)}


@blueprint.post(f"{VISIT}/move")
@needs(Permission.VISIT_PLAN)
@blueprint.arguments(schemas.MoveVisitSchema)
@blueprint.response(200, schemas.VisitSchema)
@blueprint.refuses(
    "agreement_not_active",
    "no_slot_left",
    "not_confirmed",
    "not_eligible",
    "not_pending",
    "outside_hours",
    "stale_visit",
)
def move_visit(said: Said, ref: str) -> Answer:
    """Give a visit another date in its contract year."""
    write(move_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _visit(ref)


@blueprint.post(f"{VISIT}/cancellation")
@needs(Permission.VISIT_PLAN)
@blueprint.arguments(schemas.CancelVisitSchema)
@blueprint.response(200, schemas.VisitSchema)
@blueprint.refuses("not_pending", "reason_required", "stale_visit")
def cancel_visit(said: Said, ref: str) -> Answer:
    """Cancel a visit: its slot is free again."""
    write(cancel_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _visit(ref)


@blueprint.post(f"{VISIT}/conversion")
@needs(Permission.VISIT_PLAN)
@blueprint.arguments(schemas.ConvertVisitSchema)
@blueprint.response(200, schemas.VisitSchema)
@blueprint.refuses(
    "agreement_not_active", "no_slot_left", "not_granted", "not_pending", "reason_required", "stale_visit"
)
def convert_visit(said: Said, ref: str) -> Answer:
    """In an emergency, change a visit for a remote session: a service call is open for it, the visit is used up."""
    write(convert_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _visit(ref)


@blueprint.post(f"{VISIT}/sign-off")
@needs(Permission.VISIT_PLAN)
@blueprint.arguments(schemas.SignOffVisitSchema)
@blueprint.response(200, schemas.VisitSchema)
@blueprint.refuses("agreement_not_active", "no_slot_left", "not_pending", "reason_required", "stale_visit")
def sign_off_visit(said: Said, ref: str) -> Answer:
    """Say what was done, what was checked, and who signed for the customer; it never changes after that."""
    write(sign_off_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _visit(ref)


def _row(row: VisitRow) -> Answer:
    return asdict(row) | {"when": row.when}


def _visit(ref: str) -> Answer:
    page = ask(visit_page, viewer=current_viewer(), at=now(), ref=ref)
    visit = page.visit
    return {
        **_row(page.row),
        "site_id": visit.site_id,
        "words": visit.words,
        "checklist": page.points,
        "checked": visit.checked,
        "report": visit.report,
        "signed_name": visit.signed_name,
        "done_at": visit.done_at,
        "is_billable": page.is_billable,
        "closing_words": visit.closing_words,
        "call": page.call_ref,
        "history": page.history,
    }
