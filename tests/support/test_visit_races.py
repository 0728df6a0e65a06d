"""Two acts on one visit or slot at the same moment, on both databases: one effect, and the loser is told why."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from referral.db import read, write
from referral.errors import Refusal
from support.models.agreements import QuotaUse
from support.models.calls import ServiceCall
from support.models.visits import ServiceVisit
from support.operations.visits import plan_visit
from support.operations.visits_changing import cancel_visit, move_visit
from support.operations.visits_ending import convert_visit, sign_off_visit
from support.queries.visit_verification import visit_faults
from support.states import VisitState
from tests.support.visiting import Visiting

ROUNDS = 4


@pytest.fixture
def gold(tx):
    return Visiting(tx, choices={"visits": 12})


@pytest.fixture
def both(tx, app):
    """Write two things from two threads that start together; returns answers and refusals."""

    def run(*writes):
        tx.commit()
        gate, answers = threading.Barrier(2), [None, None]

        def one(side):
            operation, said = writes[side]
            with app.app_context():
                gate.wait(60)
                try:
                    answers[side] = write(operation, **said)
                except Refusal as refusal:
                    answers[side] = refusal

        threads = [threading.Thread(target=one, args=(side,)) for side in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert None not in answers
        assert read(lambda tx: list(visit_faults(tx))) == []
        tx.expire_all()
        return answers

    return run


def codes(answers):
    return [answer.code for answer in answers if isinstance(answer, Refusal)]


def test_two_planners_of_one_slot_at_once_are_one_visit(tx, gold, both):
    for number in range(1, ROUNDS + 1):
        said = gold.planning(contract_year=1, slot=number)
        answers = both(*((plan_visit, said | {"idempotency_key": f"{number}-{side}"}) for side in "ab"))
        assert codes(answers) == ["slot_taken"]
    assert tx.scalar(sa.select(sa.func.count()).select_from(ServiceVisit)) == ROUNDS


def test_two_planners_of_any_slot_at_once_get_one_each(tx, gold, both):
    answers = both(*((plan_visit, gold.planning(idempotency_key=side)) for side in "ab"))
    assert codes(answers) == []
    assert sorted(tx.scalars(sa.select(ServiceVisit.slot))) == [1, 2]


def test_the_same_visit_sent_twice_at_once_is_one(gold, both):
    first, second = both((plan_visit, gold.planning()), (plan_visit, gold.planning()))
    assert first.id == second.id


def test_two_changes_of_one_visit_at_once_are_one_change(gold, both):
    ref = gold.plan()
    for _ in range(ROUNDS):
        visit = gold.visit(ref)
        if visit.state is not VisitState.DATED:
            break
        read_with = {"sequence": visit.sequence}
        answers = both(
            (move_visit, gold.moving(ref, words=f"{visit.sequence}", **read_with)),
            (cancel_visit, gold.cancelling(ref, **read_with)),
        )
        assert len(codes(answers)) == 1
        assert set(codes(answers)) <= {"stale_visit", "not_pending"}


def test_two_signatures_and_two_conversions_at_once_use_the_slot_once(tx, gold, both):
    ref = gold.plan()
    assert codes(both((sign_off_visit, gold.signing(ref)), (sign_off_visit, gold.signing(ref)))) == []
    again = gold.plan(idempotency_key="v2")
    assert codes(both((convert_visit, gold.converting(again)), (convert_visit, gold.converting(again)))) == []
    assert tx.scalar(sa.select(sa.func.count()).select_from(QuotaUse)) == 2
    assert tx.scalar(sa.select(sa.func.count()).select_from(ServiceCall)) == 1
