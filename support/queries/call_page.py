"""The page of a service call: what is due next, what was owed and why, what happened, and what may happen next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.clock import business_day
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import User
from referral.permissions import CompanyKind, Permission, Viewer
from support.models.agreements import QuotaUse
from support.models.calls import CallEvent, ServiceCall
from support.models.catalogue import CatalogueEntry
from support.models.visits import ServiceVisit
from support.queries.call_agreement import CallQuota, grants_of_call, quotas_of_call, requirements_of_call
from support.queries.call_facts import calendar_of_entry, entries_by_id, happening_of, policy_of_entry
from support.queries.calls import CallRow, by_due, call_row, found_calls
from support.queries.seen import call_by_ref
from support.rules.call_moves import Stand, may_follow, quick_kinds, stand_of, standing
from support.rules.call_projection import CallFacts, waiting
from support.rules.call_ways import FrozenEntitlement, read_entitlement
from support.rules.call_words import EVENT_WORDS, pause_reasons, say_left, say_reason, say_span
from support.rules.offers import Grant, Requirement
from support.rules.quotas import say_amount
from support.rules.timeline import Due, Timeline
from support.rules.why import explain
from support.states import CallEventKind, CallState, DueStatus, Priority

_Kind = CallEventKind
LATE_FROM = timedelta(minutes=5)
"""What is recorded so long after it happened is marked as recorded late."""
FOR_EVERYBODY = frozenset({_Kind.NOTED, _Kind.WITHDRAWN, _Kind.REOPENED})


@dataclass(frozen=True)
class CallEventRow:
    """Something recorded of a call, as its history shows it."""

    number: int
    kind: CallEventKind
    what: str
    happened_at: datetime
    priority: Priority | None
    reason: str
    words: str
    voids: int | None
    recorded_by: str
    recorded_at: datetime
    is_struck: bool
    """A correction took it out; it counts no more."""
    late: str
    """How long after it happened it was recorded, in words; '' where that was at once."""
    may_correct: bool


@dataclass(frozen=True)
class DueRow:
    """Something that is or was owed, with why it is due at its instant."""

    due: Due
    why: tuple[str, ...]
    left: str
    """How long is left or over, of what still waits; what remains while it is paused."""
    is_waiting: bool
    """It is still to be done."""
    by: CallEventRow | None
    """The event that decided it."""

    @property
    def status(self) -> DueStatus:
        """What became of it."""
        return self.due.status


@dataclass(frozen=True)
class CallPage:
    """A call with everything its page shows, as of an instant."""

    row: CallRow
    call: ServiceCall
    at: datetime
    stand: Stand
    line: Timeline
    dues: tuple[DueRow, ...]
    """What waits first, then what was decided, newest first."""
    events: tuple[CallEventRow, ...]
    """Newest recorded first."""
    entitlement: FrozenEntitlement
    policy_name: str
    calendar_key: str
    calendar_name: str
    visit_ref: str
    uses: tuple[str, ...]
    """What was used of the agreement's quotas, in words."""
    reasons: dict[str, str]
    """The named reasons it can be paused for, by key."""
    quotas: tuple[CallQuota, ...]
    has_priorities: bool
    next_kinds: tuple[CallEventKind, ...]
    """What the viewer may record next."""
    quick: tuple[CallEventKind, ...]
    """Those that one button records; what meets the next due first."""
    is_desk: bool
    """The viewer's company works on it."""

    @property
    def next_due(self) -> DueRow | None:
        """What is to be done first."""
        return next((each for each in self.dues if each.is_waiting), None)

    @property
    def zone(self) -> str:
        """The time zone of the site."""
        return self.row.time_zone

    @property
    def is_closed(self) -> bool:
        """Say whether nothing is owed any more."""
        return self.stand.state in {CallState.RESOLVED, CallState.WITHDRAWN}


def call_page(tx: Session, *, viewer: Viewer, at: datetime, ref: str) -> CallPage:
    """Return a call the viewer may see, as it stands at an instant. Raises Refusal(not_found)."""
    found = next(iter(found_calls(tx, call_by_ref(tx, viewer, ref), by_due)), None)
    if found is None:
        raise Refusal("not_found")
    call, row = found[0], call_row(found)
    entries = entries_by_id(tx, {each for each in (call.policy_id, call.calendar_id) if each})
    policy = entries.get(call.policy_id)
    calendar = entries.get(call.calendar_id)
    recorded = [
        (event, name or "")
        for event, name in tx.execute(
            sa.select(CallEvent, User.name)
            .outerjoin(User, User.id == CallEvent.recorded_by)
            .where(CallEvent.dealer_id == call.dealer_id, CallEvent.call_id == call.id)
            .order_by(CallEvent.number)
        )
    ]
    facts = CallFacts(
        policy_of_entry(policy),
        calendar_of_entry(calendar, call.time_zone),
        tuple(happening_of(event) for event, _ in recorded),
    )
    is_desk = viewer.company_id == call.handler_id and viewer.may(Permission.CALL_WORK)
    requirements = requirements_of_call(tx, call)
    stand = stand_of(facts.happenings)
    events = _event_rows(facts, recorded, requirements, may_correct=is_desk)
    line = facts.timeline(at)
    is_closed = stand.state in {CallState.RESOLVED, CallState.WITHDRAWN}
    kinds = _next_kinds(viewer, call, stand, is_desk=is_desk, has_priorities=facts.has_priorities)
    first = next(iter(waiting(line, facts.happenings)), None)
    return CallPage(
        row=row,
        call=call,
        at=at,
        stand=stand,
        line=line,
        dues=_due_rows(facts, line, events, at),
        events=tuple(reversed(events)),
        entitlement=read_entitlement(call.entitlement),
        policy_name=facts.policy.name if policy is not None else "",
        calendar_key="" if calendar is None else calendar.key,
        calendar_name=_name_of(calendar),
        visit_ref=_visit_ref(tx, call, row),
        uses=_uses(tx, call),
        reasons=pause_reasons(requirements),
        quotas=quotas_of_call(tx, call, day=business_day(at, row.time_zone))
        if is_desk and not is_closed
        else (),
        has_priorities=facts.has_priorities,
        next_kinds=kinds,
        quick=quick_kinds(facts.policy, stand, kinds, None if first is None else first.obligation),
        is_desk=is_desk,
    )


def _next_kinds(
    viewer: Viewer, call: ServiceCall, stand: Stand, *, is_desk: bool, has_priorities: bool
) -> tuple[CallEventKind, ...]:
    kinds = may_follow(stand, has_priorities=has_priorities)
    if is_desk:
        return kinds
    is_party = viewer.company_id in {call.dealer_id, call.account_id} or viewer.acts_as(CompanyKind.PROGRAM)
    if not is_party or not viewer.may(Permission.CALL_OPEN):
        return ()
    return tuple(kind for kind in kinds if kind in FOR_EVERYBODY)


def _event_rows(
    facts: CallFacts,
    recorded: list[tuple[CallEvent, str]],
    requirements: tuple[Requirement, ...],
    *,
    may_correct: bool,
) -> list[CallEventRow]:
    stood = {each.number for each in standing(facts.happenings)}
    rows = []
    for event, name in recorded:
        delay = event.recorded_at - event.happened_at
        is_correction = event.kind is _Kind.CORRECTED
        is_struck = event.number not in stood and not is_correction
        rows.append(
            CallEventRow(
                number=event.number,
                kind=event.kind,
                what=EVENT_WORDS[event.kind],
                happened_at=event.happened_at,
                priority=event.priority,
                reason=say_reason(event.kind, event.reason, requirements),
                words=event.words,
                voids=event.voids,
                recorded_by=name,
                recorded_at=event.recorded_at,
                is_struck=is_struck,
                late=say_span(delay) if delay >= LATE_FROM else "",
                may_correct=may_correct
                and not is_struck
                and event.kind not in {_Kind.OPENED, _Kind.CORRECTED},
            )
        )
    return rows


def _due_rows(
    facts: CallFacts, line: Timeline, events: list[CallEventRow], at: datetime
) -> tuple[DueRow, ...]:
    by_number = {each.number: each for each in events}
    todo = waiting(line, facts.happenings)
    rows = [
        DueRow(
            due=due,
            why=explain(due, facts.calendar),
            left=say_left(due.due_at, at) if due.due_at is not None else "",
            is_waiting=True,
            by=None,
        )
        for due in todo
    ]
    paused = [due for due in line.obligations if due.status is DueStatus.PAUSED]
    rows += [
        DueRow(
            due=due,
            why=explain(due, facts.calendar),
            left="" if due.remaining is None else f"{say_span(due.remaining)} of its time left",
            is_waiting=True,
            by=None,
        )
        for due in paused
    ]
    waits = {id(due) for due in (*todo, *paused)}
    rows += [
        DueRow(
            due=due,
            why=explain(due, facts.calendar),
            left="",
            is_waiting=False,
            by=by_number.get(due.decided_by) if due.decided_by is not None else None,
        )
        for due in reversed(line.obligations)
        if id(due) not in waits
    ]
    return tuple(rows)


def _uses(tx: Session, call: ServiceCall) -> tuple[str, ...]:
    """Return what was used of quotas for the call, in words, but for what was taken back."""
    rows = tx.scalars(
        sa.select(QuotaUse)
        .where(QuotaUse.dealer_id == call.dealer_id, QuotaUse.call_id == call.id)
        .order_by(QuotaUse.number)
    ).all()
    if not rows:
        return ()
    gone = {row.reverses for row in rows if row.reverses is not None}
    names = grants_of_call(tx, call)
    return tuple(
        f"{_amount(names, row, row.covered)} covered"
        + (f", {_amount(names, row, row.billable)} billable" if row.billable else "")
        + f" ({names[row.grant_key].name})"
        for row in rows
        if row.reverses is None and row.number not in gone
    )


def _amount(grants: Mapping[str, Grant], use: QuotaUse, amount: int) -> str:
    quota = grants[use.grant_key].quota
    return f"{amount:,}" if quota is None else say_amount(quota.unit, amount)


def _visit_ref(tx: Session, call: ServiceCall, row: CallRow) -> str:
    if call.visit_id is None:
        return ""
    number = tx.scalars(
        sa.select(ServiceVisit.number).where(
            ServiceVisit.dealer_id == call.dealer_id, ServiceVisit.id == call.visit_id
        )
    ).one()
    return str(PublicNumber("V", row.dealer_code, number))


def _name_of(entry: CatalogueEntry | None) -> str:
    return "" if entry is None else f"{entry.name}, version {entry.version}"
