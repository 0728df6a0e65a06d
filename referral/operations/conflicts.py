"""Two accounts for one project: the dealer or the program chooses, and one of them has it."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.models import Company, DealerCounter, Referral
from referral.operations.records import guard_permission, guard_reason, queue_mail_to_role, record_event
from referral.operations.referrals import (
    expire,
    locked_project,
    offer,
    qualified_account,
    ref_of,
    tell_dealer,
)
from referral.permissions import CompanyKind, Permission, Role, Viewer
from referral.queries.referrals import dealer_of_number, referrals_seen_by
from referral.queries.settings import today
from referral.rules import standing_on
from referral.states import LIVE_REFERRAL_STATES, REFERRAL_MOVES, ReferralState, next_state


def choose_referral(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, reason: str, instead_of: str | None = None
) -> Referral:
    """The parked referral is open, with new days to answer; the one that had the project is closed.

    Both accounts are told, neither of the other. `instead_of` is the number of the referral that the person
    saw to have the project, '' for none; None does not check. Raises Refusal(forbidden), (not_found),
    (referral_closed) unless it is parked, or where another has the project than the person saw,
    (account_not_qualified), (reason_required).
    """
    reason = guard_reason(reason)
    dealer, parked, live = _locked_conflict(tx, actor, ref)
    if parked.state is not ReferralState.PARKED:
        raise Refusal("referral_closed", details={"state": parked.state.value, "verb": "choose"})
    live_ref = "" if live is None else ref_of(dealer, live)
    if instead_of is not None and live is not None and live_ref != instead_of:
        raise Refusal("referral_closed", "Another choice was made in the meantime. Read it again.")
    day = today(tx, at)
    account = tx.get_one(Company, parked.account_id)
    qualified_account(tx, dealer, account.code, day)
    if live is not None:
        _end(tx, actor=actor, at=at, day=day, dealer=dealer, live=live, reason=reason, other_ref=ref)
    parked.state = next_state(REFERRAL_MOVES, "choose", parked.state, "referral_closed")
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer.id,
        event="referral.chosen",
        subject=ref,
        details={"reason": reason, "other_ref": live_ref, "account": account.code},
    )
    offer(tx, at, day, dealer, parked)
    if actor.company_id != dealer.id:
        words = f"The program chose {account.name}. Reason: {reason}\n"
        tell_dealer(tx, at, parked, ref, f"{ref} is open: {account.name} is asked", words)
    return parked


def pass_over_referral(tx: Session, *, actor: Viewer, at: datetime, ref: str, reason: str) -> Referral:
    """The parked referral is closed; whoever has the project keeps it. Its account never knew of it.

    Raises Refusal(forbidden), (not_found), (referral_closed) unless it is parked, (reason_required).
    """
    reason = guard_reason(reason)
    dealer, parked, live = _locked_conflict(tx, actor, ref)
    parked.state = next_state(REFERRAL_MOVES, "pass_over", parked.state, "referral_closed")
    parked.answered_by, parked.answered_at, parked.answer_reason = actor.user_id, at, reason
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer.id,
        event="referral.passed_over",
        subject=ref,
        details={"reason": reason, "other_ref": "" if live is None else ref_of(dealer, live)},
    )
    if actor.company_id != dealer.id:
        words = f"The program passed it over. Reason: {reason}\n"
        tell_dealer(tx, at, parked, ref, f"{ref} is closed: {parked.project_name}", words)
    return parked


def _locked_conflict(tx: Session, actor: Viewer, ref: str) -> tuple[Company, Referral, Referral | None]:
    """Lock who decides over a project: the dealer's counter, then its referrals in order.

    Returns the dealer, the referral and the live one beside it. Raises Refusal(forbidden), (not_found).
    """
    guard_permission(actor, Permission.REFERRAL_CHOOSE)
    dealer_id, number = dealer_of_number(tx, ref, "R")
    seen = tx.scalars(
        referrals_seen_by(actor).where(Referral.dealer_id == dealer_id, Referral.number == number)
    ).one_or_none()
    if seen is None:
        raise Refusal("not_found")
    if seen.dealer_id != actor.company_id and not actor.acts_as(CompanyKind.PROGRAM):
        raise Refusal("forbidden")
    locked_counter(tx, seen)
    rows = locked_project(tx, dealer_id, seen.project_key)
    live = next((row for row in rows if row.state in LIVE_REFERRAL_STATES and row is not seen), None)
    # One that is settled is not among them: it is read again, so that the answer is of now.
    locked(tx, sa.select(Referral).where(Referral.dealer_id == dealer_id, Referral.id == seen.id))
    return tx.get_one(Company, dealer_id), seen, live


def locked_counter(tx: Session, referral: Referral) -> None:
    """Lock the dealer's counter of referrals, as everybody does first who decides who has a project."""
    locked(
        tx,
        sa.select(DealerCounter).where(
            DealerCounter.dealer_id == referral.dealer_id, DealerCounter.kind == "R"
        ),
    )


def _end(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    day: date,
    dealer: Company,
    live: Referral,
    reason: str,
    other_ref: str,
) -> None:
    if standing_on(live.state, live.expires_on, day) is ReferralState.EXPIRED:
        expire(tx, actor=actor, at=at, dealer=dealer, referral=live)
    else:
        close(tx, actor=actor, at=at, dealer=dealer, referral=live, reason=reason, other_ref=other_ref)


def close(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    dealer: Company,
    referral: Referral,
    reason: str,
    other_ref: str,
) -> None:
    """A live referral has ended because another account has the project; its account reads the reason.

    What was ordered of it stays.
    """
    ref = ref_of(dealer, referral)
    referral.state = next_state(REFERRAL_MOVES, "close", referral.state, "referral_closed")
    referral.answered_by, referral.answered_at, referral.answer_reason = actor.user_id, at, reason
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer.id,
        event="referral.closed",
        subject=ref,
        details={"reason": reason, "other_ref": other_ref},
    )
    queue_mail_to_role(
        tx,
        at=at,
        company_id=referral.account_id,
        role=Role.ACCOUNT_BUILDER,
        subject=f"{ref} is closed: {referral.project_name}",
        body=(
            f"{referral.project_name}, {referral.place}. Reason: {reason}\n"
            "Its quotes go no further. What you ordered of it stays yours to deliver.\n"
        ),
        path=f"/referrals/{ref}",
    )
