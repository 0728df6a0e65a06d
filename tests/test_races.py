"""Many at once, on both databases: one order, one credit, one approval; never a database error."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Lock

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.operations.adjustments import adjust_credit, record_other_purchase
from ledger.queries.levels import credit_year
from ledger.queries.verification import ledger_faults
from ledger.states import AccountKind
from quotes.models.orders import Cancellation, Order
from quotes.models.quotes import Approval, Revision
from quotes.operations.cancellations import cancel_order
from quotes.operations.decisions import approve_revision
from quotes.operations.orders import place_order
from quotes.operations.price_lists import publish_price_list
from quotes.operations.quotes import start_quote, start_revision
from quotes.operations.returns import return_order
from quotes.operations.shipments import ship_order
from quotes.operations.submissions import submit_revision
from quotes.queries.content import ordered_quantities
from quotes.queries.order_page import order_page
from quotes.queries.verification import quote_faults
from quotes.states import OrderState, RevisionState
from referral.db import read, write
from referral.errors import Refusal
from referral.models import AccountNumber, Company, DealerCounter, Referral, User
from referral.operations.assignments import reassign_referral
from referral.operations.companies import add_account_number
from referral.operations.conflicts import choose_referral, pass_over_referral
from referral.operations.delegations import end_delegation, lend_decision
from referral.operations.people import accept_invitation, add_user, invite_user
from referral.operations.referrals import accept_referral, open_referral
from referral.permissions import Role
from referral.queries.people import viewer_of
from referral.states import LIVE_REFERRAL_STATES, ReferralState
from tests.factories import AT, ITEMS, make_account, make_dealer, make_user, make_world
from tests.quotes.test_operations_cancellations import cancelling
from tests.quotes.test_operations_decisions import approving
from tests.quotes.test_operations_orders import CREDIT, ordering
from tests.quotes.test_operations_quotes import submitting
from tests.quotes.test_operations_returns import returning
from tests.quotes.test_operations_shipments import shipping
from tests.referral.test_operations_conflicts import deciding
from tests.referral.test_operations_people import invitation_said
from tests.referral.test_operations_referrals import open_ref, opening

TIMES = 20


@pytest.fixture
def race(tx, at_once):
    """Write many things at the same moment: `race([(operation, said), …])` returns answers and refusals.

    An exception that is no refusal fails the test, and so does a ledger that does not recompute.
    """

    def run(writes):
        waiting, lock = list(writes), Lock()

        def one():
            with lock:
                operation, said = waiting.pop()
            return write(operation, **said)

        answers = at_once(one, times=len(waiting))
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, Refusal):
                raise answer
        assert read(lambda tx: [*ledger_faults(tx), *quote_faults(tx)]) == []
        tx.expire_all()
        return answers

    return run


def codes(answers):
    """Return the codes of the refusals, sorted."""
    return sorted(answer.code for answer in answers if isinstance(answer, Refusal))


def count(tx, table):
    return tx.scalar(sa.select(sa.func.count()).select_from(table))


def balance(tx, world, kind=AccountKind.SALES_CREDIT):
    year = credit_year(tx, dealer_id=world.dealer.company_id, program_year=2026)
    return year.sales_credit_cents if kind is AccountKind.SALES_CREDIT else year.other_purchases_cents


def numbered(said, key, times=TIMES):
    """Return the same body with as many keys."""
    return [said | {"idempotency_key": f"{key}-{number}"} for number in range(times)]


def test_20_simultaneous_orders_with_one_key_are_one_order_and_one_credit(tx, race):
    world = make_world(tx)
    said = ordering(world, world.approve())
    answers = race([(place_order, said)] * TIMES)
    assert len({(order.id, number) for order, number in answers}) == 1
    assert (count(tx, Order), count(tx, LedgerEntry)) == (1, 1)
    assert balance(tx, world) == CREDIT


def test_20_simultaneous_approvals_are_one_approval(tx, race):
    world = make_world(tx)
    said = approving(world, world.submit())
    answers = race([(approve_revision, said)] * TIMES)
    assert len({(answer.quote_id, answer.approved_at, answer.digest) for answer in answers}) == 1
    assert count(tx, Approval) == 1


def test_20_orders_of_everything_left_with_20_keys_are_one_order(tx, race):
    world = make_world(tx)
    said = ordering(world, world.approve())
    answers = race([(place_order, one) for one in numbered(said, "key")])
    assert codes(answers) == ["empty_order"] * (TIMES - 1)
    assert (count(tx, Order), balance(tx, world)) == (1, CREDIT)


def test_20_orders_of_all_units_by_number_are_one_order(tx, race):
    world = make_world(tx)
    ref = world.approve()
    said = ordering(world, ref, quantities={world.line_ids(ref)[0]: 10})
    answers = race([(place_order, one) for one in numbered(said, "key")])
    assert codes(answers) == ["exceeds_approved_qty"] * (TIMES - 1)
    assert balance(tx, world) == 412500


def test_partial_orders_at_once_never_draw_down_more_than_is_approved(tx, race):
    world = make_world(tx)
    ref = world.approve()
    said = ordering(world, ref, quantities={world.line_ids(ref)[0]: 3})
    answers = race([(place_order, one) for one in numbered(said, "key", 12)])
    assert codes(answers) == ["exceeds_approved_qty"] * 9
    assert balance(tx, world) == 9 * 41250
    numbers = tx.scalars(sa.select(Order.number).order_by(Order.number)).all()
    assert numbers == [1, 2, 3]


def test_one_key_on_two_quotes_of_a_dealer_is_one_order(tx, race):
    world = make_world(tx)
    refs = [world.approve(), world.approve()]
    answers = race([(place_order, ordering(world, refs[number % 2])) for number in range(10)])
    assert codes(answers) == ["idempotency_key_reused"] * 5
    assert (count(tx, Order), balance(tx, world)) == (1, CREDIT)


def test_20_posts_to_one_dealer_year_by_different_quotes_add_up_without_a_gap(tx, race):
    world = make_world(tx)
    refs = [world.approve() for _ in range(TIMES)]
    race([(place_order, ordering(world, ref, idempotency_key=ref)) for ref in refs])
    head = tx.scalars(sa.select(LedgerAccount).where(LedgerAccount.kind == AccountKind.SALES_CREDIT)).one()
    assert (head.sequence, head.balance_cents) == (TIMES, TIMES * CREDIT)
    postings = tx.scalars(
        sa.select(LedgerEntry)
        .where(LedgerEntry.account_kind == AccountKind.SALES_CREDIT)
        .order_by(LedgerEntry.sequence)
    ).all()
    assert [posting.sequence for posting in postings] == list(range(1, TIMES + 1))
    assert [posting.balance_cents for posting in postings] == [
        CREDIT * (number + 1) for number in range(TIMES)
    ]
    numbers = tx.scalars(sa.select(Order.number).order_by(Order.number)).all()
    assert numbers == list(range(1, TIMES + 1))


def test_orders_purchases_and_adjustments_of_one_dealer_at_once_each_count_once(tx, race):
    world = make_world(tx)
    refs = [world.approve() for _ in range(6)]
    by_hand = {
        "actor": world.program,
        "at": AT,
        "dealer_code": world.dealer.company_code,
        "amount_cents": 500,
    }
    by_hand |= {"reason": "Invoice."}
    purchase = by_hand | {"purchased_on": date(2026, 5, 4), "document": "INV-1"}
    adjustment = by_hand | {"effective_on": date(2026, 5, 4)}
    race(
        [(place_order, ordering(world, ref, idempotency_key=ref)) for ref in refs]
        + [(record_other_purchase, one) for one in numbered(purchase, "p", 6)]
        + [(adjust_credit, one) for one in numbered(adjustment, "a", 6)]
        + [(adjust_credit, adjustment | {"idempotency_key": "same"})] * 6
    )
    assert balance(tx, world) == 6 * CREDIT + 7 * 500
    assert balance(tx, world, AccountKind.OTHER_PURCHASES) == 6 * 500


def test_ordering_and_cancelling_at_once_leave_what_the_books_say(tx, race):
    world = make_world(tx)
    ref = world.approve()
    lights = world.line_ids(ref)[0]
    _, number = world.order(ref, quantities={lights: 5})
    orders = numbered(ordering(world, ref, quantities={lights: 1}), "order", 10)
    cancels = numbered(cancelling(world, number, quantities={lights: 1}), "cancel", 10)
    answers = race([*((place_order, one) for one in orders), *((cancel_order, one) for one in cancels)])
    refusals = codes(answers)
    assert refusals.count("already_cancelled") == 5
    assert set(refusals) <= {"already_cancelled", "exceeds_approved_qty"}
    entered = 10 - refusals.count("exceeds_approved_qty")
    assert entered >= 5
    assert count(tx, Cancellation) == 5
    quote = tx.scalars(sa.select(Order).where(Order.number == 1)).one()
    assert quote.state is OrderState.CANCELLED
    assert balance(tx, world) == entered * 41250


def test_20_cancellations_of_one_order_take_its_credit_back_once(tx, race):
    world = make_world(tx)
    _, number = world.order()
    said = cancelling(world, number)
    answers = race([(cancel_order, one) for one in numbered(said, "key", 10)] + [(cancel_order, said)] * 10)
    assert count(tx, Cancellation) == 1
    assert set(codes(answers)) == {"already_cancelled"}
    assert balance(tx, world) == 0


def test_shipping_cancelling_and_returning_at_once_count_every_unit_once(tx, race):
    world = make_world(tx)
    ref = world.approve()
    lights = world.line_ids(ref)[0]
    _, number = world.order(ref, quantities={lights: 10})
    world.ship(number, quantities={lights: 4})
    one = {"quantities": {lights: 1}}
    ships = numbered(shipping(world, number, **one), "ship", 7)
    cancels = numbered(cancelling(world, number, **one), "cancel", 7)
    backs = numbered(returning(world, number, **one), "return", 7)
    answers = race(
        [
            *((ship_order, said) for said in ships),
            *((cancel_order, said) for said in cancels),
            *((return_order, said) for said in backs),
        ]
    )
    assert set(codes(answers)) <= {"already_shipped", "already_cancelled", "exceeds_returnable"}
    line = order_page(tx, viewer=world.account, ref=number).lines[0]
    assert (line.open_quantity, line.cancelled_quantity + line.shipped_quantity) == (0, 10)
    assert 4 <= line.returned_quantity <= line.shipped_quantity
    assert balance(tx, world) == line.kept_quantity * 41250
    assert list(quote_faults(tx)) == []


def test_approving_while_the_next_revision_is_submitted_leaves_one_clear_state(tx, race):
    world = make_world(tx)
    ref = world.submit()
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    approvals = [(approve_revision, approving(world, ref))] * 10
    answers = race([*approvals, (submit_revision, submitting(world, ref, revision_number=2))])
    first, second = tx.scalars(sa.select(Revision).order_by(Revision.number))
    assert second.state is RevisionState.SUBMITTED
    is_approved = count(tx, Approval) == 1
    assert first.state is (RevisionState.APPROVED if is_approved else RevisionState.SUPERSEDED)
    assert set(codes(answers)) <= {"stale_revision"}
    assert (len(codes(answers)) == 10) is not is_approved


def test_ordering_while_the_next_revision_is_approved_draws_down_either_the_old_or_the_new(tx, race):
    world = make_world(tx)
    ref = world.approve()
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    world.submit(ref, revision=2)
    approval = approving(world, ref, revision_number=2, digest=world.digest(ref, 2))
    orders = [
        (place_order, ordering(world, ref, revision_number=number % 2 + 1, idempotency_key=f"key-{number}"))
        for number in range(10)
    ]
    answers = race([*orders, (approve_revision, approval)])
    assert set(codes(answers)) <= {"stale_revision", "revision_not_approved", "empty_order"}
    assert (count(tx, Order), balance(tx, world)) in {(0, 0), (1, CREDIT)}
    quote_ids = tx.execute(sa.select(Order.dealer_id, Order.quote_id)).all()
    for quote in quote_ids:
        row = type("Q", (), {"dealer_id": quote.dealer_id, "id": quote.quote_id})
        assert max(ordered_quantities(tx, row).values()) <= 10


def test_20_submissions_and_next_drafts_at_once_are_one_each(tx, race):
    world = make_world(tx)
    ref = world.draft()
    answers = race(
        [(submit_revision, submitting(world, ref))] * 10
        + [(start_revision, {"actor": world.account, "at": AT, "ref": ref})] * 10
    )
    assert codes(answers) == ["revision_immutable"] * 9
    assert tx.scalars(sa.select(Revision.number).order_by(Revision.number)).all() in ([1], [1, 2])


def test_20_referrals_of_one_project_are_one(tx, race):
    world = make_world(tx)
    answers = race([(open_referral, opening(world))] * TIMES)
    assert codes(answers) == ["referral_conflict"] * (TIMES - 1)
    assert count(tx, Referral) == 1
    assert tx.scalars(sa.select(DealerCounter.last_number)).all() == [1]


def test_two_choosers_between_three_accounts_leave_the_project_with_one(tx, race):
    world = make_world(tx)
    for number in range(6):
        rest = {"project_name": f"Contested {number}"}
        first, *parked = [
            open_ref(world, account_code=account.company_code, **rest)
            for account in (world.account, make_account(tx, world.program), make_account(tx, world.program))
        ]
        choices = [(choose_referral, deciding(world, ref, instead_of=first)) for ref in parked]
        answers = race([*choices, (pass_over_referral, deciding(world, parked[0]))])
        assert 1 <= sum(not isinstance(answer, Refusal) for answer in answers) <= 2
        assert set(codes(answers)) == {"referral_closed"}
        states = tx.scalars(
            sa.select(Referral.state).where(Referral.project_name == rest["project_name"])
        ).all()
        assert sum(state in LIVE_REFERRAL_STATES for state in states) == 1


def test_choosing_the_parked_one_while_the_first_is_accepted_ends_with_the_chosen_one(tx, race):
    world = make_world(tx)
    for number in range(20):
        rest = {"project_name": f"Contested {number}"}
        first = open_ref(world, **rest)
        parked = open_ref(world, account_code=make_account(tx, world.program).company_code, **rest)
        accepting = {"actor": world.account, "at": AT, "ref": first}
        answers = race(
            [(choose_referral, deciding(world, parked, instead_of=first)), (accept_referral, accepting)]
        )
        assert codes(answers) in ([], ["referral_closed"])
        states = dict(
            tx.execute(
                sa.select(Referral.number, Referral.state).where(
                    Referral.project_name == rest["project_name"]
                )
            ).all()
        )
        assert [states[number] for number in sorted(states)] == [ReferralState.CLOSED, ReferralState.OPEN]


def overtaken(tx, app, first, second):
    """Write `second` while `first` is written but not committed; returns the second's answer or refusal.

    It has to wait: it fails the test where it ends before the first is committed.
    """
    tx.commit()

    def late():
        with app.app_context():
            try:
                return write(second[0], **second[1])
            except Refusal as refusal:
                return refusal

    with ThreadPoolExecutor(1) as pool:

        def hold(held):
            first[0](held, **first[1])
            held.flush()
            answer = pool.submit(late)
            time.sleep(0.4)
            assert not answer.done()
            return answer

        return write(hold).result(60)


def closing(world):
    account = make_account(world.tx, world.program)
    number = world.tx.scalars(sa.select(Referral.number).order_by(Referral.number.desc()).limit(1)).one()
    said = {"actor": world.program, "at": AT, "ref": f"R-{world.dealer.company_code}-{number}"}
    return reassign_referral, said | {"account_code": account.company_code, "reason": "They moved away."}


def test_an_order_waits_for_the_closing_of_its_project_and_is_refused(tx, app):
    world = make_world(tx)
    placing = (place_order, ordering(world, world.approve()))
    answer = overtaken(tx, app, closing(world), placing)
    assert answer.code == "referral_closed"
    assert count(tx, Order) == 0


def test_a_project_is_closed_only_after_the_order_under_way_is_committed(tx, app):
    world = make_world(tx)
    placing = (place_order, ordering(world, world.approve()))
    overtaken(tx, app, placing, closing(world))
    tx.expire_all()
    assert count(tx, Order) == 1
    states = tx.scalars(sa.select(Referral.state).order_by(Referral.number)).all()
    assert states == [ReferralState.CLOSED, ReferralState.OPEN]


def test_a_delegate_decides_no_more_once_the_lending_is_being_ended(tx, app):
    world = make_world(tx)
    quote = world.submit()
    colleague = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    made = lend_decision(
        tx,
        actor=world.dealer,
        at=AT,
        approver_id=world.dealer.user_id,
        delegate_id=colleague.user_id,
        first_on=AT.date(),
        last_on=AT.date(),
    )
    tx.flush()
    delegate = viewer_of(tx, colleague.user_id, at=AT)
    said = approving(world, quote) | {"actor": delegate, "typed_name": delegate.name}
    ending = (end_delegation, {"actor": world.dealer, "at": AT, "delegation_id": made.id})
    answer = overtaken(tx, app, ending, (approve_revision, said))
    assert answer.code == "delegation_expired"
    assert count(tx, Approval) == 0


def test_20_first_referrals_of_different_projects_are_numbered_without_gap(tx, race):
    world = make_world(tx)
    race([(open_referral, opening(world, project_name=f"House {number}")) for number in range(TIMES)])
    numbers = tx.scalars(sa.select(Referral.number).order_by(Referral.number)).all()
    assert numbers == list(range(1, TIMES + 1))


def test_first_quotes_of_different_referrals_are_numbered_without_gap(tx, race):
    world = make_world(tx)
    said = {"actor": world.account, "at": AT}
    answers = race([(start_quote, said | {"referral_ref": world.refer()}) for _ in range(10)])
    assert sorted(quote.number for quote, _ in answers) == list(range(1, 11))


def test_one_account_number_for_overlapping_days_waits_for_the_one_before_it(tx, app):
    world = make_world(tx)
    first, second = (
        {
            "actor": world.program,
            "at": AT,
            "code": make_dealer(tx, world.program).company_code,
            "number": "0099-1",
            "valid_from": date(2026, 1, day),
            "valid_to": None,
        }
        for day in (1, 2)
    )

    def add_second():
        with app.app_context():
            return write(add_account_number, **second)

    tx.commit()
    add_account_number(tx, **first)
    tx.flush()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(add_second)
        time.sleep(0.3)
        tx.commit()
        refusal = waiting.exception()
    assert isinstance(refusal, Refusal)
    assert refusal.code == "account_number_taken"
    held = tx.scalars(sa.select(AccountNumber.number).where(AccountNumber.folded == "00991")).all()
    assert held == ["0099-1"]


def test_one_invitation_and_one_address_make_one_user(tx, race):
    world = make_world(tx)
    _, token = invite_user(tx, **invitation_said(world.program, roles=frozenset({Role.PROGRAM_AUDITOR})))
    new = {
        "actor": None,
        "at": AT,
        "company_id": world.dealer.company_id,
        "name": "Olga",
        "email": "olga@north.example",
        "roles": [Role.DEALER_VIEWER],
        "password_hash": None,
    }
    before = count(tx, User)
    accepting = {"at": AT, "token": token, "password_hash": "hash"}
    answers = race([(accept_invitation, accepting)] * 8 + [(add_user, new)] * 8)
    assert codes(answers) == ["email_taken"] * 7 + ["invitation_expired"] * 7
    assert count(tx, User) == before + 2


def test_price_lists_published_at_once_get_a_version_each_and_a_day_once(tx, race):
    world = make_world(tx)
    said = {"actor": world.program, "at": AT, "items": ITEMS, "source": "l.csv", "source_sha256": "0" * 64}
    days = [date(2026, 6, day) for day in (1, 2, 3, 3, 3)]
    answers = race([(publish_price_list, said | {"valid_from": day}) for day in days])
    assert codes(answers) == ["price_list_date_taken"] * 2
    versions = [answer.version for answer in answers if not isinstance(answer, Refusal)]
    assert sorted(versions) == [2, 3, 4]


def test_different_dealers_at_once_do_not_disturb_each_other(tx, race):
    world = make_world(tx)
    writes, dealers = [], []
    for number in range(5):
        world.number = f"0500-{number}"
        world.dealer = make_dealer(tx, world.program, number=world.number)
        world.account = make_account(tx, world.program)
        dealers.append(world.dealer)
        writes += [(place_order, ordering(world, world.approve()))] * 3
    race(writes)
    assert count(tx, Order) == 5
    for dealer in dealers:
        year = credit_year(tx, dealer_id=dealer.company_id, program_year=2026)
        assert year.sales_credit_cents == CREDIT
