"""Lending the right to decide to a colleague for some days, and ending it early."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Delegation, User
from referral.operations.records import guard_permission, queue_mail, record_event
from referral.permissions import GRID, LENT, Permission, Role, Viewer
from referral.queries.delegations import DEALER_ROLES, has_role, lending_of, may_lend_of
from referral.queries.settings import today
from referral.text import say_day


def guard_decider(tx: Session, actor: Viewer, at: datetime) -> UUID | None:
    """Guard: the actor decides by an own role, or by a lending that holds at this instant.

    Returns the approver who lent the right, None for one's own. Asked of the database anew: between the
    door and the lock a last day may end. What is lent is locked for sharing, so that nobody ends it before the
    decision is committed. Raises Refusal(forbidden), (delegation_expired).
    """
    guard_permission(actor, Permission.QUOTE_DECIDE)
    if any(GRID[role] >= LENT for role in actor.roles):
        return None
    mine = (Delegation.dealer_id == actor.company_id, Delegation.delegate_id == actor.user_id)
    tx.execute(sa.select(Delegation.id).where(*mine).order_by(Delegation.id).with_for_update(read=True))
    lending = lending_of(tx, dealer_id=actor.company_id, user_id=actor.user_id, at=at)
    if lending is None:
        raise Refusal("forbidden")
    if lending.is_over:
        raise Refusal("delegation_expired")
    return lending.approver_id


def lend_decision(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    approver_id: UUID,
    delegate_id: UUID,
    first_on: date,
    last_on: date,
) -> Delegation:
    """The delegate decides for the approver from the first through the last day, in the program's zone.

    An approver lends their own right, the company's admin anyone's, but not to themselves. The same
    lending again is that lending. Raises Refusal(forbidden), (not_found) for an approver of another
    company, (invalid_input).
    """
    guard_permission(actor, Permission.DECISION_LEND)
    approver = _colleague(tx, actor, approver_id, has_role(Role.DEALER_APPROVER))
    if approver is None:
        raise Refusal("not_found", "This is no approver of your company.", "approver_id")
    if not may_lend_of(actor, approver_id):
        raise Refusal("forbidden", "You can lend your own right only.", "approver_id")
    if delegate_id == actor.user_id:
        raise Refusal("invalid_input", "Ask the approver to lend it to you.", "delegate_id")
    delegate = _colleague(
        tx, actor, delegate_id, sa.and_(has_role(*DEALER_ROLES), ~has_role(Role.DEALER_APPROVER))
    )
    if delegate is None:
        raise Refusal(
            "invalid_input", "Choose a colleague who has no right to decide of their own.", "delegate_id"
        )
    if first_on < today(tx, at):
        raise Refusal("invalid_input", "A right is lent from today on, or later.", "first_on")
    if last_on < first_on:
        raise Refusal("invalid_input", "The last day is not before the first.", "last_on")
    locked(tx, sa.select(User).where(User.id == delegate_id))
    before = _the_same(tx, actor, approver_id, delegate_id, first_on, last_on)
    if before is not None:
        return before
    row = Delegation(
        dealer_id=actor.company_id,
        id=new_id(),
        approver_id=approver_id,
        delegate_id=delegate_id,
        first_on=first_on,
        last_on=last_on,
        lent_by=actor.user_id,
        lent_at=at,
        ended_by=None,
        ended_at=None,
    )
    tx.add(row)
    _tell_and_record(
        tx,
        actor,
        at,
        row,
        {approver, delegate},
        "delegation.lent",
        f"{delegate.name} decides for {approver.name} through {say_day(last_on)}",
        f"{actor.name} set down that {delegate.name} can approve quotes, ask for changes, decline and agree to "
        f"services on behalf of {approver.name}, from {say_day(first_on)} through {say_day(last_on)}, both days "
        "included.\n",
    )
    return row


def _the_same(
    tx: Session, actor: Viewer, approver_id: UUID, delegate_id: UUID, first_on: date, last_on: date
) -> Delegation | None:
    return tx.scalars(
        sa.select(Delegation)
        .where(
            Delegation.dealer_id == actor.company_id,
            Delegation.approver_id == approver_id,
            Delegation.delegate_id == delegate_id,
            Delegation.first_on == first_on,
            Delegation.last_on == last_on,
            Delegation.ended_at.is_(None),
        )
        .order_by(Delegation.id)
        .limit(1)
    ).one_or_none()


def end_delegation(tx: Session, *, actor: Viewer, at: datetime, delegation_id: UUID) -> Delegation:
    """The delegate decides no more, from this instant on; what was decided stays.

    Ending it twice is once. Raises Refusal(forbidden), (not_found), (not_pending) after its last day.
    """
    guard_permission(actor, Permission.DECISION_LEND)
    row = locked(
        tx,
        sa.select(Delegation).where(Delegation.dealer_id == actor.company_id, Delegation.id == delegation_id),
    )
    if row is None:
        raise Refusal("not_found")
    if not may_lend_of(actor, row.approver_id):
        raise Refusal(
            "forbidden", "It is for who lent it, or your company's admin, to end this.", "approver_id"
        )
    if row.ended_at is not None:
        return row
    if today(tx, at) > row.last_on:
        raise Refusal("not_pending")
    row.ended_by, row.ended_at = actor.user_id, at
    people = set(tx.scalars(sa.select(User).where(User.id.in_([row.approver_id, row.delegate_id]))))
    names = {user.id: user.name for user in people}
    delegate, approver = names[row.delegate_id], names[row.approver_id]
    _tell_and_record(
        tx,
        actor,
        at,
        row,
        people,
        "delegation.ended",
        f"{delegate} no longer decides for {approver}",
        f"{actor.name} ended the right of {delegate} to decide on behalf of {approver}.\n",
    )
    return row


def _colleague(tx: Session, actor: Viewer, user_id: UUID, condition: sa.ColumnElement[bool]) -> User | None:
    return tx.scalars(
        sa.select(User).where(
            User.id == user_id, User.company_id == actor.company_id, User.is_active, condition
        )
    ).one_or_none()


def _tell_and_record(
    tx: Session,
    actor: Viewer,
    at: datetime,
    row: Delegation,
    people: set[User],
    event: str,
    subject: str,
    body: str,
) -> None:
    """Owe a mail to the two people, unless they did it themselves, and record the event."""
    for user in sorted(people, key=lambda user: user.email_folded):
        if user.id != actor.user_id:
            queue_mail(tx, at=at, recipient=user.email, subject=subject, body=body, path="/")
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=row.dealer_id,
        event=event,
        subject=next(user.email for user in people if user.id == row.delegate_id),
        details={
            "approver": next(user.email for user in people if user.id == row.approver_id),
            "first_on": row.first_on.isoformat(),
            "last_on": row.last_on.isoformat(),
        },
    )
