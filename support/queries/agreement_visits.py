"""The visits of one agreement by contract year, dated or not: a part of its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.permissions import Permission, Viewer
from referral.queries.settings import today
from support.models.visits import ServiceVisit
from support.queries.seen import agreement_by_ref
from support.queries.visits import VisitRow, found_by, row_of
from support.queries.visits_facts import visit_facts
from support.queries.visits_to_plan import slot_text
from support.rules.slots import Slot
from support.states import BINDING_STATES, VisitState

MOST_ROWS = 60


@dataclass(frozen=True)
class AgreementVisitRow:
    """A slot of an agreement, with its visit where it has one."""

    name: str
    why: str
    slot: str
    """Which one it is, as an address carries it."""
    due_on: date
    ref: str
    """The visit's number; '' without a date."""
    when: str
    state: VisitState | None
    is_lost: bool
    """Its contract year is over, and it was never dated."""


@dataclass(frozen=True)
class AgreementVisits:
    """The visits of an agreement: of the contract years so far, and what is dated of later ones."""

    ref: str
    rows: tuple[AgreementVisitRow, ...]
    undated: int
    """How many can be planned now."""
    more: int
    """Rows that are not shown."""
    coming: int
    """How many the next contract year brings."""
    coming_on: date | None
    may_plan: bool


def agreement_visits(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> AgreementVisits:
    """Return the visits of an agreement the viewer sees; none before it is accepted. Raises Refusal(not_found)."""
    agreement = tx.scalars(agreement_by_ref(tx, viewer, ref)).one_or_none()
    if agreement is None:
        raise Refusal("not_found")
    may_plan = viewer.may(Permission.VISIT_PLAN)
    if agreement.state not in BINDING_STATES:
        return AgreementVisits(ref, (), 0, 0, 0, None, may_plan)
    facts = visit_facts(tx, [agreement])[agreement.id]
    dated = {
        (row.grant_key, row.contract_year, row.slot): row
        for row in (
            row_of(found)
            for found in tx.execute(
                found_by(viewer)
                .where(
                    ServiceVisit.dealer_id == agreement.dealer_id,
                    ServiceVisit.agreement_id == agreement.id,
                    ServiceVisit.state != VisitState.CANCELLED,
                )
                .order_by(sa.asc(ServiceVisit.number))
            )
        )
    }
    day = today(tx, at)
    undated = {slot.key for slot in facts.undated}
    # A slot that is neither here nor there: a visit at a site of another account has it, or it was used without one.
    seen = [slot for slot in facts.slots if slot.key in dated or slot.key in undated]
    rows = [
        _row(slot, dated.get(slot.key), day) for slot in seen if slot.key in dated or slot.first_on <= day
    ]
    later = [slot.first_on for slot in seen if slot.key not in dated and slot.first_on > day]
    coming_on = min(later, default=None)
    return AgreementVisits(
        ref=ref,
        rows=tuple(rows[:MOST_ROWS]),
        undated=sum(not (row.ref or row.is_lost) for row in rows),
        more=max(len(rows) - MOST_ROWS, 0),
        coming=later.count(coming_on) if coming_on else 0,
        coming_on=coming_on,
        may_plan=may_plan,
    )


def _row(slot: Slot, row: VisitRow | None, day: date) -> AgreementVisitRow:
    return AgreementVisitRow(
        name=slot.name,
        why=slot.why,
        slot=slot_text(slot.key),
        due_on=slot.due_on,
        ref="" if row is None else row.ref,
        when="" if row is None else row.when,
        state=None if row is None else row.state,
        is_lost=row is None and slot.last_on < day,
    )
