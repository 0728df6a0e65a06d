"""The JSON API of quotes: drafts, revisions and the decisions on them."""

from __future__ import annotations

import hashlib

from flask import request, url_for

from ledger.queries.statements import sees_credit_of
from quotes.api.blueprint import QUOTE, REVISION, Answer, Headers, Said, blueprint
from quotes.models.quotes import Approval, Revision
from quotes.operations.copies import copy_lines as copy_lines_operation
from quotes.operations.decisions import Evidence
from quotes.operations.decisions import approve_revision as approve_revision_operation
from quotes.operations.decisions import decline_revision as decline_revision_operation
from quotes.operations.decisions import request_changes as request_changes_operation
from quotes.operations.quotes import save_draft as save_draft_operation
from quotes.operations.quotes import start_quote as start_quote_operation
from quotes.operations.quotes import start_revision as start_revision_operation
from quotes.operations.submissions import submit_revision as submit_revision_operation
from quotes.queries.drafts import revision_page
from quotes.queries.listings import QuotesPage, quotes_page
from quotes.queries.quotes import QuotePage, quote_page
from quotes.rules.diff import Change
from quotes.schemas import quotes as quote_schemas
from quotes.states import RevisionState
from referral.apikit import request_line
from referral.clock import now
from referral.db import write
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs

BROWSER_LENGTH = 400


@blueprint.get("/quotes")
@needs(Permission.QUOTE_VIEW)
@blueprint.arguments(quote_schemas.ListQuotesSchema, location="query")
@blueprint.response(200, quote_schemas.QuotesSchema)
@blueprint.refuses()
def list_quotes(said: Said) -> QuotesPage:
    """List quotes, newest first."""
    return ask(quotes_page, viewer=current_viewer(), at=now(), **said)


@blueprint.post('/referrals/<public_number("R"):referral_ref>/quotes')
@needs(Permission.QUOTE_BUILD)
@blueprint.arguments(quote_schemas.StartQuoteSchema)
@blueprint.response(201, quote_schemas.StartedQuoteSchema)
@blueprint.refuses("referral_closed", "account_not_qualified")
def start_quote(said: Said, referral_ref: str) -> tuple[Answer, Headers]:
    """Start a quote for an accepted referral, with an empty first draft."""
    quote, ref = write(
        start_quote_operation, actor=current_viewer(), at=now(), referral_ref=referral_ref, **said
    )
    return {"id": ref, "revision": quote.latest_revision}, {
        "Location": url_for("quotes_api.show_quote", ref=ref)
    }


@blueprint.get(QUOTE)
@needs(Permission.QUOTE_VIEW)
@blueprint.response(200, quote_schemas.QuoteSchema)
@blueprint.refuses()
def show_quote(ref: str) -> QuotePage:
    """See a quote and its revisions."""
    return ask(quote_page, viewer=current_viewer(), at=now(), ref=ref)


@blueprint.get(REVISION)
@needs(Permission.QUOTE_VIEW)
@blueprint.arguments(quote_schemas.ShowRevisionSchema, location="query")
@blueprint.response(200, quote_schemas.RevisionSchema)
@blueprint.refuses()
def show_revision(said: Said, ref: str, revision_number: int) -> Answer:
    """See one revision with its lines, prices, totals, digest, and what changed since an earlier one."""
    viewer = current_viewer()
    page, hints = ask(
        revision_page, viewer=viewer, at=now(), ref=ref, revision_number=revision_number, **said
    )
    is_shown = sees_credit_of(viewer, page.dealer_code) and not page.exchange.is_missing
    return {
        **vars(page),
        "credit_cents": page.credit_cents if is_shown else None,
        "hints": hints,
        "changes": [change for change in page.changes if change.change is not Change.SAME],
    }


def _head(ref: str, revision: Revision) -> Answer:
    return {"id": ref, "revision": revision}


@blueprint.post(f"{QUOTE}/revisions")
@needs(Permission.QUOTE_BUILD)
@blueprint.arguments(quote_schemas.StartRevisionSchema)
@blueprint.response(201, quote_schemas.RevisionHeadSchema)
@blueprint.refuses("referral_closed")
def start_revision(said: Said, ref: str) -> tuple[Answer, Headers]:
    """Start the next draft, a copy of the newest revision; a draft that there is already is that draft."""
    revision = write(start_revision_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    location = url_for("quotes_api.show_revision", ref=ref, revision_number=revision.number)
    return _head(ref, revision), {"Location": location}


@blueprint.put(REVISION)
@needs(Permission.QUOTE_BUILD)
@blueprint.arguments(quote_schemas.SaveDraftSchema)
@blueprint.response(200, quote_schemas.RevisionHeadSchema)
@blueprint.refuses(
    "referral_closed",
    "revision_immutable",
    "stale_draft",
    "model_number_unknown",
    "not_list_price",
    "price_list_missing",
    "amount_too_large",
)
def save_draft(said: Said, ref: str, revision_number: int) -> Answer:
    """Save the whole content of a draft; prices come from the list valid today."""
    revision = write(
        save_draft_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        **said,
    )
    return _head(ref, revision)


@blueprint.post(f"{QUOTE}/draft/copy")
@needs(Permission.QUOTE_BUILD)
@blueprint.arguments(quote_schemas.CopyLinesSchema)
@blueprint.response(200, quote_schemas.CopiedSchema)
@blueprint.refuses(
    "referral_closed",
    "revision_immutable",
    "stale_draft",
    "empty_quote",
    "model_number_unknown",
    "price_list_missing",
    "amount_too_large",
)
def copy_lines(said: Said, ref: str) -> Answer:
    """Copy the product lines of another quote of yours into the draft, at the list prices of today."""
    copied = write(copy_lines_operation, actor=current_viewer(), at=now(), ref=ref, **said)
    return {"id": ref, **vars(copied)}


@blueprint.post(f"{REVISION}/submit")
@needs(Permission.QUOTE_BUILD)
@blueprint.arguments(quote_schemas.SubmitRevisionSchema)
@blueprint.response(200, quote_schemas.RevisionHeadSchema)
@blueprint.refuses(
    "referral_closed",
    "revision_immutable",
    "stale_draft",
    "empty_quote",
    "account_not_qualified",
    "account_number_missing",
    "account_number_unknown_for_dealer",
    "model_number_unknown",
    "price_list_missing",
    "amount_too_large",
    "price_recalled",
)
def submit_revision(said: Said, ref: str, revision_number: int) -> Answer:
    """Give a draft to the dealer to decide on; nothing of it changes any more."""
    revision = write(
        submit_revision_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        **said,
    )
    return _head(ref, revision)


# decisions --------------------------------------------------------------------------------------


def _evidence() -> Evidence:
    """Return where this request comes from; the token is named by a digest, not by its secret."""
    token = request.headers.get("Authorization", "")
    return Evidence(
        address=request.remote_addr or "",
        browser=request_line("User-Agent", BROWSER_LENGTH),
        login=f"token {hashlib.sha256(token.encode()).hexdigest()[:16]}",
    )


@blueprint.post(f"{REVISION}/approve")
@needs(Permission.QUOTE_DECIDE)
@blueprint.arguments(quote_schemas.ApproveRevisionSchema)
@blueprint.response(200, quote_schemas.ApprovedRevisionSchema)
@blueprint.refuses(
    "delegation_expired",
    "referral_closed",
    "stale_revision",
    "digest_mismatch",
    "not_pending",
    "quote_expired",
    "account_number_missing",
    "account_number_unknown_for_dealer",
    "attestation_missing",
    "typed_account_mismatch",
    "typed_name_mismatch",
    "price_recalled",
)
def approve_revision(said: Said, ref: str, revision_number: int) -> Answer:
    """Approve exactly the revision whose digest you send."""
    approval: Approval = write(
        approve_revision_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        evidence=_evidence(),
        **said,
    )
    return {"id": ref, "state": RevisionState.APPROVED, "approval": approval}


@blueprint.post(f"{REVISION}/request-changes")
@needs(Permission.QUOTE_DECIDE)
@blueprint.arguments(quote_schemas.RequestChangesSchema)
@blueprint.response(200, quote_schemas.RevisionHeadSchema)
@blueprint.refuses(
    "delegation_expired",
    "stale_revision",
    "digest_mismatch",
    "referral_closed",
    "not_pending",
    "reason_required",
    "not_on_revision",
)
def request_changes(said: Said, ref: str, revision_number: int) -> Answer:
    """Send a revision back with a reason and remarks at lines."""
    revision = write(
        request_changes_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        **said,
    )
    return _head(ref, revision)


@blueprint.post(f"{REVISION}/decline")
@needs(Permission.QUOTE_DECIDE)
@blueprint.arguments(quote_schemas.DeclineRevisionSchema)
@blueprint.response(200, quote_schemas.RevisionHeadSchema)
@blueprint.refuses(
    "delegation_expired",
    "stale_revision",
    "digest_mismatch",
    "referral_closed",
    "not_pending",
    "reason_required",
)
def decline_revision(said: Said, ref: str, revision_number: int) -> Answer:
    """Decline a revision, with a reason."""
    revision = write(
        decline_revision_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        **said,
    )
    return _head(ref, revision)
