"""Opening a warranty claim, and taking it back."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.operations.mails import tell_account, tell_dealer
from quotes.operations.placed_orders import guard_key
from quotes.rules.content import request_digest
from referral.db import locked
from referral.errors import Refusal
from referral.ids import PublicNumber, new_id
from referral.models import Company, Referral, User
from referral.operations.records import guard_permission, guard_reason, next_number, record_event
from referral.permissions import Permission, Viewer
from referral.states import next_state
from referral.text import say_day
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource
from warranty.operations.guards import local_day, site_of
from warranty.operations.sources import guard_in_place, locked_source
from warranty.operations.splits import split_units
from warranty.queries.claims import claim_by_ref, live_claim_of, opened_details
from warranty.rules import mails
from warranty.states import CLAIM_MOVES, ClaimState

_KIND = "C"


def open_claim(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    quantity: int | None,
    problem: str,
    failed_on: date | None,
    idempotency_key: str,
) -> Claim:
    """A failure of units of an installed source is claimed; both sides are told by mail.

    `ref` is the source's number. Fewer units than a group has are taken out of it, so that a claim is of one
    source, all of whose units failed; None is all of them. `failed_on` is a day of its site, None where it
    is unknown. It counts as reported on the site's day of `at`. The same key and content answers with the
    same claim. Raises Refusal(forbidden), (not_found), (reason_required), (idempotency_key_missing),
    (idempotency_key_reused), (not_in_place), (claim_open), (invalid_input). Program rules, section 9.
    """
    guard_permission(actor, Permission.CLAIM_OPEN)
    words = guard_reason(problem, "problem")
    key = guard_key(idempotency_key)
    source = locked_source(tx, actor, ref)
    if actor.company_id not in {source.dealer_id, source.account_id}:
        raise Refusal("forbidden")
    said = request_digest(
        {
            "source": ref,
            "quantity": quantity,
            "problem": words,
            "failed_on": None if failed_on is None else failed_on.isoformat(),
        }
    )
    before = tx.scalars(
        sa.select(Claim).where(Claim.dealer_id == source.dealer_id, Claim.idempotency_key == key)
    ).one_or_none()
    if before is not None:
        if before.request_digest != said:
            raise Refusal("idempotency_key_reused")
        return before
    guard_in_place(source)
    if live := live_claim_of(tx, source):
        raise Refusal("claim_open", details={"claim": _ref_of(tx, live)})
    day = local_day(site_of(tx, source), at)
    _guard_failure(source, failed_on, day)
    if quantity is not None and not 1 <= quantity <= source.quantity:
        raise Refusal("invalid_input", f"{mails.units_word(source.quantity)} can have failed.", "quantity")
    if quantity is not None and quantity < source.quantity:
        (source,) = split_units(tx, source=source, quantities=[quantity], day=day, by=actor.user_id, at=at)
    claim = Claim(
        dealer_id=source.dealer_id,
        id=new_id(),
        number=next_number(tx, source.dealer_id, _KIND),
        account_id=source.account_id,
        source_id=source.id,
        order_id=source.order_id,
        idempotency_key=key,
        request_digest=said,
        state=ClaimState.OPEN,
        problem=words,
        failed_on=failed_on,
        reported_on=day,
        opened_by=actor.user_id,
        opened_at=at,
        verdict=None,
        answer="",
        answer_digest=None,
        is_goodwill=False,
        reason="",
        closing_words="",
    )
    tx.add(claim)
    tx.flush()
    _record_opened(tx, actor, at, claim, source)
    return claim


def withdraw_claim(tx: Session, *, actor: Viewer, at: datetime, ref: str, reason: str) -> Claim:
    """Whoever opened the claim, or their company, takes it back; both sides are told.

    The same withdrawal twice is one. Raises Refusal(forbidden), (not_found), (reason_required),
    (not_pending) where it is refused or fulfilled.
    """
    guard_permission(actor, Permission.CLAIM_OPEN)
    why = guard_reason(reason)
    claim = locked_claim(tx, actor, ref)
    if tx.get_one(User, claim.opened_by).company_id != actor.company_id:
        raise Refusal("forbidden")
    if claim.state is ClaimState.WITHDRAWN and claim.closing_words == why:
        return claim
    claim.state = next_state(CLAIM_MOVES, "withdraw", claim.state, "not_pending")
    claim.closing_words = why
    claim.closed_by = actor.user_id
    claim.closed_at = at
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=claim.dealer_id,
        event="claim.withdrawn",
        subject=ref,
        details={"words": why},
    )
    said = mail_words(tx, claim, tx.get_one(InstalledSource, (claim.dealer_id, claim.source_id)))
    text = mails.withdrawn(said, by=actor.name, reason=why)
    tell_dealer(tx, at, claim.dealer_id, text)
    tell_account(tx, at, claim.account_id, text)
    return claim


# shared by what happens to a claim later ---------------------------------------------------------


def locked_claim(tx: Session, actor: Viewer, ref: str) -> Claim:
    """Return the claim the actor sees, locked. Raises Refusal(not_found)."""
    claim = locked(tx, claim_by_ref(tx, actor, ref))
    if claim is None:
        raise Refusal("not_found")
    return claim


def claim_to_decide(tx: Session, actor: Viewer, ref: str) -> Claim:
    """Return the claim, locked, for its account to decide or fulfil. Raises Refusal(forbidden), (not_found)."""
    guard_permission(actor, Permission.CLAIM_DECIDE)
    claim = locked_claim(tx, actor, ref)
    if claim.account_id != actor.company_id:
        raise Refusal("forbidden")
    return claim


def locked_claimed_source(tx: Session, claim: Claim) -> InstalledSource:
    """Return the claim's source, locked: nothing is recorded of it meanwhile."""
    source = locked(
        tx,
        sa.select(InstalledSource).where(
            InstalledSource.dealer_id == claim.dealer_id, InstalledSource.id == claim.source_id
        ),
    )
    if source is None:
        raise LookupError("a claim is of a source")
    return source


def mail_words(tx: Session, claim: Claim, source: InstalledSource) -> mails.ClaimWords:
    """Return what mails say of a claim."""
    code = tx.get_one(Company, claim.dealer_id).code
    project = tx.get_one(Referral, (source.dealer_id, source.referral_id))
    number = PublicNumber("U", code, source.number)
    return mails.ClaimWords(
        ref=str(PublicNumber(_KIND, code, claim.number)),
        what=f"{mails.units_word(source.quantity)} {source.model_number} ({number})",
        project_name=project.project_name,
        problem=claim.problem,
        failed_on=claim.failed_on,
    )


def _ref_of(tx: Session, claim: Claim) -> str:
    code = tx.scalars(sa.select(Company.code).where(Company.id == claim.dealer_id)).one()
    return str(PublicNumber(_KIND, code, claim.number))


def _guard_failure(source: InstalledSource, failed_on: date | None, day: date) -> None:
    """Guard: the day is neither before the order nor still to come at the site. Raises Refusal(invalid_input)."""
    if failed_on is None:
        return
    if failed_on > day:
        raise Refusal("invalid_input", "This day is still to come.", "failed_on")
    if failed_on < source.ordered_on:
        raise Refusal("invalid_input", f"It was ordered on {say_day(source.ordered_on)}.", "failed_on")


def _record_opened(tx: Session, actor: Viewer, at: datetime, claim: Claim, source: InstalledSource) -> None:
    said = mail_words(tx, claim, source)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=claim.dealer_id,
        event="claim.opened",
        subject=said.ref,
        details=opened_details(claim),
    )
    tell_dealer(tx, at, claim.dealer_id, mails.opened(said, by=actor.name, decides=False))
    tell_account(tx, at, claim.account_id, mails.opened(said, by=actor.name, decides=True))
