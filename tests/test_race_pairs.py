"""Two acts on one thing at the same moment, 200 times each: exactly one effect, and the loser is told why."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerEntry
from ledger.queries.verification import ledger_faults
from ledger.states import EntryKind
from quotes.models.orders import Cancellation, Order
from quotes.models.quotes import Approval, Quote, Revision
from quotes.operations.cancellations import cancel_order
from quotes.operations.decisions import approve_revision
from quotes.operations.orders import place_order
from quotes.operations.quotes import LineInput, start_quote, start_revision
from quotes.operations.recalls import recall_prices, tell_of_recalls
from quotes.operations.submissions import submit_revision
from quotes.queries.price_lists import NewItem
from quotes.queries.verification import quote_faults
from quotes.states import Category, RevisionState
from referral.db import read, write
from referral.errors import Refusal
from referral.models import Company
from referral.permissions import Role
from tests.factories import AT, ITEMS, make_account, make_dealer, make_price_list, make_program, make_user
from tests.factories import World as PlainWorld
from tests.quotes.test_operations_cancellations import cancelling
from tests.quotes.test_operations_decisions import approving
from tests.quotes.test_operations_orders import ordering
from tests.quotes.test_operations_quotes import submitting

if TYPE_CHECKING:
    from uuid import UUID

ROUNDS = 200
OWN_MODELS = tuple(f"RACE-{number:03}" for number in range(ROUNDS))
"""A model number for each round."""
QUOTE_LINES = 20
CENTS = 41250
"""What a unit earns."""


class World(PlainWorld):
    """Quotes at the least cost: one referral for all, and lines enough for a round each."""

    referral = ""

    def quote(self, *models: str) -> str:
        """A submitted revision of one unit of each model; returns the quote's number."""
        self.referral = self.referral or self.refer()
        _, ref = start_quote(self.tx, actor=self.account, at=AT, referral_ref=self.referral)
        lines = [LineInput(model, 1, "Kitchen") for model in models]
        self.save(ref, lines=lines, services=[], has_no_services=True)
        return self.submit(ref)

    def approved_lines(self) -> list[tuple[str, UUID]]:
        """Lines of one unit for every round, approved: (quote's number, line), QUOTE_LINES of each quote."""
        refs = [self.approve(self.quote(*OWN_MODELS[:QUOTE_LINES])) for _ in range(ROUNDS // QUOTE_LINES)]
        return [(ref, line) for ref in refs for line in self.line_ids(ref)]

    def digest(self, ref: str, revision: int = 1) -> str:
        """The digest of a submitted revision, without the page around it."""
        self.tx.flush()
        number = int(ref.rpartition("-")[2])
        chosen = sa.select(Revision.digest).join(Quote, Quote.id == Revision.quote_id)
        return str(self.tx.scalar(chosen.where(Quote.number == number, Revision.number == revision)))


@pytest.fixture
def world(tx):
    program = make_program(tx)
    world = World(tx, program, make_dealer(tx, program, number="0048-7"), make_account(tx, program), "0048-7")
    own = [NewItem(model, "Downlight", "D3", Category.LIGHT_SOURCE, "each", CENTS) for model in OWN_MODELS]
    make_price_list(tx, program, items=[*ITEMS, *own])
    return world


@pytest.fixture
def rounds(tx, app):
    """Run each pair of writes from two threads that start together; returns both answers of each round."""

    def run(pairs):
        tx.commit()
        gate, answers = threading.Barrier(2), [[None, None] for _ in pairs]

        def one(side):
            with app.app_context():
                for number, pair in enumerate(pairs):
                    operation, said = pair[side]
                    gate.wait(60)
                    try:
                        answers[number][side] = write(operation, **said)
                    except Refusal as refusal:
                        answers[number][side] = refusal
                    except BaseException as error:
                        answers[number][side] = error
                        gate.abort()
                        raise

        threads = [threading.Thread(target=one, args=(side,)) for side in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        broken = [each for pair in answers for each in pair if each is None]
        failed = [each for pair in answers for each in pair if isinstance(each, BaseException)]
        assert not broken
        assert [each for each in failed if not isinstance(each, Refusal)] == []
        assert read(lambda tx: [*ledger_faults(tx), *quote_faults(tx)]) == []
        tx.expire_all()
        return answers

    return run


def code(answer):
    """Return the refusal's code, '' for what was done."""
    return answer.code if isinstance(answer, Refusal) else ""


def count(tx, table, **said):
    return tx.scalar(sa.select(sa.func.count()).select_from(table).filter_by(**said))


def balance(tx):
    """Return the sum of every credit given and taken back."""
    return tx.scalar(sa.select(sa.func.coalesce(sa.func.sum(LedgerEntry.amount_cents), 0)))


def test_approve_beside_approve_is_one_approval_and_both_are_told_whose(tx, world, rounds):
    other = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_APPROVER)
    pairs = []
    for _ in range(ROUNDS):
        said = approving(world, world.quote("D3-LIGHT"))
        pairs.append(
            (
                (approve_revision, said),
                (approve_revision, said | {"actor": other, "typed_name": other.name}),
            )
        )
    for one, another in rounds(pairs):
        assert one.approved_by == another.approved_by
        assert one.approved_at == another.approved_at
    assert count(tx, Approval) == ROUNDS
    assert count(tx, Revision, state=RevisionState.APPROVED) == ROUNDS


def test_approve_beside_revise_leaves_the_old_approved_or_tells_the_approver_of_the_new(tx, world, rounds):
    pairs = []
    for _ in range(ROUNDS):
        ref = world.quote("D3-LIGHT")
        start_revision(tx, actor=world.account, at=AT, ref=ref)
        pairs.append(
            (
                (approve_revision, approving(world, ref)),
                (submit_revision, submitting(world, ref, revision_number=2)),
            )
        )
    seen = Counter((code(approval), code(revision)) for approval, revision in rounds(pairs))
    assert set(seen) <= {("", ""), ("stale_revision", "")}
    assert count(tx, Approval) == seen[("", "")]
    assert count(tx, Revision, number=1, state=RevisionState.APPROVED) == seen[("", "")]
    assert count(tx, Revision, number=1, state=RevisionState.SUPERSEDED) == seen[("stale_revision", "")]
    assert count(tx, Revision, number=2, state=RevisionState.SUBMITTED) == ROUNDS


def test_order_beside_order_of_the_last_unit_is_one_order_and_one_credit(tx, world, rounds):
    pairs = [
        tuple(
            (place_order, ordering(world, ref, quantities={line: 1}, idempotency_key=f"{line}-{side}"))
            for side in ("one", "other")
        )
        for ref, line in world.approved_lines()
    ]
    for answers in rounds(pairs):
        assert sorted(map(code, answers)) == ["", "exceeds_approved_qty"]
    assert count(tx, Order) == ROUNDS
    assert balance(tx) == ROUNDS * CENTS


def test_order_beside_cancel_gives_the_unit_to_the_order_or_tells_it_that_none_is_left(tx, world, rounds):
    lines = world.approved_lines()
    orders = {ref: world.order(ref)[1] for ref, _ in lines[::QUOTE_LINES]}
    pairs = [
        (
            (place_order, ordering(world, ref, quantities={line: 1}, idempotency_key=f"{line}-again")),
            (
                cancel_order,
                cancelling(world, orders[ref], quantities={line: 1}, idempotency_key=f"{line}-back"),
            ),
        )
        for ref, line in lines
    ]
    seen = Counter((code(order), code(cancelled)) for order, cancelled in rounds(pairs))
    assert set(seen) <= {("", ""), ("exceeds_approved_qty", "")}
    assert count(tx, Order) == len(orders) + seen[("", "")]
    assert count(tx, Cancellation) == ROUNDS
    assert balance(tx) == seen[("", "")] * CENTS


def test_cancel_beside_cancel_takes_the_credit_back_once(tx, world, rounds):
    lines = world.approved_lines()
    orders = {ref: world.order(ref)[1] for ref, _ in lines[::QUOTE_LINES]}
    pairs = [
        tuple(
            (
                cancel_order,
                cancelling(world, orders[ref], quantities={line: 1}, idempotency_key=f"{line}-{side}"),
            )
            for side in ("one", "other")
        )
        for ref, line in lines
    ]
    for number, answers in enumerate(rounds(pairs), 1):
        told = "exceeds_ordered_qty" if number % QUOTE_LINES else "already_cancelled"
        assert sorted(map(code, answers)) == ["", told]
    assert count(tx, Cancellation) == ROUNDS
    assert count(tx, LedgerEntry, kind=EntryKind.CANCELLATION) == ROUNDS
    assert balance(tx) == 0


def test_approve_beside_recall_is_refused_or_stands_and_then_nothing_is_ordered(tx, world, rounds):
    refs = [world.quote(model) for model in OWN_MODELS]
    pairs = [
        (
            (approve_revision, approving(world, ref)),
            (
                recall_prices,
                {
                    "actor": world.program,
                    "at": AT,
                    "version": 1,
                    "model_numbers": [model],
                    "reason": "Published wrongly",
                },
            ),
        )
        for model, ref in zip(OWN_MODELS, refs, strict=True)
    ]
    answers = rounds(pairs)
    seen = Counter((code(approval), code(recalled)) for approval, recalled in answers)
    assert set(seen) <= {("", ""), ("price_recalled", "")}
    assert count(tx, Approval) == seen[("", "")]
    tx.commit()
    told = write(tell_of_recalls, actor=world.program, at=AT, dealer_id=world.dealer.company_id)
    assert told == ROUNDS
    for ref, (approval, _) in zip(refs, answers, strict=True):
        with pytest.raises(Refusal) as caught:
            write(place_order, **ordering(world, ref))
        is_approved = not isinstance(approval, Refusal)
        assert caught.value.code == ("price_recalled" if is_approved else "revision_not_approved")
    assert (count(tx, Order), balance(tx)) == (0, 0)
