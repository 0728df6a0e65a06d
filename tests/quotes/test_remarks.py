"""What both sides say about a revision and its lines."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa

from quotes.models.quotes import Remark
from quotes.operations.decisions import request_changes
from quotes.operations.quotes import start_revision
from quotes.operations.remarks import add_remark
from quotes.queries.quote_view import quote_view
from quotes.queries.remarks import remarks_page
from referral.clock import now
from referral.models import Company, OutgoingMail
from referral.permissions import Role
from tests.factories import AT, make_account, make_dealer, make_user, make_world, refused, user_of
from tests.tokens import token_of


@pytest.fixture
def world(tx):
    return make_world(tx)


def remarking(world, ref, **overrides):
    """What `add_remark` takes."""
    said = {
        "actor": world.dealer,
        "at": AT,
        "ref": ref,
        "revision_number": 1,
        "line_id": None,
        "text": "Is the island lit?",
    }
    return said | overrides


def remark(tx, world, ref, **overrides):
    made = add_remark(tx, **remarking(world, ref, **overrides))
    tx.flush()
    return made


def thread(tx, world, ref, *, viewer=None, revision=1):
    rows = remarks_page(tx, viewer=viewer or world.dealer, at=AT, ref=ref, revision_number=revision)
    return [(row.who, row.company, row.model_number, row.room, row.text) for row in rows]


def test_both_sides_talk_about_a_revision_and_its_lines_also_after_approval(tx, world):
    ref = world.submit()
    light = world.line_ids(ref)[0]
    remark(tx, world, ref)
    world.approve(ref)
    remark(tx, world, ref, actor=world.account, line_id=light, text="Ten cover it.")
    dealer, account = (tx.get_one(Company, side.company_id).name for side in (world.dealer, world.account))
    said = [
        (world.dealer.name, dealer, "", "", "Is the island lit?"),
        (world.account.name, account, "D3-LIGHT", "Kitchen", "Ten cover it."),
    ]
    assert thread(tx, world, ref) == thread(tx, world, ref, viewer=world.account) == said
    view = quote_view(tx, viewer=world.dealer, at=AT, ref=ref)
    assert [row.text for row in view.remarks_at[light]] == ["Ten cover it."]


def test_a_remark_mails_the_other_side_and_can_wait_for_its_digest(tx, world):
    ref = world.submit()
    tx.execute(sa.delete(OutgoingMail))
    remark(tx, world, ref)
    remark(tx, world, ref, actor=world.account, text="It is.")
    mails = tx.scalars(sa.select(OutgoingMail).order_by(OutgoingMail.id)).all()
    assert [mail.recipient for mail in mails] == [world.account.email, world.dealer.email]
    assert all(mail.is_digestible and mail.path == f"/quotes/{ref}?revision=1#thread" for mail in mails)


def test_what_was_asked_for_at_a_line_stands_in_the_thread(tx, world):
    ref = world.submit()
    light = world.line_ids(ref)[0]
    request_changes(
        tx,
        actor=world.dealer,
        at=AT,
        ref=ref,
        revision_number=1,
        digest=world.digest(ref),
        reason="",
        remarks={light: "Twelve"},
    )
    remark(tx, world, ref, actor=world.account, line_id=light, text="Coming")
    rows = remarks_page(tx, viewer=world.account, at=AT, ref=ref, revision_number=1)
    assert [(row.text, row.is_request) for row in rows] == [("Twelve", True), ("Coming", False)]


def test_the_same_words_sent_twice_are_one_remark(tx, world):
    ref = world.submit()
    assert remark(tx, world, ref).id == remark(tx, world, ref).id
    assert len(thread(tx, world, ref)) == 1


def test_remarks_stay_on_their_revision_and_the_newest_counts_them(tx, world):
    ref = world.submit()
    remark(tx, world, ref)
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    world.submit(ref, revision=2)
    view = quote_view(tx, viewer=world.dealer, at=AT, ref=ref)
    assert (view.thread, dict(view.other_threads)) == ((), {1: 1})
    remark(tx, world, ref, text="And the hall?")
    assert len(thread(tx, world, ref)) == 2


@pytest.mark.parametrize(
    ("code", "overrides"),
    [
        ("invalid_input", {"text": "  \n"}),
        ("invalid_input", {"text": "x" * 2_001}),
        ("not_on_revision", {"line_id": uuid4()}),
        ("not_found", {"revision_number": 2}),
        ("not_found", {"revision_number": 7}),
    ],
)
def test_a_remark_needs_words_a_submitted_revision_and_one_of_its_lines(tx, world, code, overrides):
    ref = world.submit()
    start_revision(tx, actor=world.account, at=AT, ref=ref)
    refused(tx, code, add_remark, **remarking(world, ref, **overrides))


def test_only_the_two_sides_say_something(tx, world):
    ref = world.submit()
    viewer = make_user(tx, tx.get_one(Company, world.dealer.company_id), Role.DEALER_VIEWER)
    for actor in (viewer, world.program):
        refused(tx, "forbidden", add_remark, **remarking(world, ref, actor=actor))
    for stranger in (make_dealer(tx, world.program), make_account(tx, world.program)):
        refused(tx, "not_found", add_remark, **remarking(world, ref, actor=stranger))
    assert thread(tx, world, ref, viewer=viewer) == []


def test_the_page_escapes_a_remark_shows_it_at_its_line_and_offers_what_is_missing(client, tx, world):
    ref = world.submit(at=now())
    light, trim, _ = world.line_ids(ref)
    tx.commit()
    browser = client.sign_in(user_of(tx, world.dealer))
    assert "Something missing here?" in browser.get(f"/quotes/{ref}").text
    form = browser.get(f"/quotes/{ref}/revisions/1/remark?line={trim}&missing=1")
    assert "Missing in Kitchen: " in form.html
    address = f"/quotes/{ref}/revisions/1/remark"
    answer = browser.post(address, {"line_id": str(light), "text": "<script>x</script>"})
    assert answer.location.endswith(f"/quotes/{ref}?revision=1#thread")
    page = browser.get(f"/quotes/{ref}")
    assert "&lt;script&gt;x" in page.html
    assert page.html.count("&lt;script&gt;x") == 2, "in the thread and at the line"
    browser.post(address, {"text": ""}, status=422)
    browser.post(address, {"text": "Well", "line_id": "no-line"}, status=409)
    assert tx.scalar(sa.select(sa.func.count()).select_from(Remark)) == 1
    assert browser.get(f"{address}?line=nonsense", status=404).status == 404


def test_the_api_adds_and_lists_remarks(client, tx, world):
    ref = world.submit(at=now())
    light = world.line_ids(ref)[0]
    dealer, account, program = (token_of(tx, who) for who in (world.dealer, world.account, world.program))
    tx.commit()
    path = f"/api/v1/quotes/{ref}/revisions/1/remarks"
    said = {"line_id": str(light), "text": "Twelve, please"}
    client.api("POST", path, said, token=dealer, status=201)
    client.api("POST", path, {"text": ""}, token=dealer, status=422)
    answer = client.api("GET", path, token=account)
    (row,) = answer.response.json["items"]
    assert (row["text"], row["model_number"], row["by"]) == ("Twelve, please", "D3-LIGHT", world.dealer.name)
    client.api("POST", path, said, token=program, status=403)
