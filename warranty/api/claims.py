"""The JSON API of warranty claims."""

from __future__ import annotations

from dataclasses import asdict

from flask import url_for

from referral.apikit import idempotency_key
from referral.clock import now
from referral.db import write
from referral.ids import PublicNumber, parse_public_number
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs
from warranty.api.blueprint import CLAIM, SOURCE, Answer, Headers, Said, blueprint
from warranty.operations.claims import open_claim as open_claim_operation
from warranty.operations.claims import withdraw_claim as withdraw_claim_operation
from warranty.operations.claims_deciding import decide_claim as decide_claim_operation
from warranty.operations.claims_fulfilling import fulfil_claim as fulfil_claim_operation
from warranty.operations.claims_fulfilling import swap_claim as swap_claim_operation
from warranty.queries.claims import ClaimFilter, claims_page
from warranty.queries.claims_page import claim_page
from warranty.schemas import claims as schemas


@blueprint.get("/claims")
@needs(Permission.SOURCE_VIEW)
@blueprint.arguments(schemas.ListClaimsSchema, location="query")
@blueprint.response(200, schemas.ClaimsSchema)
@blueprint.refuses()
def list_claims(said: Said) -> Answer:
    """List warranty claims, newest first."""
    asked = ClaimFilter(state=said["state"])
    page = ask(claims_page, viewer=current_viewer(), asked=asked, after=said["after"], limit=said["limit"])
    return {"items": page.rows, "next": page.after}


@blueprint.get(CLAIM)
@needs(Permission.SOURCE_VIEW)
@blueprint.response(200, schemas.ClaimSchema)
@blueprint.refuses()
def show_claim(ref: str) -> Answer:
    """See a claim with its coverage answer: as of now while it is open, kept once it is decided."""
    return _claim(ref)


@blueprint.post(f"{SOURCE}/claims")
@needs(Permission.CLAIM_OPEN)
@blueprint.arguments(schemas.OpenClaimSchema)
@blueprint.response(201, schemas.ClaimSchema)
@blueprint.refuses(
    "reason_required",
    "idempotency_key_missing",
    "idempotency_key_reused",
    "not_in_place",
    "claim_open",
    keyed=True,
)
def open_claim(said: Said, ref: str) -> tuple[Answer, Headers]:
    """Claim a failure of units of an installed source; fewer than a group has are taken out of it."""
    claim = write(
        open_claim_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        idempotency_key=idempotency_key(),
        **said,
    )
    number = parse_public_number(ref, "U")
    claim_ref = str(PublicNumber("C", number.dealer_code if number else "", claim.number))
    return _claim(claim_ref), {"Location": url_for("warranty_api.show_claim", ref=claim_ref)}


@blueprint.post(f"{CLAIM}/decision")
@needs(Permission.CLAIM_DECIDE)
@blueprint.arguments(schemas.DecideClaimSchema)
@blueprint.response(200, schemas.ClaimSchema)
@blueprint.refuses("not_pending", "reason_required", "coverage_undetermined")
def decide_claim(said: Said, ref: str) -> Answer:
    """Accept or refuse a claim; the coverage answer of this instant is kept for ever."""
    write(decide_claim_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _claim(ref)


@blueprint.post(f"{CLAIM}/fulfilment")
@needs(Permission.CLAIM_DECIDE)
@blueprint.arguments(schemas.FulfilClaimSchema)
@blueprint.response(200, schemas.ClaimSchema)
@blueprint.refuses("not_pending", "not_in_place", "reason_required", "exceeds_returnable")
def fulfil_claim(said: Said, ref: str) -> Answer:
    """Order the replacement of an accepted claim, which needs no approval and earns nothing; or say how it ended."""
    write(fulfil_claim_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _claim(ref)


@blueprint.post(f"{CLAIM}/swap")
@needs(Permission.CLAIM_DECIDE)
@blueprint.arguments(schemas.SwapClaimSchema)
@blueprint.response(200, schemas.ClaimSchema)
@blueprint.refuses("not_pending", "not_in_place")
def swap_claim(said: Said, ref: str) -> Answer:
    """Say on which day the replacement took the failed one's place."""
    write(swap_claim_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _claim(ref)


@blueprint.post(f"{CLAIM}/withdrawal")
@needs(Permission.CLAIM_OPEN)
@blueprint.arguments(schemas.WithdrawClaimSchema)
@blueprint.response(200, schemas.ClaimSchema)
@blueprint.refuses("not_pending", "reason_required")
def withdraw_claim(said: Said, ref: str) -> Answer:
    """Take a claim back."""
    write(withdraw_claim_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return _claim(ref)


def _claim(ref: str) -> Answer:
    page = ask(claim_page, viewer=current_viewer(), at=now(), ref=ref)
    claim, coverage = page.claim, page.answer.coverage
    return {
        **asdict(page.row),
        "answer": {
            "is_frozen": page.is_frozen,
            "as_of": page.answer.as_of,
            "verdict": coverage.verdict,
            "decides_on": coverage.decides_on,
            "reportable_on": coverage.reportable_on,
            "lacking": coverage.lacking,
            "covers": coverage.covers,
            "reasons": coverage.reasons,
        },
        "answer_text": claim.answer or None,
        "digest": claim.answer_digest,
        "reason": claim.reason,
        "decided_by": page.decided_by,
        "decided_at": claim.decided_at,
        "order": page.order_ref,
        "replacement": claim.replacement_number,
        "new_source": page.new_ref,
        "swapped_on": page.swapped_on,
        "closing_words": claim.closing_words,
        "closed_by": page.closed_by,
        "closed_at": claim.closed_at,
    }
