"""The JSON API of service calls."""

from __future__ import annotations

from dataclasses import asdict

from flask import url_for

from referral.apikit import idempotency_key
from referral.clock import now
from referral.db import write
from referral.ids import PublicNumber, parse_public_number
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from support.api.blueprint import CALL, Answer, Headers, Said, blueprint
from support.operations.calls import open_call as open_operation
from support.operations.calls_recording import Used
from support.operations.calls_recording import correct_call_event as correct_operation
from support.operations.calls_recording import record_call_event as record_operation
from support.queries.call_page import CallPage, call_page
from support.queries.calls import CallFilter, calls_page
from support.schemas import calls as schemas


@blueprint.get("/calls")
@needs(Permission.SUPPORT_VIEW)
@blueprint.arguments(schemas.ListCallsSchema, location="query")
@blueprint.response(200, schemas.CallsSchema)
@blueprint.refuses()
def list_calls(said: Said) -> Answer:
    """List service calls: open ones by what is due next, closed ones newest first."""
    asked = CallFilter(
        view=said["state"],
        priority=said["priority"],
        agreement=said["agreement"],
        source=said["source"],
    )
    page = ask(
        calls_page, viewer=current_viewer(), at=now(), asked=asked, after=said["after"], limit=said["limit"]
    )
    return {"items": page.rows, "next": page.after}


@blueprint.get(CALL)
@needs(Permission.SUPPORT_VIEW)
@blueprint.response(200, schemas.CallSchema)
@blueprint.refuses()
def show_call(ref: str) -> Answer:
    """See a call: what is owed as of now and why, what happened, and what it is entitled to."""
    return _call(ref)


@blueprint.post("/calls")
@needs(Permission.CALL_OPEN)
@blueprint.arguments(schemas.OpenCallSchema)
@blueprint.response(201, schemas.CallSchema)
@blueprint.refuses(
    "reason_required",
    "idempotency_key_missing",
    "idempotency_key_reused",
    "not_in_place",
    "agreement_not_active",
    "not_granted",
    keyed=True,
)
def open_call(said: Said) -> tuple[Answer, Headers]:
    """Open a call of a unit or at a site; what it is entitled to is worked out once, and kept."""
    call = write(
        open_operation,
        actor=current_viewer(),
        at=now(),
        source_ref=said["source"],
        site_ref=said["site"],
        platform=said["platform"],
        under=said["under"],
        problem=said["problem"],
        priority=said["priority"],
        happened_at=said["happened_at"],
        idempotency_key=idempotency_key(),
    )
    place = parse_public_number(said["source"], "U") or parse_public_number(
        said["site"].partition("/")[0], "R"
    )
    ref = str(PublicNumber("S", place.dealer_code if place else "", call.number))
    return _call(ref), {"Location": url_for("support_api.show_call", ref=ref)}


@blueprint.post(f"{CALL}/events")
@needs(Permission.CALL_OPEN)
@blueprint.arguments(schemas.RecordCallEventSchema)
@blueprint.response(201, schemas.CallSchema)
@blueprint.refuses(
    "stale_call",
    "reason_required",
    "call_closed",
    "call_paused",
    "call_not_paused",
    "never_paused",
    "not_pending",
    "event_fixed",
    "not_granted",
    "agreement_not_active",
    "not_eligible",
    "not_confirmed",
)
def record_call_event(said: Said, ref: str) -> Answer:
    """Record what happened to a call, now or earlier; everything due is worked out anew."""
    used = said.pop("used")
    write(
        record_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        used=None if used is None else Used(used["grant_key"], used["asked"]),
        **said,
    )
    return _call(ref)


@blueprint.post(f"{CALL}/events/<int:number>/correction")
@needs(Permission.CALL_WORK)
@blueprint.arguments(schemas.CorrectCallEventSchema)
@blueprint.response(201, schemas.CallSchema)
@blueprint.refuses("stale_call", "reason_required", "event_fixed")
def correct_call_event(said: Said, ref: str, number: int) -> Answer:
    """Say that an event was wrong: it stays, and counts no more."""
    write(correct_operation, actor=current_viewer(), at=now(), ref=ref, number=number, **said)
    return _call(ref)


def _call(ref: str) -> Answer:
    page = ask(call_page, viewer=current_viewer(), at=now(), ref=ref)
    return {
        **asdict(page.row),
        "event_count": page.call.event_count,
        "as_of": page.at,
        "obligations": _obligations(page),
        "events": page.events,
        "entitlement": page.entitlement,
        "next_kinds": page.next_kinds,
        "visit": page.visit_ref,
    }


def _obligations(page: CallPage) -> list[Answer]:
    return [
        {
            "key": each.due.key,
            "name": each.due.name,
            "status": each.due.status,
            "is_soft": each.due.is_soft,
            "started_at": each.due.started_at,
            "due_at": each.due.due_at,
            "remaining_seconds": None
            if each.due.remaining is None
            else int(each.due.remaining.total_seconds()),
            "decided_by": each.due.decided_by,
            "decided_at": each.due.decided_at,
            "why": each.why,
        }
        for each in page.dues
    ]
