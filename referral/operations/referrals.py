"""A referral from opening to answer."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

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
from referral.queries.continuations import check_may_go_on
from referral.queries.referrals import dealer_of_number, referrals_seen_by
from referral.queries.settings import setting_on, today, whole_number_setting
from referral.rules import SUITABILITY_VERSION, last_day_to_answer, project_key, standing_on
from referral.states import LIVE_REFERRAL_STATES, REFERRAL_MOVES, ReferralState, next_state
from referral.text import say_day


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

    It is parked where another account has the project: nobody is told, and the dealer or the program chooses.
    A referral that nobody answered in time gives way. Raises Refusal(forbidden), (attestation_missing),
    (account_not_qualified), (same_company), (account_inactive), (referral_conflict) where this account has
    the project already.
    """
    guard_permission(actor, Permission.REFERRAL_OPEN)
    day = today(tx, at)
    dealer = tx.get_one(Company, actor.company_id)
    if not is_active_on(dealer, day):
        raise Refusal("account_inactive")
    if not is_suitable:
        raise Refusal("attestation_missing", field="is_suitable")
    account = qualified_account(tx, dealer, account_code, day)
    key = project_key(project_name, place)
    # Its counter is the dealer's one lock for everything that decides who has a project.
    number = next_number(tx, dealer.id, "R")
    state = _state_of_another(tx, actor, at, dealer, account, key, day)
    referral = Referral(
        dealer_id=dealer.id,
        id=new_id(),
        number=number,
        account_id=account.id,
        state=state,
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
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer.id,
        event="referral.parked" if state is ReferralState.PARKED else "referral.opened",
        subject=ref_of(dealer, referral),
        details={"account": account.code},
    )
    if state is ReferralState.OPEN:
        offer(tx, at, day, dealer, referral)
    return referral


def _state_of_another(
    tx: Session, actor: Viewer, at: datetime, dealer: Company, account: Company, key: str, day: date
) -> ReferralState:
    """Return in which state one more referral of the project begins; one that expired gives way."""
    rows = locked_project(tx, dealer.id, key)
    live = next((row for row in rows if row.state in LIVE_REFERRAL_STATES), None)
    if live is not None and standing_on(live.state, live.expires_on, day) is ReferralState.EXPIRED:
        expire(tx, actor=actor, at=at, dealer=dealer, referral=live)
        rows, live = [row for row in rows if row is not live], None
    if any(row.account_id == account.id for row in rows):
        raise Refusal("referral_conflict", field="project_name")
    return ReferralState.OPEN if live is None else ReferralState.PARKED


def locked_referral(tx: Session, actor: Viewer, ref: str) -> Referral:
    """Return the referral the actor sees, locked. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "R")
    referral = locked(
        tx, referrals_seen_by(actor).where(Referral.dealer_id == dealer_id, Referral.number == number)
    )
    if referral is None:
        raise Refusal("not_found")
    return referral


def ref_of(dealer: Company, referral: Referral) -> str:
    """Return the referral's public number."""
    return str(PublicNumber("R", dealer.code, referral.number))


def qualified_account(tx: Session, dealer: Company, account_code: str, day: date) -> Company:
    """Return the account by its code.

    Raises Refusal(account_not_qualified) where it is none that is active and qualified on the day,
    (same_company) where it is the dealer, unless the setting allows that.
    """
    account = tx.scalars(sa.select(Company).where(Company.code == account_code)).one_or_none()
    if account is None or not is_active_on(account, day) or not is_qualified_on(tx, account.id, day):
        raise Refusal("account_not_qualified", field="account_code")
    if account.id == dealer.id and not setting_on(tx, "same_company_allowed", day):
        raise Refusal("same_company", field="account_code")
    return account


def locked_project(tx: Session, dealer_id: UUID, key: str) -> list[Referral]:
    """Lock the live and the parked referrals of the dealer's project, oldest first, and return them.

    For those who hold the dealer's counter: nobody else opens, parks or chooses meanwhile.
    """
    ids = tx.scalars(
        sa.select(Referral.id)
        .where(
            Referral.dealer_id == dealer_id,
            Referral.project_key == key,
            Referral.state.in_((*LIVE_REFERRAL_STATES, ReferralState.PARKED)),
        )
        .order_by(Referral.id)
    ).all()
    rows = [
        locked(tx, sa.select(Referral).where(Referral.dealer_id == dealer_id, Referral.id == each))
        for each in ids
    ]
    return [
        row for row in rows if row is not None and row.state in {*LIVE_REFERRAL_STATES, ReferralState.PARKED}
    ]


def offer(tx: Session, at: datetime, day: date, dealer: Company, referral: Referral) -> None:
    """The account is told of an open referral, and has its days to answer from today on."""
    referral.offered_at = at
    referral.expires_on = last_day_to_answer(day, whole_number_setting(tx, "referral_valid_days", day))
    ref = ref_of(dealer, referral)
    queue_mail_to_role(
        tx,
        at=at,
        company_id=referral.account_id,
        role=Role.ACCOUNT_BUILDER,
        subject=f"{dealer.name} refers a project to you: {referral.project_name}",
        body=(
            f"Referral {ref}, {referral.project_name}, {referral.place}. "
            f"Accept or refuse it through {say_day(referral.expires_on)}, after signing in.\n"
        ),
        path=f"/referrals/{ref}",
    )


def expire(tx: Session, *, actor: Viewer, at: datetime, dealer: Company, referral: Referral) -> None:
    """A referral that nobody answered in time has ended, so that its project is free."""
    referral.state = next_state(REFERRAL_MOVES, "expire", referral.state, "referral_closed")
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=dealer.id,
        event="referral.expired",
        subject=ref_of(dealer, referral),
    )


def _answer(
    tx: Session, *, actor: Viewer, at: datetime, ref: str, verb: str, reason: str
) -> tuple[Referral, Company]:
    referral = locked_referral(tx, actor, ref)
    side = referral.dealer_id if verb == "withdraw" else referral.account_id
    if side != actor.company_id:
        raise Refusal("forbidden")
    day = today(tx, at)
    if standing_on(referral.state, referral.expires_on, day) is ReferralState.EXPIRED:
        raise Refusal(
            "referral_closed",
            f"This referral expired: its last day to answer was {say_day(referral.expires_on)}. "
            "The dealer can refer it again.",
        )
    if verb == "accept":
        check_may_go_on(
            tx, dealer_id=referral.dealer_id, referral_id=referral.id, account_id=referral.account_id, day=day
        )
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

    Raises Refusal(forbidden), (not_found), (referral_closed) also after its last day, (account_not_qualified).
    """
    guard_permission(actor, Permission.REFERRAL_ANSWER)
    referral, account = _answer(tx, actor=actor, at=at, ref=ref, verb="accept", reason="")
    tell_dealer(tx, at, referral, ref, f"{account.name} accepts {ref}", "A quote will follow.\n")
    return referral


def refuse_referral(tx: Session, *, actor: Viewer, at: datetime, ref: str, reason: str) -> Referral:
    """The account declines the project; the dealer can refer it to another.

    Raises Refusal(forbidden), (not_found), (referral_closed) also after its last day, (reason_required).
    """
    guard_permission(actor, Permission.REFERRAL_ANSWER)
    guard_reason(reason)
    referral, account = _answer(tx, actor=actor, at=at, ref=ref, verb="refuse", reason=reason.strip())
    tell_dealer(tx, at, referral, ref, f"{account.name} refuses {ref}", f"Reason: {reason.strip()}\n")
    return referral


def withdraw_referral(tx: Session, *, actor: Viewer, at: datetime, ref: str, reason: str) -> Referral:
    """The dealer takes an unanswered or a parked referral back; an account that knew of it is told.

    Raises Refusal(forbidden), (not_found), (referral_closed), (reason_required).
    """
    guard_permission(actor, Permission.REFERRAL_OPEN)
    guard_reason(reason)
    referral, _ = _answer(tx, actor=actor, at=at, ref=ref, verb="withdraw", reason=reason.strip())
    if referral.offered_at is not None:
        queue_mail_to_role(
            tx,
            at=at,
            company_id=referral.account_id,
            role=Role.ACCOUNT_BUILDER,
            subject=f"{ref} is withdrawn: {referral.project_name}",
            body=f"{referral.project_name}, {referral.place}. Reason: {reason.strip()}\n",
            path=f"/referrals/{ref}",
            is_digestible=True,
        )
    return referral


def tell_dealer(tx: Session, at: datetime, referral: Referral, ref: str, subject: str, body: str) -> None:
    """The dealer's approvers are told what became of their referral."""
    queue_mail_to_role(
        tx,
        at=at,
        company_id=referral.dealer_id,
        role=Role.DEALER_APPROVER,
        subject=subject,
        body=f"{referral.project_name}, {referral.place}. {body}",
        path=f"/referrals/{ref}",
        is_digestible=True,
    )
