"""The plan of a project: what is said of its milestones, and the trades that take part."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.projects import MilestoneEntry, Trade
from quotes.rules.projects import MILESTONE_WORDS, Days
from quotes.states import MilestoneKind
from referral.db import locked
from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Referral
from referral.operations.records import guard_permission, guard_reason, queue_mail_to_role, record_event
from referral.operations.referrals import locked_referral
from referral.permissions import Permission, Role, Viewer
from referral.queries.settings import today
from referral.states import ReferralState
from referral.text import say_day


def _locked_project(tx: Session, actor: Viewer, ref: str) -> Referral:
    """Lock the project's referral. Raises Refusal(forbidden), (not_found), (referral_closed)."""
    guard_permission(actor, Permission.PROJECT_PLAN)
    referral = locked_referral(tx, actor, ref)
    if referral.state is not ReferralState.ACCEPTED:
        raise Refusal("referral_closed", "A project is planned once its account has accepted the referral.")
    return referral


# milestones -------------------------------------------------------------------------------------


def set_milestone(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    kind: MilestoneKind,
    number: int,
    planned_on: date | None,
    forecast_on: date | None,
    actual_on: date | None,
    owner: str,
    slip_reason: str,
) -> MilestoneEntry:
    """This is what holds of the milestone from now on; what was said before stays in its history.

    `number` is that of the entry it was read with, 0 where nothing was said yet. Saying the same again, also
    by sending the same form twice, adds nothing. When it slips, the other side is told. Raises
    Refusal(forbidden), (not_found), (referral_closed), (stale_plan), (invalid_input) without a planned day or
    for a day it was done that is yet to come, (reason_required) for a new planned day and for one that ends
    later than planned.
    """
    referral = _locked_project(tx, actor, ref)
    before = _newest(tx, referral, kind)
    said = Days(planned_on, forecast_on, actual_on)
    was = None if before is None else Days(before.planned_on, before.forecast_on, before.actual_on)
    reason = slip_reason.strip()
    if (
        before is not None
        and (said, owner, reason) == (was, before.owner, before.slip_reason)
        and (number == before.number or (number, actor.user_id) == (before.number - 1, before.said_by))
    ):
        return before
    if number != (0 if before is None else before.number):
        raise Refusal("stale_plan")
    if planned_on is None:
        raise Refusal("invalid_input", "Say first for which day it is planned.", field="planned_on")
    if actual_on is not None and actual_on > today(tx, at):
        raise Refusal("invalid_input", "This day is yet to come: it is a forecast.", field="actual_on")
    is_slipping = said.needs_reason(was)
    if is_slipping:
        guard_reason(slip_reason, "slip_reason")
    entry = MilestoneEntry(
        dealer_id=referral.dealer_id,
        id=new_id(),
        referral_id=referral.id,
        kind=kind,
        number=number + 1,
        planned_on=planned_on,
        forecast_on=forecast_on,
        actual_on=actual_on,
        owner=owner,
        slip_reason=reason,
        said_by=actor.user_id,
        said_at=at,
    )
    tx.add(entry)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=referral.dealer_id,
        event="milestone.set",
        subject=ref,
        details={
            "milestone": kind.value,
            "number": entry.number,
            "planned_on": _text(planned_on),
            "forecast_on": _text(forecast_on),
            "actual_on": _text(actual_on),
            "slip_reason": entry.slip_reason,
        },
    )
    slip = said.slips_by(was)
    if is_slipping and slip:
        _tell_other_side(tx, actor, at, referral, ref, entry, slip)
    return entry


def _newest(tx: Session, referral: Referral, kind: MilestoneKind) -> MilestoneEntry | None:
    return tx.scalars(
        sa.select(MilestoneEntry)
        .where(
            MilestoneEntry.dealer_id == referral.dealer_id,
            MilestoneEntry.referral_id == referral.id,
            MilestoneEntry.kind == kind,
        )
        .order_by(MilestoneEntry.number.desc())
        .limit(1)
    ).one_or_none()


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _tell_other_side(
    tx: Session,
    actor: Viewer,
    at: datetime,
    referral: Referral,
    ref: str,
    entry: MilestoneEntry,
    slip: int,
) -> None:
    """Owe a mail that a milestone slips to the side that did not say so."""
    is_dealer = actor.company_id == referral.dealer_id
    words = MILESTONE_WORDS[entry.kind]
    by = "1 day" if slip == 1 else f"{slip} days"
    end_on = entry.actual_on or entry.forecast_on or entry.planned_on
    verb = "was done on" if entry.actual_on else "is now expected on"
    queue_mail_to_role(
        tx,
        at=at,
        company_id=referral.account_id if is_dealer else referral.dealer_id,
        role=Role.ACCOUNT_BUILDER if is_dealer else Role.DEALER_APPROVER,
        subject=f"{referral.project_name}: {words} slips by {by}",
        body=(
            f"{words} of {referral.project_name} ({ref}) {verb} {say_day(end_on)}; "
            f"planned was {say_day(entry.planned_on)}.\n"
            f"{actor.company_name} says why: {entry.slip_reason}\n"
        ),
        path=f"/projects/{ref}",
        is_digestible=True,
    )


# trades -----------------------------------------------------------------------------------------


def add_trade(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    trade: str,
    name: str,
    contact: str,
    scope: str,
    agreed_on: date | None,
    done_on: date | None,
) -> Trade:
    """The trade takes part in the project, for both sides to see; one of the same words is that trade.

    Raises Refusal(forbidden), (not_found), (referral_closed), (invalid_input) for a day that is yet to come.
    """
    referral = _locked_project(tx, actor, ref)
    _guard_done(tx, at, done_on)
    said = {
        "trade": trade,
        "name": name,
        "contact": contact,
        "scope": scope,
        "agreed_on": agreed_on,
        "done_on": done_on,
    }
    before = tx.scalars(
        sa.select(Trade)
        .filter_by(dealer_id=referral.dealer_id, referral_id=referral.id, **said)
        .order_by(Trade.id)
        .limit(1)
    ).one_or_none()
    if before is not None:
        return before
    row = Trade(
        dealer_id=referral.dealer_id,
        id=new_id(),
        referral_id=referral.id,
        **said,
        version=1,
        changed_by=actor.user_id,
        changed_at=at,
    )
    tx.add(row)
    _record_trade(tx, actor, at, ref, row, "trade.added")
    return row


def change_trade(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    ref: str,
    trade_id: UUID,
    version: int,
    trade: str,
    name: str,
    contact: str,
    scope: str,
    agreed_on: date | None,
    done_on: date | None,
) -> Trade:
    """The trade is as said; `version` is the one that was read. The same form sent twice changes it once.

    Raises Refusal(forbidden), (not_found), (referral_closed), (stale_plan), (invalid_input) for a day that
    is yet to come.
    """
    referral = _locked_project(tx, actor, ref)
    row = _locked_trade(tx, referral, trade_id)
    said = (trade, name, contact, scope, agreed_on, done_on)
    is_said = said == (row.trade, row.name, row.contact, row.scope, row.agreed_on, row.done_on)
    if is_said and (row.version - 1, row.changed_by) == (version, actor.user_id):
        return row
    _guard_version(row, version)
    _guard_done(tx, at, done_on)
    row.trade, row.name, row.contact, row.scope, row.agreed_on, row.done_on = said
    row.version += 1
    row.changed_by, row.changed_at = actor.user_id, at
    _record_trade(tx, actor, at, ref, row, "trade.changed")
    return row


def remove_trade(tx: Session, *, actor: Viewer, at: datetime, ref: str, trade_id: UUID, version: int) -> UUID:
    """The trade takes no part in the project any more; what it was stays in the audit.

    Raises Refusal(forbidden), (not_found), (referral_closed), (stale_plan).
    """
    referral = _locked_project(tx, actor, ref)
    row = _locked_trade(tx, referral, trade_id)
    _guard_version(row, version)
    _record_trade(tx, actor, at, ref, row, "trade.removed")
    tx.delete(row)
    return trade_id


def _locked_trade(tx: Session, referral: Referral, trade_id: UUID) -> Trade:
    row = locked(
        tx,
        sa.select(Trade).where(
            Trade.dealer_id == referral.dealer_id, Trade.referral_id == referral.id, Trade.id == trade_id
        ),
    )
    if row is None:
        raise Refusal("not_found")
    return row


def _guard_version(row: Trade, version: int) -> None:
    if row.version != version:
        raise Refusal("stale_plan")


def _guard_done(tx: Session, at: datetime, done_on: date | None) -> None:
    if done_on is not None and done_on > today(tx, at):
        raise Refusal("invalid_input", "This day is yet to come: leave it empty until then.", field="done_on")


def _record_trade(tx: Session, actor: Viewer, at: datetime, ref: str, row: Trade, event: str) -> None:
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=row.dealer_id,
        event=event,
        subject=ref,
        details={
            "trade": row.trade,
            "name": row.name,
            "scope": row.scope,
            "agreed_on": _text(row.agreed_on),
            "done_on": _text(row.done_on),
            "version": row.version,
        },
    )
