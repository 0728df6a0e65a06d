"""Setting aside what a quote seems to be short of, with a reason, and taking that back."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.bills import IgnoredHint
from quotes.models.quotes import Quote
from quotes.operations.quotes import (
    dealer_currency,
    guard_account_side,
    guard_project_stands,
    locked_quote,
    locked_revision,
)
from quotes.queries.price_lists import items_by_model_number, price_list_on
from quotes.rules.hints import parse_goes_with
from quotes.states import RevisionState
from referral.db import locked
from referral.errors import Refusal
from referral.operations.records import guard_permission, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today
from referral.text import fold_model_number


def ignore_hint(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, model_number: str, need: str, reason: str
) -> None:
    """Both sides see that the account leaves a need of a model number unfilled, and why. Nothing is blocked.

    A reason given before is replaced. Raises Refusal(forbidden), (not_found) also where today's catalogue
    knows no such need, (referral_closed), (revision_immutable) without a draft, (reason_required).
    """
    quote = _guarded(tx, actor, ref)
    number = fold_model_number(model_number)
    if not reason.strip():
        raise Refusal("reason_required", field="reason")
    day = today(tx, at)
    price_list = price_list_on(tx, day, dealer_currency(tx, quote, day))
    item = items_by_model_number(tx, price_list, [number]).get(number)
    if item is None or need not in {each.name for each in parse_goes_with(item.goes_with)}:
        raise Refusal("not_found")
    row = _ignored(tx, quote, number, need)
    if row is None:
        row = IgnoredHint(dealer_id=quote.dealer_id, quote_id=quote.id, model_number=number, need=need)
        tx.add(row)
    row.reason, row.ignored_by, row.ignored_at = reason, actor.user_id, at
    _record(
        tx, actor, at, quote, ref, "hint.ignored", {"model_number": number, "need": need, "reason": reason}
    )


def heed_hint(tx: Session, *, actor: Viewer, at: datetime, ref: str, model_number: str, need: str) -> None:
    """A hint that was ignored counts again.

    Raises Refusal(forbidden), (not_found), (referral_closed), (revision_immutable).
    """
    quote = _guarded(tx, actor, ref)
    number = fold_model_number(model_number)
    row = _ignored(tx, quote, number, need)
    if row is None:
        raise Refusal("not_found")
    tx.delete(row)
    _record(tx, actor, at, quote, ref, "hint.heeded", {"model_number": number, "need": need})


def _guarded(tx: Session, actor: Viewer, ref: str) -> Quote:
    guard_permission(actor, Permission.QUOTE_BUILD)
    quote = locked_quote(tx, actor, ref)
    guard_account_side(actor, quote)
    guard_project_stands(tx, quote)
    if locked_revision(tx, quote, quote.latest_revision).state is not RevisionState.DRAFT:
        raise Refusal("revision_immutable")
    return quote


def _ignored(tx: Session, quote: Quote, model_number: str, need: str) -> IgnoredHint | None:
    return locked(
        tx,
        sa.select(IgnoredHint).where(
            IgnoredHint.dealer_id == quote.dealer_id,
            IgnoredHint.quote_id == quote.id,
            IgnoredHint.model_number == model_number,
            IgnoredHint.need == need,
        ),
    )


def _record(
    tx: Session,
    actor: Viewer,
    at: datetime,
    quote: Quote,
    ref: str,
    event: str,
    details: dict[str, object],
) -> None:
    record_event(
        tx, actor=actor, at=at, company_id=quote.dealer_id, event=event, subject=ref, details=details
    )
