"""A referral from opening to answer."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.ids import PublicNumber, new_id
from referral.models import Company, Referral
from referral.operations.records import (
    guard_permission,
    guard_reason,
    next_number,
    queue_mail_to_role,
    record_event,
)
from referral.permissions import Permission, Role, Viewer
from referral.queries.companies import is_active_on, is_qualified_on
from referral.queries.referrals import dealer_of_number, referrals_seen_by
from referral.queries.settings import setting_on, today
from referral.rules import SUITABILITY_VERSION, project_key
from referral.states import LIVE_REFERRAL_STATES, REFERRAL_MOVES, ReferralState, next_state


def open_referral(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    account_code: str,
    project_name: str,
    place: str,
    spaces: str,
    wanted_on: date | None,
    client_name: str,
    client_contact: str,
    client_shared: bool,
    is_suitable: bool,
) -> Referral:
    """The dealer's project is referred to an account that is qualified today (program rules, section 3).

    Raises Refusal(forbidden), (attestation_missing), (account_not_qualified), (same_company),
    (account_inactive), (referral_conflict) where the dealer has a live referral of this project.
    """
    guard_permission(actor, Permission.REFERRAL_OPEN)
    day = today(tx, at)
    dealer = tx.get_one(Company, actor.company_id)
    if not is_active_on(dealer, day):
        raise Refusal("account_inactive")
    if not is_suitable:
        raise Refusal("attestation_missing", field="is_suitable")
    account = tx.scalars(sa.select(Company).where(Company.code == account_code)).one_or_none()
    if account is None or not is_active_on(account, day) or not is_qualified_on(tx, account.id, day):
        raise Refusal("account_not_qualified", field="account_code")
    if account.id == dealer.id and not setting_on(tx, "same_company_allowed", day):
        raise Refusal("same_company", field="account_code")
    key = project_key(project_name, place)
    number = next_number(tx, dealer.id, "R")
    if tx.scalars(
        sa.select(Referral.id).where(
            Referral.dealer_id == dealer.id,
            Referral.project_key == key,
            Referral.state.in_(LIVE_REFERRAL_STATES),
        )
    ).first():
        raise Refusal("referral_conflict", field="project_name")
    referral = Referral(
        dealer_id=dealer.id,
        id=new_id(),
        number=number,
        account_id=account.id,
        state=ReferralState.OPEN,
        project_name=project_name,
        project_key=key,
        place=place,
        spaces=spaces,
        wanted_on=wanted_on,
        client_name=client_name,
        client_contact=client_contact,
        client_shared=client_shared,
        attestation_version=SUITABILITY_VERSION,
        attested_by=actor.user_id,
        opened_at=at,
        answered_by=None,
        answered_at=None,
        answer_reason="",
    )
    tx.add(referral)
    ref = str(PublicNumber("R", dealer.code, number))
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer.id,
        event="referral.opened",
        subject=ref,
        details={"account": account.code},
    )
    queue_mail_to_role(
        tx,
        at=at,
        company_id=account.id,
        role=Role.ACCOUNT_BUILDER,
        subject=f"{dealer.name} refers a project to you: {project_name}",
        body=f"Referral {ref}, {project_name}, {place}. Accept or refuse it after signing in.\n",
    )
    return referral


def _answer(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, verb: str, reason: str
) -> tuple[Referral, Company]:
    dealer_id, number = dealer_of_number(tx, ref, "R")
    referral = locked(
        tx,
        referrals_seen_by(actor).where(Referral.dealer_id == dealer_id, Referral.number == number),
    )
    if referral is None:
        raise Refusal("not_found")
    side = referral.dealer_id if verb == "withdraw" else referral.account_id
    if side != actor.company_id:
        raise Refusal("forbidden")
    referral.state = next_state(REFERRAL_MOVES, verb, referral.state, "referral_closed")
    referral.answered_by, referral.answered_at, referral.answer_reason = actor.user_id, at, reason
    event = {"accept": "accepted", "refuse": "refused", "withdraw": "withdrawn"}[verb]
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=referral.dealer_id,
        event=f"referral.{event}",
        subject=ref,
        details={"reason": reason} if reason else None,
    )
    return referral, tx.get_one(Company, referral.account_id)


def accept_referral(tx: Session, *, actor: Viewer, at: datetime, ref: str) -> Referral:
    """The account takes the project on and can quote it.

    Raises Refusal(forbidden), (not_found), (referral_closed), (account_not_qualified).
    """
    guard_permission(actor, Permission.REFERRAL_ANSWER)
    if not is_qualified_on(tx, actor.company_id, today(tx, at)):
        raise Refusal("account_not_qualified")
    referral, account = _answer(tx, actor=actor, at=at, ref=ref, verb="accept", reason="")
    _tell_dealer(tx, at, referral, f"{account.name} accepts {ref}", "A quote will follow.\n")
    return referral


def refuse_referral(tx: Session, *, actor: Viewer, at: datetime, ref: str, reason: str) -> Referral:
    """The account declines the project; the dealer can refer it to another.

    Raises Refusal(forbidden), (not_found), (referral_closed), (reason_required).
    """
    guard_permission(actor, Permission.REFERRAL_ANSWER)
    guard_reason(reason)
    referral, account = _answer(tx, actor=actor, at=at, ref=ref, verb="refuse", reason=reason.strip())
    _tell_dealer(tx, at, referral, f"{account.name} refuses {ref}", f"Reason: {reason.strip()}\n")
    return referral


def withdraw_referral(tx: Session, *, actor: Viewer, at: datetime, ref: str, reason: str) -> Referral:
    """The dealer takes an unanswered referral back.

    Raises Refusal(forbidden), (not_found), (referral_closed), (reason_required).
    """
    guard_permission(actor, Permission.REFERRAL_OPEN)
    guard_reason(reason)
    return _answer(tx, actor=actor, at=at, ref=ref, verb="withdraw", reason=reason.strip())[0]


def _tell_dealer(tx: Session, at: datetime, referral: Referral, subject: str, body: str) -> None:
    queue_mail_to_role(
        tx,
        at=at,
        company_id=referral.dealer_id,
        role=Role.DEALER_APPROVER,
        subject=subject,
        body=f"{referral.project_name}, {referral.place}. {body}",
    )
