"""The quote as everybody reads it, and the dealer's decision."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from quotes.models.quotes import Approval, Remark, Revision
from quotes.operations.quotes import LineInput, start_revision
from quotes.rules.content import ATTESTATIONS
from referral.clock import now
from referral.db import db
from referral.models import AuditEvent, Company
from referral.permissions import Role
from tests.factories import make_account, make_dealer, make_user, make_world, user_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.factories import World
    from tests.pages import PageClient

NOW = now()


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def ref(world: World) -> str:
    return world.submit(at=NOW)


def answers(world: World, **overrides: Any) -> dict[str, Any]:
    """Everything an approver must tick and type."""
    ticks = dict.fromkeys(ATTESTATIONS, "y")
    typed = {"typed_account_number": world.number, "typed_name": world.dealer.name}
    return {name: value for name, value in (ticks | typed | overrides).items() if value is not None}


def state_of(tx: Session, number: int = 1) -> str:
    return tx.scalars(sa.select(Revision.state).where(Revision.number == number)).one().value


# reading ----------------------------------------------------------------------------------------


def test_the_review_shows_number_credit_year_and_the_four_statements(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    page = client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}")
    assert page.tree.findtext("head/title", "").startswith(f"{ref} · Waiting for you")
    assert world.number in page.text
    assert "$4,458.30" in page.text
    assert f"Credit of {NOW.year}, counts for the level of {NOW.year + 1}" in page.text
    for text in ATTESTATIONS.values():
        assert text in page.text
    assert "What approving means" in page.text
    assert world.digest(ref)[:8] in page.text


def test_reading_changes_nothing(client: PageClient, tx: Session, world: World, ref: str) -> None:
    events = tx.scalar(sa.select(sa.func.count()).select_from(AuditEvent))
    client.sign_in(user_of(tx, world.dealer))
    client.get(f"/quotes/{ref}")
    client.get(f"/quotes/{ref}/revisions/1/request-changes")
    client.get(f"/quotes/{ref}/revisions/1/decline")
    assert client.get(f"/quotes/{ref}/revisions/1/approve", status=303).location.endswith("?revision=1")
    assert state_of(tx) == "submitted"
    assert tx.scalar(sa.select(sa.func.count()).select_from(AuditEvent)) == events


def test_the_account_sees_neither_credit_nor_evidence(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    world.approve(ref, at=NOW)
    page = client.sign_in(user_of(tx, world.account)).get(f"/quotes/{ref}")
    assert "Sales credit it earns" not in page.text
    assert "Evidence kept with it" not in page.text
    assert "Enter the order" in page.all(".//a")


def test_a_dealers_viewer_reads_without_a_form(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    reader = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    page = client.sign_in(user_of(tx, reader)).get(f"/quotes/{ref}")
    assert "Your decision" not in page.text
    client.post(f"/quotes/{ref}/revisions/1/approve", answers(world, digest=world.digest(ref)), status=403)
    assert state_of(tx) == "submitted"
    assert f"{world.dealer.name} can approve it or ask for changes" in page.text
    assert client.get("/").all(".//h1") == ["1 quote waits for an approver of your company"]


def test_another_company_finds_no_such_quote(client: PageClient, tx: Session, world: World, ref: str) -> None:
    said = answers(world, digest=world.digest(ref), reason="No")
    client.sign_in(user_of(tx, make_dealer(tx, world.program)))
    client.get(f"/quotes/{ref}", status=404)
    for verb in ("approve", "request-changes", "decline"):
        client.post(f"/quotes/{ref}/revisions/1/{verb}", said, status=404)
    client.sign_in(user_of(tx, make_account(tx, world.program))).get(f"/quotes/{ref}", status=404)
    assert state_of(tx) == "submitted"


@pytest.mark.parametrize("revision", ["0", "7", "x", "-1", "1e3", "９", "99999999999999999999"])
def test_an_unknown_revision_is_not_there(
    client: PageClient, tx: Session, world: World, ref: str, revision: str
) -> None:
    client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}?revision={revision}", status=404)


def test_the_next_revision_shows_what_changed(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    light, trim, _ = world.line_ids(ref)
    start_revision(tx, actor=world.account, at=NOW, ref=ref)
    lines = [
        LineInput("D3-LIGHT", 12, "Kitchen", light),
        LineInput("D3-TRIM", 10, "Kitchen", trim),
        LineInput("L3I-STRIP", 5, "Hall"),
    ]
    world.save(ref, revision=2, at=NOW, lines=lines)
    world.submit(ref, revision=2, at=NOW)
    page = client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}")
    assert "+ 1 line, − 1 line, 1 changed; 1 as before." in page.text
    assert "Quantity 10 → 12" in page.text
    assert "1 × PROC-1" in page.text
    older = client.get(f"/quotes/{ref}?revision=1")
    assert "Superseded by revision 2" in older.text


def test_the_page_asks_as_much_for_100_lines_as_for_5(client: PageClient, tx: Session, world: World) -> None:
    short = world.submit(at=NOW, lines=[LineInput("D3-LIGHT", 1, f"Room {index}") for index in range(5)])
    long = world.submit(at=NOW, lines=[LineInput("D3-LIGHT", 1, f"Room {index}") for index in range(100)])
    client.sign_in(user_of(tx, world.dealer))
    counts = []
    for quote in (short, long):
        for path in (f"/quotes/{quote}", f"/quotes/{quote}/revisions/1/request-changes"):
            seen: list[str] = []
            note = lambda *said, seen=seen: seen.append(said[2])  # noqa: E731 - one listener a page
            sa.event.listen(db.engine, "before_cursor_execute", note)
            client.get(path)
            sa.event.remove(db.engine, "before_cursor_execute", note)
            counts.append(len(seen))
    assert counts[:2] == counts[2:]


# approving --------------------------------------------------------------------------------------


def test_approve_revision_keeps_who_what_and_from_where(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    digest = world.digest(ref)
    client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}")
    page = client.submit(
        "Approve revision 1", answers(world, typed_account_number=world.number.replace("-", " "))
    )
    assert "Revision 1 is approved" in page.text
    assert "enters the order next" in page.text
    approval = tx.scalars(sa.select(Approval)).one()
    assert approval.digest == digest
    assert approval.approved_by == world.dealer.user_id
    assert approval.address == "127.0.0.1"
    assert approval.browser.startswith("Ledger-Tests")
    assert len(approval.login) == 16
    assert state_of(tx) == "approved"


@pytest.mark.parametrize(
    "wrong,says",
    [
        ({"attested_complete": None}, "Confirm every statement"),
        ({"typed_account_number": "0048-9999"}, "is not the one on the quote"),
        ({"typed_account_number": ""}, "This is needed."),
        ({"typed_name": "Somebody Else"}, "Type your own name"),
        ({"typed_name": "🦉" * 300}, "longer than 200"),
        ({"typed_account_number": "\x00"}, "This is needed."),
    ],
)
def test_approve_revision_refuses_beside_the_field_and_keeps_the_rest(
    client: PageClient, tx: Session, world: World, ref: str, wrong: dict[str, Any], says: str
) -> None:
    said = answers(world, digest=world.digest(ref), **wrong)
    client.sign_in(user_of(tx, world.dealer))
    page = client.post(f"/quotes/{ref}/revisions/1/approve", said, status=422)
    assert says in page.text
    assert "Nothing was saved" in page.text
    ticked = {box.get("name") for box in page.tree.iter("input") if "checked" in box.attrib}
    assert ticked >= set(ATTESTATIONS) - set(wrong)
    assert tx.scalars(sa.select(Approval)).all() == []
    assert state_of(tx) == "submitted"


def test_a_second_tab_with_an_older_revision_is_led_to_the_newest(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    said = answers(world, digest=world.digest(ref), reason="Why not")
    start_revision(tx, actor=world.account, at=NOW, ref=ref)
    world.submit(ref, revision=2, at=NOW)
    client.sign_in(user_of(tx, world.dealer))
    for verb in ("approve", "request-changes", "decline"):
        page = client.post(f"/quotes/{ref}/revisions/1/{verb}", said, status=409)
        assert "stale_revision" in page.text
        assert page.link("Read revision 2") == f"/quotes/{ref}"
    assert "newest" in client.get(f"/quotes/{ref}/revisions/1/decline", status=409).text
    assert state_of(tx, 2) == "submitted"


def test_another_content_than_was_read_is_not_approved(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    client.sign_in(user_of(tx, world.dealer))
    page = client.post(f"/quotes/{ref}/revisions/1/approve", answers(world, digest="0" * 64), status=409)
    assert "digest_mismatch" in page.text
    client.post(f"/quotes/{ref}/revisions/1/approve", answers(world), status=422)
    assert tx.scalars(sa.select(Approval)).all() == []


def test_an_expired_revision_is_not_approved(client: PageClient, tx: Session, world: World) -> None:
    old = world.submit(at=NOW - timedelta(days=40))
    client.sign_in(user_of(tx, world.dealer))
    assert "Your decision" not in client.get(f"/quotes/{old}").text
    said = answers(world, digest=world.digest(old))
    assert "quote_expired" in client.post(f"/quotes/{old}/revisions/1/approve", said, status=409).text
    assert tx.scalars(sa.select(Approval)).all() == []


def test_a_double_click_is_one_approval(client: PageClient, tx: Session, world: World, ref: str) -> None:
    said = answers(world, digest=world.digest(ref))
    client.sign_in(user_of(tx, world.dealer))
    for _ in range(2):
        client.post(f"/quotes/{ref}/revisions/1/approve", said)
    assert len(tx.scalars(sa.select(Approval)).all()) == 1


# asking for changes, declining ------------------------------------------------------------------


def test_request_changes_takes_a_reason_and_remarks_at_lines(
    client: PageClient, tx: Session, world: World, ref: str
) -> None:
    light = world.line_ids(ref)[0]
    client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}/revisions/1/request-changes")
    page = client.submit(
        f"Send back to {world.account.company_name}",
        {"reason": "The hall is missing.", f"remark-{light}": "Twelve, not ten"},
    )
    assert state_of(tx) == "changes_requested"
    assert "The hall is missing." in page.text
    assert "Twelve, not ten" in page.text
    assert tx.scalars(sa.select(Remark.line_id)).all() == [light]


@pytest.mark.parametrize(
    "said,status",
    [
        ({}, 422),
        ({"reason": " \u200b "}, 422),
        ({"reason": "x" * 10_000}, 422),
        ({"remark-0190f000-0000-7000-8000-000000000000": "Not ours"}, 409),
    ],
)
def test_request_changes_refuses_and_saves_nothing(
    client: PageClient, tx: Session, world: World, ref: str, said: dict[str, str], status: int
) -> None:
    client.sign_in(user_of(tx, world.dealer))
    path = f"/quotes/{ref}/revisions/1/request-changes"
    client.post(path, {"digest": world.digest(ref)} | said, status=status)
    assert state_of(tx) == "submitted"
    assert tx.scalars(sa.select(Remark)).all() == []


def test_decline_revision_needs_a_reason(client: PageClient, tx: Session, world: World, ref: str) -> None:
    client.sign_in(user_of(tx, world.dealer)).get(f"/quotes/{ref}/revisions/1/decline")
    client.submit("Decline revision 1", status=422)
    assert state_of(tx) == "submitted"
    page = client.submit("Decline revision 1", {"reason": "The client chose otherwise."})
    assert state_of(tx) == "declined"
    assert "The client chose otherwise." in page.text
