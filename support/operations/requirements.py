"""What the customer sees to under an agreement, and what is confirmed as available: met from a day on, or not any more."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.db import locked
from referral.errors import Refusal
from referral.operations.records import guard_permission, record_event
from referral.permissions import Permission, Viewer
from referral.queries.settings import today
from support.models.agreements import RequirementMark
from support.operations.uses import agreement_ref
from support.queries.requirements import requirements_of
from support.queries.seen import agreement_by_ref
from support.rules.entitlement import CONFIRMED
from support.states import AgreementState


def mark_requirement(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    requirement_key: str,
    is_met: bool,
    since_on: date,
    words: str,
) -> RequirementMark:
    """A requirement of the agreement is met since a day, or not any more.

    That a grant is available at the sites is a requirement too, for the program to confirm. The same mark as the
    last of that requirement is that mark. Raises Refusal(forbidden), (not_found), (agreement_not_active),
    (not_granted) for a requirement it does not have, (invalid_input) for a day to come.
    """
    guard_permission(actor, Permission.AGREEMENT_BUILD)
    if requirement_key.startswith(CONFIRMED):
        guard_permission(actor, Permission.AGREEMENT_OFFER)
    agreement = locked(tx, agreement_by_ref(tx, actor, ref))
    if agreement is None:
        raise Refusal("not_found")
    if agreement.state in {AgreementState.DECLINED, AgreementState.WITHDRAWN}:
        raise Refusal("agreement_not_active", "This agreement was not made.")
    if requirement_key not in {each.key for each in requirements_of(tx, agreement)}:
        raise Refusal("not_granted", "This agreement has no such requirement.", "requirement_key")
    if since_on > today(tx, at):
        raise Refusal("invalid_input", "This day is still to come.", "since_on")
    where = (
        RequirementMark.dealer_id == agreement.dealer_id,
        RequirementMark.agreement_id == agreement.id,
    )
    last = tx.scalars(
        sa.select(RequirementMark)
        .where(*where, RequirementMark.requirement_key == requirement_key)
        .order_by(RequirementMark.number.desc())
        .limit(1)
    ).one_or_none()
    said = (is_met, since_on, words.strip())
    if last is not None and (last.is_met, last.since_on, last.words) == said:
        return last
    highest = tx.scalar(sa.select(sa.func.max(RequirementMark.number)).where(*where)) or 0
    mark = RequirementMark(
        dealer_id=agreement.dealer_id,
        agreement_id=agreement.id,
        number=highest + 1,
        requirement_key=requirement_key,
        is_met=is_met,
        since_on=since_on,
        words=words.strip(),
        marked_by=actor.user_id,
        marked_at=at,
    )
    tx.add(mark)
    tx.flush()
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=agreement.dealer_id,
        event="requirement.marked",
        subject=agreement_ref(tx, agreement),
        details={
            "requirement": requirement_key,
            "is_met": is_met,
            "since_on": since_on.isoformat(),
            "words": mark.words,
        },
    )
    return mark
