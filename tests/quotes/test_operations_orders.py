"""Ordering what is approved, and the credit it earns (program rules, sections 2, 6 and 7)."""

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ledger.models.accounts import LedgerEntry
from ledger.operations.levels import set_levels
from ledger.queries.levels import credit_year
from ledger.queries.verification import ledger_faults
from ledger.rules.credit import LevelStep
from quotes.models.orders import Order
from quotes.operations.cancellations import cancel_order
from quotes.operations.orders import place_order
from quotes.operations.quotes import LineInput, ServiceInput, start_revision
from quotes.queries.order_page import order_page
from quotes.queries.orders import orders_page
from quotes.queries.quotes import quote_page
from quotes.queries.verification import quote_faults
from quotes.rules.content import request_digest
from quotes.states import OrderState, RevisionState, ServiceKind, ServicesState
from referral.models import AccountNumber, AuditEvent, Company, Qualification
from referral.operations.settings import change_setting
from referral.permissions import Role
from tests.factories import AT, make_account, make_dealer, make_user, make_world, refused
from tests.quotes.test_operations_quotes import end_everything
from tests.tampering import do

CREDIT = 10 * 41250 + 10 * 3333
"""What the usual quote earns: lights and trims; the processor earns nothing."""
NEW_YEARS_EVE = datetime(2027, 1, 1, 4, 59, 59, tzinfo=UTC)
NEW_YEAR = datetime(2027, 1, 1, 5, 0, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 20, 17, 0, tzinfo=UTC)


def ordering(world, ref, **overrides):
    """Return what a builder says on placing an order."""
    said = {
        "actor": world.account,
        "at": AT,
        "ref": ref,
        "revision_number": 1,
        "quantities": None,
        "purchase_order": "PO-1",
        "idempotency_key": "key-1",
    }
    return said | overrides


def setting(world, key, value, valid_from):
    change_setting(
        world.tx,
        actor=world.program,
        at=AT,
        key=key,
        value=value,
        valid_from=valid_from,
        valid_to=None,
        reason="Program letter.",
        source="Letter",
    )
    world.tx.flush()


def credit(world, year=2026):
    world.tx.flush()
    return credit_year(world.tx, dealer_id=world.dealer.company_id, program_year=year).sales_credit_cents


def assert_sound(tx):
    """Everything recomputes."""
    tx.flush()
    assert list(ledger_faults(tx)) == []
    assert list(quote_faults(tx)) == []


# order and credit -------------------------------------------------------------------------------


def test_an_order_and_its_credit_are_entered_together(tx):
    world = make_world(tx)
    order, number = world.order()
    assert number == f"O-{world.dealer.company_code}-1"
    assert (order.state, order.products_cents, order.credit_cents) == (
        OrderState.ENTERED,
        CREDIT + 120000,
        CREDIT,
    )
    entry = tx.scalars(sa.select(LedgerEntry)).one()
    assert (entry.id, entry.amount_cents, entry.source, entry.source_digest, entry.effective_on) == (
        order.entry_id,
        CREDIT,
        number,
        order.digest,
        date(2026, 5, 4),
    )
    assert credit(world) == CREDIT
    assert_sound(tx)


def test_controls_and_services_earn_no_credit(tx):
    world = make_world(tx)
    ref = world.draft(
        lines=[LineInput("PROC-1", 3, "Equipment")],
        services=[ServiceInput(ServiceKind.PROGRAMMING, "Scenes", 500000)],
    )
    order, number = world.order(world.approve(world.submit(ref)))
    assert (order.products_cents, order.credit_cents, order.entry_id) == (360000, 0, None)
    assert credit(world) == 0
    assert tx.scalars(sa.select(LedgerEntry)).all() == []
    cancel_order(
        tx, actor=world.account, at=AT, ref=number, quantities=None, reason="No.", idempotency_key="c"
    )
    assert_sound(tx)


def test_every_credit_explains_itself_down_to_line_list_rate_and_approval(tx):
    world = make_world(tx)
    _, number = world.order()
    page = order_page(tx, viewer=world.dealer, ref=number)
    assert [
        (line.model_number, line.amount_cents, line.is_creditable, line.credit_cents) for line in page.lines
    ] == [
        ("D3-LIGHT", 412500, True, 412500),
        ("D3-TRIM", 33330, True, 33330),
        ("PROC-1", 120000, False, 0),
    ]
    assert (page.price_list.version, page.order.credit_rate) == (1, 10_000)
    assert (page.approved_by, page.entered_by) == (world.dealer.name, world.account.name)
    assert page.approval.digest == page.revision.digest


def test_credit_is_rounded_half_up_line_by_line(tx):
    world = make_world(tx)
    setting(world, "credit_rate", "0.3333", date(2026, 1, 1))
    order, _ = world.order()
    # 4125.00 × 0.3333 = 1374.8625, 333.30 × 0.3333 = 111.08889
    assert order.credit_cents == 137486 + 11109
    assert_sound(tx)


def test_rate_and_creditable_categories_are_those_of_the_program_year_of_the_order(tx):
    world = make_world(tx)
    setting(world, "credit_rate", "0.5000", date(2027, 1, 1))
    setting(world, "creditable_categories", "light_source control", date(2027, 1, 1))
    ref = world.approve(world.submit(at=DECEMBER), at=DECEMBER)
    lights, trims, processor = world.line_ids(ref)
    half = {lights: 5, trims: 5}
    before, _ = world.order(ref, at=NEW_YEARS_EVE, quantities=half)
    after, _ = world.order(ref, at=NEW_YEAR, quantities=half | {processor: 1})
    assert before.credit_cents == 5 * 41250 + 5 * 3333
    assert after.credit_cents == (5 * 41250 + 120000) // 2
    assert_sound(tx)


def test_the_credit_year_is_the_business_year_of_order_entry(tx):
    world = make_world(tx)
    ref = world.approve(world.submit(at=DECEMBER), at=DECEMBER)
    lights, trims, _ = world.line_ids(ref)
    old, _ = world.order(ref, at=NEW_YEARS_EVE, quantities={lights: 1})
    new, _ = world.order(ref, at=NEW_YEAR, quantities={trims: 1})
    assert (old.program_year, old.entered_on) == (2026, date(2026, 12, 31))
    assert (new.program_year, new.entered_on) == (2027, date(2027, 1, 1))
    assert (credit(world, 2026), credit(world, 2027)) == (41250, 3333)
    assert_sound(tx)


def test_credit_of_a_year_counts_toward_the_level_of_the_next(tx):
    world = make_world(tx)
    for year, silver in ((2026, 1), (2027, CREDIT), (2028, 5)):
        set_levels(
            tx,
            actor=world.program,
            at=AT,
            level_year=year,
            levels=[LevelStep("Bronze", 0), LevelStep("Silver", silver), LevelStep("Gold", 10**9)],
            reason="Set up.",
            source="Letter",
        )
    world.order()
    year = credit_year(tx, dealer_id=world.dealer.company_id, program_year=2026)
    assert (year.level_year, year.standing.level.name) == (2027, "Silver")
    assert year.standing.missing_cents == 10**9 - CREDIT


def test_a_dealer_not_yet_posted_to_stands_at_the_base_level(tx):
    world = make_world(tx)
    year = credit_year(tx, dealer_id=world.dealer.company_id, program_year=2026)
    assert (year.total_cents, year.standing.level) == (0, None)
    set_levels(
        tx,
        actor=world.program,
        at=AT,
        level_year=2027,
        levels=[LevelStep("Bronze", 0), LevelStep("Silver", 100)],
        reason="Set up.",
        source="Letter",
    )
    tx.flush()
    year = credit_year(tx, dealer_id=world.dealer.company_id, program_year=2026)
    assert (year.standing.level.name, year.standing.missing_cents) == ("Bronze", 100)


# drawing down -----------------------------------------------------------------------------------


def test_partial_orders_draw_down_what_is_approved(tx):
    world = make_world(tx)
    ref = world.approve()
    lights, trims, _ = world.line_ids(ref)
    world.order(ref, quantities={lights: 4, trims: 0})
    world.order(ref, quantities={lights: 6})
    page = quote_page(tx, viewer=world.account, at=AT, ref=ref)
    assert [(row.ordered_quantity, row.remaining_quantity) for row in page.lines] == [
        (10, 0),
        (0, 10),
        (0, 1),
    ]
    order, _ = world.order(ref)
    assert order.products_cents == 10 * 3333 + 120000
    assert not quote_page(tx, viewer=world.account, at=AT, ref=ref).is_orderable
    assert credit(world) == CREDIT
    assert_sound(tx)


@pytest.mark.parametrize("quantity", [7, 100, -1, -(10**6), 10**9])
def test_an_order_of_more_than_the_remaining_is_refused(tx, quantity):
    world = make_world(tx)
    ref = world.approve()
    lights, trims, _ = world.line_ids(ref)
    world.order(ref, quantities={lights: 4})
    said = ordering(world, ref, quantities={lights: quantity, trims: 1})
    refusal = refused(tx, "exceeds_approved_qty", place_order, **said)
    assert refusal.field == f"quantity-{lights}"
    assert [problem.field for problem in refusal.problems] == [f"quantity-{lights}"]


def test_an_order_of_nothing_is_refused(tx):
    world = make_world(tx)
    ref = world.approve()
    line = world.line_ids(ref)[0]
    refused(tx, "empty_order", place_order, **ordering(world, ref, quantities={}))
    refused(tx, "empty_order", place_order, **ordering(world, ref, quantities={line: 0}))
    world.order(ref)
    refused(tx, "empty_order", place_order, **ordering(world, ref))


def test_only_lines_of_the_approved_revision_are_ordered(tx):
    world = make_world(tx)
    ref = world.approve()
    own, foreign = world.line_ids(ref)[0], world.line_ids(world.approve())[0]
    for line in (foreign, uuid.uuid4()):
        refused(tx, "not_on_revision", place_order, **ordering(world, ref, quantities={own: 1, line: 1}))


def test_a_line_that_left_with_the_next_revision_is_no_longer_ordered(tx):
    world = make_world(tx)
    ref = world.approve()
    lights, trims, _ = world.line_ids(ref)
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    world.save(ref, revision=2, lines=[LineInput("D3-LIGHT", 10, "Kitchen", lights)])
    world.approve(world.submit(ref, revision=2), revision=2)
    said = ordering(world, ref, revision_number=2)
    refused(tx, "not_on_revision", place_order, **said | {"quantities": {trims: 1}})
    refused(tx, "stale_revision", place_order, **said | {"revision_number": 1})
    assert world.order(ref, revision_number=2)[0].products_cents == 412500


def test_draw_down_follows_a_line_across_revisions(tx):
    world = make_world(tx)
    ref = world.approve()
    lights, trims, _ = world.line_ids(ref)
    world.order(ref, quantities={lights: 8})
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    lines = [LineInput("D3-LIGHT", 12, "Kitchen", lights), LineInput("D3-TRIM", 3, "Kitchen", trims)]
    world.save(ref, revision=2, lines=lines)
    world.approve(world.submit(ref, revision=2), revision=2)
    said = ordering(world, ref, revision_number=2)
    refused(tx, "exceeds_approved_qty", place_order, **said | {"quantities": {lights: 5}})
    order, _ = world.order(ref, revision_number=2)
    assert order.products_cents == 4 * 41250 + 3 * 3333
    assert_sound(tx)


def test_a_next_revision_with_less_than_is_ordered_leaves_nothing_of_the_line(tx):
    world = make_world(tx)
    ref = world.approve()
    lights = world.line_ids(ref)[0]
    world.order(ref, quantities={lights: 8})
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    world.save(ref, revision=2, lines=[LineInput("D3-LIGHT", 5, "Kitchen", lights)])
    world.approve(world.submit(ref, revision=2), revision=2)
    refused(tx, "empty_order", place_order, **ordering(world, ref, revision_number=2))


def test_an_approved_revision_is_orderable_until_the_next_one_is_approved(tx):
    world = make_world(tx)
    ref = world.approve()
    lights = world.line_ids(ref)[0]
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    world.order(ref, quantities={lights: 1})
    world.submit(ref, revision=2)
    world.order(ref, quantities={lights: 1})
    world.approval(ref, revision=2)
    refused(tx, "stale_revision", place_order, **ordering(world, ref, quantities={lights: 1}))
    page = quote_page(tx, viewer=world.account, at=AT, ref=ref, revision_number=1)
    assert page.revision.state is RevisionState.SUPERSEDED
    assert world.order(ref, revision_number=2)[0].credit_cents == CREDIT - 2 * 41250


def test_what_is_cancelled_can_be_ordered_again(tx):
    world = make_world(tx)
    ref = world.approve()
    _, number = world.order(ref)
    lights = world.line_ids(ref)[0]
    cancel_order(
        tx,
        actor=world.account,
        at=AT,
        ref=number,
        quantities={lights: 3},
        reason="Wrong finish.",
        idempotency_key="c",
    )
    assert world.order(ref)[0].products_cents == 3 * 41250
    assert credit(world) == CREDIT
    assert_sound(tx)


# when an order is refused -----------------------------------------------------------------------


def test_a_revision_is_ordered_through_its_30th_day_at_its_own_prices(tx):
    world = make_world(tx)
    ref = world.approve()
    line = world.line_ids(ref)[0]
    last = datetime(2026, 6, 4, 3, 59, 59, tzinfo=UTC)
    world.order(ref, at=last, quantities={line: 1})
    refused(tx, "quote_expired", place_order, **ordering(world, ref, at=last + timedelta(seconds=1)))


def test_until_services_are_agreed_or_none_there_is_no_order(tx):
    world = make_world(tx)
    ref = world.draft(services=[])
    world.approve(world.submit(ref))
    assert quote_page(tx, viewer=world.account, at=AT, ref=ref).revision.services_state is ServicesState.OPEN
    refused(tx, "services_not_agreed", place_order, **ordering(world, ref))
    none = world.draft(services=[], has_no_services=True)
    world.order(world.approve(world.submit(none)))


@pytest.mark.parametrize(
    ("table", "code"),
    [(Qualification, "account_not_qualified"), (AccountNumber, "account_number_unknown_for_dealer")],
)
def test_qualification_and_account_number_are_checked_on_order(tx, table, code):
    world = make_world(tx)
    ref = world.approve()
    lights = world.line_ids(ref)[0]
    end_everything(world, table, date(2026, 5, 4))
    world.order(ref, quantities={lights: 1})
    refused(tx, code, place_order, **ordering(world, ref, at=AT + timedelta(days=1)))


def test_another_companys_quote_is_not_ordered(tx):
    world = make_world(tx)
    ref = world.approve()
    refused(tx, "not_found", place_order, **ordering(world, ref, actor=make_account(tx, world.program)))
    refused(tx, "not_found", place_order, **ordering(world, f"{ref}9"))
    refused(tx, "not_found", place_order, **ordering(world, ref, revision_number=2))


def test_only_a_builder_of_the_account_orders(tx):
    world = make_world(tx)
    ref = world.approve()
    company = tx.get_one(Company, world.account.company_id)
    actors = [
        make_user(tx, company, role)
        for role in (Role.ACCOUNT_VIEWER, Role.ACCOUNT_ADMIN, Role.ACCOUNT_INSTALLER)
    ]
    for actor in (world.dealer, world.program, *actors):
        refused(tx, "forbidden", place_order, **ordering(world, ref, actor=actor))


# keys -------------------------------------------------------------------------------------------


def test_same_key_and_body_is_the_same_order(tx):
    world = make_world(tx)
    ref = world.approve()
    lights = world.line_ids(ref)[0]
    said = ordering(world, ref, quantities={lights: 2})
    first, number = place_order(tx, **said)
    tx.flush()
    events = sa.select(sa.func.count()).select_from(AuditEvent)
    count = tx.scalar(events)
    late = AT + timedelta(days=400)
    again, same_number = place_order(tx, **said | {"at": late, "idempotency_key": " key-1 "})
    assert (again, same_number) == (first, number)
    assert tx.scalar(sa.select(sa.func.count()).select_from(Order)) == 1
    assert tx.scalar(events) == count
    assert credit(world) == 2 * 41250


@pytest.mark.parametrize("part", ["quantities", "purchase_order", "revision_number", "ref"])
def test_same_key_and_another_body_is_refused(tx, part):
    world = make_world(tx)
    ref, other = world.approve(), world.approve()
    lights = world.line_ids(ref)[0]
    said = ordering(world, ref, quantities={lights: 2})
    place_order(tx, **said)
    changed = {"quantities": {lights: 3}, "purchase_order": "PO-2", "revision_number": 2, "ref": other}
    refused(tx, "idempotency_key_reused", place_order, **said | {part: changed[part]})


def test_an_order_says_by_which_day_the_site_wants_it_and_its_digest_covers_the_day(tx):
    world = make_world(tx)
    ref = world.approve()
    said = ordering(world, ref, wanted_on=AT.date() + timedelta(days=30))
    over = refused(tx, "invalid_input", place_order, **said | {"wanted_on": AT.date() - timedelta(days=1)})
    assert over.field == "wanted_on"
    order, number = place_order(tx, **said)
    assert order.wanted_on == AT.date() + timedelta(days=30)
    assert place_order(tx, **said | {"at": AT + timedelta(days=60)}) == (order, number)
    refused(tx, "idempotency_key_reused", place_order, **said | {"wanted_on": None})
    assert_sound(tx)
    do(tx, sa.update(Order).values(wanted_on=AT.date()))
    assert any("do not recompute" in fault for fault in quote_faults(tx))


def test_a_request_without_a_wanted_day_has_the_digest_it_always_had(tx):
    world = make_world(tx)
    ref = world.approve()
    order, _ = place_order(tx, **ordering(world, ref, purchase_order="PO-1"))
    said = {"quote": ref, "revision": 1, "purchase_order": "PO-1", "lines": None}
    assert order.request_digest == request_digest(said)


def test_a_quote_has_one_number_and_no_other_spelling_of_it(tx):
    world = make_world(tx)
    ref = world.approve()
    for other in (ref.lower(), f" {ref}", f"{ref}\n", ref.replace("-", "\u2010")):
        refused(tx, "not_found", place_order, **ordering(world, other))


@pytest.mark.parametrize("key", ["", "  ", "\t"])
def test_an_order_needs_a_key(tx, key):
    world = make_world(tx)
    ref = world.approve()
    refused(tx, "idempotency_key_missing", place_order, **ordering(world, ref, idempotency_key=key))


def test_two_dealers_may_use_one_key(tx):
    world = make_world(tx)
    place_order(tx, **ordering(world, world.approve()))
    number = "0999-1"
    other = make_dealer(tx, world.program, number=number)
    world.dealer, world.number = other, number
    order, ref = place_order(tx, **ordering(world, world.approve()))
    assert (order.dealer_id, ref) == (other.company_id, f"O-{other.company_code}-1")
    assert_sound(tx)


def test_a_key_of_another_account_of_the_dealer_does_not_show_its_order(tx):
    world = make_world(tx)
    place_order(tx, **ordering(world, world.approve()))
    world.account = make_account(tx, world.program)
    refused(tx, "idempotency_key_reused", place_order, **ordering(world, world.approve()))


# the database holds it too ----------------------------------------------------------------------


@pytest.mark.parametrize("statement", [
    'UPDATE "order" SET credit_cents = 1', 'UPDATE "order" SET program_year = 2025', 'DELETE FROM "order"',
    "UPDATE order_line SET quantity = 1", "DELETE FROM order_line",
    "UPDATE ledger_entry SET amount_cents = 1", "DELETE FROM ledger_entry",
])  # fmt: skip
def test_an_order_and_its_credit_are_never_changed_in_the_database(tx, statement):
    world = make_world(tx)
    world.order()
    tx.commit()
    with pytest.raises(DBAPIError, match="append_only|immutable"):
        tx.execute(sa.text(statement))
    tx.rollback()
    assert_sound(tx)


def test_no_discount_enters_an_order_line_by_sql(tx):
    world = make_world(tx)
    world.order(world.approve(), quantities=None)
    ref = world.approve()
    world.order(ref, quantities={world.line_ids(ref)[0]: 1})
    tx.commit()
    fields = "dealer_id, order_id, quote_id, revision_number, is_creditable, credit_cents, quantity, list_price_cents"
    with pytest.raises(DBAPIError, match="amount_is_list_price"):
        tx.execute(
            sa.text(
                f"INSERT INTO order_line ({fields}, line_id, amount_cents) SELECT {fields}, (SELECT line_id FROM "
                "revision_line WHERE quote_id = order_line.quote_id AND position = 2), amount_cents - 1 "
                "FROM order_line WHERE quote_id = (SELECT id FROM quote WHERE number = 2)"
            )
        )
    tx.rollback()


# who sees what ----------------------------------------------------------------------------------


def test_orders_are_seen_by_their_dealer_their_account_and_the_program(tx):
    world = make_world(tx)
    _, number = world.order()
    for viewer in (world.dealer, world.account, world.program):
        assert [row.ref for row in orders_page(tx, viewer=viewer).rows] == [number]
    for viewer in (make_dealer(tx, world.program), make_account(tx, world.program)):
        assert orders_page(tx, viewer=viewer).rows == ()
