"""Entering orders, what they earned and why, cancelling them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerAccount, LedgerEntry
from ledger.states import AccountKind
from quotes.models.orders import Cancellation, Order, OrderLine
from quotes.operations.cancellations import cancel_order
from quotes.operations.quotes import LineInput
from quotes.queries.order_page import order_page
from quotes.queries.previews import cancellation_preview
from referral.clock import now
from referral.db import db
from referral.operations.settings import change_setting
from tests.factories import make_account, make_dealer, make_world, user_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.factories import World
    from tests.pages import PageClient

NOW = now()
FULL_CREDIT = 10 * 41250 + 10 * 3333


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def ref(world: World) -> str:
    """An approved quote."""
    return world.approve(world.submit(at=NOW), at=NOW)


def credit_of(tx: Session, world: World) -> int:
    found = tx.scalar(
        sa.select(LedgerAccount.balance_cents).where(
            LedgerAccount.dealer_id == world.dealer.company_id, LedgerAccount.kind == AccountKind.SALES_CREDIT
        )
    )
    return found or 0


def nothing_is_saved(tx: Session) -> bool:
    return not tx.scalars(sa.select(Order)).all() and not tx.scalars(sa.select(LedgerEntry)).all()


# entering ---------------------------------------------------------------------------------------


def test_place_order_is_filled_with_all_that_remains_and_says_what_it_earns(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    client.sign_in(user_of(tx, world.account))
    page = client.get(f"/quotes/{ref}/revisions/1/order")
    assert f"$4,458.30 of sales credit in program year {NOW.year}" in page.text
    assert nothing_is_saved(tx)
    shown = client.submit("Place the order", {"purchase_order": "PO-7"})
    assert "is entered" in shown.text
    assert credit_of(tx, world) == FULL_CREDIT
    assert client.get(f"/quotes/{ref}/revisions/1/order", status=303).location.endswith("?revision=1")


def test_a_double_click_places_one_order(client: PageClient, tx: Session, world: World, ref: str) -> None:
    light = world.line_ids(ref)[0]
    client.sign_in(user_of(tx, world.account))
    said = {f"quantity-{light}": "10", "purchase_order": "PO-1", "idempotency_key": "one-click"}
    first = client.post(f"/quotes/{ref}/revisions/1/order", said)
    assert client.post(f"/quotes/{ref}/revisions/1/order", said).location == first.location
    client.post(f"/quotes/{ref}/revisions/1/order", said | {"purchase_order": "PO-2"}, status=422)
    assert len(tx.scalars(sa.select(Order)).all()) == 1
    assert credit_of(tx, world) == 10 * 41250


def test_place_order_takes_a_part_and_later_the_rest(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    light, trim, control = world.line_ids(ref)
    client.sign_in(user_of(tx, world.account)).get(f"/quotes/{ref}/revisions/1/order")
    client.submit(
        "Place the order", {f"quantity-{light}": "4", f"quantity-{trim}": "", f"quantity-{control}": "0"}
    )
    assert credit_of(tx, world) == 4 * 41250
    page = client.get(f"/quotes/{ref}/revisions/1/order")
    field = next(each for each in page.tree.iter("input") if each.get("name") == f"quantity-{light}")
    assert field.get("value") == "6"
    client.submit("Place the order")
    assert credit_of(tx, world) == FULL_CREDIT


def test_work_out_again_says_the_credit_and_saves_nothing(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    light = world.line_ids(ref)[0]
    client.sign_in(user_of(tx, world.account)).get(f"/quotes/{ref}/revisions/1/order")
    page = client.submit("Work out again", {f"quantity-{light}": "1"}, status=200)
    assert f"${(41250 + 33330) / 100:,.2f} of sales credit" in page.text
    page = client.submit("Work out again", {f"quantity-{light}": "11"}, status=422)
    assert "10 are left of this line." in page.text
    assert nothing_is_saved(tx)


@pytest.mark.parametrize("junk", ["1e9", "-1", "1.5", "NaN", "🦉", "x" * 10_000, "999999999999", "٣", "1_0"])
def test_place_order_refuses_junk_beside_the_field(
    client: PageClient, tx: Session, world: World, ref: str, junk: str
) -> None:
    light = world.line_ids(ref)[0]
    client.sign_in(user_of(tx, world.account)).get(f"/quotes/{ref}/revisions/1/order")
    page = client.submit("Place the order", {f"quantity-{light}": junk}, status=422)
    assert f"quantity-{light}-error" in page.html
    assert "Type a whole number" in page.text
    assert nothing_is_saved(tx)


def test_place_order_refuses_more_than_is_left(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    light = world.line_ids(ref)[0]
    client.sign_in(user_of(tx, world.account)).get(f"/quotes/{ref}/revisions/1/order")
    page = client.submit("Place the order", {f"quantity-{light}": "11"}, status=409)
    assert "10 are left of this line." in page.text
    assert f"quantity-{light}-error" in page.html
    assert nothing_is_saved(tx)


@pytest.mark.parametrize(
    "said,status",
    [
        ({}, 422),
        ({"idempotency_key": "a\x00b", "quantity-x": "1"}, 422),
        ({"idempotency_key": "k" * 500}, 422),
        ({"idempotency_key": "k", "quantity-0190f000-0000-7000-8000-000000000000": "1"}, 409),
    ],
)
def test_place_order_refuses_what_is_not_on_the_revision(
    client: PageClient, tx: Session, world: World, ref: str, said: dict[str, str], status: int
) -> None:
    client.sign_in(user_of(tx, world.account))
    client.post(f"/quotes/{ref}/revisions/1/order", said, status=status)
    assert nothing_is_saved(tx)


def test_only_an_approved_revision_that_is_valid_is_ordered(
    client: PageClient, tx: Session, world: World
) -> None:
    waiting = world.submit(at=NOW)
    long_ago = NOW - timedelta(days=40)
    expired = world.approve(world.submit(at=long_ago), at=long_ago)
    client.sign_in(user_of(tx, world.account))
    for quote, code in ((waiting, "revision_not_approved"), (expired, "quote_expired")):
        said = {"idempotency_key": "k", f"quantity-{world.line_ids(quote)[0]}": "1"}
        assert code in client.get(f"/quotes/{quote}/revisions/1/order", status=409).text
        assert code in client.post(f"/quotes/{quote}/revisions/1/order", said, status=409).text
    assert nothing_is_saved(tx)


def test_only_the_account_of_the_quote_orders(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    said = {"idempotency_key": "k", f"quantity-{world.line_ids(ref)[0]}": "1"}
    for viewer, status in ((world.dealer, 403), (world.program, 403), (make_account(tx, world.program), 404)):
        client.sign_in(user_of(tx, viewer)).get(f"/quotes/{ref}/revisions/1/order", status=status)
        client.post(f"/quotes/{ref}/revisions/1/order", said, status=status)
    assert nothing_is_saved(tx)


# reading ----------------------------------------------------------------------------------------


def test_show_order_explains_the_credit_to_the_dealer_and_hides_it_from_the_account(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    _, order = world.order(ref, at=NOW)
    page = client.sign_in(user_of(tx, world.dealer)).get(f"/orders/{order}")
    assert "412.50 × 10 × 1.0000 = 4,125.00" in page.text
    assert "$4,458.30" in page.text
    assert "Why this credit" in page.text
    page = client.sign_in(user_of(tx, world.account)).get(f"/orders/{order}")
    assert "4,458.30" not in page.text
    assert "Why this credit" not in page.text
    client.sign_in(user_of(tx, make_dealer(tx, world.program))).get(f"/orders/{order}", status=404)


def test_orders_are_listed_by_key_and_by_quote(
    client: PageClient, tx: Session, world: World, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    light = world.line_ids(ref)[0]
    numbers = [world.order(ref, at=NOW, quantities={light: 1})[1] for _ in range(3)]
    client.sign_in(user_of(tx, world.dealer))
    page = client.get("/orders")
    assert [text for text in page.all(".//tbody/tr/th") if text] == numbers[::-1]
    key = str(tx.scalars(sa.select(Order.id).where(Order.number == 2)).one())
    page = client.get(f"/orders?after={key}&quote={ref}")
    assert page.all(".//tbody/tr/th") == numbers[:1]
    for bad in ("after=x", "quote=Q-NOBODY-1", "quote=%F0%9F%A6%89"):
        client.get(f"/orders?{bad}", status=404)


def test_the_pages_ask_as_much_for_100_lines_as_for_5(client: PageClient, tx: Session, world: World) -> None:
    counts = []
    client.sign_in(user_of(tx, world.account))
    for many in (5, 100):
        lines = [LineInput("D3-LIGHT", 2, f"Room {index}") for index in range(many)]
        quote = world.approve(world.submit(at=NOW, lines=lines), at=NOW)
        _, order = world.order(quote, at=NOW, quantities={world.line_ids(quote)[0]: 1})
        for path in (f"/quotes/{quote}/revisions/1/order", f"/orders/{order}", f"/orders/{order}/cancel"):
            seen: list[str] = []
            note = lambda *said, seen=seen: seen.append(said[2])  # noqa: E731 - one listener a page
            sa.event.listen(db.engine, "before_cursor_execute", note)
            client.get(path)
            sa.event.remove(db.engine, "before_cursor_execute", note)
            counts.append(len(seen))
    assert counts[:3] == counts[3:]


# cancelling -------------------------------------------------------------------------------------


def test_cancel_order_says_the_effect_first_and_then_takes_the_credit_back(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    _, order = world.order(ref, at=NOW)
    light = world.line_ids(ref)[0]
    client.sign_in(user_of(tx, world.account)).get(f"/orders/{order}/cancel")
    page = client.submit("Cancel these", {f"quantity-{light}": "3", "reason": "Fewer lights"}, status=200)
    assert f"loses $1,237.50 of the sales credit of {NOW.year}" in page.text
    assert tx.scalars(sa.select(Cancellation)).all() == []
    shown = client.submit("Yes, cancel 3 units")
    assert credit_of(tx, world) == FULL_CREDIT - 3 * 41250
    assert "Fewer lights" in shown.text


def test_cancelling_everything_left_ends_at_exactly_zero(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    change_setting(
        tx, actor=world.program, at=NOW, key="credit_rate", value="0.3333", valid_from=NOW.date().replace(month=1, day=1),
        valid_to=None, reason="Rounding", source="Sheet",
    )  # fmt: skip
    _, order = world.order(ref, at=NOW)
    client.sign_in(user_of(tx, world.account))
    trim = world.line_ids(ref)[1]
    client.get(f"/orders/{order}/cancel")
    client.submit("Cancel these", {f"quantity-{trim}": "1", "reason": "One broke"}, status=200)
    client.submit("Yes, cancel 1 unit")
    client.get(f"/orders/{order}/cancel")
    client.submit("Cancel everything left", {"reason": "All off"}, status=200)
    client.submit("Yes, cancel 20 units")
    assert credit_of(tx, world) == 0
    client.get(f"/orders/{order}/cancel", status=409)


def test_what_is_said_before_a_cancellation_is_what_is_posted(tx: Session, world: World, ref: str) -> None:
    _, order = world.order(ref, at=NOW)
    light, trim, control = world.line_ids(ref)
    wanted = {light: 3, trim: 7, control: 1}
    said = cancellation_preview(order_page(tx, viewer=world.account, ref=order), wanted)
    done = cancel_order(
        tx, actor=world.account, at=NOW, ref=order, quantities=wanted, reason="Fewer", idempotency_key="c"
    )
    assert (said.credit_cents, said.products_cents, said.units) == (
        done.credit_cents,
        done.products_cents,
        11,
    )


def test_a_double_confirmation_cancels_once(client: PageClient, tx: Session, world: World, ref: str) -> None:
    _, order = world.order(ref, at=NOW)
    light = world.line_ids(ref)[0]
    client.sign_in(user_of(tx, world.account))
    said = {f"quantity-{light}": "10", "reason": "Off", "idempotency_key": "once", "confirm": "1"}
    for _ in range(2):
        client.post(f"/orders/{order}/cancel", said)
    assert len(tx.scalars(sa.select(Cancellation)).all()) == 1
    assert credit_of(tx, world) == FULL_CREDIT - 10 * 41250


@pytest.mark.parametrize(
    "quantity,reason,button,status",
    [
        ("1", "", "cancel_these", 422),
        ("", "Off", "cancel_these", 422),
        ("11", "Off", "cancel_these", 422),
        ("11", "Off", "confirm", 409),
        ("1e9", "Off", "confirm", 422),
        ("-1", "Off", "cancel_these", 422),
        ("🦉", "Off", "cancel_all", 422),
        ("1", "x" * 10_000, "confirm", 422),
    ],
)
def test_cancel_order_refuses_and_saves_nothing(
    client: PageClient,
    tx: Session,
    world: World,
    ref: str,
    quantity: str,
    reason: str,
    button: str,
    status: int,
) -> None:
    _, order = world.order(ref, at=NOW)
    said = {
        f"quantity-{world.line_ids(ref)[0]}": quantity,
        "reason": reason,
        "idempotency_key": "k",
        button: "1",
    }
    client.sign_in(user_of(tx, world.account))
    assert "Nothing was saved" in client.post(f"/orders/{order}/cancel", said, status=status).text
    assert tx.scalars(sa.select(Cancellation)).all() == []
    assert len(tx.scalars(sa.select(OrderLine)).all()) == 3


def test_only_the_account_of_the_order_cancels(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    _, order = world.order(ref, at=NOW)
    for viewer, status in ((world.dealer, 403), (world.program, 403), (make_account(tx, world.program), 404)):
        client.sign_in(user_of(tx, viewer)).get(f"/orders/{order}/cancel", status=status)
    assert tx.scalars(sa.select(Cancellation)).all() == []
