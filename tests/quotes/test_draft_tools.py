"""The builder's help: saving by itself, two drafts side by side, copying, hints."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from quotes.forms.price_lists import read_price_sheet
from quotes.models.bills import IgnoredHint
from quotes.operations.copies import copy_lines
from quotes.operations.hints import heed_hint, ignore_hint
from quotes.operations.quotes import AUTOSAVE_EVENT, LineInput, ServiceInput, start_revision
from quotes.queries.price_lists import NewItem
from quotes.queries.quotes import quote_page
from quotes.rules.hints import NotUnderstood, find_hints, parse_goes_with, write_goes_with
from quotes.states import Category, ServiceKind
from referral.clock import now
from referral.db import db
from referral.models import AuditEvent, Company
from referral.permissions import Role
from tests.factories import (
    AT,
    ITEMS,
    make_account,
    make_price_list,
    make_user,
    make_world,
    refused,
    user_of,
)
from tests.tokens import token_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from referral.permissions import Viewer
    from tests.factories import World
    from tests.pages import Page, PageClient

GOES_WITH = "trim: D3-TRIM | D3-TRIM-BK"
BLACK = NewItem("D3-TRIM-BK", "Round trim, black", "D3", Category.ACCESSORY, "each", 4300)


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def builder(client: PageClient, tx: Session, world: World) -> PageClient:
    """The account's builder, signed in."""
    return client.sign_in(user_of(tx, world.account))


@pytest.fixture
def colleague(world: World) -> Viewer:
    """Another builder of the same account."""
    company = world.tx.get_one(Company, world.account.company_id)
    return make_user(world.tx, company, Role.ACCOUNT_BUILDER)


@pytest.fixture
def needy(world: World) -> World:
    """A world whose lights need a trim by today's list."""
    items = tuple(
        NewItem(**{**vars(item), "goes_with": GOES_WITH}) if item.model_number == "D3-LIGHT" else item
        for item in ITEMS
    )
    make_price_list(world.tx, world.program, items=(*items, BLACK), valid_from=AT.date())
    return world


def lines_of(world: World, ref: str) -> list[tuple[str, str, int]]:
    page = quote_page(world.tx, viewer=world.account, at=now(), ref=ref)
    return [(row.line.model_number, row.line.room, row.line.quantity) for row in page.lines]


def version_of(world: World, ref: str) -> int:
    return quote_page(world.tx, viewer=world.account, at=now(), ref=ref).revision.draft_version


def events_of(world: World, ref: str, event: str = "draft.saved") -> list[Any]:
    return list(
        world.tx.scalars(
            sa.select(AuditEvent)
            .where(AuditEvent.subject == ref, AuditEvent.event == event)
            .order_by(AuditEvent.at, AuditEvent.id)
        )
    )


def sent(world: World, version: int, *lines: tuple[str, ...], **more: str) -> dict[str, str]:
    """What the page sends of these lines: (model number, room, quantity, id)."""
    said = {
        "revision_number": "1",
        "draft_version": str(version),
        "account_number": world.number,
        "note": "",
    }
    for index, line in enumerate(lines):
        for name, text in zip(("model_number", "room", "quantity", "line_id"), line, strict=False):
            said[f"lines-{index}-{name}"] = text
    return said | more


# saving by itself -------------------------------------------------------------------------------


def test_the_builder_saves_itself_and_gives_the_page_the_new_version_and_the_lines_ids(
    builder: PageClient, world: World
) -> None:
    ref = world.draft()
    typed = sent(world, 2, ("D3-LIGHT", "Hall", "2"), ("", "", ""), ("PROC-1", "", "1"))
    answer = builder.post(f"/quotes/{ref}/draft/autosave", typed, status=200).json
    assert (answer["state"], answer["draft_version"]) == ("saved", 3)
    assert answer["words"].startswith("Saved ")
    assert lines_of(world, ref) == [("D3-LIGHT", "Hall", 2), ("PROC-1", "", 1)]
    assert answer["lines"] == dict(zip(("0", "2"), map(str, world.line_ids(ref)), strict=True))
    carried = sent(world, 3, ("D3-LIGHT", "Hall", "3", answer["lines"]["0"]))
    again = builder.post(f"/quotes/{ref}/draft/autosave", carried, status=200).json
    assert again["lines"]["0"] == answer["lines"]["0"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("D3-LIGHT", "Hall", ""), "Not saved: line 2 has no quantity"),
        (("D3-LIGHT", "Hall", "1e9"), "Not saved: line 2, quantity:"),
        (("NOPE", "", "1"), "Not saved: line 2, model number: NOPE is not on price list 1."),
        (("", "Hall", "3"), "Not saved: line 2 has no model number"),
    ],
)
def test_a_half_typed_line_keeps_all_of_it_from_being_saved_by_itself(
    builder: PageClient, world: World, line: tuple[str, ...], words: str
) -> None:
    ref = world.draft()
    before = lines_of(world, ref), version_of(world, ref)
    answer = builder.post(
        f"/quotes/{ref}/draft/autosave", sent(world, 2, ("", "", ""), line, ("PROC-1", "", "1")), status=422
    ).json
    assert answer["words"].startswith(words), answer
    assert (lines_of(world, ref), version_of(world, ref)) == before


def test_saving_by_itself_leaves_one_event_for_each_editor_and_some_minutes(
    world: World, colleague: Viewer
) -> None:
    ref = world.draft()
    at = AT + timedelta(hours=1)
    step = timedelta(seconds=10)
    for number in range(4):
        world.save(ref, at=at + number * step, is_autosave=True)
    assert len(events_of(world, ref)) == 2  # the button's, and one for the four
    world.save(ref, at=at + 4 * step, is_autosave=True, actor=colleague)
    world.save(ref, at=at + 5 * step, is_autosave=True)
    assert [row.actor_id for row in events_of(world, ref)[2:]] == [colleague.user_id, world.account.user_id]
    world.save(ref, at=at + 6 * step)  # a button always leaves one
    world.save(ref, at=at + 6 * step + AUTOSAVE_EVENT, is_autosave=True)
    assert len(events_of(world, ref)) == 6


def test_saving_by_itself_tells_of_the_other_editor_and_saves_nothing(
    builder: PageClient, world: World, colleague: Viewer
) -> None:
    ref = world.draft()
    world.save(ref, actor=colleague, note="Theirs")
    before = lines_of(world, ref), version_of(world, ref)
    answer = builder.post(
        f"/quotes/{ref}/draft/autosave", sent(world, 2, ("PROC-1", "", "1")), status=409
    ).json
    assert answer == {
        "state": "conflict",
        "words": f"Not saved: {colleague.name} saved this draft while you worked on it.",
    }
    assert (lines_of(world, ref), version_of(world, ref)) == before


# two people at once -----------------------------------------------------------------------------


@pytest.fixture
def torn(builder: PageClient, world: World, colleague: Viewer) -> tuple[str, Page]:
    """Mine: light 12 in the Hall, trim as it was, a strip more. Theirs: light 11, no processor, a hub more."""
    ref = world.draft()
    light, trim, processor = map(str, world.line_ids(ref))
    ids = world.line_ids(ref)
    world.save(
        ref,
        actor=colleague,
        note="Theirs",
        lines=[
            LineInput("D3-LIGHT", 11, "Kitchen", ids[0]),
            LineInput("D3-TRIM", 10, "Kitchen", ids[1]),
            LineInput("PROC-1", 1, "Cellar", ids[2]),
            LineInput("PROC-1", 5, "Attic"),
        ],
        services=[ServiceInput(ServiceKind.DESIGN, "Plans", 5000)],
    )
    page = builder.post(
        f"/quotes/{ref}/draft",
        sent(
            world,
            2,
            ("D3-LIGHT", "Hall", "12", light),
            ("D3-TRIM", "Kitchen", "10", trim),
            ("PROC-1", "Equipment", "1", processor),
            ("L3I-STRIP", "Stairs", "4"),
            note="Mine",
            action="save",
        ),
        status=409,
    )
    return ref, page


def test_two_people_on_one_draft_see_both_side_by_side(
    torn: tuple[str, Page], world: World, colleague: Viewer
) -> None:
    ref, page = torn
    assert f"{colleague.name} saved this draft in the meantime" in page.text
    assert "one is the same on both sides" in page.text
    rows = page.all(".//tbody/tr")
    assert any("Changed" in row and "12 units" in row and "11 units" in row for row in rows)
    assert any("Moved room" in row and "Equipment" in row and "Cellar" in row for row in rows)
    assert any("Only in yours" in row and "L3I-STRIP" in row for row in rows)
    assert any("Only in the saved one" in row and "Attic" in row for row in rows)
    assert any("Note to the dealer" in row and "Mine" in row and "Theirs" in row for row in rows)
    assert any("Services" in row and "Design: Plans, 50.00" in row for row in rows)
    assert lines_of(world, ref)[0] == ("D3-LIGHT", "Kitchen", 11)


def names_of(page: Page) -> dict[str, str]:
    """The choices of the page by what their row says."""
    return {
        text: row.get("id", "")
        for row in page.tree.iter("tr")
        if row.get("id", "").startswith("pick-")
        for text in ["".join(row.itertext())]
    }


def pick(page: Page, word: str) -> str:
    return next(name for text, name in names_of(page).items() if word in text)


def test_a_choice_that_is_missing_is_asked_for_and_nothing_is_saved(
    builder: PageClient, world: World, torn: tuple[str, Page]
) -> None:
    ref, _ = torn
    before = lines_of(world, ref)
    page = builder.submit("Save what I chose", status=422)
    assert "Please choose for each row" in page.text
    assert lines_of(world, ref) == before


def test_each_line_is_taken_from_mine_or_theirs_as_chosen(
    builder: PageClient, world: World, torn: tuple[str, Page]
) -> None:
    ref, page = torn
    ids = world.line_ids(ref)
    page = builder.submit(
        "Save what I chose",
        {
            pick(page, "12 units"): "mine",
            pick(page, "Cellar"): "saved",
            pick(page, "L3I-STRIP"): "mine",
            pick(page, "Attic"): "saved",
            "pick-note": "saved",
            "pick-services": "saved",
        },
    )
    assert "put together as you chose" in page.text
    assert lines_of(world, ref) == [
        ("D3-LIGHT", "Hall", 12),
        ("D3-TRIM", "Kitchen", 10),
        ("PROC-1", "Cellar", 1),
        ("L3I-STRIP", "Stairs", 4),
        ("PROC-1", "Attic", 5),
    ]
    saved = quote_page(world.tx, viewer=world.account, at=now(), ref=ref)
    assert (saved.revision.note, [row.amount_cents for row in saved.services]) == ("Theirs", [5000])
    kept = world.line_ids(ref)
    assert kept[:3] == ids[:3]
    assert kept[4] == ids[3]


def test_all_of_mine_or_all_of_theirs_is_one_button(
    builder: PageClient, world: World, torn: tuple[str, Page]
) -> None:
    ref, _ = torn
    theirs = lines_of(world, ref)
    page = builder.page
    builder.submit("Take all of the saved one")
    assert lines_of(world, ref) == theirs
    builder.page = page
    builder.submit("Take all of mine")
    assert lines_of(world, ref)[0] == ("D3-LIGHT", "Hall", 12)
    assert ("PROC-1", "Attic", 5) not in lines_of(world, ref)


def test_a_third_save_shows_the_choice_again_with_the_newest(
    builder: PageClient, world: World, torn: tuple[str, Page], colleague: Viewer
) -> None:
    ref, _ = torn
    world.save(ref, actor=colleague, lines=[LineInput("PROC-1", 7, "Shed")])
    page = builder.submit("Take all of mine", status=409)
    assert "Shed" in page.text
    assert lines_of(world, ref) == [("PROC-1", "Shed", 7)]


# copying ----------------------------------------------------------------------------------------


def test_lines_are_copied_from_another_project_at_todays_prices_as_new_lines(
    builder: PageClient, world: World
) -> None:
    source = world.submit()
    light = NewItem("D3-LIGHT", "Downlight", "D3", Category.LIGHT_SOURCE, "each", 50000)
    others = tuple(item for item in ITEMS if item.model_number != "D3-LIGHT")
    make_price_list(world.tx, world.program, items=(light, *others), valid_from=AT.date())
    ref = world.draft(lines=[LineInput("PROC-1", 2, "Attic")])
    builder.get(f"/quotes/{ref}/draft")
    page = builder.submit("Save and copy from another quote")
    page = builder.get(f"/quotes/{ref}/draft/copy?source={source}")
    assert "500.00" in page.text
    page = builder.submit("Copy 3 lines")
    assert f"3 lines were copied from {source}" in page.text
    assert lines_of(world, ref) == [
        ("PROC-1", "Attic", 2),
        ("D3-LIGHT", "Kitchen", 10),
        ("D3-TRIM", "Kitchen", 10),
        ("PROC-1", "Equipment", 1),
    ]
    saved = quote_page(world.tx, viewer=world.account, at=now(), ref=ref)
    assert saved.lines[1].line.list_price_cents == 50000
    assert not set(world.line_ids(ref)) & set(world.line_ids(source))


def test_copying_can_replace_what_is_there(world: World) -> None:
    source, ref = world.draft(), world.draft(lines=[LineInput("PROC-1", 2, "Attic")])
    said: dict[str, Any] = {
        "actor": world.account,
        "at": AT,
        "ref": ref,
        "source_ref": source,
        "draft_version": None,
    }
    copied = copy_lines(world.tx, **said, replaces=True)
    assert copied.copied == 3
    assert [line[0] for line in lines_of(world, ref)] == ["D3-LIGHT", "D3-TRIM", "PROC-1"]
    assert events_of(world, ref, "draft.copied")[0].details["from"] == source


def test_retired_model_numbers_are_named_and_left_out_only_on_purpose(
    builder: PageClient, world: World
) -> None:
    source, ref = world.draft(), world.draft(lines=[LineInput("PROC-1", 2, "Attic")])
    kept = tuple(item for item in ITEMS if item.model_number != "D3-TRIM")
    make_price_list(world.tx, world.program, items=kept, valid_from=AT.date())
    said = {"actor": world.account, "at": now(), "ref": ref, "source_ref": source, "draft_version": None}
    refusal = refused(world.tx, "model_number_unknown", copy_lines, **said)
    assert [problem.message.split()[0] for problem in refusal.problems] == ["D3-TRIM"]
    builder.get(f"/quotes/{ref}/draft/copy?source={source}")
    page = builder.submit("Copy 2 lines", status=422)
    assert "D3-TRIM" in page.text
    page = builder.submit("Copy 2 lines", {"good_only": "y"})
    assert "Left out, not on today's list: D3-TRIM." in page.text
    assert len(lines_of(world, ref)) == 3


def test_copying_is_refused_from_another_account_and_into_what_is_not_a_draft(
    client: PageClient, world: World
) -> None:
    source = world.draft()
    stranger = make_account(world.tx, world.program)
    theirs = World_of(world, stranger)
    ref = theirs.draft()
    said: dict[str, Any] = {"at": AT, "draft_version": None}
    refused(world.tx, "not_found", copy_lines, actor=stranger, ref=ref, source_ref=source, **said)
    refused(world.tx, "not_found", copy_lines, actor=stranger, ref=ref, source_ref="Q-NO-1", **said)
    refused(
        world.tx, "not_found", copy_lines, actor=stranger, ref=ref, source_ref=ref, source_revision=9, **said
    )
    refused(world.tx, "not_found", copy_lines, actor=stranger, ref=source, source_ref=ref, **said)
    refused(world.tx, "forbidden", copy_lines, actor=world.dealer, ref=source, source_ref=source, **said)
    stale = {"actor": world.account, "at": AT, "source_ref": source, "draft_version": 1}
    refused(world.tx, "stale_draft", copy_lines, ref=source, **stale)
    empty = world.draft(lines=[])
    said = {"actor": world.account, "at": AT, "draft_version": None}
    refused(world.tx, "empty_quote", copy_lines, ref=source, source_ref=empty, **said)
    submitted = world.submit()
    refused(world.tx, "revision_immutable", copy_lines, ref=submitted, source_ref=source, **said)
    client.sign_in(user_of(world.tx, stranger))
    client.get(f"/quotes/{ref}/draft/copy?source={source}", status=404)
    assert source not in client.get(f"/quotes/{ref}/draft/copy").text


def World_of(world: World, account: Viewer) -> World:  # noqa: N802 - a world of another account
    return type(world)(world.tx, world.program, world.dealer, account, world.number)


def test_the_quotes_to_copy_from_are_found_by_number_project_and_dealer(
    builder: PageClient, world: World
) -> None:
    first, second = world.draft(), world.draft()
    project = quote_page(world.tx, viewer=world.account, at=now(), ref=first).project_name
    for words in (first, first.lower(), project, project.lower()):
        page = builder.get(f"/quotes/{second}/draft/copy?words={words.replace(' ', '%20')}")
        assert f"{first} " in page.text.replace(f"Into {second}", "")
    assert "Nothing fits" in builder.get(f"/quotes/{second}/draft/copy?words=%25").text


def test_the_api_copies_lines_with_the_same_refusals(client: PageClient, world: World) -> None:
    source, ref = world.draft(), world.draft(lines=[])
    token = token_of(world.tx, world.account)
    said = {"source": source, "draft_version": 2}
    answer = client.api("POST", f"/api/v1/quotes/{ref}/draft/copy", said, token=token).json
    assert (answer["copied"], answer["left_out"], answer["draft_version"]) == (3, [], 3)
    assert (
        client.api("POST", f"/api/v1/quotes/{ref}/draft/copy", said, token=token, status=409).json["code"]
        == "stale_draft"
    )
    assert len(lines_of(world, ref)) == 3


# what goes with what ----------------------------------------------------------------------------


def test_the_words_of_the_catalogue_are_read_and_kept_in_one_way() -> None:
    needs = parse_goes_with(" Trim:  d3-trim |D3-TRIM-BK ; supply per 8: PS-96")
    assert [(need.name, need.model_numbers, need.per) for need in needs] == [
        ("trim", ("D3-TRIM", "D3-TRIM-BK"), 1),
        ("supply", ("PS-96",), 8),
    ]
    assert write_goes_with(needs) == "trim: D3-TRIM | D3-TRIM-BK; supply per 8: PS-96"
    assert parse_goes_with(write_goes_with(needs)) == needs
    assert parse_goes_with("  ") == ()


@pytest.mark.parametrize(
    "text", ["trim", "trim:", "trim: A |", ": A", "trim: A; trim: B", "trim per 0: A", "x: " + "A" * 500]
)
def test_words_that_say_no_need_are_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        parse_goes_with(text)


def hints(lines: list[tuple[str, int]], **needs: str) -> list[tuple[str, str, int, int]]:
    parsed = {number: parse_goes_with(text) for number, text in needs.items()}
    return [(hint.model_number, hint.need, hint.wanted, hint.missing) for hint in find_hints(lines, parsed)]


def test_a_light_without_its_trim_is_hinted_at_over_the_whole_quote() -> None:
    assert hints([("A", 6), ("A", 6), ("T", 5), ("U", 3)], A="trim: T | U") == [("A", "trim", 12, 4)]
    assert hints([("A", 12), ("T", 12)], A="trim: T | U") == []
    assert hints([("A", 17), ("P", 2)], A="supply per 8: P") == [("A", "supply", 3, 1)]


def test_a_trim_counts_once_and_goes_to_the_light_that_no_other_fits() -> None:
    assert hints([("A", 1), ("B", 1), ("T", 1), ("U", 1)], A="trim: T | U", B="trim: T") == []
    assert hints([("A", 1), ("B", 1), ("T", 1)], A="trim: T", B="trim: T") == [("B", "trim", 1, 1)]
    chain = {"A": "t: X | Y", "B": "t: X | Z", "C": "t: X"}
    assert hints([("A", 2), ("B", 2), ("C", 2), ("X", 2), ("Y", 2), ("Z", 2)], **chain) == []
    assert hints([("A", 2), ("X", 3)], A="trim: X; lens: X") == [("A", "lens", 2, 1)]


def test_the_builder_and_the_check_hint_and_a_button_adds_what_is_missing(
    builder: PageClient, needy: World
) -> None:
    ref = needy.draft(lines=[LineInput("D3-LIGHT", 12, "Hall"), LineInput("D3-TRIM", 8, "Hall")])
    assert "4 more: D3-TRIM or D3-TRIM-BK" in builder.get(f"/quotes/{ref}/draft/check").text
    page = builder.get(f"/quotes/{ref}/draft")
    assert "12 × D3-LIGHT need trim: 8 are on the quote; 4 more." in page.text
    page = builder.submit("Add 4 × D3-TRIM-BK", status=200)
    assert "need trim" not in page.text
    builder.submit("Save")
    assert lines_of(needy, ref)[2] == ("D3-TRIM-BK", "Hall", 4)
    builder.submit("Save and check")
    builder.submit("Submit for approval")


def test_a_hint_is_left_out_with_a_reason_that_the_dealer_reads_and_taken_back(
    builder: PageClient, needy: World
) -> None:
    ref = needy.draft(lines=[LineInput("D3-LIGHT", 12, "Hall")])
    builder.get(f"/quotes/{ref}/draft")
    builder.submit("Leave out: trim for D3-LIGHT", {"note": "typed before"})
    page = builder.submit("Leave it out", {"reason": " "}, status=422)
    assert needy.tx.scalars(sa.select(IgnoredHint)).all() == []
    builder.submit("Leave it out", {"reason": "The builder has them on site."})
    page = builder.get(f"/quotes/{ref}/draft")
    assert "Left out: “The builder has them on site.”" in page.text
    assert "typed before" in page.html
    needy.submit(ref)
    dealer = builder.other().sign_in(user_of(needy.tx, needy.dealer))
    page = dealer.get(f"/quotes/{ref}")
    assert "says: “The builder has them on site.”" in page.text
    start_revision(needy.tx, actor=needy.account, at=now(), ref=ref)
    builder.get(f"/quotes/{ref}/draft/hint?model_number=D3-LIGHT&need=trim")
    builder.submit("Point it out again")
    assert needy.tx.scalars(sa.select(IgnoredHint)).all() == []
    assert len(events_of(needy, ref, "hint.ignored")) == len(events_of(needy, ref, "hint.heeded")) == 1


def test_leaving_out_is_refused_without_reason_need_draft_or_right(needy: World) -> None:
    ref, waiting = needy.draft(), needy.submit()
    said = {"at": now(), "ref": ref, "model_number": "D3-LIGHT", "need": "trim"}
    mine = {"actor": needy.account, **said}
    refused(needy.tx, "reason_required", ignore_hint, **mine, reason=" ")
    refused(needy.tx, "not_found", ignore_hint, **{**mine, "need": "lens"}, reason="x")
    refused(needy.tx, "not_found", ignore_hint, **{**mine, "model_number": "NOPE"}, reason="x")
    refused(needy.tx, "not_found", heed_hint, **mine)
    refused(needy.tx, "forbidden", ignore_hint, actor=needy.dealer, **said, reason="x")
    refused(needy.tx, "revision_immutable", ignore_hint, **{**mine, "ref": waiting}, reason="x")


def test_the_api_tells_the_hints_of_a_draft(client: PageClient, needy: World) -> None:
    ref = needy.draft(lines=[LineInput("D3-LIGHT", 2, "Hall")])
    path = f"/api/v1/quotes/{ref}/revisions/1"
    answer = client.api("GET", path, token=token_of(needy.tx, needy.account)).json
    assert answer["hints"] == [
        {
            "model_number": "D3-LIGHT",
            "need": "trim",
            "units": 2,
            "wanted": 2,
            "missing": 2,
            "model_numbers": ["D3-TRIM", "D3-TRIM-BK"],
            "reason": None,
        }
    ]


def test_a_price_list_says_what_goes_with_what_and_a_bad_cell_is_named() -> None:
    head = "Model number,Description,Category,List price,Goes with\n"
    good = read_price_sheet(
        (head + "A,Light,light source,1.00,Trim: b | C\nB,Trim,accessory,1.00,\n").encode(), "list.csv"
    )
    assert good.problems == ()
    assert good.items["A"].goes_with == "trim: B | C"
    assert [note for note in good.notes if "C goes with A (trim)" in note]
    bad = read_price_sheet((head + "A,Light,light source,1.00,a trim\n").encode(), "list.csv")
    assert [(problem.field, "is not written like" in problem.message) for problem in bad.problems] == [
        ("E2", True)
    ]


# size -------------------------------------------------------------------------------------------


def statements_of(call: Callable[[], object]) -> int:
    """Count the statements that a call sends."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    call()
    sa.event.remove(db.engine, "before_cursor_execute", note)
    return len(seen)


def test_the_statements_of_the_builder_do_not_depend_on_its_lines(builder: PageClient, needy: World) -> None:
    counts = []
    for lines in (3, 60):
        ref = needy.draft(lines=[LineInput("D3-LIGHT", 1, f"Room {number}") for number in range(lines)])
        paths = [f"/quotes/{ref}/{each}" for each in ("draft", "draft/check", f"draft/copy?source={ref}")]
        counts.append([statements_of(partial(builder.get, path)) for path in paths])
    assert counts[0] == counts[1]
