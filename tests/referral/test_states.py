"""Every move of a referral from every state, through the real operations."""

import itertools
from datetime import timedelta

import pytest
import sqlalchemy as sa

from referral.errors import Refusal
from referral.models import Referral
from referral.operations.assignments import reassign_referral
from referral.operations.conflicts import choose_referral, pass_over_referral
from referral.operations.referrals import accept_referral, open_referral, refuse_referral, withdraw_referral
from referral.states import LIVE_REFERRAL_STATES, REFERRAL_MOVES, ReferralState, next_state
from tests.factories import AT, make_account, make_world, refused
from tests.referral.test_operations_conflicts import deciding
from tests.referral.test_operations_referrals import opening

MOVES = {
    "accept": lambda world, ref: (accept_referral, {"actor": world.account, "at": AT, "ref": ref}),
    "refuse": lambda world, ref: (
        refuse_referral,
        {"actor": world.account, "at": AT, "ref": ref, "reason": "Too far away."},
    ),
    "withdraw": lambda world, ref: (
        withdraw_referral,
        {"actor": world.dealer, "at": AT, "ref": ref, "reason": "The client changed their mind."},
    ),
    "expire": lambda world, ref: (open_referral, opening(world, at=LATE, project_name=name_of(world, ref))),
    "choose": lambda world, ref: (choose_referral, deciding(world, ref)),
    "pass_over": lambda world, ref: (pass_over_referral, deciding(world, ref)),
    "close": lambda world, ref: (
        reassign_referral,
        deciding(world, ref)
        | {
            "actor": world.program,
            "account_code": make_account(world.tx, world.program).company_code,
        },
    ),
}
LATE = AT + timedelta(days=40)
INTO = {state: verb for verb, (_, state) in REFERRAL_MOVES.items()}
GRID = list(itertools.product(REFERRAL_MOVES, ReferralState))


def referral_in(world, state):
    """Return the number of a referral that was moved into the state."""
    name = f"House {state}"
    parked = make_account(world.tx, world.program).company_code if state is ReferralState.PARKED else ""
    number = open_referral(world.tx, **opening(world, project_name=name)).number
    if parked:
        number = open_referral(world.tx, **opening(world, project_name=name, account_code=parked)).number
    world.tx.flush()
    ref = f"R-{world.dealer.company_code}-{number}"
    if state is ReferralState.CLOSED:
        operation, said = MOVES["close"](world, ref)
        operation(world.tx, **said)
    elif state in INTO and state is not ReferralState.OPEN:
        operation, said = MOVES[INTO[state]](world, ref)
        operation(world.tx, **said)
    assert state_of(world, ref) is state
    return ref


def state_of(world, ref):
    number = int(ref.rsplit("-", 1)[1])
    world.tx.flush()
    return world.tx.scalars(
        sa.select(Referral.state).where(
            Referral.dealer_id == world.dealer.company_id, Referral.number == number
        )
    ).one()


def name_of(world, ref):
    world.tx.flush()
    return world.tx.scalars(
        sa.select(Referral.project_name).where(
            Referral.dealer_id == world.dealer.company_id, Referral.number == int(ref.rsplit("-", 1)[1])
        )
    ).one()


def test_the_grid_tries_every_verb_there_is():
    assert MOVES.keys() == REFERRAL_MOVES.keys()
    assert {ReferralState.OPEN, ReferralState.PARKED, *INTO} == set(ReferralState)


@pytest.mark.parametrize("verb", REFERRAL_MOVES)
def test_a_referral_moves_as_the_table_says_and_in_no_other_way(tx, verb):
    world = make_world(tx)
    sources, target = REFERRAL_MOVES[verb]
    for state in ReferralState:
        ref = referral_in(world, state)
        operation, said = MOVES[verb](world, ref)
        if state in sources:
            operation(tx, **said)
            assert state_of(world, ref) is target
        elif verb == "expire":
            # Another referral's opening does it on its way: where it does not fit, this one is left alone.
            if state in {ReferralState.ACCEPTED, ReferralState.EXPIRED}:
                refused(tx, "referral_conflict", operation, **said)
            else:
                operation(tx, **said)
            assert state_of(world, ref) is state
        else:
            is_unseen = state is ReferralState.PARKED and said["actor"] is world.account
            refused(tx, "not_found" if is_unseen else "referral_closed", operation, **said)


@pytest.mark.parametrize(("verb", "state"), GRID)
def test_the_table_answers_every_pair_of_verb_and_state(verb, state):
    sources, target = REFERRAL_MOVES[verb]
    if state in sources:
        assert next_state(REFERRAL_MOVES, verb, state, "referral_closed") is target
    else:
        with pytest.raises(Refusal) as caught:
            next_state(REFERRAL_MOVES, verb, state, "referral_closed")
        assert (caught.value.code, caught.value.details) == (
            "referral_closed",
            {"state": state.value, "verb": verb},
        )


@pytest.mark.parametrize("state", ReferralState)
def test_a_project_can_be_referred_again_only_after_its_referral_ended(tx, state):
    world = make_world(tx)
    ref = referral_in(world, state)
    name = tx.scalars(
        sa.select(Referral.project_name).where(
            Referral.dealer_id == world.dealer.company_id, Referral.number == int(ref.rsplit("-", 1)[1])
        )
    ).one()
    again = opening(world, project_name=f"  {name.upper()} ")
    if state in {*LIVE_REFERRAL_STATES, ReferralState.PARKED}:
        refused(tx, "referral_conflict", open_referral, **again)
    else:
        # Giving it to another account and referring an expired one again have made a live one already.
        has_other = state in {ReferralState.CLOSED, ReferralState.EXPIRED}
        expected = ReferralState.PARKED if state is ReferralState.CLOSED else ReferralState.OPEN
        if state is ReferralState.EXPIRED:
            refused(tx, "referral_conflict", open_referral, **again)
        else:
            referral = open_referral(tx, **again)
            assert (referral.number, referral.state) == (3 if has_other else 2, expected)
