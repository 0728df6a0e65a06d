"""Calls with random events: what stands in their columns is what their events say, and no new version changes it."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from referral.errors import Refusal
from support.states import CallEventKind, Platform, Priority
from tests.factories import make_catalogue
from tests.support.call_ground import NOON, make_calls
from tests.support.catalogue_files import as_catalogue, entry, shipped

CALLS = 12
"""Calls of one story; each has up to EVENTS events, of which some are refused."""
EVENTS = 14
LATE = 0.2
"""The part of the events that is recorded later than it happened, and of those that are corrected."""
KINDS = tuple(sorted(set(CallEventKind) - {CallEventKind.OPENED, CallEventKind.CORRECTED}))


def live_through(calls, dice):
    """Open calls under one agreement or another, and let anything happen to them; returns their numbers and the end."""
    at, refs = NOON, []
    for _ in range(CALLS):
        at += timedelta(minutes=dice.randrange(1, 600))
        priority = dice.choice([None, *Priority])
        under = calls.agreements["deluxe" if priority else "platinum"]
        refs.append(calls.open(at=at, under=under, priority=priority))
    refused = 0
    for _ in range(CALLS * EVENTS):
        at += timedelta(minutes=dice.randrange(1, 900))
        ref = dice.choice(refs)
        kind = dice.choice(KINDS)
        more = {"priority": dice.choice(list(Priority))} if kind is CallEventKind.PRIORITY else {}
        if dice.random() < LATE:
            more["happened_at"] = at - timedelta(minutes=dice.randrange(1, 2_000))
        try:
            if dice.random() < LATE:
                calls.correct(ref, dice.randrange(1, 8), at)
            else:
                calls.record(ref, kind, at, **more)
        except Refusal:
            refused += 1
        if dice.random() < LATE:
            calls.work(at)
    assert refused < CALLS * EVENTS * 0.8
    return refs, at


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_the_columns_are_what_the_events_say_and_no_new_version_changes_them(tx, seed):
    calls = make_calls(tx)
    calls.system(Platform.QUANTUM)
    calls.agreements = {"deluxe": calls.agree("deluxe"), "platinum": calls.agree("platinum")}
    refs, at = live_through(calls, random.Random(seed))  # noqa: S311 - nothing secret
    assert calls.faults() == []

    before = {ref: (calls.told(ref, at), calls.call(ref).waits_until) for ref in refs}
    said = shipped()
    entry(said, "calendars", "site-hours")["windows"][0]["opens"] = "11:00"
    for policy in said["policies"]:
        policy["obligations"] = policy["obligations"][:1]
    entry(said, "offers", "platinum")["words"] = "Another plan."
    assert make_catalogue(tx, calls.world.program, catalogue=as_catalogue(said), at=at, reason="Otherwise")
    assert {ref: (calls.told(ref, at), calls.call(ref).waits_until) for ref in refs} == before
    assert calls.faults() == []
