"""The start page: what must I do, what do I get."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from ledger.operations.levels import set_levels
from ledger.rules.credit import LevelStep
from quotes.operations.decisions import request_changes
from quotes.operations.quotes import LineInput
from quotes.queries.home import dealer_home
from referral.clock import now
from referral.db import db
from referral.models import Company, Qualification
from referral.operations.companies import end_qualification
from referral.permissions import CompanyKind, Role
from tests.factories import make_account, make_dealer, make_user, make_world, user_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from tests.factories import World
    from tests.pages import PageClient

NOW = now()
FULL_CREDIT = "4,458.30"
"""Ten lights at 412.50 and ten trims at 33.33; the processor earns nothing."""


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def count_statements(app: object) -> Callable[[Callable[[], object]], int]:
    """Count the statements that a call sends."""

    def count(call: Callable[[], object]) -> int:
        seen: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
            seen.append(statement)

        sa.event.listen(db.engine, "before_cursor_execute", note)
        call()
        sa.event.remove(db.engine, "before_cursor_execute", note)
        return len(seen)

    return count


def test_a_dealer_sees_what_waits_and_what_it_earns(client: PageClient, tx: Session, world: World) -> None:
    first = world.submit(at=NOW - timedelta(days=3))
    second = world.submit(at=NOW)
    page = client.sign_in(user_of(tx, world.dealer)).get("/")
    assert page.all(".//h1") == ["2 quotes wait for you"]
    assert page.text.index(first) < page.text.index(second), "the oldest comes first"
    assert "27 days left" in page.text
    assert f"${FULL_CREDIT}" in page.text


def test_an_expired_quote_no_longer_waits(client: PageClient, tx: Session, world: World) -> None:
    world.submit(at=NOW - timedelta(days=40))
    page = client.sign_in(user_of(tx, world.dealer)).get("/")
    assert page.all(".//h1") == ["No quote waits for you"]


def test_approved_and_not_ordered_is_committed_and_never_part_of_the_total(tx: Session, world: World) -> None:
    ref = world.approve(world.submit(at=NOW), at=NOW)
    light = world.line_ids(ref)[0]
    world.order(ref, at=NOW, quantities={light: 4})
    home = dealer_home(tx, viewer=world.dealer, day=NOW.date())
    assert home.year.sales_credit_cents == 4 * 41250
    assert home.year.total_cents == 4 * 41250
    assert home.committed_cents == 6 * 41250 + 10 * 3333
    assert home.hoped_cents == 10 * 41250 + 10 * 3333


def test_a_dealer_sees_the_way_to_the_next_level(client: PageClient, tx: Session, world: World) -> None:
    steps = [LevelStep("Silver", 0), LevelStep("Gold", 500000)]
    year = NOW.year + 1
    set_levels(tx, actor=world.program, at=NOW, level_year=year, levels=steps, reason="Set", source="Sheet")
    world.order(world.approve(world.submit(at=NOW), at=NOW), at=NOW)
    page = client.sign_in(user_of(tx, world.dealer)).get("/")
    assert f"$4,458.30 of $5,000; $541.70 to go to Gold; counts for {year}." in page.text
    assert f"Orders entered through 31 Dec {NOW.year} (America/New_York) count" in page.text


def test_a_new_dealer_is_told_what_a_referral_is(client: PageClient, tx: Session, world: World) -> None:
    page = client.sign_in(user_of(tx, make_dealer(tx, world.program))).get("/")
    assert "Refer your first project" in page.text
    assert "You earn sales credit" in page.text


def test_another_dealers_work_is_not_shown(client: PageClient, tx: Session, world: World) -> None:
    ref = world.submit(at=NOW)
    page = client.sign_in(user_of(tx, make_dealer(tx, world.program))).get("/")
    assert ref not in page.text


def test_an_account_sees_what_to_do(client: PageClient, tx: Session, world: World) -> None:
    draft = world.draft(at=NOW)
    sent_back = world.submit(at=NOW)
    request_changes(
        tx, actor=world.dealer, at=NOW, ref=sent_back, revision_number=1, digest=world.digest(sent_back),
        reason="A dimmer is missing",
    )  # fmt: skip
    approved = world.approve(world.submit(at=NOW - timedelta(days=25)), at=NOW)
    page = client.sign_in(user_of(tx, world.account)).get("/")
    assert page.all(".//h1") == ["3 things to do"]
    for caption, ref in (
        ("Drafts to finish", draft),
        ("Changes asked for: answer with the next revision", sent_back),
        ("Approved: to be ordered", approved),
    ):
        table = next(each for each in page.tree.iter("table") if each.findtext("caption") == caption)
        assert ref in "".join(table.itertext())
    assert "5 days left" in page.text
    assert "A dimmer is missing" in page.text


def test_an_account_is_told_when_its_qualification_ended(
    client: PageClient, tx: Session, world: World
) -> None:
    company = tx.get_one(Company, world.account.company_id)
    row = tx.scalars(sa.select(Qualification).where(Qualification.company_id == company.id)).one()
    ended = NOW.date() - timedelta(days=2)
    end_qualification(
        tx, actor=world.program, at=NOW, code=company.code, qualification_id=row.id, valid_to=ended, reason="Left"
    )  # fmt: skip
    page = client.sign_in(user_of(tx, world.account)).get("/")
    assert f"Your Ketra qualification ended on {ended.day} {ended:%b %Y}" in page.text


def test_an_idle_account_is_told_what_will_come(client: PageClient, tx: Session, world: World) -> None:
    page = client.sign_in(user_of(tx, make_account(tx, world.program))).get("/")
    assert "Nothing is under way" in page.text


def test_the_program_sees_the_year_and_what_waits(client: PageClient, tx: Session, world: World) -> None:
    world.order(world.approve(world.submit(at=NOW), at=NOW), at=NOW)
    waiting = world.submit(at=NOW)
    page = client.sign_in(user_of(tx, world.program)).get("/")
    assert f"${FULL_CREDIT}" in page.text
    assert waiting in page.text
    assert page.link(f"Export {NOW.year} to Excel").endswith(f"?year={NOW.year}")


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_a_start_page(client: PageClient, tx: Session, world: World, role: Role) -> None:
    viewer = {
        CompanyKind.DEALER: world.dealer,
        CompanyKind.ACCOUNT: world.account,
        CompanyKind.PROGRAM: world.program,
    }[role.company_kind]
    world.submit(at=NOW)
    someone = make_user(tx, tx.get_one(Company, viewer.company_id), role)
    client.sign_in(user_of(tx, someone)).get("/")


def test_the_start_page_asks_as_much_for_many_quotes_as_for_one(
    client: PageClient, tx: Session, world: World, count_statements: Callable[[Callable[[], object]], int]
) -> None:
    people = [user_of(tx, viewer) for viewer in (world.dealer, world.account, world.program)]

    def look() -> None:
        for person in people:
            client.sign_in(person).get("/")

    world.approve(world.submit(at=NOW), at=NOW)
    world.submit(at=NOW)
    look()
    few = count_statements(look)
    for _ in range(3):
        world.submit(at=NOW, lines=[LineInput("D3-LIGHT", 1, "Hall")] * 40)
        world.approve(world.submit(at=NOW), at=NOW)
    look()
    assert count_statements(look) == few
