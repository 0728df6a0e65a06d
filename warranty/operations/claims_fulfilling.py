"""Making an accepted warranty claim good: by a replacement, or without one."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.orders import Order
from quotes.operations.mails import tell_dealer
from quotes.operations.replacements import order_replacement
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company
from referral.operations.records import guard_reason, record_event
from referral.permissions import Viewer
from referral.queries.settings import today
from referral.states import next_state
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource
from warranty.operations.claims import claim_to_decide, locked_claimed_source, mail_words
from warranty.operations.events import record_swap
from warranty.operations.sources import guard_in_place
from warranty.rules import mails
from warranty.states import CLAIM_MOVES, ClaimState


def fulfil_claim(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    is_replaced: bool,
    words: str,
    swapped_on: date | None = None,
) -> Claim:
    """The account makes the accepted claim good; the dealer is told by mail.

    By a replacement: it is ordered without approval and without credit, and becomes an installed source. It
    takes the place of the failed one on `swapped_on`, or later by `swap_claim`. Without one: `words` say how
    it was made good. The same fulfilment of the same person is one. Raises Refusal(forbidden), (not_found),
    (not_pending), (not_in_place), (reason_required), (invalid_input) and what `record_swap` refuses.
    """
    claim = claim_to_decide(tx, actor, ref)
    said = "" if is_replaced else guard_reason(words, "words")
    if not is_replaced and swapped_on is not None:
        raise Refusal("invalid_input", "Nothing takes its place: leave this empty.", "swapped_on")
    if claim.state is ClaimState.FULFILLED and (
        (claim.closed_by, claim.new_source_id is not None, claim.closing_words)
        == (actor.user_id, is_replaced, said)
    ):
        return claim
    if claim.state is ClaimState.OPEN:
        raise Refusal("not_pending", "This claim is not decided yet. Decide it first.")
    state = next_state(CLAIM_MOVES, "fulfil", claim.state, "not_pending")
    guard_in_place(tx.get_one(InstalledSource, (claim.dealer_id, claim.source_id)))
    if is_replaced:
        _replace(tx, actor=actor, at=at, ref=ref, claim=claim)
    source = locked_claimed_source(tx, claim)
    guard_in_place(source)
    claim.closing_words = said
    claim.closed_by = actor.user_id
    claim.closed_at = at
    claim.state = next_state(CLAIM_MOVES, "fulfil", claim.state, "not_pending")
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=claim.dealer_id,
        event=f"claim.{state.value}",
        subject=ref,
        details={"replacement": claim.replacement_number, "words": said},
    )
    if not is_replaced:
        text = mails.repaired(mail_words(tx, claim, source), by=actor.company_name, words=said)
        tell_dealer(tx, at, claim.dealer_id, text)
    if swapped_on is not None:
        _swap(tx, actor=actor, at=at, ref=ref, claim=claim, swapped_on=swapped_on)
    return claim


def swap_claim(tx: Session, *, actor: Viewer, at: datetime, ref: str, swapped_on: date) -> Claim:
    """The claim's replacement took the failed source's place on this day; what is left of the warranty is its.

    Raises Refusal(forbidden), (not_found), (not_pending) where nothing was sent or it is in place already, and
    what `record_swap` refuses.
    """
    claim = claim_to_decide(tx, actor, ref)
    if claim.new_source_id is None:
        raise Refusal("not_pending", "No replacement of this claim is ordered.")
    new = tx.get_one(InstalledSource, (claim.dealer_id, claim.new_source_id))
    if new.replaces_id is not None:
        raise Refusal("not_pending", "The replacement is in its place already.")
    _swap(tx, actor=actor, at=at, ref=ref, claim=claim, swapped_on=swapped_on)
    return claim


def _replace(tx: Session, *, actor: Viewer, at: datetime, ref: str, claim: Claim) -> None:
    """A replacement of all units that failed is ordered, and the claim names it and the source it became."""
    order = tx.get_one(Order, (claim.dealer_id, claim.order_id))
    source = tx.get_one(InstalledSource, (claim.dealer_id, claim.source_id))
    day = today(tx, at)
    is_past = claim.failed_on is not None and claim.failed_on <= day
    replacement = order_replacement(
        tx,
        actor=actor,
        at=at,
        ref=str(PublicNumber("O", _code(tx, claim), order.number)),
        quantities={source.line_id: source.quantity},
        reason=f"Claim {ref}: {claim.problem}",
        failed_on=claim.failed_on if is_past else None,
        idempotency_key=f"claim:{ref}",
    )
    claim.replacement_number = replacement.number
    claim.new_source_id = tx.scalars(
        sa.select(InstalledSource.id).where(
            InstalledSource.dealer_id == claim.dealer_id,
            InstalledSource.order_id == claim.order_id,
            InstalledSource.line_id == source.line_id,
            InstalledSource.replacement_number == replacement.number,
            InstalledSource.split_from_id.is_(None),
        )
    ).one()


def _swap(tx: Session, *, actor: Viewer, at: datetime, ref: str, claim: Claim, swapped_on: date) -> None:
    """What the claim's replacement took the place of, and when, is recorded of both."""
    code = _code(tx, claim)
    old = tx.get_one(InstalledSource, (claim.dealer_id, claim.source_id))
    new = tx.get_one(InstalledSource, (claim.dealer_id, claim.new_source_id))
    try:
        record_swap(
            tx,
            actor=actor,
            at=at,
            ref=str(PublicNumber("U", code, old.number)),
            new_ref=str(PublicNumber("U", code, new.number)),
            happened_on=swapped_on,
            reason=f"Claim {ref}",
        )
    except Refusal as refusal:
        if refusal.field != "happened_on":
            raise
        raise Refusal(refusal.code, refusal.message, "swapped_on", refusal.details) from refusal


def _code(tx: Session, claim: Claim) -> str:
    return tx.get_one(Company, claim.dealer_id).code
