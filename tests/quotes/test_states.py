"""Every move of a revision and of an order from every state, through the real operations."""

import itertools

import pytest
import sqlalchemy as sa

from quotes.models.orders import Order
from quotes.models.quotes import Quote, Revision
from quotes.operations.cancellations import cancel_order
from quotes.operations.decisions import Evidence, approve_revision, decline_revision, request_changes
from quotes.operations.orders import place_order
from quotes.operations.quotes import save_draft, start_revision
from quotes.operations.returns import return_order
from quotes.operations.shipments import ship_order
from quotes.operations.submissions import submit_revision
from quotes.queries.order_page import order_page
from quotes.rules.content import ATTESTATIONS
from quotes.states import ORDER_MOVES, REVISION_MOVES, OrderState, ReturnReason, RevisionState
from referral.errors import Refusal
from referral.ids import parse_public_number
from referral.states import next_state
from tests.factories import AT, make_world, refused

STATES = list(RevisionState)
TABLES = {"revision": (REVISION_MOVES, RevisionState), "order": (ORDER_MOVES, OrderState)}
PAIRS = [
    (name, verb, state) for name, (moves, states) in TABLES.items() for verb in moves for state in states
]


@pytest.mark.parametrize(("table", "verb", "state"), PAIRS)
def test_the_table_answers_every_pair_of_verb_and_state(table, verb, state):
    moves, _ = TABLES[table]
    sources, target = moves[verb]
    if state in sources:
        assert next_state(moves, verb, state, "not_pending") is target
    else:
        with pytest.raises(Refusal) as caught:
            next_state(moves, verb, state, "not_pending")
        assert caught.value.code == "not_pending"


# revisions --------------------------------------------------------------------------------------


def state_of(world, ref, number=1):
    public = parse_public_number(ref, "Q")
    world.tx.flush()
    return world.tx.scalars(
        sa.select(Revision.state)
        .join(Quote, sa.and_(Quote.dealer_id == Revision.dealer_id, Quote.id == Revision.quote_id))
        .where(
            Quote.dealer_id == world.dealer.company_id,
            Quote.number == public.number,
            Revision.number == number,
        )
        .execution_options(populate_existing=True)
    ).one()


def decision(world, ref, **more):
    try:
        digest = world.digest(ref)
    except Refusal:
        digest = "None"
    return {"actor": world.dealer, "at": AT, "ref": ref, "revision_number": 1, "digest": digest} | more


REVISION_VERBS = {
    "submit": lambda world, ref: (
        submit_revision,
        {"actor": world.account, "at": AT, "ref": ref, "revision_number": 1, "draft_version": None},
    ),
    "approve": lambda world, ref: (
        approve_revision,
        decision(
            world,
            ref,
            attested=frozenset(ATTESTATIONS),
            typed_account_number=world.number,
            typed_name=world.dealer.name,
            evidence=Evidence("127.0.0.1", "test", "test"),
        ),
    ),
    "request_changes": lambda world, ref: (request_changes, decision(world, ref, reason="Warmer.")),
    "decline": lambda world, ref: (decline_revision, decision(world, ref, reason="Too dear.")),
}


def next_revision(world, ref, *, is_approved=False):
    """Submit the quote's second revision, and approve it."""
    start_revision(world.tx, actor=world.account, at=AT, ref=ref)
    world.submit(ref, revision=2)
    if is_approved:
        world.approval(ref, revision=2)


def quote_in(world, state):
    """Return the number of a quote whose first revision was moved into the state."""
    ref = world.draft() if state is RevisionState.DRAFT else world.submit()
    if state is RevisionState.SUPERSEDED:
        next_revision(world, ref)
    for verb, (_, target) in REVISION_MOVES.items():
        if target is state and verb in {"approve", "request_changes", "decline"}:
            operation, said = REVISION_VERBS[verb](world, ref)
            operation(world.tx, **said)
    assert state_of(world, ref) is state
    return ref


def refusal_of(verb, state):
    """Return the code with which a move that the table lacks is refused."""
    if verb == "submit":
        return "revision_immutable"
    codes = {RevisionState.DRAFT: "not_found", RevisionState.SUPERSEDED: "stale_revision"}
    return codes.get(state, "not_pending")


def test_the_grid_tries_every_verb_a_person_has():
    assert REVISION_VERBS.keys() == REVISION_MOVES.keys() - {"supersede"}


@pytest.mark.parametrize(("verb", "state"), list(itertools.product(REVISION_VERBS, STATES)))
def test_a_revision_moves_as_the_table_says_and_in_no_other_way(tx, verb, state):
    world = make_world(tx)
    ref = quote_in(world, state)
    operation, said = REVISION_VERBS[verb](world, ref)
    sources, target = REVISION_MOVES[verb]
    if state in sources:
        operation(tx, **said)
        assert state_of(world, ref) is target
    elif verb != "submit" and state is target:
        first = operation(tx, **said)
        assert operation(tx, **said) is first, "the same again is one effect"
        assert state_of(world, ref) is target
    else:
        refused(tx, refusal_of(verb, state), operation, **said)


@pytest.mark.parametrize(
    ("state", "after_submission", "after_approval"),
    [
        (RevisionState.SUBMITTED, RevisionState.SUPERSEDED, RevisionState.SUPERSEDED),
        (RevisionState.CHANGES_REQUESTED, RevisionState.SUPERSEDED, RevisionState.SUPERSEDED),
        (RevisionState.DECLINED, RevisionState.DECLINED, RevisionState.DECLINED),
        (RevisionState.APPROVED, RevisionState.APPROVED, RevisionState.SUPERSEDED),
    ],
)
def test_the_next_revision_supersedes_what_waits_on_submission_and_what_is_approved_on_approval(
    tx, state, after_submission, after_approval
):
    world = make_world(tx)
    ref = quote_in(world, state)
    next_revision(world, ref)
    assert state_of(world, ref) is after_submission
    world.approval(ref, revision=2)
    assert state_of(world, ref) is after_approval
    assert state_of(world, ref, 2) is RevisionState.APPROVED


@pytest.mark.parametrize("state", STATES)
def test_only_a_draft_is_changed(tx, state):
    world = make_world(tx)
    ref = quote_in(world, state)
    if state is RevisionState.DRAFT:
        assert world.save(ref).draft_version == 3
        return
    refused(
        tx,
        "revision_immutable",
        save_draft,
        actor=world.account,
        at=AT,
        ref=ref,
        revision_number=1,
        draft_version=None,
        account_number="1",
        note="",
        lines=[],
        services=[],
        has_no_services=True,
    )


@pytest.mark.parametrize("state", STATES)
def test_only_an_approved_revision_is_ordered(tx, state):
    world = make_world(tx)
    ref = quote_in(world, state)
    said = {
        "actor": world.account,
        "at": AT,
        "ref": ref,
        "revision_number": 1,
        "quantities": None,
        "purchase_order": "",
        "idempotency_key": "key",
    }
    if state is RevisionState.APPROVED:
        assert place_order(tx, **said)[0].state is OrderState.ENTERED
    else:
        is_old = state is RevisionState.SUPERSEDED
        refused(tx, "stale_revision" if is_old else "revision_not_approved", place_order, **said)


# orders -----------------------------------------------------------------------------------------

E, PC, C, PS, S, PR, R = OrderState
TO_STATE = {
    E: (),
    PC: (("cancel", 2),),
    C: (("cancel", None),),
    PS: (("ship", 4),),
    S: (("ship", None),),
    PR: (("ship", None), ("return", 3)),
    R: (("ship", None), ("return", None)),
}
"""What brings an order of ten units into a state; None is everything."""
GONE = ("already_cancelled",) * 4 + ("exceeds_returnable",) * 2
AWAY = ("already_shipped",) * 4
OUTCOMES = {
    E: (PC, C, PS, S, "exceeds_returnable", "exceeds_returnable"),
    PC: (PC, C, PS, S, "exceeds_returnable", "exceeds_returnable"),
    C: GONE,
    PS: (PS, S, PS, S, PS, PS),
    S: (*AWAY, PR, R),
    PR: (*AWAY, PR, R),
    R: (*AWAY, "exceeds_returnable", "exceeds_returnable"),
}
ACTS = tuple(itertools.product(("cancel", "ship", "return"), (1, None)))
"""One unit, or everything, is cancelled, shipped, returned: the columns of OUTCOMES."""


def acting(world, ref, act, units, key):
    """Return the operation of an act and what is said."""
    line_id = order_page(world.tx, viewer=world.account, ref=ref).lines[0].line_id
    operation, more = {
        "cancel": (cancel_order, {"reason": "Fewer rooms."}),
        "ship": (ship_order, {"shipped_on": AT.date(), "carrier": "", "tracking_number": ""}),
        "return": (return_order, {"reason": ReturnReason.NOT_NEEDED, "words": ""}),
    }[act]
    quantities = None if units is None else {line_id: units}
    said = {"actor": world.account, "at": AT, "ref": ref, "quantities": quantities, "idempotency_key": key}
    return operation, said | more


def order_in(world, state):
    """Return the number of an order of ten units that was brought into the state."""
    quote = world.approve()
    _, ref = world.order(quote, quantities={world.line_ids(quote)[0]: 10})
    for act, units in TO_STATE[state]:
        operation, said = acting(world, ref, act, units, f"before-{act}")
        operation(world.tx, **said)
    assert order_state(world, ref) is state
    return ref


def order_state(world, ref):
    world.tx.flush()
    return world.tx.scalars(
        sa.select(Order.state).where(
            Order.dealer_id == world.dealer.company_id, Order.number == parse_public_number(ref, "O").number
        )
    ).one()


def test_every_state_of_an_order_is_reached_and_every_move_is_made():
    assert TO_STATE.keys() == OUTCOMES.keys() == set(OrderState)
    reached = {
        (state, outcome)
        for state, row in OUTCOMES.items()
        for outcome in row
        if isinstance(outcome, OrderState)
    }
    moves = {(source, target) for sources, target in ORDER_MOVES.values() for source in sources}
    later = {
        (PS, PR),
        (PS, R),
    }  # what is left of an order that something came back of is shipped or cancelled
    assert moves == reached | later


@pytest.mark.parametrize(("state", "column"), list(itertools.product(OrderState, range(len(ACTS)))))
def test_an_order_moves_as_the_table_says_and_in_no_other_way(tx, state, column):
    world = make_world(tx)
    ref = order_in(world, state)
    operation, said = acting(world, ref, *ACTS[column], "now")
    outcome = OUTCOMES[state][column]
    if isinstance(outcome, OrderState):
        operation(tx, **said)
        assert order_state(world, ref) is outcome
    else:
        refused(tx, outcome, operation, **said)
