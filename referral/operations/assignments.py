"""The program helps one project on: its account continues without a qualification, or another takes it over."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Company, Continuation, Referral
from referral.operations.conflicts import close
from referral.operations.records import (
    guard_permission,
    guard_reason,
    next_number,
    queue_mail_to_role,
    record_event,
)
from referral.operations.referrals import (
    locked_project,
    locked_referral,
    offer,
    qualified_account,
    ref_of,
    tell_dealer,
)
from referral.permissions import Permission, Role, Viewer
from referral.queries.continuations import continuation_of
from referral.queries.referrals import dealer_of_number
from referral.queries.settings import today
from referral.states import LIVE_REFERRAL_STATES, ReferralState
from referral.text import say_day


def continue_referral(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, last_on: date, reason: str
) -> Continuation:
    """The account goes on with this one project through `last_on`, also without a qualification.

    What was said last counts, so that an earlier day takes back a later one; the same again is the same.
    Raises Refusal(forbidden), (not_found), (referral_closed) unless the account has the project,
    (invalid_input) for a day that is over, (reason_required). Program rules, section 4.
    """
    guard_permission(actor, Permission.REFERRAL_ASSIGN)
    reason = guard_reason(reason)
    referral = locked_referral(tx, actor, ref)
    dealer_id = referral.dealer_id
    if referral.state not in LIVE_REFERRAL_STATES:
        raise Refusal("referral_closed", details={"state": referral.state.value, "verb": "continue"})
    if last_on < today(tx, at):
        raise Refusal("invalid_input", "Choose today or a later day.", "last_on")
    before = continuation_of(tx, dealer_id, referral.id)
    if before is not None and (before.last_on, before.reason, before.granted_by) == (
        last_on,
        reason,
        actor.user_id,
    ):
        return before
    granted = Continuation(
        dealer_id=dealer_id,
        id=new_id(),
        referral_id=referral.id,
        last_on=last_on,
        reason=reason,
        granted_by=actor.user_id,
        granted_at=at,
    )
    tx.add(granted)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer_id,
        event="referral.continued",
        subject=ref,
        details={"reason": reason, "last_on": last_on.isoformat()},
    )
    words = f"The account goes on with this project through {say_day(last_on)}. Reason: {reason}\n"
    tell_dealer(tx, at, referral, ref, f"{ref} goes on through {say_day(last_on)}", words)
    queue_mail_to_role(
        tx,
        at=at,
        company_id=referral.account_id,
        role=Role.ACCOUNT_BUILDER,
        subject=f"Go on with {referral.project_name} through {say_day(last_on)}",
        body=f"The program lets you submit and order for {ref} through {say_day(last_on)}. Reason: {reason}\n",
        path=f"/referrals/{ref}",
    )
    return granted


def reassign_referral(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, account_code: str, reason: str
) -> Referral:
    """Another qualified account is asked to take the project over; the one that had it is closed.

    The new referral says what the old one said; it needs a quote and an approval of its own. Raises
    Refusal(forbidden), (not_found), (referral_closed) unless an account has the project,
    (account_not_qualified), (same_company), (referral_conflict) where this account has it or is parked,
    (reason_required). Program rules, section 4.
    """
    guard_permission(actor, Permission.REFERRAL_ASSIGN)
    reason = guard_reason(reason)
    dealer_id, _ = dealer_of_number(tx, ref, "R")
    next_one = next_number(tx, dealer_id, "R")
    old = locked_referral(tx, actor, ref)
    if old.state not in LIVE_REFERRAL_STATES:
        raise Refusal("referral_closed", details={"state": old.state.value, "verb": "close"})
    day, dealer = today(tx, at), tx.get_one(Company, dealer_id)
    account = qualified_account(tx, dealer, account_code, day)
    for row in locked_project(tx, dealer_id, old.project_key):
        if row.account_id == account.id:
            raise Refusal(
                "referral_conflict",
                "This account has the project already."
                if row is old
                else f"This account is parked for the project: choose {ref_of(dealer, row)}.",
                "account_code",
            )
    new = _copy_for(old, account, next_one, at)
    new_ref = ref_of(dealer, new)
    close(tx, actor=actor, at=at, dealer=dealer, referral=old, reason=reason, other_ref=new_ref)
    tx.add(new)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer_id,
        event="referral.opened",
        subject=new_ref,
        details={"account": account.code, "reason": reason, "other_ref": ref},
    )
    offer(tx, at, day, dealer, new)
    words = f"The program asks {account.name} to take it over as {new_ref}. Reason: {reason}\n"
    tell_dealer(tx, at, new, new_ref, f"{ref} goes to another account: {old.project_name}", words)
    return new


def _copy_for(old: Referral, account: Company, number: int, at: datetime) -> Referral:
    return Referral(
        dealer_id=old.dealer_id,
        id=new_id(),
        number=number,
        account_id=account.id,
        state=ReferralState.OPEN,
        project_name=old.project_name,
        project_key=old.project_key,
        place=old.place,
        spaces=old.spaces,
        wanted_on=old.wanted_on,
        client_name=old.client_name,
        client_contact=old.client_contact,
        client_shared=old.client_shared,
        attestation_version=old.attestation_version,
        attested_by=old.attested_by,
        opened_at=at,
        answered_by=None,
        answered_at=None,
        answer_reason="",
    )
