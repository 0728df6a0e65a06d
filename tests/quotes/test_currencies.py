"""Dealers of another currency: quoted in it, credited at the rate of the order's day (program rules, section 2)."""

from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ledger.models.accounts import LedgerEntry
from quotes.models.orders import Order
from quotes.models.price_lists import PriceList
from quotes.operations.cancellations import cancel_order
from quotes.operations.orders import place_order
from quotes.operations.price_lists import publish_price_list
from quotes.operations.quotes import LineInput, save_draft
from quotes.operations.returns import return_order
from quotes.operations.submissions import submit_revision
from quotes.queries.home import home_page
from quotes.queries.order_digests import ORDER_DIGEST_VERSION, order_digest
from quotes.queries.order_page import order_page
from quotes.queries.price_lists import diff_price_list, price_list_on, price_lists_page
from quotes.queries.quotes import quote_page
from quotes.queries.verification import quote_faults
from quotes.states import ReturnReason
from referral.operations.exchange_rates import set_dealer_currency
from tests.factories import AT, ITEMS, SINCE, make_price_list, make_program, make_rate, make_world, refused
from tests.quotes.test_operations_cancellations import cancelling
from tests.quotes.test_operations_orders import assert_sound, credit

DAY = date(2026, 5, 4)
NEXT_DAY = datetime(2026, 5, 5, 15, 0, tzinfo=UTC)
CANADIAN = tuple(replace(item, list_price_cents=item.list_price_cents + 10_001) for item in ITEMS)
PRODUCTS = 10 * 51_251 + 10 * 13_334 + 130_001
CREDIT = 374_747 + 97_498
"""10 × 512.51 × 0.7312 = 3,747.47312 and 10 × 133.34 × 0.7312 = 974.98208; the processor earns nothing."""


def make_canada(tx, *, rate=731_200):
    """A dealer that is quoted in CAD, by a list of its own; at 0.7312 unless another rate is said, or None."""
    world = make_world(tx)
    make_price_list(tx, world.program, items=CANADIAN, currency="CAD")
    set_dealer_currency(
        tx, actor=world.program, at=AT, code=world.dealer.company_code, currency="CAD", reason="Canadian"
    )
    if rate is not None:
        make_rate(tx, world.program, rate=rate)
    tx.flush()
    return world


def ordering(world, ref, **overrides):
    """Return what a builder says on ordering."""
    said = {
        "actor": world.account, "at": AT, "ref": ref, "revision_number": 1, "quantities": None,
        "purchase_order": "PO-1", "idempotency_key": "order-1",
    }  # fmt: skip
    return said | overrides


# price lists ------------------------------------------------------------------------------------


def test_each_currency_has_its_own_versions_and_its_own_starts(tx):
    program = make_program(tx)
    make_price_list(tx, program)
    make_price_list(tx, program, items=CANADIAN, currency="CAD")
    make_price_list(tx, program, valid_from=date(2026, 6, 1))
    assert [price_list_on(tx, DAY, currency).version for currency in (None, "USD", "CAD")] == [1, 1, 2]
    rows = [(row.version, row.currency, row.valid_to, row.is_current) for row in price_lists_page(tx, at=AT)]
    assert rows == [
        (3, "USD", None, False),
        (2, "CAD", None, True),
        (1, "USD", date(2026, 5, 31), True),
    ]
    items = {item.model_number: item for item in CANADIAN}
    diff = diff_price_list(tx, items=items, valid_from=date(2026, 6, 1), currency="CAD")
    assert (diff.currency, diff.before_version, diff.same, diff.changes) == ("CAD", 2, 4, ())
    said = {
        "actor": program, "at": AT, "items": CANADIAN, "valid_from": SINCE, "source": "b.csv",
        "source_sha256": "1" * 64,
    }  # fmt: skip
    refused(tx, "price_list_date_taken", publish_price_list, currency="CAD", **said)
    refused(tx, "invalid_input", publish_price_list, currency="cad", **said)


def test_a_second_list_of_a_currency_from_one_day_is_refused_by_the_database(tx):
    make_price_list(tx, make_program(tx))
    tx.commit()
    columns = "id, version, valid_from, currency, source, source_sha256, item_count, published_at"
    said = columns.replace("id, version", ":id, 9")
    for verb in ("INSERT INTO", "INSERT OR REPLACE INTO"):
        if verb != "INSERT INTO" and tx.get_bind().dialect.name == "postgresql":
            continue
        statement = f"{verb} price_list ({columns}) SELECT {said} FROM price_list"
        with pytest.raises(DBAPIError):
            tx.execute(sa.text(statement).bindparams(sa.bindparam("id", UUID(int=9), sa.Uuid())))
        tx.rollback()
    assert tx.scalars(sa.select(PriceList.version)).all() == [1]


def test_a_draft_of_a_canadian_dealer_has_the_prices_of_the_list_in_its_currency(tx):
    world = make_canada(tx)
    ref = world.submit()
    page = quote_page(tx, viewer=world.dealer, at=AT, ref=ref)
    assert (page.revision.currency, page.price_list.version) == ("CAD", 2)
    assert (page.totals.products_cents, page.credit_cents) == (PRODUCTS, CREDIT)
    assert (page.exchange.foreign, page.exchange.into, page.exchange.rate) == ("CAD", "USD", 731_200)


def test_a_draft_without_a_list_in_its_currency_is_neither_saved_nor_submitted(tx):
    world = make_world(tx)
    code = world.dealer.company_code
    set_dealer_currency(tx, actor=world.program, at=AT, code=code, currency="EUR", reason="Irish")
    tx.flush()
    make_price_list(tx, world.program, currency="EUR", valid_from=date(2026, 5, 5))
    ref = world.draft(at=NEXT_DAY)
    said = {"actor": world.account, "at": AT, "ref": ref, "revision_number": 1, "draft_version": None}
    content = {"account_number": world.number, "note": "", "services": [], "has_no_services": True}
    lines = [LineInput("D3-LIGHT", 1, "")]
    assert "EUR" in refused(tx, "price_list_missing", save_draft, lines=lines, **said, **content).message
    assert "EUR" in refused(tx, "price_list_missing", submit_revision, **said).message


# orders -----------------------------------------------------------------------------------------


def test_an_order_earns_at_the_rate_of_its_own_day_not_of_the_approval(tx):
    world = make_canada(tx, rate=700_000)
    ref = world.approve()
    make_rate(tx, world.program, valid_from=date(2026, 5, 5))
    order, number = world.order(ref, at=NEXT_DAY)
    assert (order.currency, order.exchange_rate, order.exchange_rate_on) == ("CAD", 731_200, date(2026, 5, 5))
    assert (order.products_cents, order.credit_cents, order.digest_version) == (
        PRODUCTS,
        CREDIT,
        ORDER_DIGEST_VERSION,
    )
    assert credit(world) == CREDIT
    page = order_page(tx, viewer=world.dealer, ref=number)
    assert (page.exchange.into, page.exchange.foreign, page.row.foreign) == ("USD", "CAD", "CAD")
    assert_sound(tx)


def test_a_rate_set_later_for_a_day_that_is_past_changes_nothing_posted(tx):
    world = make_canada(tx)
    _, ref = world.order()
    make_rate(tx, world.program, rate=999_999, valid_from=DAY, at=NEXT_DAY)
    assert credit(world) == CREDIT
    assert_sound(tx)
    cancellation = cancel_order(tx, **cancelling(world, ref, at=NEXT_DAY))
    assert (cancellation.products_cents, cancellation.credit_cents, credit(world)) == (PRODUCTS, CREDIT, 0)
    assert_sound(tx)


@pytest.mark.parametrize("rate", [1, 333_333, 731_255, 999_999, 1_234_567])
def test_cancelling_and_returning_unit_by_unit_ends_at_exactly_zero(tx, rate):
    world = make_canada(tx, rate=rate)
    order, ref = world.order()
    light, trim, processor = world.line_ids(order_page(tx, viewer=world.account, ref=ref).row.quote_ref)
    world.ship(ref, quantities={light: 5, processor: 1})
    for at in range(5):
        cancel_order(
            tx, **cancelling(world, ref, quantities={light: 1, trim: 2}, idempotency_key=f"cancel-{at}")
        )
        return_order(
            tx, actor=world.account, at=AT, ref=ref, quantities={light: 1}, reason=ReturnReason.DAMAGED,
            words="", idempotency_key=f"return-{at}",
        )  # fmt: skip
    assert credit(world) == 0
    taken = tx.scalars(sa.select(LedgerEntry.amount_cents).where(LedgerEntry.amount_cents < 0)).all()
    assert -sum(taken) == order.credit_cents
    return_order(
        tx, actor=world.account, at=AT, ref=ref, quantities=None, reason=ReturnReason.DAMAGED, words="",
        idempotency_key="rest",
    )  # fmt: skip
    assert_sound(tx)


def test_place_order_refuses_without_a_rate_on_the_day_and_saves_nothing(tx):
    world = make_canada(tx, rate=None)
    make_rate(tx, world.program, valid_from=date(2026, 5, 5))
    ref = world.approve()
    refusal = refused(tx, "exchange_rate_missing", place_order, **ordering(world, ref))
    assert "CAD" in refusal.message
    assert quote_page(tx, viewer=world.account, at=AT, ref=ref).exchange.is_missing
    waiting = home_page(tx, viewer=world.account, at=AT).account.to_order
    assert [(row.exchange.is_missing, row.credit_cents) for row in waiting] == [(True, 0)]
    assert world.order(ref, at=NEXT_DAY)[0].credit_cents == CREDIT


def test_place_order_refuses_what_a_rate_makes_more_than_the_ledger_keeps(tx):
    world = make_canada(tx, rate=9_999_999_999)
    costly = [replace(ITEMS[0], list_price_cents=9_999_999_999_99)]
    make_price_list(tx, world.program, items=costly, currency="CAD", valid_from=date(2026, 5, 2))
    ref = world.approve(world.submit(lines=[LineInput("D3-LIGHT", 999, "")]))
    refused(tx, "amount_too_large", place_order, **ordering(world, ref))


def test_start_pages_show_products_in_their_own_currency_and_credit_in_the_programs(tx):
    world = make_canada(tx)
    world.order()
    world.submit()
    dealer = home_page(tx, viewer=world.dealer, at=AT).dealer
    (waiting,) = dealer.waiting
    assert (waiting.exchange.foreign, waiting.products_cents, waiting.credit_cents) == (
        "CAD",
        PRODUCTS,
        CREDIT,
    )
    assert (dealer.currency, dealer.hoped_cents) == ("USD", 2 * CREDIT)
    program = home_page(tx, viewer=world.program, at=AT).program
    assert (program.ordered_cents, program.ordered_elsewhere) == (0, (("CAD", PRODUCTS),))
    assert (program.sales_credit_cents, program.order_count) == (CREDIT, 1)


# what is posted stays ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", ["exchange_rate = 1000000", "exchange_rate_on = '2020-01-02'", "digest_version = 1"]
)
def test_the_rate_of_an_order_is_never_changed_and_its_digest_covers_it(tx, change):
    world = make_canada(tx)
    world.order()
    tx.commit()
    statement = sa.text(f'UPDATE "order" SET {change}')
    with pytest.raises(DBAPIError, match="immutable"):
        tx.execute(statement)
    tx.rollback()
    if tx.get_bind().dialect.name == "sqlite":
        tx.execute(sa.text("DROP TRIGGER order_exchange_fixed"))
    else:
        tx.execute(sa.text('ALTER TABLE "order" DISABLE TRIGGER order_exchange_fixed'))
    tx.execute(statement)
    tx.expire_all()
    assert any("do not recompute" in fault for fault in quote_faults(tx))
    tx.rollback()


def test_an_order_that_names_a_rate_nobody_set_is_found(tx):
    world = make_canada(tx)
    world.order()
    assert_sound(tx)
    if tx.get_bind().dialect.name == "sqlite":
        tx.execute(sa.text("DROP TRIGGER exchange_rate_no_delete"))
    else:
        tx.execute(sa.text("ALTER TABLE exchange_rate DISABLE TRIGGER exchange_rate_no_change"))
    tx.execute(sa.text("DELETE FROM exchange_rate"))
    assert [fault.partition(": ")[2] for fault in quote_faults(tx)] == ["its exchange rate was never set"]
    tx.rollback()


def test_the_digest_of_an_order_of_the_first_recipe_still_recomputes():
    """Computed once by the code that knew no exchange rate."""
    ids = [UUID(int=number) for number in range(8)]
    line = SimpleNamespace(
        line_id=ids[6], quote_id=ids[4], revision_number=1, quantity=10, list_price_cents=41250,
        amount_cents=412500, is_creditable=True, credit_cents=412500,
    )  # fmt: skip
    approval = SimpleNamespace(
        dealer_id=ids[1], quote_id=ids[4], revision_number=1, digest="1" * 64, attestation_version="v",
        attestation_text="t", attested_suitable=True, attested_reviewed=True, attested_complete=True,
        attested_account_number=True, typed_account_number="0048", typed_name="Ann", approved_by=ids[7],
        approved_at=AT, address="a", browser="b", login="l", on_behalf_of=None,
    )  # fmt: skip
    order = SimpleNamespace(
        dealer_id=ids[1], id=ids[2], number=1, account_id=ids[3], quote_id=ids[4], revision_number=1,
        idempotency_key="key", request_digest="0" * 64, purchase_order="PO", account_number="0048",
        currency="USD", program_year=2026, credit_rate=10000, products_cents=412500, credit_cents=412500,
        entered_by=ids[5], entered_at=AT, entered_on=DAY, digest_version=1, exchange_rate=1_000_000,
        exchange_rate_on=None, wanted_on=None,
    )  # fmt: skip
    first = order_digest(order, [line], approval)
    assert first == "7e99945c8a92bab7e70525d5170ab1960b764ad386f019f1c91b09b6dcd1bc6b"
    order.digest_version = ORDER_DIGEST_VERSION
    second = order_digest(order, [line], approval)
    order.exchange_rate = 999_999
    assert len({first, second, order_digest(order, [line], approval)}) == 3


def test_orders_in_the_programs_currency_need_no_rate(tx):
    world = make_world(tx)
    order, _ = world.order()
    assert (order.currency, order.exchange_rate, order.exchange_rate_on) == ("USD", 1_000_000, None)
    assert tx.scalar(sa.select(sa.func.count()).select_from(Order)) == 1
