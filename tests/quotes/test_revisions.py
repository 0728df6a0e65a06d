"""Revisions: what changed, what took whose place, until when they hold, and change orders after approval."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from quotes.models.orders import Order
from quotes.operations.cancellations import cancel_order
from quotes.operations.decisions import approve_revision
from quotes.operations.orders import place_order
from quotes.operations.quotes import LineInput, start_revision
from quotes.queries.quote_view import quote_view
from quotes.queries.quotes import quote_page
from quotes.rules.diff import Change, count_changes
from quotes.states import RevisionState
from referral.clock import now
from referral.errors import Refusal
from tests.factories import AT, make_world, refused, user_of
from tests.quotes.test_operations_decisions import approving
from tests.quotes.test_operations_orders import ordering
from tests.tokens import token_of

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def world(tx):
    return make_world(tx)


def revise(tx, world, ref, lines, *, revision=2, at=AT):
    """The next revision with these lines, submitted."""
    start_revision(tx, actor=world.account, at=at, ref=ref)
    world.save(ref, revision=revision, at=at, lines=lines)
    return world.submit(ref, revision=revision, at=at)


def usual(world, ref, **changes):
    """The usual three lines, of which some are changed, moved or left out (None)."""
    light, trim, processor = world.line_ids(ref)
    lines = {
        "light": LineInput("D3-LIGHT", 10, "Kitchen", light),
        "trim": LineInput("D3-TRIM", 10, "Kitchen", trim),
        "processor": LineInput("PROC-1", 1, "Equipment", processor),
    }
    return [line for line in (lines | changes).values() if line is not None]


# what changed -----------------------------------------------------------------------------------


def test_a_line_that_only_changed_its_room_is_moved_and_not_changed(tx, world):
    ref = world.submit()
    light, trim, _ = world.line_ids(ref)
    revise(
        tx,
        world,
        ref,
        usual(
            world,
            ref,
            light=LineInput("D3-LIGHT", 10, "Hall", light),
            trim=LineInput("D3-TRIM", 12, "Hall", trim),
        ),
    )
    for viewer in (world.dealer, world.account):
        page = quote_page(tx, viewer=viewer, at=AT, ref=ref)
        assert [(change.change, change.fields) for change in page.changes] == [
            (Change.MOVED, ("room",)),
            (Change.CHANGED, ("room", "quantity")),
            (Change.SAME, ()),
        ]


def test_a_revision_is_compared_with_any_earlier_one_and_by_default_with_the_last(tx, world):
    ref = world.submit()
    light = world.line_ids(ref)[0]
    revise(tx, world, ref, usual(world, ref, light=LineInput("D3-LIGHT", 12, "Kitchen", light)))
    strip = LineInput("L3I-STRIP", 3, "Stairs")
    revise(tx, world, ref, usual(world, ref, processor=None, strip=strip), revision=3)

    def compared(against):
        page = quote_page(tx, viewer=world.dealer, at=AT, ref=ref, against=against)
        counts = count_changes(page.changes)
        kinds = (Change.ADDED, Change.REMOVED, Change.CHANGED, Change.SAME)
        difference = page.totals.products_cents - page.totals_before.products_cents
        return page.compared_with, tuple(counts[kind] for kind in kinds), difference

    assert compared(None) == (2, (1, 1, 1, 1), 3 * 9999 - 120000 - 2 * 41250)
    assert compared(1) == (1, (1, 1, 0, 2), 3 * 9999 - 120000)
    assert quote_page(tx, viewer=world.dealer, at=AT, ref=ref).comparable == (1, 2)


@pytest.mark.parametrize("against", [2, 3, 9])
def test_a_revision_is_compared_with_no_later_one_no_draft_and_none_that_is_not_there(tx, world, against):
    ref = world.submit()
    revise(tx, world, ref, usual(world, ref))
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    tx.flush()
    for viewer in (world.dealer, world.account):
        with pytest.raises(Refusal) as caught:
            quote_page(tx, viewer=viewer, at=AT, ref=ref, revision_number=2, against=against)
        assert caught.value.code == "not_found"


def test_the_page_compares_without_javascript_and_says_the_difference_in_words(client, tx, world):
    at = now()
    ref = world.submit(at=at)
    light = world.line_ids(ref)[0]
    revise(tx, world, ref, usual(world, ref, light=LineInput("D3-LIGHT", 10, "Hall", light)), at=at)
    strip = LineInput("L3I-STRIP", 3, "Stairs")
    revise(tx, world, ref, usual(world, ref, processor=None, strip=strip), revision=3, at=at)
    tx.commit()
    browser = client.sign_in(user_of(tx, world.dealer))
    page = browser.get(f"/quotes/{ref}")
    assert "What changed since revision 2" in page.text
    assert "+ 1 line, − 1 line, 1 moved to another room; 1 as before." in page.text
    assert "Products − $900.03" in page.text
    assert page.tree.find(".//select[@name='against']") is not None
    page = browser.get(f"/quotes/{ref}?revision=3&against=1")
    assert "+ 1 line, − 1 line; 2 as before." in page.text
    assert browser.get(f"/quotes/{ref}?revision=3&against=7", status=404).status == 404


def test_the_check_page_shows_the_account_what_its_draft_changes(client, tx, world):
    ref = world.submit(at=now())
    light = world.line_ids(ref)[0]
    start_revision(tx, actor=world.account, at=now(), ref=ref)
    world.save(
        ref,
        revision=2,
        at=now(),
        lines=usual(world, ref, light=LineInput("D3-LIGHT", 12, "Kitchen", light)),
    )
    tx.commit()
    page = client.sign_in(user_of(tx, world.account)).get(f"/quotes/{ref}/draft/check")
    assert "What changed since revision 1" in page.text
    assert "Quantity 10 → 12" in page.text


def test_the_api_answers_with_the_changes_against_an_earlier_revision(client, tx, world):
    ref = world.submit(at=now())
    light = world.line_ids(ref)[0]
    revise(tx, world, ref, usual(world, ref, light=LineInput("D3-LIGHT", 10, "Hall", light)), at=now())
    token = token_of(tx, world.dealer)
    tx.commit()
    answer = client.api("GET", f"/api/v1/quotes/{ref}/revisions/2", token=token)
    assert (answer.response.json["against"], [row["change"] for row in answer.response.json["changes"]]) == (
        1,
        ["moved"],
    )
    assert answer.response.json["changes"][0]["before"]["room"] == "Kitchen"
    client.api("GET", f"/api/v1/quotes/{ref}/revisions/2?against=2", token=token, status=404)


# what takes whose place -------------------------------------------------------------------------


def test_a_superseded_revision_names_the_one_that_took_its_place(tx, world):
    ref = world.approve()
    revise(tx, world, ref, usual(world, ref))
    assert quote_view(tx, viewer=world.dealer, at=AT, ref=ref, revision_number=1).superseded_by is None
    revise(tx, world, ref, usual(world, ref), revision=3)
    world.approve(ref, revision=3)
    tx.flush()

    def by(number):
        return quote_view(tx, viewer=world.dealer, at=AT, ref=ref, revision_number=number).superseded_by

    assert [by(1), by(2), by(3)] == [3, 3, None], "an approved one holds until the next is approved"


# until when it holds ----------------------------------------------------------------------------


def in_new_york(day, hour, minute, second):
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=NEW_YORK).astimezone(UTC)


@pytest.mark.parametrize(
    "submitted_on",
    [date(2026, 5, 4), date(2026, 2, 6), date(2026, 10, 2), date(2026, 12, 1)],
    ids=[
        "a usual day",
        "the last day has 23 hours",
        "the last day has 25 hours",
        "the last day is in another year",
    ],
)
def test_a_revision_holds_through_the_last_second_of_its_last_day_in_new_york(tx, world, submitted_on):
    ref = world.submit(at=in_new_york(submitted_on, 11, 0, 0))
    last = submitted_on + timedelta(days=30)
    page = quote_page(tx, viewer=world.dealer, at=AT, ref=ref)
    assert page.revision.expires_on == last
    first_second_after = in_new_york(last + timedelta(days=1), 0, 0, 0)
    refused(tx, "quote_expired", approve_revision, **approving(world, ref, at=first_second_after))
    last_second = in_new_york(last, 23, 59, 59)
    assert first_second_after - last_second == timedelta(seconds=1)
    approve_revision(tx, **approving(world, ref, at=last_second))
    tx.flush()
    refused(tx, "quote_expired", place_order, **ordering(world, ref, at=first_second_after))
    place_order(tx, **ordering(world, ref, at=last_second))
    shown = [
        quote_page(tx, viewer=world.dealer, at=at, ref=ref).state for at in (last_second, first_second_after)
    ]
    assert shown == ["approved", "expired"]


# change orders ----------------------------------------------------------------------------------


def test_a_change_order_draws_down_what_was_ordered_before_and_no_more_than_it_says(tx, world):
    ref = world.approve()
    light = world.line_ids(ref)[0]
    world.order(ref, quantities={light: 4})
    more = LineInput("D3-LIGHT", 15, "Kitchen", light)
    revise(tx, world, ref, usual(world, ref, light=more))
    refused(tx, "revision_not_approved", place_order, **ordering(world, ref, revision_number=2))
    world.order(ref, quantities={light: 1})
    world.approve(ref, revision=2)
    tx.flush()
    first = quote_page(tx, viewer=world.account, at=AT, ref=ref, revision_number=1)
    assert first.revision.state is RevisionState.SUPERSEDED
    refused(tx, "stale_revision", place_order, **ordering(world, ref, quantities={light: 1}))
    too_many = ordering(world, ref, revision_number=2, quantities={light: 11})
    refused(tx, "exceeds_approved_qty", place_order, **too_many)
    world.order(ref, revision_number=2, quantities=None)
    page = quote_page(tx, viewer=world.account, at=AT, ref=ref)
    assert [(row.ordered_quantity, row.remaining_quantity) for row in page.lines] == [
        (15, 0),
        (10, 0),
        (1, 0),
    ]
    earned = [order.credit_cents for order in tx.query(Order).order_by(Order.number)]
    assert earned == [4 * 41250, 41250, 10 * 41250 + 10 * 3333]


def test_less_than_what_is_ordered_is_said_and_never_refused(tx, world):
    ref = world.approve()
    light, trim, _ = world.line_ids(ref)
    _, number = world.order(ref, quantities={light: 6, trim: 2})
    revise(tx, world, ref, usual(world, ref, light=LineInput("D3-LIGHT", 4, "Kitchen", light), trim=None))
    page = quote_page(tx, viewer=world.dealer, at=AT, ref=ref)
    said = [(row.line.model_number, row.ordered, row.quantity) for row in page.ordered_beyond]
    assert said == [("D3-LIGHT", 6, 4), ("D3-TRIM", 2, 0)]
    world.approve(ref, revision=2)
    tx.flush()
    refused(
        tx,
        "exceeds_approved_qty",
        place_order,
        **ordering(world, ref, revision_number=2, quantities={light: 1}),
    )
    cancel_order(
        tx,
        actor=world.account,
        at=AT,
        ref=number,
        quantities={light: 3, trim: 2},
        reason="Fewer",
        idempotency_key="c",
    )
    tx.flush()
    page = quote_page(tx, viewer=world.dealer, at=AT, ref=ref)
    assert page.ordered_beyond == ()
    assert page.lines[0].remaining_quantity == 1


def test_a_line_that_was_ordered_as_another_product_is_a_new_line(tx, world):
    ref = world.approve()
    light = world.line_ids(ref)[0]
    world.order(ref, quantities={light: 6})
    revise(tx, world, ref, usual(world, ref, light=LineInput("L3I-STRIP", 10, "Kitchen", light)))
    page = quote_page(tx, viewer=world.dealer, at=AT, ref=ref)
    assert page.lines[0].line.line_id != light
    assert (page.lines[0].ordered_quantity, page.lines[0].remaining_quantity) == (0, 10)
    assert [(row.line.model_number, row.ordered, row.quantity) for row in page.ordered_beyond] == [
        ("D3-LIGHT", 6, 0)
    ]


def test_both_sides_read_what_is_ordered_before_they_send_and_decide_on_a_change_order(client, tx, world):
    at = now()
    ref = world.approve(world.submit(at=at), at=at)
    light = world.line_ids(ref)[0]
    world.order(ref, at=at, quantities={light: 6})
    start_revision(tx, actor=world.account, at=at, ref=ref)
    tx.commit()
    browser = client.sign_in(user_of(tx, world.account))
    page = browser.get(f"/quotes/{ref}/draft")
    assert "This is a change order" in page.text
    assert "6 ordered already" in page.text
    world.save(
        ref, revision=2, at=at, lines=usual(world, ref, light=LineInput("D3-LIGHT", 4, "Kitchen", light))
    )
    tx.commit()
    warning = "6 are ordered already, this revision says 4."
    assert warning in browser.get(f"/quotes/{ref}/draft/check").text
    world.submit(ref, revision=2, at=at)
    tx.commit()
    page = client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}")
    assert warning in page.text
    assert "Ordered" in page.text
