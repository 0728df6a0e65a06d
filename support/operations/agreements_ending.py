"""Ending an agreement before its time, and continuing one by the next."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from quotes.operations.mails import tell_dealer
from quotes.operations.placed_orders import guard_key
from quotes.rules.content import request_digest
from referral.errors import Refusal
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.settings import today
from referral.text import say_day
from support.models.agreements import Agreement
from support.models.catalogue import CatalogueEntry
from support.operations.agreement_mails import mail_words, tell_accounts, tell_program
from support.operations.agreements import (
    Draft,
    add_draft,
    agreement_of_key,
    is_dealers,
    locked_agreement,
    newest_offer,
)
from support.operations.agreements_deciding import close_agreement
from support.queries.agreement_sites import sites_again
from support.queries.agreements import successor_of
from support.queries.catalogue import offer_of_entry
from support.rules import agreement_mails as mails
from support.rules.agreements import fitting_choices, gap_days, say_gap
from support.states import BINDING_STATES, AgreementState


def terminate_agreement(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, last_on: date, reason: str
) -> Agreement:
    """The agreement ends early: `last_on` is its last covered day. What happened until then stays.

    By its dealer or the program. The same end twice is one. Raises Refusal(forbidden), (not_found),
    (reason_required), (not_pending), (agreement_not_active) once it is over, (invalid_input) for a day that is
    past, or not before its last one.
    """
    guard_permission(actor, Permission.AGREEMENT_END)
    why = guard_reason(reason)
    agreement = locked_agreement(tx, actor, ref)
    if not (is_dealers(actor, agreement) or actor.acts_as(CompanyKind.PROGRAM)):
        raise Refusal("forbidden")
    said = (agreement.state, agreement.last_on, agreement.closing_words)
    if said == (AgreementState.TERMINATED, last_on, why):
        return agreement
    day = today(tx, at)
    if agreement.state is AgreementState.ACCEPTED:
        if agreement.last_on < day:
            raise Refusal("agreement_not_active", f"It ended on {say_day(agreement.last_on)}.")
        earliest = max(day, agreement.starts_on)
        if last_on < earliest:
            words = f"Its last day can be {say_day(earliest)} or later: what happened before stays."
            raise Refusal("invalid_input", words, "last_on")
        if last_on >= agreement.last_on:
            words = f"It ends on {say_day(agreement.last_on)} by itself."
            raise Refusal("invalid_input", words, "last_on")
    until = agreement.last_on
    close_agreement(agreement, "terminate", actor, at, why)
    agreement.last_on = last_on
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=agreement.dealer_id,
        event="agreement.terminated",
        subject=ref,
        details={"words": why, "last_on": last_on.isoformat(), "instead_of": until.isoformat()},
    )
    text = mails.terminated(mail_words(tx, agreement), by=actor.name, reason=why)
    tell_dealer(tx, at, agreement.dealer_id, text)
    tell_program(tx, at, text)
    tell_accounts(tx, at, agreement, text)
    return agreement


def renew_agreement(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    starts_on: date | None,
    months: int | None,
    is_confirmed: bool,
    idempotency_key: str,
) -> Agreement:
    """A new draft continues an agreement: its sites and choices, by the newest version of its offer.

    None starts it the day after the last one, for as long as before. A start that leaves days uncovered, or
    covers some twice, needs to be confirmed. The same key and content answers with the same draft. Raises
    Refusal(forbidden), (not_found), (idempotency_key_missing), (idempotency_key_reused), (not_pending) where it
    is not accepted, or continued already, (not_confirmed) with the gap in its details, (invalid_input),
    (term_too_long), (not_eligible).
    """
    guard_permission(actor, Permission.AGREEMENT_BUILD)
    key = guard_key(idempotency_key)
    old = locked_agreement(tx, actor, ref)
    digest = request_digest(
        {
            "renews": ref,
            "starts_on": None if starts_on is None else starts_on.isoformat(),
            "months": months,
            "is_confirmed": is_confirmed,
        }
    )
    before = agreement_of_key(tx, old.dealer_id, key, digest)
    if before is not None:
        return before
    if old.state not in BINDING_STATES:
        raise Refusal("not_pending", details={"state": old.state.value})
    next_one = successor_of(tx, old)
    if next_one is not None:
        words = f"{next_one} continues it already."
        raise Refusal("not_pending", words, details={"agreement": next_one})
    begins = starts_on or old.last_on + timedelta(days=1)
    gap = gap_days(old.last_on, begins)
    if gap and not is_confirmed:
        words = f"{say_gap(old.last_on, begins)} Confirm that this is meant."
        raise Refusal("not_confirmed", words, "is_confirmed", details={"gap_days": gap})
    entry = newest_offer(tx, tx.get_one(CatalogueEntry, old.offer_id).key, at=at)
    sites = sites_again(tx, old)
    said = Draft(
        customer=old.customer,
        sites=tuple(site.ref for site in sites),
        starts_on=begins,
        months=months or old.months,
        choices=fitting_choices(offer_of_entry(tx, entry), json.loads(old.choices)),
        license_cents=old.license_cents,
    )
    return add_draft(
        tx, actor=actor, at=at, entry=entry, said=said, chosen=sites, key=key, digest=digest, renews=old
    )
