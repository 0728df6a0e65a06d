"""The JSON API of the quotes floor: price lists, quotes, revisions, orders, cancellations."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from flask import request, url_for

from ledger.queries.statements import sees_credit_of
from quotes.models import Approval, PriceList, Revision
from quotes.operations.cancellations import cancel_order as cancel_order_operation
from quotes.operations.decisions import Evidence
from quotes.operations.decisions import approve_revision as approve_revision_operation
from quotes.operations.decisions import decline_revision as decline_revision_operation
from quotes.operations.decisions import request_changes as request_changes_operation
from quotes.operations.orders import place_order as place_order_operation
from quotes.operations.price_lists import publish_price_list as publish_price_list_operation
from quotes.operations.quotes import save_draft as save_draft_operation
from quotes.operations.quotes import start_quote as start_quote_operation
from quotes.operations.quotes import start_revision as start_revision_operation
from quotes.operations.submissions import submit_revision as submit_revision_operation
from quotes.queries.listings import QuotesPage, quotes_page
from quotes.queries.orders import OrderRow, order_page, orders_page
from quotes.queries.price_lists import ItemsPage, items_page, price_lists_page
from quotes.queries.quotes import QuotePage, quote_page
from quotes.schemas import orders as order_schemas
from quotes.schemas import price_lists as price_list_schemas
from quotes.schemas import quotes as quote_schemas
from quotes.states import RevisionState
from referral.apikit import ApiBlueprint, idempotency_key, request_line
from referral.clock import now
from referral.db import write
from referral.ids import parse_public_number
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs

blueprint = ApiBlueprint("quotes_api", __name__, "Price lists, quotes, orders")

BROWSER_LENGTH = 400

Said = dict[str, Any]
Answer = dict[str, Any]
Headers = dict[str, str]

QUOTE = '/quotes/<public_number("Q"):ref>'
REVISION = f"{QUOTE}/revisions/<int(min=1,max=999999):revision_number>"
ORDER = '/orders/<public_number("O"):ref>'


# price lists ------------------------------------------------------------------------------------


@blueprint.get("/price-lists")
@needs(Permission.PRICE_LIST_VIEW)
@blueprint.response(200, price_list_schemas.PriceListsSchema)
@blueprint.refuses()
def list_price_lists() -> Answer:
    """List every version of the list prices, newest first."""
    return {"items": ask(price_lists_page, at=now()), "next": None}


@blueprint.get("/price-lists/<int(min=1,max=999999):version>/items")
@needs(Permission.PRICE_LIST_VIEW)
@blueprint.arguments(price_list_schemas.ListItemsSchema, location="query")
@blueprint.response(200, price_list_schemas.PriceItemsSchema)
@blueprint.refuses()
def list_price_items(said: Said, version: int) -> ItemsPage:
    """List the items of a version by model number."""
    return ask(items_page, version=version, **said)


@blueprint.post("/price-lists")
@needs(Permission.PRICE_LIST_PUBLISH)
@blueprint.arguments(price_list_schemas.PublishPriceListSchema)
@blueprint.response(201, price_list_schemas.PublishedPriceListSchema)
@blueprint.refuses("price_list_date_taken")
def publish_price_list(said: Said) -> tuple[PriceList, Headers]:
    """Publish a version of the list prices; the digest kept of its source is of this request's body."""
    digest = hashlib.sha256(request.get_data()).hexdigest()
    price_list = write(
        publish_price_list_operation, actor=current_viewer(), at=now(), source_sha256=digest, **said
    )
    return price_list, {"Location": url_for("quotes_api.list_price_items", version=price_list.version)}


# quotes -----------------------------------------------------------------------------------------


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
@blueprint.response(200, quote_schemas.RevisionSchema)
@blueprint.refuses()
def show_revision(ref: str, revision_number: int) -> Answer:
    """See one revision with its lines, prices, totals and digest."""
    viewer = current_viewer()
    page = ask(quote_page, viewer=viewer, at=now(), ref=ref, revision_number=revision_number)
    credit = page.credit_cents if sees_credit_of(viewer, page.dealer_code) else None
    return {**vars(page), "credit_cents": credit}


def _head(ref: str, revision: Revision) -> Answer:
    return {"id": ref, "revision": revision}


@blueprint.post(f"{QUOTE}/revisions")
@needs(Permission.QUOTE_BUILD)
@blueprint.arguments(quote_schemas.StartRevisionSchema)
@blueprint.response(201, quote_schemas.RevisionHeadSchema)
@blueprint.refuses()
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


@blueprint.post(f"{REVISION}/submit")
@needs(Permission.QUOTE_BUILD)
@blueprint.arguments(quote_schemas.SubmitRevisionSchema)
@blueprint.response(200, quote_schemas.RevisionHeadSchema)
@blueprint.refuses(
    "revision_immutable",
    "stale_draft",
    "empty_quote",
    "account_not_qualified",
    "account_number_missing",
    "account_number_unknown_for_dealer",
    "model_number_unknown",
    "price_list_missing",
    "amount_too_large",
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
    "stale_revision",
    "digest_mismatch",
    "not_pending",
    "quote_expired",
    "account_number_missing",
    "account_number_unknown_for_dealer",
    "attestation_missing",
    "typed_account_mismatch",
    "typed_name_mismatch",
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
@blueprint.refuses("stale_revision", "digest_mismatch", "not_pending", "reason_required", "not_on_revision")
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
@blueprint.refuses("stale_revision", "digest_mismatch", "not_pending", "reason_required")
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


# orders -----------------------------------------------------------------------------------------


@blueprint.post(f"{REVISION}/orders")
@needs(Permission.ORDER_ENTER)
@blueprint.arguments(order_schemas.PlaceOrderSchema)
@blueprint.response(201, order_schemas.PlacedOrderSchema)
@blueprint.refuses(
    "idempotency_key_missing",
    "idempotency_key_reused",
    "stale_revision",
    "revision_not_approved",
    "quote_expired",
    "services_not_agreed",
    "account_not_qualified",
    "account_number_missing",
    "account_number_unknown_for_dealer",
    "not_on_revision",
    "exceeds_approved_qty",
    "empty_order",
    "amount_too_large",
    keyed=True,
)
def place_order(said: Said, ref: str, revision_number: int) -> tuple[Answer, Headers]:
    """Order approved lines; the dealer's sales credit is posted with it."""
    order, number = write(
        place_order_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        idempotency_key=idempotency_key(),
        **said,
    )
    parsed = parse_public_number(number, "O")
    answer = {"id": number, "quote": ref, "dealer": parsed.dealer_code if parsed else "", "order": order}
    return answer, {"Location": url_for("quotes_api.show_order", ref=number)}


def _with_credit_shown(row: OrderRow) -> Answer:
    """Return an order's row, without its credit where the viewer does not see that."""
    credit = row.credit_cents if sees_credit_of(current_viewer(), row.dealer_code) else None
    return {**vars(row), "credit_cents": credit}


@blueprint.get("/orders")
@needs(Permission.ORDER_VIEW)
@blueprint.arguments(order_schemas.ListOrdersSchema, location="query")
@blueprint.response(200, order_schemas.OrdersSchema)
@blueprint.refuses()
def list_orders(said: Said) -> Answer:
    """List orders, newest first."""
    page = ask(orders_page, viewer=current_viewer(), **said)
    return {"items": [_with_credit_shown(row) for row in page.rows], "next": page.after}


@blueprint.get(ORDER)
@needs(Permission.ORDER_VIEW)
@blueprint.response(200, order_schemas.OrderSchema)
@blueprint.refuses()
def show_order(ref: str) -> Answer:
    """See an order with its lines and cancellations."""
    page = ask(order_page, viewer=current_viewer(), ref=ref)
    hidden: Answer = {} if page.shows_credit else {"credit_cents": None, "reversed_cents": None}
    return {
        **_with_credit_shown(page.row),
        "account_number": page.order.account_number,
        "currency": page.order.currency,
        "digest": page.order.digest,
        "price_list": page.price_list.version,
        "entered_by": page.entered_by,
        "approved_by": page.approved_by,
        "lines": [asdict(line) | hidden for line in page.lines],
        "cancellations": [asdict(cancellation) | hidden for cancellation in page.cancellations],
    }


@blueprint.post(f"{ORDER}/cancellations")
@needs(Permission.ORDER_ENTER)
@blueprint.arguments(order_schemas.CancelOrderSchema)
@blueprint.response(201, order_schemas.PlacedCancellationSchema)
@blueprint.refuses(
    "reason_required",
    "idempotency_key_missing",
    "idempotency_key_reused",
    "already_cancelled",
    "not_on_revision",
    "exceeds_ordered_qty",
    "empty_order",
    keyed=True,
)
def cancel_order(said: Said, ref: str) -> tuple[Answer, Headers]:
    """Cancel ordered units; their credit is taken back in the year it was given."""
    cancellation = write(
        cancel_order_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        idempotency_key=idempotency_key(),
        **said,
    )
    return {"order": ref, "cancellation": cancellation}, {
        "Location": url_for("quotes_api.show_order", ref=ref)
    }
