"""Two acts on one claim at the same moment, on both databases: one effect, and the loser is told why."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from quotes.models.replacements import Replacement
from referral.db import read, write
from referral.errors import Refusal
from tests.factories import make_world
from tests.warranty.test_claims import LATER, Claims, add_terms
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource
from warranty.operations.claims import open_claim, withdraw_claim
from warranty.operations.claims_deciding import decide_claim
from warranty.operations.claims_fulfilling import fulfil_claim
from warranty.queries.claim_verification import claim_faults
from warranty.states import ClaimState

ROUNDS = 8


@pytest.fixture
def claims(tx):
    world = make_world(tx)
    add_terms(tx, world.program)
    return Claims(tx, world)


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
        assert read(lambda tx: list(claim_faults(tx))) == []
        tx.expire_all()
        return answers

    return run


def codes(answers):
    return [answer.code for answer in answers if isinstance(answer, Refusal)]


def test_two_claims_of_one_source_at_once_are_one_claim(tx, claims, both):
    trims = claims.ref_of(claims.source("D3-TRIM"))
    for number, ref in enumerate((claims.u, trims)):
        answers = both(
            *(
                (open_claim, claims.opening(ref=ref, quantity=None, idempotency_key=f"{number}-{side}"))
                for side in "ab"
            )
        )
        assert codes(answers) == ["claim_open"]
    assert tx.scalar(sa.select(sa.func.count()).select_from(Claim)) == 2


def test_the_same_claim_sent_twice_at_once_is_one_and_takes_its_units_once(tx, claims, both):
    said = claims.opening(quantity=2)
    first, second = both((open_claim, said), (open_claim, said))
    assert first.id == second.id
    parts = sa.select(InstalledSource).where(InstalledSource.split_from_id == claims.light.id)
    assert len(tx.scalars(parts).all()) == 1


def test_a_decision_and_a_withdrawal_at_once_end_in_one_order(tx, claims, both):
    for number in range(ROUNDS):
        ref = claims.open(quantity=1, idempotency_key=f"claim-{number}")
        withdrawing = {"actor": claims.world.dealer, "at": LATER, "ref": ref, "reason": "Loose plug"}
        answers = both((decide_claim, claims.deciding(ref)), (withdraw_claim, withdrawing))
        claim = claims.claim(ref)
        assert claim.state is ClaimState.WITHDRAWN
        assert codes(answers) == ([] if claim.answer else ["not_pending"])


def test_two_fulfilments_at_once_order_one_replacement(tx, claims, both):
    for number in range(4):
        ref = claims.accepted(quantity=1, idempotency_key=f"claim-{number}")
        answers = both((fulfil_claim, claims.fulfilling(ref)), (fulfil_claim, claims.fulfilling(ref)))
        assert codes(answers) == []
        assert tx.scalar(sa.select(sa.func.count()).select_from(Replacement)) == number + 1


def test_a_replacement_and_a_repair_at_once_are_one_of_both(tx, claims, both):
    ref = claims.accepted()
    repair = claims.fulfilling(ref, is_replaced=False, words="Driver exchanged")
    assert codes(both((fulfil_claim, claims.fulfilling(ref)), (fulfil_claim, repair))) == ["not_pending"]
