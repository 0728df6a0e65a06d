"""Whoever changes calls behind the program's back is found out."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from referral.models import AuditEvent
from support.models.calls import CallEvent, CallNotice, ServiceCall
from support.queries.call_facts import call_event_columns, call_event_digest
from support.states import CallState
from tests.support.call_ground import NOON, Kind, make_calls, ny
from tests.tampering import do

MINUTE = timedelta(minutes=1)


@pytest.fixture
def calls(tx):
    calls = make_calls(tx)
    calls.agree("platinum")
    return calls


@pytest.fixture
def ref(calls):
    ref = calls.open()
    calls.record(ref, Kind.RESPONDED, ny(2, 13))
    calls.record(ref, Kind.NOTED, ny(2, 14))
    assert calls.faults() == []
    return ref


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("waits_until", NOON),
        ("missed_count", 3),
        ("state", CallState.RESOLVED),
        ("due_name", "Nothing"),
        ("notice_at", NOON),
        ("is_paging", True),
        ("attention_at", NOON),
        ("event_count", 9),
    ],
)
def test_a_column_that_does_not_recompute_is_found(calls, tx, ref, column, value):
    do(tx, sa.update(ServiceCall).values({column: value}))
    assert [fault for fault in calls.faults() if f"{ref}: {column} is" in fault]


@pytest.mark.parametrize(
    "values",
    [
        {"problem": "Nothing"},
        {"opened_at": NOON - timedelta(days=1)},
        {"entitlement": "{}"},
        {"policy_id": None},
        {"calendar_id": None},
        {"grant_key": "other"},
        {"agreement_id": None},
        {"time_zone": "UTC"},
    ],
)
def test_what_a_call_was_opened_with_stays(calls, tx, ref, values):
    do(tx, sa.update(ServiceCall).values(values))
    assert f"call {ref}: was opened otherwise than the audit trail tells" in calls.faults()


def test_an_event_that_was_changed_is_found_with_and_without_its_digest(calls, tx, ref):
    moved = {"happened_at": ny(2, 12, 30)}
    do(tx, sa.update(CallEvent).where(CallEvent.number == 2).values(moved))
    assert f"call {ref}: event 2 does not recompute to its digest" in calls.faults()
    event = tx.scalars(sa.select(CallEvent).where(CallEvent.number == 2)).one()
    digest = call_event_digest(call_event_columns(event))
    do(tx, sa.update(CallEvent).where(CallEvent.number == 2).values(digest=digest))
    assert f"call {ref}: event 2 is not what the audit trail tells" in calls.faults()


def test_an_event_that_was_taken_away_is_found(calls, tx, ref):
    do(tx, sa.delete(CallEvent).where(CallEvent.number == 2))
    faults = calls.faults()
    assert f"call {ref}: an event is missing" in faults
    assert f"call {ref}: event 2 is in the audit trail, but not there" in faults


def test_a_notice_and_a_call_that_were_taken_away_are_found(calls, tx, ref):
    other = calls.open()
    assert calls.work(ny(3, 10)) == 1
    assert calls.faults() == []
    do(tx, sa.delete(CallNotice))
    assert [fault for fault in calls.faults() if other in fault and "notice_at" in fault]
    do(tx, sa.delete(CallEvent), sa.delete(ServiceCall))
    assert f"call {ref}: is in the audit trail, but not there" in calls.faults()


def test_a_trail_that_was_emptied_is_found(calls, tx, ref):
    do(tx, sa.delete(AuditEvent).where(AuditEvent.event.in_(("call.opened", "call.recorded"))))
    assert f"call {ref}: was opened otherwise than the audit trail tells" in calls.faults()
