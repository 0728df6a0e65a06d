"""Many who use one quota at the same moment, on both databases: nobody takes what another took."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from referral.db import read, write
from referral.errors import Refusal
from support.models.agreements import QuotaTopUp, QuotaUse
from support.operations.top_ups import top_up_agreement
from support.operations.uses import record_use, reverse_use
from support.queries.quota_verification import quota_faults
from tests.support.using import LATER, Using

TIMES = 12


@pytest.fixture
def using(tx):
    return Using.made(tx)


@pytest.fixture
def race(tx, at_once):
    """Write many things at the same moment; returns answers and refusals, and the book recomputes."""

    def run(*writes):
        waiting = list(writes)
        answers = at_once(lambda: write_one(waiting), times=len(waiting))
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, Refusal):
                raise answer
        assert read(lambda tx: list(quota_faults(tx))) == []
        tx.expire_all()
        return answers

    return run


def write_one(waiting):
    operation, said = waiting.pop()
    return write(operation, **said)


def codes(answers):
    return sorted(answer.code for answer in answers if isinstance(answer, Refusal))


def test_of_many_who_take_the_last_visit_one_is_covered(using, tx, race):
    ref = using.agree("gold", choices={"visits": 3})
    using.use(ref, "visits", 2)
    answers = race(*((record_use, using.said(ref, "visits", 1)) for _ in range(TIMES)))
    assert sorted((use.covered, use.billable) for use in answers) == [(0, 1)] * (TIMES - 1) + [(1, 0)]
    assert using.meter(ref, "visits").left == 0


def test_the_same_use_sent_at_the_same_moment_is_one(using, tx, race):
    ref = using.agree("gold")
    said = using.said(ref, "visits", 1)
    answers = race(*[(record_use, said)] * TIMES)
    assert {use.number for use in answers} == {1}
    assert tx.scalar(sa.select(sa.func.count()).select_from(QuotaUse)) == 1


def test_uses_and_top_ups_at_the_same_moment_are_covered_in_the_order_they_were_recorded(using, tx, race):
    ref = using.agree("gold", choices={"visits": 1})
    writes = [(record_use, using.said(ref, "visits", 1)) for _ in range(6)]
    writes += [(top_up_agreement, using.buying(ref, "visits")) for _ in range(3)]
    race(*writes)
    meter = using.meter(ref, "visits")
    assert (meter.topped_up, meter.used + meter.billable) == (3, 6)
    assert tx.scalar(sa.select(sa.func.count()).select_from(QuotaTopUp)) == 3


def test_a_use_is_taken_back_once(using, tx, race):
    ref = using.agree("gold", choices={"visits": 1})
    number = using.row(ref, "visits", 1).number
    said = {"actor": using.world.program, "at": LATER, "ref": ref, "number": number}
    answers = race(*((reverse_use, said | {"reason": f"Reason {place}"}) for place in range(TIMES)))
    assert codes(answers) == ["use_reversed"] * (TIMES - 1)
    assert using.meter(ref, "visits").left == 1
