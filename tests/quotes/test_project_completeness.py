"""Completeness: quoted against ordered against credited, and what was approved and never ordered."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from quotes.operations.cancellations import cancel_order
from quotes.operations.quotes import LineInput, start_revision
from quotes.queries.never_ordered import never_ordered_page
from quotes.queries.projects import project_page
from referral.clock import now
from referral.db import db
from tests.factories import AT, make_dealer, make_world, user_of
from tests.tokens import token_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from quotes.queries.completeness import Completeness
    from tests.factories import World
    from tests.pages import PageClient

LIGHT, TRIM, PROCESSOR = "D3-LIGHT", "D3-TRIM", "PROC-1"


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


def project_of(tx: Session, quote: str) -> str:
    """The number of the referral that is a quote's."""
    code, number = quote.split("-")[1:]
    found = tx.execute(
        sa.text(
            "SELECT r.number FROM referral r JOIN quote q ON q.referral_id = r.id"
            " JOIN company c ON c.id = q.dealer_id WHERE c.code = :code AND q.number = :number"
        ),
        {"code": code, "number": int(number)},
    ).scalar_one()
    return f"R-{code}-{found}"


def found(world: World, quote: str, who: Any = None, at: Any = AT) -> Completeness:
    ref = project_of(world.tx, quote)
    return project_page(world.tx, viewer=who or world.dealer, at=at, ref=ref).completeness


def figures(world: World, quote: str) -> dict[str, tuple[int, ...]]:
    """By model number: quoted, approved, ordered, missing, shipped, returned, credit."""
    return {
        line.model_number: (
            line.quoted_quantity,
            line.approved_quantity,
            line.ordered_quantity,
            line.missing_quantity,
            line.shipped_quantity,
            line.returned_quantity,
            line.credit_cents,
        )
        for line in found(world, quote).lines
    }


def test_what_is_quoted_and_not_approved_is_not_missing(world: World) -> None:
    quote = world.submit()
    assert figures(world, quote)[LIGHT] == (10, 0, 0, 0, 0, 0, 0)
    assert found(world, quote).missing_cents == ()
    assert found(world, quote).quotes[0].waiting_revision == 1


def test_completeness_after_partial_order_cancellation_shipment_and_return(world: World) -> None:
    quote = world.approve()
    light, trim, processor = world.line_ids(quote)
    assert figures(world, quote)[LIGHT] == (10, 10, 0, 10, 0, 0, 0)
    _, order = world.order(quote, quantities={light: 8, trim: 10})
    one: dict[str, Any] = {
        "actor": world.account,
        "at": AT,
        "ref": order,
        "reason": "Fewer",
        "idempotency_key": "c",
    }
    cancel_order(world.tx, quantities={light: 2}, **one)
    world.ship(order, quantities={light: 5})
    world.take_back(order, quantities={light: 1})
    assert figures(world, quote) == {
        LIGHT: (10, 10, 6, 4, 5, 1, 5 * 41250),
        TRIM: (10, 10, 10, 0, 0, 0, 10 * 3333),
        PROCESSOR: (1, 1, 0, 1, 0, 0, 0),
    }
    whole = found(world, quote)
    assert (whole.missing_units, whole.missing_cents) == (5, (("USD", 4 * 41250 + 120000),))
    assert whole.credit_cents == 5 * 41250 + 33330
    world.order(quote, quantities={light: 4, processor: 1})
    assert found(world, quote).missing == ()


def test_completeness_follows_a_change_order_and_lists_what_it_left_out(world: World) -> None:
    quote = world.approve()
    light, trim, _ = world.line_ids(quote)
    world.order(quote, quantities={light: 10, trim: 10})
    start_revision(world.tx, actor=world.account, at=AT, ref=quote)
    lines = [LineInput(LIGHT, 12, "Kitchen", light), LineInput(PROCESSOR, 2, "Equipment")]
    world.save(quote, revision=2, lines=lines)
    world.submit(quote, revision=2)
    assert figures(world, quote)[LIGHT] == (12, 10, 10, 0, 0, 0, 10 * 41250)
    assert found(world, quote).quotes[0].waiting_revision == 2
    world.approve(quote, revision=2)
    assert figures(world, quote)[LIGHT] == (12, 12, 10, 2, 0, 0, 10 * 41250)
    assert figures(world, quote)[TRIM] == (0, 0, 10, 0, 0, 0, 33330)
    assert figures(world, quote)[PROCESSOR][:4] == (2, 2, 0, 2)
    left_out = [line.model_number for line in found(world, quote).lines if line.is_dropped]
    assert left_out == [TRIM]


def test_the_page_says_in_words_what_is_left(client: PageClient, tx: Session, world: World) -> None:
    quote = world.approve(world.submit(at=now()), at=now())
    light, _, _ = world.line_ids(quote)
    world.order(quote, at=now(), quantities={light: 3})
    ref = project_of(tx, quote)
    for person in (world.dealer, world.account):
        page = client.sign_in(user_of(tx, person)).get(f"/projects/{ref}")
        assert "18 units worth $4,420.80 are approved and not ordered" in page.text
    world.order(quote, at=now())
    page = client.get(f"/projects/{ref}")
    assert "All Ketra products that were approved are ordered" in page.text


def test_an_account_sees_no_credit_of_the_dealer(client: PageClient, tx: Session, world: World) -> None:
    quote = world.approve(world.submit(at=now()), at=now())
    world.order(quote, at=now())
    ref = project_of(tx, quote)
    assert "4,458.30" in client.sign_in(user_of(tx, world.dealer)).get(f"/projects/{ref}").text
    assert "4,458.30" not in client.sign_in(user_of(tx, world.account)).get(f"/projects/{ref}").text
    for who, credit in ((world.dealer, "4125.00"), (world.account, None)):
        said = client.api("GET", f"/api/v1/projects/{ref}", token=token_of(tx, who)).json
        assert said["lines"][0]["credit"] == credit
        assert said["lines"][0]["ordered_quantity"] == 10


def test_approved_and_never_ordered_is_one_list_for_both_sides(
    client: PageClient, tx: Session, world: World
) -> None:
    first, second = world.approve(), world.approve()
    world.order(second)
    world.order()
    for who in (world.dealer, world.account, world.program):
        left = never_ordered_page(tx, viewer=who, at=AT)
        assert [(row.ref, row.units, row.cents) for row in left.rows] == [(first, 21, 565830)]
        assert (left.quote_count, left.units, left.cents) == (1, 21, (("USD", 565830),))
    assert not never_ordered_page(tx, viewer=make_dealer(tx, world.program), at=AT).rows
    client.sign_in(user_of(tx, world.account))
    page = client.get("/projects/never-ordered?view=expired")
    assert f"{first}" in page.text
    assert "Expired" in page.text
    assert first not in client.get("/projects/never-ordered?view=open").text
    client.get("/projects/never-ordered?view=no", status=404)
    client.get("/projects/never-ordered?after=no", status=404)


def test_an_approval_that_expired_is_marked(world: World) -> None:
    quote = world.approve()
    later = AT + timedelta(days=31)
    assert not found(world, quote).quotes[0].is_expired
    assert found(world, quote, at=later).quotes[0].is_expired
    for is_expired, count in ((True, 1), (False, 0), (None, 1)):
        page = never_ordered_page(world.tx, viewer=world.dealer, at=later, is_expired=is_expired)
        assert (len(page.rows), page.quote_count) == (count, count)


def test_the_number_of_statements_does_not_depend_on_lines(
    client: PageClient, tx: Session, world: World
) -> None:
    counts = []
    for size in (1, 40):
        quote = world.draft(lines=[LineInput(LIGHT, 2, f"Room {number}") for number in range(size)])
        world.approve(world.submit(quote))
        world.order(quote, quantities={world.line_ids(quote)[0]: 1})
        client.sign_in(user_of(tx, world.dealer))
        statements: list[str] = []

        def count(*said: Any, into: list[str] = statements) -> None:
            into.append(said[2])

        sa.event.listen(db.engine, "before_cursor_execute", count)
        client.get(f"/projects/{project_of(tx, quote)}")
        client.get("/projects")
        client.get("/projects/never-ordered")
        sa.event.remove(db.engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts[0] == counts[1]
