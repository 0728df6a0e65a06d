"""The JSON API of the ledger: credits and balances to read; disputes."""

from __future__ import annotations

from typing import Any

from flask import current_app, url_for

from ledger.operations import disputes as dispute_operations
from ledger.queries import disputes as dispute_queries
from ledger.queries import entries, listings, projection
from ledger.schemas import credits as schemas
from ledger.schemas import disputes as dispute_schemas
from ledger.schemas import entries as entry_schemas
from ledger.states import TOTAL_KINDS, AccountKind
from referral.apikit import ApiBlueprint, idempotency_key
from referral.clock import now
from referral.db import write
from referral.ids import PublicNumber
from referral.permissions import Permission
from referral.text import clean_line
from referral.webkit import ask, current_viewer, needs

blueprint = ApiBlueprint("ledger_api", __name__, "Credits, balances, disputes")

Said = dict[str, Any]
Answer = dict[str, Any]
Headers = dict[str, str]

DISPUTE = '/disputes/<public_number("D"):ref>'


@blueprint.get("/credits")
@needs(Permission.CREDIT_VIEW)
@blueprint.arguments(schemas.ListCreditsSchema, location="query")
@blueprint.response(200, schemas.CreditsSchema)
@blueprint.refuses()
def list_credits(said: Said) -> listings.CreditRows:
    """List every posting of the dealers' own accounts: by dealer, program year, account, sequence."""
    return ask(listings.credits_page, viewer=current_viewer(), **said)


@blueprint.get("/balances")
@needs(Permission.CREDIT_VIEW)
@blueprint.arguments(schemas.ListBalancesSchema, location="query")
@blueprint.response(200, schemas.BalancesSchema)
@blueprint.refuses()
def list_balances(said: Said) -> listings.BalanceRows:
    """List the dealers' balances and levels of a program year, by dealer."""
    return ask(listings.balances_page, viewer=current_viewer(), at=now(), **said)


YEAR = "/<dealer_code>/<int(min=2000,max=2099):year>"
PLACE = f"{YEAR}/<any({','.join(kind.value for kind in TOTAL_KINDS)}):account>/<int(min=1,max=999999999999999):sequence>"


@blueprint.get(f"/credits{PLACE}")
@needs(Permission.CREDIT_VIEW)
@blueprint.response(200, entry_schemas.EntrySchema)
@blueprint.refuses()
def show_credit(dealer_code: str, year: int, account: str, sequence: int) -> entries.EntryPage:
    """Show one posting: both its places, its chain, what belongs to it, and what stands behind it."""
    return ask(
        entries.entry_page,
        viewer=current_viewer(),
        dealer_code=clean_line(dealer_code),
        program_year=year,
        account_kind=AccountKind(account),
        sequence=sequence,
        sources=current_app.extensions["entry_sources"],
    )


@blueprint.get(f"/balances{YEAR}/projection")
@needs(Permission.CREDIT_VIEW)
@blueprint.response(200, entry_schemas.ProjectionSchema)
@blueprint.refuses()
def show_projection(dealer_code: str, year: int) -> projection.Projection:
    """Show what a dealer's program year may come to: posted, committed, forecast, each with its level."""
    return ask(
        projection.projection,
        viewer=current_viewer(),
        at=now(),
        dealer_code=clean_line(dealer_code),
        program_year=year,
        outlook=current_app.extensions["credit_outlook"],
    )


# disputes ---------------------------------------------------------------------------------------


@blueprint.get("/disputes")
@needs(Permission.CREDIT_VIEW)
@blueprint.arguments(dispute_schemas.ListDisputesSchema, location="query")
@blueprint.response(200, dispute_schemas.DisputesSchema)
@blueprint.refuses()
def list_disputes(said: Said) -> dispute_queries.DisputeRows:
    """List disputes, newest first."""
    return ask(dispute_queries.dispute_rows, viewer=current_viewer(), at=now(), **said)


@blueprint.get(DISPUTE)
@needs(Permission.CREDIT_VIEW)
@blueprint.response(200, dispute_schemas.DisputeSchema)
@blueprint.refuses()
def show_dispute(ref: str) -> dispute_queries.DisputeRow:
    """See a dispute with its posting and its answer."""
    return ask(dispute_queries.dispute_page, viewer=current_viewer(), at=now(), ref=ref).row


@blueprint.post("/disputes")
@needs(Permission.DISPUTE_OPEN)
@blueprint.arguments(dispute_schemas.OpenDisputeSchema)
@blueprint.response(201, dispute_schemas.OpenedDisputeSchema)
@blueprint.refuses(
    "reason_required",
    "idempotency_key_missing",
    "idempotency_key_reused",
    "dispute_window_closed",
    "dispute_open",
    keyed=True,
)
def open_dispute(said: Said) -> tuple[Answer, Headers]:
    """Dispute a posting of your account."""
    viewer = current_viewer()
    dispute = write(
        dispute_operations.open_dispute,
        actor=viewer,
        at=now(),
        idempotency_key=idempotency_key(),
        **said,
    )
    ref = str(PublicNumber("D", viewer.company_code, dispute.number))
    return {"id": ref, "dispute": dispute}, {"Location": url_for("ledger_api.show_dispute", ref=ref)}


@blueprint.post(f"{DISPUTE}/answer")
@needs(Permission.DISPUTE_ANSWER)
@blueprint.arguments(dispute_schemas.AnswerDisputeSchema)
@blueprint.response(200, dispute_schemas.AnsweredDisputeSchema)
@blueprint.refuses("reason_required", "not_pending", "amount_too_large", "year_closed")
def answer_dispute(said: Said, ref: str) -> Answer:
    """Uphold a dispute with a correction, or dismiss it."""
    answer = write(dispute_operations.answer_dispute, actor=current_viewer(), at=now(), ref=ref, **said)
    return {"id": ref, "answer": answer}


@blueprint.post(f"{DISPUTE}/withdraw")
@needs(Permission.DISPUTE_OPEN)
@blueprint.arguments(dispute_schemas.WithdrawDisputeSchema)
@blueprint.response(200, dispute_schemas.AnsweredDisputeSchema)
@blueprint.refuses("not_pending")
def withdraw_dispute(said: Said, ref: str) -> Answer:
    """Take a dispute back that nobody has answered."""
    answer = write(dispute_operations.withdraw_dispute, actor=current_viewer(), at=now(), ref=ref, **said)
    return {"id": ref, "answer": answer}
