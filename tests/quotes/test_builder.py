"""The account's side of a quote: the list, the builder, the check, submission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from quotes.models.quotes import Quote, Revision, RevisionLine, RevisionService
from quotes.operations.design_files import attach_design_file
from quotes.operations.hints import ignore_hint
from quotes.operations.quotes import LineInput, start_quote
from quotes.queries.price_lists import NewItem
from quotes.queries.quotes import quote_page
from quotes.states import Category, RevisionState, ServicesState
from referral.clock import now
from referral.db import db
from tests.factories import AT, ITEMS, make_account, make_price_list, make_world, refused, user_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from sqlalchemy.orm import Session

    from tests.factories import World
    from tests.pages import Page, PageClient


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def builder(client: PageClient, tx: Session, world: World) -> PageClient:
    """The account's builder, signed in."""
    return client.sign_in(user_of(tx, world.account))


def saved(world: World, ref: str) -> tuple[Any, ...]:
    """What the newest revision says, with the version of its draft."""
    page = quote_page(world.tx, viewer=world.account, at=now(), ref=ref)
    revision = page.revision
    return (
        revision.number,
        revision.state,
        revision.draft_version,
        revision.account_number,
        revision.note,
        [(row.line.model_number, row.line.room, row.line.quantity) for row in page.lines],
        page.services,
    )


def lines_of(world: World, ref: str) -> list[tuple[str, str, int]]:
    return saved(world, ref)[5]


def test_a_quote_goes_from_referral_to_submission(builder: PageClient, world: World) -> None:
    referral = world.refer()
    started = builder.post(f"/referrals/{referral}/quote")
    page = builder.get(started.location)
    assert "Draft" in page.text
    page = builder.submit(
        "Save",
        {
            "lines-0-model_number": " d3-light ",
            "lines-0-room": "Kitchen",
            "lines-0-quantity": "10",
            "lines-1-model_number": "PROC-1",
            "lines-1-quantity": "1",
            "services-0-kind": "install",
            "services-0-description": "Installation",
            "services-0-amount": "1,000.50",
            "account_number": world.number,
            "note": "Two trims to follow.",
        },
    )
    assert "Saved." in page.text
    assert "$5,325.00" in page.text
    assert "earns the dealer $4,125.00" in page.text
    page = builder.submit("Save and check")
    assert "Ready to submit" in page.text
    ref = started.location.split("/")[2]
    page = builder.submit("Submit for approval")
    number, state, _, account_number, note, lines, services = saved(world, ref)
    assert (number, state, account_number, note) == (
        1,
        RevisionState.SUBMITTED,
        world.number,
        "Two trims to follow.",
    )
    assert lines == [("D3-LIGHT", "Kitchen", 10), ("PROC-1", "", 1)]
    assert [row.amount_cents for row in services] == [100050]


HUGE = "x" * 10_000
BAD_INPUT = [
    *[
        ("lines-0-quantity", text, 422)
        for text in ("1e9", "-1", "1.5", "NaN", "0", "  ", "\U0001f600", HUGE, "１０")
    ],
    *[("services-0-amount", text, 422) for text in ("1e9", "-1", "1.555", "NaN", "  ", "\U0001f600", HUGE)],
    ("lines-0-model_number", "\U0001f600", 422),
    ("lines-0-model_number", "1e9", 422),
    ("lines-0-model_number", HUGE, 422),
    ("lines-0-room", "\U0001f600", 422),
    ("lines-0-room", HUGE, 422),
    ("services-0-description", HUGE, 422),
    ("services-0-kind", "massage", 422),
    ("account_number", "\U0001f600", 422),
    ("account_number", HUGE, 422),
    ("note", HUGE, 422),
    ("draft_version", "NaN", 422),
    ("draft_version", "", 422),
    ("revision_number", "1e9", 422),
]


@pytest.mark.parametrize(("name", "text", "status"), BAD_INPUT)
def test_bad_input_is_refused_beside_its_field_and_nothing_is_saved(
    builder: PageClient, world: World, name: str, text: str, status: int
) -> None:
    ref = world.draft()
    before = saved(world, ref)
    builder.get(f"/quotes/{ref}/draft")
    page = builder.submit("Save", {name: text}, status=status)
    assert "Nothing was saved." in page.text
    if name not in {"draft_version", "revision_number"}:
        wrong = {element.get("id") for element in page.tree.iter() if element.get("aria-invalid") == "true"}
        assert wrong == {name}
    assert saved(world, ref) == before


def test_a_price_off_the_list_is_refused_beside_its_line(builder: PageClient, world: World) -> None:
    ref = world.draft()
    before = saved(world, ref)
    page = builder.post(f"/quotes/{ref}/draft", sent(world, price="412.49"), status=422)
    assert "list price 412.50, given 412.49" in page.text
    assert saved(world, ref) == before
    builder.post(f"/quotes/{ref}/draft", sent(world, price="412.50"))


def sent(world: World, *, version: int = 2, price: str = "", **more: str) -> dict[str, str]:
    """A whole form made by hand."""
    return {
        "action": "save",
        "revision_number": "1",
        "draft_version": str(version),
        "account_number": world.number,
        "note": "",
        "lines-0-model_number": "D3-LIGHT",
        "lines-0-room": "Hall",
        "lines-0-quantity": "2",
        "lines-0-list_price": price,
    } | more


def test_a_stale_draft_is_refused_and_both_sides_are_offered(builder: PageClient, world: World) -> None:
    ref = world.draft()
    builder.get(f"/quotes/{ref}/draft")
    world.save(ref, note="From the second tab")
    before = saved(world, ref)
    page = builder.submit("Save", {"note": "From the first tab"}, status=409)
    assert "You saved this draft elsewhere in the meantime" in page.text
    assert "From the second tab" in page.text
    assert "From the first tab" in page.text
    assert saved(world, ref) == before
    builder.submit("Take all of mine")
    assert saved(world, ref)[4] == "From the first tab"


def test_a_submitted_revision_is_not_saved_over_from_an_old_tab(builder: PageClient, world: World) -> None:
    ref = world.draft()
    builder.get(f"/quotes/{ref}/draft")
    world.submit(ref)
    builder.submit("Save", {"note": "Too late"}, status=409)
    assert saved(world, ref)[4] == ""
    assert builder.get(f"/quotes/{ref}/draft", status=303).location == f"/quotes/{ref}"


def test_nothing_is_built_on_a_quote_of_a_closed_project(builder: PageClient, world: World) -> None:
    ref = world.draft()
    before = saved(world, ref)
    whole = whole_form(builder.get(f"/quotes/{ref}/draft"))
    hint = {"actor": world.account, "at": AT, "ref": ref}
    world.tx.execute(sa.text("UPDATE referral SET state = 'closed'"))
    world.tx.commit()
    for path in ("draft", "draft/check", "bill", "files"):
        assert builder.get(f"/quotes/{ref}/{path}", status=303).location == f"/quotes/{ref}"
    builder.get(f"/quotes/{ref}/draft/copy", status=409)
    page = builder.get(f"/quotes/{ref}")
    assert "This project is closed" in page.text
    for button in ("Continue the draft", "Start revision", "Start a change order", "Enter the order"):
        assert button not in page.text
    builder.post(f"/quotes/{ref}/draft", whole | {"note": "Too late"}, status=409)
    assert saved(world, ref) == before
    refused(world.tx, "referral_closed", attach_design_file, filename="a.txt", content=b"a", **hint)
    refused(world.tx, "referral_closed", ignore_hint, model_number="X", need="Y", reason="Z", **hint)


@pytest.mark.parametrize(
    ("pressed", "model_numbers"),
    [
        ({"add": "L3I-STRIP"}, ["D3-LIGHT", "D3-TRIM", "PROC-1", "L3I-STRIP"]),
        ({"action": "enter", "words": "trim"}, ["D3-LIGHT", "D3-TRIM", "PROC-1", "D3-TRIM"]),
        ({"action": "search", "words": "trim"}, ["D3-LIGHT", "D3-TRIM", "PROC-1"]),
        ({"action": "enter", "words": "no such thing"}, ["D3-LIGHT", "D3-TRIM", "PROC-1"]),
        ({"action": "add_rows"}, ["D3-LIGHT", "D3-TRIM", "PROC-1"]),
        ({"move": "down-0"}, ["D3-TRIM", "D3-LIGHT", "PROC-1"]),
        ({"move": "up-2"}, ["D3-LIGHT", "PROC-1", "D3-TRIM"]),
        ({"move": "up-99999999999"}, ["D3-LIGHT", "D3-TRIM", "PROC-1"]),
        ({"lines-1-remove": "y", "action": "add_rows"}, ["D3-LIGHT", "PROC-1"]),
    ],
)
def test_the_other_buttons_change_the_grid_and_save_nothing(
    builder: PageClient, world: World, pressed: dict[str, str], model_numbers: list[str]
) -> None:
    ref = world.draft()
    before = saved(world, ref)
    fields = whole_form(builder.get(f"/quotes/{ref}/draft"))
    page = builder.post(f"/quotes/{ref}/draft", fields | pressed, status=200)
    shown = [value for name, value in whole_form(page).items() if name.endswith("-model_number") and value]
    assert shown == model_numbers
    assert saved(world, ref) == before


def whole_form(page: Page) -> dict[str, str]:
    """What a browser would send of the builder."""
    form = next(element for element in page.tree.iter("form") if element.get("id") == "draft")
    sends = {"text", "hidden"}
    return {
        element.get("name", ""): element.get("value", "")
        for element in form.iter("input")
        if element.get("type", "text") in sends and element.get("name") != "csrf_token"
    } | {"services-0-kind": "install"}


def test_an_emptied_or_ticked_line_is_removed_and_the_others_keep_their_identity(
    builder: PageClient, world: World
) -> None:
    ref = world.draft()
    kept = world.line_ids(ref)
    builder.get(f"/quotes/{ref}/draft")
    builder.submit("Save", {"lines-0-model_number": "", "lines-2-remove": "y", "services-0-remove": "y"})
    assert lines_of(world, ref) == [("D3-TRIM", "Kitchen", 10)]
    assert world.line_ids(ref) == kept[1:2]
    assert saved(world, ref)[6] == ()


def test_a_typed_row_without_a_model_number_is_refused_not_dropped(builder: PageClient, world: World) -> None:
    ref = world.draft()
    builder.get(f"/quotes/{ref}/draft")
    page = builder.submit("Save", {"lines-3-quantity": "5"}, status=422)
    assert "Line 4, model number" in page.text
    assert len(lines_of(world, ref)) == 3


def test_saying_services_and_none_at_once_is_refused(builder: PageClient, world: World) -> None:
    ref = world.draft()
    builder.get(f"/quotes/{ref}/draft")
    builder.submit("Save", {"has_no_services": "y"}, status=422)
    builder.get(f"/quotes/{ref}/draft")
    builder.submit("Save", {"has_no_services": "y", "services-0-remove": "y"})
    revision = world.tx.scalars(sa.select(Revision)).one()
    assert revision.services_state is ServicesState.NONE
    assert world.tx.scalars(sa.select(RevisionService)).all() == []


def test_more_lines_than_a_revision_takes_are_refused(builder: PageClient, world: World) -> None:
    ref = world.draft()
    many = {
        f"lines-{index}-{name}": text
        for index in range(2_001)
        for name, text in (("model_number", "PROC-1"), ("quantity", "1"))
    }
    page = builder.post(f"/quotes/{ref}/draft", sent(world) | many, status=422)
    assert "at most 2,000 lines" in page.text
    assert len(lines_of(world, ref)) == 3


def test_totals_follow_what_is_typed_and_save_nothing(builder: PageClient, world: World) -> None:
    ref = world.draft()
    before = saved(world, ref)
    more = {"lines-7-model_number": "NOPE", "lines-7-quantity": "1e9", "services-0-amount": "10"}
    page = builder.post(
        f"/quotes/{ref}/draft/totals", sent(world) | more, status=200, headers={"HX-Request": "true"}
    )
    assert "$835.00" in page.text
    assert "NOPE is not on price list 1." in page.text
    assert "Type a whole number from 1 to 100,000." in page.text
    assert saved(world, ref) == before


def test_the_search_offers_items_of_todays_list(builder: PageClient, world: World) -> None:
    page = builder.get("/prices/search?words=round%20trim", headers={"HX-Request": "true"})
    assert "D3-TRIM" in page.text
    assert "PROC-1" not in page.text
    assert builder.get("/prices/search?words=%25", headers={"HX-Request": "true"}).status == 200


def test_the_builder_shows_todays_prices_and_what_the_list_lost(
    builder: PageClient, world: World, today: date
) -> None:
    ref = world.draft()
    light = NewItem("D3-LIGHT", "Downlight, 25 degrees", "D3", Category.LIGHT_SOURCE, "each", 50000)
    make_price_list(world.tx, world.program, items=(light, ITEMS[3]), valid_from=today)
    page = builder.get(f"/quotes/{ref}/draft")
    assert "1 line costs something else by today's list" in page.text
    assert "D3-TRIM is not on price list 2." in page.text
    assert "5,000.00" in page.text
    page = builder.get(f"/quotes/{ref}/draft/check")
    assert "Not on today's price list: D3-TRIM." in page.text
    builder.submit("Submit for approval", status=422)
    assert saved(world, ref)[1] is RevisionState.DRAFT


@pytest.fixture
def today() -> date:
    """A day on which a list of today can start, in every time zone."""
    return AT.date()


def test_what_is_missing_is_said_and_submission_refused(builder: PageClient, world: World) -> None:
    ref = world.draft(account_number="", services=[])
    page = builder.get(f"/quotes/{ref}/draft/check")
    assert "Not complete yet" in page.text
    assert "Services and labor are open" in page.text
    page = builder.submit("Submit for approval", status=422)
    assert "State the dealer's Lutron account number first." in page.text
    assert saved(world, ref)[1] is RevisionState.DRAFT


def test_a_draft_saved_after_the_check_is_not_submitted_unread(builder: PageClient, world: World) -> None:
    ref = world.draft()
    builder.get(f"/quotes/{ref}/draft/check")
    world.save(ref, note="Changed")
    builder.submit("Submit for approval", status=409)
    assert saved(world, ref)[1] is RevisionState.DRAFT


def test_the_next_revision_starts_as_a_copy_and_says_what_the_dealer_asked_for(
    builder: PageClient, tx: Session, world: World
) -> None:
    from_dealer = builder.other().sign_in(user_of(tx, world.dealer))
    ref = world.submit(at=now())
    from_dealer.post(
        f"/quotes/{ref}/revisions/1/request-changes",
        {
            "digest": world.digest(ref),
            "reason": "Wide trims, please.",
            f"remark-{world.line_ids(ref)[1]}": "Six.",
        },
    )
    page = builder.get(builder.post(f"/quotes/{ref}/revisions").location)
    assert "Wide trims, please." in page.text
    assert "The dealer: Six." in page.text
    assert saved(world, ref)[0] == 2
    from_dealer.get(f"/quotes/{ref}/draft", status=403)


def test_a_quote_of_another_account_does_not_exist(client: PageClient, tx: Session, world: World) -> None:
    ref = world.draft()
    before = saved(world, ref)
    stranger = client.sign_in(user_of(tx, make_account(tx, world.program)))
    stranger.get(f"/quotes/{ref}/draft", status=404)
    stranger.get(f"/quotes/{ref}/draft/check", status=404)
    stranger.post(f"/quotes/{ref}/draft", sent(world), status=404)
    stranger.post(f"/quotes/{ref}/draft/totals", sent(world), status=404)
    stranger.post(f"/quotes/{ref}/revisions", status=404)
    stranger.post(f"/quotes/{ref}/revisions/1/submit", {"draft_version": "2"}, status=404)
    stranger.post(f"/referrals/{world.refer()}/quote", status=404)
    assert saved(world, ref) == before
    assert len(tx.scalars(sa.select(Quote)).all()) == 1


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


def test_the_builders_statements_do_not_depend_on_the_number_of_lines(
    builder: PageClient, world: World, count_statements: Callable[[Callable[[], object]], int]
) -> None:
    refs = [
        world.draft(lines=[LineInput(ITEMS[i % 4].model_number, 1, f"Room {i}") for i in range(size)])
        for size in (5, 200)
    ]
    for path in ("draft", "draft/check"):
        pages = [f"/quotes/{ref}/{path}" for ref in refs]
        for page in pages:
            builder.get(page)
        few, many = (count_statements(lambda page=page: builder.get(page)) for page in pages)
        assert few == many
    assert len(world.tx.scalars(sa.select(RevisionLine)).all()) == 205


def test_the_list_is_narrowed_by_state_and_referral(builder: PageClient, world: World) -> None:
    referral = world.refer()
    _, draft = start_quote(world.tx, actor=world.account, at=AT, referral_ref=referral)
    waiting, expired = world.submit(at=now()), world.submit(at=AT)
    assert refs_on(builder.get("/quotes")) == [expired, waiting, draft]
    assert refs_on(builder.get("/quotes?state=draft")) == [draft]
    assert refs_on(builder.get("/quotes?state=submitted")) == [waiting]
    assert refs_on(builder.get("/quotes?state=expired")) == [expired]
    assert refs_on(builder.get(f"/quotes?referral={referral}")) == [draft]
    assert "No quote fits" in builder.get("/quotes?referral=nonsense").text
    builder.get("/quotes?state=nonsense", status=404)
    builder.get("/quotes?after=nonsense", status=404)


def refs_on(page: Page) -> list[str]:
    return page.all(".//tbody//th")


def test_a_dealer_sees_no_draft_in_the_list(client: PageClient, tx: Session, world: World) -> None:
    world.draft()
    dealer = client.sign_in(user_of(tx, world.dealer))
    assert "No quote yet" in dealer.get("/quotes").text
    assert "No quote fits" in dealer.get("/quotes?state=draft").text


def test_the_list_pages_by_key(builder: PageClient, world: World) -> None:
    made = [
        start_quote(world.tx, actor=world.account, at=AT, referral_ref=world.refer())[1] for _ in range(51)
    ]
    page = builder.get("/quotes")
    assert refs_on(page) == made[:0:-1]
    assert refs_on(builder.click("Older →")) == made[:1]
